//! Changes that somebody confirmed: the use cases of every other command, and what came of them in words.

use super::{
    Desk,
    form::{Deed, Field, Order},
    gone, reference,
    screen::Screen,
    state::{Fresh, State},
};
use crate::{
    cli::{commands::create::lost, guided, rotating, values},
    config,
    domain::{Overlap, PlainToken},
    ops::{Context, Create, Created, Delete, Error, KeyView, Result, Stage, Staged, Switch, SwitchKey},
    rotate::{ByHand, finish},
};

/// What a secret on the screen is called among the sinks of its rotation.
const SCREEN: &str = "screen";

/// What came of a change.
struct Outcome {
    said: String,
    /// The key to be selected afterwards.
    key: Option<String>,
}

impl Desk<'_> {
    /// Does what was confirmed. Only a terminal that is gone ends the screen; everything else is told on it.
    pub(super) fn carry_out(
        &mut self,
        screen: &mut Screen<'_>,
        state: &mut State,
        color: bool,
        order: &Order,
    ) -> Result<()> {
        let now = match config::now() {
            Ok(now) => now,
            Err(error) => return tell(state, &error),
        };
        self.operation.now = now;
        let reason = Some(order.answer(Field::Reason).to_owned());
        let ticket = Some(order.answer(Field::Ticket).to_owned()).filter(|ticket| !ticket.is_empty());
        let ticket = ticket.or_else(|| self.operation.ticket.clone());
        let cx = Context { reason, ticket, ..self.operation.clone() };
        let done = match order.deed {
            Deed::Switch(switch) => self.switch(&cx, &order.id, switch),
            Deed::Delete => self.delete(&cx, &order.id),
            Deed::Create => match self.make(&cx, order) {
                Ok(created) => self.created(&cx, screen, state, color, created)?,
                Err(error) => Err(error),
            },
            Deed::Rotate => match self.stage(&cx, order) {
                Ok(staged) => self.rotated(&cx, screen, state, color, staged)?,
                Err(error) => Err(error),
            },
        };
        let outcome = match done {
            Ok(outcome) => outcome,
            Err(error) => return tell(state, &error),
        };
        // What is done is done, whether it can be read again or not.
        let said = match self.reload(state) {
            Ok(()) => outcome.said,
            Err(error) => format!("{}; the keys could not be read again: {}", outcome.said, error.message),
        };
        match &mut state.fresh {
            Some(fresh) => fresh.after = said,
            None => state.said = Some(said),
        }
        if let Some(id) = outcome.key {
            state.select_key(&id);
        }
        Ok(())
    }

    fn switch(&self, cx: &Context, id: &str, switch: Switch) -> Result<Outcome> {
        let switched = self.backend.switch(cx, SwitchKey::of(reference(id)?, switch))?;
        let verb = match switch {
            Switch::Activate => "activated",
            Switch::Deactivate => "deactivated",
            Switch::Revoke => "revoked",
        };
        let said = match (switched.changed, cx.dry_run) {
            (true, true) => format!("would be {verb}: {}", switched.key.name),
            (true, false) => format!("{verb}: {}", switched.key.name),
            (false, _) => format!("already so: {} is {}", switched.key.name, switched.key.status),
        };
        Ok(Outcome { said, key: None })
    }

    fn delete(&self, cx: &Context, id: &str) -> Result<Outcome> {
        let deleted = self.backend.change(cx, Delete { key: reference(id)?, environment: None, only_if_idle: None })?;
        let verb = if cx.dry_run { "would be deleted" } else { "deleted" };
        Ok(Outcome { said: format!("{verb}: {}", deleted.key.name), key: None })
    }

    fn make(&self, cx: &Context, order: &Order) -> Result<Created> {
        let told = |field| Some(order.answer(field).to_owned()).filter(|words| !words.is_empty());
        let scopes = order.answer(Field::Scopes).split_whitespace().map(str::parse);
        let request = Create {
            environment: order.answer(Field::Environment).parse().map_err(Error::usage)?,
            owner: told(Field::Owner),
            description: told(Field::Description),
            scopes: values::sorted(scopes.collect::<std::result::Result<_, String>>().map_err(Error::usage)?),
            rate_limit: guided::limit_of(order.answer(Field::Limit))?.map(|limit| limit.0),
            expiry: guided::life_of(order.answer(Field::Life))?,
            ..Create::named(order.answer(Field::Name).to_owned())
        };
        self.backend.run(cx, request)
    }

    fn created(
        &self,
        cx: &Context,
        screen: &mut Screen<'_>,
        state: &mut State,
        color: bool,
        created: Created,
    ) -> Result<Result<Outcome>> {
        let KeyView { id, name, environment, .. } = created.key;
        let Some(token) = created.secret.filter(|_| !cx.dry_run) else {
            return Ok(Ok(Outcome { said: format!("would create {name} in {environment}"), key: None }));
        };
        let said = format!("created {name} ({id}) in {environment}");
        let lines = [said.clone()].into_iter().chain(created.notes).collect();
        let fresh = Fresh { token, name: format!("{name} ({environment})"), lines, after: said.clone() };
        self.put_on_screen(screen, state, color, fresh).map_err(|error| lost(error, &id, &name))?;
        Ok(Ok(Outcome { said, key: Some(id) }))
    }

    fn stage(&self, cx: &Context, order: &Order) -> Result<Staged> {
        let at_once = order.answer(Field::OldSecret) == guided::OLD_SECRET_ENDS[1];
        let overlap = at_once.then_some(Overlap::Now);
        let request = Stage { overlap, ..Stage::of(reference(&order.id)?) };
        self.backend.run(cx, ByHand::request(request, SCREEN))
    }

    /// Shows a new secret, and only then makes it the current one: whoever is killed in between has lost nothing.
    fn rotated(
        &self,
        cx: &Context,
        screen: &mut Screen<'_>,
        state: &mut State,
        color: bool,
        staged: Staged,
    ) -> Result<Result<Outcome>> {
        let named = format!("{} ({})", staged.key.name, staged.key.environment);
        if cx.dry_run {
            return Ok(Ok(Outcome { said: format!("would rotate {named}"), key: None }));
        }
        let Some(view) = staged.rotation.as_ref().filter(|_| staged.lookup.is_some()) else {
            return Ok(Ok(Outcome {
                said: staged.note.unwrap_or_else(|| format!("nothing to do: {named}")),
                key: None,
            }));
        };
        let by_hand = match ByHand::of(view, SCREEN) {
            Ok(by_hand) => by_hand,
            Err(error) => return Ok(Err(error)),
        };
        if by_hand.parked {
            return Ok(Ok(Outcome { said: format!("{named} waits: {}", rotating::decision(&view.id)), key: None }));
        }
        let Some(token) = staged.secret else {
            let said = format!("finished the rotation of {named}, whose secret had arrived; no other was made");
            return Ok(finish(self.backend, cx, view).map(|_| Outcome { said, key: None }));
        };
        let old = format!("The old secret {}.", rotating::old_secret(staged.old_valid_until));
        self.put_on_screen(
            screen,
            state,
            color,
            Fresh { token, name: named.clone(), lines: vec![old], after: String::new() },
        )
        .inspect_err(|error| by_hand.lost(self.backend, cx, &error.message))?;
        Ok(match by_hand.arrived(self.backend, cx) {
            Ok(()) => Ok(Outcome { said: format!("rotated: {named}"), key: None }),
            Err(error) => {
                // The secret is on the screen, and works: the error is told beside it.
                if let Some(fresh) = &mut state.fresh {
                    fresh.lines = vec![
                        format!("error: {}", error.message),
                        "Both secrets work until that is done.".to_owned(),
                        format!("hint: keyward rotation commit {} --force", by_hand.rotation),
                    ];
                }
                Ok(Outcome { said: format!("not committed: {named}"), key: None })
            }
        })
    }

    fn put_on_screen(&self, screen: &mut Screen<'_>, state: &mut State, color: bool, fresh: Fresh) -> Result<()> {
        state.show_secret(fresh);
        // What is typed before the next drawing is thrown away: until then no key is offered.
        state.said = Some("one moment …".to_owned());
        let shown = self.show(screen, state, color);
        state.said = None;
        shown
    }
}

/// Copies the secret that is on the screen.
pub(super) fn copy(screen: &mut Screen<'_>, state: &mut State) -> Result<()> {
    let token: Option<&PlainToken> = state.fresh.as_ref().map(|fresh| &fresh.token);
    if let Some(token) = token {
        screen.copy(token.expose_plaintext()).map_err(gone)?;
        state.said = Some("copied, if the terminal allows it; Enter takes it from the screen, for good".to_owned());
    }
    Ok(())
}

/// Tells an error with its causes and what helps.
fn tell(state: &mut State, error: &Error) -> Result<()> {
    let causes = error.causes.iter().map(|cause| format!("  cause: {cause}"));
    let hints = error.hints.iter().map(|hint| format!("hint: {hint}"));
    state.tell([format!("error: {}", error.message)].into_iter().chain(causes).chain(hints).collect());
    Ok(())
}
