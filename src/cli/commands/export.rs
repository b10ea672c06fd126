//! `export`: the keys as a file that `apply` reads.

use crate::{
    cli::{context::Ctx, declared, exit::Exit, values},
    domain::{Environment, Search},
    ops::{Error, ExportKeys, Result},
    output::Format,
};
use serde_json::json;

/// Print the keys as a file that `apply` and `diff` read, without secrets
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  keyward export > keys.toml\n  keyward export --env production --label team=billing > billing.toml\n  \
    keyward export web shop -o json\n  \
    keyward export -o json > keys.json\n\n\
    Keys that have expired or were revoked are left out. Applying what was exported changes nothing."
)]
pub(crate) struct Args {
    /// Only keys in whose name, description, owner or labels this word is found, in whatever case; of several words, each
    #[arg(value_name = "WORD", value_parser = values::words)]
    words: Vec<Search>,
    /// Only keys of an environment
    #[arg(long, alias = "environment", value_name = "ENV", add = values::environments())]
    env: Option<Environment>,
    /// Only keys of an owner
    #[arg(long, value_parser = values::wanted)]
    owner: Option<String>,
    /// Only keys with a label, as key or key=value; may be repeated
    #[arg(long, value_name = "K[=V]", value_parser = values::label_filter)]
    label: Vec<(String, Option<String>)>,
}

/// Prints the keys.
pub(crate) fn run(cx: &mut Ctx, args: Args) -> Result<u8> {
    if !cx.out.options.columns.is_empty() {
        return Err(Error::usage("what is exported has all its fields: leave out --columns").hint("keyward list"));
    }
    let q = values::searched(args.words);
    let request =
        ExportKeys { environment: args.env, owner: args.owner, labels: args.label, q, ..ExportKeys::default() };
    match cx.format() {
        Format::Table | Format::Wide if cx.out.options.field.is_none() => {
            let keys = cx.backend()?.ask(&cx.operation(), &request)?;
            cx.raw(declared::to_toml(&keys).as_bytes())?;
        }
        Format::Csv | Format::Name | Format::Markdown => {
            return Err(Error::usage("keys are exported as TOML, or as JSON with -o json").hint("keyward list -o csv"));
        }
        _ => {
            let keys = cx.backend()?.ask(&cx.operation(), &request)?;
            cx.flat(declared::SCHEMA, json!({ "keys": declared::to_json(&keys) }), "keys")?;
        }
    }
    Ok(Exit::Ok.code())
}
