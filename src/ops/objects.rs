//! Workspaces, projects, customers and plans, as they are asked for and changed.

use super::{
    Done,
    authority::Authority,
    case::{Ask, Change, Method, Route, UseCase},
    context::Context,
    error::{Error, Result},
    free_text, tenancy,
};
use crate::{
    domain::{Action, Demand, Permission, RateLimit, Scope, SelfService, serde_text},
    store::{Tx, View},
    vault::Capabilities,
};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The kinds of thing a key can belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ObjectKind {
    /// A tenant, with a plan.
    #[serde(rename = "workspaces")]
    Workspace,
    /// A project of a workspace.
    #[serde(rename = "projects")]
    Project,
    /// A customer of a workspace.
    #[serde(rename = "customers")]
    Customer,
    /// What a workspace is entitled to.
    #[serde(rename = "plans")]
    Plan,
}

/// One object, as JSON with the fields of its kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "Value", try_from = "Value")]
pub struct ObjectView {
    /// Its name.
    pub name: String,
    /// Its fields, frozen as JSON.
    pub fields: Value,
}

/// A change of one object. A field that is `None` stays (or takes its default at creation).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct ObjectChange {
    /// Free text, for workspaces, projects and customers; `Some(None)` clears it.
    #[serde(skip_serializing_if = "Option::is_none", with = "serde_text::change")]
    pub description: Option<Option<String>>,
    /// The plan of a workspace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// How often the secrets of a workspace's new keys are rotated; `Some(None)` is never.
    #[serde(skip_serializing_if = "Option::is_none", with = "serde_text::change_seconds")]
    #[cfg_attr(test, schema(value_type = Option<i64>, minimum = 1, maximum = 3_162_240_000_i64))]
    pub rotate_every: Option<Option<TimeDelta>>,
    /// How long old secrets of a workspace's keys go on working; `Some(None)` returns to 24 hours.
    #[serde(skip_serializing_if = "Option::is_none", with = "serde_text::change_seconds")]
    #[cfg_attr(test, schema(value_type = Option<i64>, minimum = 1, maximum = 3_162_240_000_i64))]
    pub overlap: Option<Option<TimeDelta>>,
    /// The longest a workspace's keys may live; `Some(None)` is no bound.
    #[serde(skip_serializing_if = "Option::is_none", with = "serde_text::change_seconds")]
    #[cfg_attr(test, schema(value_type = Option<i64>, minimum = 1, maximum = 3_162_240_000_i64))]
    pub max_lifetime: Option<Option<TimeDelta>>,
    /// Whether a rotation starts the lifetime of a workspace's keys again, where they do not say so themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renew_on_rotation: Option<bool>,
    /// What the holders of a workspace's keys may do with them, and the most that a key can say; `Some(None)` leaves it to the keys.
    #[serde(rename = "self", skip_serializing_if = "Option::is_none", with = "serde_text::change")]
    #[cfg_attr(test, schema(value_type = Option<SelfService>))]
    pub self_service: Option<Option<SelfService>>,
    /// What a workspace's new keys may do that say nothing of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_scopes: Option<Vec<Scope>>,
    /// What nobody makes or changes a key of a workspace without; an empty list is nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required: Option<Vec<Demand>>,
    /// How long the trail may go without a review; `Some(None)` leaves it to whoever checks.
    #[serde(skip_serializing_if = "Option::is_none", with = "serde_text::change_seconds")]
    #[cfg_attr(test, schema(value_type = Option<i64>, minimum = 1, maximum = 3_162_240_000_i64))]
    pub review_every: Option<Option<TimeDelta>>,
    /// Whose reviews of the trail count for a workspace; an empty list is anybody's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reviewers: Option<Vec<String>>,
    /// A plan's access to the API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_access: Option<bool>,
    /// A plan's number of keys; `Some(None)` is no cap.
    #[serde(skip_serializing_if = "Option::is_none", with = "serde_text::change")]
    #[cfg_attr(test, schema(value_type = Option<i64>, minimum = 0, maximum = 4_294_967_295_i64))]
    pub max_keys: Option<Option<u32>>,
    /// A plan's highest rate limit; `Some(None)` is no cap.
    #[serde(skip_serializing_if = "Option::is_none", with = "serde_text::change_limit")]
    #[cfg_attr(test, schema(value_type = Option<crate::domain::SaidLimit>))]
    pub max_rate_limit: Option<Option<RateLimit>>,
    /// Whether a plan shows the audit trail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit_view: Option<bool>,
    /// Whether a plan exports the audit trail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit_export: Option<bool>,
}

impl ObjectChange {
    /// Brings what is said of the object into the form that is kept.
    pub(super) fn write_down(&mut self) -> Result<()> {
        for reviewer in self.reviewers.iter_mut().flatten() {
            free_text::one_line("reviewer", reviewer)?;
        }
        match &mut self.description {
            Some(Some(description)) => free_text::lines("description", description),
            _ => Ok(()),
        }
    }
}

impl From<ObjectView> for Value {
    fn from(object: ObjectView) -> Self {
        object.fields
    }
}

impl TryFrom<Value> for ObjectView {
    type Error = &'static str;

    fn try_from(fields: Value) -> Result<Self, Self::Error> {
        let name = fields.get("name").and_then(Value::as_str).ok_or("expected an object with a name")?;
        Ok(Self { name: name.to_owned(), fields })
    }
}

impl ObjectKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Workspace, Self::Project, Self::Customer, Self::Plan];

    /// The word for one of them.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::Workspace => "workspace",
            Self::Project => "project",
            Self::Customer => "customer",
            Self::Plan => "plan",
        }
    }

    /// What whoever changes one must be allowed to.
    fn to_change(self) -> Permission {
        match self {
            Self::Project | Self::Customer => Permission::ChangeWorkspace,
            Self::Workspace | Self::Plan => Permission::ChangePlatform,
        }
    }

    /// The actions that create, update and delete it.
    #[must_use]
    pub(super) fn actions(self) -> [Action; 3] {
        match self {
            Self::Workspace => [Action::WorkspaceCreate, Action::WorkspaceUpdate, Action::WorkspaceDelete],
            Self::Project => [Action::ProjectCreate, Action::ProjectUpdate, Action::ProjectDelete],
            Self::Customer => [Action::CustomerCreate, Action::CustomerUpdate, Action::CustomerDelete],
            Self::Plan => [Action::PlanCreate, Action::PlanUpdate, Action::PlanDelete],
        }
    }
}

/// All objects of a kind that the caller may know of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct ListObjects {
    /// What it is.
    pub kind: ObjectKind,
}

/// What came of a [`ListObjects`].
#[derive(Debug, Clone, PartialEq)]
pub struct Objects {
    /// What they are.
    pub kind: ObjectKind,
    /// The objects, by name.
    pub items: Vec<ObjectView>,
}

/// One object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct ShowObject {
    /// What it is.
    pub kind: ObjectKind,
    /// Its name.
    pub name: String,
}

/// A workspace, project, customer or plan to be created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct CreateObject {
    /// What it is.
    pub kind: ObjectKind,
    /// Its name.
    pub name: String,
    /// Its fields.
    #[serde(flatten)]
    pub change: ObjectChange,
}

/// A change of one object. A field that is `None` stays (or takes its default at creation).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = ObjectChange))]
pub struct UpdateObject {
    /// What it is.
    pub kind: ObjectKind,
    /// Its name.
    pub name: String,
    /// What changes.
    #[serde(flatten)]
    pub change: ObjectChange,
}

/// An object to be deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct DeleteObject {
    /// What it is.
    pub kind: ObjectKind,
    /// Its name.
    pub name: String,
}

impl UseCase for ListObjects {
    type Outcome = Objects;
    const PERMISSION: Permission = Permission::ReadWorkspace;
    const ROUTE: Route = Route {
        summary: "Workspaces, projects, customers or plans",
        answers: &[(200, "Those that the caller may know of.")],
        ..Route::new(Method::Get, "/v1/{kind}", "list_objects", "workspace")
    };

    fn target(&self) -> String {
        self.kind.noun().to_owned()
    }
}

impl Ask for ListObjects {
    fn ask(&self, tx: &View<'_>, _caps: &Capabilities, cx: &Context) -> Result<Objects> {
        let mut items = tenancy::list(tx, cx, self.kind)?;
        items.retain(|object| is_known(cx, self.kind, &object.name));
        Ok(Objects { kind: self.kind, items })
    }
}

impl UseCase for ShowObject {
    type Outcome = ObjectView;
    const PERMISSION: Permission = Permission::ReadWorkspace;
    const ROUTE: Route = Route {
        summary: "One workspace, project, customer or plan",
        answers: &[(200, "The object.")],
        ..Route::new(Method::Get, "/v1/{kind}/{name}", "show_object", "workspace")
    };

    fn target(&self) -> String {
        self.name.clone()
    }
}

impl Ask for ShowObject {
    fn ask(&self, tx: &View<'_>, _caps: &Capabilities, cx: &Context) -> Result<ObjectView> {
        if !is_known(cx, self.kind, &self.name) {
            return Err(Error::not_found(format!("no workspace '{}'", self.name)));
        }
        tenancy::show(tx, cx, self.kind, &self.name)
    }
}

/// Whether the caller may know of it: whoever is bound to a workspace is told of no other.
fn is_known(cx: &Context, kind: ObjectKind, name: &str) -> bool {
    kind != ObjectKind::Workspace || cx.authority.bound_to().is_none_or(|own| own == name)
}

/// Where projects are created: the holders of keys ask there too, for the projects that a key reaches.
pub const CREATE_PROJECT: Route = Route {
    fixed: &[("kind", "projects")],
    summary: "Create a project",
    answers: &[(201, "The project.")],
    ..Route::new(Method::Post, "/v1/projects", "create_project", "workspace")
};

impl UseCase for CreateObject {
    type Outcome = ObjectView;
    const PERMISSION: Permission = Permission::ChangeWorkspace;
    const ROUTE: Route = Route {
        summary: "Create a workspace, customer or plan",
        answers: &[(201, "The object.")],
        ..Route::new(Method::Post, "/v1/{kind}", "create_object", "workspace")
    };

    fn permission(&self, _by: &Authority) -> Permission {
        self.kind.to_change()
    }

    fn target(&self) -> String {
        self.name.clone()
    }
}

impl Change for CreateObject {
    const ACTION: Action = Action::WorkspaceCreate;

    fn action(&self) -> Action {
        self.kind.actions()[0]
    }

    fn change(self, tx: &mut Tx<'_>, _caps: &Capabilities, cx: &Context) -> Result<Done<ObjectView>> {
        tenancy::create(tx, cx, self.kind, &self.name, self.change)
    }
}

impl UseCase for UpdateObject {
    type Outcome = ObjectView;
    const PERMISSION: Permission = Permission::ChangeWorkspace;
    const ROUTE: Route = Route {
        summary: "Change a workspace, project, customer or plan",
        answers: &[(200, "The object.")],
        ..Route::new(Method::Patch, "/v1/{kind}/{name}", "update_object", "workspace")
    };

    fn permission(&self, _by: &Authority) -> Permission {
        self.kind.to_change()
    }

    fn target(&self) -> String {
        self.name.clone()
    }
}

impl Change for UpdateObject {
    const ACTION: Action = Action::WorkspaceUpdate;

    fn action(&self) -> Action {
        self.kind.actions()[1]
    }

    fn change(self, tx: &mut Tx<'_>, _caps: &Capabilities, cx: &Context) -> Result<Done<ObjectView>> {
        tenancy::update(tx, cx, self.kind, &self.name, self.change)
    }
}

impl UseCase for DeleteObject {
    type Outcome = ObjectView;
    const PERMISSION: Permission = Permission::ChangeWorkspace;
    const ROUTE: Route = Route {
        summary: "Delete a workspace, project, customer or plan",
        answers: &[(200, "The object as it was.")],
        ..Route::new(Method::Delete, "/v1/{kind}/{name}", "delete_object", "workspace")
    };

    fn permission(&self, _by: &Authority) -> Permission {
        self.kind.to_change()
    }

    fn target(&self) -> String {
        self.name.clone()
    }
}

impl Change for DeleteObject {
    const ACTION: Action = Action::WorkspaceDelete;

    fn action(&self) -> Action {
        self.kind.actions()[2]
    }

    fn change(self, tx: &mut Tx<'_>, _caps: &Capabilities, cx: &Context) -> Result<Done<ObjectView>> {
        tenancy::delete(tx, cx, self.kind, &self.name)
    }
}
