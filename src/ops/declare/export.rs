//! The keys of a workspace as a file would declare them.

use super::Declared;
use crate::{
    domain::{
        Action, Environment, Expiry, Key, Permission, Search, Status,
        filter::{has_labels, is_or_any},
    },
    ops::{
        Context, Create, Done, Result,
        case::{Ask, Change, Method, Route, UseCase},
        entitlement,
    },
    store::{Tx, View},
    vault::Capabilities,
};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Which keys to export; those that have expired or were revoked are in no file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct ExportKeys {
    /// Only of an environment.
    pub environment: Option<Environment>,
    /// Only of an owner.
    pub owner: Option<String>,
    /// Only with all these labels; any value when `None`.
    #[cfg_attr(test, schema(value_type = Vec<Vec<Option<String>>>))]
    pub labels: Vec<(String, Option<String>)>,
    /// Only with all these words in the name, the description, the owner or the labels, in whatever case.
    #[serde(skip_serializing_if = "Search::is_empty")]
    #[cfg_attr(test, schema(value_type = Option<String>, example = "billing web"))]
    pub q: Search,
    /// With the ids of the keys, by which another keystore knows them again.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ids: bool,
}

/// The same, to be carried to another keystore: with the ids of the keys, and as an event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct CarryKeys {
    /// The keystore that the declarations go to, as the trail will name it.
    pub to: String,
    /// Which keys.
    #[serde(default)]
    pub which: ExportKeys,
}

impl UseCase for CarryKeys {
    type Outcome = Vec<Declared>;
    const PERMISSION: Permission = Permission::ReadKeys;
    const ROUTE: Route = Route {
        long: true,
        summary: "Declare the keys to another keystore",
        description: "As an export with the ids of the keys; the trail says where the declarations went.",
        answers: &[(200, "The declarations.")],
        ..Route::new(Method::Post, "/v1/keys/carry", "carry_keys", "keys")
    };
}

impl Change for CarryKeys {
    const ACTION: Action = Action::KeyExport;

    fn change(self, tx: &mut Tx<'_>, _caps: &Capabilities, cx: &Context) -> Result<Done<Vec<Declared>>> {
        let outcome = export(tx, cx, &ExportKeys { ids: true, ..self.which })?;
        let changes = json!({ "to": self.to, "keys": outcome.len() });
        Ok(Done { outcome, events: vec![cx.event(Action::KeyExport, cx.workspace.clone(), changes)] })
    }
}

impl UseCase for ExportKeys {
    type Outcome = Vec<Declared>;
    const PERMISSION: Permission = Permission::ReadKeys;
    const ROUTE: Route = Route {
        optional_body: true,
        long: true,
        summary: "Keys as a file would declare them",
        description: "Without secrets. Expired and revoked keys are in no file.",
        answers: &[(200, "The declarations.")],
        ..Route::new(Method::Post, "/v1/keys/export", "export_keys", "keys")
    };
}

impl Ask for ExportKeys {
    fn ask(&self, view: &View<'_>, _caps: &Capabilities, cx: &Context) -> Result<Vec<Declared>> {
        export(view, cx, self)
    }
}

/// The keys, by environment and name, so that applying them again would change nothing.
fn export(tx: &View<'_>, cx: &Context, request: &ExportKeys) -> Result<Vec<Declared>> {
    let policy = entitlement::workspace(tx, &cx.workspace)?.policy;
    let mut keys = tx.all_keys(&cx.workspace)?;
    keys.retain(|key| {
        matches!(key.status_at(cx.now), Status::Active | Status::Inactive)
            && request.environment.is_none_or(|environment| environment == key.environment)
            && is_or_any(request.owner.as_deref(), key.owner.as_deref())
            && has_labels(&key.labels, &request.labels)
            && request.q.finds(key)
    });
    keys.sort_by(|a, b| (a.environment, &a.name).cmp(&(b.environment, &b.name)));
    let declared = |key: &Key| {
        let mut declared = declaration(key, policy.rotate_every);
        declared.key.id = request.ids.then(|| key.id.clone());
        declared
    };
    Ok(keys.iter().map(declared).collect())
}

/// The declaration of a key. Where its workspace would give a new key a rotation period, "none" is said.
pub(super) fn declaration(key: &Key, usual_period: Option<TimeDelta>) -> Declared {
    let every = key.rotation.every;
    Declared {
        key: Create {
            environment: key.environment,
            owner: key.owner.clone(),
            description: key.description.clone(),
            project: key.project.clone(),
            customers: key.customers.clone(),
            scopes: key.scopes.clone(),
            rate_limit: Some(key.rate_limit),
            allow_ips: key.allow_ips.clone(),
            labels: key.labels.clone(),
            expiry: Some(key.expires_at.map_or(Expiry::Never, Expiry::At)),
            rotate_every: (every.is_some() || usual_period.is_some()).then_some(every),
            overlap: key.rotation.overlap,
            renew_on_rotation: key.rotation.renew,
            self_service: key.self_service.clone(),
            ..Create::named(key.name.clone())
        },
        active: key.active,
    }
}
