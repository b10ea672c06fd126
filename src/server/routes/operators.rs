//! Operators: whoever manages them does so within its own role and bounds.

use crate::{
    domain::Permission,
    ops::{Appointed, CreateOperator, RotateOperator},
    server::{
        app::App,
        body::{Nothing, Path, Sent, reply},
        caller::Caller,
        problem::Failed,
    },
    wire::operators::{AppointedReply, OperatorList, OperatorReply, RotateCredential},
};
use axum::{extract::State, http::StatusCode, response::Response};
use serde_json::json;
use std::sync::Arc;

fn appointed(status: StatusCode, appointed: &Appointed) -> Result<Response, Failed> {
    Ok(reply(status, &AppointedReply::from(appointed))?)
}

/// The operators that the caller manages
#[utoipa::path(
    get, path = "/v1/operators", operation_id = "list_operators", tag = "operators",
    responses((status = 200, description = "The operators, by name.", body = OperatorList)),
    security(("operator" = [])),
)]
pub(super) async fn list(State(app): State<Arc<App>>, caller: Caller) -> Result<Response, Failed> {
    let cx = caller.permitted(&app, Permission::ManageOperators, "operators").await?;
    let items = app.ask(move |backend| backend.operators(&cx)).await?;
    Ok(reply(StatusCode::OK, &OperatorList::new(items))?)
}

/// Appoint an operator
///
/// Never with more than whoever does it may. The answer is the only one that ever holds the credential.
#[utoipa::path(
    post, path = "/v1/operators", operation_id = "create_operator", tag = "operators",
    request_body = CreateOperator,
    responses((status = 201, description = "The operator with its credential.", body = AppointedReply)),
    security(("operator" = [])),
)]
pub(super) async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    Sent(request): Sent<CreateOperator>,
) -> Result<Response, Failed> {
    let cx = caller.permitted(&app, Permission::ManageOperators, &request.name).await?;
    let made = app.change(move |backend| backend.create_operator(&cx, request)).await?;
    appointed(StatusCode::CREATED, &made)
}

/// Replace an operator's credential
#[utoipa::path(
    post, path = "/v1/operators/{name}/rotate", operation_id = "rotate_operator", tag = "operators",
    params(("name" = String, Path, description = "Its name or id.")),
    request_body = RotateCredential,
    responses((status = 200, description = "The operator with its new credential.", body = AppointedReply)),
    security(("operator" = [])),
)]
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

/// Cut an operator off
#[utoipa::path(
    post, path = "/v1/operators/{name}/revoke", operation_id = "revoke_operator", tag = "operators",
    params(("name" = String, Path, description = "Its name or id.")),
    responses((status = 200, description = "The operator.", body = OperatorReply)),
    security(("operator" = [])),
)]
pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(name): Path<String>,
    _: Sent<Nothing>,
) -> Result<Response, Failed> {
    let cx = caller.permitted(&app, Permission::ManageOperators, &name).await?;
    let revoked = app.change(move |backend| backend.revoke_operator(&cx, &name)).await?;
    Ok(reply(StatusCode::OK, &json!({ "schema": "keyward.operator/v1", "operator": revoked }))?)
}
