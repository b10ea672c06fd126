//! `rotate`: a new secret for the same key; the old one stops at once, or after an overlap.

use crate::{
    cli::{
        context::Ctx,
        operand::{KeyOperands, each},
        rotating, values,
    },
    domain::{KeyRef, Overlap},
    ops::{Result, Stage},
};
use chrono::TimeDelta;

/// Give keys a new secret and print it, once
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  keyward rotate billing-sync                  the old secret works for the key's overlap, else 24h\n  \
    keyward rotate billing-sync --now --reason leaked\n  keyward rotate billing-sync --renew          an expired key starts its lifetime again"
)]
pub(crate) struct Args {
    #[command(flatten)]
    keys: KeyOperands,
    /// How long the old secret goes on working [default: the key's own, else its workspace's, else 24h]
    #[arg(long, value_name = "D", value_parser = values::duration)]
    overlap: Option<TimeDelta>,
    /// The old secret stops at once
    #[arg(long, conflicts_with = "overlap")]
    now: bool,
    /// Start the key's original lifetime again
    #[arg(long)]
    renew: bool,
    /// Leave both secrets working, until `rotation commit` or `rotation abort`
    #[arg(long)]
    stage: bool,
    /// End a rotation that still runs, its oldest secret first
    #[arg(long)]
    supersede: bool,
    /// Repeating the call with this key within 24 hours makes no second secret
    #[arg(long, value_name = "K")]
    idempotency_key: Option<String>,
}

/// Rotates keys.
pub(crate) fn run(cx: &mut Ctx, args: &Args) -> Result<u8> {
    cx.refuse_secret_in_ci()?;
    cx.preflight_secret()?;
    let single = args.keys.keys.len() == 1;
    let (gathered, code) = each(cx, &args.keys.keys, |cx, key| rotating::rotate(cx, request(args, key), !single))?;
    rotating::print_gathered(cx, gathered.into_iter().flatten().collect())?;
    Ok(code)
}

fn request(args: &Args, key: &KeyRef) -> Stage {
    Stage {
        environment: args.keys.env,
        overlap: if args.now { Some(Overlap::Now) } else { args.overlap.map(Overlap::For) },
        renew: args.renew,
        supersede: args.supersede,
        park: args.stage,
        sinks: vec![rotating::STDOUT.to_owned()],
        intend: true,
        idempotency_key: args.idempotency_key.clone(),
        ..Stage::of(key.clone())
    }
}
