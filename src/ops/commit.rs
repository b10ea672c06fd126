//! The one door to a commit: what a change tells is checked, goes to the webhooks that wait for it, and is recorded, all in
//! the transaction of the change. Nothing is kept without an event.

use super::{Context, Result, free_text, webhooks};
use crate::{domain::Event, store::Tx};

/// Commits a change with its events. Without an event nothing was changed, and in a dry run nothing is: then the transaction
/// ends with nothing kept.
///
/// # Errors
/// `Usage` for a secret in a text that would be recorded; those of the store. Nothing is changed then.
pub fn commit(mut tx: Tx<'_>, cx: &Context, events: Vec<Event>) -> Result<()> {
    free_text::of_events(&events)?;
    if cx.dry_run || events.is_empty() {
        return Ok(());
    }
    webhooks::enqueue(&mut tx, cx, &events)?;
    tx.commit_all(events)?;
    Ok(())
}

/// Commits what happened while nobody could sign it. What holds a secret is left out: it would stand in the trail for ever,
/// and one such line in the journal, which others can write, must not keep an admin out.
///
/// # Errors
/// Those of the store.
pub fn commit_journal(tx: Tx<'_>, cx: &Context, mut events: Vec<Event>) -> Result<()> {
    let told = events.len();
    events.retain(|event| free_text::of_events(std::slice::from_ref(event)).is_ok());
    if events.len() < told {
        tracing::warn!(lines = told - events.len(), "lines of the journal hold secrets and are not recorded");
    }
    commit(tx, cx, events)
}
