//! `logs`: recent requests, and why they were denied.

use crate::{
    cli::{columns, context::Ctx, exit::Exit, values},
    domain::{Environment, KeyRef, Time, time::Since},
    ops::{LogQuery, Result, Statuses},
    output::Format,
};
use serde_json::{Value, json};
use std::{thread, time::Duration};

/// How often `--follow` looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Show recent requests with keys, and why they were denied; and what operators asked of a server
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  keyward logs --denied --since 1h\n  keyward logs --key billing-sync -o jsonl\n  \
    keyward logs --path /invoices --status 4xx\n  keyward logs --operators --denied")]
pub(crate) struct Args {
    /// Requests with this key: an id, an exact name, or the first 8 or more characters of an id
    #[arg(long, value_name = "KEY", value_parser = values::key_ref, add = values::keys())]
    key: Option<KeyRef>,
    /// Decides between keys of one name
    #[arg(long, alias = "environment", value_name = "ENV", requires = "key", add = values::environments())]
    env: Option<Environment>,
    /// Requests with your own keys: made by you, or owned by you, as `keyward whoami` names you
    #[arg(long, conflicts_with_all = ["key", "operator", "operators"])]
    mine: bool,
    /// Only refusals
    #[arg(long)]
    denied: bool,
    /// From this time, or so long ago, on: 2026-01-02 or 1h
    #[arg(long, value_name = "T", value_parser = values::past)]
    since: Option<Time>,
    /// The newest so many
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// With this code: VALID, RATE_LIMITED; of operators OK, FORBIDDEN
    #[arg(long, value_name = "CODE")]
    code: Option<String>,
    /// Answered with this HTTP status, or with one of a class: 404 or 4xx
    #[arg(long, value_name = "N")]
    status: Option<Statuses>,
    /// With a path that begins so
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// From this address or range
    #[arg(long, value_name = "CIDR", value_parser = values::network)]
    address: Option<ipnet::IpNet>,
    /// What this operator asked, for keys and for itself
    #[arg(long, value_name = "NAME", conflicts_with = "key")]
    operator: Option<String>,
    /// What operators asked for themselves, instead of requests with keys
    #[arg(long, conflicts_with = "key")]
    operators: bool,
    /// Go on showing new ones, a line each, until interrupted
    #[arg(long, short)]
    follow: bool,
}

/// Shows recent requests, oldest first.
pub(crate) fn run(cx: &mut Ctx, args: Args) -> Result<u8> {
    if args.follow && cx.given.field.is_none() {
        let lines = [Format::Table, Format::Json, Format::Jsonl, Format::Name];
        cx.refuse_layout(&lines, "--follow writes a line for each verdict")?;
    }
    let mut query = LogQuery {
        key: args.key,
        environment: args.env,
        denied: args.denied,
        since: args.since.map(Since::At),
        after: None,
        limit: args.limit,
        code: args.code,
        status: args.status,
        path: args.path,
        address: args.address,
        operator: args.operator,
        operators: args.operators,
        mine: args.mine,
    };
    let columns = if query.operators { columns::OPERATOR_LOGS } else { columns::LOGS };
    let backend = cx.backend()?;
    let logs = backend.ask(&cx.operation(), &query)?;
    if !args.follow {
        let rows = logs.items.iter().map(|entry| json!(entry)).collect();
        cx.list("keyward.log-list/v1", rows, logs.total, columns)?;
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
                _ => cx.list("keyward.log-list/v1", vec![row], 1, columns)?,
            }
        }
        query.after = new.iter().map(|entry| entry.seq).max().or(query.after);
        // Nobody reads any more: that ends it, and is no error.
        if cx.out.streams.check_stdout_writable().is_err() {
            return Ok(Exit::Ok.code());
        }
        thread::sleep(LOOK_EVERY);
        new = backend.ask(&cx.operation(), &query)?.items;
    }
}

fn line(row: &Value) -> String {
    let text = |name: &str| row[name].as_str().map(crate::output::escape).unwrap_or_else(|| "-".into());
    let who = [&row["name"], &row["key_id"], &row["operator"]].into_iter().find_map(Value::as_str);
    let who = who.map_or_else(|| "-".into(), crate::output::escape);
    let asked = match row["status"].as_u64() {
        Some(status) => format!("  {} {} {status}", text("method"), text("path")),
        None => String::new(),
    };
    format!("{}  {:<18}  {who}  {}{asked}  {}\n", text("at"), text("code"), text("address"), text("detail"))
}
