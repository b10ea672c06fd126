//! Many keys in one request and one transaction: each has the events of its own change, and one that is refused keeps the
//! others from nothing.

use super::{
    Done,
    case::{Change, Method, Route, UseCase},
    context::Context,
    delete::Delete,
    error::{Error, Kind, Result},
    free_text, key_query,
    lifecycle::{Activate, Deactivate, Revoke},
    list::lets_through,
    lookup::Finder,
    update::Update,
    view::KeyView,
};
use crate::{
    domain::{Action, Catalogue, Environment, Event, Key, KeyFilter, KeyRef, Permission},
    ops::authority::Authority,
    store::{self, Tx, View},
    vault::Capabilities,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;

/// So many keys are changed in one transaction: others who want to write wait for as long as that takes.
pub const MOST: usize = 500;

/// The reason of a change of a key that has become another than the one that was looked for.
pub const FOUND_NO_MORE: &str = "found_no_more";

/// The parameters of a list that ask for what keys were used for.
const OF_USE: [&str; 4] = ["unused_for", "never_used", "used_since", "denied_since"];

/// A change of one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub enum KeyChange {
    /// It works again.
    Activate(#[cfg_attr(test, schema(inline))] Activate),
    /// It stops until it is activated.
    Deactivate(#[cfg_attr(test, schema(inline))] Deactivate),
    /// It stops for ever.
    Revoke(#[cfg_attr(test, schema(inline))] Revoke),
    /// It is removed; its trail stays.
    Delete(#[cfg_attr(test, schema(inline))] Delete),
    /// Its fields change.
    Update(#[cfg_attr(test, schema(inline))] Box<Update>),
}

/// Changes of keys, all of one kind, such as revocations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct ChangeKeys {
    /// The changes, at most 500.
    #[cfg_attr(test, schema(min_items = 1, max_items = 500))]
    pub changes: Vec<KeyChange>,
    /// The parameters of the list that found the keys, as pairs of a name and a value: a key that they find no more when its
    /// turn comes stays as it was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, schema(value_type = Vec<[String; 2]>, example = json!([["owner", "alice"], ["never_used", "true"]])))]
    pub found_by: Vec<(String, String)>,
}

/// What became of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyChanged {
    /// The key afterwards; one that was deleted, as it was.
    pub key: KeyView,
    /// Whether anything changed.
    pub changed: bool,
    /// What changed, where fields did.
    pub changes: Vec<super::Change>,
    /// What the caller should know.
    pub notes: Vec<String>,
}

/// What became of each, in the order of the request: a key, or why it stays as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysChanged {
    /// The outcomes.
    pub items: Vec<Result<KeyChanged>>,
}

impl KeyChange {
    fn permission(&self) -> Permission {
        match self {
            Self::Activate(_) => Activate::PERMISSION,
            Self::Deactivate(_) => Deactivate::PERMISSION,
            Self::Revoke(_) => Revoke::PERMISSION,
            Self::Delete(_) => Delete::PERMISSION,
            Self::Update(_) => Update::PERMISSION,
        }
    }

    fn action(&self) -> Action {
        match self {
            Self::Activate(_) => Activate::ACTION,
            Self::Deactivate(_) => Deactivate::ACTION,
            Self::Revoke(_) => Revoke::ACTION,
            Self::Delete(_) => Delete::ACTION,
            Self::Update(_) => Update::ACTION,
        }
    }

    /// What it is about: the key as it was named.
    #[must_use]
    pub fn target(&self) -> String {
        match self {
            Self::Activate(one) => one.target(),
            Self::Deactivate(one) => one.target(),
            Self::Revoke(one) => one.target(),
            Self::Delete(one) => one.target(),
            Self::Update(one) => one.target(),
        }
    }

    fn key(&mut self) -> (&mut KeyRef, Option<Environment>) {
        match self {
            Self::Activate(one) => (&mut one.key, one.environment),
            Self::Deactivate(one) => (&mut one.key, one.environment),
            Self::Revoke(one) => (&mut one.key, one.environment),
            Self::Delete(one) => (&mut one.key, one.environment),
            Self::Update(one) => (&mut one.key, one.environment),
        }
    }

    fn looks_at_use(&self) -> bool {
        match self {
            Self::Activate(one) => one.looks_at_use(),
            Self::Deactivate(one) => one.looks_at_use(),
            Self::Revoke(one) => one.looks_at_use(),
            Self::Delete(one) => one.looks_at_use(),
            Self::Update(one) => one.looks_at_use(),
        }
    }

    fn change(self, tx: &mut Tx<'_>, caps: &Capabilities, cx: &Context) -> Result<Done<KeyChanged>> {
        let switched = |done: Done<super::Switched>| {
            let super::Switched { key, changed } = done.outcome;
            let outcome = KeyChanged { key, changed, changes: Vec::new(), notes: Vec::new() };
            Done { outcome, events: done.events }
        };
        match self {
            Self::Activate(one) => one.change(tx, caps, cx).map(switched),
            Self::Deactivate(one) => one.change(tx, caps, cx).map(switched),
            Self::Revoke(one) => one.change(tx, caps, cx).map(switched),
            Self::Delete(one) => {
                let Done { outcome, events } = one.change(tx, caps, cx)?;
                let outcome = KeyChanged { key: outcome.key, changed: true, changes: Vec::new(), notes: Vec::new() };
                Ok(Done { outcome, events })
            }
            Self::Update(one) => {
                let Done { outcome, events } = one.change(tx, caps, cx)?;
                let super::Updated { key, changes, notes } = outcome;
                Ok(Done { outcome: KeyChanged { key, changed: !changes.is_empty(), changes, notes }, events })
            }
        }
    }
}

impl UseCase for ChangeKeys {
    type Outcome = KeysChanged;
    const PERMISSION: Permission = Permission::UpdateKeys;
    // Whoever may stop one key may stop many.
    const OR: Option<Permission> = Some(Permission::StopKeys);
    const ROUTE: Route = Route {
        long: true,
        summary: "Change many keys",
        description: "Changes of one kind, in one transaction. Each key has its own outcome: one that is refused stays as \
                      it was, and the others are changed.",
        answers: &[(200, "What became of each key, in the order of the request.")],
        ..Route::new(Method::Post, "/v1/keys/changes", "change_keys", "keys")
    };

    fn permission(&self, _by: &Authority) -> Permission {
        self.changes.first().map_or(Self::PERMISSION, KeyChange::permission)
    }
}

impl Change for ChangeKeys {
    const ACTION: Action = Action::KeyUpdate;

    fn action(&self) -> Action {
        self.changes.first().map_or(Self::ACTION, KeyChange::action)
    }

    fn looks_at_use(&self) -> bool {
        self.changes.iter().any(KeyChange::looks_at_use)
            || self.found_by.iter().any(|(name, _)| OF_USE.contains(&name.as_str()))
    }

    fn once_more(&self) -> Option<Self> {
        let stops = matches!(self.changes.first(), Some(KeyChange::Deactivate(_) | KeyChange::Revoke(_)));
        stops.then(|| self.clone())
    }

    fn change(mut self, tx: &mut Tx<'_>, caps: &Capabilities, cx: &Context) -> Result<Done<KeysChanged>> {
        self.judge()?;
        let (named, mut refused) = self.found(tx, cx)?;
        loop {
            match tx.part(|tx| self.attempt(tx, caps, cx, &refused)) {
                Ok((mut done, mut events)) => {
                    events.extend(self.refusals(cx, &named, &refused));
                    let items = (0..self.changes.len())
                        .filter_map(|at| done.remove(&at).map(Ok).or_else(|| refused.remove(&at).map(Err)));
                    return Ok(Done { outcome: KeysChanged { items: items.collect() }, events });
                }
                Err(Unfinished::Refused(more)) => refused.extend(more),
                Err(Unfinished::Failed(error)) => return Err(error),
            }
        }
    }
}

/// Why a pass over the keys left nothing.
enum Unfinished {
    /// These are refused: the next pass leaves them out.
    Refused(Refused),
    /// Nothing can be changed now.
    Failed(Error),
}

impl From<store::Error> for Unfinished {
    fn from(error: store::Error) -> Self {
        Self::Failed(error.into())
    }
}

type Pass = (BTreeMap<usize, KeyChanged>, Vec<Event>);
/// Why a key stays as it was, by its place in the request.
type Refused = BTreeMap<usize, Error>;

impl ChangeKeys {
    /// Refuses what is no request for one kind of change.
    fn judge(&self) -> Result<()> {
        let kinds = |change: &KeyChange| std::mem::discriminant(change);
        match self.changes.as_slice() {
            [] => Err(Error::usage("no key is named")),
            many if many.len() > MOST => Err(Error::usage(format!(
                "at most {MOST} keys are changed in one request, and these are {}",
                many.len()
            ))
            .hint("several requests of fewer keys, one after the other")),
            [first, rest @ ..] if rest.iter().any(|one| kinds(one) != kinds(first)) => {
                Err(Error::usage("the changes of one request are of one kind"))
            }
            _ => Ok(()),
        }
    }

    /// Changes every key that is not refused yet; nothing, when another one is.
    fn attempt(
        &self,
        tx: &mut Tx<'_>,
        caps: &Capabilities,
        cx: &Context,
        refused: &Refused,
    ) -> Result<Pass, Unfinished> {
        let (mut done, mut events, mut more) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
        for (at, change) in self.changes.iter().enumerate().filter(|(at, _)| !refused.contains_key(at)) {
            let changed = change.clone().change(tx, caps, cx).and_then(|done| {
                // What cannot be told of one key in the trail must not keep the others from changing.
                free_text::of_events(&done.events).map(|()| done)
            });
            match changed {
                Ok(one) => {
                    done.insert(at, one.outcome);
                    events.extend(one.events);
                }
                Err(error) if is_of_one_key(error.kind) => drop(more.insert(at, error)),
                Err(error) => return Err(Unfinished::Failed(error)),
            }
        }
        if more.is_empty() { Ok((done, events)) } else { Err(Unfinished::Refused(more)) }
    }

    /// Finds every key, before one is changed: whoever asks for a key that is not there is told of others by their names, and
    /// those of all keys are compared with what is signed, as it was when this began.
    fn found(&mut self, tx: &Tx<'_>, cx: &Context) -> Result<(BTreeMap<usize, String>, Refused)> {
        let (mut named, mut refused) = (BTreeMap::new(), Refused::new());
        let (mut finder, still) = (Finder::new(tx, &cx.workspace), Still::of(&self.found_by, tx, cx)?);
        for (at, change) in self.changes.iter_mut().enumerate() {
            let (key, environment) = change.key();
            let found = finder.key(key, environment).and_then(|found| {
                *key = KeyRef::Id(found.id.clone());
                named.insert(at, found.name.clone());
                still.finds(&found)
            });
            match found {
                Ok(()) => {}
                Err(error) if is_of_one_key(error.kind) => drop(refused.insert(at, error)),
                Err(error) => return Err(error),
            }
        }
        Ok((named, refused))
    }

    /// The refusals as the trail tells them, each under the id and the name of its key.
    fn refusals(&self, cx: &Context, named: &BTreeMap<usize, String>, refused: &Refused) -> Vec<Event> {
        let refusals = refused.iter().filter(|(_, error)| error.kind != Kind::Usage);
        let event = |(at, error): (&usize, &Error)| {
            let change = &self.changes[*at];
            let mut event = cx.refusal(change.action(), change.target(), error);
            if let Some(name) = named.get(at) {
                event.changes["name"] = json!(name);
            }
            event
        };
        refusals.map(event).collect()
    }
}

/// What the keys were found by. Between the list and the change somebody may have used a key, handed it on or labelled it.
struct Still<'t, 'v> {
    tx: &'t View<'v>,
    cx: &'t Context,
    filter: Option<(KeyFilter, Catalogue)>,
}

impl<'t, 'v> Still<'t, 'v> {
    fn of(found_by: &[(String, String)], tx: &'t View<'v>, cx: &'t Context) -> Result<Self> {
        let filter = (!found_by.is_empty()).then(|| {
            let filter = key_query::filter_of(found_by, cx.now)?;
            Ok::<_, Error>((filter, tx.catalogue(&cx.workspace)?))
        });
        Ok(Self { tx, cx, filter: filter.transpose()? })
    }

    fn finds(&self, key: &Key) -> Result<()> {
        let Some((filter, catalogue)) = &self.filter else { return Ok(()) };
        if lets_through(filter, key, &self.tx.usage(&key.id)?, catalogue, self.cx) {
            return Ok(());
        }
        let (name, id) = (&key.name, &key.id);
        Err(Error::conflict(FOUND_NO_MORE, format!("{name} ({id}) is no more what was looked for"))
            .cause("it was used or changed after it had been found")
            .hint(format!("keyward show {id}")))
    }
}

/// What is wrong with one key alone; anything else would be wrong with the next one too.
fn is_of_one_key(kind: Kind) -> bool {
    matches!(kind, Kind::Usage | Kind::Forbidden | Kind::Conflict | Kind::NotFound)
}
