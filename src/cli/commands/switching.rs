//! What `activate`, `deactivate` and `revoke` share: switching keys, one line each.

use crate::{
    cli::{
        asking,
        context::Ctx,
        operand::{KeyOperands, each, reply},
    },
    ops::{Result, Switch},
};
use serde_json::json;

/// Switches every key and tells what came of it.
pub(super) fn switch_all(cx: &mut Ctx, operands: &KeyOperands, switch: Switch) -> Result<u8> {
    let backend = cx.backend()?;
    let named = operands.named(cx)?;
    match switch {
        Switch::Activate => {}
        Switch::Deactivate => asking::before(cx, "Deactivate", &named.keys, operands.env)?,
        Switch::Revoke => asking::before(cx, "Revoke for ever", &named.keys, operands.env)?,
    }
    let (switched, code) = each(cx, &named.keys, |cx, key| {
        let switched = backend.switch(&cx.operation(), key, operands.env, switch)?;
        let (would, verb) = (cx.global.dry_run, word(switch));
        cx.note(&match (switched.changed, would) {
            (true, true) => format!("would be {verb}: {} ({})", switched.key.name, switched.key.id),
            (true, false) => format!("{verb}: {} ({})", switched.key.name, switched.key.id),
            (false, _) => format!("already so: {} ({}) is {}", switched.key.name, switched.key.id, switched.key.status),
        });
        Ok(json!(switched.key))
    })?;
    if cx.reply_asked() {
        let written = reply(cx, named.single, switched);
        cx.after_change(written)?;
    }
    Ok(code)
}

fn word(switch: Switch) -> &'static str {
    match switch {
        Switch::Activate => "activated",
        Switch::Deactivate => "deactivated",
        Switch::Revoke => "revoked",
    }
}
