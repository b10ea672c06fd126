//! Secrets that the caller hands over itself: standard output and a screen are sinks like any other, whose receipt is that
//! the secret was written.
//!
//! The secret is staged, written, and only then made the current one: whoever is killed in between has lost nothing, for
//! the old secret still works and the next run goes on with the same rotation.

use crate::{
    backend::Backend,
    domain::{Lookup, RotationId},
    ops::{Commit, Context, Progress, Result, Rotated, RotationView, Stage, Step},
};

/// A staged secret that waits to be handed over.
pub struct ByHand {
    /// Its rotation.
    pub rotation: RotationId,
    /// It waits for somebody's decision once it was handed over.
    pub parked: bool,
    secret: Lookup,
    sink: &'static str,
}

impl ByHand {
    /// The request for a secret that is handed over as soon as it exists.
    #[must_use]
    pub fn request(stage: Stage, sink: &'static str) -> Stage {
        Stage { sinks: vec![sink.to_owned()], intend: true, ..stage }
    }

    /// The request that goes on with a rotation whose secret was to be handed over.
    ///
    /// # Errors
    /// `Internal` when the view is not one of a rotation.
    pub fn resume(rotation: &RotationView, sink: &'static str) -> Result<Stage> {
        let stage = Stage::resume(rotation, Vec::new())?;
        Ok(Self::request(Stage { park: rotation.parked, ..stage }, sink))
    }

    /// The secret of a rotation that was just staged.
    ///
    /// # Errors
    /// `Internal` when the view is not one of a rotation.
    pub fn of(rotation: &RotationView, sink: &'static str) -> Result<Self> {
        let (id, secret) = rotation.ids()?;
        Ok(Self { rotation: id, parked: rotation.parked, secret, sink })
    }

    /// It was handed over: makes it the current one, or records the receipt where it waits for somebody.
    ///
    /// # Errors
    /// See [`crate::ops::rotation::commit`].
    pub fn arrived(&self, backend: &dyn Backend, cx: &Context) -> Result<()> {
        if self.parked {
            return backend.change(cx, self.step(Progress::Delivered("printed".to_owned()))).map(drop);
        }
        let commit = Commit::of(self.rotation.clone(), vec![self.sink.to_owned()]);
        backend.change(cx, commit).map(drop)
    }

    /// It could not be handed over: whoever goes on mints again.
    pub fn lost(&self, backend: &dyn Backend, cx: &Context, why: &str) {
        leave(backend, cx, self.step(Progress::Unproven(why.to_owned())));
    }

    fn step(&self, progress: Progress) -> Step {
        let (rotation, secret) = (self.rotation.clone(), self.secret.clone());
        Step { rotation, secret, sink: self.sink.to_owned(), progress }
    }
}

/// Makes a secret that has arrived the current one: nothing but that was missing.
///
/// # Errors
/// See [`crate::ops::rotation::commit`].
pub fn finish(backend: &dyn Backend, cx: &Context, rotation: &RotationView) -> Result<Rotated> {
    backend.change(cx, Commit::of(rotation.ids()?.0, Vec::new()))
}

/// Records that a sink may hold a secret with which this run goes on no further. Where even that cannot be recorded, the
/// next run waits for the lease; what is told is why the delivery failed.
pub(super) fn leave(backend: &dyn Backend, cx: &Context, step: Step) {
    if let Err(error) = backend.change(cx, step) {
        tracing::warn!(%error, "the end of the delivery could not be recorded");
    }
}
