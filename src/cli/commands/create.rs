//! `create`: a new key, whose secret is seen once; or a whole file of keys, all or none.

use crate::{
    cli::{
        bulk,
        context::Ctx,
        delivery::{DeliverArgs, Deliveries},
        exit::Exit,
        guided, rotating,
        signals::Stop,
        values,
    },
    domain::{Demand, Environment, Expiry, Scope, SelfService, Time, time::format_duration},
    ops::{Create, Created, Error, KeyView, Result},
    rotate::ByHand,
};
use chrono::TimeDelta;
use clap::builder::NonEmptyStringValueParser;
use serde_json::json;
use std::path::PathBuf;

/// Create a key and print its secret, once
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  keyward create billing-sync --env production --scope invoices:read --expires-in 90d\n  \
    SECRET=$(keyward create ci-deploy -q)\n  \
    keyward create mailer --rotate-every 30d --deliver file:/run/keyward/mailer.key\n  \
    keyward create --from keys.csv --out secrets.jsonl"
)]
pub(crate) struct Args {
    /// Names the one system that uses the key; without it, and the rest, a person at a terminal is asked
    #[arg(conflicts_with = "from", value_parser = values::name)]
    name: Option<String>,
    /// Where the key works, and nowhere else [default: development]
    #[arg(long, alias = "environment", value_name = "ENV", add = values::environments())]
    env: Option<Environment>,
    /// Who answers for the key
    #[arg(long)]
    owner: Option<String>,
    /// What the key is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Narrow the key to one project
    #[arg(long, value_name = "P")]
    project: Option<String>,
    /// Narrow the key to a customer; may be repeated
    #[arg(long, value_name = "C")]
    customer: Vec<String>,
    /// What the key may do, as resource:level; may be repeated
    #[arg(long, value_name = "SCOPE", add = values::scopes())]
    scope: Vec<Scope>,
    /// Requests a window, such as 100/h or 10/30m, or none; a bare number is requests an hour [default: 100/h]
    #[arg(long, value_name = "N/UNIT", value_parser = values::key_rate_limit)]
    rate_limit: Option<values::RateLimitArg>,
    /// An address or CIDR range the key may be used from; may be repeated; none means anywhere
    #[arg(long, value_name = "CIDR")]
    allow_ip: Vec<String>,
    /// A label, as key=value; may be repeated
    #[arg(long, value_name = "K=V", value_parser = values::label)]
    label: Vec<(String, String)>,
    /// How long the key lives, such as 1h, 1d, 7d, 30d, 90d, 180d or 360d; a bare number is days; never changed afterwards
    /// [default: 90d, less where the workspace says so; no end of its own with --rotate-every]
    #[arg(long, value_name = "D", value_parser = values::days, add = values::lives(), conflicts_with_all = ["expires_at", "no_expiry"])]
    expires_in: Option<TimeDelta>,
    /// When the key ends: RFC 3339, or a date, whose day is included
    #[arg(long, value_name = "T", value_parser = values::end, conflicts_with = "no_expiry")]
    expires_at: Option<Time>,
    /// The key never expires
    #[arg(long)]
    no_expiry: bool,
    /// How often its secret is to be rotated, or none [default: the workspace's, else none]; a key without an end of its own then
    /// lives as long as it is rotated
    #[arg(long, value_name = "D", value_parser = values::duration_or_none)]
    rotate_every: Option<values::DurationArg>,
    /// How long an old secret goes on working after a rotation [default: the workspace's, else 24h]
    #[arg(long, value_name = "D", value_parser = values::duration)]
    overlap: Option<TimeDelta>,
    /// Whether a rotation starts the lifetime of the key again [default: the workspace's, else no]
    #[arg(long, value_name = "yes|no", value_parser = values::yes_or_no)]
    renew_on_rotation: Option<bool>,
    /// What its holder may do with it, with its secret alone: show, rotate, revoke, with commas; or none [default: the workspace's,
    /// else show,revoke]
    #[arg(long = "self", value_name = "LIST")]
    self_service: Option<SelfService>,
    /// Accept a key of that name that exists already, and say how it differs; its secret is not shown, so that with -q
    /// the exit code is 15
    #[arg(long)]
    if_not_exists: bool,
    /// Repeating the call with this key within 24 hours makes no second key, also when the first was deleted
    #[arg(long, value_name = "K", value_parser = NonEmptyStringValueParser::new(), conflicts_with = "from")]
    idempotency_key: Option<String>,
    /// Also ask the terminal to put the secret on its clipboard (OSC 52)
    #[arg(long, conflicts_with_all = ["from", "deliver", "deliver_map"])]
    copy: bool,
    #[command(flatten)]
    deliver: DeliverArgs,
    /// Create the keys of a CSV or JSONL file, all or none; the other options are their defaults
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    from: Option<PathBuf>,
    /// Write the secrets of --from to this new file, readable by you alone, instead of stdout; `-` is stdout
    #[arg(long, value_name = "FILE", requires = "from", conflicts_with = "name", value_hint = clap::ValueHint::FilePath)]
    out: Option<PathBuf>,
}

/// What a person at a terminal did not say, asked.
fn asked(cx: &mut Ctx, mut args: Args) -> Result<Args> {
    if !cx.can_prompt() {
        return Err(Error::usage("the name of the key is missing, and there is no terminal to ask on")
            .hint("keyward create NAME, or keyward create --from FILE for many"));
    }
    // What would be refused anyway is refused before anybody answers questions.
    cx.operation().writable()?;
    if !args.deliver.is_asked() {
        cx.preflight_secret()?;
    }
    let name = guided::name(cx)?;
    let mut words = vec![name.clone()];
    args.name = Some(name);
    if args.env.is_none() {
        let env = guided::environment(cx)?;
        words.extend(["--env".to_owned(), env.to_string()]);
        args.env = Some(env);
    }
    let demands = guided::demands(cx)?;
    for (demand, given) in [(Demand::Owner, &mut args.owner), (Demand::Description, &mut args.description)] {
        if given.is_none() && demands.contains(&demand) {
            let told = guided::demanded(cx, demand)?;
            words.extend([format!("--{}", demand.as_str()), told.clone()]);
            *given = Some(told);
        }
    }
    if args.expires_in.is_none() && args.expires_at.is_none() && !args.no_expiry {
        match guided::life(cx)? {
            Some(Expiry::In(life)) => {
                words.extend(["--expires-in".to_owned(), format_duration(life)]);
                args.expires_in = Some(life);
            }
            Some(Expiry::At(at)) => args.expires_at = Some(at),
            Some(Expiry::Never) => {
                words.push("--no-expiry".to_owned());
                args.no_expiry = true;
            }
            None => {}
        }
    }
    if args.rate_limit.is_none() {
        args.rate_limit = guided::limit(cx)?;
        let limit = args.rate_limit.map(|limit| limit.0.map_or_else(|| "none".to_owned(), |limit| limit.to_string()));
        words.extend(limit.into_iter().flat_map(|limit| ["--rate-limit".to_owned(), limit]));
    }
    if args.scope.is_empty() {
        args.scope = guided::scopes(cx)?;
        words.extend(args.scope.iter().flat_map(|scope| ["--scope".to_owned(), scope.to_string()]));
    }
    if cx.global.reason.is_none() && demands.contains(&Demand::Reason) {
        let told = guided::demanded(cx, Demand::Reason)?;
        words.extend(["--reason".to_owned(), told.clone()]);
        cx.global.reason = Some(told);
    }
    if cx.global.ticket.is_none() && demands.contains(&Demand::Ticket) {
        let told = guided::demanded(cx, Demand::Ticket)?;
        words.extend(["--ticket".to_owned(), told.clone()]);
        cx.global.ticket = Some(told);
    }
    guided::note_the_same(cx, &words);
    Ok(args)
}

/// Creates a key, or many.
pub(crate) fn run(cx: &mut Ctx, mut args: Args) -> Result<u8> {
    if args.name.is_none() && args.from.is_none() {
        args = asked(cx, args)?;
    }
    let (from, out, deliver) = (args.from.clone(), args.out.clone(), args.deliver.clone());
    deliver.refuse_idle()?;
    if args.copy {
        cx.copy_secret()?;
    }
    let request = request(args)?;
    match from {
        Some(_) if deliver.is_asked() => {
            Err(Error::usage("--from cannot deliver")
                .hint("add --out FILE, or create the keys one by one with --deliver"))
        }
        Some(from) => bulk::create(cx, &from, out.as_deref(), &request),
        None if deliver.is_asked() => delivered(cx, &deliver, request),
        None => printed(cx, request),
    }
}

fn printed(cx: &mut Ctx, mut request: Create) -> Result<u8> {
    cx.refuse_secret_in_ci()?;
    cx.preflight_secret()?;
    if request.idempotency_key.is_some() {
        // A repetition must find out whether the secret was printed: then printing it is a delivery with a receipt.
        (request.sinks, request.intend) = (vec![rotating::STDOUT.to_owned()], true);
    }
    cx.try_if_new(|backend, dry| backend.run(dry, request.clone()).map(drop))?;
    let mut created = cx.backend_or_new()?.run(&cx.operation(), request.clone())?;
    if let (Some(rotation), true) = (&created.rotation, created.existed) {
        match rotating::resume(cx, rotation) {
            Ok(()) => {
                cx.note(&format!("{} was created before, and its secret was never delivered", created.key.id));
                return Ok(Exit::Ok.code());
            }
            Err(error) => created = finished_meanwhile(cx, request, error)?,
        }
    }
    if created.existed && cx.secret_asked() {
        cx.missing_secret()?;
        return Err(not_again(&created));
    }
    notes(cx, &created);
    told(cx, &created);
    let (id, name) = (created.key.id.clone(), created.key.name.clone());
    let staged = created.rotation.as_ref().filter(|_| created.secret.is_some());
    let staged = staged.map(|rotation| ByHand::of(rotation, rotating::STDOUT)).transpose()?;
    let report = cx.minted(cx.created_key(&created), created.secret.as_ref()).existed(created.existed);
    let written = cx.emit(&report);
    let (backend, operation) = (cx.backend()?, cx.operation());
    if let (Some(staged), Err(error)) = (&staged, &written) {
        staged.lost(&*backend, &operation, &error.message);
    }
    written.map_err(|error| lost(error, &id, &name))?;
    if let Some(staged) = staged {
        staged.arrived(&*backend, &operation)?;
    }
    Ok(Exit::Ok.code())
}

/// The key as it is when whoever made it has delivered its secret since; else the error that going on with it met.
fn finished_meanwhile(cx: &mut Ctx, request: Create, error: Error) -> Result<Created> {
    let created = cx.backend()?.run(&cx.operation(), request)?;
    if created.existed && created.rotation.is_none() { Ok(created) } else { Err(error) }
}

/// Whoever takes what is printed for the secret must not take nothing for one.
fn not_again(created: &Created) -> Error {
    let KeyView { id, name, .. } = &created.key;
    let error = Error::exists(format!("{name} ({id}) was there already, and its secret is not shown again"));
    let error = created.notes.iter().skip(1).fold(error, |error, note| error.cause(note.clone()));
    error.hint(format!("keyward rotate {id} -q   (a fresh secret; the one before works on for the overlap)"))
}

fn notes(cx: &mut Ctx, created: &Created) {
    for note in &created.notes {
        // A script that waits for a secret must hear that there is none, also with -q.
        if created.existed { cx.out.warn(note) } else { cx.note(note) }
    }
}

fn told(cx: &mut Ctx, created: &Created) {
    let (id, name) = (&created.key.id, &created.key.name);
    cx.note(&match (created.existed, cx.global.dry_run) {
        (true, _) => format!("exists already: {name} ({id})"),
        (false, true) => format!("would create {name} in {}", created.key.environment),
        (false, false) => format!("created {name} ({id}) in {}", created.key.environment),
    });
}

/// Sinks may be named after the key, and are proven before it is made: so it is made twice, the first time in vain.
fn delivered(cx: &mut Ctx, args: &DeliverArgs, request: Create) -> Result<u8> {
    let stop = Stop::listen()?;
    let ended = deliver(cx, args, request, &stop);
    stop.outcome(cx, ended.map(|()| Exit::Ok.code()))
}

fn deliver(cx: &mut Ctx, args: &DeliverArgs, mut request: Create, stop: &Stop) -> Result<()> {
    let targets = args.targets(cx)?;
    // Until all sinks are proven, also where there is no vault yet.
    let backend = if cx.rehearse_if_new()? { cx.backend()? } else { cx.backend_or_new()? };
    let preview = backend.run(&cx.operation().rehearsal(), request.clone())?;
    let Some(target) = targets.for_key(&preview.key)? else {
        return Err(Error::usage(format!("no rule of the deliver map matches {}", preview.key.name)));
    };
    targets.refuse_shared([&preview.key])?;
    let deliveries = Deliveries { args, targets: &targets, stop, deadline: None };
    // A rotation that somebody staged is none of this command's business.
    if let Some(rotation) = preview.rotation.as_ref().filter(|rotation| preview.existed && !rotation.parked) {
        let delivered = match deliveries.drive(cx, |driver, cx| driver.resume(&target, rotation, cx)) {
            Ok(delivered) => delivered,
            Err(error) => {
                let finished = finished_meanwhile(cx, request, error)?;
                notes(cx, &finished);
                told(cx, &finished);
                return cx.created_without_secret(json!(finished.key), true);
            }
        };
        cx.note(&format!("finished creating {} ({})", delivered.key.name, delivered.key.id));
        return cx.created_without_secret(json!(delivered.key), true);
    }
    if !preview.existed {
        target.preflight(cx)?;
    }
    request.id = preview.key.id.parse().ok();
    request.sinks = target.names();
    let created = cx.backend_or_new()?.run(&cx.operation(), request)?;
    notes(cx, &created);
    if created.existed {
        let sinks = target.names().join(", ");
        let rotate = args.command(cx, &["rotate", &created.key.id]);
        cx.out.warn(&format!("this time nothing was delivered to {sinks}; a fresh secret would be by: {rotate}"));
    }
    if created.secret.is_none() {
        told(cx, &created);
    }
    let key = deliveries.drive(cx, |driver, cx| driver.deliver_new(&target, &created, cx))?;
    if created.secret.is_some() {
        told(cx, &created);
        cx.note(&format!("delivered to {}", target.names().join(", ")));
    }
    let key = if cx.global.dry_run { cx.created_key(&created) } else { json!(key) };
    cx.created_without_secret(key, created.existed)
}

/// The key is there and its secret is lost: says which, and the way out.
pub(crate) fn lost(error: Error, id: &str, name: &str) -> Error {
    let what = format!("the secret of {id} ({name}) was minted, and could not be printed");
    error.undelivered(what).hint(format!("keyward rotate {id} --now   (a new secret; the lost one stops)"))
}

fn request(args: Args) -> Result<Create> {
    let expiry = match (args.expires_in, args.expires_at, args.no_expiry) {
        (Some(lifetime), _, _) => Some(Expiry::In(lifetime)),
        (_, Some(at), _) => Some(Expiry::At(at)),
        (_, _, true) => Some(Expiry::Never),
        _ => None,
    };
    let defaults = Create::named(args.name.unwrap_or_default());
    Ok(Create {
        environment: args.env.unwrap_or_default(),
        owner: args.owner,
        description: args.description,
        project: args.project,
        customers: values::sorted(args.customer),
        scopes: values::sorted(args.scope),
        rate_limit: args.rate_limit.map(|limit| limit.0),
        allow_ips: values::allowlist("--allow-ip", &args.allow_ip)?,
        labels: values::labels(args.label)?,
        expiry,
        rotate_every: args.rotate_every.map(|every| every.0),
        overlap: args.overlap,
        renew_on_rotation: args.renew_on_rotation,
        self_service: args.self_service,
        if_not_exists: args.if_not_exists,
        idempotency_key: args.idempotency_key,
        ..defaults
    })
}
