//! What a workspace demands of whoever makes or changes a key: asked by forms, which can then ask a person for it.

use super::{
    case::{Ask, Method, Route, UseCase},
    context::Context,
    entitlement,
    error::Result,
};
use crate::{
    domain::{Demand, Permission},
    store::View,
    vault::Capabilities,
};
use serde::{Deserialize, Serialize};

/// What the workspace demands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct ShowDemands {}

/// What it demands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Demanded {
    /// In the order of their words; empty where everything is optional.
    pub required: Vec<Demand>,
}

impl UseCase for ShowDemands {
    type Outcome = Demanded;
    const PERMISSION: Permission = Permission::CreateKeys;
    const ROUTE: Route = Route {
        summary: "What does the workspace demand of a new key?",
        description: "What a form has to ask for. The reason and the ticket are demanded of changes too.",
        answers: &[(200, "What is demanded; empty where everything is optional.")],
        ..Route::new(Method::Get, "/v1/demands", "show_demands", "workspace")
    };

    fn target(&self) -> String {
        "demands".to_owned()
    }
}

impl Ask for ShowDemands {
    fn ask(&self, view: &View<'_>, _caps: &Capabilities, cx: &Context) -> Result<Demanded> {
        Ok(Demanded { required: entitlement::workspace(view, &cx.workspace)?.policy.required })
    }
}
