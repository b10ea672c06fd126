//! Credentials of operators that a server refused, and that nobody has: what the trail and webhooks are told of them.

use super::{context::Context, error::Result, webhooks};
use crate::{
    domain::{Action, Event, Message, Notice, Outcome, Refusal, Time, time::format_time},
    store::View,
};
use chrono::TimeDelta;
use serde::Serialize;
use serde_json::json;
use std::{collections::BTreeMap, net::IpAddr};

/// Whose webhooks are told: a credential that nobody has belongs to no workspace.
const WORKSPACE: &str = "default";
/// How many addresses a message names.
const NAMED: usize = 10;

/// Credentials that were refused, from one address or from several that are told together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedCredentials {
    /// From where; `None` for a Unix socket, and for several.
    pub address: Option<IpAddr>,
    /// From how many addresses, at least.
    pub addresses: usize,
    /// How many.
    pub count: u64,
    /// When the first of them came.
    pub since: Time,
    /// Of those that were tokens of other issuers, how many did not pass which check.
    pub checks: BTreeMap<&'static str, u64>,
    /// Jobs whose tokens were genuine, and let them in nowhere: some of them.
    pub jobs: Vec<RefusedJob>,
}

/// A job whose token was genuine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusedJob {
    /// Whose token.
    pub issuer: String,
    /// Of whom, as the trail names an actor.
    pub job: String,
}

impl RefusedCredentials {
    /// Who that was, where all were genuine tokens of one job.
    fn actor(&self) -> &str {
        match &self.jobs[..] {
            [one] if self.checks.values().sum::<u64>() == self.count && self.is_all_genuine() => &one.job,
            _ => "unknown",
        }
    }

    /// Whether no check failed that comes before a signature is known to be genuine.
    fn is_all_genuine(&self) -> bool {
        self.checks.keys().all(|check| Refusal::GENUINE.iter().any(|one| one.as_str() == *check))
    }
}

/// What was refused since the last report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialReport {
    /// By address, the most first.
    pub refused: Vec<RefusedCredentials>,
    /// The reports of the last time, this one included: when, and how many were refused.
    pub history: Vec<(Time, u64)>,
}

/// The events of a report: one an address.
#[must_use]
pub fn events(cx: &Context, report: &CredentialReport) -> Vec<Event> {
    let told = |one: &RefusedCredentials| {
        let mut changes = json!({
            "refused": "credential", "kind": "AUTH", "count": one.count, "since": format_time(one.since),
        });
        if !one.checks.is_empty() {
            changes["checks"] = json!(one.checks);
        }
        if !one.jobs.is_empty() {
            changes["jobs"] = json!(one.jobs);
        }
        if one.addresses > 1 {
            changes["addresses"] = json!(one.addresses);
        }
        Event {
            action: Action::OperatorDenied,
            target: "credential".to_owned(),
            outcome: Outcome::Refused,
            actor: one.actor().to_owned(),
            source: one.address.map_or_else(|| "server".to_owned(), |address| format!("server {address}")),
            reason: None,
            ticket: cx.ticket.clone(),
            workspace: None,
            changes,
        }
    };
    report.refused.iter().map(told).collect()
}

/// What webhooks are told of a report, with the marks by which each burst is told once.
///
/// # Errors
/// Those of the store.
pub fn burst(view: &View<'_>, cx: &Context, report: &CredentialReport) -> Result<Vec<(Vec<String>, Message)>> {
    let mut told = Vec::new();
    for webhook in view.webhooks()? {
        if webhook.workspace != WORKSPACE || !webhook.events.contains(&Notice::CredentialBurst) {
            continue;
        }
        let window = i64::from(webhook.burst.window_seconds);
        let since = cx.now - TimeDelta::seconds(window);
        let count: u64 = report.history.iter().filter(|(at, _)| *at >= since).map(|(_, count)| count).sum();
        if count < u64::from(webhook.burst.limit) {
            continue;
        }
        let named = report.refused.iter().filter(|one| one.address.is_some()).take(NAMED);
        let addresses: Vec<_> = named.map(|one| json!({ "address": one.address, "denied": one.count })).collect();
        let data = json!({ "denied": count, "window_seconds": window, "addresses": addresses });
        let mark = format!("{} operators {}", webhook.id, cx.now.timestamp().div_euclid(window.max(1)));
        told.push((vec![mark], webhooks::message(&webhook, Notice::CredentialBurst, cx.now, data)));
    }
    Ok(told)
}
