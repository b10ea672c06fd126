//! The door of a key's holder.

use super::{keys::exposed, told::Told};
use crate::{
    domain::{Lookup, serde_text},
    ops::{Result, RotationView, SelfRevoked, SelfView, Staged},
};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// What the holder of a key is told of it.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct SelfReply {
    /// `keyward.self/v1`.
    pub schema: String,
    /// The key, and the version of its secret that was shown.
    #[serde(rename = "self")]
    pub held: SelfView,
}

impl Told for SelfView {
    type Body = SelfReply;

    fn tell(self) -> SelfReply {
        SelfReply { schema: "keyward.self/v1".to_owned(), held: self }
    }

    fn read(reply: SelfReply) -> Result<Self> {
        Ok(reply.held)
    }
}

/// What a holder has ended.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct SelfRevokedReply {
    /// `keyward.self-revoked/v1`.
    pub schema: String,
    /// What works no more.
    pub revoked: SelfRevoked,
}

impl Told for SelfRevoked {
    type Body = SelfRevokedReply;

    fn tell(self) -> SelfRevokedReply {
        SelfRevokedReply { schema: "keyward.self-revoked/v1".to_owned(), revoked: self }
    }

    fn read(reply: SelfRevokedReply) -> Result<Self> {
        Ok(reply.revoked)
    }
}

/// A rotation that the holder of a key begins or goes on with.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(example = json!({"sinks": ["file:/run/key"]})))]
pub struct HeldStage {
    /// Where the secret will go; one place, or none where the answer is all.
    #[cfg_attr(test, schema(max_items = 1))]
    pub sinks: Vec<String>,
    /// The sinks that can be asked what they hold. Where one of them may hold the secret of an interrupted delivery, the answer is
    /// the turn in that rotation and no secret, so that the caller can ask first.
    #[cfg_attr(test, schema(max_items = 1))]
    pub ask_back: Vec<String>,
    /// The turn that such an answer gave.
    pub lease: Option<String>,
    /// The hand-over follows at once: the intent is recorded with the staging.
    pub intend: bool,
    /// The same idempotency key within 24 hours names the same rotation; the header says it, too.
    pub idempotency_key: Option<String>,
}

/// What came of it, with the new secret where one was minted.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct HeldStaged {
    /// `keyward.rotation/v1`.
    pub schema: String,
    /// Until when the secret that was shown will work after the commit.
    #[cfg_attr(test, schema(value_type = Option<String>, format = DateTime))]
    pub old_valid_until: Option<crate::domain::Time>,
    /// The rotation.
    pub rotation: Option<RotationView>,
    /// The new secret, the only time it is seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schema(value_type = Option<String>, example = "kw_prod_…"))]
    pub secret: Option<Zeroizing<String>>,
    /// The version of the secret that the steps to come are about.
    pub lookup: Option<String>,
    /// The secret arrived already: only the commit is missing.
    pub ready: bool,
    /// The turn in an interrupted rotation, whose sinks are to be asked before the next call.
    pub lease: Option<String>,
    /// A rotation that was interrupted goes on.
    pub resumed: bool,
    /// What the caller should know.
    pub note: Option<String>,
}

impl From<&Staged> for HeldStaged {
    fn from(staged: &Staged) -> Self {
        Self {
            schema: "keyward.rotation/v1".to_owned(),
            old_valid_until: staged.old_valid_until,
            rotation: staged.rotation.clone(),
            secret: exposed(staged.secret.as_ref()),
            lookup: staged.lookup.as_ref().map(Lookup::to_string),
            ready: staged.ready,
            lease: staged.lease.clone(),
            resumed: staged.resumed,
            note: staged.note.clone(),
        }
    }
}

/// How the holder of a key commits its rotation.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct HeldCommit {
    /// Sinks whose receipt comes with the commit.
    pub receipts: Vec<String>,
    /// Commits without receipt or use. Whoever shows the new secret needs it not.
    pub force: bool,
    /// Refuses while the old secret was seen in use within so many seconds.
    #[serde(with = "serde_text::optional_seconds")]
    #[cfg_attr(test, schema(value_type = Option<i64>, minimum = 1, maximum = 3_162_240_000_i64))]
    pub only_if_idle: Option<TimeDelta>,
}

/// A rotation that the holder of a key has committed.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct HeldRotated {
    /// `keyward.rotation/v1`.
    pub schema: &'static str,
    /// The rotation.
    pub rotation: RotationView,
    /// Until when the old secret works; null when it stopped at once.
    #[cfg_attr(test, schema(value_type = Option<String>, format = DateTime))]
    pub old_valid_until: Option<crate::domain::Time>,
}
