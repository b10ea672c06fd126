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
    domain::{Environment, KeyFilter, Status, counted},
    ops::{
        Agreed, Apply, Carried, CarryKeys, Carrying, Declared, Error, ExportKeys, KeyView, List, Plan, PlanKeys,
        Prefer, Result, declare,
    },
};
use std::{collections::HashSet, rc::Rc};

/// Whose word counts: this side's, or the other's.
const WORDS: [&str; 2] = ["--ours", "--theirs"];

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
    #[arg(long, value_parser = values::wanted)]
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

    /// The command that carries the other way.
    fn back(self, other: Option<&str>) -> String {
        let (back, option) = match self {
            Self::Push => ("keyward pull", "--from"),
            Self::Pull => ("keyward push", "--to"),
        };
        other.map_or_else(|| back.to_owned(), |other| format!("{back} {option} {}", shell_words::quote(other)))
    }

    /// Where declarations come from, and where they go to.
    fn sides(self) -> [&'static str; 2] {
        match self {
            Self::Push => ["here", "on the other side"],
            Self::Pull => ["on the other side", "here"],
        }
    }

    /// Says what is not carried, and how it is carried the other way.
    fn note_left(self, cx: &mut Ctx, carried: &Carried, other: Option<&str>) {
        let ([from, to], back) = (self.sides(), self.back(other));
        if !carried.left.is_empty() {
            cx.note(&format!("left as it is {to}: {} ({back})", carried.left.join(", ")));
        }
        if !carried.dead.is_empty() {
            let word = if self == Self::Push { "--theirs" } else { "--ours" };
            cx.note(&format!(
                "revoked {to}, alive {from}: {} ({back} {word}  revokes it {from} too)",
                carried.dead.join(", ")
            ));
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
    let compared = compare(cx, way, &place, (source, target), (&asked, &all));
    let Compared { declared, there, revoked, revoked_there } = compared?;
    let agreed = cx.agreements()?.with(&other_side)?;
    let carrying =
        Carrying { agreed: agreed.clone(), prefer: way.prefer(args), revoked, revoked_there, sides: way.sides() };
    let carried = declare::carry(declared.clone(), &there, &carrying);
    let mut request = Apply { keys: carried.keys.clone(), revoke: carried.revoke.clone(), ..Apply::default() };
    request.carried_from = Some(names[0].clone());
    // Until somebody says where a new secret goes, there is none.
    request.keys.iter_mut().for_each(|one| one.key.without_secret = true);
    let request = PlanKeys(request);
    let mut plan = at(cx, (way == Way::Push).then_some(&place), |cx| target.ask(&cx.operation(), &request))?;
    plan.unchanged += carried.unchanged;
    way.note_left(cx, &carried, named);
    if carried.is_in_conflict() {
        carried.mark(&mut plan);
        return refused(cx, (way == Way::Push).then_some(&place), &plan);
    }
    if plan.is_empty() {
        remember(cx, source, target, &other_side, agreed)?;
        declared::show(cx, &plan, |_| declared::Beside::default())?;
        cx.note(&format!("already so: {}", counted(plan.unchanged, "key")));
        return Ok(Exit::Ok.code());
    }
    // Said by the side that gives, before anything is given; and what it declares must still be what was planned.
    let given = CarryKeys { to: names[1].clone(), which: asked };
    if !cx.global.dry_run {
        let gives = at(cx, (way == Way::Pull).then_some(&place), |cx| source.change(&cx.operation(), given))?;
        if gives != declared {
            return Err(Error::conflict("stale_plan", "the keys have changed since the plan was made")
                .hint(format!("keyward {} again", way.word())));
        }
    }
    plan.unchanged -= carried.unchanged;
    let (target, source) = (Rc::clone(target), Rc::clone(source));
    let file = KeysFile::of(carried.keys);
    let work = Work { file: &file, deliver: &args.deliver, targets: &targets, verb: way.word(), without_secrets: true };
    let code = at(cx, (way == Way::Push).then_some(&place), |cx| {
        cx.work_on(Rc::clone(&target));
        carry_out(cx, work, request.0, plan)
    })?;
    cx.work_on(here);
    if !cx.global.dry_run {
        remember(cx, &source, &target, &other_side, agreed)?;
    }
    Ok(code)
}

/// What both sides have.
struct Compared {
    declared: Vec<Declared>,
    there: Vec<Declared>,
    revoked: Vec<KeyView>,
    revoked_there: HashSet<String>,
}

fn compare(
    cx: &mut Ctx,
    way: Way,
    place: &Elsewhere,
    (source, target): (&Rc<dyn Backend>, &Rc<dyn Backend>),
    (asked, all): (&ExportKeys, &ExportKeys),
) -> Result<Compared> {
    let filter = |of: &ExportKeys| KeyFilter {
        statuses: Some([Status::Revoked].into()),
        environment: of.environment,
        owner: of.owner.clone(),
        labels: of.labels.clone(),
        ..KeyFilter::default()
    };
    let ask = |cx: &Ctx, side: &Rc<dyn Backend>, of: &ExportKeys| {
        let revoked = side.list(&cx.operation(), &List { filter: filter(of) })?.items;
        Ok((side.ask(&cx.operation(), of)?, revoked))
    };
    let (declared, revoked) = at(cx, (way == Way::Pull).then_some(place), |cx| ask(cx, source, asked))?;
    let (there, dead) = at(cx, (way == Way::Push).then_some(place), |cx| ask(cx, target, all))?;
    Ok(Compared { declared, there, revoked, revoked_there: dead.into_iter().map(|key| key.id).collect() })
}

/// Does something where it is done: what is advised there is to be done there too, and not on this side.
fn at<T>(cx: &mut Ctx, place: Option<&Elsewhere>, work: impl FnOnce(&mut Ctx) -> Result<T>) -> Result<T> {
    let Some(place) = place else { return work(cx) };
    let given = place.given(&cx.given);
    let own = std::mem::replace(&mut cx.given, given);
    let done = work(cx);
    // The hints of an error are worded once it is told.
    if done.is_ok() {
        cx.given = own;
    }
    done
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

fn refused(cx: &mut Ctx, target: Option<&Elsewhere>, plan: &Plan) -> Result<u8> {
    at(cx, target, |cx| declared::show(cx, plan, |_| declared::Beside::default()))?;
    cx.note(&declared::summary(plan));
    let words = shell_words::split(&cx.invocation()).unwrap_or_default();
    let (said, rest): (Vec<String>, Vec<String>) = words.into_iter().partition(|word| WORDS.contains(&&**word));
    let again = shell_words::join(rest);
    let error = Error::conflict(
        "diverged",
        "the two sides differ in ways that somebody has to decide, and nothing was changed",
    );
    // A taken name is decided by no word for this side.
    let ways = WORDS.iter().zip(["what this side has", "what the other side has"]);
    let ways = ways.filter(|(word, _)| !said.iter().any(|said| said == *word));
    Err(ways.fold(error, |error, (word, what)| error.hint(format!("{again} {word}  ({what})"))))
}
