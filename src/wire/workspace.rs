//! Scopes, workspaces, projects, customers and plans.

use super::keys::PageInfo;
use crate::ops::{ObjectChange, ObjectKind, ObjectView, ScopeChange, ScopeList, ScopeView};
use serde::{Deserialize, Serialize};

/// The catalogue of a workspace.
#[derive(Serialize, Deserialize)]
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
pub struct ScopeReply {
    /// The scope.
    pub scope: ScopeView,
}

/// Changes of the catalogue, all in one transaction.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeScopes {
    /// The changes, in order.
    pub changes: Vec<ScopeChange>,
}

/// How many of the changes changed anything.
#[derive(Serialize, Deserialize)]
pub struct Changed {
    /// The number.
    pub changed: usize,
}

/// A workspace, project, customer or plan to be created.
#[derive(Serialize, Deserialize)]
pub struct CreateObject {
    /// Its name.
    pub name: String,
    /// Its fields.
    #[serde(flatten)]
    pub change: ObjectChange,
}

/// Fields to be changed.
#[derive(Serialize, Deserialize)]
pub struct ChangeObject {
    /// The fields.
    #[serde(flatten)]
    pub change: ObjectChange,
}

/// All objects of a kind.
#[derive(Serialize, Deserialize)]
pub struct ObjectList {
    /// Such as `keyward.project-list/v1`.
    pub schema: String,
    /// The objects, by name.
    pub items: Vec<ObjectView>,
    /// Where the page stands.
    pub page: PageInfo,
}

fn whole(total: usize) -> PageInfo {
    PageInfo { returned: total, total, truncated: false, next: None }
}

impl ObjectList {
    /// The objects of a kind.
    #[must_use]
    pub fn new(kind: ObjectKind, items: Vec<ObjectView>) -> Self {
        Self { schema: format!("keyward.{}-list/v1", kind.noun()), page: whole(items.len()), items }
    }
}

impl From<ScopeList> for ScopePage {
    fn from(list: ScopeList) -> Self {
        Self {
            schema: "keyward.scope-list/v1".to_owned(),
            page: whole(list.items.len()),
            items: list.items,
            closed: list.closed,
        }
    }
}
