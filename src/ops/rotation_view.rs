//! A rotation as every door shows it, and the errors of steps that its state does not allow.

use super::error::{Error, Kind, Result};
use crate::domain::{
    Illegal, Key, KeyRef, Lookup, Overlap, Rotation, RotationId, SecretState, Time, key::Secret, time::format_time,
};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A rotation's public facts; never a secret. The order of the fields is the order in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = Rotation))]
pub struct RotationView {
    /// Its id.
    pub id: String,
    /// The key whose secret is rotated.
    pub key_id: String,
    /// The name of that key.
    pub key_name: String,
    /// The environment of that key.
    #[cfg_attr(test, schema(value_type = crate::domain::Environment))]
    pub environment: String,
    /// Where it stands: `staged`, `delivering`, `delivered`, `committed` or `aborted`.
    pub state: Cow<'static, str>,
    /// Whether it has not ended.
    pub running: bool,
    /// Whether it waits for a decision: `rotation commit` or `rotation abort`.
    pub parked: bool,
    /// Who began it, as the trail names them.
    pub actor: String,
    /// When it began.
    pub started_at: String,
    /// When it ended.
    pub finished_at: Option<String>,
    /// Until when it belongs to the process that is at it.
    pub lease_until: Option<String>,
    /// Zero: the old secret stops at the commit.
    pub overlap_seconds: i64,
    /// Whether it starts the lifetime of the key again.
    pub renew: bool,
    /// It brings a revoked key back.
    #[serde(default)]
    pub reinstate: bool,
    /// The new version of the secret.
    pub secret: VersionView,
    /// An earlier version that may have arrived somewhere, and works until this is over.
    pub in_doubt: Option<VersionView>,
    /// What is known of each place that the secret goes to.
    pub deliveries: Vec<DeliveryView>,
}

/// A version of the secret, by its public look-up id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = SecretOfRotation))]
pub struct VersionView {
    /// The public part of the secret.
    pub lookup: String,
    /// The last characters of the secret.
    pub hint: String,
    /// `staged`, `current`, `retiring` or `dead`.
    pub state: Cow<'static, str>,
}

/// What is known of a sink.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = Delivery))]
pub struct DeliveryView {
    /// Where the secret goes.
    pub sink: String,
    /// How far it is, `pending`, `in_doubt`, `delivered` or `failed`.
    pub state: Cow<'static, str>,
    /// Since when.
    pub at: String,
}

impl RotationView {
    /// The running or last rotation of a key; `None` when it never had one.
    #[must_use]
    pub fn of(key: &Key, now: Time) -> Option<Self> {
        key.run.as_ref().map(|run| Self::new(key, run, now))
    }

    /// Its id, and the version of the secret that its steps are about.
    ///
    /// # Errors
    /// `Internal` when the view is not one of a rotation.
    pub fn ids(&self) -> Result<(RotationId, Lookup)> {
        let ids = self.id.parse().ok().zip(self.secret.lookup.parse().ok());
        ids.ok_or_else(|| Error::new(Kind::Internal, "rotation", "a rotation without ids"))
    }

    /// The key it belongs to.
    ///
    /// # Errors
    /// `Internal` when the view is not one of a rotation.
    pub fn key(&self) -> Result<KeyRef> {
        let id = self.key_id.parse().map(KeyRef::Id);
        id.map_err(|_| Error::new(Kind::Internal, "rotation", "a rotation without key"))
    }

    /// Whether a sink holds the new secret, or may.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.in_doubt.is_some() || self.deliveries.iter().any(|one| matches!(&*one.state, "in_doubt" | "delivered"))
    }

    /// The new secret, as a person would call it.
    #[must_use]
    pub fn secret_in_words(&self) -> String {
        format!("the new secret of {} (…{})", self.key_name, self.secret.hint)
    }

    fn new(key: &Key, run: &Rotation, now: Time) -> Self {
        let version = |lookup| key.secrets.iter().find(|secret| &secret.lookup == lookup).map(|s| version(s, now));
        let gone = || VersionView { lookup: run.secret.to_string(), hint: String::new(), state: "dead".into() };
        Self {
            id: run.id.to_string(),
            key_id: key.id.to_string(),
            key_name: key.name.clone(),
            environment: key.environment.to_string(),
            state: run.phase.as_str().into(),
            running: run.is_running(),
            parked: run.parked,
            actor: run.actor.clone(),
            started_at: format_time(run.started_at),
            finished_at: run.finished_at.map(format_time),
            lease_until: run.is_running().then(|| format_time(run.lease.until)),
            overlap_seconds: match run.overlap {
                Overlap::Now => 0,
                Overlap::For(overlap) => overlap.num_seconds(),
            },
            renew: run.renew,
            reinstate: run.reinstate,
            secret: version(&run.secret).unwrap_or_else(gone),
            in_doubt: run.in_doubt.as_ref().and_then(version),
            deliveries: run
                .deliveries
                .iter()
                .map(|delivery| DeliveryView {
                    sink: delivery.sink.clone(),
                    state: delivery.state.as_str().into(),
                    at: format_time(delivery.at),
                })
                .collect(),
        }
    }
}

fn version(secret: &Secret, now: Time) -> VersionView {
    let state = match secret.state {
        SecretState::Staged => "staged",
        SecretState::Current { .. } => "current",
        SecretState::Retiring { until } if until > now => "retiring",
        SecretState::Retiring { .. } | SecretState::Dead { .. } => "dead",
    };
    VersionView { lookup: secret.lookup.to_string(), hint: secret.hint.clone(), state: state.into() }
}

/// The sink of a rotation whose secret is printed.
pub const STDOUT: &str = "stdout";

/// The error of a step the key's state does not allow, with the command that helps.
pub(super) fn refused(illegal: Illegal, key: &Key) -> Error {
    let id = &key.id;
    let run = key.running().map(|run| run.id.to_string()).unwrap_or_default();
    let error = Error::conflict("illegal_state", format!("{id}: {illegal}"));
    match illegal {
        Illegal::Expired { .. } => error.hint(format!("keyward rotate {id} --renew")),
        Illegal::RotationRunning { until: None } => error
            .hint(format!("keyward rotation commit {run}  (make the staged secret the current one)"))
            .hint(format!("keyward rotation abort {run}  (keep the old secret)"))
            .hint(format!(
                "keyward rotate {id} --supersede  (start again; the oldest secret ends once the new one has arrived)"
            )),
        Illegal::RotationRunning { .. } => error
            .hint(format!("keyward rotate {id} --supersede  (the oldest secret ends once the new one has arrived)"))
            .hint(format!("keyward rotate {id} --now  (all older secrets end once the new one has arrived)")),
        Illegal::Revoked { .. } => {
            error.hint(format!("keyward rotate {id} --reinstate --reason WHY  (an administrator's word: a new secret, the old ones stay dead)"))
        }
        Illegal::OtherSinks => {
            let held: Vec<&str> = key.running().map(Rotation::may_hold).unwrap_or_default();
            error
                .cause(format!("delivered there, or in doubt: {}", held.join(", ")))
                .hint(format!("keyward rotation resume {run} --deliver SINK  (with the same sinks)"))
                .hint(format!("keyward rotate {id} --supersede  (start again; the oldest secret ends once the new one has arrived)"))
        }
        Illegal::TwoInDoubt => Error { kind: Kind::Undelivered, reason: "two_in_doubt".into(), ..error }
            .cause("the older of them may end a day after it was minted; then the next run goes on")
            .hint(format!("keyward rotation show {run}"))
            .hint(format!("keyward rotation commit {run} --force  (if the last delivery has arrived)"))
            .hint(format!("keyward rotate {id} --supersede  (the oldest of them ends)")),
        Illegal::Undelivered => {
            let to_sinks = key.running().is_some_and(|run| run.deliveries.iter().any(|one| one.sink != STDOUT));
            let resume = match to_sinks {
                true => format!("keyward rotation resume {run} --deliver SINK  (deliver a fresh secret to the same sinks)"),
                false => format!("keyward rotation resume {run}  (print a fresh secret)"),
            };
            error.hint(resume).hint(format!("keyward rotation commit {run} --force  (if it has arrived all the same)"))
        }
        Illegal::NoRotation => error.hint(format!("keyward rotate {id}")),
        Illegal::NotRevoked => error.hint(format!("keyward rotate {id}")),
        Illegal::UnknownSink | Illegal::BeyondCalendar => error,
    }
}
