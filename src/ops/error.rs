//! The one error type of the use cases: what happened, why, and the command that fixes it.
//!
//! A [`Kind`] is one row of the exit-code table; every door (command line, later HTTP) maps it to its own numbers.

use crate::files;
use std::{borrow::Cow, fmt, io, path::Path};

/// The class of an error: one row of the exit-code table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Anything unclassified.
    Failure,
    /// Bad arguments, or input that is missing.
    Usage,
    /// The thing named does not exist.
    NotFound,
    /// No, wrong or expired operator credential.
    Auth,
    /// Role, plan, policy or read-only mode forbids it.
    Forbidden,
    /// It exists, is ambiguous, is in an illegal state, or is stale.
    Conflict,
    /// The vault is locked, or the passphrase is wrong.
    Locked,
    /// Somebody else holds it past the timeout.
    Busy,
    /// Network, timeout or disk.
    Unavailable,
    /// Some of a bulk action failed.
    Partial,
    /// A secret was minted and did not reach its place.
    Undelivered,
    /// An audit chain, record or file check failed.
    Integrity,
    /// What was to be made was there already, and its secret, which was asked for, cannot be given again.
    Exists,
    /// A bug in keyward.
    Internal,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Failure,
        Self::Usage,
        Self::NotFound,
        Self::Auth,
        Self::Forbidden,
        Self::Conflict,
        Self::Locked,
        Self::Busy,
        Self::Unavailable,
        Self::Partial,
        Self::Undelivered,
        Self::Integrity,
        Self::Exists,
        Self::Internal,
    ];

    /// The name in the exit-code table and in error objects.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Failure => "FAILURE",
            Self::Usage => "USAGE",
            Self::NotFound => "NOT_FOUND",
            Self::Auth => "AUTH",
            Self::Forbidden => "FORBIDDEN",
            Self::Conflict => "CONFLICT",
            Self::Locked => "LOCKED",
            Self::Busy => "BUSY",
            Self::Unavailable => "UNAVAILABLE",
            Self::Partial => "PARTIAL",
            Self::Undelivered => "UNDELIVERED",
            Self::Integrity => "INTEGRITY",
            Self::Exists => "EXISTS",
            Self::Internal => "INTERNAL",
        }
    }

    /// The row for a failure of the file system: worth another try only where it may pass by itself.
    #[must_use]
    pub fn of_io(error: &io::Error) -> Self {
        if files::may_pass(error) { Self::Unavailable } else { Self::Failure }
    }

    /// Whether the same call may succeed later without anybody changing anything.
    #[must_use]
    pub fn retryable(self) -> bool {
        matches!(self, Self::Busy | Self::Unavailable)
    }
}

/// What went wrong, why, and what to do about it. Never contains a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// The row of the exit-code table.
    pub kind: Kind,
    /// A finer, stable name in snake case.
    pub reason: Cow<'static, str>,
    /// What happened, one sentence without a full stop.
    pub message: String,
    /// Why, outermost first.
    pub causes: Vec<String>,
    /// Commands that fix it.
    pub hints: Vec<String>,
}

/// The result of a use case.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error with neither cause nor hint.
    pub fn new(kind: Kind, reason: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { kind, reason: reason.into(), message: message.into(), causes: Vec::new(), hints: Vec::new() }
    }

    /// Whether a rule or the state of things speaks against what was asked; wrong arguments and a store that is away are none.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self.kind, Kind::Forbidden | Kind::Conflict | Kind::NotFound | Kind::Auth)
    }

    /// The arguments are wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, "usage", message)
    }

    /// The thing named does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, "not_found", message)
    }

    /// The state of the thing does not allow it.
    pub fn conflict(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, reason, message)
    }

    /// Policy does not allow it.
    pub fn forbidden(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Forbidden, reason, message)
    }

    /// A secret was asked for on standard output, and what it was to be made for was there: it is not given again.
    pub fn exists(message: impl Into<String>) -> Self {
        Self::new(Kind::Exists, "exists", message)
    }

    /// A file that could not be made or written, told by what the system says: one that exists is a conflict, a full disk
    /// or a missing permission is not.
    pub fn cannot_write(path: &Path, error: &io::Error) -> Self {
        use io::ErrorKind as E;
        let (reason, hint) = match error.kind() {
            E::AlreadyExists => {
                return Self::conflict("exists", format!("{} exists", path.display())).hint("choose a new file");
            }
            E::StorageFull | E::QuotaExceeded => ("disk_full", "make room there, or choose another place"),
            E::NotFound | E::NotADirectory => ("io", "make the directory first, or choose another place"),
            _ => ("io", "make room or permissions there, or choose another place"),
        };
        Self::new(Kind::of_io(error), reason, format!("cannot write {}", path.display()))
            .cause(error.to_string())
            .hint(hint)
    }

    /// A secret was minted, and this kept it from whom it was for.
    #[must_use]
    pub fn undelivered(self, message: impl Into<String>) -> Self {
        let Self { message: why, causes, hints, .. } = self;
        Self { causes, hints, ..Self::new(Kind::Undelivered, "undelivered", message) }.cause(why)
    }

    /// Adds a cause.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// Adds a hint: the command that fixes it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds hints for words that look like the one given.
    #[must_use]
    pub fn suggest(self, words: &[String]) -> Self {
        if words.is_empty() { self } else { self.hint(format!("did you mean {}?", words.join(", "))) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
