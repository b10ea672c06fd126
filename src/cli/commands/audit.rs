//! `audit`: who did what, when and why; checked, and exported.

use crate::{
    cli::{columns, context::Ctx, exit::Exit, values},
    domain::{Action, KeyRef, Outcome, Recorded, Time, time::format_time},
    ops::{AuditFilter, Kind, Result, Show},
    output::{Format, Page, Report},
};
use serde_json::{Value, json};

/// The audit trail
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  keyward audit --key billing-sync\n  keyward audit --action key.revoke --since 2026-01-01\n  \
        keyward audit verify\n  keyward audit export --format jsonl > trail.jsonl"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    filter: Filter,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List events
    #[command(after_help = "Example:\n  keyward audit list --outcome refused --limit 20")]
    List {
        #[command(flatten)]
        filter: Filter,
    },
    /// Check the whole trail, and every key against it
    #[command(after_help = "Example:\n  keyward audit verify -o json")]
    Verify,
    /// Export events; the export is itself recorded first
    #[command(after_help = "Example:\n  keyward audit export --format csv --since 2026-01-01 > trail.csv")]
    Export {
        /// jsonl or csv
        #[arg(long, value_name = "FORMAT", value_parser = ["jsonl", "csv"], default_value = "jsonl")]
        format: String,
        #[command(flatten)]
        filter: Filter,
    },
}

#[derive(Debug, clap::Args)]
struct Filter {
    /// Events of this key, by id or name; a deleted key by its id
    #[arg(long, value_name = "KEY", value_parser = values::key_ref, add = values::keys())]
    key: Option<KeyRef>,
    /// Events of this actor, such as alice@host
    #[arg(long)]
    actor: Option<String>,
    /// Events of this action, such as key.revoke; may be repeated
    #[arg(long, value_name = "ACTION")]
    action: Vec<Action>,
    /// Events with this outcome: ok, refused or failed
    #[arg(long)]
    outcome: Option<Outcome>,
    /// Events since this time
    #[arg(long, value_name = "T", value_parser = values::time)]
    since: Option<Time>,
    /// Events before this time
    #[arg(long, value_name = "T", value_parser = values::time)]
    until: Option<Time>,
    /// The newest so many
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

/// Lists, checks or exports the trail.
pub(crate) fn run(cx: &mut Ctx, args: Args) -> Result<u8> {
    match args.command {
        None => list(cx, args.filter)?,
        Some(Command::List { filter }) => list(cx, filter)?,
        Some(Command::Verify) => verify(cx)?,
        Some(Command::Export { format, filter }) => export(cx, &format, filter)?,
    }
    Ok(Exit::Ok.code())
}

fn list(cx: &mut Ctx, filter: Filter) -> Result<()> {
    let filter = resolve(cx, filter)?;
    let listed = cx.backend()?.audit(&cx.operation(), &filter)?;
    let rows = listed.items.iter().map(row).collect();
    cx.emit(&listing(rows, listed.total))
}

fn verify(cx: &mut Ctx) -> Result<()> {
    let report = cx.backend()?.verify_audit(&cx.operation())?;
    cx.note(&format!("intact: {} events, and {} keys that agree with them", report.events, report.keys));
    if !cx.reply_asked() {
        return Ok(());
    }
    let reply = json!({ "ok": true, "events": report.events, "keys": report.keys, "epoch": report.epoch });
    cx.flat("keyward.audit-verify/v1", reply, "ok")
}

fn export(cx: &mut Ctx, format: &str, filter: Filter) -> Result<()> {
    let filter = resolve(cx, filter)?;
    let events = cx.backend()?.export_audit(&cx.operation(), &filter)?;
    let rows: Vec<Value> = events.iter().map(row).collect();
    let total = rows.len();
    cx.out.options.format = if format == "csv" { Format::Csv } else { Format::Jsonl };
    cx.emit(&listing(rows, total))
}

fn listing(rows: Vec<Value>, total: usize) -> Report {
    let page = Page { returned: rows.len(), total, truncated: rows.len() < total };
    Report::list("keyward.audit-list/v1", rows, page, columns::AUDIT, "seq").noun("events")
}

fn row(recorded: &Recorded) -> Value {
    let event = &recorded.event;
    json!({
        "seq": recorded.seq, "at": format_time(recorded.at), "actor": event.actor, "source": event.source,
        "action": event.action.as_str(), "target": event.target, "outcome": event.outcome.as_str(),
        "reason": event.reason, "ticket": event.ticket, "changes": event.changes,
    })
}

/// Events name keys by id; a name or prefix that no key has any more is looked for as it stands.
fn resolve(cx: &mut Ctx, filter: Filter) -> Result<AuditFilter> {
    let target = match filter.key {
        None => None,
        Some(KeyRef::Id(id)) => Some(id.to_string()),
        Some(key) => {
            let text = key.to_string();
            match cx.backend()?.show(&cx.operation(), &Show { key, environment: None }) {
                Ok(found) => Some(found.id),
                Err(error) if error.kind == Kind::NotFound => Some(text),
                Err(error) => return Err(error),
            }
        }
    };
    Ok(AuditFilter {
        target,
        actor: filter.actor,
        actions: filter.action,
        outcome: filter.outcome,
        since: filter.since,
        until: filter.until,
        limit: filter.limit,
    })
}
