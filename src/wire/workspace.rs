//! Scopes, workspaces, projects, customers and plans.

use super::{
    keys::PageInfo,
    told::{Plain, Told},
};
use crate::domain::{Demand, RateLimit, Scope, SelfService};
use crate::ops::{Demanded, Error, Kind, ObjectKind, ObjectView, Objects, Result, ScopeList, ScopeView, ScopesChanged};
use serde::{Deserialize, Serialize};

/// The catalogue of a workspace.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct ScopePage {
    /// `keyward.scope-list/v1`.
    pub schema: String,
    /// Its scopes, by name.
    pub items: Vec<ScopeView>,
    /// Where the page stands.
    pub page: PageInfo,
    /// A closed catalogue takes no scope by first use.
    pub closed: bool,
}

/// One scope.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct ScopeReply {
    /// `keyward.scope/v1`.
    #[serde(default)]
    pub schema: String,
    /// The scope.
    pub scope: ScopeView,
}

/// A scope to be declared, as a change of the catalogue has it.
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct AddScope {
    /// The scope.
    pub scope: Scope,
    /// What it allows, in words; null clears it, and absent it stays.
    pub description: Option<String>,
    /// All the scopes it includes; an empty list clears them, and absent or null they stay.
    pub implies: Option<Vec<Scope>>,
}

/// All objects of a kind.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct ObjectList {
    /// Such as `keyward.project-list/v1`.
    pub schema: String,
    /// The objects, by name.
    pub items: Vec<ObjectView>,
    /// Where the page stands.
    pub page: PageInfo,
}

/// What a workspace demands of a new key.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct DemandsReply {
    /// `keyward.demands/v1`.
    #[serde(default)]
    pub schema: String,
    /// What has to be said.
    pub required: Vec<Demand>,
}

impl Told for Demanded {
    type Body = DemandsReply;

    fn tell(self) -> DemandsReply {
        DemandsReply { schema: "keyward.demands/v1".to_owned(), required: self.required }
    }

    fn read(reply: DemandsReply) -> Result<Self> {
        Ok(Self { required: reply.required })
    }
}

impl Told for ScopeList {
    type Body = ScopePage;

    fn tell(self) -> ScopePage {
        let page = PageInfo::whole(self.items.len());
        ScopePage { schema: "keyward.scope-list/v1".to_owned(), page, items: self.items, closed: self.closed }
    }

    fn read(page: ScopePage) -> Result<Self> {
        Ok(Self { items: page.items, closed: page.closed })
    }
}

impl Told for ScopeView {
    type Body = ScopeReply;

    fn tell(self) -> ScopeReply {
        ScopeReply { schema: "keyward.scope/v1".to_owned(), scope: self }
    }

    fn read(reply: ScopeReply) -> Result<Self> {
        Ok(reply.scope)
    }
}

impl Plain for ScopesChanged {}

impl Plain for ObjectView {}

fn schema(kind: ObjectKind) -> String {
    format!("keyward.{}-list/v1", kind.noun())
}

impl Told for Objects {
    type Body = ObjectList;

    fn tell(self) -> ObjectList {
        let Self { kind, items } = self;
        ObjectList { schema: schema(kind), page: PageInfo::whole(items.len()), items }
    }

    fn read(list: ObjectList) -> Result<Self> {
        let kind = ObjectKind::ALL.into_iter().find(|kind| schema(*kind) == list.schema);
        let kind = kind.ok_or_else(|| Error::new(Kind::Internal, "reply", "a list of no kind"))?;
        Ok(Self { kind, items: list.items })
    }
}

/// A workspace, project, customer or plan; each kind has its own fields.
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = Object))]
pub struct ObjectBody {
    /// Its name.
    pub name: String,
    /// Free text, of workspaces, projects and customers.
    pub description: Option<String>,
    /// The workspace of a project or customer.
    #[cfg_attr(test, schema(required = false))]
    pub workspace: String,
    /// The plan of a workspace.
    #[cfg_attr(test, schema(required = false))]
    pub plan: String,
    /// How often the secrets of a workspace's new keys are rotated; null is never.
    pub rotate_every_seconds: Option<i64>,
    /// How long old secrets of a workspace's keys go on working; null is 24 hours.
    pub overlap_seconds: Option<i64>,
    /// The longest a workspace's keys may live; null is no bound.
    pub max_lifetime_seconds: Option<i64>,
    /// Whether a rotation starts the lifetime of a workspace's keys again, where they do not say so themselves.
    #[cfg_attr(test, schema(required = false))]
    pub renew_on_rotation: bool,
    /// What the holders of a workspace's keys may do with them, and the most that a key can say; null leaves it to the keys.
    #[cfg_attr(test, schema(rename = "self"))]
    pub self_service: Option<SelfService>,
    /// What a workspace's new keys may do that say nothing of it.
    #[cfg_attr(test, schema(required = false))]
    pub default_scopes: Vec<String>,
    /// What nobody makes or changes a key of a workspace without.
    #[cfg_attr(test, schema(required = false))]
    pub required: Vec<Demand>,
    /// How long the trail may go without a review; null leaves it to whoever checks.
    pub review_every_seconds: Option<i64>,
    /// Whose reviews of the trail count for a workspace; anybody's when empty.
    #[cfg_attr(test, schema(required = false))]
    pub reviewers: Vec<String>,
    /// A plan's access to the API.
    #[cfg_attr(test, schema(required = false))]
    pub api_access: bool,
    /// A plan's number of keys; null is no cap.
    pub max_keys: Option<u32>,
    /// A plan's highest rate limit; null is no cap.
    pub max_rate_limit: Option<RateLimit>,
    /// Whether a plan shows the audit trail.
    #[cfg_attr(test, schema(required = false))]
    pub audit_view: bool,
    /// Whether a plan exports the audit trail.
    #[cfg_attr(test, schema(required = false))]
    pub audit_export: bool,
    /// Plans that cannot be changed.
    #[cfg_attr(test, schema(required = false))]
    pub builtin: bool,
}
