//! `audit list`: events, oldest first; with `--follow` also those to come.

use super::filter::Filter;
use crate::{
    cli::{columns, context::Ctx},
    domain::Recorded,
    ops::{AuditFilter, Result, audit_format::event_json, audit_review::ShowReview},
    output::{Format, Page, Report},
};
use std::{thread::sleep, time::Duration};

/// How long an event may be in the trail before it is followed.
const POLL: Duration = Duration::from_millis(250);

/// List events
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  keyward audit list --outcome refused --limit 20\n  keyward audit list --unreviewed\n  \
    keyward audit list --key old-name   the whole story of a key, also a deleted one\n  keyward -o jsonl audit list --follow"
)]
#[group(id = "audit-list")]
pub(super) struct Args {
    #[command(flatten)]
    filter: Filter,
    /// Only events since the last review
    #[arg(long)]
    unreviewed: bool,
    /// Go on with events as they are recorded, a line each, until interrupted
    #[arg(long, conflicts_with_all = ["until", "limit"])]
    follow: bool,
}

pub(super) fn run(cx: &mut Ctx, args: Args) -> Result<()> {
    let mut filter = args.filter.resolve(cx);
    if args.unreviewed {
        filter.after = cx.backend()?.ask(&cx.operation(), &ShowReview::default())?.state.upto;
    }
    if args.follow {
        let lines = [Format::Table, Format::Json, Format::Jsonl];
        cx.refuse_layout(&lines, "--follow writes a line for each event")?;
        return follow(cx, filter);
    }
    let listed = cx.backend()?.audit(&cx.operation(), &filter)?;
    let rows = listed.items.iter().map(event_json).collect();
    cx.emit(&listing(rows, listed.total))
}

/// The reply of a list of events.
pub(super) fn listing(rows: Vec<serde_json::Value>, total: usize) -> Report {
    let page = Page { returned: rows.len(), total, truncated: rows.len() < total };
    Report::list("keyward.audit-list/v1", rows, page, columns::AUDIT, "seq").noun("events")
}

fn follow(cx: &mut Ctx, mut filter: AuditFilter) -> Result<()> {
    let backend = cx.backend()?;
    cx.out.speak();
    loop {
        let size = backend.audit_size(&cx.operation())?;
        if size > filter.after {
            let listed = backend.audit(&cx.operation(), &filter)?;
            for recorded in &listed.items {
                if !line(cx, recorded)? {
                    return Ok(());
                }
            }
            // Events that came in between are read again by the filter, not skipped.
            filter.after = size.max(listed.items.last().map_or(0, |last| last.seq));
            filter.limit = None;
        }
        sleep(POLL);
    }
}

/// Writes one event; says whether anybody still reads.
fn line(cx: &mut Ctx, recorded: &Recorded) -> Result<bool> {
    let event = event_json(recorded);
    let text = match cx.format() {
        Format::Table | Format::Wide | Format::Name => {
            let shown = ["seq", "at", "actor", "action", "target", "outcome", "reason"];
            let words = shown.iter().map(|name| match &event[name] {
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            });
            words.filter(|word| word != "null").collect::<Vec<_>>().join("  ")
        }
        _ => event.to_string(),
    };
    cx.stream_line(&text)
}
