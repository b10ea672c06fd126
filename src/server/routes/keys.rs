//! The life of keys.

use crate::{
    domain::{Environment, KeyRef, Permission},
    ops::{Error, Result, Switch},
    server::{app::App, caller::Caller, problem::Failed},
};
use axum::{
    Json,
    extract::{Path, Query, State},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// What decides between keys of one name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    environment: Option<String>,
}

impl Which {
    fn environment(&self) -> Result<Option<Environment>> {
        self.environment.as_ref().map(|name| name.parse().map_err(Error::usage)).transpose()
    }
}

/// The key that a path names.
fn key_ref(text: &str) -> Result<KeyRef> {
    text.parse().map_err(|error: crate::domain::RefError| Error::usage(error.to_string()))
}

pub(super) async fn activate(
    state: State<Arc<App>>,
    caller: Caller,
    key: Path<String>,
    which: Query<Which>,
) -> Result<Json<Value>, Failed> {
    switch(state, caller, key, which, Permission::ActivateKeys, Switch::Activate).await
}

pub(super) async fn deactivate(
    state: State<Arc<App>>,
    caller: Caller,
    key: Path<String>,
    which: Query<Which>,
) -> Result<Json<Value>, Failed> {
    switch(state, caller, key, which, Permission::StopKeys, Switch::Deactivate).await
}

pub(super) async fn revoke(
    state: State<Arc<App>>,
    caller: Caller,
    key: Path<String>,
    which: Query<Which>,
) -> Result<Json<Value>, Failed> {
    switch(state, caller, key, which, Permission::StopKeys, Switch::Revoke).await
}

async fn switch(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(key): Path<String>,
    Query(which): Query<Which>,
    permission: Permission,
    switch: Switch,
) -> Result<Json<Value>, Failed> {
    let (key, environment) = (key_ref(&key)?, which.environment()?);
    let cx = caller.permitted(&app, permission, &key.to_string()).await?;
    let switched = app.change(move |backend| backend.switch(&cx, &key, environment, switch)).await?;
    Ok(Json(json!({ "schema": "keyward.key/v1", "key": switched.key, "changed": switched.changed })))
}
