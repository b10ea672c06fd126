//! `show`: everything about a key but its secret.

use crate::{
    cli::{
        context::Ctx,
        operand::{KeyOperands, distinct, each, reply},
    },
    ops::Result,
};
use serde_json::json;

/// Show everything about keys but their secrets
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  keyward show billing-sync\n  keyward show key_4fK2 --field key.expires_at\n  \
    keyward list --expires-within 14d -q | keyward show - -o json")]
pub(crate) struct Args {
    #[command(flatten)]
    keys: KeyOperands,
}

/// Shows one key, or a list of several. One that is not there fails in its place, as with every command on several keys.
pub(crate) fn run(cx: &mut Ctx, args: &Args) -> Result<u8> {
    let named = args.keys.named(cx)?;
    let keys = distinct(cx, &named.keys, args.keys.env)?;
    let (shown, code) = each(cx, &keys, |_, (_, view)| view.as_ref().map(|view| json!(view)).map_err(Clone::clone))?;
    reply(cx, named.single, shown)?;
    Ok(code)
}
