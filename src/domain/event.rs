//! What the audit trail records of an action.

use super::time::Time;
use serde_json::Value;
use std::{fmt, str::FromStr};

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// An administrative action, named as in the audit trail.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Action { $($(#[$doc])* $variant,)* }

        impl Action {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name in the trail, such as `key.create`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

actions! {
    /// A key was created.
    KeyCreate = "key.create",
    /// A key's metadata, scopes, limits or policy changed.
    KeyUpdate = "key.update",
    /// A key changed its owner.
    KeyHandover = "key.handover",
    /// A key was switched on.
    KeyActivate = "key.activate",
    /// A key was switched off.
    KeyDeactivate = "key.deactivate",
    /// A new secret was staged beside the old one.
    KeyStage = "key.stage",
    /// A staged secret was handed to a sink, or could not be.
    KeyDeliver = "key.deliver",
    /// A key got a new secret: the staged one is current.
    KeyRotate = "key.rotate",
    /// The old secret of a rotation is still in use, and ends later.
    KeyProlong = "key.prolong",
    /// The old secret whose end had waited is idle, and has ended.
    KeyRetire = "key.retire",
    /// A rotation ended without its secret.
    KeyAbort = "key.abort",
    /// A key was cut off for good.
    KeyRevoke = "key.revoke",
    /// One version of a key's secret was ended by whoever holds it; another one goes on working.
    KeyRevokeSecret = "key.revoke_secret",
    /// A revoked key got a new secret, by an administrator's own word.
    KeyReinstate = "key.reinstate",
    /// A key was removed.
    KeyDelete = "key.delete",
    /// A key that was issued elsewhere came in.
    KeyImport = "key.import",
    /// The keys of a workspace were to become as a file declares them.
    KeyApply = "key.apply",
    /// The keys of a workspace were declared to another keystore, which they are carried to.
    KeyExport = "key.export",
    /// A secret was looked up, to learn whose it is.
    KeyIdentify = "key.identify",
    /// A scope was declared or changed.
    ScopeAdd = "scope.add",
    /// A scope was taken out of the catalogue.
    ScopeRemove = "scope.remove",
    /// The catalogue was closed.
    ScopeClose = "scope.close",
    /// The catalogue was opened.
    ScopeOpen = "scope.open",
    /// A workspace was created.
    WorkspaceCreate = "workspace.create",
    /// A workspace changed.
    WorkspaceUpdate = "workspace.update",
    /// A workspace was deleted.
    WorkspaceDelete = "workspace.delete",
    /// A project was created.
    ProjectCreate = "project.create",
    /// A project changed.
    ProjectUpdate = "project.update",
    /// A project was deleted.
    ProjectDelete = "project.delete",
    /// A customer was created.
    CustomerCreate = "customer.create",
    /// A customer changed.
    CustomerUpdate = "customer.update",
    /// A customer was deleted.
    CustomerDelete = "customer.delete",
    /// A plan was created.
    PlanCreate = "plan.create",
    /// A plan changed.
    PlanUpdate = "plan.update",
    /// A plan was deleted.
    PlanDelete = "plan.delete",
    /// An operator was made.
    OperatorCreate = "operator.create",
    /// An operator got a new credential.
    OperatorRotate = "operator.rotate",
    /// An operator was cut off for good.
    OperatorRevoke = "operator.revoke",
    /// The jobs of an issuer of tokens were let in.
    OperatorTrust = "operator.trust",
    /// The jobs of an issuer of tokens were let in no more.
    OperatorDistrust = "operator.distrust",
    /// Somebody asked for something that a role, a bound or a plan does not allow to see or to manage.
    OperatorDenied = "operator.denied",
    /// Somebody logged in to a server, and the credential is kept.
    ProfileLogin = "profile.login",
    /// The credential for a server was forgotten.
    ProfileLogout = "profile.logout",
    /// A webhook was added.
    WebhookAdd = "webhook.add",
    /// A webhook was tried out.
    WebhookTest = "webhook.test",
    /// A webhook was removed.
    WebhookRemove = "webhook.remove",
    /// The vault was made.
    VaultInit = "vault.init",
    /// The vault was opened for a while, or failed to open.
    VaultUnlock = "vault.unlock",
    /// A session was ended before its time.
    VaultLock = "vault.lock",
    /// A slot was added.
    VaultSlotAdd = "vault.slot_add",
    /// A slot was removed.
    VaultSlotRemove = "vault.slot_remove",
    /// The vault's keys were replaced.
    VaultRekey = "vault.rekey",
    /// The vault was copied to a file.
    VaultBackup = "vault.backup",
    /// The vault was put back from a file.
    VaultRestore = "vault.restore",
    /// The vault was to be deleted by somebody who may not.
    VaultDelete = "vault.delete",
    /// The trail was exported.
    AuditExport = "audit.export",
    /// A verdict was to be counted as a use, and might not be.
    UsageRecord = "usage.record",
    /// For how long facts of use are kept was changed.
    UsageRetention = "usage.retention",
    /// Somebody looked at the trail.
    AuditReview = "audit.review",
    /// Old events were moved to a file.
    AuditArchive = "audit.archive",
    /// A checkpoint of the trail was sent somewhere.
    AuditCheckpoint = "audit.checkpoint",
}

impl Action {
    /// Whether it happens in a workspace, and not to the platform.
    #[must_use]
    pub fn is_of_workspace(self) -> bool {
        let prefixes = ["key.", "scope.", "project.", "customer.", "audit.export", "operator.denied"];
        prefixes.iter().any(|prefix| self.as_str().starts_with(prefix))
    }

    /// Whether its target is a key, by its id or, where it was refused, by what was typed.
    #[must_use]
    pub fn is_of_key(self) -> bool {
        !matches!(self, Self::KeyApply | Self::KeyExport) && self.as_str().starts_with("key.")
    }

    /// Whether its target is another one afterwards; if so, the target's row was written in the same commit.
    #[must_use]
    pub fn changes_target(self) -> bool {
        !matches!(self, Self::KeyApply | Self::KeyExport | Self::KeyIdentify)
    }

    /// Whether the target's row was written in the commit of an event with this outcome. A delivery that failed is kept in
    /// the row of its key, as one that went well is.
    #[must_use]
    pub fn wrote_target(self, outcome: Outcome) -> bool {
        let wrote = outcome == Outcome::Ok || (outcome == Outcome::Failed && self == Self::KeyDeliver);
        wrote && self.changes_target()
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Action {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|action| action.as_str() == text).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|action| action.as_str()).collect();
            format!("expected one of {}", names.join(", "))
        })
    }
}

/// How an action ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Ok,
    /// A rule or a state did not allow it.
    Refused,
    /// It was tried and did not work.
    Failed,
}

impl Outcome {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Outcome {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Ok, Self::Refused, Self::Failed]
            .into_iter()
            .find(|outcome| outcome.as_str() == text)
            .ok_or_else(|| "expected ok, refused or failed".to_owned())
    }
}

/// An action to be recorded, in the same transaction as its effect.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// What was done.
    pub action: Action,
    /// On what: an id, or a name where there is no id.
    pub target: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Who did it.
    pub actor: String,
    /// Through which door.
    pub source: String,
    /// Why.
    pub reason: Option<String>,
    /// The ticket that asked for it.
    pub ticket: Option<String>,
    /// The workspace it happened in; `None` for what concerns the platform.
    pub workspace: Option<String>,
    /// What changed; an object or null.
    pub changes: Value,
}

/// A recorded event.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Its place in the trail, from 1, without a gap.
    pub seq: u64,
    /// When it was recorded.
    pub at: Time,
    /// What was recorded.
    pub event: Event,
}
