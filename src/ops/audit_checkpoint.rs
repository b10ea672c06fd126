//! Checkpoints of the trail: signed, compared with what the trail is now, and what a proof is checked against.

use super::error::{Error, Kind, Result};
use crate::domain::{
    checkpoint::{Checkpoint, CheckpointError, Note, VerifierKey},
    counted,
    merkle::Hash,
};
use serde::{Deserialize, Serialize};

/// A checkpoint as it is handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// What is signed.
    pub checkpoint: Checkpoint,
    /// The signed note.
    pub note: Note,
    /// The key that checks it.
    pub key: VerifierKey,
}

/// That an event is in the trail of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditProof {
    /// The event, from 1.
    pub seq: u64,
    /// Its public part, the bytes that the leaf hashes.
    pub body: String,
    /// The leaf hash.
    pub leaf: Hash,
    /// The hashes beside the path from the leaf to the root.
    pub proof: Vec<Hash>,
    /// What it is proven against.
    pub checkpoint: SignedCheckpoint,
}

/// The first line of an archive of the trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveHeader {
    /// What kind of file it is.
    pub schema: String,
    /// Whose events.
    pub vault_id: String,
    /// The first of them.
    pub first: u64,
    /// The last.
    pub last: u64,
    /// The right edge of the tree before the first, in base64.
    pub edge: Vec<String>,
    /// The signed checkpoint of the tree after the last.
    pub checkpoint: String,
}

impl ArchiveHeader {
    /// What kind of file it is.
    pub const SCHEMA: &str = "keyward.audit-archive/v1";
}

/// A checkpoint that somebody kept, and where it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptCheckpoint {
    /// The file, for messages.
    pub place: String,
    /// The signed note.
    pub note: Note,
}

impl KeptCheckpoint {
    /// The checkpoints of a text, in which many may stand one after the other.
    ///
    /// # Errors
    /// `Integrity` when it holds none, or anything else.
    pub fn read(place: &str, text: &str) -> Result<Vec<Self>> {
        let notes = Note::parse_all(text).map_err(|error| not_believed(place, error))?;
        Ok(notes.into_iter().map(|note| Self { place: place.to_owned(), note }).collect())
    }
}

/// The reasons of a checkpoint that is malformed, of another vault, or not signed by this one's key.
pub const NOT_BELIEVED: [&str; 3] = ["checkpoint_malformed", "checkpoint_of_another_vault", "checkpoint_forged"];

fn not_believed(place: &str, error: CheckpointError) -> Error {
    let reason = match error {
        CheckpointError::Malformed => NOT_BELIEVED[0],
        CheckpointError::OtherOrigin => NOT_BELIEVED[1],
        CheckpointError::BadSignature | CheckpointError::Unsigned => NOT_BELIEVED[2],
    };
    Error::new(Kind::Integrity, reason, format!("the checkpoint in {place} is not to be believed"))
        .cause(error.to_string())
        .hint("keyward audit checkpoint --public-key  (prints the key that signs this vault's checkpoints)")
}

/// Checks the signatures of checkpoints, the smallest trail first.
///
/// # Errors
/// `Integrity`, with the place of the first that is not to be believed.
pub fn believe(kept: &[KeptCheckpoint], key: &VerifierKey) -> Result<Vec<(String, Checkpoint)>> {
    believe_any(kept, key, &[])
}

/// The same by the key that signs now, or by one that did: such a one is believed up to the event before it was replaced.
///
/// # Errors
/// As [`believe`].
pub fn believe_any(
    kept: &[KeptCheckpoint],
    key: &VerifierKey,
    former: &[(VerifierKey, u64)],
) -> Result<Vec<(String, Checkpoint)>> {
    let mut believed = Vec::with_capacity(kept.len());
    for KeptCheckpoint { place, note } in kept {
        let before = |error| {
            let signed = former
                .iter()
                .find_map(|(key, events)| note.verify(key).ok().filter(|checkpoint| checkpoint.size <= *events));
            signed.ok_or(error)
        };
        let checkpoint = note.verify(key).or_else(before).map_err(|error| not_believed(place, error))?;
        believed.push((place.clone(), checkpoint));
    }
    believed.sort_by_key(|(_, checkpoint)| checkpoint.size);
    Ok(believed)
}

/// Compares checkpoints, the smallest first, with the roots that a trail of `events` really has.
///
/// # Errors
/// `Integrity`: the trail is shorter than a checkpoint says, or is not its continuation.
pub fn compare(believed: &[(String, Checkpoint)], events: u64, roots: &[(u64, Hash)]) -> Result<()> {
    let mut good = 0;
    for (place, checkpoint) in believed {
        let size = checkpoint.size;
        if size > events {
            return Err(Error::new(
                Kind::Integrity,
                "trail_shorter_than_checkpoint",
                format!("event {} is missing: the checkpoint in {place} has {}", events + 1, counted(size, "event")),
            )
            .cause("the trail was cut, or an older copy was put in its place")
            .hint("keyward vault restore FILE  (from a backup that is newer)"));
        }
        if !roots.contains(&(size, checkpoint.root)) {
            return Err(Error::new(
                Kind::Integrity,
                "trail_rewritten",
                format!("the trail does not continue the checkpoint in {place}: its first {size} events are others now"),
            )
            .cause(format!("up to event {good} nothing contradicts a checkpoint; event {} is the first suspect", good + 1))
            .hint("only somebody with the vault's keys can do that, or a restore of an older backup: keyward audit list --action vault.restore"));
        }
        good = size;
    }
    Ok(())
}
