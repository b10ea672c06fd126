//! What `activate`, `deactivate` and `revoke` share: switching keys, one line each.

use crate::{
    cli::{
        context::Ctx,
        in_slices,
        operand::{each, reply},
        selection::{Caution, What, Which},
        values,
    },
    domain::{Environment, KeyRef},
    ops::{Activate, Deactivate, KeyView, Result, Revoke, Switch, SwitchKey, many::KeyChange},
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
pub(super) fn switch_all(cx: &mut Ctx, which: Which, switch: Switch, only_if_idle: Option<TimeDelta>) -> Result<u8> {
    let (backend, meant) = (cx.backend()?, which.meant(cx)?);
    let environment = meant.environment();
    let (asked, doing) = match switch {
        Switch::Activate => ("Activate", "activating keys"),
        Switch::Deactivate => ("Deactivate", "deactivating keys"),
        Switch::Revoke => ("Revoke for ever", "revoking keys"),
    };
    let caution = if switch == Switch::Activate { Caution::None } else { Caution::Ask };
    let chosen = meant.decide(cx, &What { asked, caution })?;
    let (switched, code) = if chosen.many {
        let change = |key: &KeyRef| one_of_many(key.clone(), switch, environment, only_if_idle);
        in_slices::change(cx, &chosen, doing, change, |cx, one| tell(cx, switch, &one.key, one.changed))?
    } else {
        each(cx, &chosen.keys, |cx, key| {
            let request = SwitchKey { key: key.clone(), environment, switch, only_if_idle };
            let switched = backend.switch(&cx.operation(), request)?;
            tell(cx, switch, &switched.key, switched.changed);
            Ok(json!(switched.key))
        })?
    };
    if cx.reply_asked() {
        let written = reply(cx, chosen.single, switched);
        cx.after_change(written)?;
    }
    Ok(code)
}

fn one_of_many(
    key: KeyRef,
    switch: Switch,
    environment: Option<Environment>,
    only_if_idle: Option<TimeDelta>,
) -> KeyChange {
    match switch {
        Switch::Activate => KeyChange::Activate(Activate { key, environment }),
        Switch::Deactivate => KeyChange::Deactivate(Deactivate { key, environment, only_if_idle }),
        Switch::Revoke => KeyChange::Revoke(Revoke { key, environment, only_if_idle }),
    }
}

fn tell(cx: &mut Ctx, switch: Switch, key: &KeyView, changed: bool) {
    let (would, verb) = (cx.global.dry_run, word(switch));
    cx.note(&match (changed, would) {
        (true, true) => format!("would be {verb}: {} ({})", key.name, key.id),
        (true, false) => format!("{verb}: {} ({})", key.name, key.id),
        (false, _) => format!("already so: {} ({}) is {}", key.name, key.id, key.status),
    });
}

fn word(switch: Switch) -> &'static str {
    match switch {
        Switch::Activate => "activated",
        Switch::Deactivate => "deactivated",
        Switch::Revoke => "revoked",
    }
}
