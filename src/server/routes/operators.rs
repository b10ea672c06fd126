//! Operators: whoever manages them does so within its own role and bounds.

use crate::{
    domain::Permission,
    ops::{Appointed, CreateOperator, RotateOperator},
    server::{
        app::App,
        body::{Sent, reply},
        caller::Caller,
        problem::Failed,
    },
    wire::operators::{AppointedReply, OperatorList, RotateCredential},
};
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use serde_json::json;
use std::sync::Arc;

fn appointed(status: StatusCode, appointed: &Appointed) -> Result<Response, Failed> {
    Ok(reply(status, &AppointedReply::from(appointed))?)
}

pub(super) async fn list(State(app): State<Arc<App>>, caller: Caller) -> Result<Response, Failed> {
    let cx = caller.permitted(&app, Permission::ManageOperators, "operators").await?;
    let items = app.ask(move |backend| backend.operators(&cx)).await?;
    Ok(reply(StatusCode::OK, &OperatorList::new(items))?)
}

pub(super) async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    Sent(request): Sent<CreateOperator>,
) -> Result<Response, Failed> {
    let cx = caller.permitted(&app, Permission::ManageOperators, &request.name).await?;
    let made = app.change(move |backend| backend.create_operator(&cx, request)).await?;
    appointed(StatusCode::CREATED, &made)
}

pub(super) async fn rotate(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(name): Path<String>,
    Sent(request): Sent<RotateCredential>,
) -> Result<Response, Failed> {
    let cx = caller.permitted(&app, Permission::ManageOperators, &name).await?;
    let request = RotateOperator { name, overlap: request.overlap };
    let made = app.change(move |backend| backend.rotate_operator(&cx, &request)).await?;
    appointed(StatusCode::OK, &made)
}

pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Response, Failed> {
    let cx = caller.permitted(&app, Permission::ManageOperators, &name).await?;
    let revoked = app.change(move |backend| backend.revoke_operator(&cx, &name)).await?;
    Ok(reply(StatusCode::OK, &json!({ "schema": "keyward.operator/v1", "operator": revoked }))?)
}
