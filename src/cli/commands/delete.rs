//! `delete`: removes a key for good, after a confirmation that names it. Its audit trail stays.

use super::switching::IfIdle;
use crate::{
    cli::{columns, context::Ctx, exit::Exit, operand::KeyOperand, prompt},
    domain::{Environment, KeyRef, text::hides},
    ops::{Context, Delete, Error, Kind, Result, Show},
};
use serde_json::json;

/// Delete a key for good; its audit trail stays
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  keyward delete billing-sync --confirm billing-sync --reason 'system switched off'\n  \
    keyward delete billing-sync --confirm billing-sync --only-if-idle 30d"
)]
pub(crate) struct Args {
    #[command(flatten)]
    key: KeyOperand,
    /// The key's name, as confirmation; --yes is not enough
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
    #[command(flatten)]
    idle: IfIdle,
}

/// Deletes a key.
pub(crate) fn run(cx: &mut Ctx, args: &Args) -> Result<u8> {
    let backend = cx.backend()?;
    let show = Show { key: args.key.key.clone(), environment: args.key.env };
    let found = backend.ask(&cx.operation(), &show).or_else(|error| {
        // Whoever may not even look is told that it may not delete, which is what it asked for.
        let (dry, asked) =
            (Context { dry_run: true, ..cx.operation() }, delete(args.key.key.clone(), args.key.env, args));
        match error.kind {
            Kind::Forbidden => backend.change(&dry, asked).map(|deleted| deleted.key),
            _ => Err(error),
        }
    })?;
    let question = format!("delete {} '{}' of {} for good", found.id, found.name, found.environment);
    // A name that cannot be typed as it is shown confirms nothing: then the id does.
    let name = if found.name.chars().any(hides) { &found.id } else { &found.name };
    prompt::confirm_name(cx, name, args.confirm.as_deref(), &question)?;
    // By id from here on: what was confirmed is what is deleted, whatever happens to names meanwhile.
    let key: KeyRef = found.id.parse().map_err(|_| Error::usage("the id of the key found is no id"))?;
    let deleted = backend.change(&cx.operation(), delete(key, None, args))?;
    let verb = if cx.global.dry_run { "would delete" } else { "deleted" };
    cx.note(&format!("{verb}: {} ({})", deleted.key.name, deleted.key.id));
    cx.item_if_asked("keyward.key/v1", "key", json!(deleted.key), columns::KEY)?;
    Ok(Exit::Ok.code())
}

fn delete(key: KeyRef, environment: Option<Environment>, args: &Args) -> Delete {
    Delete { key, environment, only_if_idle: args.idle.period }
}
