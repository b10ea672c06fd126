//! `list`: the keys, filtered and sorted; what the default hides is counted on stderr.

use crate::{
    cli::{
        columns,
        context::Ctx,
        exit::Exit,
        filter::StateFilter,
        grouping::{self, GroupBy},
        operand::KeysOf,
        values,
    },
    domain::{KeyFilter, Scope, Search, Sort, Status, closest},
    ops::{KeyView, List, ListScopes, Result},
};
use chrono::TimeDelta;
use serde_json::json;
use std::collections::BTreeMap;

pub(in crate::cli) const SCHEMA: &str = "keyward.key-list/v1";

/// List keys, soonest expiry first
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  keyward list --expires-within 14d\n  keyward list --never-used --older-than 30d -o name\n  \
    keyward list --status any --owner billing@example.com --sort -created\n  \
    keyward list billing eu\n  keyward list --denied-since 1h\n  keyward list --mine\n  keyward list --group-by owner"
)]
pub(crate) struct Args {
    /// Keys in whose name, description, owner or labels this word is found, in whatever case; of several words, each
    #[arg(value_name = "WORD", value_parser = values::words)]
    words: Vec<Search>,
    #[command(flatten)]
    state: StateFilter,
    /// Keys whose rotation is due, or was begun and has not ended
    #[arg(long)]
    due: bool,
    /// Keys whose rotation is due within this time
    #[arg(long, value_name = "D", value_parser = values::duration)]
    due_within: Option<TimeDelta>,
    #[command(flatten)]
    of: KeysOf,
    /// Keys with this label, as key or key=value; may be repeated
    #[arg(long, value_name = "K[=V]", value_parser = values::label_filter)]
    label: Vec<(String, Option<String>)>,
    /// Keys whose name matches this pattern
    #[arg(long, value_name = "GLOB", value_parser = values::pattern)]
    name: Option<glob::Pattern>,
    /// Sort by name, created, expires, due, last-used, owner, env, status or uses; a leading - turns it round
    #[arg(long, value_name = "[-]FIELD", allow_hyphen_values = true, conflicts_with = "count")]
    sort: Option<Sort>,
    /// Put keys together that have this in common; with --count, say how many there are of each
    #[arg(long, value_name = "WHAT", value_enum)]
    group_by: Option<GroupBy>,
    /// At most so many
    #[arg(long, value_name = "N", conflicts_with = "count")]
    limit: Option<usize>,
    /// Print how many there are, and nothing else
    #[arg(long)]
    count: bool,
    /// Exit 10 when there are any
    #[arg(long)]
    exit_code: bool,
}

/// Lists keys.
pub(crate) fn run(cx: &mut Ctx, args: Args) -> Result<u8> {
    let (count, exit_code, scope, searched) =
        (args.count, args.exit_code, args.state.scope.clone(), !args.words.is_empty());
    let (group_by, shown) =
        (args.group_by, if args.state.denied_since.is_some() { columns::DENIED_KEYS } else { columns::KEYS });
    let request = List { filter: filter(args)? };
    let (backend, operation) = (cx.backend()?, cx.operation());
    let total = if let Some(by) = group_by {
        let listed = backend.list(&operation, &request)?;
        cx.note_hidden(&listed.hidden);
        let total = listed.total;
        grouping::tell(cx, by, listed, count, shown)?;
        total
    } else if count {
        let listed = backend.list_names(&operation, &request)?;
        cx.note_hidden(&listed.hidden);
        if cx.reply_asked() {
            cx.flat("keyward.count/v1", json!({ "count": listed.total }), "count")?;
        } else {
            cx.raw(format!("{}\n", listed.total).as_bytes())?;
        }
        listed.total
    } else if cx.names_suffice() {
        let listed = backend.list_names(&operation, &request)?;
        cx.note_hidden(&listed.hidden);
        cx.list(SCHEMA, listed.items, listed.total, shown)?;
        listed.total
    } else {
        let listed = backend.list(&operation, &request)?;
        cx.note_hidden(&listed.hidden);
        cx.note_overdue(&listed.items);
        cx.list(SCHEMA, listed.items, listed.total, shown)?;
        listed.total
    };
    if let Some(scope) = scope.filter(|_| total == 0) {
        doubt(cx, &scope)?;
    }
    if searched && total == 0 {
        cx.note("words are looked for in names, descriptions, owners and labels; options ask for the rest");
    }
    Ok(if exit_code && total > 0 { Exit::Changed } else { Exit::Ok }.code())
}

impl Ctx {
    /// Says what the default statuses leave out.
    fn note_hidden(&mut self, hidden: &BTreeMap<Status, usize>) {
        let hidden: Vec<String> = hidden.iter().map(|(status, n)| format!("{n} {}", status.as_str())).collect();
        if !hidden.is_empty() {
            self.note(&format!("hidden: {} (--status any shows them)", hidden.join(", ")));
        }
    }

    fn note_overdue(&mut self, keys: &[KeyView]) {
        let overdue = keys.iter().filter(|key| key.rotation.overdue).count();
        if overdue > 0 {
            self.note(&format!("overdue for rotation: {overdue} (--due shows them)"));
        }
    }
}

/// No key may do this: perhaps because no such scope is known.
fn doubt(cx: &mut Ctx, scope: &Scope) -> Result<()> {
    let known: Vec<String> = cx
        .backend()?
        .ask(&cx.operation(), &ListScopes {})?
        .items
        .into_iter()
        .map(|scope| scope.name.to_string())
        .collect();
    let (word, known) = (scope.to_string(), known.iter().map(String::as_str).collect::<Vec<_>>());
    if !word.contains('*') && !known.contains(&word.as_str()) {
        let close = closest(&word, &known);
        let meant = if close.is_empty() { String::new() } else { format!("; did you mean {}?", close.join(", ")) };
        cx.note(&format!("no scope '{word}' is known{meant}"));
    }
    Ok(())
}

fn filter(args: Args) -> Result<KeyFilter> {
    Ok(KeyFilter {
        due_within: args.due_within.or(args.due.then(TimeDelta::zero)),
        environment: args.of.env,
        owner: args.of.owner,
        mine: args.of.mine,
        project: args.of.project,
        labels: args.label,
        name: args.name,
        search: values::searched(args.words),
        sort: args.sort.unwrap_or_default(),
        limit: args.limit,
        ..args.state.filter()?
    })
}
