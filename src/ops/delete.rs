//! Deleting a key for good. Its audit trail stays.

use super::{
    Done,
    case::{Change, Method, Route, UseCase},
    context::Context,
    error::Result,
    idle::{self, Seen},
    lookup,
    view::KeyView,
};
use crate::{
    domain::{Action, Environment, KeyRef, Permission, Usage, serde_text},
    store::Tx,
    vault::Capabilities,
};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// A key to be deleted; the caller has confirmed it by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Delete {
    /// The id of the key, its name, or a prefix of its id.
    #[cfg_attr(test, schema(value_type = String))]
    pub key: KeyRef,
    /// The environment, where keys of several have the name.
    #[serde(default)]
    pub environment: Option<Environment>,
    /// Refuses while the key was seen in use within so long, such as `1h`.
    #[serde(default, with = "serde_text::optional_duration")]
    #[cfg_attr(test, schema(value_type = Option<String>))]
    pub only_if_idle: Option<TimeDelta>,
}

/// What came of a [`Delete`]: the key as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deleted {
    /// The key as it was.
    pub key: KeyView,
}

impl UseCase for Delete {
    type Outcome = Deleted;
    const PERMISSION: Permission = Permission::DeleteKeys;
    const ROUTE: Route = Route {
        query: &["environment", "only_if_idle"],
        if_match: true,
        summary: "Delete a key for good; its trail stays",
        answers: &[(200, "The key as it was.")],
        ..Route::new(Method::Delete, "/v1/keys/{key}", "delete_key", "keys")
    };

    fn target(&self) -> String {
        self.key.to_string()
    }
}

impl Change for Delete {
    const ACTION: Action = Action::KeyDelete;

    fn environment(&self) -> Option<Environment> {
        self.environment
    }

    fn looks_at_use(&self) -> bool {
        self.only_if_idle.is_some()
    }

    fn change(self, tx: &mut Tx<'_>, _caps: &Capabilities, cx: &Context) -> Result<Done<Deleted>> {
        let key = lookup::key(tx, &cx.workspace, &self.key, self.environment)?;
        cx.expects(&key)?;
        if let Some(period) = self.only_if_idle {
            idle::refuse_busy(cx, &key, &key.name, Seen::of_key(tx, &key)?.as_ref(), period)?;
        }
        tx.delete_key(&key)?;
        let view = KeyView::new(&key, &Usage::default(), cx.now);
        let changes = json!({
            "name": view.name, "environment": view.environment, "workspace": view.workspace, "owner": view.owner,
            "status": view.status, "lookups": view.secrets.iter().map(|secret| &secret.lookup).collect::<Vec<_>>(),
        });
        let events = vec![cx.event(Action::KeyDelete, view.id.clone(), changes)];
        Ok(Done { outcome: Deleted { key: view }, events })
    }
}
