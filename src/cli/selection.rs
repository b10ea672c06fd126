//! Keys that are named, or found by a filter: then their number is told first, and a confirmation names it.

use super::{
    asking,
    context::Ctx,
    filter::StateFilter,
    operand::{MaybeKeys, Named},
    prompt, values,
};
use crate::{
    domain::{Environment, KeyFilter, KeyRef, Search, counted},
    ops::{Error, List, Result, key_query::query_of},
};
use chrono::TimeDelta;
use clap::builder::RangedU64ValueParser;

/// The keys that a command acts on.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    #[command(flatten)]
    pub(super) named: MaybeKeys,
    #[command(flatten)]
    by: By,
    #[command(flatten)]
    of: Of,
    #[command(flatten)]
    due: Due,
    #[command(flatten)]
    bound: Bound,
}

/// By what keys are found, for every command.
#[derive(Debug, Default, clap::Args)]
pub(super) struct By {
    #[command(flatten)]
    pub(super) state: StateFilter,
    /// Your own keys: made by you, or owned by you, as `keyward whoami` names you
    #[arg(long)]
    mine: bool,
    /// Keys of this project
    #[arg(long, value_name = "P")]
    pub(super) project: Option<String>,
    /// Keys in whose name, description, owner or labels these words are found, in whatever case
    #[arg(long, value_name = "WORDS", value_parser = values::words)]
    search: Vec<Search>,
}

/// By what else, where no option of the command has these names.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Of {
    /// Keys of this owner
    #[arg(long, value_parser = values::wanted)]
    owner: Option<String>,
    /// Keys with this label, as key or key=value; may be repeated
    #[arg(long, value_name = "K[=V]", value_parser = values::label_filter)]
    label: Vec<(String, Option<String>)>,
    /// Keys whose name matches this pattern
    #[arg(long, value_name = "GLOB", value_parser = values::pattern)]
    name: Option<glob::Pattern>,
}

/// The same, beside options that change these.
#[derive(Debug, clap::Args)]
pub(super) struct OfOld {
    /// Keys that have this owner now
    #[arg(long, value_name = "OWNER", value_parser = values::wanted)]
    of_owner: Option<String>,
    /// Keys that have this label now, as key or key=value; may be repeated
    #[arg(long, value_name = "K[=V]", value_parser = values::label_filter)]
    with_label: Vec<(String, Option<String>)>,
    /// Keys whose name now matches this pattern
    #[arg(long, value_name = "GLOB", value_parser = values::pattern)]
    named: Option<glob::Pattern>,
}

/// By whether a rotation is due.
#[derive(Debug, clap::Args)]
pub(super) struct Due {
    /// Keys whose rotation is due, or was begun and has not ended
    #[arg(long)]
    due: bool,
    /// Keys whose rotation is due within this time
    #[arg(long, value_name = "D", value_parser = values::duration)]
    due_within: Option<TimeDelta>,
}

/// By what keys are found, where what is due is a run of its own.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Found {
    #[command(flatten)]
    by: By,
    #[command(flatten)]
    of: Of,
}

impl Found {
    /// The conditions.
    ///
    /// # Errors
    /// `Usage` for a status that there is not.
    pub(super) fn filter(self) -> Result<KeyFilter> {
        filter(self.by, self.of)
    }
}

/// How many keys may be found.
#[derive(Debug, clap::Args)]
pub(super) struct Bound {
    /// With a filter: where more keys than this are found, none is touched; needed off a terminal
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    max: Option<usize>,
}

/// The keys that an update acts on: some of the options that find them have other names, for they stand beside those that
/// change the same.
#[derive(Debug, clap::Args)]
pub(super) struct WhichOld {
    #[command(flatten)]
    pub(super) named: MaybeKeys,
    #[command(flatten)]
    pub(super) by: By,
    #[command(flatten)]
    of: OfOld,
    #[command(flatten)]
    due: Due,
    #[command(flatten)]
    bound: Bound,
}

impl WhichOld {
    /// See [`Which::meant`].
    ///
    /// # Errors
    /// See [`Which::meant`].
    pub(super) fn meant(self, cx: &Ctx) -> Result<Meant> {
        let Self { named, by, of: OfOld { of_owner, with_label, named: name }, due, bound } = self;
        Which { named, by, of: Of { owner: of_owner, label: with_label, name }, due, bound }.meant(cx)
    }
}

impl Which {
    /// What was said of the keys.
    ///
    /// # Errors
    /// `Usage` when none is named and no condition given, or both.
    pub(super) fn meant(self, cx: &Ctx) -> Result<Meant> {
        let Self { named, by, of, due, bound } = self;
        let filter = KeyFilter { due_within: due.due_within.or(due.due.then(TimeDelta::zero)), ..filter(by, of)? };
        Meant::of(cx, named, filter, bound.max)
    }
}

/// What is done to the keys.
pub(super) struct What {
    /// As a question begins, such as `Revoke for ever`.
    pub(super) asked: &'static str,
    /// How much has to be said before.
    pub(super) caution: Caution,
}

/// What has to be said before keys that are named are acted on. Before those that a filter finds, their number always is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Caution {
    /// Nothing.
    None,
    /// A person at a terminal is asked.
    Ask,
    /// Their number, as for those that a filter finds; a person types it.
    Count,
}

/// The keys that were chosen.
pub(super) struct Chosen {
    pub(super) keys: Vec<KeyRef>,
    /// What each is called to whoever asked for them.
    pub(super) names: Vec<String>,
    /// The filter that found them, as a server takes it.
    pub(super) found_by: Vec<(String, String)>,
    /// Exactly one key was typed, and no list was asked for: the reply is one object.
    pub(super) single: bool,
    /// A filter found them, or standard input names them: there may be thousands.
    pub(super) many: bool,
}

/// Keys that are named, or a filter for them.
pub(super) struct Meant {
    named: MaybeKeys,
    filter: KeyFilter,
    max: Option<usize>,
}

impl Meant {
    /// See [`Which::meant`].
    ///
    /// # Errors
    /// See [`Which::meant`].
    pub(super) fn of(cx: &Ctx, named: MaybeKeys, filter: KeyFilter, max: Option<usize>) -> Result<Self> {
        let meant = Self { named, filter, max };
        match (meant.named.is_empty(), meant.filter.narrows()) {
            (false, true) => Err(Error::usage("keys are named, or found by a filter; both were given")
                .hint("leave out the keys, or the filter")),
            (true, false) => Err(missing(&meant)
                .hint(format!("{} KEY", cx.invocation()))
                .hint("`list` takes the filters that this takes, and shows what they find")),
            _ => Ok(meant),
        }
    }

    /// The environment that was said.
    pub(super) fn environment(&self) -> Option<Environment> {
        self.named.env
    }

    /// The key, where exactly one is named and no list is asked for.
    pub(super) fn one(&self) -> Option<&KeyRef> {
        self.named.one()
    }

    /// The keys that are named, or those that the filter finds now, once they are confirmed.
    ///
    /// # Errors
    /// `Usage` when nobody can confirm; `Conflict` when more are found than may be; `Failure` when the answer is no.
    pub(super) fn decide(self, cx: &mut Ctx, what: &What) -> Result<Chosen> {
        let Self { named, filter, max } = self;
        if !named.is_empty() {
            let Named { keys, single } = named.named(cx)?;
            bounded(keys.len(), max)?;
            if keys.is_empty() {
                cx.note("standard input names no key; nothing was done");
            }
            match what.caution {
                _ if keys.is_empty() => {}
                Caution::None => {}
                Caution::Ask => asking::before(cx, what.asked, &keys, named.env)?,
                Caution::Count => confirm(cx, &keys, named.env, max, what)?,
            }
            let names = keys.iter().map(ToString::to_string).collect();
            return Ok(Chosen { keys, names, found_by: Vec::new(), single, many: named.is_stdin() });
        }
        let filter = KeyFilter { environment: named.env, ..filter };
        let found_by = query_of(&filter).into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let found = cx.backend()?.list_names(&cx.operation(), &List { filter })?.items;
        let names = found.iter().map(|key| format!("{} ({})", key.name, key.id)).collect();
        let keys = found.iter().map(|key| key.id.parse::<KeyRef>().map_err(|why| Error::usage(why.to_string())));
        let keys: Vec<KeyRef> = keys.collect::<Result<_>>()?;
        bounded(keys.len(), max)?;
        if keys.is_empty() {
            cx.note("no key is found; nothing was done");
        } else {
            confirm(cx, &keys, None, max, what)?;
        }
        Ok(Chosen { keys, names, found_by, single: false, many: true })
    }
}

/// Nothing says which keys are meant; an environment alone would be everything there is in it.
fn missing(meant: &Meant) -> Error {
    let missing = Error::usage("which keys are meant is missing");
    if meant.named.env.is_some() { missing.cause("an environment alone is no filter") } else { missing }
}

/// A filter that finds more than was thought is none to act on.
fn bounded(found: usize, max: Option<usize>) -> Result<()> {
    match max.filter(|max| found > *max) {
        None => Ok(()),
        Some(max) => {
            let found = counted(found, "key");
            Err(Error::conflict("too_many", format!("{found} are meant, and --max allows {max}; none was touched"))
                .hint("look at them first: `list` takes the same filter"))
        }
    }
}

fn confirm(
    cx: &mut Ctx,
    keys: &[KeyRef],
    environment: Option<Environment>,
    max: Option<usize>,
    what: &What,
) -> Result<()> {
    if cx.global.dry_run {
        return Ok(());
    }
    let count = counted(keys.len(), "key");
    let bounded = max.is_some() || cx.out.streams.stdout_terminal;
    if cx.global.yes && bounded {
        return Ok(());
    }
    if cx.global.yes || !cx.can_prompt() {
        let yes = if cx.global.yes { "" } else { " --yes" };
        let bound = max.map_or_else(|| format!(" --max {}", keys.len()), |_| String::new());
        let unbounded = Error::usage(format!("this is for {count}, and needs a confirmation"));
        let unbounded = if cx.global.yes {
            unbounded.cause("of many keys, --yes off a terminal wants to hear how many there are at most: --max")
        } else {
            unbounded
        };
        return Err(unbounded
            .hint(format!("{}{yes}{bound}", cx.invocation()))
            .hint(format!("{} --dry-run   (shows them)", cx.invocation())));
    }
    let question = asking::question(cx, what.asked, keys, environment)?;
    if what.caution == Caution::Count {
        return prompt::confirm_count(cx, keys.len(), &question);
    }
    prompt::confirm(cx, &question)
}

/// The conditions that were given.
///
/// # Errors
/// `Usage` for a status that there is not.
fn filter(by: By, of: Of) -> Result<KeyFilter> {
    Ok(KeyFilter {
        owner: of.owner,
        labels: of.label,
        name: of.name,
        mine: by.mine,
        project: by.project,
        search: values::searched(by.search),
        ..by.state.filter()?
    })
}
