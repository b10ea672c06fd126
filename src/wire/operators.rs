//! Operators.

use super::{
    keys::{PageInfo, exposed, token},
    told::Told,
};
use crate::ops::{Appointed, OperatorView, Result};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// An operator with its credential beside it, the only time it is seen.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct AppointedReply {
    /// `keyward.operator/v1`.
    pub schema: String,
    /// The operator.
    pub operator: OperatorView,
    /// Its credential; absent in a dry run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schema(value_type = Option<String>, example = "kwop_prod_…"))]
    pub secret: Option<Zeroizing<String>>,
}

/// One operator.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct OperatorReply {
    /// `keyward.operator/v1`.
    #[serde(default)]
    pub schema: String,
    /// The operator.
    pub operator: OperatorView,
}

/// What a credential is good for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
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
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct OperatorList {
    /// `keyward.operator-list/v1`.
    pub schema: String,
    /// The operators, by name.
    pub items: Vec<OperatorView>,
    /// Where the page stands.
    pub page: PageInfo,
}

impl Told for Appointed {
    type Body = AppointedReply;

    fn tell(self) -> AppointedReply {
        AppointedReply {
            schema: "keyward.operator/v1".to_owned(),
            operator: self.operator,
            secret: exposed(self.secret.as_ref()),
        }
    }

    fn read(reply: AppointedReply) -> Result<Self> {
        Ok(Self { operator: reply.operator, secret: token(reply.secret)? })
    }
}

impl Told for OperatorView {
    type Body = OperatorReply;

    fn tell(self) -> OperatorReply {
        OperatorReply { schema: "keyward.operator/v1".to_owned(), operator: self }
    }

    fn read(reply: OperatorReply) -> Result<Self> {
        Ok(reply.operator)
    }
}

impl Told for Vec<OperatorView> {
    type Body = OperatorList;

    fn tell(self) -> OperatorList {
        OperatorList { schema: "keyward.operator-list/v1".to_owned(), page: PageInfo::whole(self.len()), items: self }
    }

    fn read(list: OperatorList) -> Result<Self> {
        Ok(list.items)
    }
}
