//! A line for somebody at a terminal while the vault of this machine is at work for long; a server that is waited for has its own.

use super::context::Ctx;
use crate::output::Waiting;

/// The line goes when this is dropped, however the work ended.
pub(super) struct AtWork(Option<Waiting>);

impl Drop for AtWork {
    fn drop(&mut self) {
        if let Some(waiting) = &self.0 {
            waiting.end();
        }
    }
}

impl Ctx {
    /// Says `what` is being done, once it takes long. Nothing may be asked or printed meanwhile.
    #[must_use]
    pub(super) fn at_work(&self, what: &str) -> AtWork {
        let waiting = self.out.waiting(what.to_owned());
        if let Some(waiting) = &waiting {
            waiting.begin();
        }
        AtWork(waiting)
    }
}
