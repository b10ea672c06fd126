//! What `activate`, `deactivate` and `revoke` share: switching keys, one line each.

use crate::{
    cli::{
        asking, columns,
        context::Ctx,
        operand::{KeyOperands, each},
    },
    ops::{Result, Switch},
};
use serde_json::json;

/// Switches every key and tells what came of it.
pub(super) fn switch_all(cx: &mut Ctx, operands: &KeyOperands, switch: Switch) -> Result<u8> {
    let backend = cx.backend()?;
    match switch {
        Switch::Activate => {}
        Switch::Deactivate => asking::before(cx, "Deactivate", &operands.keys, operands.env)?,
        Switch::Revoke => asking::before(cx, "Revoke for ever", &operands.keys, operands.env)?,
    }
    let single = operands.keys.len() == 1;
    let (mut switched, code) = each(cx, &operands.keys, |cx, key| {
        let switched = backend.switch(&cx.operation(), key, operands.env, switch)?;
        let (would, verb) = (cx.global.dry_run, word(switch));
        cx.note(&match (switched.changed, would) {
            (true, true) => format!("would be {verb}: {} ({})", switched.key.name, switched.key.id),
            (true, false) => format!("{verb}: {} ({})", switched.key.name, switched.key.id),
            (false, _) => format!("already so: {} ({}) is {}", switched.key.name, switched.key.id, switched.key.status),
        });
        Ok(json!(switched.key))
    })?;
    if single {
        cx.item_if_asked("keyward.key/v1", "key", switched.remove(0), columns::KEY)?;
    } else if cx.reply_asked() {
        let total = switched.len();
        let written = cx.list("keyward.key-list/v1", switched, total, columns::KEYS);
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
