//! The roles of a slot: what whoever opens the vault with it can do.

use std::{fmt, str::FromStr};

/// What a slot opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SlotRole {
    /// Everything.
    Admin,
    /// Reading: lists, shows and explains; holds no key to mint, verify or sign with.
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
