//! What can go wrong on the way to a destination. Never contains the secret.

use crate::files;
use std::{fmt, io};

/// Whether the destination may hold the secret although the delivery failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// It never left: the destination holds what it held before.
    No,
    /// Nobody can tell: the delivery is in doubt, and the secret must go on working until another one has arrived.
    Maybe,
}

/// The class of a fault, for the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The sink, the map or the command is wrong as it is written.
    Usage,
    /// A file that decides what is run can be changed by others.
    Forbidden,
    /// The destination does not take it, until somebody mends what is wrong there.
    Failed,
    /// The destination cannot take it now; another try may go well.
    Unavailable,
    /// The caller asked to stop, or the time for the whole run is over.
    Interrupted,
}

/// Why a secret was not delivered, or a command did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkError {
    /// Its class.
    pub fault: Fault,
    /// What happened, one sentence without a full stop.
    pub what: String,
    /// Why.
    pub cause: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// Whether the destination may hold the secret all the same.
    pub reached: Reached,
}

impl SinkError {
    pub(super) fn new(fault: Fault, what: impl Into<String>) -> Self {
        Self { fault, what: what.into(), cause: None, hint: None, reached: Reached::No }
    }

    pub(super) fn usage(what: impl Into<String>) -> Self {
        Self::new(Fault::Usage, what)
    }

    pub(super) fn failed(what: impl Into<String>) -> Self {
        Self::new(Fault::Failed, what)
    }

    /// A failure of the file system, by whether it may pass.
    pub(super) fn io(what: impl Into<String>, error: &io::Error) -> Self {
        let fault = if files::may_pass(error) { Fault::Unavailable } else { Fault::Failed };
        Self::new(fault, what).cause(error.to_string())
    }

    pub(super) fn unavailable(what: impl Into<String>) -> Self {
        Self::new(Fault::Unavailable, what)
    }

    #[must_use]
    pub(super) fn cause(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    #[must_use]
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub(super) fn reached(mut self, reached: Reached) -> Self {
        self.reached = reached;
        self
    }
}

impl fmt::Display for SinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Some(cause) => write!(f, "{}: {cause}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

impl std::error::Error for SinkError {}
