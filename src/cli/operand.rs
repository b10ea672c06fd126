//! The keys a command is told to act on, and the loop over several of them.

use super::{columns, context::Ctx, exit::Exit, values};
use crate::{
    domain::{Environment, KeyRef},
    ops::{Error, KeyView, Result, Show},
    output::{Format, Page, Report},
};
use serde_json::Value;
use std::{collections::HashSet, io::Read};

/// A key, or standard input, which names keys, one a line.
#[derive(Debug, Clone)]
pub(super) enum Operand {
    Stdin,
    Key(KeyRef),
}

fn operand(text: &str) -> Result<Operand, String> {
    if text == "-" { Ok(Operand::Stdin) } else { values::key_ref(text).map(Operand::Key) }
}

/// One or several keys.
#[derive(Debug, clap::Args)]
pub(super) struct KeyOperands {
    /// An id, an exact name, or the first 8 or more characters of an id; `-` reads them from standard input, one a line
    #[arg(value_name = "KEY", required = true, value_parser = operand, add = values::keys())]
    keys: Vec<Operand>,
    /// Decides between keys of one name
    #[arg(long, alias = "environment", value_name = "ENV", add = values::environments())]
    pub(super) env: Option<Environment>,
    /// Reply with a list, also for one key
    #[arg(long)]
    items: bool,
}

/// Keys, where something else may say which.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct MaybeKeys {
    /// An id, an exact name, or the first 8 or more characters of an id; `-` reads them from standard input, one a line
    #[arg(value_name = "KEY", value_parser = operand, add = values::keys())]
    keys: Vec<Operand>,
    /// Decides between keys of one name; with a filter, keys of this environment
    #[arg(long, alias = "environment", value_name = "ENV", add = values::environments())]
    pub(super) env: Option<Environment>,
    /// Reply with a list, also for one key
    #[arg(long)]
    items: bool,
}

/// The keys that were named, and the shape that the reply has for it: what was typed decides, not what was found.
pub(super) struct Named {
    pub(super) keys: Vec<KeyRef>,
    /// Exactly one key was typed, and no list was asked for: the reply is one object.
    pub(super) single: bool,
}

impl KeyOperands {
    /// The keys.
    ///
    /// # Errors
    /// `Usage` when standard input cannot be read, or names what is no key.
    pub(super) fn named(&self, cx: &mut Ctx) -> Result<Named> {
        named(cx, &self.keys, self.items)
    }
}

impl MaybeKeys {
    /// Whether none is named.
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether standard input names them.
    pub(super) fn is_stdin(&self) -> bool {
        matches!(self.keys.as_slice(), [Operand::Stdin])
    }

    /// The key, where exactly one is typed and no list is asked for.
    pub(super) fn one(&self) -> Option<&KeyRef> {
        match self.keys.as_slice() {
            [Operand::Key(key)] if !self.items => Some(key),
            _ => None,
        }
    }

    /// Names a key that was chosen otherwise.
    pub(super) fn choose(&mut self, key: KeyRef) {
        self.keys = vec![Operand::Key(key)];
    }

    /// The keys.
    ///
    /// # Errors
    /// `Usage` when standard input cannot be read, or names what is no key.
    pub(super) fn named(&self, cx: &mut Ctx) -> Result<Named> {
        named(cx, &self.keys, self.items)
    }
}

fn named(cx: &mut Ctx, operands: &[Operand], items: bool) -> Result<Named> {
    if let [Operand::Stdin] = operands {
        return Ok(Named { keys: from_stdin(cx)?, single: false });
    }
    let keys = operands.iter().map(|operand| match operand {
        Operand::Key(key) => Ok(key.clone()),
        Operand::Stdin => Err(Error::usage("'-' reads the keys from standard input, and others are named beside it")),
    });
    let keys: Vec<KeyRef> = keys.collect::<Result<_>>()?;
    Ok(Named { single: keys.len() == 1 && !items, keys })
}

fn from_stdin(cx: &mut Ctx) -> Result<Vec<KeyRef>> {
    const LONGEST: u64 = 64 * 1024 * 1024;
    let mut text = String::new();
    let read = (&mut *cx.out.streams.stdin).take(LONGEST).read_to_string(&mut text);
    read.map_err(|error| Error::usage("no keys from standard input").cause(error.to_string()))?;
    let lines = text.lines().map(|line| line.trim_end_matches('\r')).enumerate().filter(|(_, line)| !line.is_empty());
    lines
        .map(|(at, line)| values::key_ref(line).map_err(|why| Error::usage(format!("stdin:{}: {why}", at + 1))))
        .collect()
}

/// Writes keys in the shape that was typed. A line of JSON, and a row of CSV, has one form however many there are.
pub(super) fn reply(cx: &mut Ctx, single: bool, mut keys: Vec<Value>) -> Result<()> {
    const LIST: &str = "keyward.key-list/v1";
    let of_rows = cx.out.options.field.is_none() && matches!(cx.format(), Format::Jsonl | Format::Csv);
    let report = if single && !of_rows && keys.len() == 1 {
        Report::item("keyward.key/v1", "key", keys.remove(0), None).with_columns(columns::KEY)
    } else {
        let (page, columns) =
            (Page::whole(keys.len()), if cx.format() == Format::Csv { columns::KEY } else { columns::KEYS });
        Report::list(LIST, keys, page, columns, "name")
    };
    let dry_run = cx.global.dry_run;
    cx.emit(&report.dry_run(dry_run))
}

/// The keys of somebody or something.
#[derive(Debug, clap::Args)]
pub(super) struct KeysOf {
    /// Keys of this environment
    #[arg(long, alias = "environment", value_name = "ENV", add = values::environments())]
    pub(super) env: Option<Environment>,
    /// Keys of this owner
    #[arg(long, value_parser = values::wanted)]
    pub(super) owner: Option<String>,
    /// Your own keys: made by you, or owned by you, as `keyward whoami` names you
    #[arg(long)]
    pub(super) mine: bool,
    /// Keys of this project
    #[arg(long, value_name = "P")]
    pub(super) project: Option<String>,
}

/// One key.
#[derive(Debug, clap::Args)]
pub(super) struct KeyOperand {
    /// An id, an exact name, or the first 8 or more characters of an id
    #[arg(value_name = "KEY", value_parser = values::key_ref, add = values::keys())]
    pub(super) key: KeyRef,
    /// Decides between keys of one name
    #[arg(long, alias = "environment", value_name = "ENV", add = values::environments())]
    pub(super) env: Option<Environment>,
}

/// The keys that operands mean, each once. One that means none keeps its place, to fail there.
pub(super) fn distinct(
    cx: &mut Ctx,
    keys: &[KeyRef],
    environment: Option<Environment>,
) -> Result<Vec<(KeyRef, Result<KeyView>)>> {
    let backend = cx.backend()?;
    let (mut seen, mut meant) = (HashSet::new(), Vec::with_capacity(keys.len()));
    for key in keys {
        let view = backend.ask(&cx.operation(), &Show { key: key.clone(), environment });
        if let Ok(view) = &view
            && !seen.insert(view.id.clone())
        {
            cx.note(&format!("named more than once, and taken once: {} ({})", view.name, view.id));
            continue;
        }
        meant.push((key.clone(), view));
    }
    Ok(meant)
}

/// Acts on every key in turn. A single failure is the command's own; among several, each is told in its place, and the
/// rest goes on.
pub(super) fn each<K, T>(
    cx: &mut Ctx,
    keys: &[K],
    mut act: impl FnMut(&mut Ctx, &K) -> Result<T>,
) -> Result<(Vec<T>, u8)> {
    let (mut done, mut failures) = (Vec::new(), Vec::new());
    for key in keys {
        match act(cx, key) {
            Ok(value) => done.push(value),
            Err(error) if keys.len() == 1 => return Err(error),
            Err(error) => {
                cx.error(&error);
                failures.push(error);
            }
        }
    }
    let code = outcome(!done.is_empty(), &failures);
    Ok((done, code))
}

/// The exit code of an action on several keys, of which some failed.
pub(super) fn outcome(any_done: bool, failures: &[Error]) -> u8 {
    // Nothing at all worked, and always for the same kind of reason: then that is the reason.
    let exit = match failures.first() {
        None => Exit::Ok,
        Some(first) if !any_done && failures.iter().all(|error| error.kind == first.kind) => first.kind.into(),
        Some(_) => Exit::Partial,
    };
    exit.code()
}
