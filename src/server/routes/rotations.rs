//! Rotations: staged here, delivered by the caller, who then says how that went.

use super::{Which, keys::key_ref};
use crate::{
    domain::Permission,
    ops::{Error, Result, rotation::Step, stage::Stage},
    server::{
        app::App,
        body::{Path, Query, Sent, put, reply},
        caller::Caller,
        problem::Failed,
    },
    wire::rotations::{RotateBody, RotateReply, StagedReply, StepBody},
};
#[cfg(test)]
use crate::{
    domain::RotationId,
    wire::{header::IdempotencyKey, rotations::RotationReply},
};
use axum::{extract::State, http::StatusCode, response::Response};
use serde_json::json;
use std::sync::Arc;

/// Stage a new secret for a key
///
/// It works at once, beside the old one. The caller delivers it, records steps, and commits.
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/keys/{key}/rotations", operation_id = "stage_rotation", tag = "rotations",
    params(("key" = String, Path, description = "The id of the key, its name, or a prefix of its id."), Which, IdempotencyKey),
    request_body = Stage,
    responses((status = 201, description = "A new secret, shown this once.", body = StagedReply),
        (status = 200, description = "Nothing was minted: a rotation goes on, or none is due.", body = StagedReply)),
    security(("operator" = [])),
))]
pub(super) async fn stage(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(key): Path<String>,
    Query(which): Query<Which>,
    Sent(mut request): Sent<Stage>,
) -> Result<Response, Failed> {
    (request.key, request.environment) = (key_ref(&key)?, which.environment()?);
    request.idempotency_key = caller.idempotency_key.clone().or(request.idempotency_key);
    let cx = caller.permitted(&app, Permission::RotateKeys, &key).await?;
    let staged = app.change(move |backend| backend.stage(&cx, &request)).await?;
    let status = if staged.secret.is_some() { StatusCode::CREATED } else { StatusCode::OK };
    Ok(reply(status, &StagedReply::from(&staged))?)
}

/// Rotate a key in one call
///
/// The answer is the only one that ever holds the new secret, which is the current one by then; the old one goes on working for
/// its overlap, or stops at once with `"overlap": "now"`. Whoever delivers a secret stages a rotation instead, so that nothing
/// ends before it has arrived.
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/keys/{key}/rotate", operation_id = "rotate_key", tag = "rotations",
    params(("key" = String, Path, description = "The id of the key, its name, or a prefix of its id."), Which, IdempotencyKey),
    request_body = RotateBody,
    responses((status = 201, description = "The key with its new secret.", body = RotateReply),
        (status = 200, description = "Nothing was minted: the rotation was done before, or its secret had arrived.", body = RotateReply)),
    security(("operator" = [])),
))]
pub(super) async fn rotate(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(key): Path<String>,
    Query(which): Query<Which>,
    Sent(body): Sent<RotateBody>,
) -> Result<Response, Failed> {
    let request = Stage {
        environment: which.environment()?,
        overlap: body.overlap,
        renew: body.renew,
        reinstate: body.reinstate,
        supersede: body.supersede,
        idempotency_key: caller.idempotency_key.clone(),
        ..Stage::of(key_ref(&key)?)
    };
    let cx = caller.permitted(&app, Permission::RotateKeys, &key).await?;
    let rotated = app.change(move |backend| backend.rotate(&cx, &request)).await?;
    let status = if rotated.secret.is_some() { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = reply(status, &RotateReply::from(&rotated))?;
    put(response.headers_mut(), "etag", &format!("\"v{}\"", rotated.key.version));
    Ok(response)
}

/// Record a step of a delivery
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/rotations/{rotation}/steps", operation_id = "step_rotation", tag = "rotations",
    params(("rotation" = RotationId, Path, description = "The id of the rotation.")),
    request_body = StepBody,
    responses((status = 200, description = "The rotation.", body = RotationReply)),
    security(("operator" = [])),
))]
pub(super) async fn step(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(rotation): Path<String>,
    Sent(request): Sent<StepBody>,
) -> Result<Response, Failed> {
    let cx = caller.permitted(&app, Permission::RotateKeys, &rotation).await?;
    let step = Step {
        rotation: rotation.parse().map_err(Error::usage)?,
        secret: request.secret.parse().map_err(|_| Error::usage("'secret' is no public id of a secret"))?,
        sink: request.sink,
        progress: request.progress.into(),
    };
    let stepped = app.change(move |backend| backend.rotation_step(&cx, step)).await?;
    Ok(reply(StatusCode::OK, &json!({ "schema": "keyward.rotation/v1", "rotation": stepped }))?)
}
