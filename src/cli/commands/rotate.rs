//! `rotate`: a new secret for the same key; the old one stops at once, or after an overlap.

use crate::{
    cli::{
        asking,
        context::Ctx,
        delivery::{DeliverArgs, Deliveries},
        due::{self, DueArgs, How, Watch},
        exit::Exit,
        guided,
        operand::{MaybeKeys, Named, distinct, each},
        rotating,
        selection::{Caution, Chosen, Found, Meant, What},
        signals::Stop,
        values,
    },
    domain::{KeyRef, Overlap},
    ops::{Error, KeyView, Result, Stage},
    rotate::ByHand,
};
use chrono::TimeDelta;
use clap::builder::NonEmptyStringValueParser;
use serde_json::json;

/// Give keys a new secret and print it, once
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  keyward rotate billing-sync                  the old secret works for the key's overlap, else 24h\n  \
    keyward rotate billing-sync --now --reason leaked\n  keyward rotate billing-sync --renew          an expired key starts its lifetime again\n  \
    keyward rotate old-sync --reinstate --reason 'revoked by mistake'\n  \
    keyward rotate billing-sync --deliver file:/run/keyward/billing.key\n  \
    keyward rotate --due --yes --max 50 --deliver-map deliver.toml -o jsonl\n  \
    keyward rotate --due --yes --max 50 --deliver-map deliver.toml --only-if-idle 1h\n  \
    keyward rotate --expired --renew --yes --max 100 --deliver-map deliver.toml"
)]
#[command(group = clap::ArgGroup::new("which").args(["keys", "due"]))]
#[command(group = clap::ArgGroup::new("sinks").multiple(true).args(["deliver", "deliver_map"]))]
pub(crate) struct Args {
    #[command(flatten)]
    keys: MaybeKeys,
    #[command(flatten)]
    found: Found,
    #[command(flatten)]
    due: DueArgs,
    #[command(flatten)]
    deliver: DeliverArgs,
    /// How long the old secret goes on working [default: the key's own, else its workspace's, else 24h]
    #[arg(long, value_name = "D", value_parser = values::duration)]
    overlap: Option<TimeDelta>,
    /// Every older secret stops once the new one has arrived, those of an overlap or a rotation that still runs too
    #[arg(long, conflicts_with_all = ["overlap", "only_if_idle"])]
    now: bool,
    /// Start the key's original lifetime again; with --due that of every key that is rotated, of those that have expired too
    #[arg(long)]
    renew: bool,
    /// Also ask the terminal to put the secret on its clipboard (OSC 52)
    #[arg(long, conflicts_with_all = ["due", "sinks"])]
    copy: bool,
    /// Give a revoked key a new secret: an administrator's own word, which needs --reason; the old secrets stay dead
    #[arg(long, conflicts_with = "due")]
    reinstate: bool,
    /// Leave both secrets working, until `rotation commit` or `rotation abort`
    #[arg(long)]
    stage: bool,
    /// Although an overlap or a rotation still runs: what is older than the current secret ends once the new one has arrived
    #[arg(long, conflicts_with = "due")]
    supersede: bool,
    /// Repeating the call with this key within 24 hours makes no second secret
    #[arg(long, value_name = "K", value_parser = NonEmptyStringValueParser::new(), conflicts_with = "due")]
    idempotency_key: Option<String>,
}

/// Whether a person who named a key, and nothing else of how, is there to be asked the rest. Whoever says any of it, or reads the
/// secret with a program, has a rotation in mind, and at an incident no time for questions.
fn guides(cx: &Ctx, args: &Args) -> bool {
    let says = args.now
        || args.overlap.is_some()
        || args.deliver.is_asked()
        || args.deliver.probe.is_some()
        || args.copy
        || args.reinstate
        || args.stage
        || args.supersede
        || args.idempotency_key.is_some();
    let person = cx.can_prompt() && cx.out.streams.stdout_terminal && !cx.program_reads();
    person && !says && !cx.global.yes && !cx.global.dry_run && args.keys.one().is_some()
}

/// What a person at a terminal did not say, asked: which key, and unless that is said already how and where to.
fn asked(cx: &mut Ctx, args: &mut Args) -> Result<()> {
    if !cx.can_prompt() {
        return Err(Error::usage("which keys are meant is missing, and there is no terminal to ask on")
            .hint("keyward rotate KEY, or keyward rotate --due for those that are due"));
    }
    let key = args.keys.one().map(|key| (key.clone(), args.keys.env));
    let end = args.now || args.overlap.is_some();
    let turn = guided::rotate(
        cx,
        guided::Said { key, end, older: args.now || args.supersede, place: args.deliver.is_asked() },
    )?;
    args.keys.choose(turn.key);
    args.now |= turn.now;
    args.supersede |= turn.supersede;
    args.overlap = args.overlap.or(turn.overlap);
    if let Some(sink) = turn.sink {
        args.deliver.deliver = vec![sink];
        args.deliver.probe = args.deliver.probe.take().or(turn.probe);
    }
    Ok(())
}

/// Rotates keys.
pub(crate) fn run(cx: &mut Ctx, mut args: Args) -> Result<u8> {
    // Before a sink is tried, a hook is run or a list is read.
    cx.operation().writable()?;
    args.due.refuse_without_due()?;
    let filter = std::mem::take(&mut args.found).filter()?;
    let by_filter = filter.narrows();
    if by_filter && args.due.due {
        return Err(Error::usage("--due finds keys by itself, and takes no filter but --env")
            .hint("leave out the filter, or name the keys: keyward list -q FILTER | keyward rotate -"));
    }
    if !args.due.due && !by_filter && (args.keys.is_empty() || guides(cx, &args)) {
        asked(cx, &mut args)?;
    }
    let args = &args;
    if args.due.due {
        return due::run(
            cx,
            &args.due,
            &args.deliver,
            &How { overlap: overlap(args), park: args.stage, renew: args.renew, environment: args.keys.env },
        );
    }
    args.deliver.refuse_idle()?;
    let what = What { asked: "Rotate", caution: Caution::None };
    let Chosen { keys, single, .. } = Meant::of(cx, args.keys.clone(), filter, args.due.max)?.decide(cx, &what)?;
    let named = Named { keys, single };
    due::pay_owed(cx)?;
    if args.now && !by_filter {
        asking::before(cx, "End the working secret at once of", &named.keys, args.keys.env)?;
    }
    let ended = rotated(cx, args, named);
    // A hook of an earlier run may have waited for this rotation.
    due::pay_owed(cx)?;
    ended
}

fn rotated(cx: &mut Ctx, args: &Args, named: Named) -> Result<u8> {
    if args.deliver.is_asked() {
        return delivered(cx, args, &named);
    }
    cx.refuse_secret_in_ci()?;
    cx.preflight_secret()?;
    if args.copy {
        if named.keys.len() > 1 {
            return Err(Error::usage("--copy is for one secret: a clipboard keeps the last one")
                .hint("rotate one key at a time"));
        }
        cx.copy_secret()?;
    }
    printed(cx, args, named)
}

fn printed(cx: &mut Ctx, args: &Args, named: Named) -> Result<u8> {
    let Named { mut keys, single } = named;
    if keys.len() > 1 {
        keys = distinct(cx, &keys, args.keys.env)?.into_iter().map(|(key, _)| key).collect();
    }
    let (targets, stop) = (args.deliver.targets(cx)?, Stop::deaf());
    let deliveries = Deliveries { args: &args.deliver, targets: &targets, stop: &stop, deadline: None };
    let mut watch = Watch::begin(cx, &args.due.hooks, keys.len())?;
    let mut watched = Vec::new();
    let rotated = each(cx, &keys, |cx, key| {
        let before = watch.is_some().then(|| Watch::before(cx, key, args.keys.env));
        if let (Some(watch), Some(before)) = (&mut watch, &before) {
            watch.begins(before)?;
        }
        let request = ByHand::request(request(args, key), rotating::STDOUT);
        let rotated = rotating::rotate(cx, request, !single);
        let rotated = rotated.map_err(|error| with_what_was_said(cx, args, single, error));
        if rotated.is_err() && !single {
            // Where even that cannot be printed, the error below says so.
            let _ = cx.missing_secret();
        }
        watched.extend(before.map(|before| (before, rotated.as_ref().map(drop).map_err(Clone::clone))));
        rotated
    });
    let ended = rotated.and_then(|(gathered, code)| {
        rotating::print_gathered(cx, gathered.into_iter().flatten().collect())?;
        Ok(code)
    });
    let Some(mut watch) = watch else { return ended };
    let stop = Stop::listen()?;
    let deliveries = Deliveries { stop: &stop, ..deliveries };
    for (before, one) in &watched {
        // Secrets that were gathered for one document are out, or lost, together.
        let one = match (one, &ended) {
            (Ok(()), Err(error)) => Err(error.clone()),
            _ => one.clone(),
        };
        watch.ended(cx, &deliveries, before, &one);
    }
    watch.over(cx, &deliveries, code_of(&ended));
    stop.outcome(cx, ended)
}

fn delivered(cx: &mut Ctx, args: &Args, named: &Named) -> Result<u8> {
    let (targets, stop) = (args.deliver.targets(cx)?, Stop::listen()?);
    let deliveries = Deliveries { args: &args.deliver, targets: &targets, stop: &stop, deadline: None };
    let keys = distinct(cx, &named.keys, args.keys.env)?;
    targets.refuse_shared(keys.iter().filter_map(|(_, view)| view.as_ref().ok()))?;
    let mut watch = Watch::begin(cx, &args.due.hooks, keys.len())?;
    let ended = each(cx, &keys, |cx, (key, view)| {
        if let (Some(watch), Ok(view)) = (&mut watch, view) {
            watch.begins(view)?;
        }
        let told = view.as_ref().map_err(Clone::clone).and_then(|view| {
            let rotated = deliveries.rotate(cx, view, request(args, key));
            rotated.map_err(|error| with_what_was_said(cx, args, keys.len() == 1, error))
        });
        if let Some(watch) = &mut watch {
            let typed = KeyView { name: key.to_string(), ..KeyView::default() };
            let ended = told.as_ref().map(drop).map_err(Clone::clone);
            watch.ended(cx, &deliveries, view.as_ref().unwrap_or(&typed), &ended);
        }
        let key = told?;
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
    if let Some(watch) = watch {
        watch.over(cx, &deliveries, stop.code().unwrap_or_else(|| code_of(&ended)));
    }
    stop.outcome(cx, ended)
}

/// The exit code that a command is going to end with.
fn code_of(ended: &Result<u8>) -> u8 {
    ended.as_ref().map_or_else(|error| Exit::from(error.kind).code(), |code| *code)
}

/// A hint that begins the rotation of one key in another way carries all that was said: whoever pastes it at an incident
/// must not lose a reason, a sink or an overlap.
fn with_what_was_said(cx: &Ctx, args: &Args, single: bool, mut error: Error) -> Error {
    if !single {
        return error;
    }
    error.hints.retain(|hint| args.overlap.is_none() || !hint.contains(" --now "));
    for hint in &mut error.hints {
        let flags = hint.strip_prefix("keyward rotate ").and_then(|rest| rest.split_once(' ')).map(|(_, flags)| flags);
        if let Some(flags) = flags.filter(|flags| flags.starts_with("--")) {
            *hint = format!("{} {flags}", cx.invocation());
        }
    }
    error
}

fn overlap(args: &Args) -> Option<Overlap> {
    if args.now { Some(Overlap::Now) } else { args.overlap.map(Overlap::For) }
}

fn request(args: &Args, key: &KeyRef) -> Stage {
    Stage {
        environment: args.keys.env,
        overlap: overlap(args),
        renew: args.renew,
        reinstate: args.reinstate,
        supersede: args.supersede,
        park: args.stage,
        idempotency_key: args.idempotency_key.clone(),
        ..Stage::of(key.clone())
    }
}
