//! `workspaces`: the tenants, each with a plan.

use super::objects::{self, Verb, Words};
use crate::{
    cli::{columns, context::Ctx, values},
    ops::{ObjectChange, ObjectKind, Result},
};

/// Workspaces: tenants, each with a plan
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  keyward workspaces create acme\n  keyward workspaces list")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the workspaces
    #[command(after_help = "Example:\n  keyward workspaces list -o json")]
    List,
    /// Create a workspace
    #[command(after_help = "Example:\n  keyward workspaces create acme")]
    Create {
        /// Its name
        #[arg(value_parser = values::name)]
        name: String,
        #[command(flatten)]
        fields: Fields,
    },
    /// Show a workspace
    #[command(after_help = "Example:\n  keyward workspaces show acme")]
    Show {
        /// Its name
        name: String,
    },
    /// Update a workspace
    #[command(after_help = "Example:\n  keyward workspaces update acme --plan premium")]
    Update {
        /// Its name
        name: String,
        #[command(flatten)]
        fields: Fields,
    },
    /// Delete a workspace that nothing refers to
    #[command(after_help = "Example:\n  keyward workspaces delete acme --yes")]
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
    /// The plan it is on; `unlimited` for a new one
    #[arg(long, value_name = "PLAN")]
    plan: Option<String>,
}

impl From<Fields> for ObjectChange {
    fn from(fields: Fields) -> Self {
        Self { description: fields.description, plan: fields.plan, ..Self::default() }
    }
}

const WORDS: Words = Words {
    kind: ObjectKind::Workspace,
    schema: "keyward.workspace/v1",
    list_schema: "keyward.workspace-list/v1",
    columns: columns::WORKSPACES,
};

/// Reads or changes workspaces.
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
