//! A change of the local keystore: one transaction that ends in its events, or a refusal that is an event of its own.

use super::{local::Local, reserve::Reserve};
use crate::{
    domain::{Action, Environment},
    ops::{
        self, Context, Done, Error, Result,
        case::{Ask, Change},
        commit::commit,
    },
    store::Tx,
};
use serde_json::json;

impl Local {
    /// Answers a use case from one snapshot.
    pub(super) fn asked<Q: Ask>(&self, cx: &Context, request: &Q) -> Result<Q::Outcome> {
        let came = self.read(cx, |view| request.ask(view, self.store().capabilities(), cx));
        if Q::TELLS_REFUSAL { self.seen(cx, came) } else { came }
    }

    /// Runs a use case that changes something.
    pub(super) fn changed<C: Change>(&self, cx: &Context, request: C) -> Result<C::Outcome> {
        let again = request.once_more().filter(|_| self.for_clients);
        let once = |request: C| {
            let (action, target, environment) = (request.action(), request.target(), request.environment());
            let caps = self.store().capabilities();
            self.change_of((action, &target, environment), cx, |tx| request.change(tx, caps, cx))
        };
        let outcome = match again {
            Some(again) => Reserve::of(&self.dirs.data).used_by([request, again], once),
            None => once(request),
        }?;
        C::lets_go(&outcome).iter().for_each(|key| self.leases.release(key));
        Ok(outcome)
    }

    /// Runs a change and commits it with its events, or records why it was refused.
    pub(super) fn change<T>(
        &self,
        cx: &Context,
        action: Action,
        target: &str,
        work: impl FnOnce(&mut Tx<'_>) -> Result<Done<T>>,
    ) -> Result<T> {
        self.change_of((action, target, None), cx, work)
    }

    /// The same for a change of a key whose environment may decide between keys of one name.
    pub(super) fn change_of<T>(
        &self,
        (action, target, environment): (Action, &str, Option<Environment>),
        cx: &Context,
        work: impl FnOnce(&mut Tx<'_>) -> Result<Done<T>>,
    ) -> Result<T> {
        let result = self.attempt(cx, work);
        if let Err(error) = &result {
            self.record_refusal_of((action, target, environment), cx, error)?;
        }
        result
    }

    fn attempt<T>(&self, cx: &Context, work: impl FnOnce(&mut Tx<'_>) -> Result<Done<T>>) -> Result<T> {
        cx.writable()?;
        let mut tx = self.begin(cx)?;
        let done = work(&mut tx)?;
        commit(tx, cx, done.events)?;
        Ok(done.outcome)
    }

    pub(super) fn begin(&self, cx: &Context) -> Result<Tx<'_>> {
        cx.recordable()?;
        if self.store().capabilities().admin.is_none() {
            return Err(ops::support_refused());
        }
        self.begin_record(cx)
    }

    /// Refusals by rule or by state are part of the trail; wrong arguments and a store that is away are not.
    pub(super) fn record_refusal(&self, cx: &Context, action: Action, target: &str, error: &Error) -> Result<()> {
        self.record_refusal_of((action, target, None), cx, error)
    }

    fn record_refusal_of(
        &self,
        (action, target, environment): (Action, &str, Option<Environment>),
        cx: &Context,
        error: &Error,
    ) -> Result<()> {
        if !error.is_refusal() || (cx.dry_run && !cx.rehearses) || cx.read_only {
            return Ok(());
        }
        // What was only rehearsed is refused in earnest: its event is kept.
        let cx = &Context { dry_run: false, ..cx.clone() };
        // A row that cannot be read leaves the name that was typed.
        let key =
            self.read(cx, |view| ops::refused_key(view, &cx.workspace, action, target, environment)).ok().flatten();
        let mut event = cx.refusal(action, target, error);
        if let Some(key) = key {
            event.target = key.id.to_string();
            event.changes["name"] = json!(key.name);
        }
        if self.store().capabilities().admin.is_some() {
            commit(self.begin_record(cx)?, cx, vec![event])?;
        } else {
            ops::free_text::of_events(std::slice::from_ref(&event))?;
            self.journal().refused(cx, &event)?;
        }
        Ok(())
    }
}
