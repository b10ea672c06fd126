//! The rules themselves.

use super::{Answer, Policy, Rule, Severity};
use crate::domain::{
    Allowlist, Key, Scope, Status, Time, Usage,
    time::{format_duration, format_time},
};
use chrono::{NaiveDate, TimeDelta};
use ipnet::IpNet;
use std::collections::BTreeMap;

/// Keys that expire on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crowd<'k> {
    /// The day, in UTC.
    pub day: NaiveDate,
    /// The keys.
    pub keys: Vec<&'k Key>,
}

/// What a rule says of a key. Keys that are expired or revoked are past every rule, and the rules about no single key
/// ask nothing of one.
#[must_use]
pub fn examine(rule: Rule, policy: &Policy, key: &Key, usage: &Usage, now: Time) -> Answer {
    match key.status_at(now) {
        // What was to be rotated and has expired is what no schedule saves any more.
        Status::Expired if rule == Rule::OverdueRotation && key.rotation.every.is_some() => return too_late(key),
        Status::Expired | Status::Revoked => return Answer::NotAsked("it no longer works"),
        Status::Inactive if matches!(rule, Rule::Unused | Rule::NeverUsed) => {
            return Answer::NotAsked("it is switched off");
        }
        Status::Active | Status::Inactive => {}
    }
    match rule {
        Rule::NoExpiry => match key.expires_at {
            Some(_) => Answer::Fine("it expires"),
            None if key.secret_ends_at().is_some() => Answer::Fine("its secret ends unless it is rotated"),
            None => Answer::Breach("it never expires".to_owned()),
        },
        Rule::LongLifetime => lifetime(policy, key),
        Rule::WildcardScope => wildcards(key),
        Rule::OpenAllowlist => open(policy, key),
        Rule::WideAllowlist => wide(policy, key),
        Rule::Unused => unused(policy, usage, now),
        Rule::NeverUsed => never_used(policy, key, usage, now),
        Rule::OverdueRotation => overdue(key, now),
        Rule::NoOwner => match &key.owner {
            Some(owner) if !owner.trim().is_empty() => Answer::Fine("somebody answers for it"),
            _ => Answer::Breach("nobody answers for it".to_owned()),
        },
        Rule::NoRateLimit => match key.rate_limit {
            Some(_) => Answer::Fine("it has a limit"),
            None => Answer::Breach("its rate limit is none".to_owned()),
        },
        Rule::NoScope => match key.scopes.as_slice() {
            [] => Answer::Breach("it has no scope, and passes only where none is asked for".to_owned()),
            _ => Answer::Fine("it says what it may do"),
        },
        Rule::ExpiryCrowd | Rule::UnreviewedTrail => Answer::NotAsked("it is about no single key"),
    }
}

/// The days on which more keys expire than are meant to, the first one first. A key with an exception is not counted.
#[must_use]
pub fn crowds<'k>(policy: &Policy, keys: impl IntoIterator<Item = &'k Key>, now: Time) -> Vec<Crowd<'k>> {
    if policy.severity(Rule::ExpiryCrowd) == Severity::Off {
        return Vec::new();
    }
    let mut days: BTreeMap<NaiveDate, Vec<&'k Key>> = BTreeMap::new();
    for key in keys {
        let Some(at) = key.expires_at.filter(|_| matches!(key.status_at(now), Status::Active | Status::Inactive))
        else {
            continue;
        };
        let excepted = policy.exceptions.iter().any(|exception| {
            let narrow = exception.key.is_some() || exception.environment.is_some();
            exception.rule == Rule::ExpiryCrowd && narrow && exception.holds_at(now) && exception.is_about(Some(key))
        });
        if !excepted {
            days.entry(at.date_naive()).or_default().push(key);
        }
    }
    days.into_iter().filter(|(_, keys)| keys.len() > policy.crowd()).map(|(day, keys)| Crowd { day, keys }).collect()
}

fn lifetime(policy: &Policy, key: &Key) -> Answer {
    let Some(expires_at) = key.expires_at else { return Answer::NotAsked("it never expires") };
    let (lifetime, longest) = (key.lifetime.unwrap_or(expires_at - key.created_at), policy.longest_lifetime());
    if lifetime <= longest {
        return Answer::Fine("its lifetime is as short as is meant");
    }
    Answer::Breach(format!("it lives {}, and {} is meant", format_duration(lifetime), format_duration(longest)))
}

fn wildcards(key: &Key) -> Answer {
    let wild: Vec<String> = key.scopes.iter().filter(|scope| scope.has_wildcard()).map(Scope::to_string).collect();
    if wild.is_empty() {
        return Answer::Fine("no scope is a wildcard");
    }
    Answer::Breach(format!("it holds {}", wild.join(", ")))
}

fn open(policy: &Policy, key: &Key) -> Answer {
    if !policy.guards(key.environment) {
        return Answer::NotAsked("not in this environment");
    }
    let writes: Vec<String> =
        key.scopes.iter().filter(|scope| !policy.only_reads(scope.level())).map(Scope::to_string).collect();
    if writes.is_empty() {
        return Answer::NotAsked("no scope of it changes anything");
    }
    if key.allow_ips.is_empty() {
        return Answer::Breach(format!("it may be used from anywhere, and holds {}", writes.join(", ")));
    }
    Answer::Fine("it has an allowlist")
}

/// Ranges that touch count as the range they make: many small ones are no way round the rule.
fn wide(policy: &Policy, key: &Key) -> Answer {
    if key.allow_ips.is_empty() {
        return Answer::NotAsked("it has no allowlist");
    }
    let wide: Vec<String> = wide_ranges(policy, &key.allow_ips).map(|range| range.to_string()).collect();
    if wide.is_empty() {
        return Answer::Fine("no range is wide");
    }
    let (ipv4, ipv6) = policy.shortest_prefixes();
    Answer::Breach(format!("{} is wider than /{ipv4} (IPv4) or /{ipv6} (IPv6)", wide.join(", ")))
}

fn wide_ranges(policy: &Policy, allowlist: &Allowlist) -> impl Iterator<Item = IpNet> {
    let (ipv4, ipv6) = policy.shortest_prefixes();
    let ranges: Vec<IpNet> = allowlist.iter().copied().collect();
    IpNet::aggregate(&ranges).into_iter().filter(move |range| {
        range.prefix_len()
            < match range {
                IpNet::V4(_) => ipv4,
                IpNet::V6(_) => ipv6,
            }
    })
}

fn unused(policy: &Policy, usage: &Usage, now: Time) -> Answer {
    let Some(last) = usage.last_used_at else { return Answer::NotAsked("it was never used") };
    if now - last <= policy.unused_for() {
        return Answer::Fine("it is in use");
    }
    Answer::Breach(format!("it was last used {}, {} days ago", format_time(last), (now - last).num_days()))
}

fn never_used(policy: &Policy, key: &Key, usage: &Usage, now: Time) -> Answer {
    if usage.last_used_at.is_some() {
        return Answer::Fine("it was used");
    }
    let age = now - key.created_at;
    if age <= policy.never_used_for() {
        return Answer::Fine("it is new");
    }
    Answer::Breach(format!("it was made {} days ago, and never used", age.num_days()))
}

fn too_late(key: &Key) -> Answer {
    let at = key.ends_at().map(|at| format!(" {}", format_time(at))).unwrap_or_default();
    Answer::Breach(format!("it is to be rotated and expired{at}: no schedule saves it any more, a renewal does"))
}

fn overdue(key: &Key, now: Time) -> Answer {
    let Some(due) = key.rotation.due_at else { return Answer::NotAsked("nothing says how often it is rotated") };
    if !key.is_overdue(now) {
        return Answer::Fine("its rotation is not due");
    }
    let late = now - due;
    let late = if late < TimeDelta::days(1) { "today".to_owned() } else { format!("{} days ago", late.num_days()) };
    Answer::Breach(format!("its rotation was due {}, {late}", format_time(due)))
}
