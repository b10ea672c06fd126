//! What `check` found: how much of each rule, then each finding with what mends it.

use super::{rows, table, text};
use crate::{
    domain::{
        Time,
        hygiene::{Rule, Severity},
        time::parse_time,
    },
    ops::{Finding, report::Overview},
    output::time::relative,
};
use maud::{Markup, html};
use std::collections::BTreeMap;

/// The section, without its heading.
pub(super) fn all(overview: &Overview) -> Markup {
    let (accepted, open): (Vec<&Finding>, Vec<&Finding>) =
        overview.findings.iter().partition(|finding| finding.excepted.is_some());
    html! {
        p { "What breaks the rules of the policy, as " code { "keyward check" } " tells it." }
        (rules(&open, &accepted))
        @if !open.is_empty() || accepted.is_empty() {
            (rows(&open, &["finding", "key", "env", "owner", "mend it with"], "check", |finding| open_row(finding)))
        }
        @if !accepted.is_empty() {
            h3 { "Accepted for now" }
            (rows(&accepted, &["finding", "key", "env", "owner", "until", "because"], "check --accepted", |finding| {
                accepted_row(finding, overview.at)
            }))
        }
        @for unasked in &overview.unasked { p { "Not asked: " (text(unasked)) } }
    }
}

/// How often each rule is broken, the gravest first.
fn rules(open: &[&Finding], accepted: &[&Finding]) -> Markup {
    let mut counts: BTreeMap<(std::cmp::Reverse<Severity>, Rule), (usize, usize)> = BTreeMap::new();
    let key = |finding: &Finding| (std::cmp::Reverse(finding.severity), finding.rule);
    for finding in open {
        counts.entry(key(finding)).or_default().0 += 1;
    }
    for finding in accepted {
        counts.entry(key(finding)).or_default().1 += 1;
    }
    if counts.is_empty() {
        return Markup::default();
    }
    table(
        &["rule", "severity", "findings", "accepted"],
        counts.into_iter().map(|((severity, rule), (open, accepted))| {
            html! {
                td { (rule.title()) small { code { (rule.as_str()) } } }
                (graveness(severity.0))
                td.n { (open) }
                td.n { (accepted) }
            }
        }),
    )
}

fn graveness(severity: Severity) -> Markup {
    html! { td.error[severity == Severity::Error] { (severity.as_str()) } }
}

/// What is wrong, and with which key.
fn named(finding: &Finding) -> Markup {
    html! {
        td { (text(&finding.message)) small { span.error[finding.severity == Severity::Error] { (finding.severity.as_str()) } " " code { (finding.rule.as_str()) } } }
        td {
            @match (&finding.name, &finding.key_id) {
                (Some(name), Some(id)) => { (text(name)) small { code { (id) } } }
                _ => "-",
            }
        }
        td { (finding.environment.as_deref().unwrap_or("-")) }
        td { @match &finding.owner { Some(owner) => (text(owner)), None => "-" } }
    }
}

fn open_row(finding: &Finding) -> Markup {
    html! { (named(finding)) td { (text(&finding.fix)) } }
}

fn accepted_row(finding: &Finding, now: Time) -> Markup {
    let (until, reason) = finding.excepted.as_ref().map_or(("", ""), |excepted| (&excepted.until, &excepted.reason));
    html! {
        (named(finding))
        td.t {
            time datetime=(until) { (until.get(..10).unwrap_or(until)) }
            @if let Ok(until) = parse_time(until) { small { (relative(until, now)) } }
        }
        td { (text(reason)) }
    }
}
