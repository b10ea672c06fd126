//! The audit trail through a server.

use super::Remote;
use crate::{
    backend::{AuditReport, Trail, VerifyAudit, only_local},
    domain::Recorded,
    ops::{
        AuditFilter, AuditList, Context, Error, Kind, Result, audit_checkpoint::SignedCheckpoint,
        audit_export::Exported,
    },
    wire::audit::{EventPage, ExportEnd, ExportedLine, Kept, MAX_EVENTS, TrailReport, VerifyTrail, query_of},
};
use std::io::{BufRead, BufReader, Read};

/// No event is longer.
const LONGEST_LINE: u64 = 64 * 1024 * 1024;

impl Remote {
    fn events(&self, cx: &Context, filter: &AuditFilter) -> Result<EventPage> {
        self.get(Some(cx), &["v1", "audit"], &query_of(filter))
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
}
