//! What is signed of the audit trail, and who has looked at it: checkpoints, proofs, reviews.

use super::told::Told;
use crate::{
    domain::{
        merkle::Hash,
        time::{format_time, parse_time},
    },
    ops::{
        Error, Kind, Result,
        audit_checkpoint::{AuditProof, KeptCheckpoint, SignedCheckpoint},
        audit_review::{ReviewState, Reviewed, Tally},
    },
};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

/// A checkpoint: the size and the root of the trail, signed.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = Checkpoint))]
pub struct CheckpointReply {
    /// `keyward.audit-checkpoint/v1`.
    pub schema: String,
    /// How many events it covers.
    pub size: u64,
    /// The checkpoint as a signed note.
    pub note: String,
    /// The key that signed it.
    pub key: String,
}

/// That an event is in the trail.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = EventProof))]
pub struct ProofReply {
    /// `keyward.audit-proof/v1`.
    pub schema: String,
    /// The number of the event.
    pub seq: u64,
    /// Its public part, the bytes that are hashed.
    pub body: String,
    /// The leaf hash, base64.
    pub leaf: String,
    /// The hashes beside the path from the leaf to the root, base64.
    pub proof: Vec<String>,
    /// The checkpoint that it is proven against, as a signed note.
    pub note: String,
    /// The key that signed it.
    pub key: String,
}

/// How far the trail is reviewed, and what has happened since.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = Review))]
pub struct ReviewReply {
    /// `keyward.audit-review/v1`.
    pub schema: String,
    /// Up to this event; 0 when nobody ever reviewed it.
    pub upto: u64,
    /// When the last review was recorded.
    pub at: Option<String>,
    /// By whom.
    pub by: Option<String>,
    /// What the reviewer noted.
    pub note: Option<String>,
    /// How many events came after it.
    pub unreviewed: u64,
    /// Whose reviews count, as the workspace says; anybody's when empty.
    #[serde(default)]
    pub reviewers: Vec<String>,
    /// How long the trail may go without one, as the workspace says.
    #[serde(default)]
    pub every_seconds: Option<i64>,
    /// Of a review that was just recorded: whether it counts.
    #[serde(default = "yes")]
    pub counts: bool,
    /// What has happened since, where that was asked for.
    #[serde(default)]
    pub since: Vec<Tally>,
}

fn yes() -> bool {
    true
}

fn damaged(what: &str) -> Error {
    Error::new(Kind::Failure, "reply", format!("the server's reply holds {what}"))
}

/// The checkpoint of a signed note, if its signature is that of the key.
///
/// # Errors
/// `Failure` when it is not.
pub fn signed(note: &str, key: &str) -> Result<SignedCheckpoint> {
    let key = key.parse().map_err(|_| damaged("a key that is none"))?;
    let note = KeptCheckpoint::read("the server's reply", note)?.pop().ok_or_else(|| damaged("no checkpoint"))?.note;
    let checkpoint = note.verify(&key).map_err(|_| damaged("a checkpoint that its key did not sign"))?;
    Ok(SignedCheckpoint { checkpoint, note, key })
}

impl Told for SignedCheckpoint {
    type Body = CheckpointReply;

    fn tell(self) -> CheckpointReply {
        CheckpointReply {
            schema: "keyward.audit-checkpoint/v1".to_owned(),
            size: self.checkpoint.size,
            note: self.note.to_string(),
            key: self.key.to_string(),
        }
    }

    fn read(reply: CheckpointReply) -> Result<Self> {
        signed(&reply.note, &reply.key)
    }
}

impl Told for AuditProof {
    type Body = ProofReply;

    fn tell(self) -> ProofReply {
        ProofReply {
            schema: "keyward.audit-proof/v1".to_owned(),
            seq: self.seq,
            body: self.body,
            leaf: STANDARD.encode(self.leaf),
            proof: self.proof.iter().map(|hash| STANDARD.encode(hash)).collect(),
            note: self.checkpoint.note.to_string(),
            key: self.checkpoint.key.to_string(),
        }
    }

    fn read(reply: ProofReply) -> Result<Self> {
        let hash = |text: &String| -> Result<Hash> {
            let bytes = STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
            bytes.ok_or_else(|| damaged("a hash that is none"))
        };
        Ok(Self {
            seq: reply.seq,
            leaf: hash(&reply.leaf)?,
            proof: reply.proof.iter().map(hash).collect::<Result<_>>()?,
            checkpoint: signed(&reply.note, &reply.key)?,
            body: reply.body,
        })
    }
}

impl Told for Reviewed {
    type Body = ReviewReply;

    fn tell(self) -> ReviewReply {
        let Self { state, since } = self;
        ReviewReply {
            schema: "keyward.audit-review/v1".to_owned(),
            upto: state.upto,
            at: state.at.map(format_time),
            by: state.by,
            note: state.note,
            unreviewed: state.unreviewed,
            every_seconds: state.every.map(|every| every.num_seconds()),
            reviewers: state.reviewers,
            counts: state.counts,
            since,
        }
    }

    fn read(reply: ReviewReply) -> Result<Self> {
        let at = reply.at.map(|at| parse_time(&at).map_err(|_| damaged("a time that is none"))).transpose()?;
        let every = reply.every_seconds.map(|every| TimeDelta::try_seconds(every).ok_or_else(|| damaged("no period")));
        let state = ReviewState {
            upto: reply.upto,
            at,
            by: reply.by,
            note: reply.note,
            unreviewed: reply.unreviewed,
            reviewers: reply.reviewers,
            every: every.transpose()?,
            counts: reply.counts,
        };
        Ok(Self { state, since: reply.since })
    }
}

impl Told for ReviewState {
    type Body = ReviewReply;

    fn tell(self) -> ReviewReply {
        Reviewed { state: self, since: Vec::new() }.tell()
    }

    fn read(reply: ReviewReply) -> Result<Self> {
        Ok(Reviewed::read(reply)?.state)
    }
}
