//! The deliveries of one command.

use super::options::DeliverArgs;
use crate::{
    cli::{
        context::Ctx,
        rotating::{decision, old_secret},
        signals::Stop,
    },
    deliver::Shown,
    ops::{Error, KeyView, Kind, Result, Stage},
    rotate::{Bounds, Driver, Failure, Observer, Targets},
};
use std::time::Instant;

/// What a command delivers by.
pub(in crate::cli) struct Deliveries<'a> {
    /// What the caller asked for.
    pub(in crate::cli) args: &'a DeliverArgs,
    /// The same, ready.
    pub(in crate::cli) targets: &'a Targets,
    pub(in crate::cli) stop: &'a Stop,
    pub(in crate::cli) deadline: Option<Instant>,
}

impl Observer for Ctx {
    fn said(&mut self, shown: Shown<'_>) {
        let out = self.emitter();
        match shown {
            Shown::Line { program, text } => out.note(&format!("{program}: {text}")),
            // The runner reads the command from either stream; the data on stdout must stay parseable.
            Shown::MaskLine(line) => out.raw_stderr(&format!("{line}\n")),
        }
    }

    fn remarked(&mut self, remark: &str) {
        self.out.warn(remark);
    }
}

impl<'a> Deliveries<'a> {
    /// What ends them early.
    pub(in crate::cli) fn bounds(&self) -> Bounds<'a> {
        Bounds { deadline: self.deadline, stop: self.stop.flag() }
    }

    /// Carries something out in the keystore of the command; a failure comes back in words.
    ///
    /// # Errors
    /// Those of the work; that the vault does not open.
    pub(in crate::cli) fn drive<T>(
        &self,
        cx: &mut Ctx,
        work: impl FnOnce(&Driver<'_>, &mut Ctx) -> Result<T, Failure>,
    ) -> Result<T> {
        let (backend, operation) = (cx.backend()?, cx.operation());
        let driver = Driver { backend: &*backend, cx: &operation, targets: self.targets, bounds: self.bounds() };
        work(&driver, cx).map_err(|failure| self.worded(cx, &failure))
    }

    /// Rotates one key into the sinks that the caller named for it, and says what came of it; answers with the key.
    ///
    /// # Errors
    /// See [`Driver::rotate`]; `Usage` when no rule of the deliver map matches the key.
    pub(in crate::cli) fn rotate(&self, cx: &mut Ctx, key: &KeyView, request: Stage) -> Result<KeyView> {
        if self.stop.code().is_some() {
            return Err(Error::new(
                Kind::Unavailable,
                "interrupted",
                format!("{} ({}) was not begun", key.name, key.id),
            )
            .hint(cx.invocation()));
        }
        let Some(target) = self.targets.for_key(key)? else {
            return Err(Error::usage(format!("no rule of the deliver map matches {} ({})", key.name, key.id)));
        };
        let delivered = self.drive(cx, |driver, cx| driver.rotate(&target, target.request(request), cx))?;
        if let Some(note) = &delivered.note {
            cx.note(note);
        }
        let named = format!("{} ({})", delivered.key.name, delivered.key.id);
        let old = format!("the old secret {}", old_secret(delivered.old_valid_until));
        let sinks = target.names().join(", ");
        match &delivered.rotation {
            _ if !delivered.acted => {}
            _ if cx.global.dry_run => cx.note(&format!("would rotate {named} to {sinks}: {old}")),
            Some(rotation) if rotation.running => {
                cx.note(&format!("staged {named} to {sinks}: both secrets work"));
                cx.note(&decision(&rotation.id));
            }
            Some(_) => cx.note(&format!("rotated {named} to {sinks}: {old}")),
            None => {}
        }
        Ok(delivered.key)
    }
}
