//! Checkpoints, proofs and reviews of the audit trail.

use crate::{
    domain::Permission,
    ops::Result,
    server::{
        app::App,
        body::{Path, Query, Sent, reply},
        caller::Caller,
        problem::Failed,
    },
    wire::signed::{
        CheckpointReply, MakeCheckpoint, ProofParameters, ProofReply, RecordReview, ReviewParameters, ReviewReply,
    },
};
use axum::{extract::State, http::StatusCode, response::Response};
use std::sync::Arc;

/// Sign the trail as it is
///
/// Where it is about to be sent somewhere, that is recorded first, and the checkpoint covers its own event.
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/audit/checkpoint", operation_id = "checkpoint_trail", tag = "audit",
    request_body = Option<MakeCheckpoint>,
    responses((status = 200, description = "The checkpoint.", body = CheckpointReply)),
    security(("operator" = [])),
))]
pub(super) async fn checkpoint(
    State(app): State<Arc<App>>,
    caller: Caller,
    Sent(asked): Sent<MakeCheckpoint>,
) -> Result<Response, Failed> {
    let cx = caller.permitted(&app, Permission::ReadAudit, "trail").await?;
    let signed = app.ask(move |backend| backend.checkpoint(&cx, &asked.places)).await?;
    Ok(reply(StatusCode::OK, &CheckpointReply::from(&signed))?)
}

/// Prove that an event is in the trail
#[cfg_attr(test, utoipa::path(
    get, path = "/v1/audit/{seq}/proof", operation_id = "prove_event", tag = "audit",
    params(("seq" = u64, Path, description = "Its number."), ProofParameters),
    responses((status = 200, description = "The proof, against a checkpoint.", body = ProofReply)),
    security(("operator" = [])),
))]
pub(super) async fn prove(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(seq): Path<u64>,
    Query(asked): Query<ProofParameters>,
) -> Result<Response, Failed> {
    let cx = caller.permitted(&app, Permission::ReadAudit, "trail").await?;
    let proven = app.ask(move |backend| {
        // The public part names what was done on what: an operator sees that of its own workspace alone.
        if cx.authority.bound_to().is_some() {
            backend.audit_event(&cx, seq)?;
        }
        backend.prove_audit(&cx, seq, asked.size)
    });
    Ok(reply(StatusCode::OK, &ProofReply::from(&proven.await?))?)
}

/// How far the trail is reviewed
#[cfg_attr(test, utoipa::path(
    get, path = "/v1/audit/review", operation_id = "show_review", tag = "audit",
    params(ReviewParameters),
    responses((status = 200, description = "The last review.", body = ReviewReply)),
    security(("operator" = [])),
))]
pub(super) async fn review(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(asked): Query<ReviewParameters>,
) -> Result<Response, Failed> {
    let cx = caller.permitted(&app, Permission::ReadAudit, "trail").await?;
    let (state, since) = app
        .ask(
            move |backend| {
                if asked.summary { backend.review_summary(&cx) } else { Ok((backend.review_state(&cx)?, Vec::new())) }
            },
        )
        .await?;
    Ok(reply(StatusCode::OK, &ReviewReply::of(state, since))?)
}

/// Record that somebody has looked at the trail
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/audit/review", operation_id = "review_trail", tag = "audit",
    request_body = RecordReview,
    responses((status = 200, description = "How far it is reviewed now.", body = ReviewReply)),
    security(("operator" = [])),
))]
pub(super) async fn record_review(
    State(app): State<Arc<App>>,
    caller: Caller,
    Sent(asked): Sent<RecordReview>,
) -> Result<Response, Failed> {
    let cx = caller.permitted(&app, Permission::ReadAudit, "trail").await?;
    caller.is_of_the_platform(&app, "reviews").await?;
    let state = app.ask(move |backend| backend.review(&cx, asked.upto, &asked.note)).await?;
    Ok(reply(StatusCode::OK, &ReviewReply::of(state, Vec::new()))?)
}
