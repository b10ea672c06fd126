//! The audit trail through a server.

use super::{Remote, calls::only_local};
use crate::{
    backend::{Archived, AuditReport, Trail, VerifyAudit},
    domain::{Recorded, Time},
    ops::{
        AuditFilter, AuditList, Context, Error, Kind, Result,
        audit_checkpoint::{AuditProof, SignedCheckpoint},
        audit_export::Exported,
        audit_review::{ReviewState, Tally},
    },
    wire::{
        audit::{EventPage, EventReply, ExportEnd, ExportedLine, Kept, MAX_EVENTS, TrailReport, VerifyTrail, query_of},
        signed::{CheckpointReply, MakeCheckpoint, ProofReply, RecordReview, ReviewReply, signed},
    },
};
use reqwest::Method;
use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
};

/// No event is longer.
const LONGEST_LINE: u64 = 64 * 1024 * 1024;

impl Remote {
    fn events(&self, cx: &Context, filter: &AuditFilter) -> Result<EventPage> {
        self.get(Some(cx), &["v1", "audit"], &query_of(filter))
    }

    fn reviewed(&self, cx: &Context, summary: bool) -> Result<(ReviewState, Vec<Tally>)> {
        let query = [("summary", summary.to_string())];
        self.get::<ReviewReply>(Some(cx), &["v1", "audit", "review"], &query)?.try_into()
    }
}

fn opened(page: EventPage) -> Result<Vec<Recorded>> {
    page.items.into_iter().map(Recorded::try_from).collect()
}

impl Trail for Remote {
    fn audit(&self, cx: &Context, filter: &AuditFilter) -> Result<AuditList> {
        if filter.limit.is_some_and(|limit| limit <= MAX_EVENTS) {
            let page = self.events(cx, filter)?;
            let total = page.page.total;
            return Ok(AuditList { items: opened(page)?, total });
        }
        let mut whole = AuditList { items: Vec::new(), total: 0 };
        let mut part = AuditFilter { limit: None, ..filter.clone() };
        loop {
            let page = self.events(cx, &part)?;
            let next = page.page.next.clone();
            whole.total += page.page.total;
            whole.items.extend(opened(page)?);
            match next.and_then(|next| next.parse().ok()) {
                Some(after) => part.after = after,
                None => break,
            }
        }
        let over = whole.items.len().saturating_sub(filter.limit.unwrap_or(usize::MAX));
        whole.items.drain(..over);
        Ok(whole)
    }

    fn audit_event(&self, cx: &Context, seq: u64) -> Result<Recorded> {
        let reply: EventReply = self.get(Some(cx), &["v1", "audit", &seq.to_string()], &[])?;
        reply.event.try_into()
    }

    fn export_audit(
        &self,
        cx: &Context,
        filter: &AuditFilter,
        format: &str,
        take: &mut dyn FnMut(&Exported) -> Result<()>,
    ) -> Result<(usize, SignedCheckpoint)> {
        let mut query = query_of(filter);
        query.push(("format", format.to_owned()));
        let cut = |cause: String| {
            Error::new(Kind::Unavailable, "network", "the export was cut: its last line is missing").cause(cause)
        };
        let mut lines = BufReader::new(self.stream(cx, &["v1", "audit", "export"], &query)?);
        loop {
            let mut line = String::new();
            // An event is bounded; a line that never ends is none.
            let read = lines.by_ref().take(LONGEST_LINE).read_line(&mut line);
            if read.map_err(|error| cut(error.to_string()))? == 0 {
                return Err(cut("the connection ended".to_owned()));
            }
            let bad = |error: serde_json::Error| {
                Error::new(Kind::Failure, "reply", "a line of the export is not understood").cause(error.to_string())
            };
            if let Ok(end) = serde_json::from_str::<ExportEnd>(&line) {
                return Ok((end.events, end.checkpoint()?));
            }
            let line: ExportedLine = serde_json::from_str(&line).map_err(bad)?;
            take(&line.try_into()?)?;
        }
    }

    fn audit_size(&self, cx: &Context) -> Result<u64> {
        Ok(self.events(cx, &AuditFilter { limit: Some(0), ..AuditFilter::default() })?.size)
    }

    fn verify_audit(&self, cx: &Context, request: VerifyAudit<'_>) -> Result<AuditReport> {
        if !request.archives.is_empty() {
            return Err(only_local("an archive"));
        }
        let kept = request.checkpoints.iter();
        let body = VerifyTrail {
            full: request.full,
            checkpoints: kept.map(|one| Kept { place: one.place.clone(), note: one.note.to_string() }).collect(),
            key: request.key.map(|key| key.to_string()),
        };
        let report: TrailReport = self.ask(cx, &["v1", "audit", "verify"], &body)?;
        Ok(AuditReport {
            events: report.events,
            keys: report.keys,
            epoch: report.epoch,
            root: report.root,
            checkpoints: report.checkpoints,
            archived: 0,
        })
    }

    fn checkpoint(&self, cx: &Context, to: &[String]) -> Result<SignedCheckpoint> {
        let (path, body) = (["v1", "audit", "checkpoint"], MakeCheckpoint { places: to.to_vec() });
        let reply: CheckpointReply =
            if to.is_empty() { self.ask(cx, &path, &body)? } else { self.change(cx, Method::POST, &path, &[], &body)? };
        signed(&reply.note, &reply.key)
    }

    fn review_state(&self, cx: &Context) -> Result<ReviewState> {
        Ok(self.reviewed(cx, false)?.0)
    }

    fn review_summary(&self, cx: &Context) -> Result<(ReviewState, Vec<Tally>)> {
        self.reviewed(cx, true)
    }

    fn review(&self, cx: &Context, upto: u64, note: &str) -> Result<ReviewState> {
        let body = RecordReview { upto, note: note.to_owned() };
        let reply: ReviewReply = self.change(cx, Method::POST, &["v1", "audit", "review"], &[], &body)?;
        let (state, _) = reply.try_into()?;
        Ok(state)
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

    fn prove_audit(&self, cx: &Context, seq: u64, size: Option<u64>) -> Result<AuditProof> {
        let query: Vec<_> = size.map(|size| ("size", size.to_string())).into_iter().collect();
        self.get::<ProofReply>(Some(cx), &["v1", "audit", &seq.to_string(), "proof"], &query)?.try_into()
    }
}
