//! `usage`: how often, from where and with what verdict keys were used.

use crate::{
    cli::{columns, context::Ctx, exit::Exit, values},
    domain::{
        Environment, KeyRef, Retention, Time,
        time::{Since, format_duration},
    },
    ops::{Result, ShowRetention, UsageBy, UsageQuery, UsageReport, UsageRetention},
    output::{Column, ColumnKind, Format, Page, Report, bar, sparkline},
};
use chrono::TimeDelta;
use serde_json::{Value, json};

const BAR: usize = 24;
const SPARK: usize = 30;

/// Show how keys were used: how often, from where, with what verdict
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  keyward usage --since 7d\n  keyward usage billing-sync --by address\n  \
        keyward usage --by key -o json\n  keyward usage retention --counts 180d"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// One key: an id, an exact name, or the first 8 or more characters of an id
    #[arg(value_name = "KEY", value_parser = values::key_ref, add = values::keys())]
    key: Option<KeyRef>,
    /// Decides between keys of one name
    #[arg(long, alias = "environment", value_name = "ENV", requires = "key", add = values::environments())]
    env: Option<Environment>,
    /// From this time, or so long ago, on: 2026-01-02 or 7d [default: all that is kept]
    #[arg(long, value_name = "T", value_parser = values::past)]
    since: Option<Time>,
    /// Of your own keys: made by you, or owned by you, as `keyward whoami` names you
    #[arg(long, conflicts_with = "key")]
    mine: bool,
    /// Add up by day, key, code or address [default: day of one key, else key]
    #[arg(long, value_name = "WHAT")]
    by: Option<UsageBy>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show or change for how long usage is kept; totals and last use stay as long as their key
    #[command(after_help = "Example:\n  keyward usage retention --counts 180d --verdicts 7d")]
    Retention {
        /// Counts by the hour
        #[arg(long, value_name = "D", value_parser = values::duration)]
        counts: Option<TimeDelta>,
        /// Recent verdicts
        #[arg(long, value_name = "D", value_parser = values::duration)]
        verdicts: Option<TimeDelta>,
        /// Recent verdicts of one key, denied and allowed ones apart
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
        verdicts_per_key: Option<u32>,
        /// Distinct addresses of one key
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
        addresses_per_key: Option<u32>,
    },
}

/// Shows usage, or for how long it is kept.
pub(crate) fn run(cx: &mut Ctx, args: Args) -> Result<u8> {
    if let Some(Command::Retention { counts, verdicts, verdicts_per_key, addresses_per_key }) = args.command {
        let backend = cx.backend()?;
        let kept: Retention = backend.ask(&cx.operation(), &ShowRetention {})?.try_into()?;
        let wanted = Retention {
            counts: counts.unwrap_or(kept.counts),
            verdicts: verdicts.unwrap_or(kept.verdicts),
            verdicts_per_key: verdicts_per_key.unwrap_or(kept.verdicts_per_key),
            addresses_per_key: addresses_per_key.unwrap_or(kept.addresses_per_key),
        };
        let kept = if wanted == kept {
            kept
        } else {
            backend.change(&cx.operation(), UsageRetention::from(wanted))?.try_into()?
        };
        return retention(cx, &kept);
    }
    let by = args.by.unwrap_or(if args.key.is_some() { UsageBy::Day } else { UsageBy::Key });
    let since = args.since.map(Since::At);
    let query = UsageQuery { key: args.key, environment: args.env, since, by: Some(by), mine: args.mine };
    let report = cx.backend()?.ask(&cx.operation(), &query)?;
    tell(cx, by, &report)?;
    Ok(Exit::Ok.code())
}

fn retention(cx: &mut Ctx, kept: &Retention) -> Result<u8> {
    let reply = json!({
        "counts_seconds": kept.counts.num_seconds(), "verdicts_seconds": kept.verdicts.num_seconds(),
        "verdicts_per_key": kept.verdicts_per_key, "addresses_per_key": kept.addresses_per_key,
    });
    if cx.reply_asked() {
        let written = cx.flat("keyward.usage-retention/v1", reply, "counts_seconds");
        cx.after_change(written)?;
    } else {
        let lines = [
            ("counts", format_duration(kept.counts)),
            ("verdicts", format_duration(kept.verdicts)),
            ("verdicts a key", kept.verdicts_per_key.to_string()),
            ("addresses a key", kept.addresses_per_key.to_string()),
        ];
        let text: String = lines.iter().map(|(name, value)| format!("{:<17}{value}\n", format!("{name}:"))).collect();
        cx.raw(text.as_bytes())?;
    }
    Ok(Exit::Ok.code())
}

fn tell(cx: &mut Ctx, by: UsageBy, report: &UsageReport) -> Result<()> {
    let reply = json!(report);
    let human = matches!(cx.format(), Format::Table | Format::Wide) && !cx.program_reads();
    if cx.format() == Format::Json || cx.out.options.field.is_some() {
        return cx.flat("keyward.usage/v1", reply, "uses");
    }
    if human && report.key_id.is_some() && cx.given.columns.is_empty() {
        cx.flat_with("keyward.usage/v1", reply.clone(), columns::USAGE_OF_KEY)?;
        cx.raw(b"\n")?;
        table(cx, report.secrets.iter().map(|secret| json!(secret)).collect(), columns::SECRET_USAGE, "lookup")?;
        cx.raw(b"\n")?;
    }
    let max = report.items.iter().map(|row| row.uses + row.denied).max().unwrap_or(0);
    let rows: Vec<Value> = report
        .items
        .iter()
        .map(|row| {
            let mut shown = json!(row);
            // A line must name something, also where only names are asked for.
            if row.group.is_none() && (human || cx.global.quiet || cx.format() == Format::Name) {
                shown["group"] = json!("unknown credentials");
            }
            if let (true, Some(fields)) = (human, shown.as_object_mut()) {
                fields.insert("share".to_owned(), json!(bar(row.uses + row.denied, max, BAR)));
                fields.insert("trend".to_owned(), json!(sparkline(&row.daily, SPARK)));
            }
            shown
        })
        .collect();
    table(cx, rows, &grouped(by, human), "group")
}

fn table(cx: &mut Ctx, rows: Vec<Value>, columns: &[Column], named_by: &'static str) -> Result<()> {
    let page = Page::whole(rows.len());
    cx.emit(&Report::list("keyward.usage-list/v1", rows, page, columns, named_by).noun("uses"))
}

/// The columns of a table by what it is grouped by; people also get plots.
fn grouped(by: UsageBy, human: bool) -> Vec<Column> {
    let mut columns = vec![Column::new("group", by.as_str(), ColumnKind::Text)];
    if by == UsageBy::Key {
        columns.push(Column::new("name", "name", ColumnKind::Text));
        columns.push(Column::new("environment", "env", ColumnKind::Text));
    }
    columns.push(Column::new("uses", "uses", ColumnKind::Number));
    columns.push(Column::new("denied", "denied", ColumnKind::Number));
    if matches!(by, UsageBy::Key | UsageBy::Address) {
        columns.push(Column::new("last_at", "last", ColumnKind::Time));
    }
    if human {
        columns.push(Column::new("share", "share", ColumnKind::Text));
        if matches!(by, UsageBy::Key | UsageBy::Code) {
            columns.push(Column::new("trend", "by day", ColumnKind::Text));
        }
    }
    columns
}
