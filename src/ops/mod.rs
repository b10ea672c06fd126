//! The use cases, one file each: a request, an outcome, and the function between them.
//!
//! This room knows neither clap nor HTTP nor a terminal. A changing use case works inside a [`crate::store::Tx`] and
//! answers with [`Done`]: the outcome and the events that the caller must commit with it.

pub mod audit;
pub mod audit_checkpoint;
pub mod audit_export;
pub mod audit_format;
pub mod audit_offline;
pub mod audit_review;
pub mod audit_stream;
pub mod authority;
mod binding;
pub mod case;
pub mod check;
pub mod commit;
pub mod context;
pub mod create;
pub mod create_many;
pub mod credentials;
pub mod declare;
pub mod delete;
pub mod delivery;
pub mod demands;
mod entitlement;
pub mod error;
mod existing;
pub mod facts;
pub mod free_text;
pub mod holder;
pub mod identify;
mod idle;
pub mod import;
pub mod key_query;
pub mod lifecycle;
pub mod list;
pub mod logs;
mod lookup;
pub mod many;
mod new_key;
pub mod objects;
pub mod operators;
mod policy;
pub mod profiles;
pub mod prolong;
mod repetition;
pub mod report;
pub mod rotate;
pub mod rotation;
pub mod rotation_view;
pub mod scopes;
pub mod stage;
mod store_error;
mod tenancy;
pub mod trusts;
pub mod update;
pub mod usage;
pub mod verify;
pub mod view;
pub mod webhooks;

pub use audit::{AuditFilter, AuditList};
pub use authority::Authority;
pub use check::{Check, CheckKey, Checked, CheckedKey, Finding};
pub use context::Context;
pub use create::{Create, Created};
pub use create_many::{CreateMany, EntryError, EntryErrors};
pub use credentials::{CredentialReport, RefusedCredentials, RefusedJob};
pub use declare::{
    Agreed, Applied, Apply, Carried, CarryKeys, Carrying, Declared, ExportKeys, Plan, PlanKeys, PlanStep, Prefer, Verb,
};
pub use delete::{Delete, Deleted};
pub use delivery::{Progress, Step};
pub use demands::{Demanded, ShowDemands};
pub use error::{Error, Kind, Result};
pub use holder::{Holder, RevokeSelf, SelfRevoked, SelfView, ShowSelf};
pub use import::Import;
pub use lifecycle::{Activate, Deactivate, Revoke, Stop, Switch, SwitchKey, Switched};
pub use list::{KeyName, List, Listed, ListedNames, Show};
pub use logs::{LogEntry, LogQuery, Logs, Statuses};
pub use objects::{
    CreateObject, DeleteObject, ListObjects, ObjectChange, ObjectKind, ObjectView, Objects, ShowObject, UpdateObject,
};
pub use operators::{Appointed, CreateOperator, ListOperators, OperatorView, RevokeOperator, RotateOperator};
pub use prolong::{OverlapWait, Prolong, WaitOutcome};
pub use rotate::{Reissued, Rotate};
pub use rotation::{Abort, Commit, ListRotations, Rotated, RotationRef, ShowRotation};
pub use rotation_view::RotationView;
pub use scopes::{ChangeScopes, ListScopes, ScopeChange, ScopeList, ScopeView, ScopesChanged, ShowScope};
pub use stage::{Stage, Staged};
pub use store_error::{DISK_FULL, GONE, REKEYED};
pub use update::{Update, Updated};
pub use usage::{ShowRetention, UsageBy, UsageQuery, UsageReport, UsageRetention, UsageRow};
pub use verify::Verify;
pub use view::KeyView;

// Named by whoever records a refusal.
pub use lookup::refused_key;

use crate::domain::Event;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;

/// What a changing use case hands back: its outcome, and the events to commit with it (none: nothing changed).
#[must_use = "the events must be committed, or the change is lost"]
pub struct Done<T> {
    /// What the caller is told.
    pub outcome: T,
    /// What the audit trail records, in this order.
    pub events: Vec<Event>,
}

impl<T> Done<T> {
    /// An outcome that changed nothing.
    pub fn unchanged(outcome: T) -> Self {
        Self { outcome, events: Vec::new() }
    }
}

/// One field that an update changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Change {
    /// The field, named as in the key's JSON.
    pub field: Cow<'static, str>,
    /// The value before.
    pub from: Value,
    /// The value after.
    pub to: Value,
}

/// The changes as an audit event keeps them: `{"field":{"from":…,"to":…}}`.
fn changes_json(changes: &[Change]) -> Value {
    changes
        .iter()
        .map(|change| (change.field.clone().into_owned(), serde_json::json!({ "from": change.from, "to": change.to })))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// One's own keys are some of all: beside what else narrows, it would be passed over.
fn mine_of_all(other: &str) -> Error {
    Error::usage(format!("one's own keys are some of all, and this is narrowed to {other}"))
        .hint("leave out --mine, or mine=true over HTTP")
}

/// What a support slot answers to an action it holds no key for.
pub fn support_refused() -> Error {
    Error::forbidden(
        "support_slot",
        "this slot has the role support: it shows keys and their history, and judges secrets",
    )
    .cause("it holds no key to change or sign anything with, nor to open the rest of the audit trail")
    .hint("open the vault with a slot of the role admin")
}

/// What a support slot of an earlier version answers, which was given less than support slots are now.
pub fn support_of_before() -> Error {
    Error::forbidden(
        "support_slot_of_before",
        "this support slot was made by an earlier version: it lists and shows keys",
    )
    .cause("it holds no key to judge secrets or to open the history of keys with")
    .hint("keyward vault slots remove SLOT  (where the vault is, with a slot of the role admin: it is made anew)")
    .hint("keyward vault slots add --passphrase --role support  (where the vault is, with a slot of the role admin)")
}
