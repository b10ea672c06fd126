//! Why a rotation did not end well, and what became of its secret. How it goes on is worded at the door.

use crate::{
    deliver::{Fault, SinkError},
    domain::RotationId,
    ops::{Error, Kind},
};

/// Why a rotation did not end well.
#[derive(Debug, Clone)]
pub enum Failure {
    /// The keystore or a sink refused, before anything was minted or whatever had been.
    Refused(Error),
    /// Nothing holds the new secret that goes on, and it is dead; the old one works.
    ThrownAway {
        /// Why.
        error: Box<SinkError>,
        /// The sinks in which the dead secret still is.
        holding: Vec<String>,
    },
    /// The same of a key that was to be made with its delivery, and was not.
    NotMade {
        /// Why.
        error: Box<SinkError>,
        /// The sinks in which the dead secret still is.
        holding: Vec<String>,
    },
    /// A sink may hold the new secret, which is not the current one yet. Nothing is lost, and the next run goes on.
    Undelivered {
        /// With which rotation.
        rotation: RotationId,
        /// Why.
        error: Box<SinkError>,
        /// Why the rotation could not be ended either, where that was tried.
        beside: Option<String>,
    },
    /// The probe did not say yes to a secret that waits for somebody's decision: it goes on waiting.
    Unproven {
        /// In which rotation.
        rotation: RotationId,
        /// What the probe said.
        error: Box<SinkError>,
    },
    /// The secret has arrived everywhere, and could not be made the current one.
    Uncommitted {
        /// Of which rotation.
        rotation: RotationId,
        /// Why.
        error: Box<Error>,
    },
}

impl Failure {
    /// What kind of error it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Refused(error) => error.kind,
            Self::Uncommitted { error, .. } if !is_away(error) => error.kind,
            Self::ThrownAway { error, .. } | Self::NotMade { error, .. } => refused(error).kind,
            Self::Undelivered { .. } | Self::Unproven { .. } | Self::Uncommitted { .. } => Kind::Undelivered,
        }
    }

    /// The rotation that it goes on with.
    #[must_use]
    pub fn rotation(&self) -> Option<&RotationId> {
        match self {
            Self::Undelivered { rotation, .. }
            | Self::Unproven { rotation, .. }
            | Self::Uncommitted { rotation, .. } => Some(rotation),
            Self::Refused(_) | Self::ThrownAway { .. } | Self::NotMade { .. } => None,
        }
    }

    /// What the keystore said, where it was that which refused.
    pub(super) fn of_keystore(&self) -> Option<&Error> {
        match self {
            Self::Refused(error) => Some(error),
            Self::Uncommitted { error, .. } => Some(error),
            _ => None,
        }
    }
}

/// Whether the keystore could not be asked, so that nobody knows what it would have said.
#[must_use]
pub fn is_away(error: &Error) -> bool {
    matches!(error.kind, Kind::Unavailable | Kind::Busy)
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

/// What a sink said, as the error of a use case.
#[must_use]
pub fn refused(error: &SinkError) -> Error {
    let (kind, reason) = match error.fault {
        Fault::Usage => (Kind::Usage, "sink"),
        Fault::Forbidden => (Kind::Forbidden, "sink"),
        Fault::Failed => (Kind::Failure, "sink"),
        Fault::Unavailable => (Kind::Unavailable, "sink"),
        Fault::Interrupted => (Kind::Unavailable, "interrupted"),
    };
    let mut refused = Error::new(kind, reason, error.what.clone());
    refused.causes.extend(error.cause.clone());
    refused.hints.extend(error.hint.clone());
    refused
}
