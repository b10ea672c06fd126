//! The seam between the doors and the use cases: one method a use case, the same for every kind of keystore.
//!
//! [`Backend`] is synchronous and object-safe; requests and outcomes are the structs of [`crate::ops`].

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
#[cfg(feature = "server")]
mod outbox;
mod presence;
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

use crate::domain::Retention;
use crate::ops::case::{Ask, Change};
use crate::ops::identify::{Identified, Identify};
use crate::ops::usage::{UsageQuery, UsageReport};
#[cfg(feature = "server")]
use crate::ops::webhooks::{AddWebhook, AddedWebhook};
use crate::ops::{LogQuery, Logs};
use crate::{
    domain::{Action, Form, KeyId, Verdict},
    ops::{
        Activate, Applied, Apply, Context, Create, CreateMany, Created, CredentialReport, Deactivate, EntryErrors,
        Error, Import, KeyView, List, Listed, Plan, Result, Revoke, RotationView, Stage, Staged, Step, Switch,
        SwitchKey, Switched, Verify,
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

impl dyn Backend + '_ {
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

/// Every use case, over one keystore.
pub trait Backend: Trail {
    /// What runs the use cases that are declared.
    fn runner(&self) -> Runner<'_>;
    /// Creates a key.
    ///
    /// # Errors
    /// See [`crate::ops::create::create`].
    fn create(&self, cx: &Context, request: Create) -> Result<Created>;
    /// Why the last change could not be remembered outside the keystore; `None` when it was, and through a server, which
    /// tells its own log.
    fn unremembered(&self) -> Option<String> {
        None
    }

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
    /// Lists the names of keys, for which nothing else of them has to be told.
    ///
    /// # Errors
    /// See [`crate::ops::list::list_names`].
    fn list_names(&self, cx: &Context, request: &List) -> Result<crate::ops::ListedNames>;
    /// Lists keys up to the limit, and says which ones there are beyond it, in order: for whoever tells them page by page.
    ///
    /// # Errors
    /// See [`crate::ops::list::list_in_order`].
    fn list_in_order(&self, cx: &Context, request: &List) -> Result<(Listed, Vec<KeyId>)>;
    /// The next keys of a list, as they are by now; what is in it no more is left out.
    ///
    /// # Errors
    /// See [`crate::ops::list::list_again`].
    fn list_again(&self, cx: &Context, request: &List, keys: &[KeyId]) -> Result<Vec<KeyView>>;
    /// Begins a rotation, or goes on with one that was interrupted: mints a secret that works beside the old one.
    ///
    /// # Errors
    /// See [`crate::ops::stage::stage`].
    fn stage(&self, cx: &Context, request: &Stage) -> Result<Staged>;
    /// Rotates a key in one call: its secret is in the outcome, and nowhere else.
    ///
    /// # Errors
    /// See [`crate::ops::rotate::rotate`].
    fn rotate(&self, cx: &Context, request: &Stage) -> Result<Staged>;
    /// Records one step of a delivery.
    ///
    /// # Errors
    /// See [`crate::ops::rotation::step`].
    fn rotation_step(&self, cx: &Context, step: Step) -> Result<RotationView>;
    /// Judges a token.
    ///
    /// # Errors
    /// See [`crate::ops::verify::verify`].
    fn verify(&self, cx: &Context, request: &Verify) -> Result<Verdict>;
    /// Names the keys behind secrets; recorded as `key.identify`, and never sends a secret anywhere.
    ///
    /// # Errors
    /// See [`crate::ops::identify::identify`].
    fn identify(&self, cx: &Context, request: &Identify) -> Result<Vec<Identified>>;
    /// Imports keys that were issued elsewhere, all or none; `progress` hears how many are done.
    ///
    /// # Errors
    /// See [`crate::ops::import::import`].
    fn import(
        &self,
        cx: &Context,
        form: &Form,
        requests: Vec<Import>,
        progress: &mut dyn FnMut(usize),
    ) -> std::result::Result<Vec<Created>, BulkError>;
    /// What would have to be done to make the workspace like a file.
    ///
    /// # Errors
    /// See [`crate::ops::declare::plan_in`].
    fn plan(&self, cx: &Context, request: &Apply) -> Result<Plan>;
    /// Makes the workspace like a file, in one transaction.
    ///
    /// # Errors
    /// See [`crate::ops::declare::apply`].
    fn apply(&self, cx: &Context, request: &Apply) -> Result<Applied>;
    /// How keys were used.
    ///
    /// # Errors
    /// See [`crate::ops::usage::usage`].
    fn usage(&self, cx: &Context, query: &UsageQuery) -> Result<UsageReport>;
    /// Recent requests.
    ///
    /// # Errors
    /// See [`crate::ops::logs::logs`].
    fn logs(&self, cx: &Context, query: &LogQuery) -> Result<Logs>;
    /// For how long facts of use are kept.
    ///
    /// # Errors
    /// Those of the store.
    fn retention(&self, cx: &Context) -> Result<Retention>;
    /// Changes it.
    ///
    /// # Errors
    /// See [`crate::ops::usage::retain`].
    fn retain(&self, cx: &Context, retention: &Retention) -> Result<Retention>;
    /// Adds a webhook.
    ///
    /// # Errors
    /// See [`crate::ops::webhooks::add`]; `Usage` for a URL that messages cannot be sent to.
    #[cfg(feature = "server")]
    fn add_webhook(&self, cx: &Context, request: AddWebhook) -> Result<AddedWebhook>;
    /// Sends a message that tells nothing, and answers with its id once it has arrived.
    ///
    /// # Errors
    /// `NotFound`; `Unavailable` when it does not arrive.
    #[cfg(feature = "server")]
    fn test_webhook(&self, cx: &Context, name: &str) -> Result<String>;
    /// Records that a call was refused before it came to a use case.
    ///
    /// # Errors
    /// Those of the store: a refusal that cannot be recorded is not answered as one.
    fn refuse(&self, cx: &Context, action: Action, target: &str, error: &Error) -> Result<()>;
    /// Records credentials of operators that a server refused, and tells webhooks of a burst of them.
    ///
    /// # Errors
    /// Those of the store.
    fn credentials_refused(&self, cx: &Context, report: &CredentialReport) -> Result<()>;
    /// The facts of the keystore.
    ///
    /// # Errors
    /// Those of the store.
    fn status(&self, cx: &Context) -> Result<VaultStatus>;
    /// The slots that open the vault.
    ///
    /// # Errors
    /// Those of the store.
    fn slots(&self, cx: &Context) -> Result<Vec<SlotView>>;
    /// Adds a slot, proven to open before it is committed.
    ///
    /// # Errors
    /// `Forbidden` for a support slot; `Usage` for parameters below the floor.
    fn add_slot(&self, cx: &Context, slot: NewSlot) -> Result<SlotView>;
    /// Removes a slot; the last admin slot stays.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` for the last admin slot.
    fn remove_slot(&self, cx: &Context, id: &str) -> Result<SlotView>;
    /// Replaces the vault's keys and re-seals everything. Slots whose secret is not at hand are dropped, and only
    /// with `drop_slots`; new secrets of webhooks are in their file before they are in force.
    ///
    /// # Errors
    /// `Conflict` when slots would be dropped and `drop_slots` is not given; `Usage` without a file for new secrets.
    fn rekey(&self, cx: &Context, request: &Rekey) -> Result<Rekeyed>;
    /// Writes a consistent copy of the keystore to a new file.
    ///
    /// # Errors
    /// `Conflict` when the file exists, `Unavailable` when it cannot be written.
    fn backup(&self, cx: &Context, file: &std::path::Path) -> Result<u64>;
    /// Writes a consistent copy of the keystore to a stream, as [`Backend::backup`] writes it to a file.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be written.
    fn stream_backup(&self, cx: &Context, out: &mut dyn std::io::Write) -> Result<u64>;
    /// A random id of this opening for `unlock`: a copy of the capabilities until a time.
    ///
    /// # Errors
    /// `Unavailable` when the runtime directory cannot be written.
    fn open_session(&self, cx: &Context, until: crate::domain::Time) -> Result<zeroize::Zeroizing<String>>;
}
