//! `audit review`: what has happened since the last review, and the record of a new one.

use crate::{
    cli::{columns, context::Ctx},
    domain::{counted, time::format_time},
    ops::{
        Result,
        audit_review::{RecordReview, ReviewState, Reviewed, ShowReview},
    },
};
use serde_json::{Value, json};

/// Show what has happened since the last review, or record a review
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  keyward audit review   by actor, action and outcome\n  keyward audit list --unreviewed\n  \
    keyward audit review --upto 2 --note 'all expected'"
)]
pub(super) struct Args {
    /// Record that everything up to this event was looked at
    #[arg(long, value_name = "SEQ", requires = "note")]
    upto: Option<u64>,
    /// What was looked at, and what came of it
    #[arg(long, value_name = "TEXT", requires = "upto")]
    note: Option<String>,
}

pub(super) fn run(cx: &mut Ctx, args: &Args) -> Result<()> {
    let (Some(upto), Some(note)) = (args.upto, &args.note) else { return summary(cx) };
    let state = cx.backend()?.change(&cx.operation(), RecordReview { upto, note: note.clone() })?;
    let verb = if cx.global.dry_run { "would record" } else { "recorded" };
    if state.counts {
        cx.note(&format!("{verb}: reviewed up to event {upto}; {} came after it", state.unreviewed));
    } else {
        let (who, workspace) = (state.reviewers.join(", "), cx.operation().workspace);
        cx.note(&format!("{verb}, and it does not count: in the workspace '{workspace}' the review is up to {who}"));
    }
    cx.item_if_asked("keyward.audit-review/v1", "review", facts(&state), columns::REVIEW)
}

fn facts(state: &ReviewState) -> Value {
    json!({
        "upto": state.upto, "at": state.at.map(format_time), "by": state.by, "note": state.note,
        "unreviewed": state.unreviewed, "counts": state.counts, "reviewers": state.reviewers,
        "every_seconds": state.every.map(|every| every.num_seconds()),
    })
}

fn summary(cx: &mut Ctx) -> Result<()> {
    cx.refuse_reason()?;
    let Reviewed { state, since } = cx.backend()?.ask(&cx.operation(), &ShowReview { summary: true })?;
    match (&state.by, state.at) {
        (Some(by), Some(at)) => {
            cx.note(&format!(
                "reviewed up to event {} by {by}, {}; since then {}{}:",
                state.upto,
                format_time(at),
                counted(state.unreviewed, "event"),
                state.demanded()
            ));
        }
        _ => {
            let (events, demanded) = (counted(state.unreviewed, "event"), state.demanded());
            let nobody = if state.reviewers.is_empty() { "nobody" } else { "nobody whose review counts" };
            cx.note(&format!("{nobody} has ever reviewed this trail; {events}{demanded}:"));
        }
    }
    let rows: Vec<Value> = since.iter().map(|tally| json!(tally)).collect();
    let total = rows.len();
    cx.list("keyward.audit-summary-list/v1", rows, total, columns::REVIEW_SUMMARY)
}
