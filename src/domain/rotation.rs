//! A rotation as a transaction of its own: staged, intended, delivered, committed, or aborted.
//!
//! ```text
//! IDLE --stage--> STAGED --intend--> DELIVERING --receive--> DELIVERED --commit--> IDLE
//!                   \--------------------- abort: the new secret dies --------------/
//! ```
//!
//! Every step is a function of the stored facts alone, so that whatever a killed process leaves behind decides how the
//! next one goes on. The secret itself is never kept: a delivery that may have arrived is *in doubt*, and its secret goes
//! on working until a later one has a receipt.

use super::{
    ids::random_base62,
    key::{DEFAULT_OVERLAP, Illegal, Key, Overlap, Secret, SecretState, Status},
    time::{LAST, Time, later},
    token::Lookup,
};
use chrono::TimeDelta;
use rand::CryptoRng;
use std::{fmt, str::FromStr};

const PREFIX: &str = "rot_";
const RANDOM_CHARS: usize = 16;

/// The id of a rotation: `rot_` and 16 base62 characters. It survives every interruption.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RotationId(String);

/// A rotation of one key, running or the last that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// Its id.
    pub id: RotationId,
    /// How far it got.
    pub phase: Phase,
    /// Who began it.
    pub actor: String,
    /// When it began.
    pub started_at: Time,
    /// When it ended.
    pub finished_at: Option<Time>,
    /// Whose turn it is. Correctness never rests on it.
    pub lease: Lease,
    /// What becomes of the old secret at the commit.
    pub overlap: Overlap,
    /// The commit starts the key's original lifetime again.
    pub renew: bool,
    /// The commit ends the revocation of the key.
    pub reinstate: bool,
    /// It waits for somebody's commit after its delivery.
    pub parked: bool,
    /// It was begun for the due date, however early.
    pub for_due: bool,
    /// The version of the secret that is being delivered.
    pub secret: Lookup,
    /// An earlier version that a sink may still hold.
    pub in_doubt: Option<Lookup>,
    /// Where the secret goes.
    pub deliveries: Vec<Delivery>,
    /// The caller's name for it: a repetition within a day means this rotation.
    pub idempotency_key: Option<String>,
    /// When the old secret would have ended without the rotation, known from the commit on: no overlap goes beyond that.
    pub old_ends_at: Option<Time>,
}

/// Until when the process that works on a rotation is left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Known to its holder alone.
    pub id: String,
    /// When it runs out by itself.
    pub until: Time,
    /// Its holder is behind a server: nobody can see whether it still lives, and time alone ends the lease.
    pub remote: bool,
}

/// How far a rotation got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The secret exists and was handed to nobody.
    Staged,
    /// A sink may hold the secret.
    Delivering,
    /// Every sink has acknowledged it.
    Delivered,
    /// The secret is the current one.
    Committed,
    /// The secret is dead, the old one untouched.
    Aborted,
}

/// One sink of a rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The sink, as the caller wrote it; never a value.
    pub sink: String,
    /// What is known of it.
    pub state: DeliveryState,
    /// Since when.
    pub at: Time,
}

/// What is known of a sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// Nothing was handed to it.
    Pending,
    /// It may hold the secret: in doubt until there is a receipt.
    Intended,
    /// It has acknowledged the secret.
    Delivered,
    /// It does not hold the secret.
    Failed,
}

/// What a new rotation is begun with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begin {
    /// Its id.
    pub id: RotationId,
    /// Who begins it.
    pub actor: String,
    /// Where the secret will go.
    pub sinks: Vec<String>,
    /// Whose turn it is.
    pub lease: Lease,
    /// What becomes of the old secret at the commit.
    pub overlap: Overlap,
    /// The commit starts the key's original lifetime again.
    pub renew: bool,
    /// The commit ends the revocation of the key.
    pub reinstate: bool,
    /// It waits for somebody's commit after its delivery.
    pub parked: bool,
    /// It was begun for the due date, however early.
    pub for_due: bool,
    /// The caller's name for it.
    pub idempotency_key: Option<String>,
    /// The sinks that were asked what they hold.
    pub asked: Vec<String>,
    /// The public ids of the secrets that those hold.
    pub held: Vec<String>,
}

/// What a commit did to the old secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// Until when it works; `None` when it stopped at once, or there was none.
    pub old_until: Option<Time>,
}

impl Lease {
    /// A lease of a holder to be.
    pub fn draw(rng: &mut impl CryptoRng, until: Time) -> Self {
        Self { id: random_base62(rng, RANDOM_CHARS), until, remote: false }
    }
}

impl RotationId {
    /// Draws a new id.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self(format!("{PREFIX}{}", random_base62(rng, RANDOM_CHARS)))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RotationId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let random = text.strip_prefix(PREFIX).unwrap_or_default();
        if random.len() == RANDOM_CHARS && random.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            Ok(Self(text.to_owned()))
        } else {
            Err("a rotation id is rot_ and 16 letters or digits".to_owned())
        }
    }
}

impl fmt::Display for RotationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Phase {
    /// All of them, in the order of a rotation's life.
    pub const ALL: [Self; 5] = [Self::Staged, Self::Delivering, Self::Delivered, Self::Committed, Self::Aborted];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Staged => "staged",
            Self::Delivering => "delivering",
            Self::Delivered => "delivered",
            Self::Committed => "committed",
            Self::Aborted => "aborted",
        }
    }
}

impl DeliveryState {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Intended => "in_doubt",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

impl Rotation {
    /// Whether a later step is still to come.
    #[must_use]
    pub fn is_running(&self) -> bool {
        matches!(self.phase, Phase::Staged | Phase::Delivering | Phase::Delivered)
    }

    /// The sinks that hold the secret, or may.
    #[must_use]
    pub fn may_hold(&self) -> Vec<&str> {
        let may = |delivery: &&Delivery| matches!(delivery.state, DeliveryState::Intended | DeliveryState::Delivered);
        self.deliveries.iter().filter(may).map(|delivery| delivery.sink.as_str()).collect()
    }

    fn deliver_to(&mut self, sinks: &[String], now: Time) {
        self.deliveries =
            sinks.iter().map(|sink| Delivery { sink: sink.clone(), state: DeliveryState::Pending, at: now }).collect();
    }

    fn mark(&mut self, sink: &str, state: DeliveryState, now: Time) -> Result<(), Illegal> {
        let delivery = self.deliveries.iter_mut().find(|delivery| delivery.sink == sink).ok_or(Illegal::UnknownSink)?;
        (delivery.state, delivery.at) = (state, now);
        let all = |wanted: &[DeliveryState]| self.deliveries.iter().all(|delivery| wanted.contains(&delivery.state));
        self.phase = if all(&[DeliveryState::Delivered]) {
            Phase::Delivered
        } else if all(&[DeliveryState::Pending, DeliveryState::Failed]) {
            Phase::Staged
        } else {
            Phase::Delivering
        };
        Ok(())
    }
}

impl Key {
    /// The rotation that still runs.
    #[must_use]
    pub fn running(&self) -> Option<&Rotation> {
        self.run.as_ref().filter(|run| run.is_running())
    }

    /// Whether its rotation is due: also of a key that has expired, which no schedule saves any more.
    #[must_use]
    pub fn is_overdue(&self, now: Time) -> bool {
        self.rotation.due_at.is_some_and(|due| due <= now) && self.status_at(now) != Status::Revoked
    }

    /// Begins a rotation: the new secret works from now on beside the old one.
    ///
    /// # Errors
    /// When the key is revoked and not to be reinstated; when it has expired and no renewal is asked for, and while an earlier rotation or overlap still runs, unless
    /// it is to be superseded: then what is older than the current secret ends at the commit, and not before the new one
    /// has arrived.
    pub fn stage(&mut self, new: Secret, begin: Begin, now: Time, supersede: bool) -> Result<(), Illegal> {
        match self.revoked_at {
            Some(since) if !begin.reinstate => return Err(Illegal::Revoked { since }),
            None if begin.reinstate => return Err(Illegal::NotRevoked),
            _ => {}
        }
        self.refuse_expired(begin.renew, now)?;
        if self.running().is_some() && !supersede {
            return Err(Illegal::RotationRunning { until: None });
        }
        let in_doubt = self.left_in_doubt(&begin)?;
        self.settle_overlap(now, supersede)?;
        let kept = in_doubt.clone();
        self.kill_where(now, |secret| secret.state == SecretState::Staged && Some(&secret.lookup) != kept.as_ref());
        let mut run = Rotation {
            id: begin.id,
            phase: Phase::Staged,
            actor: begin.actor,
            started_at: now,
            finished_at: None,
            lease: begin.lease,
            overlap: begin.overlap,
            renew: begin.renew,
            reinstate: begin.reinstate,
            parked: begin.parked,
            for_due: begin.for_due,
            secret: new.lookup.clone(),
            in_doubt,
            deliveries: Vec::new(),
            idempotency_key: begin.idempotency_key,
            old_ends_at: None,
        };
        run.deliver_to(&begin.sinks, now);
        self.secrets.push(new);
        self.run = Some(run);
        Ok(())
    }

    /// Which secret of a superseded rotation goes on working until the new one has arrived, because a sink may hold it.
    /// One at most, for a fourth working secret is never made: what a sink was seen to hold stands before what another
    /// may hold, and the newer before the older.
    fn left_in_doubt(&self, begin: &Begin) -> Result<Option<Lookup>, Illegal> {
        let Some(run) = self.running() else { return Ok(None) };
        let seen = |lookup: &&Lookup| begin.held.iter().any(|held| held == lookup.as_str());
        let unasked = || run.may_hold().iter().any(|sink| !begin.asked.iter().any(|asked| asked == sink));
        let newer = Some(&run.secret).filter(|secret| seen(secret) || unasked());
        let older = run.in_doubt.as_ref();
        let acknowledged = run
            .deliveries
            .iter()
            .any(|delivery| delivery.state == DeliveryState::Delivered && !begin.asked.contains(&delivery.sink));
        match (newer, older.filter(seen)) {
            (Some(newer), Some(_)) if seen(&newer) || acknowledged => Err(Illegal::TwoInDoubt),
            (_, Some(held)) => Ok(Some(held.clone())),
            (Some(newer), None) => Ok(Some(newer.clone())),
            (None, None) => Ok(older.cloned()),
        }
    }

    fn refuse_expired(&self, renew: bool, now: Time) -> Result<(), Illegal> {
        match self.ends_at().filter(|at| *at <= now && !renew) {
            Some(at) => Err(Illegal::Expired { at }),
            None => Ok(()),
        }
    }

    /// Mints again under the same rotation, after an interruption. A secret that no sink holds dies; one that a sink may
    /// hold goes on working until this one has its receipts.
    ///
    /// # Errors
    /// When a sink that may hold the earlier secret is not among `sinks`, and when two deliveries would be in doubt: a
    /// fourth working secret is never made. The older of the two may end once it was in doubt for as long as an old
    /// secret would overlap.
    pub fn restage(&mut self, new: Secret, sinks: &[String], lease: Lease, now: Time) -> Result<(), Illegal> {
        let renews = self.running().is_some_and(|run| run.renew);
        self.refuse_expired(renews, now)?;
        let Some(run) = self.run.as_mut().filter(|run| run.is_running()) else { return Err(Illegal::NoRotation) };
        let held = run.may_hold();
        if held.iter().any(|held| !sinks.iter().any(|sink| sink == held)) {
            return Err(Illegal::OtherSinks);
        }
        if !held.is_empty() {
            let patience = match run.overlap {
                Overlap::Now => DEFAULT_OVERLAP,
                Overlap::For(overlap) => overlap.max(DEFAULT_OVERLAP),
            };
            let older = self.secrets.iter().find(|secret| Some(&secret.lookup) == run.in_doubt.as_ref());
            if older.is_some_and(|older| now - older.created_at < patience) {
                return Err(Illegal::TwoInDoubt);
            }
            run.in_doubt = Some(run.secret.clone());
        }
        run.secret = new.lookup.clone();
        run.phase = Phase::Staged;
        run.lease = lease;
        run.deliver_to(sinks, now);
        let kept = run.in_doubt.clone();
        self.kill_where(now, |secret| secret.state == SecretState::Staged && Some(&secret.lookup) != kept.as_ref());
        self.secrets.push(new);
        Ok(())
    }

    /// What a caller who goes on with a rotation asks for in another way than whoever began it; says whether that changed it.
    /// Nothing that was asked for is passed over in silence.
    ///
    /// # Errors
    /// When no rotation runs, and for a renewal that it was not begun with.
    pub fn amend_rotation(&mut self, overlap: Option<Overlap>, park: bool, renew: bool) -> Result<bool, Illegal> {
        let run = self.running_mut()?;
        if renew && !run.renew {
            return Err(Illegal::RotationRunning { until: None });
        }
        let (overlap, parked) = (overlap.unwrap_or(run.overlap), run.parked || park);
        let changed = (overlap, parked) != (run.overlap, run.parked);
        (run.overlap, run.parked) = (overlap, parked);
        Ok(changed)
    }

    /// Takes the turn in a rotation that was interrupted, before its sinks are asked what they hold.
    ///
    /// # Errors
    /// When no rotation runs.
    pub fn claim(&mut self, lease: Lease) -> Result<(), Illegal> {
        self.running_mut()?.lease = lease;
        Ok(())
    }

    /// Records that the secret is about to be handed to a sink.
    ///
    /// # Errors
    /// When no rotation runs, or it has no such sink.
    pub fn intend(&mut self, sink: &str, now: Time) -> Result<(), Illegal> {
        self.running_mut()?.mark(sink, DeliveryState::Intended, now)
    }

    /// Records a sink's receipt. With the last one, the delivery that was in doubt is over and its secret dies.
    ///
    /// # Errors
    /// See [`Key::intend`].
    pub fn receive(&mut self, sink: &str, now: Time) -> Result<(), Illegal> {
        let run = self.running_mut()?;
        run.mark(sink, DeliveryState::Delivered, now)?;
        if run.phase == Phase::Delivered {
            self.end_doubt(now);
        }
        Ok(())
    }

    /// Records that a sink does not hold the secret.
    ///
    /// # Errors
    /// See [`Key::intend`].
    pub fn fail_delivery(&mut self, sink: &str, now: Time) -> Result<(), Illegal> {
        self.running_mut()?.mark(sink, DeliveryState::Failed, now)
    }

    /// Ends the caller's turn: it will hand the secret to nobody else, and the next run need not wait for its lease.
    ///
    /// # Errors
    /// When no rotation runs.
    pub fn end_turn(&mut self, now: Time) -> Result<(), Illegal> {
        let lease = &mut self.running_mut()?.lease;
        lease.until = lease.until.min(now);
        Ok(())
    }

    /// Makes the staged secret the current one. `proven` says that it was seen in use, or that the caller insists.
    ///
    /// # Errors
    /// When no rotation runs, and when the secret has neither its receipts nor proof.
    pub fn commit_rotation(&mut self, now: Time, proven: bool) -> Result<Committed, Illegal> {
        let run = self.running_mut()?;
        if run.phase != Phase::Delivered && !proven {
            return Err(Illegal::Undelivered);
        }
        let (overlap, renew, for_due, staged) = (run.overlap, run.renew, run.for_due, run.secret.clone());
        let reinstates = run.reinstate;
        if let Some(since) = self.revoked_at.filter(|_| !reinstates) {
            return Err(Illegal::Revoked { since });
        }
        let run = self.running_mut()?;
        (run.phase, run.finished_at) = (Phase::Committed, Some(now));
        let was_over = self.revoked_at.is_some() || self.ends_at().is_some_and(|at| at <= now);
        let renewed = match (renew, self.lifetime) {
            (true, Some(lifetime)) => Some(later(now, lifetime).map_err(|_| Illegal::BeyondCalendar)?),
            _ => self.expires_at,
        };
        self.end_doubt(now);
        // An overlap that was superseded was promised until the new secret has arrived, and ends here.
        self.kill_where(now, |secret| matches!(secret.state, SecretState::Retiring { .. }));
        // An expired key's secret had stopped: renewing the key must not bring the old secret back to life.
        let old_ends_at = self.ends_at();
        let old_until = self.retire_current(if was_over { Overlap::Now } else { overlap }, now);
        if let Some(run) = &mut self.run {
            run.old_ends_at = old_ends_at;
        }
        self.expires_at = renewed;
        self.revoked_at = None;
        self.advance_due(now, for_due);
        let until = self.end_of_new_secret();
        for secret in self.secrets.iter_mut().filter(|secret| secret.lookup == staged) {
            if secret.state == SecretState::Staged {
                secret.state = SecretState::Current { until };
            }
        }
        Ok(Committed { old_until })
    }

    /// Ends a rotation without its secret: that dies, and the old one is untouched.
    ///
    /// # Errors
    /// When no rotation runs.
    pub fn abort_rotation(&mut self, now: Time) -> Result<(), Illegal> {
        let run = self.running_mut()?;
        (run.phase, run.finished_at, run.in_doubt) = (Phase::Aborted, Some(now), None);
        self.kill_where(now, |secret| secret.state == SecretState::Staged);
        Ok(())
    }

    fn running_mut(&mut self) -> Result<&mut Rotation, Illegal> {
        self.run.as_mut().filter(|run| run.is_running()).ok_or(Illegal::NoRotation)
    }

    fn end_doubt(&mut self, now: Time) {
        let Some(lookup) = self.run.as_mut().and_then(|run| run.in_doubt.take()) else { return };
        self.kill_where(now, |secret| secret.lookup == lookup);
    }

    fn kill_where(&mut self, now: Time, which: impl Fn(&Secret) -> bool) {
        self.secrets.iter_mut().filter(|secret| which(secret)).for_each(|secret| secret.kill(now));
    }

    /// An overlap that has run out is written down; one that still runs refuses another rotation that does not supersede it.
    fn settle_overlap(&mut self, now: Time, supersede: bool) -> Result<(), Illegal> {
        for secret in &mut self.secrets {
            match secret.state {
                SecretState::Retiring { until } if until <= now => secret.kill(now),
                SecretState::Retiring { until } if !supersede => {
                    return Err(Illegal::RotationRunning { until: Some(until) });
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn retire_current(&mut self, overlap: Overlap, now: Time) -> Option<Time> {
        let until = match overlap {
            Overlap::Now => now,
            // Beyond the calendar means beyond the expiry too, or for ever: the furthest time that can be written.
            Overlap::For(duration) => later(now, duration).unwrap_or(LAST),
        };
        let until = self.expires_at.map_or(until, |at| until.min(at));
        let mut old_until = None;
        for secret in &mut self.secrets {
            let SecretState::Current { until: own } = secret.state else { continue };
            let until = own.map_or(until, |own| own.min(until));
            if until > now {
                secret.state = SecretState::Retiring { until };
                old_until = Some(until);
            } else {
                secret.kill(now);
            }
        }
        old_until
    }

    /// Due dates are anchored to the previous due date, so that neither late nor early runs make them drift. A rotation
    /// that was begun for the date, or in the second half of its period, counts for it; an earlier one leaves it as it is.
    fn advance_due(&mut self, now: Time, for_due: bool) {
        let (Some(every), Some(due)) = (self.rotation.every, self.rotation.due_at) else { return };
        let period = every.num_seconds().max(1);
        let early = (due - now).num_seconds();
        let periods = match early {
            early if early <= 0 => -early / period + 1,
            early if for_due || early <= period / 2 => 1,
            _ => 0,
        };
        let step = TimeDelta::try_seconds(periods.saturating_mul(period));
        self.rotation.due_at = Some(step.and_then(|step| later(due, step).ok()).unwrap_or(LAST));
    }
}

#[cfg(test)]
#[path = "rotation_tests.rs"]
pub(super) mod tests;
