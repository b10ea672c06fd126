//! What `workspaces`, `projects`, `customers` and `plans` share: list, create, show, update, delete.

use crate::{
    cli::{context::Ctx, exit::Exit, prompt, values},
    ops::{
        CreateObject, DeleteObject, Error, ListObjects, ObjectChange, ObjectKind, ObjectView, Result, ShowObject,
        UpdateObject,
    },
    output::Column,
};
use std::fmt::Debug;

/// A kind of object: what can be said of one, and the words of its help and its replies.
pub(crate) trait Kind: Debug {
    /// What can be set.
    type Fields: clap::Args + Into<ObjectChange> + Debug;
    /// Which kind.
    const KIND: ObjectKind;
    /// The line of help above all.
    const ABOUT: &'static str;
    /// The command.
    const COMMAND: &'static str;
    /// What one is for, below the examples.
    const MEANS: &'static str = "";
    /// A name for the examples.
    const EXAMPLE: &'static str;
    /// What the examples of `update` say after the command.
    const UPDATES: &'static [&'static str];
    /// The schema of one.
    const SCHEMA: &'static str;
    /// The schema of a list.
    const LIST_SCHEMA: &'static str;
    /// The columns.
    const COLUMNS: &'static [Column];
}

#[derive(Debug, clap::Args)]
#[command(about = K::ABOUT, after_help = overview::<K>())]
pub(crate) struct Args<K: Kind> {
    #[command(subcommand)]
    command: Command<K>,
}

#[derive(Debug, clap::Subcommand)]
enum Command<K: Kind> {
    #[command(about = format!("List the {}", K::COMMAND), after_help = examples::<K>(&["list -o json"]))]
    List,
    #[command(about = format!("Create a {}", K::KIND.noun()), after_help = examples::<K>(&[&create::<K>()]))]
    Create {
        /// Its name
        #[arg(value_parser = values::name)]
        name: String,
        #[command(flatten)]
        fields: K::Fields,
    },
    #[command(about = format!("Show a {}", K::KIND.noun()), after_help = examples::<K>(&[&format!("show {}", K::EXAMPLE)]))]
    Show {
        /// Its name
        name: String,
    },
    #[command(about = format!("Update a {}", K::KIND.noun()), after_help = updates::<K>())]
    Update {
        /// Its name
        name: String,
        #[command(flatten)]
        fields: K::Fields,
    },
    #[command(
        about = format!("Delete a {} that nothing refers to", K::KIND.noun()),
        after_help = examples::<K>(&[&format!("delete {} --yes", K::EXAMPLE)])
    )]
    Delete {
        /// Its name
        name: String,
    },
}

fn overview<K: Kind>() -> String {
    let examples = examples::<K>(&[&create::<K>(), "list"]);
    if K::MEANS.is_empty() { examples } else { format!("{examples}\n\n{}", K::MEANS) }
}

fn create<K: Kind>() -> String {
    format!("create {}", K::EXAMPLE)
}

fn updates<K: Kind>() -> String {
    let lines: Vec<String> = K::UPDATES.iter().map(|rest| format!("update {rest}")).collect();
    examples::<K>(&lines.iter().map(String::as_str).collect::<Vec<_>>())
}

fn examples<K: Kind>(lines: &[&str]) -> String {
    let head = if lines.len() == 1 { "Example:" } else { "Examples:" };
    lines.iter().fold(head.to_owned(), |text, line| format!("{text}\n  keyward {} {line}", K::COMMAND))
}

/// What a customer and a project have.
#[derive(Debug, clap::Args)]
pub(crate) struct Described {
    /// What it is, in words; empty clears it
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
}

impl From<Described> for ObjectChange {
    fn from(fields: Described) -> Self {
        Self { description: fields.description.map(values::clearable), ..Self::default() }
    }
}

/// Reads or changes objects, and tells.
pub(crate) fn run<K: Kind>(cx: &mut Ctx, args: Args<K>) -> Result<u8> {
    let (operation, kind) = (cx.operation(), K::KIND);
    match args.command {
        Command::List => {
            let rows: Vec<_> = cx
                .backend()?
                .ask(&operation, &ListObjects { kind })?
                .items
                .into_iter()
                .map(|object| object.fields)
                .collect();
            let total = rows.len();
            cx.list(K::LIST_SCHEMA, rows, total, K::COLUMNS)?;
        }
        Command::Show { name } => {
            let object = cx.backend()?.ask(&operation, &ShowObject { kind, name })?;
            cx.item(K::SCHEMA, kind.noun(), object.fields, K::COLUMNS)?;
        }
        Command::Create { name, fields } => {
            let request = CreateObject { kind, name, change: fields.into() };
            cx.try_if_new(|backend, dry| backend.change(dry, request.clone()).map(drop))?;
            let object = cx.backend_or_new()?.change(&operation, request)?;
            told::<K>(cx, "created", "would create", object)?;
        }
        Command::Update { name, fields } => {
            let change: ObjectChange = fields.into();
            if change == ObjectChange::default() {
                return Err(
                    Error::usage("nothing to change was given").hint(format!("keyward {} update --help", K::COMMAND))
                );
            }
            let object = cx.backend()?.change(&operation, UpdateObject { kind, name, change })?;
            told::<K>(cx, "updated", "would update", object)?;
        }
        Command::Delete { name } => {
            let backend = cx.backend()?;
            backend.ask(&operation, &ShowObject { kind, name: name.clone() })?;
            prompt::confirm(cx, &format!("Delete the {} '{name}'?", kind.noun()))?;
            let object = backend.change(&operation, DeleteObject { kind, name })?;
            told::<K>(cx, "deleted", "would delete", object)?;
        }
    }
    Ok(Exit::Ok.code())
}

fn told<K: Kind>(cx: &mut Ctx, did: &str, would: &str, object: ObjectView) -> Result<()> {
    let verb = if cx.global.dry_run { would } else { did };
    cx.note(&format!("{verb} the {} '{}'", K::KIND.noun(), object.name));
    cx.item_if_asked(K::SCHEMA, K::KIND.noun(), object.fields, K::COLUMNS)
}
