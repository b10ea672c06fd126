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
    #[command(
        after_help = "Example:\n  keyward workspaces update acme --plan premium\n  keyward workspaces update default --rotate-every 90d --max-lifetime 180d"
    )]
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
    /// How often the secrets of its new keys are rotated, or none
    #[arg(long, value_name = "D", value_parser = values::duration_or_none)]
    rotate_every: Option<values::DurationArg>,
    /// How long old secrets of its keys go on working after a rotation, or none for 24h
    #[arg(long, value_name = "D", value_parser = values::duration_or_none)]
    overlap: Option<values::DurationArg>,
    /// The longest its keys may live, or none
    #[arg(long, value_name = "D", value_parser = values::duration_or_none)]
    max_lifetime: Option<values::DurationArg>,
}

impl From<Fields> for ObjectChange {
    fn from(fields: Fields) -> Self {
        Self {
            description: fields.description,
            plan: fields.plan,
            rotate_every: fields.rotate_every.map(|every| every.0),
            overlap: fields.overlap.map(|overlap| overlap.0),
            max_lifetime: fields.max_lifetime.map(|longest| longest.0),
            ..Self::default()
        }
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
