//! `rotation`: the rotations that run, and what a person decides about one.

use crate::{
    cli::{
        columns,
        context::Ctx,
        delivery::{DeliverArgs, Deliveries},
        due,
        exit::Exit,
        prompt, rotating,
        signals::Stop,
        values,
    },
    domain::{Environment, KeyRef, RotationId},
    ops::{Abort, Commit, Error, ListRotations, Result, RotationRef, RotationView, Show, ShowRotation, Stage},
};
use chrono::TimeDelta;
use serde_json::json;

/// The rotations that run, and what becomes of them
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  keyward rotation list\n  keyward rotation commit billing-sync")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the rotations that run
    #[command(after_help = "Example:\n  keyward rotation list --all")]
    List {
        /// Also the last rotation of every other key
        #[arg(long)]
        all: bool,
    },
    /// Show a rotation: how far it got, and which sink may hold its secret
    #[command(after_help = "Example:\n  keyward rotation show billing-sync")]
    Show {
        #[command(flatten)]
        rotation: Operand,
    },
    /// Go on with a rotation that was interrupted: a fresh secret is delivered, and the lost one dies once it has arrived
    #[command(after_help = "Example:\n  keyward rotation resume billing-sync --deliver file:/run/keyward/billing.key")]
    Resume {
        #[command(flatten)]
        rotation: Operand,
        #[command(flatten)]
        deliver: DeliverArgs,
    },
    /// Make the staged secret the current one
    #[command(after_help = "Example:\n  keyward rotation commit billing-sync --only-if-idle 24h")]
    Commit {
        #[command(flatten)]
        rotation: Operand,
        /// Commit although nothing shows that the secret has arrived
        #[arg(long)]
        force: bool,
        /// Refuse while the old secret was seen in use within this time
        #[arg(long, value_name = "D", value_parser = values::duration)]
        only_if_idle: Option<TimeDelta>,
    },
    /// Keep the old secret; the staged one stops at once
    #[command(after_help = "Example:\n  keyward rotation abort billing-sync --yes")]
    Abort {
        #[command(flatten)]
        rotation: Operand,
        /// Abort although a sink holds the new secret, or may: it stops working there
        #[arg(long)]
        force: bool,
    },
}

#[derive(Debug, clap::Args)]
struct Operand {
    /// The rotation's id, or the key it belongs to
    #[arg(value_name = "ROT", value_parser = reference, add = values::keys())]
    rotation: Reference,
    /// Decides between keys of one name
    #[arg(long, alias = "environment", value_name = "ENV", add = values::environments())]
    env: Option<Environment>,
}

#[derive(Debug, Clone)]
enum Reference {
    Id(RotationId),
    Key(KeyRef),
}

fn reference(text: &str) -> std::result::Result<Reference, String> {
    match text.parse() {
        Ok(id) => Ok(Reference::Id(id)),
        Err(_) => values::key_ref(text).map(Reference::Key),
    }
}

impl Operand {
    fn rotation(self) -> Result<ShowRotation> {
        match (self.rotation, self.env) {
            (Reference::Id(_), Some(_)) => {
                Err(Error::usage("--env decides between keys of one name, and a rotation's id names one rotation")
                    .hint("leave out --env"))
            }
            (Reference::Id(id), None) => Ok(ShowRotation::of(id)),
            (Reference::Key(key), environment) => Ok(ShowRotation { rotation: RotationRef::Of(key), environment }),
        }
    }
}

/// Looks at rotations, or ends one.
pub(crate) fn run(cx: &mut Ctx, args: Args) -> Result<u8> {
    match args.command {
        Command::List { all } => {
            let rows: Vec<_> = cx
                .backend()?
                .ask(&cx.operation(), &ListRotations { ended: all })?
                .iter()
                .map(|one| json!(one))
                .collect();
            let total = rows.len();
            cx.list("keyward.rotation-list/v1", rows, total, columns::ROTATIONS)?;
        }
        Command::Show { rotation } => {
            let view = cx.backend()?.ask(&cx.operation(), &rotation.rotation()?)?;
            cx.item("keyward.rotation/v1", "rotation", json!(view), columns::ROTATION)?;
        }
        Command::Resume { rotation, deliver } => return resume(cx, &rotation.rotation()?, &deliver),
        Command::Commit { rotation, force, only_if_idle } => {
            let ShowRotation { rotation, environment } = rotation.rotation()?;
            let commit = Commit { rotation, environment, receipts: Vec::new(), force, only_if_idle };
            let rotated = cx.backend()?.change(&cx.operation(), commit)?;
            told(cx, "committed", "would commit", &rotated.rotation)?;
            cx.note(&format!("the old secret {}", rotating::old_secret(rotated.old_valid_until)));
            // A hook that waited for this rotation.
            due::pay_owed(cx)?;
        }
        Command::Abort { rotation, force } => abort(cx, rotation.rotation()?, force)?,
    }
    Ok(Exit::Ok.code())
}

/// `--yes` answers the question, but what a consumer reads from a sink is worth more than a habit.
fn abort(cx: &mut Ctx, rotation: ShowRotation, force: bool) -> Result<()> {
    let view = cx.backend()?.ask(&cx.operation(), &rotation)?;
    let held = view.running && view.is_held();
    let sinks = holders(&view);
    if held && !force {
        if !sinks.is_empty() && (cx.global.yes || !cx.can_prompt()) {
            let secret = view.secret_in_words();
            // Without a receipt of every sink a commit takes somebody's word for it.
            let force = if view.state == "delivered" { "" } else { " --force" };
            return Err(Error::conflict("may_be_delivered", format!("{secret} would stop working at once in {sinks}"))
                .hint(format!("keyward rotation commit {}{force}   (keep the new secret)", view.id))
                .hint(format!("keyward rotation abort {} --force   (keep the old one, and deliver again)", view.id)));
        }
        let place = if sinks.is_empty() { "may be in use already".to_owned() } else { format!("is in {sinks}") };
        prompt::confirm(cx, &format!("{} {place}. Stop it at once?", view.secret_in_words()))?;
    }
    let ShowRotation { rotation, environment } = rotation;
    let abort = Abort { rotation, environment, force: held, because: None };
    let aborted = cx.backend()?.change(&cx.operation(), abort)?;
    told(cx, "aborted", "would abort", &aborted)?;
    if held && !sinks.is_empty() && !cx.global.dry_run {
        cx.emitter()
            .warn(&format!("the secret in {sinks} is dead: what reads it there fails until another is delivered"));
    }
    Ok(())
}

/// The sinks that hold the new secret, or may, as people read them. What was printed is in nobody's file.
fn holders(view: &RotationView) -> String {
    let held = view.deliveries.iter().filter(|one| one.sink != rotating::STDOUT);
    let held: Vec<&str> =
        held.filter(|one| matches!(&*one.state, "in_doubt" | "delivered")).map(|one| one.sink.as_str()).collect();
    held.join(", ")
}

fn resume(cx: &mut Ctx, rotation: &ShowRotation, deliver: &DeliverArgs) -> Result<u8> {
    deliver.refuse_idle()?;
    cx.operation().writable()?;
    due::pay_owed(cx)?;
    let ended = resumed(cx, rotation, deliver);
    // A hook that waited for this rotation.
    due::pay_owed(cx)?;
    ended
}

fn resumed(cx: &mut Ctx, rotation: &ShowRotation, deliver: &DeliverArgs) -> Result<u8> {
    let view = cx.backend()?.ask(&cx.operation(), rotation)?;
    if view.running && view.parked && view.state == "delivered" {
        let force = if holders(&view).is_empty() { "--yes" } else { "--force" };
        let waits = format!("{} of {} was staged and has arrived: it waits for a decision", view.id, view.key_name);
        return Err(Error::conflict("waits", waits)
            .hint(format!("keyward rotation commit {}   (the new secret becomes the current one)", view.id))
            .hint(format!("keyward rotation abort {} {force}   (the old secret stays)", view.id)));
    }
    if deliver.is_asked() {
        let (targets, stop) = (deliver.targets(cx)?, Stop::listen()?);
        let deliveries = Deliveries { args: deliver, targets: &targets, stop: &stop, deadline: None };
        let key = cx.backend()?.ask(&cx.operation(), &Show { key: view.key()?, environment: None })?;
        targets.refuse_shared([&key])?;
        let request = Stage { park: view.parked, ..Stage::resume(&view, Vec::new())? };
        let ended = deliveries.rotate(cx, &key, request);
        let ended = ended.and_then(|key| cx.item_without_secret(json!(key)));
        return stop.outcome(cx, ended.map(|()| Exit::Ok.code()));
    }
    let others: Vec<&str> = view.deliveries.iter().map(|delivery| delivery.sink.as_str()).collect();
    if view.running && view.state != "delivered" && others.iter().any(|sink| *sink != rotating::STDOUT) {
        return Err(Error::usage("the rotation delivers to sinks, and commands are never taken from the keystore")
            .cause(format!("it was begun with: {}", others.join(", ")))
            .hint(format!("keyward rotation resume {} --deliver SINK  (with the same sinks)", view.id)));
    }
    cx.refuse_secret_in_ci()?;
    cx.preflight_secret()?;
    rotating::resume(cx, &view)?;
    Ok(Exit::Ok.code())
}

fn told(cx: &mut Ctx, did: &str, would: &str, rotation: &RotationView) -> Result<()> {
    let verb = if cx.global.dry_run { would } else { did };
    cx.note(&format!("{verb} {} of {} ({})", rotation.id, rotation.key_name, rotation.key_id));
    cx.item_if_asked("keyward.rotation/v1", "rotation", json!(rotation), columns::ROTATION)
}
