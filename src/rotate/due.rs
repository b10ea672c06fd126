//! A run over every key whose rotation is due: bounded, the longest due first, one key's failure none of the others'.

use super::{Delivered, Driver, Failure, Observer};
use crate::{
    domain::{Environment, KeyFilter, Overlap, Sort, SortField},
    ops::{Error, KeyView, Kind, List, OverlapWait, Prolong, Result, Stage, WaitOutcome},
};
use chrono::TimeDelta;

/// Which keys a run rotates, and how.
#[derive(Debug, Clone, Default)]
pub struct Due {
    /// Also those that will be due within this time.
    pub within: TimeDelta,
    /// Only those of this environment.
    pub environment: Option<Environment>,
    /// At most so many.
    pub max: Option<usize>,
    /// How long the old secret goes on working, whatever the target says.
    pub overlap: Option<Overlap>,
    /// Whether each rotation waits for somebody's commit.
    pub park: bool,
    /// Whether the lifetime of every key that is rotated starts again, of those that have expired too.
    pub renew: bool,
    /// The ends of overlaps that wait until nobody uses the old secret.
    pub ends: Option<Prolong>,
}

/// What came of one key.
pub enum Outcome {
    /// It has its new secret.
    Rotated(Delivered),
    /// Its new secret was delivered and waits for a commit.
    Staged(Delivered),
    /// It would have been rotated.
    WouldRotate(Delivered),
    /// Nothing was changed; why.
    Failed(Failure),
    /// A sink may hold a secret that is not the current one.
    Undelivered(Failure),
    /// No rule of the deliver map matches it.
    Unmatched,
    /// It has expired: only a renewal saves it; since when.
    Expired(Option<String>),
    /// There is nothing to do now.
    Skipped(Skipped),
    /// Its turn did not come.
    Left(Left),
    /// The end of its overlap was looked at.
    Overlap(OverlapWait),
}

/// Why there was nothing to do for a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Skipped {
    /// Somebody else has rotated it since the run began.
    Rotated,
    /// Its secret was staged, and waits for a commit.
    Parked,
    /// An overlap still runs.
    Overlap,
    /// Another process has its turn, as it says.
    Busy(String),
    /// It is as it was before.
    Unchanged,
}

/// Why a key's turn did not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// The run was over.
    Over,
    /// As many as it was to rotate were begun.
    Enough,
}

/// How many keys there were of each outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Those that were due.
    pub due: usize,
    /// Those whose rotation was tried.
    pub begun: usize,
    /// Those that have their new secret, or would have.
    pub rotated: usize,
    /// Those whose new secret waits for a commit.
    pub staged: usize,
    /// Those of which nothing was changed.
    pub failed: usize,
    /// Those of which a sink may hold a secret that is not the current one.
    pub undelivered: usize,
    /// Those that no rule matches.
    pub unmatched: usize,
    /// Those that have expired.
    pub expired: usize,
    /// Those for which there was nothing to do.
    pub skipped: usize,
    /// Those whose turn did not come.
    pub left: usize,
    /// Of these, those that were left because the run was over.
    pub late: usize,
    /// The old secrets that work on.
    pub waiting: usize,
    /// The old secrets that end although they are in use.
    pub given_up: usize,
    /// The old secrets that have ended because they are idle.
    pub ended: usize,
}

impl Counts {
    /// Of so many keys that are due.
    #[must_use]
    pub fn of(due: usize) -> Self {
        Self { due, ..Self::default() }
    }

    /// Counts an outcome.
    pub fn count(&mut self, outcome: &Outcome) {
        let (counter, begun) = match outcome {
            Outcome::Rotated(_) | Outcome::WouldRotate(_) => (&mut self.rotated, 1),
            Outcome::Staged(_) => (&mut self.staged, 1),
            Outcome::Failed(_) => (&mut self.failed, 1),
            Outcome::Undelivered(_) => (&mut self.undelivered, 1),
            Outcome::Unmatched => (&mut self.unmatched, 0),
            Outcome::Expired(_) => (&mut self.expired, 0),
            Outcome::Skipped(_) => (&mut self.skipped, 0),
            Outcome::Left(_) => (&mut self.left, 0),
            Outcome::Overlap(wait) => match wait.outcome {
                WaitOutcome::Waiting => (&mut self.waiting, 0),
                WaitOutcome::GivenUp => (&mut self.given_up, 0),
                WaitOutcome::Ended => (&mut self.ended, 0),
            },
        };
        *counter += 1;
        self.begun += begun;
        self.late += usize::from(matches!(outcome, Outcome::Left(Left::Over)));
    }
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Self {
        match failure.of_keystore() {
            Some(Error { kind: Kind::Busy, reason, message, causes, .. }) if reason == "lease" => {
                let until = causes.iter().map(|cause| format!(": {cause}")).collect::<String>();
                Self::Skipped(Skipped::Busy(format!("{message}{until}")))
            }
            _ if failure.kind() == Kind::Undelivered => Self::Undelivered(failure),
            _ => Self::Failed(failure),
        }
    }
}

/// A refusal that is about who asks, and not about the key: every other key would be refused alike.
fn of_the_caller(outcome: &Outcome) -> Option<Error> {
    match outcome {
        Outcome::Failed(Failure::Refused(error)) if matches!(&*error.reason, "role" | "support_slot") => {
            Some(error.clone())
        }
        _ => None,
    }
}

impl Driver<'_> {
    /// Rotates what is due. The observer is told what came of each key.
    ///
    /// # Errors
    /// Those of the keystore before the first key, `Usage` when two keys would be delivered to one destination, and what
    /// the observer says. A key's own failure is its outcome.
    pub fn run_due(&self, due: &Due, observer: &mut dyn Observer) -> Result<Counts> {
        // The ends of overlaps come first: none of them is to come while the run is at work.
        let ends = due.ends.clone().map(|ends| self.backend.change(self.cx, ends)).transpose()?;
        let keys = self.due(due)?;
        self.targets.refuse_shared(&keys)?;
        let mut counts = Counts::of(keys.len());
        for end in ends.into_iter().flatten() {
            let key = end.key.clone();
            let outcome = Outcome::Overlap(end);
            observer.ended(&key, &outcome)?;
            counts.count(&outcome);
        }
        for key in &keys {
            let outcome = self.turn(due, key, counts.begun, observer);
            if counts.begun == 0
                && let Some(refused) = of_the_caller(&outcome)
            {
                return Err(refused);
            }
            observer.ended(key, &outcome)?;
            counts.count(&outcome);
        }
        Ok(counts)
    }

    /// The keys that are due, the longest due first; interrupted rotations before all. Those that have expired are among
    /// them.
    fn due(&self, due: &Due) -> Result<Vec<KeyView>> {
        let sort = Sort { field: SortField::Due, descending: false };
        let (due_within, environment) = (Some(due.within), due.environment);
        let filter = KeyFilter { due_within, environment, sort, ..KeyFilter::default() };
        let mut keys = self.backend.list(self.cx, &List { filter })?.items;
        keys.sort_by_key(|key| key.rotation.id.is_none());
        Ok(keys)
    }

    fn turn(&self, due: &Due, key: &KeyView, begun: usize, observer: &mut dyn Observer) -> Outcome {
        // A rotation that was begun goes on.
        if key.status == "expired" && !due.renew && key.rotation.id.is_none() {
            return Outcome::Expired(key.expires_at.clone().or_else(|| key.rotation.ends_at.clone()));
        }
        if self.bounds.are_reached() {
            return Outcome::Left(Left::Over);
        }
        if due.max.is_some_and(|max| begun >= max) {
            return Outcome::Left(Left::Enough);
        }
        if key.rotation.parked {
            return Outcome::Skipped(Skipped::Parked);
        }
        if key.rotation.state == "overlap" {
            return Outcome::Skipped(Skipped::Overlap);
        }
        match self.rotate_due(due, key, observer) {
            Ok(Some(delivered)) => match &delivered.rotation {
                _ if !delivered.acted => Outcome::Skipped(Skipped::Rotated),
                _ if self.cx.dry_run => Outcome::WouldRotate(delivered),
                Some(rotation) if rotation.running => Outcome::Staged(delivered),
                _ => Outcome::Rotated(delivered),
            },
            Ok(None) => Outcome::Unmatched,
            Err(failure) => failure.into(),
        }
    }

    fn rotate_due(
        &self,
        due: &Due,
        key: &KeyView,
        observer: &mut dyn Observer,
    ) -> std::result::Result<Option<Delivered>, Failure> {
        let Some(target) = self.targets.for_key(key)? else { return Ok(None) };
        let id = key.id.parse().map_err(|why| Error::new(Kind::Internal, "key", format!("{why}")))?;
        let (overlap, park, renew, due_within) = (due.overlap, due.park, due.renew, Some(due.within));
        let request = target.request(Stage { overlap, park, renew, due_within, ..Stage::of(id) });
        observer.begins(key)?;
        self.rotate(&target, request, observer).map(Some)
    }
}
