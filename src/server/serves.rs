//! Which environments the services behind a server belong to: what its operator said of it.

use crate::domain::Environment;
use std::{fmt, str::FromStr};

const ALL: &str = "all";

/// The keys that a server lets in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Serves {
    /// Those of one environment; nobody may ask about others.
    Only(Environment),
    /// Those of every environment: that was spelled out.
    All,
    /// Nobody said. Keys of production are let in, and others only where a route or the request names their environment:
    /// a key of a rehearsal must not pass because somebody forgot a word.
    #[default]
    Unsaid,
}

impl Serves {
    /// The environment that a key must be of, where neither a route nor the request says one.
    pub(super) fn assumed(self) -> Option<Environment> {
        match self {
            Self::Only(environment) => Some(environment),
            Self::All => None,
            Self::Unsaid => Some(Environment::Production),
        }
    }

    /// The one environment that anybody may ask about.
    pub(super) fn only(self) -> Option<Environment> {
        match self {
            Self::Only(environment) => Some(environment),
            Self::All | Self::Unsaid => None,
        }
    }

    /// What the operator is told at the start.
    #[must_use]
    pub fn told(self) -> String {
        match self {
            Self::Only(environment) => format!("keys of {environment} are let in, and no others"),
            Self::All => "keys of every environment are let in".to_owned(),
            Self::Unsaid => {
                "which environment this server is for was not said: keys of production are let in, others only \
                where a route or a request names their environment; say --env production, or --env all"
                    .to_owned()
            }
        }
    }
}

impl FromStr for Serves {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == ALL {
            return Ok(Self::All);
        }
        text.parse().map(Self::Only).map_err(|error: String| format!("{error}, or all"))
    }
}

impl fmt::Display for Serves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Only(environment) => environment.fmt(f),
            Self::All => f.write_str(ALL),
            Self::Unsaid => Ok(()),
        }
    }
}
