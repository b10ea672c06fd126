//! `delete`: removes keys for good, after a confirmation that names the key, or how many there are. Their audit trail stays.

use super::switching::IfIdle;
use crate::{
    cli::{
        columns,
        context::Ctx,
        exit::Exit,
        in_slices,
        operand::reply,
        prompt,
        selection::{Caution, What, Which},
    },
    domain::{KeyRef, text::hides},
    ops::{Context, Delete, Error, KeyView, Kind, Result, Show, many::KeyChange},
};
use serde_json::json;

/// Delete keys for good; their audit trail stays
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  keyward delete billing-sync --confirm billing-sync --reason \
    'system switched off'\n  keyward delete billing-sync --confirm billing-sync --only-if-idle 30d\n  \
    keyward delete --status revoked --never-used --yes --max 100")]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// The key's name, as confirmation; --yes is not enough for a key that is named
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
    #[command(flatten)]
    idle: IfIdle,
}

/// Deletes keys.
pub(crate) fn run(cx: &mut Ctx, args: Args) -> Result<u8> {
    let Args { which, confirm, idle: IfIdle { period: only_if_idle } } = args;
    let meant = which.meant(cx)?;
    let environment = meant.environment();
    if let Some(key) = meant.one().cloned() {
        return delete_one(cx, Delete { key, environment, only_if_idle }, confirm.as_deref());
    }
    if confirm.is_some() {
        return Err(Error::usage("--confirm names one key, and several are meant")
            .hint("--yes --max N confirms how many there are at most"));
    }
    let chosen = meant.decide(cx, &What { asked: "Delete for good", caution: Caution::Count })?;
    let change = |key: &KeyRef| KeyChange::Delete(Delete { key: key.clone(), environment, only_if_idle });
    let (deleted, code) = in_slices::change(cx, &chosen, "deleting keys", change, |cx, one| tell(cx, &one.key))?;
    if cx.reply_asked() {
        let written = reply(cx, chosen.single, deleted);
        cx.after_change(written)?;
    }
    Ok(code)
}

fn delete_one(cx: &mut Ctx, asked: Delete, confirmed: Option<&str>) -> Result<u8> {
    let backend = cx.backend()?;
    let Delete { key, environment, only_if_idle } = asked;
    let show = Show { key: key.clone(), environment };
    let found = backend.ask(&cx.operation(), &show).or_else(|error| {
        // Whoever may not even look is told that it may not delete, which is what it asked for.
        let dry = Context { dry_run: true, ..cx.operation() };
        match error.kind {
            Kind::Forbidden => {
                backend.change(&dry, Delete { key, environment, only_if_idle }).map(|deleted| deleted.key)
            }
            _ => Err(error),
        }
    })?;
    let question = format!("delete {} '{}' of {} for good", found.id, found.name, found.environment);
    // A name that cannot be typed as it is shown confirms nothing: then the id does.
    let name = if found.name.chars().any(hides) { &found.id } else { &found.name };
    prompt::confirm_name(cx, name, confirmed, &question)?;
    // By id from here on: what was confirmed is what is deleted, whatever happens to names meanwhile.
    let key: KeyRef = found.id.parse().map_err(|_| Error::usage("the id of the key found is no id"))?;
    let deleted = backend.change(&cx.operation(), Delete { key, environment: None, only_if_idle })?;
    tell(cx, &deleted.key);
    cx.item_if_asked("keyward.key/v1", "key", json!(deleted.key), columns::KEY)?;
    Ok(Exit::Ok.code())
}

fn tell(cx: &mut Ctx, key: &KeyView) {
    let verb = if cx.global.dry_run { "would delete" } else { "deleted" };
    cx.note(&format!("{verb}: {} ({})", key.name, key.id));
}
