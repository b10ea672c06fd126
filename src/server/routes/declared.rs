//! Keys as a file declares them: the plan, its execution, and the way back; and the hygiene of keys.

use crate::{
    domain::Permission,
    ops::Apply,
    server::{
        app::App,
        body::{Sent, reply},
        caller::Caller,
        problem::Failed,
    },
    wire::{
        declared::{AppliedReply, PlanReply},
        keys::within_bulk,
    },
};
use axum::{extract::State, http::StatusCode, response::Response};
use std::sync::Arc;

/// A file of 100,000 keys.
const FILE: usize = 64 * 1024 * 1024;
/// What a file may change: an operator that makes a workspace like one must be allowed all of it.
const APPLYING: [Permission; 4] =
    [Permission::CreateKeys, Permission::UpdateKeys, Permission::ActivateKeys, Permission::StopKeys];

/// What would have to be done to make the workspace like a file?
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/keys/plan", operation_id = "plan_keys", tag = "keys",
    request_body = Option<Apply>,
    responses((status = 200, description = "The plan.", body = PlanReply)),
    security(("operator" = [])),
))]
pub(super) async fn plan(
    State(app): State<Arc<App>>,
    caller: Caller,
    Sent(asked): Sent<Apply, FILE>,
) -> Result<Response, Failed> {
    let cx = caller.permitted(&app, Permission::ReadKeys, "keys").await?;
    within_bulk(asked.keys.len())?;
    let plan = app.ask(move |backend| backend.plan(&cx, &asked)).await?;
    Ok(reply(StatusCode::OK, &PlanReply { schema: "keyward.plan/v1".to_owned(), plan })?)
}

/// Make the workspace like a file, all of it or nothing
///
/// The answer is the only one that ever holds the secrets of new keys. With `expected`, nothing is done by any other plan.
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/keys/apply", operation_id = "apply_keys", tag = "keys",
    request_body = Option<Apply>,
    responses((status = 200, description = "What was done.", body = AppliedReply)),
    security(("operator" = [])),
))]
pub(super) async fn apply(
    State(app): State<Arc<App>>,
    caller: Caller,
    Sent(asked): Sent<Apply, FILE>,
) -> Result<Response, Failed> {
    let mut cx = caller.permitted(&app, Permission::ReadKeys, "keys").await?;
    for permission in APPLYING {
        cx = caller.permitted(&app, permission, "keys").await?;
    }
    within_bulk(asked.keys.len())?;
    let applied = app.change(move |backend| backend.apply(&cx, &asked)).await?;
    Ok(reply(StatusCode::OK, &AppliedReply::from(&applied))?)
}
