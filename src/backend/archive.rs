//! Archives of the trail: old events in a file of their own, sealed, and checked by whoever has the vault or, as far as
//! hashes go, by whoever has a checkpoint.
//!
//! A line of JSON an event, after one that says which events of which vault, what the tree looked like before them, and
//! the signed checkpoint of the tree after them.

use super::local::Local;
use crate::{
    domain::{Action, Recorded, Time, time::format_time},
    files,
    ops::{
        Context, Error, Kind, Result,
        audit_checkpoint::{ArchiveHeader, sign},
        audit_offline::ArchiveLine,
        commit::commit,
    },
    store::{ArchivedEvent, View},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use std::{
    fs::File,
    io::{BufRead, BufReader, BufWriter, Write},
    path::Path,
};

/// What was archived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archived {
    /// The first event in the file.
    pub first: u64,
    /// The last.
    pub last: u64,
}

impl Local {
    /// Moves the events before a time to a new file. The file is durable before anything is cut.
    pub(super) fn archive(&self, cx: &Context, before: Time, file: &Path) -> Result<Option<Archived>> {
        cx.writable()?;
        if file.symlink_metadata().is_ok() {
            return Err(Error::cannot_write(file, &std::io::ErrorKind::AlreadyExists.into()));
        }
        let mut tx = self.begin(cx)?;
        let Some(last) = tx.last_before(before)? else { return Ok(None) };
        let archived = Archived { first: tx.first_event(), last };
        if cx.dry_run {
            return Ok(Some(archived));
        }
        let written = self.write_archive(&tx, &archived, file).and_then(|()| {
            tx.cut_trail(last)?;
            let changes = json!({
                "first": archived.first, "last": last, "before": format_time(before), "file": file.display().to_string(),
            });
            commit(tx, cx, vec![cx.event(Action::AuditArchive, self.store().meta().vault_id.clone(), changes)])
        });
        if let Err(error) = written {
            // Nothing was cut: the file would only be mistaken for an archive.
            let _ = std::fs::remove_file(file);
            return Err(error);
        }
        // What was cut is free for new rows in any case.
        match self.store().shrink() {
            Ok(()) | Err(crate::store::Error::Busy) => {}
            Err(error) => return Err(error.into()),
        }
        self.store().truncate_log()?;
        Ok(Some(archived))
    }

    fn write_archive(&self, view: &View<'_>, archived: &Archived, file: &Path) -> Result<()> {
        let failed = |error: std::io::Error| Error::cannot_write(file, &error);
        let mut out = BufWriter::new(files::create_private(file).map_err(failed)?);
        let signed = sign(self.store().capabilities(), (archived.last, view.root_at(archived.last)?))?;
        let header = ArchiveHeader {
            schema: ArchiveHeader::SCHEMA.to_owned(),
            vault_id: self.store().meta().vault_id.clone(),
            first: archived.first,
            last: archived.last,
            edge: view.edge(archived.first - 1)?.iter().map(|hash| STANDARD.encode(hash)).collect(),
            checkpoint: signed.note.to_string(),
        };
        write_line(&mut out, &header).map_err(failed)?;
        view.for_archive(archived.last, |event: ArchivedEvent| {
            let body = String::from_utf8(event.body).map_err(|_| {
                Error::new(Kind::Integrity, "trail_tampered", format!("event {} is no text", event.seq))
            })?;
            let line = ArchiveLine { seq: event.seq, body, sealed: STANDARD.encode(event.sealed) };
            write_line(&mut out, &line).map_err(failed)
        })?;
        let file = out.into_inner().map_err(|error| failed(error.into_error()))?;
        file.sync_all().map_err(failed)
    }

    /// Opens every event of an archive and compares it with what the trail remembers of it; all must be there.
    pub(super) fn read_archive(
        &self,
        view: &View<'_>,
        file: &Path,
        take: &mut dyn FnMut(&Recorded) -> Result<()>,
    ) -> Result<u64> {
        let damaged =
            |what: String| Error::new(Kind::Integrity, "archive_damaged", format!("{}: {what}", file.display()));
        let opened = File::open(file).map_err(|error| {
            Error::new(Kind::Usage, "input", format!("cannot read {}", file.display())).cause(error.to_string())
        })?;
        let mut lines = BufReader::new(opened).lines();
        let header = lines.next().and_then(Result::ok);
        let header: ArchiveHeader = header
            .and_then(|line| serde_json::from_str(&line).ok())
            .filter(|header: &ArchiveHeader| header.schema == ArchiveHeader::SCHEMA)
            .ok_or_else(|| damaged("it is no archive of a trail".to_owned()))?;
        if header.vault_id != self.store().meta().vault_id {
            return Err(damaged("it is an archive of another vault".to_owned()));
        }
        let mut next = header.first;
        for line in lines {
            let line = line.map_err(|error| damaged(error.to_string()))?;
            let line: ArchiveLine =
                serde_json::from_str(&line).map_err(|_| damaged(format!("event {next} does not parse")))?;
            if line.seq != next {
                return Err(damaged(format!("event {next} is missing")));
            }
            let sealed = STANDARD.decode(&line.sealed).map_err(|_| damaged(format!("event {next} does not parse")))?;
            let event = ArchivedEvent { seq: line.seq, body: line.body.into_bytes(), sealed };
            take(&view.open_archived(&event).map_err(|error| damaged(error.to_string()))?)?;
            next += 1;
        }
        if next != header.last + 1 {
            return Err(damaged(format!("event {next} is missing")));
        }
        Ok(next - header.first)
    }
}

fn write_line(out: &mut impl Write, line: &impl serde::Serialize) -> std::io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}
