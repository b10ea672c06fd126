//! The question before what cannot be taken back: asked once, of a person at a terminal, with what the keys are used for.
//!
//! A script is not asked: there the command itself is the decision, as ever.

use super::{context::Ctx, prompt};
use crate::{
    domain::{Environment, KeyRef, counted, time::parse_time},
    ops::{KeyView, Result, Show},
    output,
};

/// So many keys are told one by one; the rest is counted.
const TOLD: usize = 10;

/// Asks a person whether these keys are meant. Keys that are not there are left to fail in their place.
///
/// # Errors
/// `Failure` when the answer is no; those of the vault.
pub(super) fn before(cx: &mut Ctx, what: &str, keys: &[KeyRef], environment: Option<Environment>) -> Result<()> {
    if cx.global.yes || cx.global.dry_run || !cx.can_prompt() {
        return Ok(());
    }
    let backend = cx.backend()?;
    let operation = cx.operation();
    let show = |key: &KeyRef| backend.ask(&operation, &Show { key: key.clone(), environment }).ok();
    let mut found: Vec<KeyView> = keys.iter().filter_map(show).collect();
    found.dedup_by(|one, other| one.id == other.id);
    let question = match found.as_slice() {
        [] => return Ok(()),
        [one] => format!("{what} {}?", told(cx, one)),
        several => of_several(cx, what, several, several.len()),
    };
    prompt::confirm(cx, &question)
}

/// The question that names how many keys there are, and tells the first of them.
///
/// # Errors
/// Those of the vault.
pub(super) fn question(cx: &mut Ctx, what: &str, keys: &[KeyRef], environment: Option<Environment>) -> Result<String> {
    let (backend, operation) = (cx.backend()?, cx.operation());
    let show = |key: &KeyRef| backend.ask(&operation, &Show { key: key.clone(), environment });
    let first: Vec<KeyView> = keys.iter().take(TOLD).map(show).collect::<Result<_>>()?;
    Ok(of_several(cx, what, &first, keys.len()))
}

fn of_several(cx: &Ctx, what: &str, keys: &[KeyView], count: usize) -> String {
    let mut all: Vec<String> = keys.iter().take(TOLD).map(|key| told(cx, key)).collect();
    if count > TOLD {
        all.push(format!("and {} more", count - TOLD));
    }
    let these = if count == 1 { "this" } else { "these" };
    format!("{what} {these} {}: {}?", counted(count, "key"), all.join("; "))
}

/// A key by its name and id, and when and from where it was last used.
fn told(cx: &Ctx, key: &KeyView) -> String {
    let used = match key.last_used_at.as_deref().map(parse_time) {
        None => "never used".to_owned(),
        Some(Ok(at)) => format!("last used {}", output::relative(at, cx.now)),
        Some(Err(_)) => "used".to_owned(),
    };
    let from = key.last_used_ip.as_ref().map(|address| format!(" from {address}")).unwrap_or_default();
    format!("{} ({}) of {}, {used}{from}", key.name, key.id, key.environment)
}
