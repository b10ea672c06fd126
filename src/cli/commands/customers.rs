//! `customers`: what a key can be narrowed to.

use super::objects::{self, Verb, Words};
use crate::{
    cli::{columns, context::Ctx, values},
    ops::{ObjectChange, ObjectKind, Result},
};

/// Customers of a workspace
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  keyward customers create contoso\n  keyward customers list")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the customers
    #[command(after_help = "Example:\n  keyward customers list -o json")]
    List,
    /// Create a customer
    #[command(after_help = "Example:\n  keyward customers create contoso")]
    Create {
        /// Its name
        #[arg(value_parser = values::name)]
        name: String,
        #[command(flatten)]
        fields: Fields,
    },
    /// Show a customer
    #[command(after_help = "Example:\n  keyward customers show contoso")]
    Show {
        /// Its name
        name: String,
    },
    /// Update a customer
    #[command(after_help = "Example:\n  keyward customers update contoso --description 'since 2024'")]
    Update {
        /// Its name
        name: String,
        #[command(flatten)]
        fields: Fields,
    },
    /// Delete a customer that nothing refers to
    #[command(after_help = "Example:\n  keyward customers delete contoso --yes")]
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
    kind: ObjectKind::Customer,
    schema: "keyward.customer/v1",
    list_schema: "keyward.customer-list/v1",
    columns: columns::MEMBERS,
};

/// Reads or changes customers.
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
