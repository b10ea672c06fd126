//! How keys are used, and recent verdicts.

use super::{Which, keys::key_ref};
use crate::{
    domain::{Permission, Retention, allowlist::parse_range, time::parse_past},
    ops::{Error, LogQuery, Result, UsageBy, UsageQuery},
    server::{
        app::App,
        body::{Query, Sent, reply},
        caller::Caller,
        problem::Failed,
    },
    wire::usage::{LogPage, LogParameters, RetentionBody, UsageParameters, UsageReply},
};
use axum::{extract::State, http::StatusCode, response::Response};
use chrono::Utc;
use std::sync::Arc;

/// How often, from where and with what verdict keys were used
///
/// What a server judged is told after its next flush.
#[cfg_attr(test, utoipa::path(
    get, path = "/v1/usage", operation_id = "show_usage", tag = "usage",
    params(UsageParameters),
    responses((status = 200, description = "Sums of use.", body = UsageReply)),
    security(("operator" = [])),
))]
pub(super) async fn usage(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(asked): Query<UsageParameters>,
) -> Result<Response, Failed> {
    let key = asked.key.as_deref().map(key_ref).transpose()?;
    let by = asked.by.map(|by| by.parse().map_err(Error::usage)).transpose()?;
    let query = UsageQuery {
        by: by.unwrap_or(if key.is_some() { UsageBy::Day } else { UsageBy::Key }),
        key,
        environment: Which { environment: asked.environment }.environment()?,
        since: asked.since.map(|since| parse_past(&since, Utc::now()).map_err(Error::usage)).transpose()?,
        // Credentials that no key has belong to no workspace.
        unknown: caller.operator.workspace.is_none(),
        mine: asked.mine,
    };
    let cx = caller.reads_keys(&app, query.mine, "usage").await?;
    let report = app.ask(move |backend| backend.usage(&cx, &query)).await?;
    Ok(reply(StatusCode::OK, &UsageReply { schema: "keyward.usage/v1".to_owned(), report })?)
}

/// Recent requests
///
/// Verdicts on keys, one by one with what was asked, or added up where very many came at once; with `operators` or `operator`
/// what operators asked, for who may read the audit trail.
#[cfg_attr(test, utoipa::path(
    get, path = "/v1/logs", operation_id = "list_verdicts", tag = "usage",
    params(LogParameters),
    responses((status = 200, description = "Recent requests, oldest first.", body = LogPage)),
    security(("operator" = [])),
))]
pub(super) async fn logs(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(asked): Query<LogParameters>,
) -> Result<Response, Failed> {
    let query = LogQuery {
        key: asked.key.as_deref().map(key_ref).transpose()?,
        environment: Which { environment: asked.environment }.environment()?,
        denied: asked.denied,
        since: asked.since.map(|since| parse_past(&since, Utc::now()).map_err(Error::usage)).transpose()?,
        after: asked.after,
        limit: asked.limit,
        unknown: caller.operator.workspace.is_none(),
        code: asked.code,
        status: asked.status.map(|status| status.parse().map_err(Error::usage)).transpose()?,
        path: asked.path,
        address: asked.address.map(|address| parse_range(&address).map_err(Error::usage)).transpose()?,
        operator: asked.operator,
        operators: asked.operators,
        mine: asked.mine,
    };
    // What operators do is no matter of who reads keys alone.
    let cx = if query.is_of_operators() {
        caller.permitted(&app, Permission::ReadAudit, "logs").await?
    } else {
        caller.reads_keys(&app, query.mine, "logs").await?
    };
    let logs = app.ask(move |backend| backend.logs(&cx, &query)).await?;
    Ok(reply(StatusCode::OK, &LogPage::from(logs))?)
}

/// How long facts of use are kept
#[cfg_attr(test, utoipa::path(
    get, path = "/v1/usage/retention", operation_id = "show_retention", tag = "usage",
    responses((status = 200, description = "The periods and numbers.", body = RetentionBody)),
    security(("operator" = [])),
))]
pub(super) async fn retention(State(app): State<Arc<App>>, caller: Caller) -> Result<Response, Failed> {
    let cx = caller.permitted(&app, Permission::ReadKeys, "usage").await?;
    let kept = app.ask(move |backend| backend.retention(&cx)).await?;
    Ok(reply(StatusCode::OK, &RetentionBody::from(&kept))?)
}

/// Change how long facts of use are kept
///
/// Of all workspaces: what is kept no longer is removed with the next of them that is written.
#[cfg_attr(test, utoipa::path(
    put, path = "/v1/usage/retention", operation_id = "change_retention", tag = "usage",
    request_body = RetentionBody,
    responses((status = 200, description = "The periods and numbers from now on.", body = RetentionBody)),
    security(("operator" = [])),
))]
pub(super) async fn retain(
    State(app): State<Arc<App>>,
    caller: Caller,
    Sent(body): Sent<RetentionBody>,
) -> Result<Response, Failed> {
    let wanted = Retention::try_from(body)?;
    let cx = caller.permitted(&app, Permission::ChangePlatform, "usage").await?;
    let kept = app.ask(move |backend| backend.retain(&cx, &wanted)).await?;
    Ok(reply(StatusCode::OK, &RetentionBody::from(&kept))?)
}
