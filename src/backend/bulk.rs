//! Many keys at once, whose secrets are kept before there is a key.

use super::{BulkError, local::Local};
use crate::{
    domain::Action,
    ops::{self, Context, CreateMany, Created, Result, commit::commit},
};

impl Local {
    /// See [`Backend::create_many`](super::Backend::create_many).
    pub(super) fn made_in_bulk(
        &self,
        cx: &Context,
        request: CreateMany,
        progress: &mut dyn FnMut(usize),
        keep: &mut dyn FnMut(&[Created]) -> Result<()>,
    ) -> std::result::Result<Vec<Created>, BulkError> {
        let caps = self.store().capabilities();
        let begun = cx.writable().and_then(|()| self.begin(cx));
        let mut tx = begun.map_err(|error| {
            let recorded = self.record_refusal(cx, Action::KeyCreate, &cx.workspace, &error);
            BulkError::Whole(recorded.err().unwrap_or(error))
        })?;
        let made = ops::create_many::create_many(&mut tx, caps, &mut rand::rng(), cx, request, progress);
        let done = match made {
            Ok(done) => done,
            Err(wrong) => {
                drop(tx);
                let recorded = self.record_refusal(cx, Action::KeyCreate, &cx.workspace, &wrong.as_one());
                return Err(recorded.map_or_else(BulkError::Whole, |()| BulkError::Entries(wrong)));
            }
        };
        if cx.dry_run {
            return Ok(done.outcome);
        }
        keep(&done.outcome).map_err(BulkError::Whole)?;
        commit(tx, cx, done.events).map_err(BulkError::Whole)?;
        Ok(done.outcome)
    }
}
