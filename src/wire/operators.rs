//! Operators.

use super::keys::{PageInfo, exposed, token};
use crate::{
    domain::Overlap,
    ops::{Appointed, Error, OperatorView, Result},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// An operator with its credential beside it, the only time it is seen.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct AppointedReply {
    /// `keyward.operator/v1`.
    pub schema: String,
    /// The operator.
    pub operator: OperatorView,
    /// Its credential; absent in a dry run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "kwop_prod_…")]
    pub secret: Option<Zeroizing<String>>,
}

/// One operator.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct OperatorReply {
    /// `keyward.operator/v1`.
    #[serde(default)]
    pub schema: String,
    /// The operator.
    pub operator: OperatorView,
}

/// What a credential is good for.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct WhoAmI {
    /// `keyward.operator/v1`.
    #[serde(default)]
    pub schema: String,
    /// The operator.
    pub operator: OperatorView,
    /// What its role allows, in words.
    pub permissions: Vec<String>,
    /// The workspace of calls that name none.
    pub workspace: String,
    /// The address that the server sees.
    pub address: Option<String>,
}

/// All operators that the caller may manage.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct OperatorList {
    /// `keyward.operator-list/v1`.
    pub schema: String,
    /// The operators, by name.
    pub items: Vec<OperatorView>,
    /// Where the page stands.
    pub page: PageInfo,
}

/// A new credential.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[derive(utoipa::ToSchema)]
pub struct RotateCredential {
    /// How long the old one goes on working; it stops at once unless told.
    #[serde(default = "at_once")]
    pub overlap: Overlap,
}

fn at_once() -> Overlap {
    Overlap::Now
}

impl OperatorList {
    /// The list of these.
    #[must_use]
    pub fn new(items: Vec<OperatorView>) -> Self {
        let page = PageInfo { returned: items.len(), total: items.len(), truncated: false, next: None };
        Self { schema: "keyward.operator-list/v1".to_owned(), items, page }
    }
}

impl From<&Appointed> for AppointedReply {
    fn from(appointed: &Appointed) -> Self {
        Self {
            schema: "keyward.operator/v1".to_owned(),
            operator: appointed.operator.clone(),
            secret: exposed(appointed.secret.as_ref()),
        }
    }
}

impl TryFrom<AppointedReply> for Appointed {
    type Error = Error;

    fn try_from(reply: AppointedReply) -> Result<Self> {
        Ok(Self { operator: reply.operator, secret: token(reply.secret)? })
    }
}
