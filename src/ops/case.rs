//! What a use case says of itself, once: its request and outcome, whether it asks or changes, whom it is allowed to, and
//! where the API has it.
//!
//! From this follow, by code that is written once: running it in a snapshot or a transaction of the local keystore, or as a
//! procedure of several ([`crate::backend`]), calling it through a server, serving it, and its entry in the OpenAPI document
//! (`server/door.rs`). The fields of a request are its names on every way: those that [`Route::path`] names stand in the
//! path, those of [`Route::query`] in the query, and the others in the body.

use super::{
    Done,
    authority::Authority,
    context::Context,
    error::{Error, Result},
};
use crate::{
    domain::{Action, Environment, KeyId, Permission},
    store::{Tx, View},
    vault::Capabilities,
};
use serde::{Serialize, de::DeserializeOwned};

/// The request of a use case.
pub trait UseCase: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// What comes of it.
    type Outcome: Send + 'static;
    /// What whoever asks must be allowed to do.
    const PERMISSION: Permission;
    /// Where the API has it.
    const ROUTE: Route;

    /// A permission that is enough as well, for who has it and not the first.
    const OR: Option<Permission> = None;

    /// The permission, where it depends on what is asked.
    fn permission(&self, by: &Authority) -> Permission {
        match (self.of_own(), Self::OR) {
            (Some(true), _) => by.either(Self::PERMISSION, Permission::ReadOwnKeys),
            (None, Some(or)) => by.either(Self::PERMISSION, or),
            _ => Self::PERMISSION,
        }
    }

    /// Of what is asked of all keys or of one's own: which it is. Of one's own, reading those is enough.
    fn of_own(&self) -> Option<bool> {
        None
    }

    /// The refusal of who is not allowed to, with what it may ask instead.
    fn refused(&self, by: &Authority, error: Error) -> Error {
        if self.of_own() == Some(false) { by.of_own_instead(error) } else { error }
    }

    /// Permissions that are needed besides.
    const AND: &'static [Permission] = &[];

    /// How many keys it makes or compares at once, of which a server refuses too many.
    fn size(&self) -> usize {
        1
    }

    /// By what it is known again, so that repeating it has no further effect: where it is kept, for those that are.
    fn idempotency_key(&mut self) -> Option<&mut Option<String>> {
        None
    }

    /// What of all workspaces it is about, in a word: then no operator that is bound to one of them may ask for it.
    const OF_ALL: Option<&'static str> = None;

    /// What it is about, as the trail names it where it is refused: such as the key that was typed, else its part of the API.
    fn target(&self) -> String {
        Self::ROUTE.tag.to_owned()
    }
}

/// A use case that changes nothing.
pub trait Ask: UseCase {
    /// Whether the trail tells that the plan of the workspace does not allow it.
    const TELLS_REFUSAL: bool = false;

    /// Answers from one snapshot.
    ///
    /// # Errors
    /// Why there is no answer.
    fn ask(&self, view: &View<'_>, caps: &Capabilities, cx: &Context) -> Result<Self::Outcome>;
}

/// A use case that changes something, in one transaction with the events that tell it.
pub trait Change: UseCase {
    /// What the trail calls it where it is refused.
    const ACTION: Action;

    /// The action, where it depends on what is asked.
    fn action(&self) -> Action {
        Self::ACTION
    }

    /// What decides between keys of one name, where the target may be one.
    fn environment(&self) -> Option<Environment> {
        None
    }

    /// Whether it depends on when something was last used: a server then writes the uses that it knows of first.
    fn looks_at_use(&self) -> bool {
        false
    }

    /// The key whose rotation is over with this: nobody has to wait for this process any more.
    fn lets_go(_outcome: &Self::Outcome) -> Option<KeyId> {
        None
    }

    /// The same once more, of what has to succeed on a full disk too: a server keeps some room for a second try, so that
    /// no secret that leaked goes on working for want of it.
    fn once_more(&self) -> Option<Self> {
        None
    }

    /// Makes the change; the caller commits it with its events.
    ///
    /// # Errors
    /// Why it is refused; nothing of it is kept then.
    fn change(self, tx: &mut Tx<'_>, caps: &Capabilities, cx: &Context) -> Result<Done<Self::Outcome>>;
}

/// Where the API has a use case, and how the OpenAPI document describes it.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// How it is called.
    pub method: Method,
    /// Its path; the names in braces are fields of the request.
    pub path: &'static str,
    /// The fields of the request whose value the path says, without naming them.
    pub fixed: &'static [(&'static str, &'static str)],
    /// The fields of the request that stand in the query.
    pub query: &'static [&'static str],
    /// Whether a call without a body asks for what is usual.
    pub optional_body: bool,
    /// Whether it heeds `If-Match`, by [`Context::expects`].
    pub if_match: bool,
    /// Whether it may be repeated, by [`UseCase::idempotency_key`].
    pub idempotent: bool,
    /// The longest body that is read.
    pub most_bytes: usize,
    /// Whether it may take minutes.
    pub long: bool,
    /// Its name in generated clients.
    pub id: &'static str,
    /// The part of the API that it belongs to.
    pub tag: &'static str,
    /// What it is, in a line.
    pub summary: &'static str,
    /// What else is to be known of it.
    pub description: &'static str,
    /// What it answers with, by status.
    pub answers: &'static [(u16, &'static str)],
}

/// How a use case is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// It asks.
    Get,
    /// It asks with a body, makes something, or does something.
    Post,
    /// It replaces something.
    Put,
    /// It changes what it names.
    Patch,
    /// It removes something.
    Delete,
}

impl Route {
    /// A route of a part of the API, with all else as it usually is.
    #[must_use]
    pub const fn new(method: Method, path: &'static str, id: &'static str, tag: &'static str) -> Self {
        Self {
            method,
            path,
            fixed: &[],
            query: &[],
            optional_body: false,
            if_match: false,
            idempotent: false,
            most_bytes: 1024 * 1024,
            long: false,
            id,
            tag,
            summary: "",
            description: "",
            answers: &[],
        }
    }

    /// The names in the path.
    pub fn path_names(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name)
    }
}
