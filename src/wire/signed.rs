//! What is signed of the audit trail, and who has looked at it: checkpoints, proofs, reviews.

use crate::{
    domain::{
        merkle::Hash,
        time::{format_time, parse_time},
    },
    ops::{
        Error, Kind, Result,
        audit_checkpoint::{AuditProof, KeptCheckpoint, SignedCheckpoint},
        audit_review::{ReviewState, Tally},
    },
};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

/// What a checkpoint is for.
#[derive(Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct MakeCheckpoint {
    /// The places it is about to be sent to, which is recorded; nothing is recorded without any.
    pub places: Vec<String>,
}

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

/// That somebody has looked at the trail.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RecordReview {
    /// Up to which event.
    pub upto: u64,
    /// What was looked at, and what came of it.
    pub note: String,
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

/// Whether to tell what has happened since.
#[derive(Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::IntoParams))]
#[cfg_attr(test, into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct ReviewParameters {
    /// Also tell what has happened since, by actor, action and outcome.
    #[cfg_attr(test, param(required = false))]
    #[serde(default)]
    pub summary: bool,
}

/// The size of the tree that an event is proven in.
#[derive(Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::IntoParams))]
#[cfg_attr(test, into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct ProofParameters {
    /// The size of the trail; as it is now unless told.
    #[cfg_attr(test, param(value_type = Option<i64>, minimum = 1))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
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

impl From<&SignedCheckpoint> for CheckpointReply {
    fn from(signed: &SignedCheckpoint) -> Self {
        Self {
            schema: "keyward.audit-checkpoint/v1".to_owned(),
            size: signed.checkpoint.size,
            note: signed.note.to_string(),
            key: signed.key.to_string(),
        }
    }
}

impl From<&AuditProof> for ProofReply {
    fn from(proven: &AuditProof) -> Self {
        Self {
            schema: "keyward.audit-proof/v1".to_owned(),
            seq: proven.seq,
            body: proven.body.clone(),
            leaf: STANDARD.encode(proven.leaf),
            proof: proven.proof.iter().map(|hash| STANDARD.encode(hash)).collect(),
            note: proven.checkpoint.note.to_string(),
            key: proven.checkpoint.key.to_string(),
        }
    }
}

impl TryFrom<ProofReply> for AuditProof {
    type Error = Error;

    fn try_from(reply: ProofReply) -> Result<Self> {
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

impl ReviewReply {
    /// How far the trail is reviewed, and what has happened since.
    #[must_use]
    pub fn of(state: ReviewState, since: Vec<Tally>) -> Self {
        Self {
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
}

impl TryFrom<ReviewReply> for (ReviewState, Vec<Tally>) {
    type Error = Error;

    fn try_from(reply: ReviewReply) -> Result<Self> {
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
        Ok((state, reply.since))
    }
}
