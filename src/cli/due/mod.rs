//! A run over every key whose rotation is due: one result a key as it comes, a summary at the end, and an exit code that
//! a schedule can act on. Nothing due is success.

mod hooks;
mod named;
mod owed;
mod result;
mod summary;

pub(super) use hooks::{HookArgs, pay_owed};
pub(super) use named::Watch;
pub(super) use owed::count as owed_notes;

use super::{
    context::Ctx,
    delivery::{DeliverArgs, Deliveries},
    exit::Exit,
    signals::Stop,
};
use crate::{
    deliver::Shown,
    domain::{Environment, Overlap, Permission},
    ops::{Error, KeyView, Kind, Prolong, Result},
    output::Format,
    rotate::{Bounds, Counts, Due, Observer, Outcome},
};
use chrono::TimeDelta;
use hooks::Hooks;
use rand::RngExt;
use serde_json::Value;
use std::time::Instant;

/// What a due run is told.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct DueArgs {
    /// Rotate every key whose rotation is due, or was interrupted; needs --yes
    #[arg(long)]
    pub(super) due: bool,
    /// Also keys that will be due within this time
    #[arg(long, value_name = "D", requires = "due", value_parser = super::values::duration)]
    pub(super) due_within: Option<TimeDelta>,
    /// With --due, rotate at most so many keys, the longest due first; with a filter, none where more are found; needed off a
    /// terminal
    #[arg(long, value_name = "N")]
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

impl DueArgs {
    /// Refuses what only a due run heeds. The command line's definition says so too, and is not asked where a key is named: what
    /// is required and excludes what was said is not missed.
    ///
    /// # Errors
    /// `Usage`.
    pub(super) fn refuse_without_due(&self) -> Result<()> {
        let given = [
            ("--due-within", self.due_within.is_some()),
            ("--jitter", self.jitter.is_some()),
            ("--deadline", self.deadline.is_some()),
            ("--only-if-idle", self.only_if_idle.is_some()),
            ("--idle-bound", self.idle_bound.is_some()),
            ("--detailed-exitcode", self.detailed_exitcode),
        ];
        match given.iter().find(|(_, given)| *given && !self.due) {
            Some((option, _)) => Err(Error::usage(format!("{option} is for runs with --due")).hint(
                "leave it out, or let keyward find what is due: keyward rotate --due --yes --max N --deliver-map FILE",
            )),
            None => Ok(()),
        }
    }
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
    if !deliver.is_asked() {
        return Err(Error::usage("where the new secrets go is not said: a run prints none").hint(
            "add --deliver 'file:{env}-{name}.key' or another sink, or --deliver-map FILE with one for each key",
        ));
    }
    confirmed(cx, due)?;
    deliver.refuse_idle()?;
    let (targets, stop, began) = (deliver.targets(cx)?, Stop::listen()?, Instant::now());
    let deadline = due.deadline.map(|limit| began + limit.to_std().unwrap_or_default());
    let deliveries = Deliveries { args: deliver, targets: &targets, stop: &stop, deadline };
    wait(due.jitter, deliveries.bounds());
    let which = Due {
        within: due.due_within.unwrap_or_default(),
        environment: how.environment,
        max: due.max,
        overlap: how.overlap,
        park: how.park,
        renew: how.renew,
        ends: due.only_if_idle.map(|only_if_idle| Prolong {
            only_if_idle,
            idle_bound: due.idle_bound,
            environment: how.environment,
        }),
    };
    pay_owed(cx)?;
    let mut hooks = Hooks::begin(cx, &due.hooks)?;
    let ran = deliveries.drive(cx, |driver, cx| {
        let mut told = Told { cx, deliveries: &deliveries, hooks: &mut hooks, results: Vec::new() };
        let counts = driver.run_due(&which, &mut told)?;
        Ok((counts, told.results))
    });
    let (counts, results) = match ran {
        Ok(ran) => ran,
        Err(error) => {
            hooks.close(cx, &deliveries);
            return Err(error);
        }
    };
    let code = exit_code(&counts, due.detailed_exitcode);
    let code = stop.code().unwrap_or(code);
    let summary = result::summary_of(&counts, code, cx.global.dry_run);
    let sentence = summary::tell(cx, &counts, &results, &summary);
    // Whoever cannot be told on standard output is no reason to tell nobody.
    hooks.of_run(cx, &deliveries, &summary);
    hooks.close(cx, &deliveries);
    let sentence = sentence?;
    let renewal = (counts.expired > 0).then(|| renewal(cx));
    ended(cx, sentence, code, stop.code().is_some(), renewal);
    Ok(code)
}

/// Tells what came of each key as it comes, to whoever reads and to the hooks.
struct Told<'a, 'h> {
    cx: &'a mut Ctx,
    deliveries: &'a Deliveries<'a>,
    hooks: &'a mut Hooks<'h>,
    results: Vec<Value>,
}

impl Observer for Told<'_, '_> {
    fn said(&mut self, shown: Shown<'_>) {
        self.cx.said(shown);
    }

    fn remarked(&mut self, remark: &str) {
        self.cx.remarked(remark);
    }

    fn begins(&mut self, key: &KeyView) -> Result<()> {
        self.hooks.begins(key)
    }

    fn ended(&mut self, key: &KeyView, outcome: &Outcome) -> Result<()> {
        let Self { cx, deliveries, .. } = self;
        let result = result::of(cx, deliveries, key, outcome);
        if cx.format() == Format::Jsonl && cx.out.options.field.is_none() {
            cx.raw(format!("{result}\n").as_bytes())?;
        }
        self.hooks.of_key(cx, deliveries, &result);
        // Where names are all that is printed, those that failed are not among them.
        if let Some(error) = result::error(cx, deliveries, key, outcome).filter(|_| cx.names_suffice()) {
            cx.error(&Error { message: format!("{} ({}): {}", key.name, key.id, error.message), ..error });
        }
        self.results.push(result);
        Ok(())
    }
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
fn wait(jitter: Option<TimeDelta>, bounds: Bounds<'_>) {
    if let Some(longest) = jitter.and_then(|jitter| jitter.to_std().ok()) {
        bounds.sleep(longest.mul_f64(rand::rng().random::<f64>()));
    }
}

/// The exit code of a run in which nothing but this came of a key.
fn exit_of(outcome: &str) -> u8 {
    let exit = match outcome {
        "undelivered" => Exit::Undelivered,
        "failed" | "unmatched" | "expired" | "given_up" => Exit::Partial,
        _ => Exit::Ok,
    };
    exit.code()
}

fn exit_code(counts: &Counts, detailed: bool) -> u8 {
    let exit = if counts.undelivered > 0 {
        Exit::Undelivered
    } else if counts.failed + counts.unmatched + counts.expired + counts.late + counts.given_up > 0 {
        Exit::Partial
    } else if detailed && counts.rotated + counts.staged > 0 {
        Exit::Changed
    } else {
        Exit::Ok
    };
    exit.code()
}
