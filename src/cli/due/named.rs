//! Keys that were named: what came of each is told to the same commands as in a run over everything that is due.

use super::{
    hooks::{HookArgs, Hooks},
    result::{self, Outcome, Outcomes},
};
use crate::{
    cli::{
        context::Ctx,
        delivery::{Delivered, Driver},
    },
    domain::{Environment, KeyRef},
    ops::{Error, KeyView, Kind, Result, RotationRef, Show, ShowRotation},
};

/// The commands, and what they are to be told of at the end.
pub(in crate::cli) struct Watch<'a> {
    hooks: Hooks<'a>,
    outcomes: Outcomes,
}

impl<'a> Watch<'a> {
    /// `None` where no command is to be told.
    pub(in crate::cli) fn of(args: &'a HookArgs, keys: usize) -> Option<Self> {
        args.is_asked().then(|| Self { hooks: Hooks::of(args), outcomes: Outcomes::new(keys) })
    }

    /// A key before its rotation; as it was typed where there is none.
    pub(in crate::cli) fn before(cx: &mut Ctx, key: &KeyRef, environment: Option<Environment>) -> KeyView {
        let request = Show { key: key.clone(), environment };
        let found = cx.backend().and_then(|backend| backend.show(&cx.operation(), &request));
        found.unwrap_or_else(|_| KeyView { name: key.to_string(), ..KeyView::default() })
    }

    /// Tells what came of a key.
    pub(in crate::cli) fn ended(&mut self, cx: &mut Ctx, driver: &Driver<'_>, before: &KeyView, ended: &Result<()>) {
        let outcome = match ended {
            Ok(()) => after(cx, before).unwrap_or_else(Outcome::Failed),
            Err(error) => failed(error.clone()),
        };
        let result = result::of(cx, before, &outcome);
        self.hooks.of_key(cx, driver, &outcome, &result);
        self.outcomes.count(&outcome, false);
    }

    /// Tells how it ended for all of them.
    pub(in crate::cli) fn over(self, cx: &mut Ctx, driver: &Driver<'_>, code: u8) {
        let summary = self.outcomes.summary(code, cx.global.dry_run);
        self.hooks.of_run(cx, driver, &summary);
    }
}

/// What an error says of a key.
pub(super) fn failed(error: Error) -> Outcome {
    match error.kind {
        Kind::Busy if error.reason == "lease" => Outcome::Skipped(error.message),
        Kind::Undelivered => Outcome::Undelivered(error),
        _ => Outcome::Failed(error),
    }
}

fn after(cx: &mut Ctx, before: &KeyView) -> Result<Outcome> {
    let id: KeyRef = before.id.parse().map_err(|why| Error::new(Kind::Internal, "key", format!("{why}")))?;
    let (backend, operation) = (cx.backend()?, cx.operation());
    let key = backend.show(&operation, &Show { key: id.clone(), environment: None })?;
    if key.version == before.version {
        return Ok(Outcome::Skipped("nothing was to be done".to_owned()));
    }
    let rotation = backend.ask(&operation, &ShowRotation { rotation: RotationRef::Of(id), environment: None })?;
    let running = rotation.running;
    let delivered =
        Delivered { key, rotation: Some(rotation), old_valid_until: None, resumed: false, acted: true, note: None };
    Ok(if running { Outcome::Staged(delivered) } else { Outcome::Rotated(delivered) })
}
