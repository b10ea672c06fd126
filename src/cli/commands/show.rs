//! `show`: everything about a key but its secret.

use crate::{
    cli::{columns, context::Ctx, exit::Exit, operand::KeyOperands},
    ops::{Result, Show},
};
use serde_json::json;
use std::collections::HashSet;

/// Show everything about keys but their secrets
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  keyward show billing-sync\n  keyward show key_4fK2 --field key.expires_at")]
pub(crate) struct Args {
    #[command(flatten)]
    keys: KeyOperands,
}

/// Shows one key, or a list of several.
pub(crate) fn run(cx: &mut Ctx, args: &Args) -> Result<u8> {
    let backend = cx.backend()?;
    let (mut seen, mut keys) = (HashSet::new(), Vec::new());
    for key in &args.keys.keys {
        let request = Show { key: key.clone(), environment: args.keys.env };
        let view = backend.show(&cx.operation(), &request)?;
        if seen.insert(view.id.clone()) {
            keys.push(json!(view));
        } else {
            cx.note(&format!("named more than once, and shown once: {} ({})", view.name, view.id));
        }
    }
    if keys.len() == 1 {
        cx.item("keyward.key/v1", "key", keys.remove(0), columns::KEY)?;
    } else {
        let total = keys.len();
        cx.list("keyward.key-list/v1", keys, total, columns::KEYS)?;
    }
    Ok(Exit::Ok.code())
}
