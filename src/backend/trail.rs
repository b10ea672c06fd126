//! The use cases of the audit trail: a part of the seam of its own.

use crate::{
    domain::checkpoint::VerifierKey,
    ops::{
        AuditFilter, AuditList, Context, Result,
        audit_checkpoint::{KeptCheckpoint, SignedCheckpoint},
        audit_export::Exported,
    },
};
use std::path::PathBuf;

/// What to check, and against what.
#[derive(Default)]
pub struct VerifyAudit<'a> {
    /// Read every detail as the event that it is, too.
    pub full: bool,
    /// Checkpoints that were kept elsewhere.
    pub checkpoints: Vec<KeptCheckpoint>,
    /// The key that signed them, when it is not to be taken from the vault.
    pub key: Option<VerifierKey>,
    /// Archives whose events are to be opened and compared, too.
    pub archives: Vec<PathBuf>,
    /// Hears how many events are checked.
    pub progress: Option<&'a mut dyn FnMut(u64)>,
}

/// The result of checking the whole keystore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditReport {
    /// How many events the trail has.
    pub events: u64,
    /// How many keys agree with it.
    pub keys: u64,
    /// The epoch of the signed head.
    pub epoch: u64,
    /// The root of the tree, in hexadecimal.
    pub root: String,
    /// How many checkpoints it continues.
    pub checkpoints: usize,
    /// How many of the events were opened in archives.
    pub archived: u64,
}

/// Those of the audit trail that hand out many events, or look at all of them.
pub trait Trail {
    /// The audit trail.
    ///
    /// # Errors
    /// See [`crate::ops::audit::list`].
    fn audit(&self, cx: &Context, filter: &AuditFilter) -> Result<AuditList>;
    /// Hands out the events of an export, whose own event is committed before the first of them; answers with how many
    /// were selected, its own not counted, and with the checkpoint that covers them all.
    ///
    /// # Errors
    /// See [`crate::ops::audit_export::plan`]; those of `take`.
    fn export_audit(
        &self,
        cx: &Context,
        filter: &AuditFilter,
        format: &str,
        take: &mut dyn FnMut(&Exported) -> Result<()>,
    ) -> Result<(usize, SignedCheckpoint)>;
    /// How many events there are, at no cost.
    ///
    /// # Errors
    /// Those of the store.
    fn audit_size(&self, cx: &Context) -> Result<u64>;
    /// Checks the whole keystore and its trail, and that it continues the checkpoints.
    ///
    /// # Errors
    /// `Integrity`, with what is wrong and where.
    fn verify_audit(&self, cx: &Context, request: VerifyAudit<'_>) -> Result<AuditReport>;
}
