//! Values on the command line: each parsed once, at the edge, into a type that cannot be wrong.

use super::{candidates, guided};
use crate::{
    config,
    domain::{
        Allowlist, Demand, Environment, KeyRef, ObjectName, RateLimit, Scope, Search, SelfService, Time, allowlist,
        text::composed, time,
    },
    ops::{Error, Result},
};
use chrono::TimeDelta;
use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter, CompletionCandidate};
use ipnet::IpNet;
use std::{collections::BTreeMap, result::Result as Parsed};

/// A rate limit, or `none` spelled out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RateLimitArg(pub(super) Option<RateLimit>);

/// A number, or `none` spelled out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CapArg(pub(super) Option<u32>);

/// A scope, or nothing where it was left empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ScopeArg(pub(super) Option<Scope>);

/// A duration, or `none` spelled out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DurationArg(pub(super) Option<TimeDelta>);

pub(super) fn duration(text: &str) -> Parsed<TimeDelta, String> {
    time::parse_duration(text)
}

pub(super) fn duration_or_none(text: &str) -> Parsed<DurationArg, String> {
    if text == "none" { Ok(DurationArg(None)) } else { duration(text).map(|duration| DurationArg(Some(duration))) }
}

/// What is demanded, or `none` spelled out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DemandsArg(pub(super) Vec<Demand>);

/// Words with commas between them.
pub(super) fn demands(text: &str) -> Parsed<DemandsArg, String> {
    if text == "none" {
        return Ok(DemandsArg(Vec::new()));
    }
    let demands = text.split(',').map(|word| word.trim().parse().map_err(|why| format!("{why}, or none")));
    demands.collect::<Parsed<_, String>>().map(DemandsArg)
}

/// What the holder of a key may do with it, or what its workspace says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SelfArg(pub(super) Option<SelfService>);

/// Words with commas between them, or `default`.
pub(super) fn self_or_default(text: &str) -> Parsed<SelfArg, String> {
    if text == "default" {
        return Ok(SelfArg(None));
    }
    text.parse().map(|deeds| SelfArg(Some(deeds))).map_err(|why: String| format!("{why}, or default"))
}

pub(super) fn yes_or_no(text: &str) -> Parsed<bool, String> {
    match text {
        "yes" | "true" => Ok(true),
        "no" | "false" => Ok(false),
        _ => Err("expected yes or no".to_owned()),
    }
}

/// A duration of which a bare number is days: a lifetime.
pub(super) fn days(text: &str) -> Parsed<TimeDelta, String> {
    time::parse_days(text)
}

/// A time in the past, which may be said as so long ago.
pub(super) fn past(text: &str) -> Parsed<Time, String> {
    time::parse_past(text, config::now().map_err(|error| error.message)?)
}

/// How long ago a time in the past is.
pub(super) fn ago(text: &str) -> Parsed<TimeDelta, String> {
    let now = config::now().map_err(|error| error.message)?;
    let ago = now - time::parse_past(text, now)?;
    if ago > TimeDelta::zero() { Ok(ago) } else { Err("expected a time in the past".to_owned()) }
}

pub(super) fn end(text: &str) -> Parsed<Time, String> {
    time::parse_end(text)
}

#[cfg(feature = "server")]
pub(super) fn rate_limit(text: &str) -> Parsed<RateLimitArg, String> {
    RateLimit::parse_or_none(text).map(RateLimitArg)
}

/// The limit of a key, of which a bare number is requests an hour.
pub(super) fn key_rate_limit(text: &str) -> Parsed<RateLimitArg, String> {
    RateLimit::parse_hourly_or_none(text).map(RateLimitArg)
}

pub(super) fn scope_or_empty(text: &str) -> Parsed<ScopeArg, String> {
    if text.is_empty() { Ok(ScopeArg(None)) } else { text.parse().map(|scope| ScopeArg(Some(scope))) }
}

pub(super) fn cap(text: &str) -> Parsed<CapArg, String> {
    if text == "none" {
        return Ok(CapArg(None));
    }
    text.parse().map(|number| CapArg(Some(number))).map_err(|_| "expected a number, or none".to_owned())
}

/// A text, or nothing where it was left empty.
pub(super) fn clearable(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

pub(super) fn name(text: &str) -> Parsed<String, String> {
    text.parse::<ObjectName>().map(ObjectName::into_string)
}

/// Words to search for.
pub(super) fn words(text: &str) -> Parsed<Search, String> {
    text.parse()
}

/// What is searched for with several words.
pub(super) fn searched(words: Vec<Search>) -> Search {
    let mut all = Search::default();
    words.into_iter().for_each(|one| all.add(one));
    all
}

/// A pattern of names, which are compared in one form.
pub(super) fn pattern(text: &str) -> Parsed<glob::Pattern, String> {
    glob::Pattern::new(&composed(&wanted(text)?)).map_err(|error| error.to_string())
}

/// What is looked for. An empty one is a variable that was not set: it finds nothing, and whoever goes on would believe that
/// there was nothing to find.
pub(super) fn wanted(text: &str) -> Parsed<String, String> {
    if text.is_empty() { Err("expected something to look for".to_owned()) } else { Ok(text.to_owned()) }
}

pub(super) fn key_ref(text: &str) -> Parsed<KeyRef, String> {
    text.parse::<KeyRef>().map_err(|error| error.to_string())
}

pub(super) fn label(text: &str) -> Parsed<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected key=value".to_owned()),
    }
}

/// Labels by name; one that is given two values is refused, for either would be lost unsaid.
pub(super) fn labels(given: Vec<(String, String)>) -> Result<BTreeMap<String, String>> {
    let mut labels: BTreeMap<String, String> = BTreeMap::new();
    for (label, value) in given {
        if labels.get(&label).is_some_and(|told| *told != value) {
            return Err(Error::usage(format!("the label '{label}' is given more than one value")));
        }
        labels.insert(label, value);
    }
    Ok(labels)
}

pub(super) fn label_filter(text: &str) -> Parsed<(String, Option<String>), String> {
    match text.split_once('=') {
        _ if text.is_empty() || text.starts_with('=') => Err("expected key or key=value".to_owned()),
        Some((key, value)) => Ok((key.to_owned(), Some(value.to_owned()))),
        None => Ok((text.to_owned(), None)),
    }
}

/// An address, or a CIDR range.
pub(super) fn network(text: &str) -> Parsed<IpNet, String> {
    allowlist::parse_range(text)
}

/// An allowlist, with the option and the bad entry named by the error.
pub(super) fn allowlist(option: &str, entries: &[String]) -> Result<Allowlist> {
    Allowlist::parse(entries).map_err(|why| Error::usage(format!("{option} {why}")))
}

/// Sorted, each once.
pub(super) fn sorted<T: Ord>(mut values: Vec<T>) -> Vec<T> {
    values.sort();
    values.dedup();
    values
}

/// Completes environments.
pub(super) fn environments() -> ArgValueCandidates {
    ArgValueCandidates::new(|| Environment::ALL.iter().map(|one| CompletionCandidate::new(one.as_str())).collect())
}

/// Completes how long a key lives.
pub(super) fn lives() -> ArgValueCandidates {
    ArgValueCandidates::new(|| guided::LIVES[1..8].iter().map(CompletionCandidate::new).collect())
}

/// Completes keys.
pub(super) fn keys() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &std::ffi::OsStr| candidates::keys(typed.to_str().unwrap_or_default()))
}

/// Completes scopes.
pub(super) fn scopes() -> ArgValueCandidates {
    ArgValueCandidates::new(candidates::scopes)
}
