//! A key and the versions of its secret, and every legal step of its life.
//!
//! Status is derived from facts at a time and stored nowhere. Nothing here lengthens a life: an overlap never outlives
//! the key's expiry, and a rotation keeps the expiry and a revocation unless their end is asked for by name.

use super::{
    allowlist::Allowlist,
    environment::Environment,
    ids::KeyId,
    rate_limit::RateLimit,
    rotation::Rotation,
    scope::Scope,
    self_service::SelfService,
    time::{Time, format_time, later},
    token::{Lookup, Verifier},
};
use chrono::TimeDelta;
use serde::Serialize;
use std::{collections::BTreeMap, fmt, str::FromStr};

/// The least time that a secret works beyond its due date, where its end follows from its rhythm: a schedule that runs once a
/// day must find it alive.
const GRACE: TimeDelta = TimeDelta::days(1);

/// How long an old secret goes on working when neither the key nor the caller says.
pub const DEFAULT_OVERLAP: TimeDelta = TimeDelta::hours(24);

/// A key with all its facts; holds no secret, only verifiers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its stable id.
    pub id: KeyId,
    /// The workspace it belongs to.
    pub workspace: String,
    /// Its name, unique per workspace and environment.
    pub name: String,
    /// Free text.
    pub description: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Where it works.
    pub environment: Environment,
    /// The one project it reaches; every project of its workspace when `None`.
    pub project: Option<String>,
    /// The customers it is narrowed to; all when empty.
    pub customers: Vec<String>,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// How often it may be used.
    pub rate_limit: Option<RateLimit>,
    /// Where it may be used from.
    pub allow_ips: Allowlist,
    /// Free labels.
    pub labels: BTreeMap<String, String>,
    /// The reversible switch.
    pub active: bool,
    /// When access was cut off for good.
    pub revoked_at: Option<Time>,
    /// When it was made.
    pub created_at: Time,
    /// Who made it.
    pub created_by: String,
    /// When it ends.
    pub expires_at: Option<Time>,
    /// The lifetime it was made with, for a renewal.
    pub lifetime: Option<TimeDelta>,
    /// How its secret is to be rotated.
    pub rotation: RotationPolicy,
    /// What its holder may do with it; its workspace says where it does not.
    pub self_service: Option<SelfService>,
    /// The versions of its secret, oldest first.
    pub secrets: Vec<Secret>,
    /// The rotation that runs, or the last that ended.
    pub run: Option<Rotation>,
    /// Counts its stored states, for compare-and-swap; 0 before the first.
    pub version: u64,
}

/// How a key's secret is to be rotated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RotationPolicy {
    /// How often.
    pub every: Option<TimeDelta>,
    /// How long the old secret goes on working.
    pub overlap: Option<TimeDelta>,
    /// When the next rotation is due.
    pub due_at: Option<Time>,
    /// Whether a rotation starts the lifetime of a key that lives again; its workspace says where it does not.
    pub renew: Option<bool>,
}

/// One version of a key's secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// Its public id.
    pub lookup: Lookup,
    /// Its last characters.
    pub hint: String,
    /// What a presented token is compared with.
    pub verifier: Verifier,
    /// Where it stands.
    pub state: SecretState,
    /// When it was made, or imported.
    pub created_at: Time,
    /// It was issued elsewhere, and is known by its digest.
    pub imported: bool,
}

/// Where a version of a secret stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretState {
    /// Works already, and is not yet delivered.
    Staged,
    /// The one to use.
    Current {
        /// The first moment it no longer works, where the key is to be rotated before.
        until: Option<Time>,
    },
    /// Works until a time.
    Retiring {
        /// The first moment it no longer works.
        until: Time,
    },
    /// Never works again.
    Dead {
        /// When it stopped.
        since: Time,
    },
}

/// What a key is at a time; exactly one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// It works.
    Active,
    /// It is switched off.
    Inactive,
    /// Its time is over.
    Expired,
    /// It was cut off for good.
    Revoked,
}

/// What becomes of the old secret at a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// It stops at once.
    Now,
    /// It goes on working for so long, and never beyond the key's expiry.
    For(#[serde(with = "super::serde_text::seconds")] TimeDelta),
}

/// A step that a key's state does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Illegal {
    /// The key is revoked.
    #[error("the key was revoked at {}", format_time(*since))]
    Revoked {
        /// When.
        since: Time,
    },
    /// The key is to be reinstated, and is not revoked.
    #[error("the key is not revoked")]
    NotRevoked,
    /// The key has expired.
    #[error("the key expired at {}", format_time(*at))]
    Expired {
        /// When.
        at: Time,
    },
    /// An earlier rotation has not run out.
    #[error("an earlier rotation still runs{}", until.map(|until| format!(", until {}", format_time(until))).unwrap_or_default())]
    RotationRunning {
        /// When the older secret stops; `None` while one is staged.
        until: Option<Time>,
    },
    /// No rotation of the key runs.
    #[error("no rotation of this key is running")]
    NoRotation,
    /// A sink that may hold the secret was not named.
    #[error("another sink may hold the secret of the rotation that was interrupted")]
    OtherSinks,
    /// The rotation delivers to no such sink.
    #[error("the rotation has no such sink")]
    UnknownSink,
    /// Two deliveries are in doubt already.
    #[error("two deliveries of this rotation are in doubt, and a further secret would be one too many")]
    TwoInDoubt,
    /// Neither a receipt nor use shows that the secret arrived.
    #[error("nothing shows that the new secret has arrived: no receipt of every sink, and it was not seen in use")]
    Undelivered,
    /// The renewed lifetime ends beyond the year 9999.
    #[error("the renewed expiry would be beyond the year 9999")]
    BeyondCalendar,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Active, Self::Inactive, Self::Expired, Self::Revoked];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

impl FromStr for Status {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| "expected active, inactive, expired or revoked".to_owned())
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl SecretState {
    /// Whether a version in this state works at a time, the key's own state aside.
    #[must_use]
    pub fn works_at(self, now: Time) -> bool {
        match self {
            Self::Staged => true,
            Self::Current { until } => until.is_none_or(|until| now < until),
            Self::Retiring { until } => now < until,
            Self::Dead { .. } => false,
        }
    }
}

impl SecretState {
    /// What it was at an earlier time: what has stopped since had not.
    fn as_of(self, at: Time) -> Self {
        match self {
            Self::Dead { since } if at < since => Self::Current { until: None },
            other => other,
        }
    }
}

impl Secret {
    /// Whether this version works at a time, the key's own state aside.
    #[must_use]
    pub fn works_at(&self, now: Time) -> bool {
        self.state.works_at(now)
    }

    pub(super) fn kill(&mut self, now: Time) {
        self.state = match self.state {
            SecretState::Dead { since } => SecretState::Dead { since },
            SecretState::Retiring { until } | SecretState::Current { until: Some(until) } => {
                SecretState::Dead { since: until.min(now) }
            }
            SecretState::Staged | SecretState::Current { until: None } => SecretState::Dead { since: now },
        };
    }
}

impl Key {
    /// The status at a time: revoked before expired before inactive before active.
    #[must_use]
    pub fn status_at(&self, now: Time) -> Status {
        if self.revoked_at.is_some() {
            Status::Revoked
        } else if self.ends_at().is_some_and(|at| at <= now) {
            Status::Expired
        } else if self.active {
            Status::Active
        } else {
            Status::Inactive
        }
    }

    /// When the key ends: at its own end, or with its current secret unless that is rotated before.
    #[must_use]
    pub fn ends_at(&self) -> Option<Time> {
        match (self.expires_at, self.secret_ends_at()) {
            (Some(own), Some(secret)) => Some(own.min(secret)),
            (own, secret) => own.or(secret),
        }
    }

    /// When its current secret ends unless it is rotated before.
    #[must_use]
    pub fn secret_ends_at(&self) -> Option<Time> {
        self.secrets.iter().find_map(|secret| match secret.state {
            SecretState::Current { until } => until,
            _ => None,
        })
    }

    /// The end of a secret that is current from now on. A key that is to be rotated and has no end of its own lives as long
    /// as it is rotated: its secret works until the due date after the next one, and at least a day beyond that.
    pub(crate) fn end_of_new_secret(&self) -> Option<Time> {
        match (self.expires_at, self.rotation.every, self.rotation.due_at) {
            (None, Some(every), Some(due)) => later(due, every.max(GRACE)).ok(),
            _ => None,
        }
    }

    /// Gives the current secret the end that follows from the policy, after that has changed.
    pub(crate) fn end_current_secret(&mut self) {
        let end = self.end_of_new_secret();
        for secret in &mut self.secrets {
            if let SecretState::Current { until } = &mut secret.state {
                *until = end;
            }
        }
    }

    /// The key as it was at an earlier time, as far as its facts say when they came about: a revocation, and the end of a
    /// secret. Everything else stays, for it has no history. Only for questions about the past: whoever asks about now must
    /// not let a clock that was put back bring anything to life.
    #[must_use]
    pub fn as_of(mut self, at: Time) -> Self {
        self.revoked_at = self.revoked_at.filter(|since| *since <= at);
        for secret in &mut self.secrets {
            secret.state = secret.state.as_of(at);
        }
        self
    }

    /// Switches it on; says whether that changed anything.
    ///
    /// # Errors
    /// When it is revoked.
    pub fn activate(&mut self) -> Result<bool, Illegal> {
        self.switch(true)
    }

    /// Switches it off; says whether that changed anything.
    ///
    /// # Errors
    /// When it is revoked.
    pub fn deactivate(&mut self) -> Result<bool, Illegal> {
        self.switch(false)
    }

    /// Kills every version of its secret for good; says whether that changed anything.
    pub fn revoke(&mut self, now: Time) -> bool {
        if self.revoked_at.is_some() {
            return false;
        }
        self.revoked_at = Some(now);
        // A rotation that runs is over: a revocation must leave nothing that could be committed.
        self.abort_rotation(now).ok();
        self.secrets.iter_mut().for_each(|secret| secret.kill(now));
        true
    }

    /// Kills one version of its secret, and the key with the last one that works; says whether the key is revoked.
    pub fn revoke_secret(&mut self, lookup: &Lookup, now: Time) -> bool {
        let others = self.secrets.iter().any(|secret| secret.lookup != *lookup && secret.works_at(now));
        if !others {
            return self.revoke(now);
        }
        if self.running().is_some_and(|run| run.secret == *lookup) {
            // There is nothing left that could be delivered or committed.
            self.abort_rotation(now).ok();
        }
        let run = self.run.as_mut().filter(|run| run.in_doubt.as_ref() == Some(lookup));
        if let Some(run) = run {
            run.in_doubt = None;
        }
        self.secrets.iter_mut().filter(|secret| secret.lookup == *lookup).for_each(|secret| secret.kill(now));
        false
    }

    fn switch(&mut self, on: bool) -> Result<bool, Illegal> {
        if let Some(since) = self.revoked_at {
            return Err(Illegal::Revoked { since });
        }
        let changed = self.active != on;
        self.active = on;
        Ok(changed)
    }
}

#[cfg(test)]
#[path = "key_tests.rs"]
pub(crate) mod tests;
