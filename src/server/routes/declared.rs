//! Keys as a file declares them: the plan, its execution, and the way back; and the hygiene of keys.

use super::{Which, keys::key_ref};
use crate::{
    domain::Permission,
    ops::{
        Apply, ExportKeys,
        check::{Check, CheckKey},
    },
    server::{
        app::App,
        body::{Path, Query, Sent, reply},
        caller::Caller,
        problem::Failed,
    },
    wire::declared::{AppliedReply, CheckBody, CheckedKeyReply, CheckedReply, DeclaredReply, PlanReply},
};
use axum::{extract::State, http::StatusCode, response::Response};
use std::sync::Arc;

/// A file of 100,000 keys.
const FILE: usize = 64 * 1024 * 1024;
/// What a file may change: an operator that makes a workspace like one must be allowed all of it.
const APPLYING: [Permission; 4] =
    [Permission::CreateKeys, Permission::UpdateKeys, Permission::ActivateKeys, Permission::StopKeys];

/// Keys as a file would declare them
///
/// Without secrets. Expired and revoked keys are in no file.
#[utoipa::path(
    post, path = "/v1/keys/export", operation_id = "export_keys", tag = "keys",
    request_body = Option<ExportKeys>,
    responses((status = 200, description = "The declarations.", body = DeclaredReply)),
    security(("operator" = [])),
)]
pub(super) async fn export(
    State(app): State<Arc<App>>,
    caller: Caller,
    Sent(asked): Sent<ExportKeys>,
) -> Result<Response, Failed> {
    let cx = caller.permitted(&app, Permission::ReadKeys, "keys").await?;
    let items = app.ask(move |backend| backend.export_keys(&cx, &asked)).await?;
    Ok(reply(StatusCode::OK, &DeclaredReply { schema: "keyward.declared-list/v1".to_owned(), items })?)
}

/// What would have to be done to make the workspace like a file?
#[utoipa::path(
    post, path = "/v1/keys/plan", operation_id = "plan_keys", tag = "keys",
    request_body = Option<Apply>,
    responses((status = 200, description = "The plan.", body = PlanReply)),
    security(("operator" = [])),
)]
pub(super) async fn plan(
    State(app): State<Arc<App>>,
    caller: Caller,
    Sent(asked): Sent<Apply, FILE>,
) -> Result<Response, Failed> {
    let cx = caller.permitted(&app, Permission::ReadKeys, "keys").await?;
    let plan = app.ask(move |backend| backend.plan(&cx, &asked)).await?;
    Ok(reply(StatusCode::OK, &PlanReply { schema: "keyward.plan/v1".to_owned(), plan })?)
}

/// Make the workspace like a file, all of it or nothing
///
/// The answer is the only one that ever holds the secrets of new keys. With `expected`, nothing is done by any other plan.
#[utoipa::path(
    post, path = "/v1/keys/apply", operation_id = "apply_keys", tag = "keys",
    request_body = Option<Apply>,
    responses((status = 200, description = "What was done.", body = AppliedReply)),
    security(("operator" = [])),
)]
pub(super) async fn apply(
    State(app): State<Arc<App>>,
    caller: Caller,
    Sent(asked): Sent<Apply, FILE>,
) -> Result<Response, Failed> {
    let mut cx = caller.permitted(&app, Permission::ReadKeys, "keys").await?;
    for permission in APPLYING {
        cx = caller.permitted(&app, permission, "keys").await?;
    }
    let applied = app.change(move |backend| backend.apply(&cx, &asked)).await?;
    Ok(reply(StatusCode::OK, &AppliedReply::from(&applied))?)
}

/// What do the keys of the workspace want?
///
/// Owners, ends, limits, rotations and reviews, by a policy; it changes nothing.
#[utoipa::path(
    post, path = "/v1/keys/check", operation_id = "check_keys", tag = "keys",
    request_body = Option<CheckBody>,
    responses((status = 200, description = "The findings.", body = CheckedReply)),
    security(("operator" = [])),
)]
pub(super) async fn check(
    State(app): State<Arc<App>>,
    caller: Caller,
    Sent(asked): Sent<CheckBody>,
) -> Result<Response, Failed> {
    let cx = caller.permitted(&app, Permission::ReadKeys, "keys").await?;
    let checked = app.ask(move |backend| backend.check(&cx, &Check { policy: asked.policy })).await?;
    Ok(reply(StatusCode::OK, &CheckedReply::from(checked))?)
}

/// What does every rule say of one key?
#[utoipa::path(
    post, path = "/v1/keys/{key}/check", operation_id = "check_key", tag = "keys",
    params(("key" = String, Path, description = "The id of the key, its name, or a prefix of its id."), Which),
    request_body = Option<CheckBody>,
    responses((status = 200, description = "The answers.", body = CheckedKeyReply)),
    security(("operator" = [])),
)]
pub(super) async fn check_key(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(key): Path<String>,
    Query(which): Query<Which>,
    Sent(asked): Sent<CheckBody>,
) -> Result<Response, Failed> {
    let request = CheckKey { key: key_ref(&key)?, environment: which.environment()?, policy: asked.policy };
    let cx = caller.permitted(&app, Permission::ReadKeys, &key).await?;
    let checked = app.ask(move |backend| backend.check_key(&cx, &request)).await?;
    let schema = "keyward.key-hygiene/v1".to_owned();
    Ok(reply(StatusCode::OK, &CheckedKeyReply { schema, key: checked.key, answers: checked.answers })?)
}
