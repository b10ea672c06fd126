//! New keys, whose secrets are to be delivered: this machine's locks keep others from their rotations until then.

use super::{local::Local, procedure::Procedure};
use crate::{
    domain::{Action, KeyId},
    ops::{self, Applied, Apply, Context, Create, Created, Result},
};

/// A process may have few files open: of many new keys that wait for their delivery, the rest is kept by the time of their
/// rotations' leases alone.
const LOCKED_AT_ONCE: usize = 256;

impl Procedure for Create {
    fn run(mut self, local: &Local, cx: &Context) -> Result<Created> {
        let target = self.name.clone();
        let caps = local.store().capabilities();
        let mut mine = None;
        let for_one = !(self.sinks.is_empty() || cx.dry_run || cx.read_only || local.for_clients);
        if for_one && caps.admin.is_some() {
            // The lock is there before the key is: whoever repeats the request waits for the delivery of its secret.
            let id = self.id.take().unwrap_or_else(|| KeyId::generate(&mut rand::rng()));
            local.leases.acquire(&id)?;
            self.id = Some(id.clone());
            mine = Some(id);
        }
        let created = local
            .change(cx, Action::KeyCreate, &target, |tx| ops::create::create(tx, caps, &mut rand::rng(), cx, self));
        if let (Some(id), false) = (mine, created.as_ref().is_ok_and(|created| !created.existed)) {
            local.leases.release(&id);
        }
        created
    }
}

impl Procedure for Apply {
    fn run(self, local: &Local, cx: &Context) -> Result<Applied> {
        let caps = local.store().capabilities();
        let applied = local.change(cx, Action::KeyApply, &cx.workspace, |tx| {
            ops::declare::apply(tx, caps, &mut rand::rng(), cx, &self)
        })?;
        let started = applied.created.iter().filter_map(|created| created.rotation.as_ref());
        for rotation in started.filter(|_| !cx.dry_run).take(LOCKED_AT_ONCE) {
            // Their ids are known to nobody else yet.
            rotation.key_id.parse().map_or(Ok(false), |key| local.leases.acquire(&key))?;
        }
        Ok(applied)
    }
}
