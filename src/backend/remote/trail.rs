//! The audit trail through a server.

use super::{Remote, calls::only_local};
use crate::{
    backend::{Archived, AuditReport, Trail, VerifyAudit},
    domain::{Recorded, Time},
    ops::{
        AuditFilter, AuditList, Context, Result,
        audit_checkpoint::{AuditProof, SignedCheckpoint},
        audit_export::Exported,
        audit_review::{ReviewState, Tally},
    },
};
use std::path::Path;

impl Trail for Remote {
    fn audit(&self, _cx: &Context, _filter: &AuditFilter) -> Result<AuditList> {
        Err(only_local("the audit trail"))
    }

    fn audit_event(&self, _cx: &Context, _seq: u64) -> Result<Recorded> {
        Err(only_local("the audit trail"))
    }

    fn export_audit(
        &self,
        _cx: &Context,
        _filter: &AuditFilter,
        _format: &str,
        _take: &mut dyn FnMut(&Exported) -> Result<()>,
    ) -> Result<(usize, SignedCheckpoint)> {
        Err(only_local("the audit trail"))
    }

    fn audit_size(&self, _cx: &Context) -> Result<u64> {
        Err(only_local("the audit trail"))
    }

    fn verify_audit(&self, _cx: &Context, _request: VerifyAudit<'_>) -> Result<AuditReport> {
        Err(only_local("the audit trail"))
    }

    fn checkpoint(&self, _cx: &Context, _to: &[String]) -> Result<SignedCheckpoint> {
        Err(only_local("the audit trail"))
    }

    fn review_state(&self, _cx: &Context) -> Result<ReviewState> {
        Err(only_local("the audit trail"))
    }

    fn review_summary(&self, _cx: &Context) -> Result<(ReviewState, Vec<Tally>)> {
        Err(only_local("the audit trail"))
    }

    fn review(&self, _cx: &Context, _upto: u64, _note: &str) -> Result<ReviewState> {
        Err(only_local("the audit trail"))
    }

    fn archive_audit(&self, _cx: &Context, _before: Time, _file: &Path) -> Result<Option<Archived>> {
        Err(only_local("archiving"))
    }

    fn read_audit_archive(
        &self,
        _cx: &Context,
        _file: &Path,
        _take: &mut dyn FnMut(&Recorded) -> Result<()>,
    ) -> Result<u64> {
        Err(only_local("an archive"))
    }

    fn prove_audit(&self, _cx: &Context, _seq: u64, _size: Option<u64>) -> Result<AuditProof> {
        Err(only_local("the audit trail"))
    }
}
