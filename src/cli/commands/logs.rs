//! `logs`: recent verdicts, and why requests were denied.

use crate::{
    cli::{columns, context::Ctx, exit::Exit, values},
    domain::{Environment, KeyRef, Time},
    ops::{LogQuery, Result},
    output::Format,
};
use serde_json::{Value, json};
use std::{thread, time::Duration};

/// How often `--follow` looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Show recent verdicts, and why requests were denied
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  keyward logs --denied --since 1h\n  keyward logs --key billing-sync -o jsonl")]
pub(crate) struct Args {
    /// Verdicts on this key: an id, an exact name, or the first 8 or more characters of an id
    #[arg(long, value_name = "KEY", value_parser = values::key_ref, add = values::keys())]
    key: Option<KeyRef>,
    /// Decides between keys of one name
    #[arg(long, alias = "environment", value_name = "ENV", requires = "key", add = values::environments())]
    env: Option<Environment>,
    /// Only refusals
    #[arg(long)]
    denied: bool,
    /// From this time, or so long ago, on: 2026-01-02 or 1h
    #[arg(long, value_name = "T", value_parser = values::past)]
    since: Option<Time>,
    /// The newest so many
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Go on showing new ones, a line each, until interrupted
    #[arg(long, short)]
    follow: bool,
}

/// Shows recent verdicts, oldest first.
pub(crate) fn run(cx: &mut Ctx, args: Args) -> Result<u8> {
    if args.follow && cx.given.field.is_none() {
        let lines = [Format::Table, Format::Json, Format::Jsonl, Format::Name];
        cx.refuse_layout(&lines, "--follow writes a line for each verdict")?;
    }
    let mut query = LogQuery {
        key: args.key,
        environment: args.env,
        denied: args.denied,
        since: args.since,
        after: None,
        limit: args.limit,
        unknown: true,
    };
    let backend = cx.backend()?;
    let logs = backend.logs(&cx.operation(), &query)?;
    if !args.follow {
        let rows = logs.items.iter().map(|entry| json!(entry)).collect();
        cx.list("keyward.log-list/v1", rows, logs.total, columns::LOGS)?;
        return Ok(Exit::Ok.code());
    }
    cx.out.speak();
    // A document would never end: lines take its place.
    if cx.format() == Format::Json {
        cx.out.options.format = Format::Jsonl;
    }
    let mut new = logs.items;
    query.limit = None;
    loop {
        for entry in &new {
            let row = json!(entry);
            match cx.format() {
                Format::Table | Format::Wide if !cx.program_reads() => cx.raw(line(&row).as_bytes())?,
                _ => cx.list("keyward.log-list/v1", vec![row], 1, columns::LOGS)?,
            }
        }
        query.after = new.last().map(|entry| entry.seq).or(query.after);
        // Nobody reads any more: that ends it, and is no error.
        if cx.out.streams.check_stdout_writable().is_err() {
            return Ok(Exit::Ok.code());
        }
        thread::sleep(LOOK_EVERY);
        new = backend.logs(&cx.operation(), &query)?.items;
    }
}

fn line(row: &Value) -> String {
    let text = |name: &str| row[name].as_str().map(crate::output::escape).unwrap_or_else(|| "-".into());
    let key = row["name"].as_str().or(row["key_id"].as_str()).map_or_else(|| "-".into(), crate::output::escape);
    format!("{}  {:<18}  {key}  {}  {}\n", text("at"), text("code"), text("address"), text("detail"))
}
