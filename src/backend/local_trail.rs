//! The use cases of the audit trail over the local keystore.

use super::{
    Archived,
    local::Local,
    procedure::Procedure,
    trail::{AuditReport, Trail, VerifyAudit},
};
use crate::{
    domain::{Action, Recorded, Time, checkpoint::VerifierKey},
    ops::{
        self, AuditFilter, AuditList, Context, CredentialReport, Done, Error, Kind, Result,
        audit_checkpoint::{
            KeptCheckpoint, MakeCheckpoint, SignedCheckpoint, believe, believe_any, compare, named, sign, verifier_key,
        },
        audit_export::{self, Exported},
        audit_review::TRAIL,
        commit::commit,
    },
    store::{View, Walk},
};
use serde_json::json;
use std::path::Path;

impl Local {
    /// The keys that signed checkpoints before, and up to which event.
    fn former_keys(&self, view: &View<'_>) -> Result<Vec<(VerifierKey, u64)>> {
        let caps = self.store().capabilities();
        let keys = view.former_keys()?.into_iter().map(|former| {
            let key = named(caps, &former.keys.checkpoint)?;
            Ok((key, former.events))
        });
        keys.collect()
    }

    /// What came of looking at the trail; that a plan did not allow it is recorded. What a support slot cannot see is none,
    /// whatever the plan: it has nothing to open such an event with.
    pub(super) fn seen<T>(&self, cx: &Context, came: Result<T>) -> Result<T> {
        if let Err(error) = &came
            && error.kind == Kind::Forbidden
            && self.store().capabilities().admin.is_some()
        {
            self.record_refusal(cx, Action::OperatorDenied, &cx.workspace, error)?;
        }
        came
    }

    /// Records credentials of operators that a server refused, and tells webhooks of a burst of them.
    ///
    /// # Errors
    /// Those of the store.
    pub fn told_of_credentials(&self, cx: &Context, report: &CredentialReport) -> Result<()> {
        commit(self.begin_record(cx)?, cx, ops::credentials::events(cx, report))?;
        let told = self.read(cx, |view| ops::credentials::burst(view, cx, report))?;
        if !told.is_empty() {
            self.store().tell_once(&told, cx.now)?;
        }
        Ok(())
    }

    /// Remembers a checkpoint beside what else was last seen of the vault.
    fn remember(&self, view: &View<'_>, signed: &SignedCheckpoint) {
        let saved = self.store().pins().save_checkpoint(
            &self.store().meta().vault_id,
            view.incarnation(),
            &signed.note.to_string(),
        );
        if let Err(error) = saved {
            tracing::warn!(%error, "the checkpoint could not be remembered outside the keystore");
        }
    }

    /// The last checkpoint that this machine made.
    fn remembered(&self, view: &View<'_>) -> Result<Vec<KeptCheckpoint>> {
        let place = "what this machine remembers";
        let text = self.store().pins().load_checkpoint(&self.store().meta().vault_id, view.incarnation());
        let text = text.map_err(|error| Error::new(Kind::Unavailable, "io", place).cause(error.to_string()))?;
        text.map_or_else(|| Ok(Vec::new()), |text| KeptCheckpoint::read(place, &text))
    }
}

impl Trail for Local {
    fn audit(&self, cx: &Context, filter: &AuditFilter) -> Result<AuditList> {
        self.seen(cx, self.read(cx, |view| ops::audit::list(view, cx, filter)))
    }

    fn export_audit(
        &self,
        cx: &Context,
        filter: &AuditFilter,
        format: &str,
        take: &mut dyn FnMut(&Exported) -> Result<()>,
    ) -> Result<(usize, SignedCheckpoint)> {
        let caps = self.store().capabilities();
        let plan = self.change(cx, Action::AuditExport, &cx.workspace, |tx| {
            let plan = audit_export::plan(tx, cx, filter)?;
            let events = vec![plan.event(cx, format)];
            Ok(Done { outcome: plan, events })
        })?;
        self.read(cx, |view| {
            if cx.dry_run {
                return Ok((plan.events, sign(caps, view.tree())?));
            }
            plan.hand_out(view, cx, filter, take)?;
            Ok((plan.events, sign(caps, (plan.size(), view.root_at(plan.size())?))?))
        })
    }

    fn audit_size(&self, cx: &Context) -> Result<u64> {
        self.read(cx, |view| Ok(view.trail_size()))
    }

    fn verify_audit(&self, cx: &Context, request: VerifyAudit<'_>) -> Result<AuditReport> {
        let mut kept = request.checkpoints;
        let told = kept.len();
        let mut believed = Vec::new();
        if self.store().capabilities().admin.is_some() {
            let own = verifier_key(self.store().capabilities())?;
            let former = self.read(cx, |view| self.former_keys(view))?;
            if let Some(key) = request.key.as_ref().filter(|key| **key != own) {
                let was = former.iter().find(|(former, _)| former == key);
                let error =
                    Error::new(Kind::Integrity, "other_key", "the vault signs with another key than the one given")
                        .cause(format!("the vault's is {own}"));
                return Err(match was {
                    Some((_, events)) => error
                        .cause(format!("the one given signed up to event {events}, and was replaced"))
                        .hint("ask who keeps the vault for its key: keyward audit checkpoint --public-key"),
                    None => error.hint("either the key or the keystore is that of another vault"),
                });
            }
            kept.extend(self.read(cx, |view| self.remembered(view))?);
            believed = believe_any(&kept, &own, &former)?;
        } else if told > 0 {
            believed = believe(&kept, &request.key.ok_or_else(key_needed)?)?;
        }
        let sizes: Vec<u64> = believed.iter().map(|(_, checkpoint)| checkpoint.size).collect();
        let mut progress = request.progress;
        let mut told_so_far = |done| {
            if let Some(progress) = &mut progress {
                progress(done);
            }
        };
        let walk = Walk { full: request.full, roots_at: &sizes, progress: Some(&mut told_so_far) };
        let report = self.store().verify_with(cx.now, walk)?;
        compare(&believed, report.events, &report.roots)?;
        let archived = self.read(cx, |view| {
            request.archives.iter().map(|file| self.read_archive(view, file, &mut |_| Ok(()))).sum::<Result<u64>>()
        })?;
        Ok(AuditReport {
            events: report.events,
            keys: report.keys,
            epoch: report.epoch,
            root: report.root.iter().map(|byte| format!("{byte:02x}")).collect(),
            checkpoints: told,
            archived,
        })
    }
}

/// What is done to the trail itself, and only where it is.
impl Local {
    /// Moves the events before a time to a new file; nothing when there are none.
    ///
    /// # Errors
    /// `Conflict` when the file exists; `Unavailable` when it cannot be written.
    pub fn archive_audit(&self, cx: &Context, before: Time, file: &Path) -> Result<Option<Archived>> {
        let archived = self.archive(cx, before, file);
        if let Err(error) = &archived {
            self.record_refusal(cx, Action::AuditArchive, TRAIL, error)?;
        }
        archived
    }

    /// Hands out the events of an archive, each checked against the trail.
    ///
    /// # Errors
    /// `Integrity` when it is not what was archived; those of `take`.
    pub fn read_audit_archive(
        &self,
        cx: &Context,
        file: &Path,
        take: &mut dyn FnMut(&Recorded) -> Result<()>,
    ) -> Result<u64> {
        self.read(cx, |view| {
            ops::audit::may_view(view, cx)?;
            self.read_archive(view, file, take)
        })
    }
}

impl Procedure for MakeCheckpoint {
    fn changes(&self) -> bool {
        !self.places.is_empty()
    }

    fn run(self, local: &Local, cx: &Context) -> Result<SignedCheckpoint> {
        let caps = local.store().capabilities();
        if self.places.is_empty() {
            verifier_key(caps)?;
        } else {
            let vault_id = &local.store().meta().vault_id;
            local.change(cx, Action::AuditCheckpoint, vault_id, |_| {
                let events = vec![cx.event(Action::AuditCheckpoint, vault_id, json!({ "to": self.places }))];
                Ok(Done { outcome: (), events })
            })?;
        }
        local.read(cx, |view| {
            let signed = sign(caps, view.tree())?;
            if !cx.read_only && !cx.dry_run {
                local.remember(view, &signed);
            }
            Ok(signed)
        })
    }
}

fn key_needed() -> Error {
    Error::usage("this slot has the role support: it does not know the key that signs checkpoints")
        .hint("add --public-key KEY, as `keyward audit checkpoint --public-key` of an admin prints it")
}
