//! `audit archive`: old events in a file of their own, and reading such a file.

use crate::{
    cli::{context::Ctx, values},
    config::{ConfigFile, dirs},
    domain::{Time, time::format_time},
    ops::{Error, Result, audit_format::event_json},
    output::Format,
};
use chrono::TimeDelta;
use serde_json::{Value, json};
use std::path::PathBuf;

/// No setting keeps less of the trail at hand than this.
const LEAST_DAYS: u32 = 90;
const DEFAULT_DAYS: u32 = 365;

/// Move old events to a sealed file that stays verifiable, or read one
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  keyward audit archive --before 2025-01-01 --out 2024.archive")]
pub(super) struct Args {
    /// Move the events before this time, or older than this; the trail keeps at least `audit_retention_days` of config.toml (365, at least 90)
    #[arg(long, value_name = "DATE", value_parser = values::past, requires = "out", required_unless_present = "read")]
    before: Option<Time>,
    /// The new file
    #[arg(long, value_name = "FILE", requires = "before", value_hint = clap::ValueHint::FilePath)]
    out: Option<PathBuf>,
    /// Print the events of an archive, a line of JSON each, checked against the trail
    #[arg(long, value_name = "FILE", conflicts_with = "before", value_hint = clap::ValueHint::FilePath)]
    read: Option<PathBuf>,
}

pub(super) fn run(cx: &mut Ctx, args: &Args) -> Result<()> {
    if args.read.is_some() {
        cx.refuse_reason()?;
        cx.refuse_layout(&[Format::Jsonl], "an archive is printed as a line of JSON for each event")?;
    }
    let backend = cx.backend()?;
    if let Some(file) = &args.read {
        let operation = cx.operation();
        backend.vault("an archive")?.read_audit_archive(&operation, file, &mut |recorded| {
            cx.stream_line(&event_json(recorded).to_string()).map(drop)
        })?;
        return Ok(());
    }
    let (Some(before), Some(out)) = (args.before, &args.out) else { return Ok(()) };
    cx.may_create("--out", out)?;
    let kept = ConfigFile::read(&dirs(None)?.config)?.audit_retention_days.unwrap_or(DEFAULT_DAYS);
    if kept < LEAST_DAYS {
        return Err(Error::usage(format!(
            "audit_retention_days in config.toml is {kept}; at least {LEAST_DAYS} days stay"
        )));
    }
    let latest = cx.now - TimeDelta::days(i64::from(kept));
    if before > latest {
        return Err(Error::forbidden(
            "retention",
            format!("the trail keeps {kept} days: nothing after {} is archived", format_time(latest)),
        )
        .hint(format!("keyward audit archive --before {} --out FILE", latest.format("%Y-%m-%d"))));
    }
    let at_work = cx.at_work("moving events into the archive");
    let archived = backend.vault("archiving")?.archive_audit(&cx.operation(), before, out)?;
    drop(at_work);
    let Some(archived) = archived else {
        cx.note("no events are older than that");
        return reply(cx, json!({ "first": null, "last": null, "file": null }));
    };
    let verb = if cx.global.dry_run { "would move" } else { "moved" };
    cx.note(&format!(
        "{verb} events {} to {} to {}; keep it with the backups",
        archived.first,
        archived.last,
        out.display()
    ));
    reply(cx, json!({ "first": archived.first, "last": archived.last, "file": out }))
}

fn reply(cx: &mut Ctx, facts: Value) -> Result<()> {
    if !cx.reply_asked() {
        return Ok(());
    }
    let written = cx.flat("keyward.audit-archive/v1", facts, "file");
    cx.after_change(written)
}
