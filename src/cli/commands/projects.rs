//! `projects`: what a project-level key is narrowed to.

use super::objects::{self, Verb, Words};
use crate::{
    cli::{columns, context::Ctx, values},
    ops::{ObjectChange, ObjectKind, Result},
};

/// Projects of a workspace
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  keyward projects create shop\n  keyward projects list")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the projects
    #[command(after_help = "Example:\n  keyward projects list -o json")]
    List,
    /// Create a project
    #[command(after_help = "Example:\n  keyward projects create shop")]
    Create {
        /// Its name
        #[arg(value_parser = values::name)]
        name: String,
        #[command(flatten)]
        fields: Fields,
    },
    /// Show a project
    #[command(after_help = "Example:\n  keyward projects show shop")]
    Show {
        /// Its name
        name: String,
    },
    /// Update a project
    #[command(after_help = "Example:\n  keyward projects update shop --description 'the web shop'")]
    Update {
        /// Its name
        name: String,
        #[command(flatten)]
        fields: Fields,
    },
    /// Delete a project that nothing refers to
    #[command(after_help = "Example:\n  keyward projects delete shop --yes")]
    Delete {
        /// Its name
        name: String,
    },
}

#[derive(Debug, clap::Args)]
struct Fields {
    /// What it is, in words
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
}

impl From<Fields> for ObjectChange {
    fn from(fields: Fields) -> Self {
        Self { description: fields.description, ..Self::default() }
    }
}

const WORDS: Words = Words {
    kind: ObjectKind::Project,
    schema: "keyward.project/v1",
    list_schema: "keyward.project-list/v1",
    columns: columns::MEMBERS,
};

/// Reads or changes projects.
pub(crate) fn run(cx: &mut Ctx, args: Args) -> Result<u8> {
    let verb = match args.command {
        Command::List => Verb::List,
        Command::Create { name, fields } => Verb::Create(name, fields.into()),
        Command::Show { name } => Verb::Show(name),
        Command::Update { name, fields } => Verb::Update(name, fields.into()),
        Command::Delete { name } => Verb::Delete(name),
    };
    objects::run(cx, &WORDS, verb)
}
