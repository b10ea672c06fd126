//! Rotations as resources: staged, stepped through by whoever delivers, committed or aborted.

use super::{
    keys::{PageInfo, exposed, token},
    told::{Head, Told},
};
use crate::{
    domain::Lookup,
    ops::{
        Error, KeyView, Kind, OverlapWait, Reissued, Result, rotation::Rotated, rotation_view::RotationView,
        stage::Staged,
    },
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// What came of a staging, with the new secret where one was minted.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct StagedReply {
    /// `keyward.rotation/v1`.
    pub schema: String,
    /// The key.
    // Its holder is not told all of it.
    #[serde(default)]
    #[cfg_attr(test, schema(required = true))]
    pub key: KeyView,
    /// Until when the old secret will work after the commit.
    #[cfg_attr(test, schema(value_type = Option<String>, format = DateTime))]
    pub old_valid_until: Option<crate::domain::Time>,
    /// Its running or last rotation.
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

/// A key that was rotated in one call, with its new secret beside it.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct RotateReply {
    /// `keyward.key/v1`.
    pub schema: String,
    /// The key, with its new secret current.
    pub key: KeyView,
    /// The new secret, the only time it is seen; absent when nothing was minted, and in a dry run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schema(value_type = Option<String>, example = "kw_prod_…"))]
    pub secret: Option<Zeroizing<String>>,
    /// Until when the old secret works; null when it stopped at once.
    #[cfg_attr(test, schema(value_type = Option<String>, format = DateTime))]
    pub old_valid_until: Option<crate::domain::Time>,
    /// The rotation.
    pub rotation: Option<RotationView>,
    /// What the caller should know, such as that the idempotency key names a rotation that was done.
    pub note: Option<String>,
}

/// A rotation that was committed.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct RotatedReply {
    /// The key, with its new secret current.
    // Its holder is not told all of it.
    #[serde(default)]
    #[cfg_attr(test, schema(required = true))]
    pub key: KeyView,
    /// The rotation.
    pub rotation: RotationView,
    /// Until when the old secret works; null when it stopped at once.
    #[cfg_attr(test, schema(value_type = Option<String>, format = DateTime))]
    pub old_valid_until: Option<crate::domain::Time>,
}

/// One rotation.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct RotationReply {
    /// `keyward.rotation/v1`.
    #[serde(default)]
    pub schema: String,
    /// The rotation.
    pub rotation: RotationView,
}

/// Rotations.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct RotationList {
    /// `keyward.rotation-list/v1`.
    pub schema: String,
    /// The rotations.
    pub items: Vec<RotationView>,
    /// Where the page stands.
    pub page: PageInfo,
}

/// Old secrets whose end was looked at.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct OverlapList {
    /// `keyward.overlap-list/v1`.
    pub schema: String,
    /// Those that something was done about, or that end although they are in use.
    pub items: Vec<OverlapWait>,
}

impl Told for Staged {
    type Body = StagedReply;

    fn head(&self) -> Head {
        Head { status: self.secret.is_none().then_some(200), ..Head::default() }
    }

    fn tell(self) -> StagedReply {
        StagedReply {
            schema: "keyward.rotation/v1".to_owned(),
            key: self.key,
            old_valid_until: self.old_valid_until,
            rotation: self.rotation,
            secret: exposed(self.secret.as_ref()),
            lookup: self.lookup.as_ref().map(Lookup::to_string),
            ready: self.ready,
            lease: self.lease,
            resumed: self.resumed,
            note: self.note,
        }
    }

    fn read(reply: StagedReply) -> Result<Self> {
        let bad = |_| Error::new(Kind::Internal, "reply", "the server's reply names a secret that is none");
        Ok(Self {
            key: reply.key,
            old_valid_until: reply.old_valid_until,
            rotation: reply.rotation,
            secret: token(reply.secret)?,
            lookup: reply.lookup.map(|lookup| lookup.parse()).transpose().map_err(bad)?,
            ready: reply.ready,
            lease: reply.lease,
            resumed: reply.resumed,
            note: reply.note,
        })
    }
}

impl Told for Reissued {
    type Body = RotateReply;

    fn head(&self) -> Head {
        Head { status: self.secret.is_none().then_some(200), ..Head::of(&self.key) }
    }

    fn tell(self) -> RotateReply {
        RotateReply {
            schema: "keyward.key/v1".to_owned(),
            key: self.key,
            secret: exposed(self.secret.as_ref()),
            old_valid_until: self.old_valid_until,
            rotation: self.rotation,
            note: self.note,
        }
    }

    fn read(reply: RotateReply) -> Result<Self> {
        Ok(Self {
            key: reply.key,
            secret: token(reply.secret)?,
            old_valid_until: reply.old_valid_until,
            rotation: reply.rotation,
            note: reply.note,
        })
    }
}

impl Told for Rotated {
    type Body = RotatedReply;

    fn tell(self) -> RotatedReply {
        RotatedReply { key: self.key, rotation: self.rotation, old_valid_until: self.old_valid_until }
    }

    fn read(reply: RotatedReply) -> Result<Self> {
        Ok(Self { key: reply.key, rotation: reply.rotation, old_valid_until: reply.old_valid_until })
    }
}

impl Told for RotationView {
    type Body = RotationReply;

    fn tell(self) -> RotationReply {
        RotationReply { schema: "keyward.rotation/v1".to_owned(), rotation: self }
    }

    fn read(reply: RotationReply) -> Result<Self> {
        Ok(reply.rotation)
    }
}

impl Told for Vec<RotationView> {
    type Body = RotationList;

    fn tell(self) -> RotationList {
        RotationList { schema: "keyward.rotation-list/v1".to_owned(), page: PageInfo::whole(self.len()), items: self }
    }

    fn read(list: RotationList) -> Result<Self> {
        Ok(list.items)
    }
}

impl Told for Vec<OverlapWait> {
    type Body = OverlapList;

    fn tell(self) -> OverlapList {
        OverlapList { schema: "keyward.overlap-list/v1".to_owned(), items: self }
    }

    fn read(list: OverlapList) -> Result<Self> {
        Ok(list.items)
    }
}
