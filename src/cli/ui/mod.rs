//! The full-screen view for whoever answers questions about keys: a filter, an order, and everything about one key.
//!
//! [`state`] is a machine without a terminal: keys in, state and wishes out; [`form`] is what it asks before a change. [`draw`]
//! and [`panels`] show it. What is here grants the wishes, and [`deeds`] makes the changes, over the same backend and into the same
//! audit trail as every other command.

mod deeds;
mod detail;
mod draw;
mod form;
mod keys;
mod panels;
mod screen;
mod state;

use super::{context::Ctx, guided};
use crate::{
    backend::{Backend, Runner},
    config,
    domain::{Demand, KeyFilter, KeyId, KeyRef, Status, time::Since},
    ops::{
        AuditFilter, Context, Error, KeyView, Kind, List, ListScopes, LogQuery, Result, Show, ShowDemands, UsageQuery,
    },
};
use chrono::TimeDelta;
use detail::{Detail, Known, NEWEST};
use draw::{Look, draw};
use keys::KeyRow;
use ratatui::crossterm::{
    event::{self, Event, KeyEventKind},
    style::force_color_output,
};
use screen::Screen;
use state::{State, Wish};
use std::{collections::HashSet, io, time::Duration};

/// Details are read once the keyboard rests for so long, so that nobody waits for those that are passed by.
const REST: Duration = Duration::from_millis(100);
/// The exit code of a command that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// Shows the keys until somebody has seen enough.
///
/// # Errors
/// `Usage` off a terminal; those of the backend before the first key is shown; `Unavailable` when the terminal is gone.
pub(super) fn run(cx: &mut Ctx, allow_changes: bool) -> Result<u8> {
    let streams = &cx.out.streams;
    let dumb = cx.env.text("TERM").is_none_or(|term| term == "dumb");
    if !streams.stdin_terminal || !streams.stdout_terminal || dumb || cx.global.no_input {
        return Err(Error::usage("ui needs a terminal to draw on and a person who types").hint("keyward list"));
    }
    if cx.reply_asked() {
        return Err(
            Error::usage("ui draws a screen and prints nothing: leave out -o, --field and -q").hint("keyward list")
        );
    }
    let backend = cx.backend()?;
    let color = cx.out.options.color.applies(true);
    force_color_output(color);
    let mut out = std::mem::replace(&mut cx.out.streams.stdout, Box::new(io::sink()));
    // Whoever only looks changes nothing, whatever the keys here do.
    let operation = Context { read_only: cx.operation().read_only || !allow_changes, ..cx.operation() };
    let desk = Desk { backend: &*backend, operation };
    let reason = desk.operation.reason.clone();
    let ended = Screen::enter(&mut *out, &cx.terminal)
        .map_err(gone)
        .and_then(|mut screen| desk.serve(&mut screen, State::new(allow_changes, reason), color));
    cx.out.streams.stdout = out;
    cx.terminal.release();
    ended
}

fn gone(error: io::Error) -> Error {
    Error::new(Kind::Unavailable, "terminal", "the terminal cannot be used").cause(error.to_string())
}

/// Who grants wishes.
struct Desk<'a> {
    backend: &'a dyn Backend,
    operation: Context,
}

impl Desk<'_> {
    fn serve(mut self, screen: &mut Screen<'_>, mut state: State, color: bool) -> Result<u8> {
        state.said = Some("reading the keys …".to_owned());
        self.show(screen, &mut state, color)?;
        self.reload(&mut state)?;
        state.said = None;
        loop {
            self.show(screen, &mut state, color)?;
            if state.wanted().is_some() && !event::poll(REST).map_err(gone)? {
                self.read_detail(&mut state)?;
                continue;
            }
            // All that was typed since is taken before anything is drawn.
            loop {
                let before = (state.mode, state.asks());
                if let Some(wish) = taken(&mut state, event::read().map_err(gone)?) {
                    match wish {
                        Wish::Quit => return Ok(0),
                        Wish::Interrupt => return Ok(INTERRUPTED),
                        Wish::Copy(id) => {
                            screen.copy(&id).map_err(gone)?;
                            state.said = Some(format!("copied, if the terminal allows it: {id}"));
                        }
                        Wish::Reload => self.said(&mut state, Self::reload, "read again"),
                        Wish::CopySecret => deeds::copy(screen, &mut state)?,
                        Wish::New => state.begin_new(self.scopes()),
                        Wish::Do(order) => self.carry_out(screen, &mut state, color, &order)?,
                    }
                }
                if state.asks() && before != (state.mode, true) {
                    if let Some(code) = typed_ahead()? {
                        return Ok(code);
                    }
                    break;
                }
                if !event::poll(Duration::ZERO).map_err(gone)? {
                    break;
                }
            }
        }
    }

    fn show(&self, screen: &mut Screen<'_>, state: &mut State, color: bool) -> Result<()> {
        let look = Look { color, now: self.operation.now };
        screen.draw(|frame| draw(frame, state, look)).map_err(gone)
    }

    /// Does something, and says at the bottom that it is done or why not.
    fn said(&mut self, state: &mut State, work: impl FnOnce(&mut Self, &mut State) -> Result<()>, done: &str) {
        state.said = Some(match work(self, state) {
            Ok(()) => done.to_owned(),
            Err(error) => format!("error: {}", error.message),
        });
    }

    fn reload(&mut self, state: &mut State) -> Result<()> {
        self.operation.now = config::now()?;
        let filter = KeyFilter { statuses: Some(Status::ALL.into()), ..KeyFilter::default() };
        let listed = self.backend.list(&self.operation, &List { filter })?;
        let own = self.own(&listed.items)?;
        let row = |key: KeyView| {
            let mine = own.contains(&key.id);
            KeyRow::of(key, mine)
        };
        let rows = listed.items.into_iter().map(row).collect();
        state.demands = self.demands();
        state.change_keys(|keys| keys.replace(rows));
        state.detail = None;
        Ok(())
    }

    /// The keys of whoever looks. Here it is known by what the command line knows; by what a server calls its caller, the server
    /// knows.
    fn own(&self, keys: &[KeyView]) -> Result<HashSet<String>> {
        let is_own = |key: &&KeyView| {
            let names = key.owner.iter().chain([&key.created_by]);
            names.into_iter().any(|name| self.operation.goes_by(name))
        };
        match self.backend.runner() {
            Runner::Here(_) => Ok(keys.iter().filter(is_own).map(|key| key.id.clone()).collect()),
            #[cfg(feature = "server")]
            Runner::There(_) => {
                let filter = KeyFilter { statuses: Some(Status::ALL.into()), mine: true, ..KeyFilter::default() };
                let listed = self.backend.list(&self.operation, &List { filter })?;
                Ok(listed.items.into_iter().map(|key| key.id).collect())
            }
        }
    }

    /// What a form has to ask for beside what it asks for anyway; where nobody may know, the refusal says it.
    fn demands(&self) -> Vec<Demand> {
        let demanded = self.backend.ask(&self.operation, &ShowDemands {}).map(|demanded| demanded.required);
        let given = |demand: &Demand| *demand == Demand::Ticket && self.operation.ticket.is_some();
        demanded.unwrap_or_default().into_iter().filter(|demand| !given(demand)).collect()
    }

    fn read_detail(&mut self, state: &mut State) -> Result<()> {
        let Some(id) = state.wanted().map(str::to_owned) else { return Ok(()) };
        self.operation.now = config::now()?;
        state.detail = Some(match self.known(&id) {
            Ok(known) => Detail::of(&known, self.operation.now),
            Err(error) => Detail::failed(&id, &error.message),
        });
        Ok(())
    }

    fn known(&self, id: &str) -> Result<Known> {
        let cx = &self.operation;
        let key = reference(id)?;
        let some = Some(key.clone());
        let logs = LogQuery { key: some.clone(), denied: true, limit: Some(NEWEST), ..LogQuery::default() };
        let since = Some(Since::Ago(TimeDelta::days(30)));
        let usage = UsageQuery { key: some.clone(), since, ..UsageQuery::default() };
        let audit = AuditFilter { key: some, limit: Some(NEWEST), ..AuditFilter::default() };
        Ok(Known {
            key: self.backend.ask(cx, &Show { key, environment: None })?,
            denied: self.backend.ask(cx, &logs),
            usage: self.backend.ask(cx, &usage),
            audit: self.backend.audit(cx, &audit),
        })
    }

    /// The scopes that a new key is given of; where nobody may read them, or there are too many to choose from, they are typed.
    fn scopes(&self) -> Vec<String> {
        let listed = self.backend.ask(&self.operation, &ListScopes {}).map(|listed| listed.items).unwrap_or_default();
        if listed.len() > guided::CHOICES { Vec::new() } else { listed.into_iter().map(|scope| scope.name).collect() }
    }
}

/// What an event makes of the state.
fn taken(state: &mut State, event: Event) -> Option<Wish> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => state.press(key),
        Event::Paste(text) => {
            state.paste(&text);
            None
        }
        _ => None,
    }
}

/// Throws away what was typed before a question could be read, until the keyboard rests: it is no answer. The second line
/// of a pasted reason comes this way where the terminal does not mark what is pasted. Ctrl-C ends all the same.
fn typed_ahead() -> Result<Option<u8>> {
    while event::poll(REST).map_err(gone)? {
        if matches!(event::read().map_err(gone)?, Event::Key(key) if state::interrupts(key)) {
            return Ok(Some(INTERRUPTED));
        }
    }
    Ok(None)
}

fn reference(id: &str) -> Result<KeyRef> {
    id.parse::<KeyId>().map(KeyRef::Id).map_err(|_| Error::not_found(format!("no key {id}")))
}
