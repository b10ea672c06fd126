//! The use cases of the audit trail over the local keystore.

use super::{
    Archived,
    local::Local,
    trail::{AuditReport, Trail, VerifyAudit},
};
use crate::{
    domain::{
        Action, Recorded, Time,
        checkpoint::{Checkpoint, Note, VerifierKey, origin_of},
        merkle::Hash,
    },
    ops::{
        self, AuditFilter, AuditList, Context, CredentialReport, Done, Error, Kind, Result,
        audit_checkpoint::{AuditProof, KeptCheckpoint, SignedCheckpoint, believe, believe_any, compare},
        audit_export::{self, Exported},
        audit_review::{self, ReviewState, TRAIL, Tally},
        commit::commit,
    },
    store::{View, Walk},
};
use serde_json::json;
use std::path::Path;

impl Local {
    fn verifier_key(&self) -> Result<VerifierKey> {
        let key = self.store().capabilities().checkpoint_key().ok_or_else(ops::support_refused)?;
        VerifierKey::new(origin_of(&self.store().meta().vault_id), &key).ok_or_else(unusable)
    }

    /// The keys that signed checkpoints before, and up to which event.
    fn former_keys(&self, view: &View<'_>) -> Result<Vec<(VerifierKey, u64)>> {
        let origin = || origin_of(&self.store().meta().vault_id);
        let keys = view.former_keys()?.into_iter().map(|former| {
            let key = VerifierKey::new(origin(), &former.keys.checkpoint).ok_or_else(unusable)?;
            Ok((key, former.events))
        });
        keys.collect()
    }

    pub(super) fn sign(&self, (size, root): (u64, Hash)) -> Result<SignedCheckpoint> {
        let key = self.verifier_key()?;
        let checkpoint = Checkpoint { origin: key.origin().to_owned(), size, root };
        let text = checkpoint.text();
        let signature = self.store().capabilities().sign_checkpoint(&text).ok_or_else(ops::support_refused)?;
        Ok(SignedCheckpoint { checkpoint, note: Note::signed(text, &key, &signature), key })
    }

    /// What came of looking at the trail; that a plan did not allow it is recorded. What a support slot cannot see is none,
    /// whatever the plan: it has nothing to open such an event with.
    fn seen<T>(&self, cx: &Context, came: Result<T>) -> Result<T> {
        if let Err(error) = &came
            && error.kind == Kind::Forbidden
            && self.store().capabilities().admin.is_some()
        {
            self.record_refusal(cx, Action::OperatorDenied, &cx.workspace, error)?;
        }
        came
    }

    /// Records credentials that were refused, and tells webhooks of a burst.
    pub(super) fn told_of_credentials(&self, cx: &Context, report: &CredentialReport) -> Result<()> {
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

pub(super) fn unusable() -> Error {
    Error::new(Kind::Internal, "checkpoint_key", "the vault's id makes no name for a checkpoint key")
}

impl Trail for Local {
    fn audit(&self, cx: &Context, filter: &AuditFilter) -> Result<AuditList> {
        self.seen(cx, self.read(cx, |view| ops::audit::list(view, cx, filter)))
    }

    fn audit_event(&self, cx: &Context, seq: u64) -> Result<Recorded> {
        self.seen(cx, self.read(cx, |view| ops::audit::show(view, cx, seq)))
    }

    fn export_audit(
        &self,
        cx: &Context,
        filter: &AuditFilter,
        format: &str,
        take: &mut dyn FnMut(&Exported) -> Result<()>,
    ) -> Result<(usize, SignedCheckpoint)> {
        let plan = self.change(cx, Action::AuditExport, &cx.workspace, |tx| {
            let plan = audit_export::plan(tx, cx, filter)?;
            let events = vec![plan.event(cx, format)];
            Ok(Done { outcome: plan, events })
        })?;
        self.read(cx, |view| {
            if cx.dry_run {
                return Ok((plan.events, self.sign(view.tree())?));
            }
            plan.hand_out(view, cx, filter, take)?;
            Ok((plan.events, self.sign((plan.size(), view.root_at(plan.size())?))?))
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
            let own = self.verifier_key()?;
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

    fn review_state(&self, cx: &Context) -> Result<ReviewState> {
        self.read(cx, |view| audit_review::state(view, cx))
    }

    fn review_summary(&self, cx: &Context) -> Result<(ReviewState, Vec<Tally>)> {
        self.read(cx, |view| audit_review::summary(view, cx))
    }

    fn review(&self, cx: &Context, upto: u64, note: &str) -> Result<ReviewState> {
        self.change(cx, Action::AuditReview, TRAIL, |tx| audit_review::review(tx, cx, upto, note))
    }

    fn archive_audit(&self, cx: &Context, before: Time, file: &Path) -> Result<Option<Archived>> {
        let archived = self.archive(cx, before, file);
        if let Err(error) = &archived {
            self.record_refusal(cx, Action::AuditArchive, TRAIL, error)?;
        }
        archived
    }

    fn read_audit_archive(
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

    fn checkpoint(&self, cx: &Context, to: &[String]) -> Result<SignedCheckpoint> {
        if to.is_empty() {
            self.verifier_key()?;
        } else {
            let vault_id = &self.store().meta().vault_id;
            self.change(cx, Action::AuditCheckpoint, vault_id, |_| {
                let events = vec![cx.event(Action::AuditCheckpoint, vault_id, json!({ "to": to }))];
                Ok(Done { outcome: (), events })
            })?;
        }
        self.read(cx, |view| {
            let signed = self.sign(view.tree())?;
            if !cx.read_only && !cx.dry_run {
                self.remember(view, &signed);
            }
            Ok(signed)
        })
    }

    fn prove_audit(&self, cx: &Context, seq: u64, size: Option<u64>) -> Result<AuditProof> {
        self.read(cx, |view| {
            ops::audit::may_view(view, cx)?;
            let size = size.unwrap_or_else(|| view.trail_size());
            let found = view.prove(seq, size)?.ok_or_else(|| {
                Error::not_found(format!("no event {seq} in a trail of {size}")).hint("keyward audit list --limit 1")
            })?;
            let body = String::from_utf8(found.body)
                .map_err(|_| Error::new(Kind::Integrity, "trail_tampered", format!("event {seq} is no text")))?;
            let checkpoint = self.sign((found.size, found.root))?;
            Ok(AuditProof { seq, body, leaf: found.leaf, proof: found.proof, checkpoint })
        })
    }
}

fn key_needed() -> Error {
    Error::usage("this slot has the role support: it does not know the key that signs checkpoints")
        .hint("add --public-key KEY, as `keyward audit checkpoint --public-key` of an admin prints it")
}
