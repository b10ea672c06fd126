//! `rotate`: a new secret for the same key; the old one stops at once, or after an overlap.

use crate::{
    cli::{
        asking,
        context::Ctx,
        delivery::{DeliverArgs, Driver, Targets},
        due::{self, DueArgs, How},
        operand::{MaybeKeys, Named, distinct, each},
        rotating,
        signals::Stop,
        values,
    },
    domain::{KeyRef, Overlap},
    ops::{Error, Result, Stage},
};
use chrono::TimeDelta;
use clap::builder::NonEmptyStringValueParser;
use serde_json::json;

/// Give keys a new secret and print it, once
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  keyward rotate billing-sync                  the old secret works for the key's overlap, else 24h\n  \
    keyward rotate billing-sync --now --reason leaked\n  keyward rotate billing-sync --renew          an expired key starts its lifetime again\n  \
    keyward rotate billing-sync --deliver file:/run/keyward/billing.key\n  \
    keyward rotate --due --yes --max 50 --deliver-map deliver.toml -o jsonl"
)]
#[command(group = clap::ArgGroup::new("which").required(true).args(["keys", "due"]))]
#[command(group = clap::ArgGroup::new("sinks").multiple(true).args(["deliver", "deliver_map"]))]
pub(crate) struct Args {
    #[command(flatten)]
    keys: MaybeKeys,
    #[command(flatten)]
    due: DueArgs,
    #[command(flatten)]
    deliver: DeliverArgs,
    /// How long the old secret goes on working [default: the key's own, else its workspace's, else 24h]
    #[arg(long, value_name = "D", value_parser = values::duration)]
    overlap: Option<TimeDelta>,
    /// The old secret stops at once
    #[arg(long, conflicts_with = "overlap")]
    now: bool,
    /// Start the key's original lifetime again
    #[arg(long, conflicts_with = "due")]
    renew: bool,
    /// Also ask the terminal to put the secret on its clipboard (OSC 52)
    #[arg(long, conflicts_with_all = ["due", "sinks"])]
    copy: bool,
    /// Leave both secrets working, until `rotation commit` or `rotation abort`
    #[arg(long)]
    stage: bool,
    /// End a rotation that still runs, its oldest secret first
    #[arg(long, conflicts_with = "due")]
    supersede: bool,
    /// Repeating the call with this key within 24 hours makes no second secret
    #[arg(long, value_name = "K", value_parser = NonEmptyStringValueParser::new(), conflicts_with = "due")]
    idempotency_key: Option<String>,
}

/// Rotates keys.
pub(crate) fn run(cx: &mut Ctx, args: &Args) -> Result<u8> {
    // Before a sink is tried, a hook is run or a list is read.
    cx.operation().writable()?;
    if args.due.due {
        return due::run(
            cx,
            &args.due,
            &args.deliver,
            &How { overlap: overlap(args), park: args.stage, environment: args.keys.env },
        );
    }
    args.deliver.refuse_idle()?;
    let named = args.keys.named(cx)?;
    if args.now {
        asking::before(cx, "End the working secret at once of", &named.keys, args.keys.env)?;
    }
    if args.deliver.is_asked() {
        return delivered(cx, args, &named);
    }
    let Named { mut keys, single } = named;
    cx.refuse_secret_in_ci()?;
    cx.preflight_secret()?;
    if args.copy {
        if keys.len() > 1 {
            return Err(Error::usage("--copy is for one secret: a clipboard keeps the last one")
                .hint("rotate one key at a time"));
        }
        cx.copy_secret()?;
    }
    if keys.len() > 1 {
        keys = distinct(cx, &keys, args.keys.env)?.into_iter().map(|(key, _)| key).collect();
    }
    let (gathered, code) = each(cx, &keys, |cx, key| {
        let request = Stage { sinks: vec![rotating::STDOUT.to_owned()], intend: true, ..request(args, key) };
        let rotated = rotating::rotate(cx, request, !single);
        if rotated.is_err() && !single {
            // Where even that cannot be printed, the error below says so.
            let _ = cx.missing_secret();
        }
        rotated
    })?;
    rotating::print_gathered(cx, gathered.into_iter().flatten().collect())?;
    Ok(code)
}

fn delivered(cx: &mut Ctx, args: &Args, named: &Named) -> Result<u8> {
    let (targets, stop) = (Targets::of(cx, &args.deliver)?, Stop::listen()?);
    let driver = Driver { targets: &targets, stop: &stop, deadline: None };
    let keys = distinct(cx, &named.keys, args.keys.env)?;
    targets.refuse_shared(keys.iter().filter_map(|(_, view)| view.as_ref().ok()))?;
    let ended = each(cx, &keys, |cx, (key, view)| {
        let view = view.as_ref().map_err(Clone::clone)?;
        let key = driver.rotate_and_tell(cx, view, request(args, key))?;
        // What waits for the others is lost with a run that is stopped: lines are written as they come.
        if named.single || !cx.is_one_document() {
            cx.item_without_secret(json!(key)).map(|()| None)
        } else {
            Ok(Some(key))
        }
    });
    let ended = ended.and_then(|(gathered, code)| {
        if !named.single && cx.is_one_document() {
            let keys = gathered.into_iter().flatten().map(|key| json!(key)).collect();
            cx.items_without_secret(keys)?;
        }
        Ok(code)
    });
    stop.outcome(cx, ended)
}

fn overlap(args: &Args) -> Option<Overlap> {
    if args.now { Some(Overlap::Now) } else { args.overlap.map(Overlap::For) }
}

fn request(args: &Args, key: &KeyRef) -> Stage {
    Stage {
        environment: args.keys.env,
        overlap: overlap(args),
        renew: args.renew,
        supersede: args.supersede,
        park: args.stage,
        idempotency_key: args.idempotency_key.clone(),
        ..Stage::of(key.clone())
    }
}
