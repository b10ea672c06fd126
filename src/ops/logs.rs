//! The log of requests: verdicts on keys, one by one or added up, and what operators asked of a server.

use super::{
    authority::Authority,
    case::{Ask, Method, Route, UseCase},
    context::Context,
    entitlement,
    error::{Error, Kind, Result},
    lookup,
};
use crate::{
    domain::{
        Code, Environment, Key, KeyId, KeyRef, LoggedRequest, LoggedVerdict, OperatorRequest, Permission, RequestFacts,
        closest,
        serde_text::{self, as_text},
        time::{Since, format_time},
    },
    store::{VerdictFilter, View},
    vault::Capabilities,
};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    fmt,
    ops::RangeInclusive,
    str::FromStr,
};

/// The statuses of HTTP.
const STATUSES: RangeInclusive<u16> = 100..=599;

/// Which recent requests to show.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct LogQuery {
    /// Of one key.
    #[cfg_attr(test, schema(value_type = Option<String>))]
    pub key: Option<KeyRef>,
    /// The environment, where keys of several have the name.
    pub environment: Option<Environment>,
    /// Only refusals.
    #[serde(default)]
    pub denied: bool,
    /// From this time, or so long ago, on: `2026-01-02` or `1h`.
    #[cfg_attr(test, schema(value_type = Option<String>, example = "1h"))]
    pub since: Option<Since>,
    /// After this place in the log.
    pub after: Option<i64>,
    /// The newest so many.
    pub limit: Option<usize>,
    /// With this code: of a verdict, of an error, or `OK`.
    pub code: Option<String>,
    /// Answered with this status, or with one of a class: `404` or `4xx`.
    #[cfg_attr(test, schema(value_type = Option<String>, pattern = "^[1-5]([0-9][0-9]|xx)$", example = "4xx"))]
    pub status: Option<Statuses>,
    /// With a path that begins so.
    pub path: Option<String>,
    /// From this address or range.
    #[serde(default, with = "serde_text::optional_range")]
    #[cfg_attr(test, schema(value_type = Option<String>))]
    pub address: Option<IpNet>,
    /// Asked by the operator of this name.
    pub operator: Option<String>,
    /// What operators asked, and no verdicts.
    #[serde(default)]
    pub operators: bool,
    /// Of the keys of whoever asks, made by it or owned by it.
    #[serde(default)]
    pub mine: bool,
}

/// A status of HTTP, or all of a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statuses {
    /// This one.
    One(u16),
    /// Those that begin with this digit.
    Class(u16),
}

impl Statuses {
    fn hold(self, status: u16) -> bool {
        match self {
            Self::One(one) => one == status,
            Self::Class(class) => class == status / 100,
        }
    }
}

impl FromStr for Statuses {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let class = text.strip_suffix("xx").or_else(|| text.strip_suffix("XX")).and_then(|class| class.parse().ok());
        match (class, text.parse()) {
            (Some(class @ 1..=5), _) => Ok(Self::Class(class)),
            (_, Ok(status)) if STATUSES.contains(&status) => Ok(Self::One(status)),
            _ => Err(format!("'{text}' is no HTTP status: expected 100 to 599, or a class: 4xx")),
        }
    }
}

impl fmt::Display for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(status) => write!(f, "{status}"),
            Self::Class(class) => write!(f, "{class}xx"),
        }
    }
}

as_text!(Statuses);

impl UseCase for LogQuery {
    type Outcome = Logs;
    const PERMISSION: Permission = Permission::ReadKeys;
    const OR: Option<Permission> = Some(Permission::ReadOwnKeys);
    const ROUTE: Route = Route {
        query: &[
            "key",
            "environment",
            "denied",
            "since",
            "after",
            "limit",
            "code",
            "status",
            "path",
            "address",
            "operator",
            "operators",
            "mine",
        ],
        summary: "Recent requests",
        description: "Verdicts on keys, one by one with what was asked, or added up where very many came at once; with \
            `operators` or `operator` what operators asked, for who may read the audit trail.",
        answers: &[(200, "Recent requests, oldest first.")],
        ..Route::new(Method::Get, "/v1/logs", "list_verdicts", "usage")
    };

    fn permission(&self, by: &Authority) -> Permission {
        match self.of_own() {
            // What operators do is no matter of who reads keys alone.
            None => Permission::ReadAudit,
            Some(true) => by.either(Permission::ReadKeys, Permission::ReadOwnKeys),
            Some(false) => Permission::ReadKeys,
        }
    }

    fn of_own(&self) -> Option<bool> {
        (!self.is_of_operators()).then_some(self.mine)
    }

    fn target(&self) -> String {
        "logs".to_owned()
    }
}

impl Ask for LogQuery {
    fn ask(&self, view: &View<'_>, _caps: &Capabilities, cx: &Context) -> Result<Logs> {
        logs(view, cx, self)
    }
}

/// A recent request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct LogEntry {
    /// The number of the entry: `after` goes on behind it.
    pub seq: i64,
    /// When it was.
    pub at: String,
    /// The code of the verdict.
    #[cfg_attr(test, schema(value_type = String))]
    pub code: Cow<'static, str>,
    /// Whether it was let in.
    pub allowed: bool,
    /// The key that it was made with.
    pub key_id: Option<String>,
    /// The name of that key.
    pub name: Option<String>,
    /// Its environment.
    pub environment: Option<String>,
    /// The public part of the secret.
    pub lookup: Option<String>,
    /// The address that it came from.
    pub address: Option<String>,
    /// Its user agent.
    pub user_agent: Option<String>,
    /// What the code does not say.
    pub detail: Option<String>,
    /// How many like it there were.
    pub count: u64,
    /// The method of the request, where it is kept by itself.
    #[serde(default)]
    pub method: Option<String>,
    /// Its path, without a query.
    #[serde(default)]
    pub path: Option<String>,
    /// The status of the answer.
    #[serde(default)]
    pub status: Option<u16>,
    /// The id that the request had.
    #[serde(default)]
    pub request_id: Option<String>,
    /// How long the answer took, in microseconds.
    #[serde(default)]
    pub duration_us: Option<u64>,
    /// The name of the operator that asked.
    #[serde(default)]
    pub operator: Option<String>,
}

/// What came of a [`LogQuery`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logs {
    /// Requests, oldest first.
    pub items: Vec<LogEntry>,
    /// How many matched before the limit.
    pub total: usize,
}

impl LogQuery {
    /// Whether it asks for what operators did, and not for the use of keys alone.
    fn is_of_operators(&self) -> bool {
        self.operators || self.operator.is_some()
    }

    /// Refuses a code that nothing is ever answered with: it would find nothing, as if all were well.
    fn is_answerable(&self) -> Result<()> {
        let verdicts = Code::ALL.map(Code::as_str);
        let errors = Kind::ALL.map(Kind::name);
        if let Some(code) = &self.code {
            let known = || verdicts.iter().chain(&errors).chain([&OperatorRequest::OK]);
            // An answer that tells no problem is known by its status.
            let by_status = code.to_ascii_uppercase().strip_prefix("HTTP_").is_some_and(|status| {
                status.len() == 3 && status.parse().is_ok_and(|status| STATUSES.contains(&status))
            });
            if !by_status && !known().any(|known| known.eq_ignore_ascii_case(code)) {
                let words: Vec<&str> = known().copied().collect();
                let near = closest(&code.to_ascii_uppercase(), &words);
                return Err(Error::usage(format!("no request is answered with the code '{code}'"))
                    .cause(format!("a request with a key: {}", verdicts.join(", ")))
                    .cause(format!("a request of an operator: {}, {}", OperatorRequest::OK, errors.join(", ")))
                    .suggest(&near));
            }
        }
        Ok(())
    }

    fn takes(&self, entry: &LogEntry) -> bool {
        let within = |range: &IpNet| {
            let address = entry.address.as_ref().and_then(|address| address.parse().ok());
            address.is_some_and(|address: std::net::IpAddr| range.contains(&address.to_canonical()))
        };
        self.code.as_ref().is_none_or(|code| code.eq_ignore_ascii_case(&entry.code))
            && self.status.is_none_or(|status| entry.status.is_some_and(|found| status.hold(found)))
            && self.path.as_ref().is_none_or(|path| entry.path.as_ref().is_some_and(|held| held.starts_with(path)))
            && self.address.as_ref().is_none_or(within)
            && self.operator.as_ref().is_none_or(|name| entry.operator.as_ref() == Some(name))
    }
}

impl LogEntry {
    fn of_verdict(verdict: LoggedVerdict, key: Option<&Key>) -> Self {
        let record = verdict.record;
        Self {
            seq: verdict.seq,
            at: format_time(record.at),
            code: record.code.as_str().into(),
            allowed: record.is_use(),
            key_id: record.key.as_ref().map(ToString::to_string),
            name: key.map(|key| key.name.clone()),
            environment: key.map(|key| key.environment.to_string()),
            lookup: record.lookup.as_ref().map(ToString::to_string),
            address: record.address.map(|ip| ip.to_string()),
            user_agent: record.user_agent,
            detail: record.detail,
            count: record.count,
            method: None,
            path: None,
            status: None,
            request_id: None,
            duration_us: None,
            operator: record.operator,
        }
        .with(record.request)
    }

    fn of_request(LoggedRequest { seq, request }: LoggedRequest) -> Self {
        Self {
            seq,
            at: format_time(request.at),
            allowed: request.is_ok(),
            code: request.code.into(),
            key_id: None,
            name: None,
            environment: None,
            lookup: None,
            address: request.address.map(|ip| ip.to_string()),
            user_agent: request.user_agent,
            detail: None,
            count: 1,
            method: None,
            path: None,
            status: None,
            request_id: None,
            duration_us: None,
            operator: request.name,
        }
        .with(Some(request.request))
    }

    fn with(self, request: Option<RequestFacts>) -> Self {
        let Some(request) = request else { return self };
        Self {
            method: Some(request.method),
            path: Some(request.path),
            status: Some(request.status),
            request_id: request.request_id,
            duration_us: request.micros,
            ..self
        }
    }
}

/// Recent requests.
///
/// # Errors
/// `NotFound` or `Conflict` for a reference that names no key or several; `Usage` for one's own keys beside something else, and
/// for a code that no request is answered with.
fn logs(tx: &View<'_>, cx: &Context, query: &LogQuery) -> Result<Logs> {
    query.is_answerable()?;
    entitlement::workspace(tx, &cx.workspace)?;
    if query.mine && (query.key.is_some() || query.is_of_operators()) {
        return Err(super::mine_of_all("one key or to operators"));
    }
    if query.is_of_operators() {
        super::audit::whole_trail(tx, "keyward logs  (requests with keys)")?;
    }
    let one = query.key.as_ref().map(|key| lookup::key(tx, &cx.workspace, key, query.environment)).transpose()?;
    let filter = VerdictFilter {
        key: one.as_ref().map(|key| key.id.clone()),
        denied: query.denied,
        since: query.since.map(|since| since.time(cx.now)),
        after: query.after,
    };
    let mut items = if query.operators { Vec::new() } else { verdicts(tx, cx, query, &filter, one)? };
    if query.is_of_operators() && query.key.is_none() {
        items.extend(requests(tx, cx, &filter)?);
    }
    // Servers of one vault write by turns what they saw at one time. Whoever goes on from a place reads in the order of places,
    // or would pass some over.
    match query.after {
        Some(_) => items.sort_by_key(|entry| entry.seq),
        None => items.sort_by(|one, other| (&one.at, one.seq).cmp(&(&other.at, other.seq))),
    }
    items.retain(|entry| query.takes(entry));
    let total = items.len();
    items.drain(..total - query.limit.unwrap_or(total).min(total));
    Ok(Logs { items, total })
}

fn verdicts(
    tx: &View<'_>,
    cx: &Context,
    query: &LogQuery,
    filter: &VerdictFilter,
    one: Option<Key>,
) -> Result<Vec<LogEntry>> {
    // Credentials that no key has belong to no workspace.
    let unknown = cx.authority.bound_to().is_none();
    let verdicts = tx.recent_verdicts(filter)?;
    let keys: HashMap<KeyId, Key> = match one {
        Some(key) => [(key.id.clone(), key)].into(),
        None if verdicts.is_empty() => HashMap::new(),
        None => {
            let all = tx.all_keys(&cx.workspace)?.into_iter().filter(|key| !query.mine || cx.has(key));
            all.map(|key| (key.id.clone(), key)).collect()
        }
    };
    let mut items = Vec::new();
    for verdict in verdicts {
        let key = verdict.record.key.as_ref().and_then(|id| keys.get(id));
        if key.is_some() || (verdict.record.key.is_none() && unknown && !query.mine) {
            items.push(LogEntry::of_verdict(verdict, key));
        }
    }
    Ok(items)
}

/// What operators asked: who is bound to a workspace sees those that are bound to it.
fn requests(tx: &View<'_>, cx: &Context, filter: &VerdictFilter) -> Result<Vec<LogEntry>> {
    let mut found = tx.recent_requests(filter)?;
    if let Some(own) = cx.authority.bound_to() {
        let operators = tx.operators()?.into_iter();
        let operators = operators.map(|one| (one.workspace, one.id));
        let trusts = tx.trusts()?.into_iter().map(|one| (one.workspace, one.id));
        let all = operators.chain(trusts);
        let bound: HashSet<String> =
            all.filter(|(workspace, _)| workspace.as_deref() == Some(own)).map(|(_, id)| id).collect();
        found.retain(|one| one.request.operator.as_ref().is_some_and(|id| bound.contains(id)));
    }
    Ok(found.into_iter().map(LogEntry::of_request).collect())
}
