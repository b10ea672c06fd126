//! Trusts: the jobs that are let in by the tokens of their host.

use super::{keys::PageInfo, told::Told};
use crate::ops::{Result, trusts::TrustView};
use serde::{Deserialize, Serialize};

/// One trust.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct TrustReply {
    /// `keyward.trust/v1`.
    pub schema: String,
    /// The trust.
    pub trust: TrustView,
}

/// All trusts that the caller may manage.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct TrustList {
    /// `keyward.trust-list/v1`.
    pub schema: String,
    /// The trusts, by name.
    pub items: Vec<TrustView>,
    /// Where the page stands.
    pub page: PageInfo,
}

impl Told for TrustView {
    type Body = TrustReply;

    fn tell(self) -> TrustReply {
        TrustReply { schema: "keyward.trust/v1".to_owned(), trust: self }
    }

    fn read(reply: TrustReply) -> Result<Self> {
        Ok(reply.trust)
    }
}

impl Told for Vec<TrustView> {
    type Body = TrustList;

    fn tell(self) -> TrustList {
        TrustList { schema: "keyward.trust-list/v1".to_owned(), page: PageInfo::whole(self.len()), items: self }
    }

    fn read(list: TrustList) -> Result<Self> {
        Ok(list.items)
    }
}
