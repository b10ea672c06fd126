//! `/v1/verify`: a service asks whether a credential may do something.

use crate::{
    domain::{Permission, Verdict, time::parse_time},
    ops::Error,
    server::{
        app::App,
        body::Raw,
        caller::Caller,
        engine::Asked,
        limits,
        problem::{Failed, unavailable},
    },
    wire::verdict::{VerdictReply, VerifyRequest},
};
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use chrono::Utc;
use serde_json::json;
use std::sync::Arc;

/// The longest question, in bytes.
const MOST: usize = 64 * 1024;

/// Judge a credential
///
/// For services that get keys: the status is 200 whatever the verdict. Where the key has a limit, `RateLimit` headers say how
/// it stands.
#[utoipa::path(
    post, path = "/v1/verify", operation_id = "verify", tag = "verdicts",
    request_body = VerifyRequest,
    responses((status = 200, description = "The verdict.", body = VerdictReply, headers(
        ("RateLimit" = String, description = "What is left of the limit."),
        ("RateLimit-Policy" = String, description = "The limit and its window."),
    ))),
    security(("operator" = [])),
)]
pub(super) async fn verify(
    State(app): State<Arc<App>>,
    caller: Caller,
    Raw(body): Raw<MOST>,
) -> Result<Response, Failed> {
    if !caller.may(Permission::AskVerdicts) {
        caller.permitted(&app, Permission::AskVerdicts, "verdict").await?;
    }
    let within = caller.operator.workspace.as_deref();
    let asked: VerifyRequest = serde_json::from_slice(&body)
        .map_err(|error| Error::usage("the body is not a request for a verdict").cause(position(&error)))?;
    let (request, now) = (asked.request()?, Utc::now());
    if asked.explain {
        let at =
            asked.at.as_ref().map(|at| parse_time(at).map_err(|cause| Error::usage("'at' is not usable").cause(cause)));
        let at = at.transpose()?.unwrap_or(now);
        let verdict = app.engine.explain(&asked.key, &request, within, (at, now)).map_err(|_| unavailable())?;
        return Ok(reply(&verdict, true).into_response());
    }
    let cost = asked.cost.unwrap_or(1);
    let user_agent = asked.user_agent.as_deref();
    let judged = app.engine.judge(&Asked { token: &asked.key, request: &request, cost, within, user_agent, now });
    let judged = judged.map_err(|_| unavailable())?;
    let verdict = Verdict {
        valid: judged.code.http_status() == 200,
        code: judged.code,
        http_status: judged.code.http_status(),
        key_id: judged.key.map(|key| key.id.to_string()),
        checks: Vec::new(),
    };
    let mut response = reply(&verdict, false).into_response();
    if let Some(standing) = &judged.standing {
        limits::tell(response.headers_mut(), standing);
    }
    Ok(response)
}

/// Where a body is wrong; its words might repeat a part of the secret.
fn position(error: &serde_json::Error) -> String {
    format!("line {}, column {}", error.line(), error.column())
}

fn reply(verdict: &Verdict, explain: bool) -> Json<serde_json::Value> {
    let mut reply = json!({
        "schema": "keyward.verdict/v1", "valid": verdict.valid, "code": verdict.code,
        "http_status": verdict.http_status, "key_id": verdict.key_id,
    });
    if explain {
        reply["checks"] = json!(verdict.checks);
    }
    Json(reply)
}
