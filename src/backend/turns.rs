//! Rotations: of one key, one process at a time, for as long as it delivers the new secret.

use super::{local::Local, procedure::Procedure};
use crate::{
    domain::{Action, KeyId},
    ops::{self, Context, Reissued, Result, Rotate, Stage, Staged},
};

impl Local {
    /// Takes the turn with the key that is to be rotated: which one that is, and whether nobody else had it.
    fn turn(&self, cx: &Context, request: &Stage) -> Result<(Option<KeyId>, bool)> {
        // Whoever is not there, or may not be rotated, is told by the use case itself.
        let key = self.read(cx, |view| ops::stage::target(view, cx, request)).ok();
        let key = key.filter(|_| !cx.dry_run && !cx.read_only && self.store().capabilities().admin.is_some());
        let alone = key.as_ref().map_or(Ok(true), |key| self.leases.acquire(key))?;
        Ok((key, alone))
    }
}

impl Procedure for Stage {
    fn run(self, local: &Local, cx: &Context) -> Result<Staged> {
        let target = self.resume.as_ref().map_or_else(|| self.key.to_string(), ToString::to_string);
        let (key, alone) = local.turn(cx, &self)?;
        let caps = local.store().capabilities();
        let staged = local.change_of((Action::KeyStage, &target, self.environment), cx, |tx| {
            ops::stage::stage(tx, caps, &mut rand::rng(), cx, &self, alone)
        });
        let goes_on = !local.for_clients && staged.as_ref().is_ok_and(|staged| staged.lookup.is_some());
        if let (Some(key), true, false) = (key, alone, goes_on) {
            local.leases.release(&key);
        }
        staged
    }
}

impl Procedure for Rotate {
    fn run(self, local: &Local, cx: &Context) -> Result<Reissued> {
        let (target, request) = (self.key.to_string(), Stage::from(self));
        let (key, alone) = local.turn(cx, &request)?;
        let caps = local.store().capabilities();
        let rotated = local.change_of((Action::KeyRotate, &target, request.environment), cx, |tx| {
            ops::rotate::rotate(tx, caps, &mut rand::rng(), cx, &request, alone)
        });
        key.filter(|_| alone).iter().for_each(|key| local.leases.release(key));
        rotated
    }
}
