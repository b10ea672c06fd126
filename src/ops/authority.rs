//! On whose authority a call is made: the holder of the vault, or an operator of a server with its bounds.
//!
//! Whether a role may do such a thing at all is asked before a use case; what depends on the key or the operator at
//! hand is asked inside its transaction, so that nothing can change in between.

use super::{
    error::{Error, Result},
    holder::Holder,
};
use crate::{
    domain::{Allowlist, Catalogue, Lookup, Operator, Permission, Role, Scope, Time, Trust, time::format_time},
    store::View,
};
use std::sync::Arc;

/// On whose authority.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Authority {
    /// Whoever opened the vault: no bounds but those of the slot.
    #[default]
    Vault,
    /// An operator.
    Operator(Arc<Operator>),
    /// The holder of a key, who has shown its secret: of that one key.
    Holder(Arc<Holder>),
}

/// The holder of a key asks for what only operators may.
fn beyond_its_key(what: &str) -> Error {
    Error::forbidden("holder", format!("the holder of a key may not {what}"))
}

/// What is handed on to somebody else, who is to have it as an operator: with a credential, or by the tokens of an issuer.
#[derive(Debug, Clone, Copy)]
pub struct HandedOn<'a> {
    /// What may be done with it.
    pub role: Role,
    /// In which workspace; `None` for the whole platform.
    pub workspace: Option<&'a str>,
    /// The ceiling of scopes.
    pub ceiling: Option<&'a [Scope]>,
    /// From where.
    pub allow_ips: &'a Allowlist,
    /// When it ends.
    pub expires_at: Option<Time>,
}

impl<'a> From<&'a Operator> for HandedOn<'a> {
    fn from(operator: &'a Operator) -> Self {
        Self {
            role: operator.role,
            workspace: operator.workspace.as_deref(),
            ceiling: operator.ceiling.as_deref(),
            allow_ips: &operator.allow_ips,
            expires_at: operator.expires_at,
        }
    }
}

impl<'a> From<&'a Trust> for HandedOn<'a> {
    fn from(trust: &'a Trust) -> Self {
        Self {
            role: trust.role,
            workspace: trust.workspace.as_deref(),
            ceiling: trust.ceiling.as_deref(),
            allow_ips: &trust.allow_ips,
            expires_at: trust.expires_at,
        }
    }
}

impl Authority {
    /// The one workspace that the caller is bound to.
    #[must_use]
    pub fn bound_to(&self) -> Option<&str> {
        match self {
            Self::Vault => None,
            Self::Operator(operator) => operator.workspace.as_deref(),
            Self::Holder(holder) => Some(&holder.workspace),
        }
    }

    /// Refuses what the caller's role does not allow.
    ///
    /// # Errors
    /// `Forbidden`, naming what the role allows.
    pub fn may(&self, permission: Permission) -> Result<()> {
        let operator = match self {
            Self::Vault => return Ok(()),
            // Of its own key alone, and as far as that lets it: see [`super::holder`].
            Self::Holder(_) if matches!(permission, Permission::OwnKey | Permission::RotateKeys) => return Ok(()),
            Self::Holder(_) => return Err(beyond_its_key(permission.words())),
            Self::Operator(operator) => operator,
        };
        if operator.role.may(permission) {
            return Ok(());
        }
        let allowed: Vec<&str> =
            Permission::ALL.iter().filter(|each| operator.role.may(**each)).map(|each| each.words()).collect();
        let what =
            format!("operator '{}' may not {}: its role is {}", operator.name, permission.words(), operator.role);
        Err(Error::forbidden("role", what)
            .cause(format!("the role {} may {}", operator.role, allowed.join(", ")))
            .hint(permission.who_may()))
    }

    /// The refusal of what is about all keys, for who could ask the same about its own.
    #[must_use]
    pub fn of_own_instead(&self, error: Error) -> Error {
        match self {
            Self::Operator(operator) if error.reason == "role" && operator.role.may(Permission::ReadOwnKeys) => {
                error.hint("--mine, or mine=true over HTTP: the keys that you made or own")
            }
            _ => error,
        }
    }

    /// What is needed where one of two permissions is enough: the second for who has it and not the first.
    #[must_use]
    pub fn either(&self, first: Permission, second: Permission) -> Permission {
        if self.may(first).is_err() && self.may(second).is_ok() { second } else { first }
    }

    /// Refuses scopes beyond the caller's ceiling.
    ///
    /// # Errors
    /// `Forbidden`, naming the scopes.
    pub fn may_grant(&self, catalogue: &Catalogue, scopes: &[Scope]) -> Result<()> {
        let Self::Operator(operator) = self else { return Ok(()) };
        let Some(ceiling) = &operator.ceiling else { return Ok(()) };
        let beyond: Vec<String> =
            scopes.iter().filter(|scope| !catalogue.grants(ceiling, scope)).map(ToString::to_string).collect();
        if beyond.is_empty() {
            return Ok(());
        }
        let own = ceiling.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        Err(Error::forbidden(
            "ceiling",
            format!("beyond the ceiling of operator '{}': {}", operator.name, beyond.join(", ")),
        )
        .cause(format!("the ceiling is {}", if own.is_empty() { "no scope at all" } else { &own })))
    }

    /// Refuses to hand on more than the caller has: in role, workspace and ceiling, in how long it lasts, and from where.
    ///
    /// # Errors
    /// `Forbidden`, naming the bound.
    pub fn may_hand_on(&self, tx: &View<'_>, what: &HandedOn<'_>) -> Result<()> {
        self.bounds(tx, what)?;
        self.outlasts(what).map_err(|error| error.hint(self.own_bounds()))
    }

    /// Refuses to touch what has a wider role, workspace or ceiling than the caller.
    ///
    /// # Errors
    /// `Forbidden`, naming the bound.
    pub fn may_manage<'a>(&self, tx: &View<'_>, other: impl Into<HandedOn<'a>>) -> Result<()> {
        self.bounds(tx, &other.into())
    }

    /// Refuses a new credential for an operator that is wider than the caller in any way: whoever sees it could use it.
    ///
    /// # Errors
    /// `Forbidden`, naming the bound.
    pub fn may_replace(&self, tx: &View<'_>, other: &Operator) -> Result<()> {
        self.may_manage(tx, other)?;
        self.outlasts(&other.into()).map_err(|error| {
            error.hint(format!("keyward operators rotate {}  (with a credential of wider bounds)", other.name))
        })
    }

    /// Whether the caller has shown this version of the secret of its key.
    #[must_use]
    pub fn has_shown(&self, secret: &Lookup) -> bool {
        matches!(self, Self::Holder(holder) if holder.secret == *secret)
    }

    /// When what the caller hands on ends at the latest.
    #[must_use]
    pub fn ends_at(&self) -> Option<Time> {
        match self {
            Self::Vault | Self::Holder(_) => None,
            Self::Operator(operator) => operator.expires_at,
        }
    }

    /// The options that make an operator end with the caller, and work where it does.
    fn own_bounds(&self) -> String {
        let Self::Operator(caller) = self else { return String::new() };
        let end = caller.expires_at.map(|end| format!("--expires-at {}", format_time(end)));
        let addresses = caller.allow_ips.iter().map(|range| format!("--allow-ip {range}"));
        end.into_iter().chain(addresses).collect::<Vec<_>>().join(" ")
    }

    fn outlasts(&self, what: &HandedOn<'_>) -> Result<()> {
        let Self::Operator(caller) = self else { return Ok(()) };
        let wider = |how: &str| {
            Error::forbidden("wider", format!("operator '{}' hands on no credential that {how}", caller.name))
        };
        if let Some(end) = caller.expires_at
            && what.expires_at.is_none_or(|at| at > end)
        {
            return Err(wider("works longer than its own").cause(format!("its own ends {}", format_time(end))));
        }
        if !what.allow_ips.is_within(&caller.allow_ips) {
            let own = caller.allow_ips.to_strings().join(", ");
            return Err(wider("works from more addresses than its own").cause(format!("its own works from {own}")));
        }
        Ok(())
    }

    fn bounds(&self, tx: &View<'_>, what: &HandedOn<'_>) -> Result<()> {
        let caller = match self {
            Self::Vault => return Ok(()),
            Self::Holder(_) => return Err(beyond_its_key("manage operators")),
            Self::Operator(caller) => caller,
        };
        let wider = |what: String| Err(Error::forbidden("wider", format!("operator '{}' may not {what}", caller.name)));
        if !caller.role.may_appoint(what.role) {
            return wider(format!("manage operators of the role {}: its own is {}", what.role, caller.role));
        }
        if caller.workspace.is_some() && caller.workspace.as_deref() != what.workspace {
            return wider("manage operators beyond its workspace".to_owned());
        }
        match (&caller.ceiling, what.ceiling) {
            (None, _) => Ok(()),
            (Some(_), None) => wider("manage an operator without a ceiling".to_owned()),
            (Some(_), Some(scopes)) => {
                let workspace = what.workspace.unwrap_or_default();
                self.may_grant(&tx.catalogue(workspace)?, scopes)
            }
        }
    }
}
