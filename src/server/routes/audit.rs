//! The audit trail: an operator that is bound to a workspace sees what happened in it.

#[cfg(test)]
use crate::wire::{Problem, audit::EventParameters, problem::MEDIA_TYPE};
use crate::{
    backend::VerifyAudit,
    domain::Permission,
    ops::{AuditFilter, Error, Kind, Result, audit_checkpoint::KeptCheckpoint},
    server::{
        app::App,
        body::{Nothing, Query, Sent, put, reply},
        caller::Caller,
        problem::Failed,
    },
    wire::{
        audit::{EventBody, EventPage, ExportEnd, MAX_EVENTS, TrailReport, VerifyTrail, filter_of},
        keys::PageInfo,
    },
};
use axum::{
    body::{Body, Bytes, HttpBody},
    extract::State,
    http::{HeaderMap, StatusCode, header::ACCEPT},
    response::{IntoResponse, Response},
};
use chrono::Utc;
use hyper::body::Frame;
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context as Polled, Poll},
    time::Duration,
};
use tokio::{
    runtime::Handle,
    sync::mpsc,
    time::{Instant, timeout_at},
};

/// How long a reader of an export may rest: a keystore connection waits for it.
const REST: Duration = Duration::from_secs(30);
/// How long an export may take in all: a keystore connection is held for it, and the room of what was changed since.
const EXPORT_TIME: Duration = Duration::from_secs(1_800);
const CHUNK: usize = 64 * 1024;

/// Events, a page of them
///
/// Oldest first. An operator that is bound to a workspace sees what happened in it, and so does whoever names one by
/// `Keyward-Workspace`.
#[cfg_attr(test, utoipa::path(
    get, path = "/v1/audit", operation_id = "list_events", tag = "audit",
    params(EventParameters, ("limit" = Option<u32>, Query, maximum = 10_000, description = "The newest so many that match; without it a page reaches 10,000 events beyond `after`.")),
    responses((status = 200, description = "A page of the trail.", body = EventPage)),
    security(("operator" = [])),
))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Response, Failed> {
    let mut filter = AuditFilter { workspace: caller.named_workspace(), ..filter_of(&query, Utc::now())? };
    if filter.limit.is_some_and(|limit| limit > MAX_EVENTS) {
        return Err(Error::usage(format!("'limit' is at most {MAX_EVENTS}")).into());
    }
    let reach = filter.after.saturating_add(MAX_EVENTS as u64);
    if filter.limit.is_none() {
        filter.upto = Some(filter.upto.unwrap_or(u64::MAX).min(reach));
    }
    let permission = match filter.key {
        Some(_) => caller.either(Permission::ReadAudit, Permission::ReadHistory),
        None => Permission::ReadAudit,
    };
    let cx = caller.permitted(&app, permission, "trail").await?;
    let (upto, paged) = (filter.upto, filter.limit.is_none());
    let (size, listed) = app.ask(move |backend| Ok((backend.audit_size(&cx)?, backend.audit(&cx, &filter)?))).await?;
    let next = upto.filter(|upto| paged && *upto < size && *upto == reach).map(|upto| upto.to_string());
    let page = PageInfo {
        returned: listed.items.len(),
        total: listed.total,
        truncated: next.is_some() || listed.items.len() < listed.total,
        next,
    };
    let items = listed.items.iter().map(EventBody::from).collect();
    Ok(reply(StatusCode::OK, &EventPage { schema: "keyward.audit-list/v1".to_owned(), items, page, size })?)
}

/// Check the whole trail, and every key against it
///
/// What is not intact is a problem with the code `INTEGRITY`. So is a checkpoint that is not this vault's: that is the fault of
/// the request, and no server error.
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/audit/verify", operation_id = "verify_trail", tag = "audit",
    request_body = Option<VerifyTrail>,
    responses(
        (status = 200, description = "It is intact.", body = TrailReport),
        (status = 422, description = "A checkpoint that is not to be believed: `INTEGRITY`.", body = Problem, content_type = MEDIA_TYPE)),
    security(("operator" = [])),
))]
pub(super) async fn verify(
    State(app): State<Arc<App>>,
    caller: Caller,
    Sent(request): Sent<VerifyTrail>,
) -> Result<Response, Failed> {
    let mut checkpoints = Vec::new();
    for kept in &request.checkpoints {
        checkpoints.extend(KeptCheckpoint::read(&kept.place, &kept.note)?);
    }
    let key = request.key.map(|key| key.parse().map_err(|_| Error::usage("'key' is none that signs checkpoints")));
    let (full, key) = (request.full, key.transpose()?);
    let cx = caller.permitted(&app, Permission::ReadAudit, "trail").await?;
    let check = move || VerifyAudit { full, checkpoints, key, ..VerifyAudit::default() };
    let report = app.ask_at_length(move |backend| backend.verify_audit(&cx, check())).await?;
    let told = TrailReport {
        schema: "keyward.audit-verify/v1".to_owned(),
        ok: true,
        events: report.events,
        keys: report.keys,
        epoch: report.epoch,
        root: report.root,
        checkpoints: report.checkpoints,
    };
    Ok(reply(StatusCode::OK, &told)?)
}

/// Export events, a line each
///
/// Each line has the bytes that were hashed, so that an outsider can check it; the last line is the signed checkpoint that
/// covers them all, and an export without it was cut. The export is itself an event, recorded before the first line.
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/audit/export", operation_id = "export_trail", tag = "audit",
    params(EventParameters,
        ("limit" = Option<u64>, Query, description = "The newest so many that match."),
        ("format" = Option<String>, Query, description = "What the lines are for; recorded with the export.")),
    responses((status = 200, description = "Lines of JSON, as plain text for whoever accepts nothing else.",
        content((String = "application/x-ndjson"), (String = "text/plain")))),
    security(("operator" = [])),
))]
pub(super) async fn export(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
    Query(mut query): Query<Vec<(String, String)>>,
    _: Sent<Nothing>,
) -> Result<Response, Failed> {
    let format = query.iter().position(|(name, _)| name == "format").map(|at| query.remove(at).1);
    let format = format.unwrap_or_else(|| "jsonl".to_owned());
    let filter = AuditFilter { workspace: caller.named_workspace(), ..filter_of(&query, Utc::now())? };
    let cx = caller.permitted(&app, Permission::ExportAudit, "trail").await?;
    let (sender, mut receiver) = mpsc::channel::<Result<Bytes>>(4);
    let (asked, last) = (Arc::clone(&app), sender.clone());
    tokio::spawn(async move {
        let runtime = Handle::current();
        let exported = asked.ask_at_length(move |backend| {
            let end = Instant::now() + EXPORT_TIME;
            let mut held = Vec::with_capacity(CHUNK);
            let send = |held: &mut Vec<u8>| {
                let chunk = Bytes::from(std::mem::take(held));
                let by = end.min(Instant::now() + REST);
                match runtime.block_on(async { timeout_at(by, sender.send(Ok(chunk))).await }) {
                    Ok(Ok(())) => Ok(()),
                    Err(_) if by == end => Err(slow()),
                    _ => Err(gone()),
                }
            };
            let mut take = |line: &crate::ops::audit_export::Exported| {
                held.extend_from_slice(line.to_json().to_string().as_bytes());
                held.push(b'\n');
                if held.len() < CHUNK { Ok(()) } else { send(&mut held) }
            };
            let (events, signed) = backend.export_audit(&cx, &filter, &format, &mut take)?;
            let end = serde_json::to_vec(&ExportEnd::new(events, &signed));
            held.extend(end.map_err(|error| Error::new(Kind::Internal, "reply", error.to_string()))?);
            held.push(b'\n');
            send(&mut held)
        });
        if let Err(error) = exported.await {
            // Nobody may be there any more to be told.
            let _ = last.send(Err(error)).await;
        }
    });
    // What is refused is told before there is a body.
    let first = receiver.recv().await.unwrap_or_else(|| Err(gone()))?;
    let mut response = Body::new(Lines { first: Some(first), rest: receiver }).into_response();
    // Clients that are generated know no lines of JSON.
    let plain = headers.get(ACCEPT).is_some_and(|accept| accept.as_bytes().starts_with(b"text/plain"));
    let kind = if plain { "text/plain; charset=utf-8" } else { "application/x-ndjson" };
    put(response.headers_mut(), "content-type", kind);
    put(response.headers_mut(), "cache-control", "no-store");
    Ok(response)
}

fn gone() -> Error {
    Error::new(Kind::Unavailable, "reader", "the reader of the export went away")
}

fn slow() -> Error {
    let minutes = EXPORT_TIME.as_secs() / 60;
    Error::new(Kind::Unavailable, "reader", format!("the reader of the export took longer than {minutes} minutes"))
}

/// The lines of an export as they come.
struct Lines {
    first: Option<Bytes>,
    rest: mpsc::Receiver<Result<Bytes>>,
}

impl HttpBody for Lines {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Polled<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        self.rest.poll_recv(cx).map(|next| next.map(|chunk| chunk.map(Frame::data)))
    }
}
