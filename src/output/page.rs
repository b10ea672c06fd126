//! A report as one page: everything in it, nothing fetched, nothing run.
//!
//! The page brings its style and its charts and asks a browser to refuse everything else: no script, no font, no
//! picture and no form, whatever may stand in a name. All text is escaped by the template, control and direction
//! characters are made visible before, and each text of others is isolated, so that none reorders the page.

mod calendar;
mod chart;
mod findings;

use super::escape::escape;
use super::time::relative;
use crate::domain::{Time, time::parse_time};
use crate::ops::report::{Counts, ExpiringKey, Overview, OwnerCounts, RotatedKey, StaleKey};
use base64::{Engine, engine::general_purpose::STANDARD};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

const STYLE: &str = include_str!("page/style.css");
/// A page is for reading: beyond so many rows of a kind it names the command that shows them all.
const MOST_ROWS: usize = 200;

/// The page, from the doctype to the last tag.
pub fn html(overview: &Overview) -> String {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'");
    let day = overview.at.format("%Y-%m-%d");
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                meta name="robots" content="noindex";
                title { "API keys of " (escape(&overview.workspace)) ", " (day) }
                style { (PreEscaped(STYLE)) }
            }
            body { (body(overview)) }
        }
    };
    page.into_string()
}

fn body(overview: &Overview) -> Markup {
    let now = overview.at;
    html! {
        header {
            h1 { "API keys of " (text(&overview.workspace)) }
            p { "As of " (now.format("%Y-%m-%d %H:%M")) " UTC. Working keys are those of the status active." }
        }
        main {
            section id="counts" { h2 { "Counts" } (cards(&overview.counts)) (environments(overview)) }
            section id="calendar" {
                h2 { "Expiry" }
                p { "How many keys expire on which day of the year to come." }
                (calendar::year(now.date_naive(), &overview.calendar))
            }
            section id="charts" {
                h2 { "Age and last use" }
                div.charts {
                    (chart::bars("Working keys by the age of their newest secret, less than", &overview.ages))
                    (chart::bars("Working keys by their last use, less than … ago", &overview.last_use))
                }
            }
            section id="findings" { h2 { "Hygiene" } (findings::all(overview)) }
            section id="expiring" {
                h2 { "Expiring within 90 days" }
                (rows(&overview.expiring, &["key", "env", "owner", "expires", "last used"], "report expiry", |key| expiring(key, now)))
            }
            section id="overdue" {
                h2 { "Overdue for rotation" }
                (rows(&overview.overdue, &["key", "env", "owner", "due", "secret made"], "report rotation", |key| overdue(key, now)))
            }
            section id="stale" {
                h2 { "Not used for 90 days" }
                (rows(&overview.stale, &["key", "env", "owner", "last used", "created"], "report stale", |key| stale(key, now)))
            }
            section id="owners" {
                h2 { "Owners" }
                (rows(&overview.owners, &["owner", "keys", "active", "expiring", "stale", "overdue", "no expiry"], "report owners", owner))
            }
        }
    }
}

/// Text of others: it keeps its own direction, and changes that of nothing around it.
fn text(text: &str) -> Markup {
    html! { bdi { (escape(text)) } }
}

fn cards(counts: &Counts) -> Markup {
    let card = |label: &str, keys: usize, warns: bool| {
        html! { li.warn[warns && keys > 0] { b { (keys) } (label) } }
    };
    html! {
        ul.cards {
            (card("keys", counts.keys, false))
            (card("active", counts.active, false))
            (card("inactive", counts.inactive, false))
            (card("expired", counts.expired, false))
            (card("revoked", counts.revoked, false))
            (card("expire in 30 days", counts.expiring, true))
            (card("unused for 90 days", counts.stale, true))
            (card("never used", counts.never_used, true))
            (card("never expire", counts.no_expiry, true))
            (card("overdue for rotation", counts.overdue, true))
        }
    }
}

fn environments(overview: &Overview) -> Markup {
    let headers = ["environment", "keys", "active", "expiring", "stale", "overdue", "no expiry"];
    if overview.environments.is_empty() {
        return Markup::default();
    }
    table(
        &headers,
        overview.environments.iter().map(|(environment, counts)| {
            html! { td { (environment.as_str()) } (numbers(counts)) }
        }),
    )
}

fn numbers(counts: &Counts) -> Markup {
    let all = [counts.keys, counts.active, counts.expiring, counts.stale, counts.overdue, counts.no_expiry];
    html! { @for number in all { td.n { (number) } } }
}

/// A table of so many rows as somebody reads, and where the others are.
fn rows<R>(rows: &[R], headers: &[&str], command: &str, row: impl Fn(&R) -> Markup) -> Markup {
    let more = rows.len().saturating_sub(MOST_ROWS);
    html! {
        @if rows.is_empty() { p { "None." } } @else { (table(headers, rows.iter().take(MOST_ROWS).map(row))) }
        @if more > 0 { p { "And " (more) " more: " code { "keyward " (command) } } }
    }
}

fn table(headers: &[&str], rows: impl Iterator<Item = Markup>) -> Markup {
    let counts = |header: &str| {
        matches!(header, "keys" | "active" | "expiring" | "stale" | "overdue" | "no expiry" | "findings" | "accepted")
    };
    html! {
        // Scrolled by itself where it is too wide, with the keyboard too.
        div.scroll tabindex="0" role="region" aria-label=(headers.join(", ")) {
            table {
                thead { tr { @for header in headers { th scope="col" class=[counts(header).then_some("n")] { (header) } } } }
                tbody { @for row in rows { tr { (row) } } }
            }
        }
    }
}

/// The cells that name a key.
fn named(name: &str, id: &str, environment: &str, owner: Option<&str>) -> Markup {
    html! {
        td { (text(name)) small { code { (id) } } }
        td { (environment) }
        td { @match owner { Some(owner) => (text(owner)), None => "-" } }
    }
}

/// A day, and how far away it is.
fn when(at: Option<&str>, now: Time) -> Markup {
    let Some(at) = at else { return html! { td.t { "never" } } };
    html! {
        td.t {
            time datetime=(at) { (at.get(..10).unwrap_or(at)) }
            @if let Ok(time) = parse_time(at) { small { (relative(time, now)) } }
        }
    }
}

fn expiring(key: &ExpiringKey, now: Time) -> Markup {
    html! {
        (named(&key.name, &key.id, &key.environment, key.owner.as_deref()))
        (when(Some(&key.expires_at), now))
        (when(key.last_used_at.as_deref(), now))
    }
}

fn overdue(key: &RotatedKey, now: Time) -> Markup {
    html! {
        (named(&key.name, &key.id, &key.environment, key.owner.as_deref()))
        (when(key.due_at.as_deref(), now))
        (when(key.secret_created_at.as_deref(), now))
    }
}

fn stale(key: &StaleKey, now: Time) -> Markup {
    html! {
        (named(&key.name, &key.id, &key.environment, key.owner.as_deref()))
        (when(key.last_used_at.as_deref(), now))
        (when(Some(&key.created_at), now))
    }
}

fn owner(row: &OwnerCounts) -> Markup {
    html! { td { @match &row.owner { Some(owner) => (text(owner)), None => "nobody" } } (numbers(&row.counts)) }
}

#[cfg(test)]
mod tests {
    use super::super::escape::is_unsafe;
    use super::*;
    use crate::{
        domain::hygiene::{Rule, Severity},
        ops::{Finding, KeyView, check::Excepted, report::overview},
    };
    use proptest::prelude::*;

    fn now() -> Time {
        parse_time("2026-03-01").unwrap()
    }

    fn keys(names: impl Iterator<Item = String>) -> Vec<KeyView> {
        let key = |(at, name): (usize, String)| KeyView {
            id: format!("key_{at:016}"),
            owner: Some(name.clone()),
            name,
            environment: "production".to_owned(),
            status: "active".into(),
            active: true,
            created_at: "2025-01-01T00:00:00Z".to_owned(),
            expires_at: Some("2026-03-20T00:00:00Z".to_owned()),
            never_used: true,
            ..KeyView::default()
        };
        names.enumerate().map(key).collect()
    }

    /// Each key is found without an owner and without a limit, which is accepted.
    fn page(names: impl Iterator<Item = String>, workspace: &str) -> String {
        let keys = keys(names);
        let found = |rule, excepted: bool| {
            keys.iter().map(move |key| Finding {
                rule,
                severity: Severity::Error,
                key_id: Some(key.id.clone()),
                name: Some(key.name.clone()),
                environment: Some(key.environment.clone()),
                owner: key.owner.clone(),
                message: key.name.clone(),
                fix: key.name.clone(),
                excepted: excepted
                    .then(|| Excepted { until: "2026-04-01T00:00:00Z".to_owned(), reason: key.name.clone() }),
            })
        };
        let findings = found(Rule::NoOwner, false).chain(found(Rule::NoRateLimit, true)).collect();
        html(&Overview { findings, unasked: vec![workspace.to_owned()], ..overview(&keys, workspace, now()) })
    }

    #[test]
    fn an_empty_page_is_a_page_too() {
        let page = page(std::iter::empty(), "default");
        assert!(page.starts_with("<!DOCTYPE html><html lang=\"en\">") && page.ends_with("</html>"), "{page}");
        assert_eq!(page.matches("None.").count(), 5);
    }

    #[test]
    fn a_page_of_very_many_keys_stays_readable() {
        let page = page((0..10_000).map(|at| format!("k{at}")), "default");
        assert!(page.len() < 600_000, "{} bytes", page.len());
        for command in ["report stale", "check", "check --accepted"] {
            assert!(page.contains(&format!("And 9800 more: <code>keyward {command}</code>")), "{command}");
        }
        assert!(page.contains("<b>10000</b>keys"));
    }

    #[test]
    fn the_policy_lets_in_this_style_and_nothing_else() {
        let page = page(["a".to_owned()].into_iter(), "default");
        let style = page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
        let hash = STANDARD.encode(Sha256::digest(style));
        assert!(page.contains(&format!("content=\"default-src 'none'; style-src 'sha256-{hash}'; ")));
        assert!(page.find("Content-Security-Policy").unwrap() < page.find("<style>").unwrap());
        for fetched in
            ["http:", "https:", "//", "url(", "@import", "<link", "<script", "<img", "<iframe", " style=", " on"]
        {
            let at = page
                .find(fetched)
                .filter(|at| !page[*at..].starts_with(" one") && !page[*at..].starts_with(" on which"));
            assert!(at.is_none(), "{fetched}: {:?}", at.map(|at| &page[at.saturating_sub(40)..at + 40]));
        }
    }

    proptest! {
        #[test]
        fn no_name_becomes_markup(name in "\\PC*|(?s).*|.*[<>&\"'].*") {
            let evil = format!("{name}<script>alert(1)</script>\"'--><b>");
            let shown = page([evil.clone()].into_iter(), &evil);
            let plain = page(["x".to_owned()].into_iter(), "x");
            prop_assert_eq!(shown.matches('<').count(), plain.matches('<').count());
            prop_assert_eq!(shown.matches('>').count(), plain.matches('>').count());
            prop_assert_eq!(shown.matches('"').count(), plain.matches('"').count());
            prop_assert!(shown.chars().all(|c| c == '\n' || !is_unsafe(c)));
        }
    }
}
