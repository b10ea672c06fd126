//! What came of one key of a run, and of all.

use crate::{
    cli::{context::Ctx, delivery::Delivered, exit::Exit},
    domain::KeyRef,
    ops::{Error, KeyView, OverlapWait, Result, RotationRef, ShowRotation, WaitOutcome},
};
use serde_json::{Value, json};

/// What came of one key.
pub(super) enum Outcome {
    /// It has its new secret.
    Rotated(Delivered),
    /// Its new secret was delivered and waits for a commit.
    Staged(Delivered),
    /// It would have been rotated.
    WouldRotate(Delivered),
    /// Nothing was changed; why.
    Failed(Error),
    /// A sink may hold a secret that is not the current one.
    Undelivered(Error),
    /// No rule of the deliver map matches it.
    Unmatched,
    /// It has expired: only a renewal saves it; since when.
    Expired(Option<String>),
    /// There is nothing to do now; why.
    Skipped(String),
    /// Its turn did not come; why.
    Left(&'static str),
    /// The end of its overlap was looked at.
    Overlap(OverlapWait),
}

impl Outcome {
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Rotated(_) => "rotated",
            Self::Staged(_) => "staged",
            Self::WouldRotate(_) => "would_rotate",
            Self::Failed(_) => "failed",
            Self::Undelivered(_) => "undelivered",
            Self::Unmatched => "unmatched",
            Self::Expired(_) => "expired",
            Self::Skipped(_) => "skipped",
            Self::Left(_) => "left",
            Self::Overlap(wait) => match wait.outcome {
                WaitOutcome::Waiting => "waiting",
                WaitOutcome::GivenUp => "given_up",
                WaitOutcome::Ended => "ended",
            },
        }
    }

    /// What went wrong, as an error of its own.
    pub(super) fn error(&self) -> Option<Error> {
        match self {
            Self::Failed(error) | Self::Undelivered(error) => Some(error.clone()),
            Self::Unmatched => self.why().map(Error::usage),
            Self::Overlap(wait) if wait.outcome == WaitOutcome::GivenUp => {
                let hint = format!("keyward usage {}  (who uses which secret)", wait.key.id);
                self.why().map(|why| Error::conflict("still_used", why).hint(hint))
            }
            _ => None,
        }
    }

    /// Why, in a sentence; for a person.
    fn why(&self) -> Option<String> {
        match self {
            Self::Rotated(_) | Self::Staged(_) | Self::WouldRotate(_) => None,
            Self::Failed(error) | Self::Undelivered(error) => {
                Some(error.causes.first().map_or(error.message.clone(), |cause| format!("{}: {cause}", error.message)))
            }
            Self::Unmatched => Some("no rule of the deliver map matches it".to_owned()),
            Self::Expired(since) => {
                let since = since.as_ref().map(|since| format!(" {since}")).unwrap_or_default();
                Some(format!("it expired{since}, and no schedule saves it any more: a renewal does"))
            }
            Self::Skipped(why) => Some(why.clone()),
            Self::Left(why) => Some((*why).to_owned()),
            Self::Overlap(wait) => Some(waits(wait)),
        }
    }
}

/// For whom an old secret works on, and until when.
fn waits(wait: &OverlapWait) -> String {
    let (until, seen) = (wait.old_valid_until.as_deref().unwrap_or("now"), wait.last_used_at.as_deref());
    let whom = match (&wait.waits_for, seen) {
        (Some(whom), Some(seen)) => format!("{whom} used it at {seen}"),
        _ => "nobody was seen to use it".to_owned(),
    };
    match (wait.outcome, wait.last) {
        (WaitOutcome::Waiting, false) => format!("the old secret works until {until}: {whom}"),
        (WaitOutcome::Waiting, true) => format!("the old secret works until {until} and no longer: {whom}"),
        (WaitOutcome::GivenUp, _) => format!("the old secret ends {until} although it is in use: {whom}"),
        (WaitOutcome::Ended, _) => "the old secret was idle, and has ended".to_owned(),
    }
}

/// The results of a run.
pub(super) struct Outcomes {
    pub(super) due: usize,
    pub(super) begun: usize,
    pub(super) rotated: usize,
    pub(super) staged: usize,
    pub(super) failed: usize,
    pub(super) undelivered: usize,
    pub(super) unmatched: usize,
    pub(super) expired: usize,
    pub(super) skipped: usize,
    pub(super) left: usize,
    /// How many old secrets work on, end although they are in use, and have ended because they are idle.
    pub(super) waiting: usize,
    pub(super) given_up: usize,
    pub(super) ended: usize,
    /// How many were left because the time was over.
    pub(super) late: usize,
    pub(super) results: Vec<Value>,
}

impl Outcomes {
    pub(super) fn new(due: usize) -> Self {
        Self {
            due,
            begun: 0,
            rotated: 0,
            staged: 0,
            failed: 0,
            undelivered: 0,
            unmatched: 0,
            expired: 0,
            skipped: 0,
            left: 0,
            waiting: 0,
            given_up: 0,
            ended: 0,
            late: 0,
            results: Vec::with_capacity(due),
        }
    }

    pub(super) fn count(&mut self, outcome: &Outcome, over: bool) {
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
        self.late += usize::from(over);
    }

    pub(super) fn summary(&self, code: u8, dry_run: bool) -> Value {
        json!({
            "schema": "keyward.rotation-run/v1", "due": self.due, "rotated": self.rotated, "staged": self.staged,
            "failed": self.failed, "undelivered": self.undelivered, "unmatched": self.unmatched, "expired": self.expired,
            "skipped": self.skipped, "left": self.left, "waiting": self.waiting, "given_up": self.given_up, "ended": self.ended,
             "dry_run": dry_run, "exit": code,
        })
    }
}

/// The result as JSON.
pub(super) fn of(cx: &mut Ctx, key: &KeyView, outcome: &Outcome) -> Value {
    let delivered = match outcome {
        Outcome::Rotated(delivered) | Outcome::Staged(delivered) | Outcome::WouldRotate(delivered) => Some(delivered),
        _ => None,
    };
    let error = match outcome {
        Outcome::Failed(error) | Outcome::Undelivered(error) => Some(json!({
            "code": error.kind.name(), "reason": error.reason, "message": error.message, "causes": error.causes,
            "hints": error.hints, "exit": Exit::from(error.kind).code(),
        })),
        _ => None,
    };
    // What was begun has an id by which it is resumed.
    let begun = match outcome {
        Outcome::Undelivered(_) => {
            let of = key.id.parse().map(|id| RotationRef::Of(KeyRef::Id(id))).ok();
            let show = of.map(|rotation| ShowRotation { rotation, environment: None });
            show.map(|show| cx.backend()?.ask(&cx.operation(), &show)).and_then(Result::ok)
        }
        _ => None,
    };
    let rotation = delivered.and_then(|delivered| delivered.rotation.as_ref()).or(begun.as_ref());
    let sinks: Option<Vec<&str>> =
        rotation.map(|rotation| rotation.deliveries.iter().map(|delivery| delivery.sink.as_str()).collect());
    let wait = match outcome {
        Outcome::Overlap(wait) => Some(wait),
        _ => None,
    };
    // One that was typed and is not there has a name alone.
    let known = |text: &'_ str| (!text.is_empty()).then(|| text.to_owned());
    let overlapping = |key: &KeyView| {
        let old = key.secrets.iter().rev().find(|secret| secret.state == "retiring");
        old.and_then(|secret| secret.valid_until.clone())
    };
    json!({
        "schema": "keyward.rotation-result/v1", "key_id": known(&key.id), "name": key.name,
        "environment": known(&key.environment),
        "outcome": outcome.word(), "why": outcome.why(), "resumed": delivered.is_some_and(|one| one.resumed),
        "rotation": rotation.map(|rotation| rotation.id.as_str()).or(wait.map(|wait| wait.rotation.as_str())).or(key.rotation.id.as_deref()),
        "sinks": sinks,
        "due_at": key.rotation.due_at, "next_due_at": delivered.map(|delivered| &delivered.key.rotation.due_at),
        "old_valid_until": delivered.map(|delivered| &delivered.key).or(wait.map(|wait| &wait.key)).and_then(overlapping),
        "old_last_used_at": wait.and_then(|wait| wait.last_used_at.as_deref()),
        "old_last_used_ip": wait.and_then(|wait| wait.last_used_ip.as_deref()),
        "old_last_user_agent": wait.and_then(|wait| wait.last_user_agent.as_deref()),
        "error": error,
    })
}
