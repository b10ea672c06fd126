//! Use, to look at: how often, from where and with what verdict; and what is kept of it.

use super::{
    Done,
    case::{Ask, Change, Method, Route, UseCase},
    context::Context,
    entitlement,
    error::{Error, Result},
    lookup,
};
use crate::{
    domain::{
        Action, AddressUse, Code, Environment, Key, KeyId, KeyRef, Permission, Retention, SecretUse, Time, Usage,
        UsageCount,
        serde_text::as_text,
        time::{Since, format_duration, format_time},
    },
    store::{Tx, View},
    vault::Capabilities,
};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    fmt,
    str::FromStr,
};

/// What usage is added up by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageBy {
    /// Days of UTC.
    Day,
    /// Keys.
    Key,
    /// Verdicts.
    Code,
    /// Addresses.
    Address,
}

impl UsageBy {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Day, Self::Key, Self::Code, Self::Address];

    /// The word for it, and the name of the field that it groups by.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Key => "key",
            Self::Code => "code",
            Self::Address => "address",
        }
    }
}

impl FromStr for UsageBy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|by| by.as_str() == text)
            .ok_or_else(|| "expected day, key, code or address".to_owned())
    }
}

impl fmt::Display for UsageBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

as_text!(UsageBy);

/// Which usage to add up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct UsageQuery {
    /// One key.
    #[cfg_attr(test, schema(value_type = Option<String>))]
    pub key: Option<KeyRef>,
    /// The environment, where keys of several have the name.
    pub environment: Option<Environment>,
    /// From the hour of this time on, or of so long ago: `2026-01-02` or `7d`.
    #[cfg_attr(test, schema(value_type = Option<String>, example = "7d"))]
    pub since: Option<Since>,
    /// `day`, `key`, `code` or `address`.
    // Without it, a key is told by the day, and many by key.
    #[cfg_attr(test, schema(value_type = Option<String>, pattern = "^(day|key|code|address)$"))]
    pub by: Option<UsageBy>,
    /// Of the keys of whoever asks, made by it or owned by it.
    #[serde(default)]
    pub mine: bool,
}

impl UseCase for UsageQuery {
    type Outcome = UsageReport;
    const PERMISSION: Permission = Permission::ReadKeys;
    const OR: Option<Permission> = Some(Permission::ReadOwnKeys);
    const ROUTE: Route = Route {
        query: &["key", "environment", "since", "by", "mine"],
        summary: "How often, from where and with what verdict keys were used",
        description: "What a server judged is told after its next flush.",
        answers: &[(200, "Sums of use.")],
        ..Route::new(Method::Get, "/v1/usage", "show_usage", "usage")
    };

    fn of_own(&self) -> Option<bool> {
        Some(self.mine)
    }
}

impl Ask for UsageQuery {
    fn ask(&self, view: &View<'_>, _caps: &Capabilities, cx: &Context) -> Result<UsageReport> {
        usage(view, cx, self)
    }
}

/// For how long facts of use are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct ShowRetention {}

/// How long facts of use are kept, and how many of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = Retention))]
pub struct UsageRetention {
    /// `keyward.usage-retention/v1`.
    #[serde(default)]
    #[cfg_attr(test, schema(required = false))]
    pub schema: String,
    /// Counts by the hour.
    #[cfg_attr(test, schema(minimum = 3600))]
    pub counts_seconds: i64,
    /// Recent verdicts.
    #[cfg_attr(test, schema(minimum = 1))]
    pub verdicts_seconds: i64,
    /// Recent verdicts of one key, the denied and the others apart.
    #[cfg_attr(test, schema(value_type = i64, minimum = 0, maximum = 4_294_967_295_i64))]
    pub verdicts_per_key: u32,
    /// Distinct addresses of one key.
    #[cfg_attr(test, schema(value_type = i64, minimum = 0, maximum = 4_294_967_295_i64))]
    pub addresses_per_key: u32,
}

impl From<Retention> for UsageRetention {
    fn from(kept: Retention) -> Self {
        Self {
            schema: "keyward.usage-retention/v1".to_owned(),
            counts_seconds: kept.counts.num_seconds(),
            verdicts_seconds: kept.verdicts.num_seconds(),
            verdicts_per_key: kept.verdicts_per_key,
            addresses_per_key: kept.addresses_per_key,
        }
    }
}

impl TryFrom<UsageRetention> for Retention {
    type Error = Error;

    fn try_from(kept: UsageRetention) -> Result<Self> {
        let period = |seconds| TimeDelta::try_seconds(seconds).ok_or_else(|| Error::usage("a period is too long"));
        Ok(Self {
            counts: period(kept.counts_seconds)?,
            verdicts: period(kept.verdicts_seconds)?,
            verdicts_per_key: kept.verdicts_per_key,
            addresses_per_key: kept.addresses_per_key,
        })
    }
}

impl UseCase for ShowRetention {
    type Outcome = UsageRetention;
    const PERMISSION: Permission = Permission::ReadKeys;
    const ROUTE: Route = Route {
        summary: "How long facts of use are kept",
        answers: &[(200, "The periods and numbers.")],
        ..Route::new(Method::Get, "/v1/usage/retention", "show_retention", "usage")
    };
}

impl Ask for ShowRetention {
    fn ask(&self, view: &View<'_>, _caps: &Capabilities, _cx: &Context) -> Result<UsageRetention> {
        Ok(view.retention()?.into())
    }
}

impl UseCase for UsageRetention {
    type Outcome = Self;
    const PERMISSION: Permission = Permission::ChangePlatform;
    const ROUTE: Route = Route {
        summary: "Change how long facts of use are kept",
        description: "Of all workspaces: what is kept no longer is removed with the next of them that is written.",
        answers: &[(200, "The periods and numbers from now on.")],
        ..Route::new(Method::Put, "/v1/usage/retention", "change_retention", "usage")
    };
}

impl Change for UsageRetention {
    const ACTION: Action = Action::UsageRetention;

    fn change(self, tx: &mut Tx<'_>, _caps: &Capabilities, cx: &Context) -> Result<Done<Self>> {
        let Done { outcome, events } = retain(tx, cx, &self.try_into()?)?;
        Ok(Done { outcome: outcome.into(), events })
    }
}

/// One group of usage.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct UsageRow {
    /// The day, key id, code or address; null for credentials that no key has.
    pub group: Option<String>,
    /// The name of the key, where the group is one.
    pub name: Option<String>,
    /// Its environment.
    pub environment: Option<String>,
    /// How many requests were let in.
    pub uses: u64,
    /// How many were refused.
    pub denied: u64,
    /// When the last one was let in.
    pub last_at: Option<String>,
    /// Requests by day, oldest first, over all days of the report; empty where nothing is kept by the day.
    pub daily: Vec<u64>,
}

/// One version of a key's secret, and how it was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct SecretUsage {
    /// The public part of the secret.
    pub lookup: String,
    /// `staged`, `current`, `retiring` or `dead`.
    #[cfg_attr(test, schema(value_type = String))]
    pub state: Cow<'static, str>,
    /// Until when it works, or since when it does not.
    pub valid_until: Option<String>,
    /// How many requests with it were let in.
    pub uses: u64,
    /// When the last one was.
    pub last_used_at: Option<String>,
    /// From which address that was.
    pub last_ip: Option<String>,
    /// How many were refused.
    pub denied: u64,
    /// When the last one was.
    pub last_denied_at: Option<String>,
}

/// What came of a [`UsageQuery`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct UsageReport {
    /// What the rows are grouped by.
    #[cfg_attr(test, schema(value_type = String))]
    pub by: Cow<'static, str>,
    /// From when on requests are counted; null: all that is kept.
    pub since: Option<String>,
    /// The one key that was asked about.
    pub key_id: Option<String>,
    /// How many requests were let in.
    pub uses: u64,
    /// How many were refused.
    pub denied: u64,
    /// When the last one was let in.
    pub last_used_at: Option<String>,
    /// From which address that was.
    pub last_used_ip: Option<String>,
    /// Its user agent.
    pub last_user_agent: Option<String>,
    /// When the last one was refused.
    pub last_denied_at: Option<String>,
    /// Of one key: its secrets, oldest first.
    pub secrets: Vec<SecretUsage>,
    /// The groups.
    pub items: Vec<UsageRow>,
}

/// Adds usage up.
///
/// # Errors
/// `NotFound` or `Conflict` for a reference that names no key or several; `Usage` for one's own keys beside one that is named.
fn usage(tx: &View<'_>, cx: &Context, query: &UsageQuery) -> Result<UsageReport> {
    entitlement::workspace(tx, &cx.workspace)?;
    if query.mine && query.key.is_some() {
        return Err(super::mine_of_all("one key"));
    }
    let one = query.key.as_ref().map(|key| lookup::key(tx, &cx.workspace, key, query.environment)).transpose()?;
    let keys: HashMap<KeyId, (Key, Usage)> = match &one {
        Some(key) => [(key.id.clone(), (key.clone(), tx.usage(&key.id)?))].into(),
        None => {
            let all = tx.keys(&cx.workspace, None)?.into_iter().filter(|(key, _)| !query.mine || cx.has(key));
            all.map(|found| (found.0.id.clone(), found)).collect()
        }
    };
    // Credentials that no key has belong to no workspace.
    let unknown = cx.authority.bound_to().is_none() && !query.mine;
    let by = query.by.unwrap_or(if one.is_some() { UsageBy::Day } else { UsageBy::Key });
    let since = query.since.map(|since| since.time(cx.now));
    let id = one.as_ref().map(|key| &key.id);
    let shown = |key: &Option<KeyId>| key.as_ref().map_or(unknown && id.is_none(), |id| keys.contains_key(id));
    let mut counts = tx.usage_counts(id, since)?;
    counts.retain(|count| shown(&count.key));
    let items = if by == UsageBy::Address {
        let mut addresses = tx.usage_addresses(id, since)?;
        addresses.retain(|address| shown(&address.key));
        by_address(&addresses)
    } else {
        by_count(by, &counts, &keys, since, cx.now)
    };
    let (uses, denied) = totals(&counts);
    let total = one.as_ref().and_then(|key| keys.get(&key.id)).map(|(_, usage)| usage.clone()).unwrap_or_default();
    let secrets = match &one {
        Some(key) => secrets_of(key, &tx.secret_uses(&key.id)?, cx.now),
        None => Vec::new(),
    };
    Ok(UsageReport {
        by: by.as_str().into(),
        since: since.map(format_time),
        key_id: id.map(ToString::to_string),
        // Of one key and without a time, the totals that are kept for good.
        uses: if one.is_some() && since.is_none() { total.uses } else { uses },
        denied: if one.is_some() && since.is_none() { total.denied } else { denied },
        last_used_at: total.last_used_at.map(format_time),
        last_used_ip: total.last_used_ip.map(|ip| ip.to_string()),
        last_user_agent: total.last_user_agent,
        last_denied_at: total.last_denied_at.map(format_time),
        secrets,
        items,
    })
}

fn secrets_of(key: &Key, uses: &[SecretUse], now: Time) -> Vec<SecretUsage> {
    key.secrets
        .iter()
        .map(|secret| {
            let view = super::view::secret_view(secret, now);
            let found = uses.iter().find(|one| one.lookup == secret.lookup);
            SecretUsage {
                lookup: view.lookup,
                state: view.state,
                valid_until: view.valid_until,
                uses: found.map_or(0, |found| found.uses),
                last_used_at: found.and_then(|found| found.last_used_at).map(format_time),
                last_ip: found.and_then(|found| found.last_ip).map(|ip| ip.to_string()),
                denied: found.map_or(0, |found| found.denied),
                last_denied_at: found.and_then(|found| found.last_denied_at).map(format_time),
            }
        })
        .collect()
}

fn totals<'c>(counts: impl IntoIterator<Item = &'c UsageCount>) -> (u64, u64) {
    counts.into_iter().fold((0, 0), |(uses, denied), count| match count.code {
        Code::Valid => (uses + count.count, denied),
        _ => (uses, denied + count.count),
    })
}

fn day_of(time: Time) -> i64 {
    time.timestamp().div_euclid(86_400)
}

fn by_count(
    by: UsageBy,
    counts: &[UsageCount],
    keys: &HashMap<KeyId, (Key, Usage)>,
    since: Option<Time>,
    now: Time,
) -> Vec<UsageRow> {
    let Some(first) = since.into_iter().chain(counts.first().map(|count| count.hour)).min() else { return Vec::new() };
    let last = counts.last().map_or(now, |count| count.hour.max(now));
    let (first, last) = (day_of(first), day_of(last));
    let mut groups: BTreeMap<Option<String>, Vec<&UsageCount>> = BTreeMap::new();
    if by == UsageBy::Day {
        // Days without a request are days too: a gap is what somebody looks for.
        groups.extend((first..=last).map(|day| (Some(date(day)), Vec::new())));
    }
    for count in counts {
        let group = match by {
            UsageBy::Key => count.key.as_ref().map(ToString::to_string),
            UsageBy::Code => Some(count.code.as_str().to_owned()),
            UsageBy::Day | UsageBy::Address => Some(date(day_of(count.hour))),
        };
        groups.entry(group).or_default().push(count);
    }
    let mut rows: Vec<UsageRow> = groups
        .into_iter()
        .map(|(group, counts)| {
            let (uses, denied) = totals(counts.iter().copied());
            let key = counts.first().and_then(|count| keys.get(count.key.as_ref()?)).filter(|_| by == UsageBy::Key);
            let mut daily =
                vec![0; if by == UsageBy::Day { 0 } else { usize::try_from(last - first + 1).unwrap_or(0) }];
            for count in &counts {
                if let Some(day) = usize::try_from(day_of(count.hour) - first).ok().and_then(|day| daily.get_mut(day)) {
                    *day += count.count;
                }
            }
            UsageRow {
                group,
                name: key.map(|(key, _)| key.name.clone()),
                environment: key.map(|(key, _)| key.environment.to_string()),
                uses,
                denied,
                last_at: key.and_then(|(_, usage)| usage.last_used_at.max(usage.last_denied_at)).map(format_time),
                daily,
            }
        })
        .collect();
    if by != UsageBy::Day {
        rows.sort_by(|a, b| (b.uses + b.denied).cmp(&(a.uses + a.denied)).then_with(|| a.group.cmp(&b.group)));
    }
    rows
}

fn date(day: i64) -> String {
    chrono::DateTime::from_timestamp(day.saturating_mul(86_400), 0)
        .map(|time| time.format("%Y-%m-%d").to_string())
        .unwrap_or_default()
}

fn by_address(addresses: &[AddressUse]) -> Vec<UsageRow> {
    let mut rows: Vec<UsageRow> = Vec::new();
    let mut found: HashMap<std::net::IpAddr, usize> = HashMap::new();
    // Newest first, so that the first sight of an address is the last request from it.
    for seen in addresses {
        let at = *found.entry(seen.address).or_insert_with(|| {
            rows.push(UsageRow {
                group: Some(seen.address.to_string()),
                last_at: Some(format_time(seen.last_at)),
                ..UsageRow::default()
            });
            rows.len() - 1
        });
        rows[at].uses += seen.uses;
        rows[at].denied += seen.denied;
    }
    rows
}

/// Replaces how long facts of use are kept.
///
/// # Errors
/// `Usage` for a period of nothing.
fn retain(tx: &mut Tx<'_>, cx: &Context, retention: &Retention) -> Result<Done<Retention>> {
    let before = tx.retention()?;
    if before == *retention {
        return Ok(Done::unchanged(before));
    }
    if retention.counts.num_seconds() < 3_600 || retention.verdicts.num_seconds() < 1 {
        return Err(Error::usage("counts are kept for an hour at least, verdicts for a second"));
    }
    tx.put_retention(retention)?;
    let told = |kept: &Retention| {
        json!({
            "counts": format_duration(kept.counts), "verdicts": format_duration(kept.verdicts),
            "verdicts_per_key": kept.verdicts_per_key, "addresses_per_key": kept.addresses_per_key,
        })
    };
    let changes = json!({ "from": told(&before), "to": told(retention) });
    Ok(Done { outcome: *retention, events: vec![cx.event(Action::UsageRetention, "usage", changes)] })
}
