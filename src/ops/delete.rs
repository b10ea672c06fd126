//! Deleting a key for good. Its audit trail stays.

use super::{
    Done,
    context::Context,
    error::Result,
    idle::{self, Seen},
    lookup,
    view::KeyView,
};
use crate::{
    domain::{Action, Environment, KeyRef, Usage},
    store::Tx,
};
use chrono::TimeDelta;
use serde_json::json;

/// A key to be deleted; the caller has confirmed it by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delete {
    /// Which key.
    pub key: KeyRef,
    /// Decides between keys of one name.
    pub environment: Option<Environment>,
    /// Refuses a key that was used within so long.
    pub only_if_idle: Option<TimeDelta>,
}

/// What came of a [`Delete`]: the key as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deleted {
    /// The key as it was.
    pub key: KeyView,
}

/// Deletes a key.
///
/// # Errors
/// `NotFound` or `Conflict` when the reference names none or several; `Conflict` when the key is in use and was to be idle.
pub fn delete(tx: &mut Tx<'_>, cx: &Context, request: &Delete) -> Result<Done<Deleted>> {
    let key = lookup::key(tx, &cx.workspace, &request.key, request.environment)?;
    cx.expects(&key)?;
    if let Some(period) = request.only_if_idle {
        idle::refuse_busy(cx, &key, &key.name, Seen::of_key(tx, &key)?.as_ref(), period)?;
    }
    tx.delete_key(&key)?;
    let view = KeyView::new(&key, &Usage::default(), cx.now);
    let changes = json!({
        "name": view.name, "environment": view.environment, "workspace": view.workspace, "owner": view.owner,
        "status": view.status, "lookups": view.secrets.iter().map(|secret| &secret.lookup).collect::<Vec<_>>(),
    });
    let events = vec![cx.event(Action::KeyDelete, view.id.clone(), changes)];
    Ok(Done { outcome: Deleted { key: view }, events })
}
