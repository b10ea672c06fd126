//! `plans`: what a workspace is entitled to.

use super::objects::{self, Verb, Words};
use crate::{
    cli::{columns, context::Ctx, values},
    ops::{ObjectChange, ObjectKind, Result},
};

/// Plans: what a workspace is entitled to
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  keyward plans create small\n  keyward plans list")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the plans
    #[command(after_help = "Example:\n  keyward plans list -o json")]
    List,
    /// Create a plan
    #[command(after_help = "Example:\n  keyward plans create small")]
    Create {
        /// Its name
        #[arg(value_parser = values::name)]
        name: String,
        #[command(flatten)]
        fields: Fields,
    },
    /// Show a plan
    #[command(after_help = "Example:\n  keyward plans show small")]
    Show {
        /// Its name
        name: String,
    },
    /// Update a plan
    #[command(after_help = "Example:\n  keyward plans update small --max-keys 10")]
    Update {
        /// Its name
        name: String,
        #[command(flatten)]
        fields: Fields,
    },
    /// Delete a plan that nothing refers to
    #[command(after_help = "Example:\n  keyward plans delete small --yes")]
    Delete {
        /// Its name
        name: String,
    },
}

#[derive(Debug, clap::Args)]
struct Fields {
    /// Whether its keys work at all
    #[arg(long, value_name = "true|false")]
    api_access: Option<bool>,
    /// How many keys a workspace may have, or none for no cap
    #[arg(long, value_name = "N", value_parser = values::cap)]
    max_keys: Option<values::CapArg>,
    /// The highest rate limit of a key, or none for no cap
    #[arg(long, value_name = "N/UNIT", value_parser = values::rate_limit)]
    max_rate_limit: Option<values::RateLimitArg>,
    /// Whether the audit trail can be seen
    #[arg(long, value_name = "true|false")]
    audit_view: Option<bool>,
    /// Whether the audit trail can be exported
    #[arg(long, value_name = "true|false")]
    audit_export: Option<bool>,
}

impl From<Fields> for ObjectChange {
    fn from(fields: Fields) -> Self {
        Self {
            api_access: fields.api_access,
            max_keys: fields.max_keys.map(|cap| cap.0),
            max_rate_limit: fields.max_rate_limit.map(|limit| limit.0),
            audit_view: fields.audit_view,
            audit_export: fields.audit_export,
            ..Self::default()
        }
    }
}

const WORDS: Words = Words {
    kind: ObjectKind::Plan,
    schema: "keyward.plan/v1",
    list_schema: "keyward.plan-list/v1",
    columns: columns::PLANS,
};

/// Reads or changes plans.
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
