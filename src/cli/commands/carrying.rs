//! What `push` and `pull` share: the declarations of one keystore are compared with those of another and carried there.

use super::applying::{Work, carry_out};
use crate::{
    backend::Backend,
    cli::{
        context::Ctx,
        declared::{self, KeysFile},
        delivery::DeliverArgs,
        elsewhere::Elsewhere,
        exit::Exit,
        values,
    },
    domain::{Environment, counted},
    ops::{Agreed, Apply, CarryKeys, Error, ExportKeys, Plan, Prefer, Result, declare},
};
use std::rc::Rc;

/// Which keys are carried, and whose word counts.
#[derive(Debug, clap::Args)]
pub(super) struct CarryArgs {
    /// Where both sides have changed a key, what this side has
    #[arg(long, conflicts_with = "theirs")]
    ours: bool,
    /// Where both sides have changed a key, what the other side has
    #[arg(long)]
    theirs: bool,
    /// Only keys of an environment
    #[arg(long, alias = "environment", value_name = "ENV", add = values::environments())]
    env: Option<Environment>,
    /// Only keys of an owner
    #[arg(long)]
    owner: Option<String>,
    /// Only keys with a label, as key or key=value; may be repeated
    #[arg(long, value_name = "K[=V]", value_parser = values::label_filter)]
    label: Vec<(String, Option<String>)>,
    #[command(flatten)]
    deliver: DeliverArgs,
}

/// Which way declarations go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// From the local vault to the other side.
    Push,
    /// From the other side to the local vault.
    Pull,
}

impl Way {
    fn word(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Pull => "pull",
        }
    }

    fn back(self, other: &str) -> String {
        match self {
            Self::Push => format!("keyward pull --from {other}"),
            Self::Pull => format!("keyward push --to {other}"),
        }
    }

    /// Whose declaration holds in a conflict.
    fn prefer(self, args: &CarryArgs) -> Option<Prefer> {
        match (args.ours, args.theirs, self) {
            (true, _, Self::Push) | (_, true, Self::Pull) => Some(Prefer::Source),
            (true, _, Self::Pull) | (_, true, Self::Push) => Some(Prefer::Target),
            (false, false, _) => None,
        }
    }
}

/// Carries declarations.
pub(super) fn carry(cx: &mut Ctx, way: Way, named: Option<&str>, args: &CarryArgs) -> Result<u8> {
    cx.operation().writable()?;
    let option = if way == Way::Push { "--to" } else { "--from" };
    let place = cx.other_side(named, option)?;
    let targets = args.deliver.targets(cx)?;
    let other = cx.open_elsewhere(&place)?;
    let here = if way == Way::Push { cx.backend()? } else { cx.backend_or_new()? };
    let (source, target) = if way == Way::Push { (&here, &other) } else { (&other, &here) };
    let (this_side, other_side) = (format!("the vault of {}", cx.operation().actor), told(cx, &place));
    let names = if way == Way::Push { [&this_side, &other_side] } else { [&other_side, &this_side] };
    let (owner, labels) = (args.owner.clone(), args.label.clone());
    let asked = ExportKeys { environment: args.env, owner, labels, ids: true, ..ExportKeys::default() };
    let all = ExportKeys { ids: true, ..ExportKeys::default() };
    let declared = source.ask(&cx.operation(), &asked)?;
    let there = target.ask(&cx.operation(), &all)?;
    let agreed = cx.agreements()?.with(&other_side)?;
    let carried = declare::carry(declared.clone(), &there, &agreed, way.prefer(args));
    let mut request = Apply { keys: carried.keys.clone(), ..Apply::default() };
    request.carried_from = Some(names[0].clone());
    // Until somebody says where a new secret goes, there is none.
    request.keys.iter_mut().for_each(|one| one.key.without_secret = true);
    let mut plan = target.plan(&cx.operation(), &request).map_err(|error| in_place(way, &place, error))?;
    plan.unchanged += carried.unchanged;
    if !carried.left.is_empty() {
        cx.note(&format!(
            "left as the other side has it: {} ({})",
            carried.left.join(", "),
            way.back(named.unwrap_or("PLACE"))
        ));
    }
    if !carried.conflicts.is_empty() {
        carried.mark(&mut plan);
        return refused(cx, &plan);
    }
    if plan.is_empty() {
        remember(cx, source, target, &other_side, agreed)?;
        declared::show(cx, &plan, |_| declared::Beside::default())?;
        cx.note(&format!("already so: {}", counted(plan.unchanged, "key")));
        return Ok(Exit::Ok.code());
    }
    // Said by the side that gives, before anything is given; and what it declares must still be what was planned.
    let given = CarryKeys { to: names[1].clone(), which: asked };
    if !cx.global.dry_run && source.change(&cx.operation(), given)? != declared {
        return Err(Error::conflict("stale_plan", "the keys have changed since the plan was made")
            .hint(format!("keyward {} again", way.word())));
    }
    plan.unchanged -= carried.unchanged;
    let (target, source) = (Rc::clone(target), Rc::clone(source));
    cx.work_on(Rc::clone(&target));
    let file = KeysFile::of(carried.keys);
    let work = Work { file: &file, deliver: &args.deliver, targets: &targets, verb: way.word(), without_secrets: true };
    let code = carry_out(cx, work, request, plan)?;
    cx.work_on(here);
    if !cx.global.dry_run {
        remember(cx, &source, &target, &other_side, agreed)?;
    }
    Ok(code)
}

/// The other side, as its trail and ours name it.
fn told(cx: &Ctx, place: &Elsewhere) -> String {
    let workspace = cx.operation().workspace;
    let place = match place {
        #[cfg(feature = "server")]
        Elsewhere::Server(address) => address.trim_end_matches('/').to_owned(),
        #[cfg(feature = "server")]
        Elsewhere::Profile(name) => format!("the server of the profile {name}"),
        Elsewhere::Vault(directory) => {
            let real = std::fs::canonicalize(directory).unwrap_or_else(|_| directory.clone());
            format!("the vault {}", real.display())
        }
    };
    if workspace == "default" { place } else { format!("{place}, workspace {workspace}") }
}

/// Keeps what both sides now declare alike.
fn remember(
    cx: &mut Ctx,
    source: &Rc<dyn Backend>,
    target: &Rc<dyn Backend>,
    other: &str,
    agreed: Agreed,
) -> Result<()> {
    if cx.global.dry_run {
        return Ok(());
    }
    let all = ExportKeys { ids: true, ..ExportKeys::default() };
    let (source, target) = (source.ask(&cx.operation(), &all)?, target.ask(&cx.operation(), &all)?);
    cx.agreements()?.keep(other, &agreed.after(&source, &target))
}

fn refused(cx: &mut Ctx, plan: &Plan) -> Result<u8> {
    declared::show(cx, plan, |_| declared::Beside::default())?;
    cx.note(&declared::summary(plan));
    Err(Error::conflict("diverged", "the two sides have changed the same keys, and nothing was changed")
        .hint(format!("{} --ours    (what this side has)", cx.invocation()))
        .hint(format!("{} --theirs  (what the other side has)", cx.invocation())))
}

/// What has to be made before the keys has to be made on the other side.
fn in_place(way: Way, place: &Elsewhere, mut error: Error) -> Error {
    if way == Way::Push {
        for hint in error.hints.iter_mut().filter(|hint| hint.starts_with("keyward ")) {
            *hint = format!("{hint} {}", place.option());
        }
    }
    error
}
