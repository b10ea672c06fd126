//! The seam between the doors and the use cases, the same for every kind of keystore.
//!
//! A declared use case is asked, changed or run, by its request. [`Backend`] has what is of another kind; it is synchronous and
//! object-safe, and its requests and outcomes are the structs of [`crate::ops`]. What is done to a vault itself is
//! [`local::Local`]'s.

mod agreed;
mod archive;
mod bulk;
mod change;
pub mod dirs;
pub mod journal;
mod keyring;
mod lease;
mod leaving;
pub mod local;
mod local_trail;
mod maintenance;
mod making;
#[cfg(feature = "server")]
mod outbox;
mod presence;
pub mod procedure;
pub mod profiles;
mod rekey;
#[cfg(feature = "server")]
pub mod remote;
mod reserve;
mod restore;
#[cfg(feature = "server")]
mod sending_right;
mod serving;
mod session;
mod slots;
pub mod trail;
mod turns;
pub mod unlock;
#[cfg(feature = "server")]
mod webhooks;

pub use crate::ops::REKEYED;
pub use crate::vault::recovery::RecoveryCode;
pub use agreed::Agreements;
pub use archive::Archived;
pub use dirs::Dirs;
pub use leaving::Doomed;
pub use maintenance::{CLOCK_SLACK, VaultStatus};
#[cfg(feature = "server")]
pub use outbox::Outbox;
pub use presence::Presence;
pub use profiles::Profiles;
pub use rekey::{Rekey, Rekeyed};
pub use restore::{HowRestored, Restored};
pub use serving::{AssertionSigner, FactSource, SeenFile, ServedBackend, Serving, TokenHasher, TrailSource, UsageSink};
pub use session::LONGEST_SESSION;
pub use slots::{NewSlot, NewSlotSecret, SlotView};
pub use trail::{AuditReport, Trail, VerifyAudit};
pub use unlock::{CREDENTIAL, InitOptions, Initialised, LocalVault, Unlock, harden};

use crate::ops::{
    case::{Ask, Change},
    list::list_names,
};
use crate::{
    domain::{Action, Verdict},
    ops::{
        Activate, Context, CreateMany, Created, Deactivate, EntryErrors, Error, List, Listed, ListedNames, Result,
        Revoke, Switch, SwitchKey, Switched, Verify,
    },
};

/// What came of a bulk creation that was refused: every entry's error, or one of the whole.
#[derive(Debug)]
pub enum BulkError {
    /// Entries that cannot be created.
    Entries(EntryErrors),
    /// The keystore could not be asked or written.
    Whole(crate::ops::Error),
}

/// What runs a declared use case: the keystore itself, or a server.
pub enum Runner<'b> {
    /// Here, in a snapshot or a transaction.
    Here(&'b local::Local),
    /// There, by a call.
    #[cfg(feature = "server")]
    There(&'b remote::Remote),
}

/// An outcome that comes from wherever the use case runs.
#[cfg(feature = "server")]
pub trait Comes: crate::wire::told::Told {}
#[cfg(feature = "server")]
impl<T: crate::wire::told::Told> Comes for T {}
/// An outcome that comes from here, where there is no server.
#[cfg(not(feature = "server"))]
pub trait Comes {}
#[cfg(not(feature = "server"))]
impl<T> Comes for T {}

impl dyn Backend + '_ {
    /// Asks, and changes nothing.
    ///
    /// # Errors
    /// Those of the use case, and of the way to it.
    pub fn ask<Q: Ask>(&self, cx: &Context, request: &Q) -> Result<Q::Outcome>
    where
        Q::Outcome: Comes,
    {
        match self.runner() {
            Runner::Here(local) => local.asked(cx, request),
            #[cfg(feature = "server")]
            Runner::There(remote) => remote.asked(cx, request),
        }
    }

    /// Makes a change.
    ///
    /// # Errors
    /// Those of the use case, and of the way to it.
    pub fn change<C: Change>(&self, cx: &Context, request: C) -> Result<C::Outcome>
    where
        C::Outcome: Comes,
    {
        match self.runner() {
            Runner::Here(local) => local.changed(cx, request),
            #[cfg(feature = "server")]
            Runner::There(remote) => remote.changed(cx, &request),
        }
    }
}

#[cfg(feature = "server")]
fn only_local(what: &str) -> Error {
    Error::usage(format!("{what} is a matter of the vault itself, and cannot be done through a server"))
        .hint("run it where the vault is, without --server and KEYWARD_SERVER")
}

impl dyn Backend + '_ {
    /// The vault itself, for what is done where it is.
    ///
    /// # Errors
    /// `Usage` through a server.
    #[cfg_attr(not(feature = "server"), allow(unused_variables, reason = "without servers there is nothing to refuse"))]
    pub fn vault(&self, what: &str) -> Result<&local::Local> {
        match self.runner() {
            Runner::Here(local) => Ok(local),
            #[cfg(feature = "server")]
            Runner::There(_) => Err(only_local(what)),
        }
    }

    /// Why the last change could not be remembered outside the keystore; `None` when it was, and through a server, which
    /// tells its own log.
    #[must_use]
    pub fn unremembered(&self) -> Option<String> {
        match self.runner() {
            Runner::Here(local) => local.store().pins().missed(),
            #[cfg(feature = "server")]
            Runner::There(_) => None,
        }
    }

    /// Records that a call was refused before it came to a use case; a server records its own refusals.
    ///
    /// # Errors
    /// Those of the store: a refusal that cannot be recorded is not answered as one.
    pub fn refuse(&self, cx: &Context, action: Action, target: &str, error: &Error) -> Result<()> {
        match self.runner() {
            Runner::Here(local) => local.record_refusal(cx, action, target, error),
            #[cfg(feature = "server")]
            Runner::There(_) => Ok(()),
        }
    }

    /// Lists the names of keys, for which nothing else of them has to be told.
    ///
    /// # Errors
    /// See [`crate::ops::list::list_names`].
    pub fn list_names(&self, cx: &Context, request: &List) -> Result<ListedNames> {
        match self.runner() {
            Runner::Here(local) => local.read(cx, |view| list_names(view, cx, request)),
            #[cfg(feature = "server")]
            Runner::There(remote) => Ok(remote.list(cx, request)?.into()),
        }
    }

    /// Activates, deactivates or revokes a key.
    ///
    /// # Errors
    /// Those of the one that it is.
    pub fn switch(&self, cx: &Context, request: SwitchKey) -> Result<Switched> {
        let SwitchKey { key, environment, switch, only_if_idle } = request;
        match switch {
            Switch::Activate => self.change(cx, Activate { key, environment }),
            Switch::Deactivate => self.change(cx, Deactivate { key, environment, only_if_idle }),
            Switch::Revoke => self.change(cx, Revoke { key, environment, only_if_idle }),
        }
    }
}

/// One keystore: what runs the declared use cases, and those that are of another kind.
pub trait Backend: Trail {
    /// What runs the use cases that are declared.
    fn runner(&self) -> Runner<'_>;
    /// Creates many keys, all or none; `progress` hears how many are done. `keep` is given the keys with their secrets and
    /// makes them durable before anything is committed: else a kill would leave keys whose secrets nobody has. Through a
    /// server it is called when the answer is there, for the server has committed by then. A dry run of any size goes to a
    /// server in requests of moderate size, and all that is wrong comes back.
    ///
    /// # Errors
    /// See [`crate::ops::create_many::create_many`].
    fn create_many(
        &self,
        cx: &Context,
        request: CreateMany,
        progress: &mut dyn FnMut(usize),
        keep: &mut dyn FnMut(&[Created]) -> Result<()>,
    ) -> std::result::Result<Vec<Created>, BulkError>;
    /// Lists keys.
    ///
    /// # Errors
    /// See [`crate::ops::list::list`].
    fn list(&self, cx: &Context, request: &List) -> Result<Listed>;
    /// Judges a token.
    ///
    /// # Errors
    /// See [`crate::ops::verify::verify`].
    fn verify(&self, cx: &Context, request: &Verify) -> Result<Verdict>;
}
