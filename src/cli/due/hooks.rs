//! Commands that are told of a run's results: JSON on standard input. They are told, not asked: one that fails is a
//! warning and changes nothing.

use crate::{
    cli::{context::Ctx, delivery::Deliveries},
    deliver::hook,
    ops::WaitOutcome,
    rotate::Outcome,
};
use serde_json::Value;

/// The commands.
#[derive(Debug, Clone, Default, clap::Args)]
pub(in crate::cli) struct HookArgs {
    /// Tell this command of every key that was rotated: its result as JSON on standard input
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
}

/// The commands, ready.
pub(super) struct Hooks<'a>(&'a HookArgs);

impl<'a> Hooks<'a> {
    pub(super) fn of(args: &'a HookArgs) -> Self {
        Self(args)
    }

    pub(super) fn of_key(&self, cx: &mut Ctx, deliveries: &Deliveries<'_>, outcome: &Outcome, result: &Value) {
        let command = match outcome {
            Outcome::Rotated(_) | Outcome::Staged(_) => &self.0.on_rotated,
            Outcome::Failed(_) | Outcome::Undelivered(_) | Outcome::Unmatched | Outcome::Expired(_) => {
                &self.0.on_failure
            }
            // What gives up ends somebody's access soon.
            Outcome::Overlap(wait) if wait.outcome == WaitOutcome::GivenUp => &self.0.on_failure,
            Outcome::WouldRotate(_) | Outcome::Skipped(_) | Outcome::Left(_) | Outcome::Overlap(_) => return,
        };
        tell(cx, deliveries, command.as_deref(), result);
    }

    pub(super) fn of_run(&self, cx: &mut Ctx, deliveries: &Deliveries<'_>, summary: &Value) {
        tell(cx, deliveries, self.0.on_done.as_deref(), summary);
    }
}

fn tell(cx: &mut Ctx, deliveries: &Deliveries<'_>, command: Option<&str>, json: &Value) {
    let Some(command) = command.filter(|_| !cx.global.dry_run) else { return };
    let told = deliveries.bounds().running(cx, |run| hook(command, json, &deliveries.targets.options, run));
    if let Err(error) = told {
        cx.emitter().warn(&format!("a hook failed: {error}"));
    }
}
