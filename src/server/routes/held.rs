//! The rotation of a key by its holder: the steps of any rotation, of this one key, told no more of it than the rotation says.

use crate::{
    domain::KeyRef,
    ops::{Commit, Error, Result, RotationRef, Stage, holder::HELD_BYTES},
    server::{
        app::App,
        body::{Path, Sent, reply},
        possession::Possession,
        problem::Failed,
    },
    wire::holder::{HeldCommit, HeldRotated, HeldStage, HeldStaged},
};
#[cfg(test)]
use crate::{domain::RotationId, wire::header::IdempotencyKey};
use axum::{extract::State, http::StatusCode, response::Response};
use std::sync::Arc;

/// No place that a secret goes to has a longer name.
const LONGEST_SINK: usize = 512;

/// Stage a new secret for the key that is held
///
/// It works at once, beside the one that is shown. The caller keeps it, records steps, and commits; or shows the new secret with
/// the commit, which proves that it has arrived. The scopes, the limits and the end of the key stay as they are.
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/self/rotations", operation_id = "stage_own_rotation", tag = "self",
    params(IdempotencyKey),
    request_body = HeldStage,
    responses((status = 201, description = "A new secret, shown this once.", body = HeldStaged),
        (status = 200, description = "Nothing was minted: a rotation goes on, or is done.", body = HeldStaged)),
    security(("key" = []), ("key_as_bearer" = [])),
))]
pub(super) async fn stage(
    State(app): State<Arc<App>>,
    holder: Possession,
    Sent(body): Sent<HeldStage, HELD_BYTES>,
) -> Result<Response, Failed> {
    let most = |sinks: &[String]| sinks.len() <= 1 && sinks.iter().all(|sink| sink.chars().count() <= LONGEST_SINK);
    if !most(&body.sinks) || !most(&body.ask_back) {
        return Err(Error::usage(format!("a holder delivers to one sink, of at most {LONGEST_SINK} characters")).into());
    }
    let request = Stage {
        sinks: body.sinks,
        ask_back: body.ask_back,
        lease: body.lease,
        intend: body.intend,
        idempotency_key: holder.idempotency_key.clone().or(body.idempotency_key),
        ..Stage::of(KeyRef::Id(holder.key().clone()))
    };
    let cx = holder.context();
    match app.change(move |backend| backend.run(&cx, request)).await {
        Ok(staged) => {
            let status = if staged.secret.is_some() { StatusCode::CREATED } else { StatusCode::OK };
            Ok(reply(status, &HeldStaged::from(&staged))?)
        }
        Err(error) => Ok(holder.failed(&app, error)),
    }
}

/// Make the new secret of the key that is held the current one
///
/// Refused without a receipt or a use of the new secret, unless forced. Whoever shows the new secret with this call has used it.
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/self/rotations/{rotation}/commit", operation_id = "commit_own_rotation", tag = "self",
    params(("rotation" = RotationId, Path, description = "The id of the rotation.")),
    request_body = HeldCommit,
    responses((status = 200, description = "The rotation.", body = HeldRotated)),
    security(("key" = []), ("key_as_bearer" = [])),
))]
pub(super) async fn commit(
    State(app): State<Arc<App>>,
    holder: Possession,
    Path(rotation): Path<String>,
    Sent(HeldCommit { receipts, force, only_if_idle }): Sent<HeldCommit, HELD_BYTES>,
) -> Result<Response, Failed> {
    let rotation = RotationRef::Id(rotation.parse().map_err(Error::usage)?);
    let request = Commit { rotation, environment: None, receipts, force, only_if_idle };
    let cx = holder.context();
    match app.change(move |backend| backend.change(&cx, request)).await {
        Ok(rotated) => {
            let told = HeldRotated {
                schema: "keyward.rotation/v1",
                rotation: rotated.rotation,
                old_valid_until: rotated.old_valid_until,
            };
            Ok(reply(StatusCode::OK, &told)?)
        }
        Err(error) => Ok(holder.failed(&app, error)),
    }
}
