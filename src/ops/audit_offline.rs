//! Checking an export with no vault at all: the lines, a checkpoint, and the key that signed it.

use super::{
    audit_checkpoint::{ArchiveHeader, KeptCheckpoint, believe},
    audit_export::digest,
    error::{Error, Kind, Result},
};
use crate::domain::{
    Action,
    checkpoint::{Checkpoint, VerifierKey, origin_of},
    counted,
    merkle::{CompactRange, Hash, leaf_hash, verify_inclusion},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::io::BufRead;

/// What was found of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportReport {
    /// Its lines.
    pub events: u64,
    /// So many of them a checkpoint vouches for.
    pub proven: u64,
    /// Whether it is the trail from its first event on.
    pub whole: bool,
}

/// An event in an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveLine {
    /// Its number.
    pub seq: u64,
    /// The public part, exactly as it was hashed.
    pub body: String,
    /// The private part, sealed, in base64.
    pub sealed: String,
}

#[derive(Deserialize)]
struct Line {
    seq: u64,
    leaf: String,
    body: String,
    detail: String,
    tree_size: Option<u64>,
    proof: Option<Vec<String>>,
    #[serde(flatten)]
    shown: Shown,
    /// What no export has: nobody vouches for it, and a reader may believe it.
    #[serde(flatten)]
    unknown: serde_json::Map<String, Value>,
}

/// What a line shows to people, which its bytes must say too.
#[derive(Deserialize)]
struct Shown {
    at: String,
    actor: String,
    source: String,
    action: String,
    target: String,
    outcome: String,
    reason: Option<String>,
    ticket: Option<String>,
    #[serde(default)]
    workspace: Option<String>,
    changes: Value,
}

#[derive(Deserialize)]
struct Body {
    chain: String,
    seq: u64,
    prev: String,
    at: String,
    action: String,
    outcome: String,
    detail_hash: String,
}

#[derive(Deserialize)]
struct Detail {
    target: String,
    actor: String,
    source: String,
    reason: Option<String>,
    ticket: Option<String>,
    #[serde(default)]
    workspace: Option<String>,
    changes: Value,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hash(text: &str) -> Option<Hash> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

/// The lines so far.
struct Walk<'a> {
    checkpoints: &'a [(String, Checkpoint)],
    origin: &'a str,
    tree: CompactRange,
    leaves: Vec<Hash>,
    last: u64,
    whole: bool,
    proven: u64,
    ending: Option<(u64, String)>,
}

/// Checks an export against checkpoints and the key that signed them.
///
/// # Errors
/// `Integrity`, with the first line that is wrong and what is wrong with it; `Usage` when there is nothing to check
/// it against.
pub fn verify_export(mut reader: impl BufRead, kept: &[KeptCheckpoint], key: &VerifierKey) -> Result<ExportReport> {
    let checkpoints = believe(kept, key)?;
    let mut walk = Walk {
        checkpoints: &checkpoints,
        origin: key.origin(),
        tree: CompactRange::default(),
        leaves: Vec::new(),
        last: 0,
        whole: true,
        proven: 0,
        ending: None,
    };
    for (number, text) in (1..).zip(reader.by_ref().lines()) {
        let text = text.map_err(unreadable)?;
        if number == 1
            && let Ok(header) = serde_json::from_str::<ArchiveHeader>(&text)
            && header.schema == ArchiveHeader::SCHEMA
        {
            return verify_archive(&header, reader, &checkpoints, key);
        }
        let line: Line = serde_json::from_str(&text)
            .map_err(|error| tampered(format!("line {number} is no line of an export")).cause(error.to_string()))?;
        let seq = line.seq;
        walk.step(line).map_err(|what| tampered(format!("line {number}, event {seq}: {what}")))?;
    }
    walk.finish()
}

fn unreadable(error: std::io::Error) -> Error {
    Error::new(Kind::Unavailable, "io", "cannot read the file").cause(error.to_string())
}

/// An archive: the tree before it and its leaves must lead to the checkpoint after it, and that must be one of those
/// given, or signed like them.
fn verify_archive(
    header: &ArchiveHeader,
    reader: impl BufRead,
    checkpoints: &[(String, Checkpoint)],
    key: &VerifierKey,
) -> Result<ExportReport> {
    let mut believed = believe(&KeptCheckpoint::read("the archive", &header.checkpoint)?, key)?;
    believed.extend(checkpoints.iter().cloned());
    let edge = header.edge.iter().map(|text| hash(text)).collect::<Option<Vec<_>>>();
    let before = header.first.checked_sub(1).zip(edge).and_then(|(size, edge)| CompactRange::from_parts(size, edge));
    let mut tree = before.ok_or_else(|| tampered("the head of the archive is malformed".to_owned()))?;
    for (number, text) in (2..).zip(reader.lines()) {
        let line: ArchiveLine = serde_json::from_str(&text.map_err(unreadable)?)
            .map_err(|error| tampered(format!("line {number} is no line of an archive")).cause(error.to_string()))?;
        if line.seq != tree.size() + 1 {
            return Err(tampered(format!("event {} is missing", tree.size() + 1)));
        }
        tree.push(leaf_hash(line.body.as_bytes()), |_, _| {});
    }
    if tree.size() != header.last {
        return Err(tampered(format!("event {} is missing", tree.size() + 1)));
    }
    let of_size: Vec<_> = believed.iter().filter(|(_, checkpoint)| checkpoint.size == header.last).collect();
    if of_size.is_empty() || of_size.iter().any(|(_, checkpoint)| checkpoint.root != tree.root()) {
        return Err(tampered(format!("events {} to {} are not those of the checkpoint", header.first, header.last)));
    }
    let events = header.last + 1 - header.first;
    Ok(ExportReport { events, proven: events, whole: header.first == 1 })
}

fn tampered(message: String) -> Error {
    Error::new(Kind::Integrity, "export_tampered", message)
}

impl Walk<'_> {
    fn step(&mut self, line: Line) -> Result<(), &'static str> {
        let body: Body = serde_json::from_str(&line.body).map_err(|_| "its body does not parse")?;
        let detail: Detail = serde_json::from_str(&line.detail).map_err(|_| "its detail does not parse")?;
        let leaf = leaf_hash(line.body.as_bytes());
        if hash(&line.leaf) != Some(leaf) {
            return Err("its body does not have its hash");
        }
        if hex(&Sha256::digest(line.detail.as_bytes())) != body.detail_hash {
            return Err("its detail is not the one it was recorded with");
        }
        if origin_of(&body.chain) != self.origin {
            return Err("it is of another vault");
        }
        let shown = &line.shown;
        let same = body.seq == line.seq
            && (&shown.at, &shown.action, &shown.outcome) == (&body.at, &body.action, &body.outcome)
            && (&shown.actor, &shown.source, &shown.target) == (&detail.actor, &detail.source, &detail.target)
            && (&shown.reason, &shown.ticket, &shown.changes) == (&detail.reason, &detail.ticket, &detail.changes)
            && shown.workspace == detail.workspace;
        if !same {
            return Err("what it shows is not what was recorded");
        }
        if !line.unknown.is_empty() {
            return Err("it shows more than was recorded");
        }
        if body.seq <= self.last {
            return Err("it does not come after the one before it");
        }
        match (line.tree_size, line.proof) {
            (Some(size), Some(proof)) => self.included(body.seq, &leaf, size, &proof)?,
            _ => self.follows(&body, leaf)?,
        }
        self.ending = (body.action == Action::AuditExport.as_str()).then_some((body.seq, detail.changes.to_string()));
        self.last = body.seq;
        self.leaves.push(leaf);
        Ok(())
    }

    /// A line of a whole export: the next leaf of the tree.
    fn follows(&mut self, body: &Body, leaf: Hash) -> Result<(), &'static str> {
        if !self.whole || body.seq != self.last + 1 {
            return Err("events before it are missing, and it has no proof of its own");
        }
        if self.leaves.last().map_or_else(|| hex(&[0; 32]), |last| hex(last)) != body.prev {
            return Err("it does not follow the one before it");
        }
        self.tree.push(leaf, |_, _| {});
        for (_, checkpoint) in self.checkpoints.iter().filter(|(_, checkpoint)| checkpoint.size == body.seq) {
            if checkpoint.root != self.tree.root() {
                return Err("up to here the events are not those of the checkpoint");
            }
            self.proven = body.seq;
        }
        Ok(())
    }

    /// A line of an export that leaves lines out.
    fn included(&mut self, seq: u64, leaf: &Hash, size: u64, proof: &[String]) -> Result<(), &'static str> {
        if self.whole && self.last > 0 {
            return Err("lines before it have no proof");
        }
        self.whole = false;
        let proof: Vec<Hash> =
            proof.iter().map(|text| hash(text)).collect::<Option<_>>().ok_or("its proof does not parse")?;
        let mut of_size = self.checkpoints.iter().filter(|(_, checkpoint)| checkpoint.size == size).peekable();
        if of_size.peek().is_none() {
            return Err("no checkpoint has the size that its proof is for: keep the one that the export wrote");
        }
        if of_size.all(|(_, checkpoint)| seq > 0 && verify_inclusion(leaf, seq - 1, size, &proof, &checkpoint.root)) {
            self.proven += 1;
            Ok(())
        } else {
            Err("it is not in the tree of the checkpoint")
        }
    }

    fn finish(self) -> Result<ExportReport> {
        let events = self.leaves.len() as u64;
        if self.whole {
            let most = self.checkpoints.last().map_or(0, |(_, checkpoint)| checkpoint.size);
            if most > events {
                return Err(tampered(format!(
                    "event {} is missing: a checkpoint has {}",
                    events + 1,
                    counted(most, "event")
                ))
                .hint("if the checkpoint was made after the export, use an earlier one"));
            }
        } else {
            // The last line is the export's own event, which counts the lines before it.
            let ending = self.ending.as_ref().filter(|(seq, _)| *seq == self.last);
            let said: Option<Value> = ending.and_then(|(_, changes)| serde_json::from_str(changes).ok());
            let said = said.ok_or_else(|| tampered("its end is missing: the event of the export itself".to_owned()))?;
            let before = self.leaves.len() - 1;
            let found = hex(&digest(self.leaves.iter().take(before).copied()));
            if said["events"] != before || said["leaves"] != found {
                return Err(tampered(format!(
                    "lines are missing: there are {before}, and the export had {}",
                    said["events"]
                )));
            }
        }
        if self.proven == 0 {
            return Err(Error::usage("no checkpoint vouches for any line of it")
                .hint("add --checkpoint FILE with one that was made before or by the export"));
        }
        Ok(ExportReport { events, proven: self.proven, whole: self.whole })
    }
}
