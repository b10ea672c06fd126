//! The holder of a key, who has shown its secret: what that proves, and the circumstances of the call that follows.
//!
//! Whoever shows one that is no good learns what a verdict would tell, at the price of one, and after ten in a minute nothing
//! more. What the holder may do is judged again in the keystore ([`crate::ops::holder`]).

use super::{
    app::App,
    caller::{count, text, yes_or_no},
    problem::{Failed, too_many, unavailable},
    shown::{API_KEY, asked_by, asking, outsider, peer_of, refused},
};
use crate::{
    domain::{KeyId, key_from_headers},
    ops::{Authority, Context, Error, Holder, Kind, Result, case::UseCase},
    wire::header,
};
use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, header::AUTHORIZATION, request::Parts},
    response::{IntoResponse, Response},
};
use chrono::{SubsecRound, Utc};
use std::{net::IpAddr, sync::Arc};

/// Ends a hint that a holder can hand on.
const FOR_OTHERS: &str = "(for those who may)";

/// Somebody who has shown the secret of a key.
pub(super) struct Possession {
    holder: Arc<Holder>,
    ip: Option<IpAddr>,
    reason: Option<String>,
    ticket: Option<String>,
    dry_run: bool,
    client: Option<String>,
    pub(super) idempotency_key: Option<String>,
}

impl FromRequestParts<Arc<App>> for Possession {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        Self::of(app, parts).map_err(|denied| *denied)
    }
}

fn boxed(failed: impl Into<Failed>) -> Box<Response> {
    Box::new(failed.into().into_response())
}

impl Possession {
    fn of(app: &App, parts: &Parts) -> Result<Self, Box<Response>> {
        let (peer, headers) = (peer_of(parts), &parts.headers);
        let request = asked_by(app, peer, parts).map_err(boxed)?;
        let now = Utc::now();
        if let Some(standing) = app.engine.strange_too_often(request.ip, now) {
            app.metrics.limited.inc();
            // Also a good one: an answer would tell whoever guesses which one that is.
            return Err(boxed(too_many(standing, "keys that are no good")));
        }
        count(app, peer, headers).map_err(boxed)?;
        let bearer = headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes);
        let token = key_from_headers(bearer, headers.get_all(API_KEY).iter().map(HeaderValue::as_bytes));
        let judged = asking(parts, &request, token.unwrap_or_default(), |asked| app.engine.hold(asked));
        let (key, secret) = match judged.map_err(|_| boxed(unavailable()))? {
            Ok(held) => held,
            Err(judged) => {
                app.engine.strange(request.ip, now);
                return Err(Box::new(refused(&judged, &request)));
            }
        };
        let holder = Holder { key: key.id.clone(), secret, workspace: key.rules.shape.workspace.clone() };
        let said = |name| text(headers, name).map_err(boxed);
        Ok(Self {
            holder: Arc::new(holder),
            ip: request.ip,
            reason: said(header::REASON)?,
            ticket: said(header::TICKET)?,
            dry_run: yes_or_no(headers, header::DRY_RUN).map_err(boxed)?,
            client: said(header::CLIENT)?.filter(|name| (8..=64).contains(&name.len())),
            idempotency_key: said(header::IDEMPOTENCY_KEY)?,
        })
    }

    /// The circumstances of a use case of holders.
    ///
    /// # Errors
    /// `Forbidden` for one of operators.
    pub(super) fn granted(&self, request: &impl UseCase) -> Result<Context> {
        let authority = Authority::Holder(Arc::clone(&self.holder));
        authority.may(request.permission(&authority))?;
        Ok(self.context())
    }

    /// The key that it holds.
    pub(super) fn key(&self) -> &KeyId {
        &self.holder.key
    }

    /// The circumstances of a call of a holder.
    pub(super) fn context(&self) -> Context {
        Context {
            now: Utc::now().trunc_subsecs(0),
            actor: self.holder.actor(),
            source: self.ip.map_or_else(|| "server".to_owned(), |ip| format!("server {ip}")),
            reason: self.reason.clone(),
            ticket: self.ticket.clone(),
            workspace: self.holder.workspace.clone(),
            authority: Authority::Holder(Arc::clone(&self.holder)),
            client: self.client.clone(),
            expected_version: None,
            read_only: false,
            dry_run: self.dry_run,
            rehearses: false,
        }
    }

    /// The answer to a call that failed. What a holder may not do is counted as a key that is no good: each is an event, and the
    /// trail is not to be filled with them. A key that has ended meanwhile is answered as any other that is none.
    pub(super) fn failed(&self, app: &App, mut error: Error) -> Response {
        // The commands of operators are none for a holder.
        error.hints.retain(|hint| hint.ends_with(FOR_OTHERS));
        if matches!(error.kind, Kind::Auth | Kind::Forbidden | Kind::Conflict | Kind::NotFound) {
            app.engine.strange(self.ip, Utc::now());
        }
        if error.kind == Kind::Auth { outsider() } else { Failed::from(error).into_response() }
    }
}
