//! What came of one key of a run, and of all.

use crate::{
    cli::{context::Ctx, delivery::Deliveries, exit::Exit},
    domain::{KeyRef, RotationId, time::format_time},
    ops::{Error, KeyView, OverlapWait, RotationRef, RotationView, ShowRotation, WaitOutcome},
    rotate::{Counts, Left, Outcome, Skipped},
};
use serde_json::{Value, json};

/// The word for an outcome.
fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Rotated(_) => "rotated",
        Outcome::Staged(_) => "staged",
        Outcome::WouldRotate(_) => "would_rotate",
        Outcome::Failed(_) => "failed",
        Outcome::Undelivered(_) => "undelivered",
        Outcome::Unmatched => "unmatched",
        Outcome::Expired(_) => "expired",
        Outcome::Skipped(_) => "skipped",
        Outcome::Left(_) => "left",
        Outcome::Overlap(wait) => match wait.outcome {
            WaitOutcome::Waiting => "waiting",
            WaitOutcome::GivenUp => "given_up",
            WaitOutcome::Ended => "ended",
        },
    }
}

/// What a rotation failed of, in words.
fn failure(cx: &Ctx, deliveries: &Deliveries<'_>, outcome: &Outcome) -> Option<Error> {
    match outcome {
        Outcome::Failed(failure) | Outcome::Undelivered(failure) => Some(deliveries.worded(cx, failure)),
        _ => None,
    }
}

/// What went wrong, as an error of its own.
pub(super) fn error(cx: &Ctx, deliveries: &Deliveries<'_>, key: &KeyView, outcome: &Outcome) -> Option<Error> {
    match outcome {
        Outcome::Unmatched => why(outcome, key).map(Error::usage),
        Outcome::Overlap(wait) if wait.outcome == WaitOutcome::GivenUp => {
            let hint = format!("keyward usage {}  (who uses which secret)", wait.key.id);
            why(outcome, key).map(|why| Error::conflict("still_used", why).hint(hint))
        }
        _ => failure(cx, deliveries, outcome),
    }
}

/// Until when the old secret of a key works.
fn overlapping(key: &KeyView) -> Option<String> {
    let old = key.secrets.iter().rev().find(|secret| secret.state == "retiring");
    old.and_then(|secret| secret.valid_until.clone())
}

/// Why nothing failed and nothing was rotated, in a sentence; for a person.
fn why(outcome: &Outcome, key: &KeyView) -> Option<String> {
    Some(match outcome {
        Outcome::Rotated(_) | Outcome::Staged(_) | Outcome::WouldRotate(_) => return None,
        Outcome::Failed(_) | Outcome::Undelivered(_) => return None,
        Outcome::Unmatched => "no rule of the deliver map matches it".to_owned(),
        Outcome::Expired(since) => {
            let since = since.as_ref().map(|since| format!(" {since}")).unwrap_or_default();
            format!("it expired{since}, and no schedule saves it any more: a renewal does")
        }
        Outcome::Skipped(Skipped::Rotated) => "somebody else has rotated it".to_owned(),
        Outcome::Skipped(Skipped::Parked) => "an earlier rotation waits for a commit".to_owned(),
        Outcome::Skipped(Skipped::Overlap) => {
            let until = overlapping(key).map(|until| format!(", at {until}")).unwrap_or_default();
            format!("an earlier rotation waits for the overlap to end{until}")
        }
        Outcome::Skipped(Skipped::Busy(who)) => {
            format!("{who}; if it is no more, the first run after that goes on")
        }
        Outcome::Skipped(Skipped::Unchanged) => "nothing was to be done".to_owned(),
        Outcome::Left(Left::Over) => "the run ended before its turn".to_owned(),
        Outcome::Left(Left::Enough) => "--max was reached".to_owned(),
        Outcome::Overlap(wait) => waits(wait),
    })
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

/// The end of a run as JSON.
pub(super) fn summary_of(counts: &Counts, code: u8, dry_run: bool) -> Value {
    json!({
        "schema": "keyward.rotation-run/v1", "due": counts.due, "rotated": counts.rotated, "staged": counts.staged,
        "failed": counts.failed, "undelivered": counts.undelivered, "unmatched": counts.unmatched,
        "expired": counts.expired, "skipped": counts.skipped, "left": counts.left, "waiting": counts.waiting,
        "given_up": counts.given_up, "ended": counts.ended, "dry_run": dry_run, "interrupted": false,
        "exit": code,
    })
}

fn last_rotation(cx: &mut Ctx, key: &KeyView) -> Option<RotationView> {
    let rotation = RotationRef::Of(KeyRef::Id(key.id.parse().ok()?));
    cx.backend().and_then(|backend| backend.ask(&cx.operation(), &ShowRotation { rotation, environment: None })).ok()
}

/// The result as JSON.
pub(super) fn of(cx: &mut Ctx, deliveries: &Deliveries<'_>, key: &KeyView, outcome: &Outcome) -> Value {
    let delivered = match outcome {
        Outcome::Rotated(delivered) | Outcome::Staged(delivered) | Outcome::WouldRotate(delivered) => Some(delivered),
        _ => None,
    };
    let failure = failure(cx, deliveries, outcome);
    let why = failure.as_ref().map_or_else(
        || why(outcome, key),
        |error| Some(error.causes.first().map_or(error.message.clone(), |cause| format!("{}: {cause}", error.message))),
    );
    let error = failure.map(|error| {
        json!({
            "code": error.kind.name(), "reason": error.reason, "message": error.message, "causes": error.causes,
            "hints": error.hints, "exit": Exit::from(error.kind).code(),
        })
    });
    // What was begun has an id by which it is resumed.
    let begun = match outcome {
        Outcome::Undelivered(_) | Outcome::Failed(_) => {
            let found = last_rotation(cx, key);
            // An earlier one is not of this run.
            let begun = format_time(cx.now);
            found.filter(|found| found.running || found.started_at >= begun)
        }
        // Whose lease it is, and until when.
        Outcome::Skipped(Skipped::Busy(_)) => last_rotation(cx, key),
        _ => None,
    };
    let rotation = delivered.and_then(|delivered| delivered.rotation.as_ref()).or(begun.as_ref());
    let begun = |rotation: &RotationView| rotation.deliveries.iter().map(|delivery| delivery.sink.clone()).collect();
    // Where nothing was begun, it is where the secret would have gone.
    let meant = || deliveries.targets.for_key(key).ok().flatten().map(|target| target.names());
    let sinks: Option<Vec<String>> = rotation.map(begun).or_else(meant);
    let wait = match outcome {
        Outcome::Overlap(wait) => Some(wait),
        _ => None,
    };
    // One that was typed and is not there has a name alone.
    let known = |text: &'_ str| (!text.is_empty()).then(|| text.to_owned());
    let lasting = matches!(outcome, Outcome::Skipped(Skipped::Overlap)).then_some(key);
    let going_on = match outcome {
        Outcome::Failed(failure) | Outcome::Undelivered(failure) => failure.rotation(),
        _ => None,
    };
    json!({
        "schema": "keyward.rotation-result/v1", "key_id": known(&key.id), "name": key.name,
        "environment": known(&key.environment),
        "outcome": word(outcome), "why": why, "resumed": delivered.is_some_and(|one| one.resumed),
        "rotation": rotation.map(|rotation| rotation.id.as_str()).or(wait.map(|wait| wait.rotation.as_str()))
            .or(going_on.map(RotationId::as_str)).or(key.rotation.id.as_deref()),
        "sinks": sinks,
        "due_at": key.rotation.due_at, "next_due_at": delivered.map(|delivered| &delivered.key.rotation.due_at),
        "old_valid_until": delivered.map(|delivered| &delivered.key).or(wait.map(|wait| &wait.key)).or(lasting).and_then(overlapping),
        "lease_until": rotation.filter(|_| matches!(outcome, Outcome::Skipped(_))).and_then(|rotation| rotation.lease_until.as_deref()),
        "old_last_used_at": wait.and_then(|wait| wait.last_used_at.as_deref()),
        "old_last_used_ip": wait.and_then(|wait| wait.last_used_ip.as_deref()),
        "old_last_user_agent": wait.and_then(|wait| wait.last_user_agent.as_deref()),
        "error": error,
    })
}
