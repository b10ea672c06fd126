//! `/v1/verify`: a service asks whether a credential may do something.

#[cfg(test)]
use crate::wire::verdict::VerdictReply;
use crate::{
    domain::{Check, Code, NotAsked, Permission, time::parse_past},
    ops::{Error, Verify},
    server::{
        app::App,
        body::{Raw, read, short_reply, whole_numbers},
        caller::Caller,
        engine::Asked,
        limits,
        listen::Peer,
        log,
        problem::{Failed, unavailable},
        serves::Serves,
    },
    wire::{json_objects, verdict::VerifyRequest},
};
use axum::{body::Body, extract::State, http::HeaderMap, response::Response};
use chrono::Utc;
use serde::Serialize;
use std::{borrow::Cow, sync::Arc, time::Instant};
use zeroize::Zeroizing;

const PATH: &str = "/v1/verify";
/// The longest question, in bytes.
const MOST: usize = 64 * 1024;

/// Judge a credential
///
/// For services that get keys: the status is 200 whatever the verdict. Where the key has a limit, `RateLimit` headers say how
/// it stands.
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/verify", operation_id = "verify", tag = "verdicts",
    request_body = VerifyRequest,
    responses((status = 200, description = "The verdict.", body = VerdictReply, headers(
        ("RateLimit" = String, description = "What is left of the limit."),
        ("RateLimit-Policy" = String, description = "The limit and its window."),
    ))),
    security(("operator" = [])),
))]
pub(super) async fn verify(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
    Raw(body): Raw<MOST>,
) -> Result<Response, Failed> {
    answer(&app, &caller, &headers, &body).await
}

/// [`verify`], without extractors.
pub(super) async fn verify_of(app: &Arc<App>, peer: Peer, headers: HeaderMap, body: Body) -> Result<Response, Failed> {
    let began = Instant::now();
    let caller = match Caller::of(app, peer, &headers).await {
        Ok(caller) => caller,
        Err(refused) => {
            log::note_refused(app, peer, &headers, ("POST", PATH), &refused, began.elapsed());
            return Err(refused);
        }
    };
    let body = read(body, MOST).await?;
    answer(app, &caller, &headers, &body).await
}

async fn answer(app: &Arc<App>, caller: &Caller, headers: &HeaderMap, body: &[u8]) -> Result<Response, Failed> {
    if !caller.may(Permission::ExplainVerdicts) {
        caller.permitted(app, Permission::AskVerdicts, "verdict").await?;
    }
    let within = caller.operator.workspace.as_deref();
    let asked: VerifyRequest = json_objects::read(&whole_numbers(body))
        .map_err(|error| Error::usage("the body is not a request for a verdict").cause(position(&error)))?;
    // Who may only ask why changes nothing by it: neither the limit of a key nor when it was used.
    let only_explains = asked.explain && !asked.record;
    if !only_explains && !caller.may(Permission::AskVerdicts) {
        caller.permitted(app, Permission::AskVerdicts, "verdict").await?;
    }
    let (mut request, now) = (asked.request()?, Utc::now());
    request.strict = !app.doors.lenient && !asked.explain;
    match app.doors.serves {
        Serves::Only(own) => {
            if *request.environment.get_or_insert(own) != own {
                return Err(Error::usage(format!("this server judges for {own} alone")).into());
            }
        }
        // A person is told what was not asked; a service must not let a key in because nobody asked.
        unsaid if !asked.explain => request.environment = request.environment.or(unsaid.assumed()),
        Serves::All | Serves::Unsaid => {}
    }
    let user_agent = asked.user_agent.as_deref();
    let operator = Some(caller.operator.name.as_str());
    // The status is 200 whatever the verdict says.
    let facts = |_| log::facts("POST", PATH, headers, 200, Utc::now() - now);
    let question = Asked {
        token: &asked.key,
        request: &request,
        cost: asked.cost.unwrap_or(1),
        within,
        user_agent,
        operator,
        facts: &facts,
        now,
    };
    if asked.explain {
        if asked.record && asked.at.is_some() {
            return Err(Error::usage("what is judged as of another time is no use of the key").into());
        }
        let at = asked
            .at
            .as_ref()
            .map(|at| parse_past(at, now).map_err(|cause| Error::usage("'at' is not usable").cause(cause)));
        let at = at.transpose()?;
        let explained = app.engine.explain(&question, at.unwrap_or(now));
        let (mut verdict, judged) = explained.map_err(|_| unavailable())?;
        if at.is_some() || request.customer.is_some() {
            // What was, and which names are known, the keystore alone says.
            let permission = caller.either(Permission::AskVerdicts, Permission::ExplainVerdicts);
            let cx = caller.permitted(app, permission, "verdict").await?;
            let token = Zeroizing::new(asked.key.clone());
            let again = Verify { token, request: request.clone(), at, record: None };
            verdict = app.ask(move |backend| backend.verify(&cx, &again)).await?;
        }
        if asked.record {
            // What is answered, whoever judged it last.
            app.engine.note(judged, verdict.code, &question);
        }
        let reply = Reply {
            checks: Some(&verdict.checks),
            notes: &verdict.notes,
            not_asked: &verdict.not_asked,
            ..Reply::of(verdict.code, verdict.key_id.as_deref())
        };
        return Ok(short_reply(&reply)?);
    }
    let judged = app.engine.judge(&question);
    let judged = judged.map_err(|_| unavailable())?;
    let (key, not_asked) = match &judged.key {
        Some(key) => (Some(key.id.as_str()), key.not_asked(&request)),
        None => (None, NotAsked::default()),
    };
    let not_asked: Vec<Cow<'static, str>> = not_asked.words().map(Cow::Borrowed).collect();
    let mut response = short_reply(&Reply { not_asked: &not_asked, ..Reply::of(judged.code, key) })?;
    limits::tell(response.headers_mut(), &judged);
    Ok(response)
}

/// What is answered; [`crate::wire::verdict::VerdictReply`] without a copy of it.
#[derive(Serialize)]
struct Reply<'a> {
    schema: &'static str,
    valid: bool,
    code: Code,
    http_status: u16,
    key_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: Option<&'a [Check]>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    notes: &'a [String],
    #[serde(skip_serializing_if = "<[Cow<'static, str>]>::is_empty")]
    not_asked: &'a [Cow<'static, str>],
}

impl<'a> Reply<'a> {
    fn of(code: Code, key_id: Option<&'a str>) -> Self {
        let http_status = code.http_status();
        Self {
            schema: "keyward.verdict/v1",
            valid: code == Code::Valid,
            code,
            http_status,
            key_id,
            checks: None,
            notes: &[],
            not_asked: &[],
        }
    }
}

/// Where a body is wrong; its words might repeat a part of the secret.
fn position(error: &serde_json::Error) -> String {
    format!("line {}, column {}", error.line(), error.column())
}
