//! Use cases of more than one snapshot or transaction, or that need what is beside the keystore: locks of this machine, the
//! network.

use super::{Backend, Comes, Runner, local::Local};
use crate::ops::{Context, Result, case::UseCase};

/// Such a use case; what it needs besides its request is here.
pub trait Procedure: UseCase {
    /// Whether it changes anything.
    fn changes(&self) -> bool {
        true
    }

    /// Runs it over the local keystore.
    ///
    /// # Errors
    /// Why nothing comes of it.
    fn run(self, local: &Local, cx: &Context) -> Result<Self::Outcome>;
}

impl dyn Backend + '_ {
    /// Runs a procedure.
    ///
    /// # Errors
    /// Those of the use case, and of the way to it.
    pub fn run<P: Procedure>(&self, cx: &Context, request: P) -> Result<P::Outcome>
    where
        P::Outcome: Comes,
    {
        match self.runner() {
            Runner::Here(local) => request.run(local, cx),
            #[cfg(feature = "server")]
            Runner::There(remote) => remote.ran(cx, request),
        }
    }
}
