//! Commands that are told of a run's results: JSON on standard input. They are told, not asked: one that fails is a
//! warning and changes nothing. One that a run does not come to is told by the next ([`super::owed`]).

use super::{
    exit_of, named,
    owed::{self, Begun, Note, Owed, key_of},
    result,
};
use crate::{
    cli::{
        context::Ctx,
        delivery::{DeliverArgs, Deliveries},
        signals::Stop,
    },
    deliver::{Fault, hook},
    domain::counted,
    ops::{KeyView, Kind, Result},
    rotate::{Bounds, Counts, Delivered, Outcome, Skipped},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{collections::BTreeSet, path::Path};

/// The commands.
#[derive(Debug, Clone, Default, clap::Args, Serialize, Deserialize)]
pub(in crate::cli) struct HookArgs {
    /// Tell this command of every key that was rotated: its result as JSON on standard input. A run that is killed before leaves
    /// it to the next one, so that it may be told twice
    #[arg(long, value_name = "COMMAND")]
    on_rotated: Option<String>,
    /// Tell this command of every key that failed or was not delivered, or whose old secret ends in use
    #[arg(long, value_name = "COMMAND")]
    on_failure: Option<String>,
    /// Tell this command at the end how many keys were rotated, and how many were not
    #[arg(long, value_name = "COMMAND")]
    on_done: Option<String>,
}

impl HookArgs {
    /// Whether any command is to be told.
    pub(super) fn is_asked(&self) -> bool {
        [&self.on_rotated, &self.on_failure, &self.on_done].into_iter().any(Option::is_some)
    }

    /// The command that is told of a key with this result. What gives up ends somebody's access soon.
    fn of(&self, result: &Value) -> Option<&str> {
        match result["outcome"].as_str()? {
            "rotated" | "staged" => self.on_rotated.as_deref(),
            "failed" | "undelivered" | "unmatched" | "expired" | "given_up" => self.on_failure.as_deref(),
            _ => None,
        }
    }
}

/// The commands of this run, and what is owed to them.
pub(super) struct Hooks<'a> {
    args: &'a HookArgs,
    owed: Owed,
    /// Which key was told of to which command.
    told: BTreeSet<(String, String)>,
}

impl<'a> Hooks<'a> {
    /// The hooks of a run that begins.
    ///
    /// # Errors
    /// See [`Owed::begin`].
    pub(super) fn begin(cx: &mut Ctx, args: &'a HookArgs) -> Result<Self> {
        Ok(Self { args, owed: Owed::begin(cx, args)?, told: BTreeSet::new() })
    }

    /// A key is going to be rotated.
    ///
    /// # Errors
    /// See [`Owed::begun`].
    pub(super) fn begins(&mut self, key: &KeyView) -> Result<()> {
        self.owed.begun(key)
    }

    pub(super) fn of_key(&mut self, cx: &mut Ctx, deliveries: &Deliveries<'_>, result: &Value) {
        let command = self.args.of(result).filter(|_| !cx.global.dry_run);
        self.owed.ended(result, command.is_some());
        let Some(command) = command else { return };
        if tell(cx, deliveries, command, result, None) {
            self.owed.told(result);
            self.told.insert((key_of(result), command.to_owned()));
        }
    }

    pub(super) fn of_run(&mut self, cx: &mut Ctx, deliveries: &Deliveries<'_>, summary: &Value) {
        let Some(command) = self.args.on_done.as_deref().filter(|_| !cx.global.dry_run) else { return };
        self.owed.done(summary);
        if tell(cx, deliveries, command, summary, None) {
            self.owed.over();
        }
    }

    /// Tells the hooks of earlier runs whose rotations this one has finished, and says where a hook of its own has to wait.
    pub(super) fn close(self, cx: &mut Ctx, deliveries: &Deliveries<'_>) {
        let Self { owed, told, .. } = self;
        if owed.close() {
            // A run that is stopped tells nobody else either.
            return cx.out.warn("not every hook was told; the next run of rotate or rotation resume tells it");
        }
        pay(cx, deliveries, &told);
    }
}

/// Tells the hooks of runs that were ended before they could.
///
/// # Errors
/// When nothing says where programs are, or the files of the vault.
pub(in crate::cli) fn pay_owed(cx: &mut Ctx) -> Result<()> {
    if owed::count(&cx.dirs()?) == 0 {
        return Ok(());
    }
    let args = DeliverArgs::default();
    let (targets, stop) = (args.targets(cx)?, Stop::deaf());
    pay(cx, &Deliveries { args: &args, targets: &targets, stop: &stop, deadline: None }, &BTreeSet::new());
    Ok(())
}

fn pay(cx: &mut Ctx, deliveries: &Deliveries<'_>, told: &BTreeSet<(String, String)>) {
    let notes = match Note::all(cx) {
        Ok(notes) if cx.global.dry_run => {
            if !notes.is_empty() {
                let runs = counted(notes.len(), "earlier run");
                cx.note(&format!("the hooks of {runs} were not all told: the next run tells them"));
            }
            return;
        }
        Ok(notes) => notes,
        // What is wrong with the vault is said by the command itself.
        Err(error) => return tracing::warn!(%error, "the hooks that earlier runs owe were not looked at"),
    };
    for note in notes {
        if let Err(error) = pay_one(cx, deliveries, note, told) {
            tracing::warn!(%error, "the hooks that an earlier run owes wait for the next one");
        }
    }
}

fn pay_one(cx: &mut Ctx, deliveries: &Deliveries<'_>, mut note: Note, told: &BTreeSet<(String, String)>) -> Result<()> {
    let mut waits = false;
    for at in 0..note.entries.len() {
        let entry = &note.entries[at];
        if entry.told {
            continue;
        }
        let result = match (&entry.result, &entry.begun) {
            (Some(result), _) => Some(result.clone()),
            (None, Some(begun)) => came_of(cx, deliveries, &begun.clone())?,
            (None, None) => continue,
        };
        let Some(result) = result else {
            waits = true;
            continue;
        };
        let command = note.run.hooks.of(&result).map(str::to_owned);
        // This run may have told the same command of the same key already.
        let command = command.filter(|command| !told.contains(&(key_of(&result), command.clone())));
        if command.is_none_or(|command| tell_late(cx, deliveries, &mut note, &command, &result)) {
            note.settle(at, result);
        } else {
            waits = true;
        }
    }
    if waits {
        return Ok(());
    }
    let on_done = note.run.hooks.on_done.clone().filter(|_| note.done.is_some() || !note.entries.is_empty());
    if let Some(command) = on_done {
        let summary = note.done.clone().unwrap_or_else(|| summary_of(&note));
        if !tell_late(cx, deliveries, &mut note, &command, &summary) {
            return Ok(());
        }
    }
    note.forget();
    Ok(())
}

/// What came of a key whose run was ended; `None` while its rotation goes on.
fn came_of(cx: &mut Ctx, deliveries: &Deliveries<'_>, begun: &Begun) -> Result<Option<Value>> {
    let Begun { key_id, name, environment, due_at, current } = begun.clone();
    let mut before = KeyView { id: key_id, name, environment, ..KeyView::default() };
    before.rotation.due_at = due_at;
    let outcome = match named::after(cx, &before) {
        // The key was deleted, or never had a rotation.
        Err(error) if error.kind == Kind::NotFound => Outcome::Skipped(Skipped::Unchanged),
        outcome => outcome?,
    };
    let outcome = match &outcome {
        Outcome::Staged(Delivered { rotation: Some(staged), .. })
            if !(staged.parked && staged.state == "delivered") =>
        {
            return Ok(None);
        }
        Outcome::Rotated(Delivered { key, .. }) if owed::current(key) == current => {
            &Outcome::Skipped(Skipped::Unchanged)
        }
        outcome => outcome,
    };
    Ok(Some(result::of(cx, deliveries, &before, outcome)))
}

/// The end of a run that did not come to tell it, from what is known of its keys.
fn summary_of(note: &Note) -> Value {
    let mut summary = result::summary_of(&Counts::default(), 0, false);
    summary["interrupted"] = json!(true);
    let mut exit = 0;
    for result in note.entries.iter().filter_map(|entry| entry.result.as_ref()) {
        let outcome = result["outcome"].as_str().unwrap_or_default();
        for counter in ["due", outcome] {
            if let Some(count) = summary.get(counter).and_then(Value::as_u64) {
                summary[counter] = json!(count + 1);
            }
        }
        exit = exit.max(exit_of(outcome));
    }
    summary["exit"] = json!(exit);
    summary
}

/// Answers whether nothing is owed any more.
fn tell_late(cx: &mut Ctx, deliveries: &Deliveries<'_>, note: &mut Note, command: &str, json: &Value) -> bool {
    let of = json["name"].as_str().map_or_else(|| "its end".to_owned(), |name| format!("{name} ({})", key_of(json)));
    if !note.may_try(json) {
        cx.out.warn(&format!("a hook of {of} has ended every run that told it, and is told no more: {command}"));
        return true;
    }
    cx.out.warn(&format!("an earlier run was ended before it had told a hook of {of}: it is told now"));
    tell(cx, deliveries, command, json, Some(&note.run.directory))
}

/// Answers whether the command was told: one that was ended with this run was not.
fn tell(cx: &mut Ctx, deliveries: &Deliveries<'_>, command: &str, json: &Value, directory: Option<&Path>) -> bool {
    let options = &deliveries.targets.options;
    // The deadline of a run is one for keys: what has come of them is told after it, too.
    let bounds = Bounds { deadline: None, ..deliveries.bounds() };
    let told = bounds.running(cx, |run| hook(command, json, directory, options, run));
    let Err(error) = told else { return true };
    cx.emitter().warn(&format!("a hook failed: {error}"));
    error.fault != Fault::Interrupted
}
