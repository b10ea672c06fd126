//! The three environments; a key never works in another one than its own.

use serde::{Serialize, Serializer};
use std::{fmt, str::FromStr};

/// Where a key works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Environment {
    /// Real traffic.
    Production,
    /// The rehearsal.
    Staging,
    /// Everything else.
    #[default]
    Development,
}

impl Environment {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Production, Self::Staging, Self::Development];

    /// The full word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Staging => "staging",
            Self::Development => "development",
        }
    }

    /// The short word inside a token.
    #[must_use]
    pub fn token_code(self) -> &'static str {
        match self {
            Self::Production => "prod",
            Self::Staging => "stg",
            Self::Development => "dev",
        }
    }

    /// The environment of a token's short word.
    #[must_use]
    pub fn from_token_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|environment| environment.token_code() == code)
    }
}

impl FromStr for Environment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|environment| environment.as_str() == text || environment.token_code() == text)
            .ok_or_else(|| "expected production, staging or development".to_owned())
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Environment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
