//! Checkpoints of the trail: signed, compared with what the trail is now, and what a proof is checked against.

use super::{
    audit,
    case::{Ask, Method, Route, UseCase},
    context::Context,
    error::{Error, Kind, Result},
    support_refused,
};
use crate::{
    domain::{
        Permission,
        checkpoint::{Checkpoint, CheckpointError, Note, VerifierKey, origin_of},
        counted,
        merkle::Hash,
    },
    store::View,
    vault::Capabilities,
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

/// What a checkpoint is for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct MakeCheckpoint {
    /// The places it is about to be sent to, which is recorded; nothing is recorded without any.
    pub places: Vec<String>,
}

/// An event to be proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct ProveEvent {
    /// Its number.
    pub seq: u64,
    /// The size of the trail; as it is now unless told.
    #[serde(default)]
    #[cfg_attr(test, schema(value_type = Option<i64>, minimum = 1))]
    pub size: Option<u64>,
}

impl UseCase for MakeCheckpoint {
    type Outcome = SignedCheckpoint;
    const PERMISSION: Permission = Permission::ReadAudit;
    const ROUTE: Route = Route {
        optional_body: true,
        summary: "Sign the trail as it is",
        description: "Where it is about to be sent somewhere, that is recorded first, and the checkpoint covers its own event.",
        answers: &[(200, "The checkpoint.")],
        ..Route::new(Method::Post, "/v1/audit/checkpoint", "checkpoint_trail", "audit")
    };

    fn target(&self) -> String {
        "trail".to_owned()
    }
}

impl UseCase for ProveEvent {
    type Outcome = AuditProof;
    const PERMISSION: Permission = Permission::ReadAudit;
    const ROUTE: Route = Route {
        query: &["size"],
        summary: "Prove that an event is in the trail",
        answers: &[(200, "The proof, against a checkpoint.")],
        ..Route::new(Method::Get, "/v1/audit/{seq}/proof", "prove_event", "audit")
    };

    fn target(&self) -> String {
        "trail".to_owned()
    }
}

impl Ask for ProveEvent {
    const TELLS_REFUSAL: bool = true;

    fn ask(&self, view: &View<'_>, caps: &Capabilities, cx: &Context) -> Result<AuditProof> {
        let seq = self.seq;
        audit::may_view(view, cx)?;
        // The public part names what was done on what: an operator sees that of its own workspace alone.
        if cx.authority.bound_to().is_some() {
            audit::show(view, cx, seq)?;
        }
        let size = self.size.unwrap_or_else(|| view.trail_size());
        let found = view.prove(seq, size)?.ok_or_else(|| {
            Error::not_found(format!("no event {seq} in a trail of {size}")).hint("keyward audit list --limit 1")
        })?;
        let body = String::from_utf8(found.body)
            .map_err(|_| Error::new(Kind::Integrity, "trail_tampered", format!("event {seq} is no text")))?;
        let checkpoint = sign(caps, (found.size, found.root))?;
        Ok(AuditProof { seq, body, leaf: found.leaf, proof: found.proof, checkpoint })
    }
}

/// The key that checks the checkpoints of a vault.
///
/// # Errors
/// `Forbidden` for a support slot.
pub fn verifier_key(caps: &Capabilities) -> Result<VerifierKey> {
    named(caps, &caps.checkpoint_key().ok_or_else(support_refused)?)
}

/// Such a key, under the name of its vault.
///
/// # Errors
/// `Internal` when the vault's id makes no name.
pub fn named(caps: &Capabilities, key: &[u8; 32]) -> Result<VerifierKey> {
    let unusable = || Error::new(Kind::Internal, "checkpoint_key", "the vault's id makes no name for a checkpoint key");
    VerifierKey::new(origin_of(&caps.vault_id), key).ok_or_else(unusable)
}

/// Signs a trail of that size and root.
///
/// # Errors
/// `Forbidden` for a support slot.
pub fn sign(caps: &Capabilities, (size, root): (u64, Hash)) -> Result<SignedCheckpoint> {
    let key = verifier_key(caps)?;
    let checkpoint = Checkpoint { origin: key.origin().to_owned(), size, root };
    let text = checkpoint.text();
    let signature = caps.sign_checkpoint(&text).ok_or_else(support_refused)?;
    Ok(SignedCheckpoint { checkpoint, note: Note::signed(text, &key, &signature), key })
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
