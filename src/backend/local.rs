//! The use cases over the local encrypted keystore.
//!
//! Every changing call is one transaction that ends in its events (`change.rs`). A refusal is an event too, in a
//! transaction of its own; where this opening holds no signing key, it goes to the [journal](super::journal) that the next
//! admin absorbs.

use super::{
    Backend, BulkError, Dirs, NewSlot, Rekey, Rekeyed, Runner, SlotView, VaultStatus, journal::Journal, lease::Leases,
    maintenance, rekey, slots, unlock,
};
use crate::ops::identify::{Identified, Identify};
use crate::{
    domain::{Action, Event, Form, KeyId, Time, Verdict},
    ops::{self, Context, CreateMany, Created, Import, KeyView, List, Listed, Result, Verify, commit::commit},
    store::Store,
};
use serde_json::json;
use std::{cell::OnceCell, path::Path};
use zeroize::Zeroizing;

/// An opened local vault.
pub struct Local {
    pub(super) dirs: Dirs,
    pub(super) store: Store,
    /// The same keystore, opened again by who waited while it got new keys.
    pub(super) newer: OnceCell<Store>,
    pub(super) opened_by: unlock::OpenedBy,
    pub(super) leases: Leases,
    /// Whoever calls is behind a server: its process is not this one, and a lock would tell nothing of it.
    pub(super) for_clients: bool,
}

impl Local {
    pub(super) fn new(dirs: Dirs, store: Store, opened_by: unlock::OpenedBy) -> Self {
        let leases = Leases::at(dirs.leases());
        Self { dirs, store, newer: OnceCell::new(), opened_by, leases, for_clients: false }
    }

    /// The same, for the calls of clients of a server.
    pub(super) fn for_clients(self) -> Self {
        Self { for_clients: true, ..self }
    }

    pub(super) fn journal(&self) -> Journal {
        Journal::of(&self.dirs, &self.store().meta().vault_id)
    }

    /// Commits what happened while nobody could sign: failed unlocks and the refusals of support slots.
    pub(super) fn absorb_journal(&self, cx: &Context) -> Result<()> {
        if cx.read_only || self.store().capabilities().admin.is_none() {
            return Ok(());
        }
        self.journal().absorb(|events: Vec<Event>| ops::commit::commit_journal(self.begin_record(cx)?, cx, events))
    }

    pub(super) fn read<T>(&self, cx: &Context, work: impl FnOnce(&crate::store::View<'_>) -> Result<T>) -> Result<T> {
        let snapshot = self.with_newest_keys(cx, |store| store.read(cx.now))?;
        work(&snapshot)
    }
}

impl Backend for Local {
    fn runner(&self) -> Runner<'_> {
        Runner::Here(self)
    }

    fn create_many(
        &self,
        cx: &Context,
        request: CreateMany,
        progress: &mut dyn FnMut(usize),
        keep: &mut dyn FnMut(&[Created]) -> Result<()>,
    ) -> std::result::Result<Vec<Created>, BulkError> {
        self.made_in_bulk(cx, request, progress, keep)
    }

    fn list(&self, cx: &Context, request: &List) -> Result<Listed> {
        self.read(cx, |view| ops::list::list(view, cx, request))
    }

    fn verify(&self, cx: &Context, request: &Verify) -> Result<Verdict> {
        if request.record.is_some() && self.store().capabilities().admin.is_none() {
            let error = ops::support_refused();
            return self.record_refusal(cx, Action::UsageRecord, "usage", &error).and(Err(error));
        }
        let verdict = self.read(cx, |view| ops::verify::verify(view, self.store().capabilities(), cx, request))?;
        if let Some(record) = request.use_of(cx, &verdict) {
            cx.writable()?;
            if !cx.dry_run {
                self.store().record_usage(&[record], &[], cx.now)?;
            }
        }
        Ok(verdict)
    }
}

/// What a server asks for whoever reads a list page by page.
impl Local {
    /// Lists keys up to the limit, and says which ones there are beyond it, in order.
    ///
    /// # Errors
    /// See [`crate::ops::list::list_in_order`].
    pub fn list_in_order(&self, cx: &Context, request: &List) -> Result<(Listed, Vec<KeyId>)> {
        self.read(cx, |view| ops::list::list_in_order(view, cx, request))
    }

    /// The next keys of a list, as they are by now; what is in it no more is left out.
    ///
    /// # Errors
    /// See [`crate::ops::list::list_again`].
    pub fn list_again(&self, cx: &Context, request: &List, keys: &[KeyId]) -> Result<Vec<KeyView>> {
        self.read(cx, |view| ops::list::list_again(view, cx, request, keys))
    }
}

/// What is done to the vault itself, and only where it is.
impl Local {
    /// Names the keys behind secrets; recorded as `key.identify`, and never sends a secret anywhere.
    ///
    /// # Errors
    /// See [`crate::ops::identify::identify`].
    pub fn identify(&self, cx: &Context, request: &Identify) -> Result<Vec<Identified>> {
        let caps = self.store().capabilities();
        let done = self.read(cx, |view| ops::identify::identify(view, caps, cx, request))?;
        if cx.dry_run {
            return Ok(done.outcome);
        }
        if caps.admin.is_some() && !cx.read_only {
            commit(self.begin_record(cx)?, cx, done.events)?;
        } else {
            ops::free_text::of_events(&done.events)?;
            let journal = self.journal();
            done.events.iter().try_for_each(|event| journal.unsigned(cx, event))?;
        }
        Ok(done.outcome)
    }

    /// Imports keys that were issued elsewhere, all or none; `progress` hears how many are done.
    ///
    /// # Errors
    /// See [`crate::ops::import::import`].
    pub fn import(
        &self,
        cx: &Context,
        form: &Form,
        requests: Vec<Import>,
        progress: &mut dyn FnMut(usize),
    ) -> std::result::Result<Vec<Created>, BulkError> {
        let caps = self.store().capabilities();
        let mut wrong = None;
        let imported = self.change(cx, Action::KeyImport, &cx.workspace, |tx| {
            ops::import::import(tx, caps, &mut rand::rng(), cx, form, requests, progress).map_err(|entries| {
                let one = entries.as_one();
                wrong = Some(entries);
                one
            })
        });
        imported.map_err(|error| wrong.map_or(BulkError::Whole(error), BulkError::Entries))
    }

    /// The facts of the keystore.
    ///
    /// # Errors
    /// Those of the store.
    pub fn status(&self, cx: &Context) -> Result<VaultStatus> {
        maintenance::status(self, cx)
    }

    /// The slots that open the vault.
    ///
    /// # Errors
    /// Those of the store.
    pub fn slots(&self, cx: &Context) -> Result<Vec<SlotView>> {
        slots::list(self, cx)
    }

    /// Adds a slot, proven to open before it is committed.
    ///
    /// # Errors
    /// `Forbidden` for a support slot; `Usage` for parameters below the floor.
    pub fn add_slot(&self, cx: &Context, slot: NewSlot) -> Result<SlotView> {
        let role = slot.role;
        self.change(cx, Action::VaultSlotAdd, role.as_str(), |tx| slots::add(self, tx, cx, slot))
    }

    /// Removes a slot; the last admin slot stays.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` for the last admin slot.
    pub fn remove_slot(&self, cx: &Context, id: &str) -> Result<SlotView> {
        let removed = self.change(cx, Action::VaultSlotRemove, id, |tx| slots::remove(self, tx, cx, id))?;
        if !cx.dry_run {
            self.store().truncate_log()?;
        }
        Ok(removed)
    }

    /// Replaces the vault's keys and re-seals everything. Slots whose secret is not at hand are dropped, and only
    /// with `drop_slots`; new secrets of webhooks are in their file before they are in force.
    ///
    /// # Errors
    /// `Conflict` when slots would be dropped and `drop_slots` is not given; `Usage` without a file for new secrets.
    pub fn rekey(&self, cx: &Context, request: &Rekey) -> Result<Rekeyed> {
        let result = rekey::rekey(self, cx, request);
        if let Err(error) = &result {
            self.record_refusal(cx, Action::VaultRekey, "vault", error)?;
        }
        result
    }

    /// Writes a consistent copy of the keystore to a new file.
    ///
    /// # Errors
    /// `Conflict` when the file exists, `Unavailable` when it cannot be written.
    pub fn backup(&self, cx: &Context, file: &Path) -> Result<u64> {
        maintenance::backup(self, cx, file)
    }

    /// Writes a consistent copy of the keystore to a stream, as [`Local::backup`] writes it to a file.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be written.
    pub fn stream_backup(&self, cx: &Context, out: &mut dyn std::io::Write) -> Result<u64> {
        maintenance::stream_backup(self, cx, out)
    }

    /// A random id of this opening for `unlock`: a copy of the capabilities until a time.
    ///
    /// # Errors
    /// `Unavailable` when the runtime directory cannot be written.
    pub fn open_session(&self, cx: &Context, until: Time) -> Result<Zeroizing<String>> {
        let token = self.session_until(cx, until)?;
        if self.store().capabilities().admin.is_some() {
            let event =
                cx.event(Action::VaultUnlock, "vault", json!({ "until": crate::domain::time::format_time(until) }));
            commit(self.begin_record(cx)?, cx, vec![event])?;
        }
        Ok(token)
    }
}
