//! Roles: what whoever opens the vault with a slot can do, and what an operator of a server may do.
//!
//! Who may do what is a pure function, and its test is the table.

use super::event::Action;
use std::{fmt, str::FromStr};

/// What a slot opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SlotRole {
    /// Everything.
    Admin,
    /// Reading: lists and shows keys and their history, and judges secrets; holds no key to sign or tag with.
    Support,
}

impl SlotRole {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Support => "support",
        }
    }
}

impl FromStr for SlotRole {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "admin" => Ok(Self::Admin),
            "support" => Ok(Self::Support),
            _ => Err("expected admin or support".to_owned()),
        }
    }
}

impl fmt::Display for SlotRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What an operator of a server may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Everything, in every workspace.
    PlatformAdmin,
    /// Everything inside its workspace.
    WorkspaceAdmin,
    /// Creates and rotates keys, never with more than its own ceiling of scopes.
    Issuer,
    /// Rotates keys.
    Rotator,
    /// Deactivates and revokes keys.
    Revoker,
    /// Reads keys; reads, verifies and exports the audit trail.
    Auditor,
    /// Reads keys and their history, and asks why one works or does not.
    Support,
    /// Asks for verdicts.
    Verifier,
}

/// One kind of thing that an operator may or may not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// List and show keys and how they are used.
    ReadKeys,
    /// The same, of keys that the operator made or owns.
    ReadOwnKeys,
    /// Create keys.
    CreateKeys,
    /// Change the metadata, scopes and limits of keys.
    UpdateKeys,
    /// Give keys a new secret.
    RotateKeys,
    /// Start the lifetime of keys again, with a new secret.
    RenewKeys,
    /// Give revoked keys a new secret.
    ReinstateKeys,
    /// Switch keys on.
    ActivateKeys,
    /// Switch keys off, for a while or for good.
    StopKeys,
    /// Remove keys.
    DeleteKeys,
    /// List and show scopes, projects, customers and the workspace.
    ReadWorkspace,
    /// Change scopes, projects and customers.
    ChangeWorkspace,
    /// Change workspaces and plans.
    ChangePlatform,
    /// Read and verify the audit trail.
    ReadAudit,
    /// Export the audit trail.
    ExportAudit,
    /// List, create, rotate and revoke operators.
    ManageOperators,
    /// Ask for verdicts on keys.
    AskVerdicts,
    /// Ask why a key works or does not, which counts as no use of it.
    ExplainVerdicts,
    /// Read what happened to a key.
    ReadHistory,
    /// Do with a key what its holder may, by showing its secret: no role allows it.
    OwnKey,
}

impl Role {
    /// All of them, the widest first.
    pub const ALL: [Self; 8] = [
        Self::PlatformAdmin,
        Self::WorkspaceAdmin,
        Self::Issuer,
        Self::Rotator,
        Self::Revoker,
        Self::Auditor,
        Self::Support,
        Self::Verifier,
    ];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PlatformAdmin => "platform-admin",
            Self::WorkspaceAdmin => "workspace-admin",
            Self::Issuer => "issuer",
            Self::Rotator => "rotator",
            Self::Revoker => "revoker",
            Self::Auditor => "auditor",
            Self::Support => "support",
            Self::Verifier => "verifier",
        }
    }

    /// Whether it may do such a thing, within its workspace or, bound to none, anywhere.
    #[must_use]
    pub fn may(self, permission: Permission) -> bool {
        use Permission as P;
        match self {
            Self::PlatformAdmin => permission != P::OwnKey,
            Self::WorkspaceAdmin => !matches!(permission, P::ChangePlatform | P::OwnKey),
            Self::Issuer => matches!(permission, P::ReadOwnKeys | P::CreateKeys | P::RotateKeys | P::RenewKeys),
            Self::Rotator => matches!(permission, P::ReadOwnKeys | P::RotateKeys),
            Self::Revoker => matches!(permission, P::ReadOwnKeys | P::StopKeys),
            Self::Auditor => {
                matches!(permission, P::ReadKeys | P::ReadOwnKeys | P::ReadAudit | P::ReadHistory | P::ExportAudit)
            }
            Self::Support => {
                matches!(permission, P::ReadKeys | P::ReadOwnKeys | P::ExplainVerdicts | P::ReadHistory)
            }
            Self::Verifier => matches!(permission, P::AskVerdicts | P::ExplainVerdicts),
        }
    }

    /// Whether an operator of this role may make one of another: an administrator, and never a wider one.
    #[must_use]
    pub fn may_appoint(self, other: Self) -> bool {
        self.may(Permission::ManageOperators) && Permission::ALL.iter().all(|each| self.may(*each) || !other.may(*each))
    }
}

impl Permission {
    /// All of them.
    pub const ALL: [Self; 20] = [
        Self::ReadKeys,
        Self::ReadOwnKeys,
        Self::CreateKeys,
        Self::UpdateKeys,
        Self::RotateKeys,
        Self::RenewKeys,
        Self::ReinstateKeys,
        Self::ActivateKeys,
        Self::StopKeys,
        Self::DeleteKeys,
        Self::ReadWorkspace,
        Self::ChangeWorkspace,
        Self::ChangePlatform,
        Self::ReadAudit,
        Self::ExportAudit,
        Self::ManageOperators,
        Self::AskVerdicts,
        Self::ExplainVerdicts,
        Self::ReadHistory,
        Self::OwnKey,
    ];

    /// Who may, for somebody who may not.
    #[must_use]
    pub fn who_may(self) -> String {
        let roles = Role::ALL.into_iter().filter(|role| role.may(self)).map(Role::as_str);
        format!("whose role may {}: {}", self.words(), roles.collect::<Vec<_>>().join(", "))
    }

    /// The action that the trail names when it is refused.
    #[must_use]
    pub fn action(self) -> Action {
        match self {
            Self::CreateKeys => Action::KeyCreate,
            Self::UpdateKeys => Action::KeyUpdate,
            Self::RotateKeys | Self::RenewKeys => Action::KeyRotate,
            Self::ReinstateKeys => Action::KeyReinstate,
            Self::ActivateKeys => Action::KeyActivate,
            Self::StopKeys => Action::KeyDeactivate,
            Self::DeleteKeys => Action::KeyDelete,
            Self::ExportAudit => Action::AuditExport,
            Self::ReadKeys
            | Self::ReadOwnKeys
            | Self::ReadWorkspace
            | Self::ChangeWorkspace
            | Self::ChangePlatform
            | Self::ReadAudit
            | Self::ManageOperators
            | Self::AskVerdicts
            | Self::ExplainVerdicts
            | Self::ReadHistory
            | Self::OwnKey => Action::OperatorDenied,
        }
    }

    /// What it allows, in words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::ReadKeys => "read keys",
            Self::ReadOwnKeys => "read its own keys",
            Self::CreateKeys => "create keys",
            Self::UpdateKeys => "update keys",
            Self::RotateKeys => "rotate keys",
            Self::RenewKeys => "renew keys",
            Self::ReinstateKeys => "reinstate revoked keys",
            Self::ActivateKeys => "activate keys",
            Self::StopKeys => "deactivate or revoke keys",
            Self::DeleteKeys => "delete keys",
            Self::ReadWorkspace => "read scopes, projects and customers",
            Self::ChangeWorkspace => "change scopes, projects or customers",
            Self::ChangePlatform => "change workspaces or plans",
            Self::ReadAudit => "read the audit trail",
            Self::ExportAudit => "export the audit trail",
            Self::ManageOperators => "manage operators",
            Self::AskVerdicts => "ask for verdicts",
            Self::ExplainVerdicts => "ask why a key works or does not",
            Self::ReadHistory => "read the history of keys",
            Self::OwnKey => "do with a key what its holder may",
        }
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|role| role.as_str()).collect();
            format!("expected one of {}", names.join(", "))
        })
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of who may do what: a row a permission, a column a role, widest first.
    #[test]
    fn the_table_of_roles() {
        #[rustfmt::skip]
        let table = [
            //                              platform workspace issuer rotator revoker auditor support verifier
            (Permission::ReadKeys,        [true,  true,  false, false, false, true,  true,  false]),
            (Permission::ReadOwnKeys,     [true,  true,  true,  true,  true,  true,  true,  false]),
            (Permission::CreateKeys,      [true,  true,  true,  false, false, false, false, false]),
            (Permission::UpdateKeys,      [true,  true,  false, false, false, false, false, false]),
            (Permission::RotateKeys,      [true,  true,  true,  true,  false, false, false, false]),
            (Permission::RenewKeys,       [true,  true,  true,  false, false, false, false, false]),
            (Permission::ReinstateKeys,   [true,  true,  false, false, false, false, false, false]),
            (Permission::ActivateKeys,    [true,  true,  false, false, false, false, false, false]),
            (Permission::StopKeys,        [true,  true,  false, false, true,  false, false, false]),
            (Permission::DeleteKeys,      [true,  true,  false, false, false, false, false, false]),
            (Permission::ReadWorkspace,   [true,  true,  false, false, false, false, false, false]),
            (Permission::ChangeWorkspace, [true,  true,  false, false, false, false, false, false]),
            (Permission::ChangePlatform,  [true,  false, false, false, false, false, false, false]),
            (Permission::ReadAudit,       [true,  true,  false, false, false, true,  false, false]),
            (Permission::ExportAudit,     [true,  true,  false, false, false, true,  false, false]),
            (Permission::ManageOperators, [true,  true,  false, false, false, false, false, false]),
            (Permission::AskVerdicts,     [true,  true,  false, false, false, false, false, true]),
            (Permission::ExplainVerdicts, [true,  true,  false, false, false, false, true,  true]),
            (Permission::ReadHistory,     [true,  true,  false, false, false, true,  true,  false]),
            (Permission::OwnKey,          [false, false, false, false, false, false, false, false]),
        ];
        assert_eq!(table.len(), Permission::ALL.len());
        for ((permission, row), each) in table.into_iter().zip(Permission::ALL) {
            assert_eq!(permission, each);
            for (role, expected) in Role::ALL.into_iter().zip(row) {
                assert_eq!(role.may(permission), expected, "{role}: {}", permission.words());
            }
        }
    }

    #[test]
    fn nobody_appoints_a_wider_role_than_the_own() {
        for role in Role::ALL {
            assert_eq!(role.may_appoint(Role::PlatformAdmin), role == Role::PlatformAdmin);
            assert_eq!(role.may_appoint(Role::Verifier), role.may(Permission::ManageOperators));
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        assert!(Role::WorkspaceAdmin.may_appoint(Role::WorkspaceAdmin));
    }
}
