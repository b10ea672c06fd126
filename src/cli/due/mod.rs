//! A run over every key whose rotation is due: one result a key as it comes, a summary at the end, and an exit code that
//! a schedule can act on. Nothing due is success.

mod hooks;
mod named;
mod result;
mod summary;

pub(super) use hooks::HookArgs;
pub(super) use named::Watch;

use super::{
    context::Ctx,
    delivery::{DeliverArgs, Delivered, Driver, Targets},
    exit::Exit,
    signals::Stop,
};
use crate::{
    domain::{Environment, KeyFilter, KeyRef, Overlap, Permission, Sort, SortField},
    ops::{Error, KeyView, Kind, List, OverlapWait, Prolong, Result, Stage},
    output::Format,
};
use chrono::TimeDelta;
use hooks::Hooks;
use rand::RngExt;
use result::{Outcome, Outcomes};
use std::time::{Duration, Instant};

/// What a due run is told.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct DueArgs {
    /// Rotate every key whose rotation is due, or was interrupted; needs --yes
    #[arg(long, requires = "sinks")]
    pub(super) due: bool,
    /// Also keys that will be due within this time
    #[arg(long, value_name = "D", requires = "due", value_parser = super::values::duration)]
    pub(super) due_within: Option<TimeDelta>,
    /// Rotate at most so many keys, the longest due first; needed off a terminal
    #[arg(long, value_name = "N", requires = "due")]
    pub(super) max: Option<usize>,
    /// Begin after a random time up to this, so that many machines do not begin at once
    #[arg(long, value_name = "D", requires = "due", value_parser = super::values::duration)]
    pub(super) jitter: Option<TimeDelta>,
    /// Begin no further key after this time
    #[arg(long, value_name = "D", requires = "due", value_parser = super::values::duration)]
    pub(super) deadline: Option<TimeDelta>,
    /// An overlap that a due run began waits for an old secret that was used within this time, and says who uses it; one that
    /// waited ends once it is idle
    #[arg(long, value_name = "D", requires = "due", value_parser = super::values::duration)]
    pub(super) only_if_idle: Option<TimeDelta>,
    /// So long after its planned end an old secret ends, idle or not [default: as long again as its overlap]
    #[arg(long, value_name = "D", requires = "only_if_idle", value_parser = super::values::duration)]
    pub(super) idle_bound: Option<TimeDelta>,
    /// Exit 10 when keys were rotated, and 0 only when none was due
    #[arg(long, requires = "due")]
    pub(super) detailed_exitcode: bool,
    #[command(flatten)]
    pub(super) hooks: HookArgs,
}

/// How every key of the run is rotated.
pub(super) struct How {
    /// How long the old secret goes on working, whatever the map says.
    pub(super) overlap: Option<Overlap>,
    /// Whether the rotation waits for somebody's commit.
    pub(super) park: bool,
    /// Whether the lifetime of every key that is rotated starts again, of those that have expired too.
    pub(super) renew: bool,
    /// Only keys of this environment.
    pub(super) environment: Option<Environment>,
}

/// Rotates what is due.
///
/// # Errors
/// `Usage` without a confirmation; those of the keystore before the first key. A key's own failure is its result.
pub(super) fn run(cx: &mut Ctx, due: &DueArgs, deliver: &DeliverArgs, how: &How) -> Result<u8> {
    confirmed(cx, due)?;
    deliver.refuse_idle()?;
    let (targets, stop, began) = (Targets::of(cx, deliver)?, Stop::listen()?, Instant::now());
    let hooks = Hooks::of(&due.hooks);
    let deadline = due.deadline.map(|limit| began + limit.to_std().unwrap_or_default());
    let driver = Driver { targets: &targets, stop: &stop, deadline };
    wait(due.jitter, &driver);
    let waits = overlaps(cx, due, how)?;
    let keys = keys_due(cx, due.due_within, how.environment)?;
    targets.refuse_shared(&keys)?;
    let mut outcomes = Outcomes::new(keys.len());
    let told = |cx: &mut Ctx, outcomes: &mut Outcomes, key: &KeyView, outcome: Outcome, over: bool| -> Result<()> {
        let result = result::of(cx, key, &outcome);
        if cx.format() == Format::Jsonl && cx.out.options.field.is_none() {
            cx.raw(format!("{result}\n").as_bytes())?;
        }
        hooks.of_key(cx, &driver, &outcome, &result);
        // Where names are all that is printed, those that failed are not among them.
        if let Some(error) = outcome.error().filter(|_| cx.names_suffice()) {
            cx.error(&Error { message: format!("{} ({}): {}", key.name, key.id, error.message), ..error });
        }
        outcomes.count(&outcome, over);
        outcomes.results.push(result);
        Ok(())
    };
    for wait in waits {
        let key = wait.key.clone();
        told(cx, &mut outcomes, &key, Outcome::Overlap(wait), false)?;
    }
    for key in &keys {
        let over = stop.code().is_some() || deadline.is_some_and(|deadline| deadline <= Instant::now());
        let outcome = if let Some(since) = expired(key, how) {
            Outcome::Expired(since)
        } else if over {
            Outcome::Left("the run ended before its turn")
        } else if due.max.is_some_and(|max| outcomes.begun >= max) {
            Outcome::Left("--max was reached")
        } else {
            one(cx, &driver, key, due, how)
        };
        let over = over && matches!(outcome, Outcome::Left(_));
        told(cx, &mut outcomes, key, outcome, over)?;
    }
    let code = exit_code(&outcomes, due.detailed_exitcode);
    let code = stop.code().unwrap_or(code);
    let summary = outcomes.summary(code, cx.global.dry_run);
    let sentence = summary::tell(cx, &outcomes, &summary)?;
    hooks.of_run(cx, &driver, &summary);
    let renewal = (outcomes.expired > 0).then(|| renewal(cx));
    ended(cx, sentence, code, stop.code().is_some(), renewal);
    Ok(code)
}

/// What saves the keys that have expired: a renewal, or whoever may renew, where the caller may not.
fn renewal(cx: &mut Ctx) -> String {
    if may_renew(cx) {
        return format!("{} --renew   (starts the lifetime of what expired again)", cx.invocation());
    }
    Permission::RenewKeys.who_may()
}

/// Whether the caller may renew; one whom the server does not tell is told by the attempt.
fn may_renew(cx: &mut Ctx) -> bool {
    if !cx.is_remote() {
        return true;
    }
    #[cfg(feature = "server")]
    if let Ok(Some(remote)) = cx.remote()
        && let Ok(me) = remote.whoami()
    {
        return me.permissions.iter().any(|each| each == Permission::RenewKeys.words());
    }
    true
}

/// Says how the run ended, and the command that goes on where a signal ended it or keys have expired: in the object of a
/// failure, for programs.
fn ended(cx: &mut Ctx, sentence: String, code: u8, stopped: bool, renewal: Option<String>) {
    let again = cx.invocation();
    let fine = code == Exit::Ok.code() || code == Exit::Changed.code();
    if !fine && cx.format().is_json() {
        let kind = if code == Exit::Undelivered.code() { Kind::Undelivered } else { Kind::Partial };
        let mut error = Error::new(kind, if stopped { "interrupted" } else { "run" }, sentence);
        error.hints.extend(stopped.then_some(again));
        error.hints.extend(renewal);
        return cx.error(&error);
    }
    cx.note(&sentence);
    if stopped {
        cx.emitter().tell("the run was stopped; this goes on where it ended:");
        cx.emitter().tell(&again);
    }
    if let Some(renewal) = renewal {
        cx.emitter().tell(&format!("hint: {renewal}"));
    }
}

fn confirmed(cx: &Ctx, due: &DueArgs) -> Result<()> {
    if cx.global.dry_run {
        return Ok(());
    }
    if !cx.global.yes {
        return Err(Error::usage("--due acts on every key that is due, and needs a confirmation")
            .hint("add --yes, or look first: keyward list --due"));
    }
    if due.max.is_none() && !cx.out.streams.stdout_terminal {
        return Err(Error::usage("off a terminal --due needs a bound").hint("add --max N"));
    }
    Ok(())
}

/// A random wait, ended by a signal or the deadline.
fn wait(jitter: Option<TimeDelta>, driver: &Driver<'_>) {
    let Some(longest) = jitter.and_then(|jitter| jitter.to_std().ok()) else { return };
    let until = Instant::now() + longest.mul_f64(rand::rng().random::<f64>());
    let until = driver.deadline.map_or(until, |deadline| until.min(deadline));
    while Instant::now() < until && driver.stop.code().is_none() {
        std::thread::sleep(Duration::from_millis(50).min(until.saturating_duration_since(Instant::now())));
    }
}

/// The keys that are due, the longest due first; interrupted rotations before all. Those that have expired are among them.
fn keys_due(cx: &mut Ctx, within: Option<TimeDelta>, environment: Option<Environment>) -> Result<Vec<KeyView>> {
    let sort = Sort { field: SortField::Due, descending: false };
    let filter = KeyFilter { due_within: Some(within.unwrap_or_default()), environment, sort, ..KeyFilter::default() };
    let mut keys = cx.backend()?.list(&cx.operation(), &List { filter })?.items;
    keys.sort_by_key(|key| key.rotation.id.is_none());
    Ok(keys)
}

/// Since when a key has expired that this run does not renew; a rotation of it that was begun goes on.
fn expired(key: &KeyView, how: &How) -> Option<Option<String>> {
    let lost = key.status == "expired" && !how.renew && key.rotation.id.is_none();
    lost.then(|| key.expires_at.clone().or_else(|| key.rotation.ends_at.clone()))
}

/// The ends of overlaps, which come first: none of them is to come while the run is at work.
fn overlaps(cx: &mut Ctx, due: &DueArgs, how: &How) -> Result<Vec<OverlapWait>> {
    let Some(only_if_idle) = due.only_if_idle else { return Ok(Vec::new()) };
    let request = Prolong { only_if_idle, idle_bound: due.idle_bound, environment: how.environment };
    cx.backend()?.change(&cx.operation(), request)
}

fn one(cx: &mut Ctx, driver: &Driver<'_>, key: &KeyView, due: &DueArgs, how: &How) -> Outcome {
    match rotate(cx, driver, key, due, how) {
        Ok(Some(delivered)) => match &delivered.rotation {
            _ if !delivered.acted => Outcome::Skipped("somebody else has rotated it".to_owned()),
            _ if cx.global.dry_run => Outcome::WouldRotate(delivered),
            Some(rotation) if rotation.running => Outcome::Staged(delivered),
            _ => Outcome::Rotated(delivered),
        },
        Ok(None) => Outcome::Unmatched,
        Err(error) => named::failed(error),
    }
}

fn rotate(cx: &mut Ctx, driver: &Driver<'_>, key: &KeyView, due: &DueArgs, how: &How) -> Result<Option<Delivered>> {
    let parked = key.rotation.parked;
    if parked || key.rotation.state == "overlap" {
        let until = if parked { "a commit".to_owned() } else { "the overlap to end".to_owned() };
        return Err(Error::new(Kind::Busy, "lease", format!("an earlier rotation waits for {until}")));
    }
    let Some(target) = driver.targets.for_key(key)? else { return Ok(None) };
    let id = key.id.parse::<KeyRef>().map_err(|error| Error::new(Kind::Internal, "key", error.to_string()))?;
    let request = Stage {
        overlap: how.overlap.or(target.overlap.map(Overlap::For)),
        park: how.park,
        renew: how.renew,
        due_within: Some(due.due_within.unwrap_or_default()),
        ..Stage::of(id)
    };
    driver.rotate(cx, &target, request).map(Some)
}

fn exit_code(outcomes: &Outcomes, detailed: bool) -> u8 {
    let exit = if outcomes.undelivered > 0 {
        Exit::Undelivered
    } else if outcomes.failed + outcomes.unmatched + outcomes.expired + outcomes.late + outcomes.given_up > 0 {
        Exit::Partial
    } else if detailed && outcomes.rotated + outcomes.staged > 0 {
        Exit::Changed
    } else {
        Exit::Ok
    };
    exit.code()
}
