//! The use cases over the local encrypted keystore.
//!
//! Every changing call is one transaction that ends in its events (`change.rs`). A refusal is an event too, in a
//! transaction of its own; where this opening holds no signing key, it goes to the [journal](super::journal) that the next
//! admin absorbs.

use super::{
    Backend, BulkError, Dirs, NewSlot, Rekey, Rekeyed, Runner, SlotView, VaultStatus, journal::Journal, lease::Leases,
    maintenance, rekey, slots, unlock,
};
use crate::domain::Retention;
use crate::ops::identify::{Identified, Identify};
use crate::ops::usage::{UsageQuery, UsageReport};
#[cfg(feature = "server")]
use crate::ops::webhooks::{AddWebhook, AddedWebhook};
use crate::ops::{LogQuery, Logs};
use crate::{
    domain::{Action, Event, Form, KeyId, Time, Verdict},
    ops::{
        self, Applied, Apply, Context, Create, CreateMany, Created, CredentialReport, Error, Import, KeyView, List,
        Listed, Plan, Result, RotationView, Stage, Staged, Step, Verify, commit::commit,
    },
    store::Store,
};
use serde_json::json;
use std::{cell::OnceCell, path::Path};
use zeroize::Zeroizing;

/// A process may have few files open: of many new keys that wait for their delivery, the rest is kept by the time of their
/// rotations' leases alone.
const LOCKED_AT_ONCE: usize = 256;

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

    fn create(&self, cx: &Context, mut request: Create) -> Result<Created> {
        let target = request.name.clone();
        let caps = self.store().capabilities();
        let mut mine = None;
        let for_one = !(request.sinks.is_empty() || cx.dry_run || cx.read_only || self.for_clients);
        if for_one && caps.admin.is_some() {
            // The lock is there before the key is: whoever repeats the request waits for the delivery of its secret.
            let id = request.id.take().unwrap_or_else(|| KeyId::generate(&mut rand::rng()));
            self.leases.acquire(&id)?;
            request.id = Some(id.clone());
            mine = Some(id);
        }
        let created = self
            .change(cx, Action::KeyCreate, &target, |tx| ops::create::create(tx, caps, &mut rand::rng(), cx, request));
        if let (Some(id), false) = (mine, created.as_ref().is_ok_and(|created| !created.existed)) {
            self.leases.release(&id);
        }
        created
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

    fn unremembered(&self) -> Option<String> {
        self.store().pins().missed()
    }

    fn list(&self, cx: &Context, request: &List) -> Result<Listed> {
        self.read(cx, |view| ops::list::list(view, cx, request))
    }

    fn list_in_order(&self, cx: &Context, request: &List) -> Result<(Listed, Vec<KeyId>)> {
        self.read(cx, |view| ops::list::list_in_order(view, cx, request))
    }

    fn list_again(&self, cx: &Context, request: &List, keys: &[KeyId]) -> Result<Vec<KeyView>> {
        self.read(cx, |view| ops::list::list_again(view, cx, request, keys))
    }

    fn list_names(&self, cx: &Context, request: &List) -> Result<ops::ListedNames> {
        self.read(cx, |view| ops::list::list_names(view, cx, request))
    }

    fn stage(&self, cx: &Context, request: &Stage) -> Result<Staged> {
        let caps = self.store().capabilities();
        let target = match &request.resume {
            Some(rotation) => rotation.to_string(),
            None => request.key.to_string(),
        };
        // Whoever is not there, or may not be rotated, is told by the use case itself.
        let key = self.read(cx, |view| ops::stage::target(view, cx, request)).ok();
        let key = key.filter(|_| !cx.dry_run && !cx.read_only && caps.admin.is_some());
        let alone = key.as_ref().map_or(Ok(true), |key| self.leases.acquire(key))?;
        let staged = self.change_of((Action::KeyStage, &target, request.environment), cx, |tx| {
            ops::stage::stage(tx, caps, &mut rand::rng(), cx, request, alone)
        });
        let goes_on = !self.for_clients && staged.as_ref().is_ok_and(|staged| staged.lookup.is_some());
        if let (Some(key), true, false) = (key, alone, goes_on) {
            self.leases.release(&key);
        }
        staged
    }

    fn rotate(&self, cx: &Context, request: &Stage) -> Result<Staged> {
        let caps = self.store().capabilities();
        let key = self.read(cx, |view| ops::stage::target(view, cx, request)).ok();
        let key = key.filter(|_| !cx.dry_run && !cx.read_only && caps.admin.is_some());
        let alone = key.as_ref().map_or(Ok(true), |key| self.leases.acquire(key))?;
        let target = request.key.to_string();
        let rotated = self.change_of((Action::KeyRotate, &target, request.environment), cx, |tx| {
            ops::rotate::rotate(tx, caps, &mut rand::rng(), cx, request, alone)
        });
        key.filter(|_| alone).iter().for_each(|key| self.leases.release(key));
        rotated
    }

    fn rotation_step(&self, cx: &Context, step: Step) -> Result<RotationView> {
        let caps = self.store().capabilities();
        let target = step.rotation.to_string();
        self.change(cx, Action::KeyDeliver, &target, |tx| ops::rotation::step(tx, caps, cx, step))
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

    fn identify(&self, cx: &Context, request: &Identify) -> Result<Vec<Identified>> {
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

    fn import(
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

    fn plan(&self, cx: &Context, request: &Apply) -> Result<Plan> {
        self.read(cx, |view| ops::declare::plan_in(view, cx, request))
    }

    fn apply(&self, cx: &Context, request: &Apply) -> Result<Applied> {
        let caps = self.store().capabilities();
        let applied = self.change(cx, Action::KeyApply, &cx.workspace, |tx| {
            ops::declare::apply(tx, caps, &mut rand::rng(), cx, request)
        })?;
        let started = applied.created.iter().filter_map(|created| created.rotation.as_ref());
        for rotation in started.filter(|_| !cx.dry_run).take(LOCKED_AT_ONCE) {
            // Their ids are known to nobody else yet.
            rotation.key_id.parse().map_or(Ok(false), |key| self.leases.acquire(&key))?;
        }
        Ok(applied)
    }

    fn usage(&self, cx: &Context, query: &UsageQuery) -> Result<UsageReport> {
        self.read(cx, |view| ops::usage::usage(view, cx, query))
    }

    fn logs(&self, cx: &Context, query: &LogQuery) -> Result<Logs> {
        self.read(cx, |view| ops::logs::logs(view, cx, query))
    }

    fn retention(&self, cx: &Context) -> Result<Retention> {
        self.read(cx, |view| Ok(view.retention()?))
    }

    fn retain(&self, cx: &Context, retention: &Retention) -> Result<Retention> {
        self.change(cx, Action::UsageRetention, "usage", |tx| ops::usage::retain(tx, cx, retention))
    }

    #[cfg(feature = "server")]
    fn add_webhook(&self, cx: &Context, request: AddWebhook) -> Result<AddedWebhook> {
        self.webhook_added(cx, request)
    }

    #[cfg(feature = "server")]
    fn test_webhook(&self, cx: &Context, name: &str) -> Result<String> {
        self.webhook_tried(cx, name)
    }

    fn refuse(&self, cx: &Context, action: Action, target: &str, error: &Error) -> Result<()> {
        self.record_refusal(cx, action, target, error)
    }

    fn credentials_refused(&self, cx: &Context, report: &CredentialReport) -> Result<()> {
        self.told_of_credentials(cx, report)
    }

    fn status(&self, cx: &Context) -> Result<VaultStatus> {
        maintenance::status(self, cx)
    }

    fn slots(&self, cx: &Context) -> Result<Vec<SlotView>> {
        slots::list(self, cx)
    }

    fn add_slot(&self, cx: &Context, slot: NewSlot) -> Result<SlotView> {
        let role = slot.role;
        self.change(cx, Action::VaultSlotAdd, role.as_str(), |tx| slots::add(self, tx, cx, slot))
    }

    fn remove_slot(&self, cx: &Context, id: &str) -> Result<SlotView> {
        let removed = self.change(cx, Action::VaultSlotRemove, id, |tx| slots::remove(self, tx, cx, id))?;
        if !cx.dry_run {
            self.store().truncate_log()?;
        }
        Ok(removed)
    }

    fn rekey(&self, cx: &Context, request: &Rekey) -> Result<Rekeyed> {
        let result = rekey::rekey(self, cx, request);
        if let Err(error) = &result {
            self.record_refusal(cx, Action::VaultRekey, "vault", error)?;
        }
        result
    }

    fn backup(&self, cx: &Context, file: &Path) -> Result<u64> {
        maintenance::backup(self, cx, file)
    }

    fn stream_backup(&self, cx: &Context, out: &mut dyn std::io::Write) -> Result<u64> {
        maintenance::stream_backup(self, cx, out)
    }

    fn open_session(&self, cx: &Context, until: Time) -> Result<Zeroizing<String>> {
        let token = self.session_until(cx, until)?;
        if self.store().capabilities().admin.is_some() {
            let event =
                cx.event(Action::VaultUnlock, "vault", json!({ "until": crate::domain::time::format_time(until) }));
            commit(self.begin_record(cx)?, cx, vec![event])?;
        }
        Ok(token)
    }
}
