//! `rotate`: a new secret for the same key; the old one stops at once, or after an overlap.

use super::create::lost;
use crate::{
    cli::{
        context::Ctx,
        operand::{KeyOperands, each},
        values,
    },
    domain::{KeyRef, Overlap, time::format_time},
    ops::{Result, Rotate},
    output::{Format, Report},
};
use chrono::TimeDelta;
use serde_json::json;

/// Give keys a new secret and print it, once
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  keyward rotate billing-sync                  the old secret works for the key's overlap, else 24h\n  \
    keyward rotate billing-sync --now --reason leaked\n  keyward rotate billing-sync --renew          an expired key starts its lifetime again"
)]
pub(crate) struct Args {
    #[command(flatten)]
    keys: KeyOperands,
    /// How long the old secret goes on working [default: the key's own, else 24h]
    #[arg(long, value_name = "D", value_parser = values::duration)]
    overlap: Option<TimeDelta>,
    /// The old secret stops at once
    #[arg(long, conflicts_with = "overlap")]
    now: bool,
    /// Start the key's original lifetime again
    #[arg(long)]
    renew: bool,
    /// End a rotation that still runs, its oldest secret first
    #[arg(long)]
    supersede: bool,
}

/// Rotates keys.
pub(crate) fn run(cx: &mut Ctx, args: &Args) -> Result<u8> {
    cx.refuse_secret_in_ci()?;
    cx.preflight_secret()?;
    let single = args.keys.keys.len() == 1;
    let (replies, code) = each(cx, &args.keys.keys, |cx, key| rotate(cx, key, args, single))?;
    let replies: Vec<Report> = replies.into_iter().flatten().collect();
    if !replies.is_empty() {
        cx.emit_batch("keyward.key-list/v1", &replies)?;
    }
    Ok(code)
}

/// Every secret is handed out as soon as it exists, so that a later failure loses none. JSON must be one document:
/// there the replies are gathered, and a failure of a later key does not stop them from being printed.
fn rotate(cx: &mut Ctx, key: &KeyRef, args: &Args, single: bool) -> Result<Option<Report>> {
    let overlap = if args.now { Some(Overlap::Now) } else { args.overlap.map(Overlap::For) };
    let request =
        Rotate { key: key.clone(), environment: args.keys.env, overlap, renew: args.renew, supersede: args.supersede };
    let rotated = cx.backend()?.rotate(&cx.operation(), &request)?;
    let (id, name) = (rotated.key.id.clone(), rotated.key.name.clone());
    let verb = if cx.global.dry_run { "would rotate" } else { "rotated" };
    cx.note(&match rotated.old_valid_until {
        Some(until) => format!("{verb} {name} ({id}): the old secret works until {}", format_time(until)),
        None => format!("{verb} {name} ({id}): the old secret stops at once"),
    });
    let report = Ctx::minted(json!(rotated.key), rotated.secret.as_ref());
    if !single && cx.format() == Format::Json {
        return Ok(Some(report));
    }
    cx.emit(&report).map_err(|error| lost(error, &id, &name))?;
    Ok(None)
}
