//! Keys that were named: what came of each is told to the same commands as in a run over everything that is due.

use super::{
    hooks::{HookArgs, Hooks},
    result::{self, summary_of},
};
use crate::{
    cli::{context::Ctx, delivery::Deliveries},
    domain::{Environment, KeyRef},
    ops::{Error, KeyView, Kind, Result, RotationRef, Show, ShowRotation},
    rotate::{Counts, Delivered, Failure, Outcome, Skipped},
};

/// The commands, and what they are to be told of at the end.
pub(in crate::cli) struct Watch<'a> {
    hooks: Hooks<'a>,
    counts: Counts,
}

impl<'a> Watch<'a> {
    /// `None` where no command is to be told.
    ///
    /// # Errors
    /// When what is owed to the commands cannot be kept, where it must be.
    pub(in crate::cli) fn begin(cx: &mut Ctx, args: &'a HookArgs, keys: usize) -> Result<Option<Self>> {
        if !args.is_asked() {
            return Ok(None);
        }
        let hooks = Hooks::begin(cx, args)?;
        Ok(Some(Self { hooks, counts: Counts::of(keys) }))
    }

    /// A key before its rotation; as it was typed where there is none.
    pub(in crate::cli) fn before(cx: &mut Ctx, key: &KeyRef, environment: Option<Environment>) -> KeyView {
        let request = Show { key: key.clone(), environment };
        let found = cx.backend().and_then(|backend| backend.ask(&cx.operation(), &request));
        found.unwrap_or_else(|_| KeyView { name: key.to_string(), ..KeyView::default() })
    }

    /// A key is going to be rotated.
    ///
    /// # Errors
    /// When that cannot be kept: nothing is minted then.
    pub(in crate::cli) fn begins(&mut self, key: &KeyView) -> Result<()> {
        self.hooks.begins(key)
    }

    /// Tells what came of a key.
    pub(in crate::cli) fn ended(
        &mut self,
        cx: &mut Ctx,
        deliveries: &Deliveries<'_>,
        before: &KeyView,
        ended: &Result<()>,
    ) {
        let outcome = match ended {
            Ok(()) => after(cx, before).unwrap_or_else(|error| Outcome::Failed(error.into())),
            Err(error) => Failure::from(error.clone()).into(),
        };
        let result = result::of(cx, deliveries, before, &outcome);
        self.hooks.of_key(cx, deliveries, &result);
        self.counts.count(&outcome);
    }

    /// Tells how it ended for all of them.
    pub(in crate::cli) fn over(mut self, cx: &mut Ctx, deliveries: &Deliveries<'_>, code: u8) {
        let summary = summary_of(&self.counts, code, cx.global.dry_run);
        self.hooks.of_run(cx, deliveries, &summary);
        self.hooks.close(cx, deliveries);
    }
}

/// What came of a key, as it is now.
///
/// # Errors
/// `NotFound` for a key that is not there, or never had a rotation.
pub(super) fn after(cx: &mut Ctx, before: &KeyView) -> Result<Outcome> {
    let id: KeyRef = before.id.parse().map_err(|why| Error::new(Kind::Internal, "key", format!("{why}")))?;
    let (backend, operation) = (cx.backend()?, cx.operation());
    let key = backend.ask(&operation, &Show { key: id.clone(), environment: None })?;
    if key.version == before.version {
        return Ok(Outcome::Skipped(Skipped::Unchanged));
    }
    let rotation = backend.ask(&operation, &ShowRotation { rotation: RotationRef::Of(id), environment: None })?;
    let running = rotation.running;
    let delivered =
        Delivered { key, rotation: Some(rotation), old_valid_until: None, resumed: false, acted: true, note: None };
    Ok(if running { Outcome::Staged(delivered) } else { Outcome::Rotated(delivered) })
}
