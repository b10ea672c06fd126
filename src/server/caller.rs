//! Who calls, from where, and on whose behalf: read once from the headers of a request.
//!
//! The address of a client is what the connection says, unless that is a proxy that the operator of the server trusts:
//! then `X-Forwarded-For` is walked from the right, through trusted proxies, to the first address that is none. What
//! cannot be read on that way is refused, never skipped; what stands beyond it is not read.

use super::{
    app::App,
    bearer::{self, Denied, Shown},
    listen::Peer,
    problem::{Failed, too_many, unavailable},
};
use crate::{
    domain::{
        Action, HeaderError, Operator, Permission, PlainToken, Refusal, Role, Time, credential_from_headers,
        looks_like_jwt,
    },
    ops::{Authority, Context, Error, Kind, Result, case::UseCase},
    wire::header,
};
use axum::{
    extract::FromRequestParts,
    http::{
        Extensions, HeaderMap, HeaderValue,
        header::{AUTHORIZATION, IF_MATCH},
        request::Parts,
    },
};
use chrono::{SubsecRound, Utc};
use ipnet::IpNet;
use percent_encoding::percent_decode_str;
use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

const MAX_FORWARDED: usize = 32;
/// A refused credential is recorded as often.
const LATELY: Duration = Duration::from_secs(60);

/// The address of the client; `None` when nobody said one, over a Unix socket.
///
/// # Errors
/// `Usage` when a trusted proxy forwarded something that is no list of addresses.
pub(super) fn client_ip(peer: Peer, headers: &HeaderMap, trusted: &[IpNet]) -> Result<Option<IpAddr>> {
    let is_trusted = |ip: &IpAddr| trusted.iter().any(|range| range.contains(ip));
    let direct = match peer {
        Peer::Ip(ip) if !is_trusted(&ip) => return Ok(Some(ip)),
        Peer::Ip(ip) => Some(ip),
        // Whoever may open the socket is trusted to name the client.
        Peer::Local => None,
    };
    let refused = || Error::usage("X-Forwarded-For is no list of addresses");
    let mut parts = Vec::new();
    for value in headers.get_all(header::FORWARDED_FOR) {
        parts.extend(value.to_str().map_err(|_| refused())?.split(','));
    }
    if parts.len() > MAX_FORWARDED {
        return Err(refused());
    }
    let mut furthest = direct;
    for part in parts.iter().rev() {
        let ip = forwarded_ip(part.trim()).ok_or_else(refused)?;
        furthest = Some(ip);
        // What stands before it was said by an address that nobody trusts.
        if !is_trusted(&ip) {
            break;
        }
    }
    Ok(furthest)
}

/// An address as proxies write it: alone, with a port (Azure's gateways), or in brackets. A name, `unknown` and the
/// obfuscated identifiers of RFC 7239 are no address.
fn forwarded_ip(written: &str) -> Option<IpAddr> {
    let alone = written.parse().ok();
    let with_port = || written.parse().ok().map(|address: SocketAddr| address.ip());
    let in_brackets = || written.strip_prefix('[')?.strip_suffix(']')?.parse().ok().map(IpAddr::V6);
    alone.or_else(with_port).or_else(in_brackets).map(|ip| ip.to_canonical())
}

/// An operator that has shown its credential, and the circumstances of its call.
pub(super) struct Caller {
    pub(super) operator: Arc<Operator>,
    pub(super) ip: Option<IpAddr>,
    workspace: Option<String>,
    reason: Option<String>,
    ticket: Option<String>,
    dry_run: bool,
    rehearses: bool,
    client: Option<String>,
    pub(super) idempotency_key: Option<String>,
    expected_version: Option<u64>,
}

/// Who asked, for the log, which sees a request before and after anybody knows.
#[derive(Clone, Default)]
pub(super) struct Asker(Arc<OnceLock<Arc<Operator>>>);

impl Asker {
    fn set(&self, operator: &Arc<Operator>) {
        // A request has one caller.
        let _ = self.0.set(Arc::clone(operator));
    }

    pub(super) fn get(&self) -> Option<Arc<Operator>> {
        self.0.get().cloned()
    }
}

/// Who is at the other end of the connection of a request.
pub(super) fn peer_of(extensions: &Extensions) -> Peer {
    extensions.get::<Peer>().copied().unwrap_or(Peer::Local)
}

/// Takes a request from the limit of its address.
///
/// # Errors
/// When that is used up; `Usage` for a header that is not usable.
pub(super) fn count(app: &App, peer: Peer, headers: &HeaderMap) -> Result<(), Failed> {
    let ip = client_ip(peer, headers, &app.doors.trusted)?;
    match app.engine.take_request(ip, Utc::now()) {
        None => Ok(()),
        Some(standing) => {
            app.metrics.limited.inc();
            Err(too_many(standing, "requests"))
        }
    }
}

/// Counts a credential that is no good.
fn refused(app: &App, ip: Option<IpAddr>, now: Time) {
    app.engine.credential_refused(ip, now);
    app.metrics.credentials_refused.inc();
}

fn unauthorised() -> Error {
    Error::new(Kind::Auth, "credential", "no operator has this credential, or it does not work from here or any more")
        .hint("keyward login URL")
}

/// The operators whose credentials were refused lately: whoever goes on trying with one must not fill the trail.
#[derive(Default)]
pub(super) struct Intruded(Mutex<HashMap<String, Instant>>);

impl Intruded {
    fn is_news(&self, operator: &str) -> bool {
        let mut lately = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lately.retain(|_, at| at.elapsed() < LATELY);
        let is_news = !lately.contains_key(operator);
        if is_news {
            lately.insert(operator.to_owned(), Instant::now());
        }
        is_news
    }
}

/// Records that the credential of an operator was presented, and was no good.
async fn intruded(app: &Arc<App>, operator: &Arc<Operator>, ip: Option<IpAddr>, why: &str) -> Result<()> {
    if !app.intruded.is_news(&operator.id) {
        return Ok(());
    }
    let caller = Caller {
        operator: Arc::clone(operator),
        ip,
        workspace: None,
        reason: None,
        ticket: None,
        dry_run: false,
        rehearses: false,
        client: None,
        idempotency_key: None,
        expected_version: None,
    };
    let error = Error::new(Kind::Auth, "credential", format!("the credential of operator '{}' {why}", operator.name));
    caller.record(app, Action::OperatorDenied, &operator.id, &error).await
}

/// The operator of a credential that was given out for this vault.
///
/// # Errors
/// `Auth` for one that does not work, which is counted, and told in the trail.
async fn of_credential(app: &Arc<App>, credential: &str, ip: Option<IpAddr>, now: Time) -> Result<Shown> {
    let mut known = app.engine.operator(credential, now).map_err(|_| unavailable())?;
    if known.is_none() && PlainToken::parse(credential).is_ok() {
        // One that was made a moment ago, by another process, is in the keystore already.
        app.wake.caught_up().await;
        known = app.engine.operator(credential, now).map_err(|_| unavailable())?;
    }
    let Some((operator, works)) = known else {
        refused(app, ip, now);
        app.denials.note(ip, now);
        return Err(unauthorised());
    };
    // Bound to addresses, and the address unknown: closed.
    let from_here = operator.allow_ips.is_empty() || ip.is_some_and(|ip| operator.allow_ips.permits(ip));
    if !works || !from_here {
        let why = if works { "does not work from this address" } else { "does not work any more" };
        refused(app, ip, now);
        intruded(app, &operator, ip, why).await?;
        return Err(unauthorised());
    }
    Ok(Shown { operator, run: None })
}

/// The operator that a token of another issuer stands for.
///
/// # Errors
/// `Auth` for one that stands for nobody, which is counted, and told in the trail; `Unavailable` where nobody can say.
async fn of_token(app: &Arc<App>, token: &str, ip: Option<IpAddr>, now: Time) -> Result<Shown> {
    bearer::shown(app, token, ip, now).await.map_err(|denied| {
        let told = denied.told();
        if let Denied::Refused(token) = denied {
            tracing::info!(check = %token.check, job = ?token.job, "a token was refused");
            refused(app, ip, now);
            app.denials.note_token(ip, now, token);
        }
        told
    })
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Failed> {
        let peer = peer_of(&parts.extensions);
        let asker = parts.extensions.get::<Asker>().cloned();
        let caller = Self::of(app, peer, &parts.headers).await?;
        if let Some(asker) = asker {
            asker.set(&caller.operator);
        }
        Ok(caller)
    }
}

impl Caller {
    /// The operator whose credential a request carries.
    ///
    /// # Errors
    /// `Auth` for none, or one that does not work, which is counted, and told in the trail; too many requests, or
    /// credentials that are no good, from one address; `Usage` for a header that is not usable.
    pub(super) async fn of(app: &Arc<App>, peer: Peer, headers: &HeaderMap) -> Result<Self, Failed> {
        let (ip, now) = (client_ip(peer, headers, &app.doors.trusted)?, Utc::now());
        if let Some(standing) = app.engine.refused_too_many(ip, now) {
            app.metrics.limited.inc();
            // Also a good one: an answer would tell whoever guesses which one that is.
            return Err(too_many(standing, "credentials that are no good"));
        }
        let bearer = headers.get_all(AUTHORIZATION).iter().map(|value| value.as_bytes());
        let credential = match credential_from_headers(bearer) {
            Ok(credential) => credential,
            Err(error) => {
                count(app, peer, headers)?;
                if headers.contains_key(AUTHORIZATION) {
                    refused(app, ip, now);
                    match error {
                        HeaderError::TooLong => app.denials.note_token(ip, now, Refusal::TooLong.into()),
                        _ => app.denials.note(ip, now),
                    }
                }
                return Err(unauthorised().cause(error.to_string()).into());
            }
        };
        let shown = match looks_like_jwt(credential) {
            true => of_token(app, credential, ip, now).await,
            false => of_credential(app, credential, ip, now).await,
        };
        // A service that asks for verdicts asks for everybody: each question is counted for the address that it names.
        if !shown.as_ref().is_ok_and(|shown| shown.operator.role == Role::Verifier) {
            count(app, peer, headers)?;
        }
        let Shown { operator, run } = shown?;
        Ok(Self {
            operator,
            ip,
            workspace: text(headers, header::WORKSPACE)?,
            reason: text(headers, header::REASON)?,
            ticket: text(headers, header::TICKET)?.or(run),
            client: text(headers, header::CLIENT)?.filter(|name| (8..=64).contains(&name.len())),
            dry_run: yes_or_no(headers, header::DRY_RUN)?,
            rehearses: yes_or_no(headers, header::REHEARSAL)?,
            idempotency_key: text(headers, header::IDEMPOTENCY_KEY)?,
            expected_version: expected_version(headers)?,
        })
    }

    /// Whether the operator may do so, without a record of a refusal: for reading what it is told itself.
    pub(super) fn may(&self, permission: Permission) -> bool {
        self.operator.role.may(permission)
    }

    /// What a call needs that one of two permissions allows: the second only for whoever has it and not the first.
    pub(super) fn either(&self, first: Permission, second: Permission) -> Permission {
        self.authority().either(first, second)
    }

    /// The workspace that the call names.
    pub(super) fn named_workspace(&self) -> Option<String> {
        self.workspace.clone()
    }

    /// The workspace of the call: the one named, else the operator's own, else `default`.
    pub(super) fn workspace(&self) -> &str {
        self.workspace.as_deref().or(self.operator.workspace.as_deref()).unwrap_or("default")
    }

    /// The circumstances of a use case, once the operator's role and bounds allow it. A refusal is recorded.
    ///
    /// # Errors
    /// `Forbidden`.
    pub(super) async fn granted<Q: UseCase>(&self, app: &Arc<App>, request: &Q) -> Result<Context> {
        let by = self.authority();
        let granted = self.permitted(app, request.permission(&by), &request.target()).await;
        let cx = granted.map_err(|error| request.refused(&by, error))?;
        for permission in Q::AND {
            self.permitted(app, *permission, &request.target()).await?;
        }
        if let Some(what) = Q::OF_ALL {
            self.is_of_the_platform(app, what).await?;
        }
        Ok(cx)
    }

    /// The circumstances of reading keys: all of them, or the caller's own.
    ///
    /// # Errors
    /// As [`Caller::permitted`].
    pub(super) async fn reads_keys(&self, app: &Arc<App>, mine: bool, target: &str) -> Result<Context> {
        let by = self.authority();
        if mine {
            return self.permitted(app, by.either(Permission::ReadKeys, Permission::ReadOwnKeys), target).await;
        }
        self.permitted(app, Permission::ReadKeys, target).await.map_err(|error| by.of_own_instead(error))
    }

    fn authority(&self) -> Authority {
        Authority::Operator(Arc::clone(&self.operator))
    }

    /// The circumstances of the call, once the operator's role and bounds allow it. A refusal is recorded.
    ///
    /// # Errors
    /// `Forbidden`.
    pub(super) async fn permitted(&self, app: &Arc<App>, permission: Permission, target: &str) -> Result<Context> {
        let cx = self.context();
        match self.check(permission) {
            Ok(()) => Ok(cx),
            Err(error) => {
                self.record(app, permission.action(), target, &error).await?;
                Err(error)
            }
        }
    }

    /// Refuses operators that are bound to a workspace what is about all of them. A refusal is recorded.
    ///
    /// # Errors
    /// `Forbidden`.
    pub(super) async fn is_of_the_platform(&self, app: &Arc<App>, what: &str) -> Result<()> {
        if self.operator.workspace.is_none() {
            return Ok(());
        }
        let error =
            Error::forbidden("workspace", format!("{what} are about all workspaces, and the operator is bound to one"))
                .hint("an operator that is bound to none");
        self.record(app, Action::OperatorDenied, what, &error).await?;
        Err(error)
    }

    async fn record(&self, app: &Arc<App>, action: Action, target: &str, error: &Error) -> Result<()> {
        // Whoever tries in vain what it may not do has tried it.
        let cx = Context { dry_run: false, ..self.context() };
        let (target, told) = (target.to_owned(), error.clone());
        app.ask(move |backend| backend.refuse(&cx, action, &target, &told)).await
    }

    fn check(&self, permission: Permission) -> Result<()> {
        let operator = &self.operator;
        self.authority().may(permission)?;
        if !operator.reaches(self.workspace()) {
            let own = operator.workspace.as_deref().unwrap_or_default();
            return Err(Error::forbidden(
                "workspace",
                format!("operator '{}' is bound to another workspace", operator.name),
            )
            .hint(format!("--workspace {own}")));
        }
        Ok(())
    }

    /// The circumstances of the call, before anything is permitted.
    pub(super) fn context(&self) -> Context {
        Context {
            now: Utc::now().trunc_subsecs(0),
            actor: self.operator.name.clone(),
            source: self.ip.map_or_else(|| "server".to_owned(), |ip| format!("server {ip}")),
            reason: self.reason.clone(),
            ticket: self.ticket.clone(),
            workspace: self.workspace().to_owned(),
            authority: self.authority(),
            client: self.client.clone(),
            expected_version: self.expected_version,
            read_only: false,
            // What is only rehearsed changes nothing, whatever else is said.
            dry_run: self.dry_run || self.rehearses,
            rehearses: self.rehearses,
        }
    }
}

/// Whether a header says that nothing is to be changed. What is neither true nor false must not pass for a leave to change.
pub(super) fn yes_or_no(headers: &HeaderMap, name: &str) -> Result<bool> {
    match headers.get(name).map(HeaderValue::as_bytes) {
        None | Some(b"false") => Ok(false),
        Some(b"true") => Ok(true),
        Some(_) => Err(Error::usage(format!("the header {name} is true or false"))),
    }
}

/// The version in `If-Match`; any for `*` and without one.
fn expected_version(headers: &HeaderMap) -> Result<Option<u64>> {
    let Some(value) = headers.get(IF_MATCH).filter(|value| *value != "*") else { return Ok(None) };
    let version = value.to_str().ok().and_then(|text| text.trim().strip_prefix("\"v")?.strip_suffix('"')?.parse().ok());
    version.map(Some).ok_or_else(|| Error::usage("If-Match is no ETag of a key").hint("the ETag of a GET of the key"))
}

/// A header with text in percent-encoding.
pub(super) fn text(headers: &HeaderMap, name: &str) -> Result<Option<String>> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let refused = || Error::usage(format!("the header {name} is not text in percent-encoding"));
    let value = value.to_str().map_err(|_| refused())?;
    let text = percent_decode_str(value).decode_utf8().map_err(|_| refused())?;
    Ok((!text.is_empty()).then(|| text.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(peer: &str, forwarded: &[&str]) -> Result<Option<String>> {
        let trusted = ["10.0.0.0/8", "127.0.0.1/32", "2001:db8::/32"].map(|range| range.parse().unwrap());
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(header::FORWARDED_FOR, HeaderValue::from_str(value).unwrap());
        }
        let peer = peer.parse().map_or(Peer::Local, Peer::Ip);
        client_ip(peer, &headers, &trusted).map(|ip| ip.map(|ip| ip.to_string()))
    }

    #[test]
    fn the_client_is_found_from_the_right_through_trusted_proxies() {
        let is = |peer, forwarded: &[&str], expected: &str| {
            assert_eq!(ip(peer, forwarded).unwrap().as_deref(), Some(expected), "{peer} {forwarded:?}");
        };
        is("203.0.113.9", &["198.51.100.1"], "203.0.113.9");
        is("10.0.0.1", &["198.51.100.1"], "198.51.100.1");
        is("10.0.0.1", &["6.6.6.6, 198.51.100.1, 10.0.0.2"], "198.51.100.1");
        is("10.0.0.1", &["6.6.6.6", "198.51.100.1", "10.0.0.2"], "198.51.100.1");
        is("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3");
        is("10.0.0.1", &["::ffff:198.51.100.1"], "198.51.100.1");
        is("10.0.0.1", &["2001:db9::1, 2001:db8::7"], "2001:db9::1");
        is("10.0.0.1", &["198.51.100.1:51234"], "198.51.100.1");
        is("10.0.0.1", &["[2001:db9::1]:51234, 10.0.0.2:80"], "2001:db9::1");
        is("10.0.0.1", &["[2001:db9::1]"], "2001:db9::1");
        is("10.0.0.1", &["[::ffff:198.51.100.1]:80"], "198.51.100.1");
        is("10.0.0.1", &["unknown, 198.51.100.1"], "198.51.100.1");
        is("10.0.0.1", &["_hidden", "198.51.100.1, 10.0.0.2"], "198.51.100.1");
        is("10.0.0.1", &[], "10.0.0.1");
        is("unix", &["198.51.100.1"], "198.51.100.1");
        assert_eq!(ip("unix", &[]).unwrap(), None);
    }

    #[test]
    fn a_forwarded_header_that_cannot_be_read_is_refused() {
        for bad in [
            "unknown",
            "_hidden",
            "198.51.100.1, unknown",
            "198.51.100.1, _gateway, 10.0.0.2",
            "198.51.100.1,",
            "198.51.100.1:",
            "198.51.100.1:http",
            "198.51.100.1:70000",
            "[198.51.100.1]",
            "[2001:db9::1",
            "2001:db9::1]:80",
            "fe80::1%eth0",
            "localhost",
            "",
        ] {
            assert!(ip("10.0.0.1", &[bad]).is_err(), "{bad:?} was accepted");
            assert!(ip("203.0.113.9", &[bad]).is_ok(), "what an untrusted peer says is not read");
        }
        assert!(ip("10.0.0.1", &["1.1.1.1,".repeat(40).trim_end_matches(',')]).is_err());
    }
}
