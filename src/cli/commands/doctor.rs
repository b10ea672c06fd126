//! `doctor`: where things are, and what is wrong with them.

use crate::{
    backend::{Backend, CLOCK_SLACK, VerifyAudit},
    cli::{columns, context::Ctx, due, exit::Exit, hints::Said},
    config::{self, ConfigFile},
    domain::{KeyFilter, Time, counted, time::format_time},
    files,
    ops::{Error, Kind, List, Result, audit_review::ShowReview},
    output::{Page, Report},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use std::{io::ErrorKind, path::Path};

/// Check where things are, permissions, slots, the clock and the audit trail
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  keyward doctor")]
pub(crate) struct Args {}

/// After so many days without a review `doctor` says so, unless the setting is another.
const REVIEW_DAYS: u32 = 30;

/// One finding; `ok` is `None` for a mere fact.
struct Finding {
    check: &'static str,
    ok: Option<bool>,
    detail: String,
}

/// Looks at everything, makes nothing, and fails with the first kind of problem found.
pub(crate) fn run(cx: &mut Ctx, _args: &Args) -> Result<u8> {
    // Looking must not change: no vault is made, and no journal is absorbed.
    cx.global.read_only = true;
    let mut findings = Vec::new();
    places(cx, &mut findings)?;
    let problem = if cx.is_remote() { server(cx, &mut findings) } else { vault(cx, &mut findings)? };
    let healthy = problem.is_none() && findings.iter().all(|finding| finding.ok != Some(false));
    tell(cx, &findings)?;
    if let Some(error) = problem {
        return Err(error);
    }
    Ok(if healthy { Exit::Ok } else { Exit::Failure }.code())
}

fn places(cx: &Ctx, findings: &mut Vec<Finding>) -> Result<()> {
    let dirs = cx.dirs()?;
    findings.push(Finding { check: "version", ok: None, detail: env!("CARGO_PKG_VERSION").to_owned() });
    for (check, path) in
        [("data", &dirs.data), ("config", &dirs.config), ("state", &dirs.state), ("keystore", &dirs.keystore())]
    {
        let found = place(check, path);
        findings.push(match check {
            "config" => found,
            _ if found.ok != Some(true) => found,
            "state" => remembering(cx, writable(found, path))?,
            _ => writable(found, path),
        });
    }
    let owed = due::owed_notes(&dirs);
    if owed > 0 {
        let detail = format!(
            "{} ended before every hook was told: the next keyward rotate or rotation resume tells them",
            counted(owed, "run")
        );
        findings.push(Finding { check: "hooks", ok: None, detail });
    }
    let devices = std::fs::read_dir(dirs.config.join("devices")).into_iter().flatten().flatten();
    findings.extend(devices.map(|entry| place("device key", &entry.path())));
    if let Err(error) = config::dirs(None).and_then(|dirs| ConfigFile::read(&dirs.config)) {
        let detail = format!("{}: {}", error.message, error.causes.join(": "));
        findings.push(Finding { check: "settings", ok: Some(false), detail });
    }
    Ok(())
}

/// The same of the directory that remembers what was last seen of the vault.
fn remembering(cx: &Ctx, found: Finding) -> Result<Finding> {
    let vault = cx.vault()?;
    if found.ok == Some(false) || !vault.exists().unwrap_or(true) {
        return Ok(found);
    }
    let Some(why) = vault.forgets() else { return Ok(found) };
    let detail = format!(
        "{}: changes are not remembered there, and an older copy of the keystore would pass for the newest: {why}",
        vault.dirs().state.display()
    );
    Ok(Finding { ok: Some(false), detail, ..found })
}

fn place(check: &'static str, path: &Path) -> Finding {
    let shown = path.display();
    match path.symlink_metadata() {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Finding { check, ok: None, detail: format!("{shown} (not there)") };
        }
        Err(error) => {
            return Finding { check, ok: Some(false), detail: format!("{shown} cannot be looked at: {error}") };
        }
        Ok(_) => {}
    }
    if files::too_open(path) {
        return Finding { check, ok: Some(false), detail: format!("{shown} is open to others: chmod go= {shown}") };
    }
    Finding { check, ok: Some(true), detail: shown.to_string() }
}

/// The same of a place that commands write to.
fn writable(found: Finding, path: &Path) -> Finding {
    match files::not_writable(path) {
        None => found,
        Some(error) => {
            Finding { ok: Some(false), detail: format!("{} cannot be written: {error}", path.display()), ..found }
        }
    }
}

/// Whether the server answers, and knows the credential; the error, if not.
fn server(cx: &mut Ctx, findings: &mut Vec<Finding>) -> Option<Error> {
    let (ok, detail, problem) = match cx.describe_server() {
        Ok(said) => (true, said, None),
        Err(error) => (false, error.message.clone(), Some(error)),
    };
    findings.push(Finding { check: "server", ok: Some(ok), detail });
    problem
}

/// What the vault says of itself; the error, if it does not open or is not intact.
fn vault(cx: &mut Ctx, findings: &mut Vec<Finding>) -> Result<Option<Error>> {
    if let Err(error) = cx.existing_vault() {
        findings.push(Finding { check: "vault", ok: Some(false), detail: error.message.clone() });
        return Ok(Some(error));
    }
    let checked = look(cx, findings);
    let problem = checked.err().inspect(|error| {
        let opened = findings.iter().any(|finding| finding.check == "vault");
        let check = match error.kind {
            Kind::Integrity if opened => "audit",
            Kind::Integrity => "keystore",
            _ => "vault",
        };
        findings.push(Finding { check, ok: Some(false), detail: error.message.clone() });
    });
    Ok(problem.map(|error| locked(cx, findings, error)))
}

/// Lists the slots of a vault that does not open, with what each wants. Nothing sends from here to here again.
fn locked(cx: &Ctx, findings: &mut Vec<Finding>, mut error: Error) -> Error {
    if error.kind != Kind::Locked {
        return error;
    }
    error.hints.retain(|hint| !hint.starts_with("keyward doctor"));
    let slots = cx.vault().and_then(|vault| vault.slots_unopened()).unwrap_or_default();
    findings.extend(slots.into_iter().map(|(slot, opens)| {
        let label = slot.label.map(|label| format!(" '{label}'")).unwrap_or_default();
        let (id, kind, role, made) = (slot.id, slot.kind, slot.role, slot.created_at);
        Finding { check: "slot", ok: None, detail: format!("{id}{label} ({kind}, {role}, made {made}): {opens}") }
    }));
    error
}

fn look(cx: &mut Ctx, findings: &mut Vec<Finding>) -> Result<()> {
    let backend = cx.backend()?;
    let operation = cx.operation();
    let vault = backend.vault("the state of the vault")?;
    let status = vault.status(&operation)?;
    let fact = |check, detail| Finding { check, ok: Some(true), detail };
    findings.push(fact("vault", format!("{} opens, with the role {}", status.vault_id, status.role)));
    let slots = vault.slots(&operation)?;
    let kinds: Vec<&str> = slots.iter().map(|slot| slot.kind).collect();
    let spare = slots.iter().filter(|slot| slot.role == "admin").count() > 1;
    findings.push(Finding {
        check: "slots",
        ok: spare.then_some(true),
        detail: if spare {
            kinds.join(", ")
        } else {
            let who = if status.role == "admin" { "" } else { ", for an administrator" };
            format!("{}: one admin slot only; `keyward vault recovery` prints a code to keep{who}", kinds.join(", "))
        },
    });
    let at = |text: &str| DateTime::parse_from_rfc3339(text).map(|at| at.with_timezone(&Utc));
    let (created, last) = (at(&status.created_at), at(&status.last_commit_at));
    let clock_ok = last.as_ref().is_ok_and(|last| *last - cx.now <= CLOCK_SLACK);
    let clock = if clock_ok {
        "not before the last commit".to_owned()
    } else {
        format!(
            "before the last commit, {}: the clock is wrong, and what has expired since counts as valid",
            status.last_commit_at
        )
    };
    findings.push(Finding { check: "clock", ok: Some(clock_ok), detail: clock });
    findings.push(servers(cx.vault()?.servers()));
    rotations(cx, findings)?;
    let report = backend.verify_audit(&operation, VerifyAudit::default())?;
    findings.push(fact(
        "audit",
        format!("intact: {}, {}, epoch {}", counted(report.events, "event"), counted(report.keys, "key"), report.epoch),
    ));
    // A support slot cannot read what reviewers noted.
    if status.role == "admin" {
        findings.push(review(cx, &*backend, created.unwrap_or(cx.now))?);
    }
    Ok(())
}

/// Several servers on one vault are no defect, but each lets through the whole limit of a key.
fn servers(running: usize) -> Finding {
    let detail = match running {
        0 => "none runs on this vault".to_owned(),
        1 => "one runs on this vault".to_owned(),
        more => {
            format!(
                "{more} run on this vault: each lets through the whole limit of a key, and one of them sends to webhooks"
            )
        }
    };
    Finding { check: "servers", ok: (running < 2).then_some(true), detail }
}

/// Overdue keys are somebody's work, not a defect of the vault; an interrupted rotation wants to be finished.
fn rotations(cx: &mut Ctx, findings: &mut Vec<Finding>) -> Result<()> {
    let filter = KeyFilter { due_within: Some(TimeDelta::zero()), ..KeyFilter::default() };
    let due = cx.backend()?.list(&cx.operation(), &List { filter })?.items;
    let overdue = due.iter().filter(|key| key.rotation.overdue).count();
    let running = due.iter().filter(|key| key.rotation.id.is_some()).count();
    let detail = match (overdue, running) {
        (0, 0) => "nothing is overdue".to_owned(),
        _ => format!(
            "{} overdue, {} not ended: keyward list --due",
            counted(overdue, "key"),
            counted(running, "rotation")
        ),
    };
    findings.push(Finding { check: "rotation", ok: (overdue + running == 0).then_some(true), detail });
    Ok(())
}

/// Nobody looking at the trail is a finding of its own.
fn review(cx: &Ctx, backend: &dyn Backend, created: Time) -> Result<Finding> {
    let days =
        ConfigFile::read(&config::dirs(None)?.config).unwrap_or_default().audit_review_days.unwrap_or(REVIEW_DAYS);
    let state = backend.ask(&cx.operation(), &ShowReview::default())?.state;
    let since = state.at.unwrap_or(created);
    let usual = (days > 0).then(|| TimeDelta::days(i64::from(days)));
    let overdue = state.every.or(usual).is_some_and(|every| cx.now - since > every);
    let last = match (&state.by, state.at) {
        (Some(by), Some(at)) => format!("reviewed up to event {} by {by}, {}", state.upto, format_time(at)),
        _ => "never reviewed".to_owned(),
    };
    let detail = if overdue {
        format!(
            "{last}: nobody has looked at {} for {} days{}: keyward audit review",
            counted(state.unreviewed, "event"),
            (cx.now - since).num_days(),
            state.demanded()
        )
    } else {
        format!("{last}; {} since{}", counted(state.unreviewed, "event"), state.demanded())
    };
    Ok(Finding { check: "review", ok: Some(!overdue), detail })
}

fn tell(cx: &mut Ctx, findings: &[Finding]) -> Result<()> {
    let said = Said::of(&cx.given);
    // The names alone do not say which of them is a problem.
    if cx.names_suffice() {
        for problem in findings.iter().filter(|finding| finding.ok == Some(false)) {
            cx.out.warn(&format!("{}: {}", problem.check, said.carried(&problem.detail)));
        }
    }
    let people = !cx.program_reads();
    let rows: Vec<_> = findings
        .iter()
        .map(|finding| {
            let word = match finding.ok {
                Some(true) => "ok",
                Some(false) => "PROBLEM",
                None => "-",
            };
            let ok = if people { json!(word) } else { json!(finding.ok) };
            json!({ "check": finding.check, "ok": ok, "detail": said.carried(&finding.detail) })
        })
        .collect();
    let page = Page::whole(rows.len());
    cx.emit(&Report::list("keyward.doctor/v1", rows, page, columns::DOCTOR, "check").uncut())
}
