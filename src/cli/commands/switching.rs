//! What `activate`, `deactivate` and `revoke` share: switching keys, one line each.

use crate::{
    cli::{
        asking,
        context::Ctx,
        operand::{KeyOperands, each, reply},
        values,
    },
    ops::{Result, Switch, SwitchKey},
};
use chrono::TimeDelta;
use serde_json::json;

/// What ends only if nobody needs it any more.
#[derive(Debug, clap::Args)]
pub(super) struct IfIdle {
    /// Refuse while the key was seen in use within this time, and say from where
    #[arg(long = "only-if-idle", value_name = "D", value_parser = values::duration)]
    pub(super) period: Option<TimeDelta>,
}

/// Switches every key and tells what came of it.
pub(super) fn switch_all(
    cx: &mut Ctx,
    operands: &KeyOperands,
    switch: Switch,
    only_if_idle: Option<TimeDelta>,
) -> Result<u8> {
    let backend = cx.backend()?;
    let named = operands.named(cx)?;
    match switch {
        Switch::Activate => {}
        Switch::Deactivate => asking::before(cx, "Deactivate", &named.keys, operands.env)?,
        Switch::Revoke => asking::before(cx, "Revoke for ever", &named.keys, operands.env)?,
    }
    let (switched, code) = each(cx, &named.keys, |cx, key| {
        let request = SwitchKey { key: key.clone(), environment: operands.env, switch, only_if_idle };
        let switched = backend.switch(&cx.operation(), request)?;
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
