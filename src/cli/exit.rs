//! The exit codes: one enum, one table. `keyward help exit-codes` prints it, and scripts rely on it.

use crate::ops::Kind;

/// What the process tells its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Ok = 0,
    /// Anything unclassified.
    Failure = 1,
    /// Bad arguments.
    Usage = 2,
    /// The thing named does not exist.
    NotFound = 3,
    /// The operator's credential is no good.
    Auth = 4,
    /// It is not allowed.
    Forbidden = 5,
    /// The state of the thing does not allow it.
    Conflict = 6,
    /// The vault is locked.
    Locked = 7,
    /// Somebody else holds it.
    Busy = 8,
    /// The network or the disk is not there.
    Unavailable = 9,
    /// There are differences, and the caller asked to be told by exit code.
    Changed = 10,
    /// Some of a bulk action failed.
    Partial = 11,
    /// A secret was minted but not delivered.
    Undelivered = 12,
    /// A verdict of "not valid".
    Denied = 13,
    /// Something was tampered with or damaged.
    Integrity = 14,
    /// It was there already, and the secret that was asked for cannot be given again.
    Exists = 15,
    /// A bug.
    Internal = 70,
}

/// The rows of the table: code, name, meaning.
pub(super) const TABLE: [(&str, &str, &str); 18] = [
    ("0", "OK", "done; nothing due; already so; an empty list"),
    ("1", "FAILURE", "anything unclassified"),
    ("2", "USAGE", "bad arguments, input missing off a terminal, refused to print a secret"),
    ("3", "NOT_FOUND", "the thing named does not exist"),
    ("4", "AUTH", "no, wrong or expired operator credential"),
    ("5", "FORBIDDEN", "role, plan, policy, read-only"),
    ("6", "CONFLICT", "exists, ambiguous, illegal state, stale version"),
    ("7", "LOCKED", "vault locked, wrong passphrase"),
    ("8", "BUSY", "another rotation or writer holds it past the timeout"),
    ("9", "UNAVAILABLE", "network, 5xx, timeout, full disk: worth another try"),
    ("10", "CHANGED", "only when asked: --exit-code, and findings of check"),
    ("11", "PARTIAL", "some of a bulk action failed"),
    ("12", "UNDELIVERED", "minted but not delivered; the old secret still works; resumable"),
    ("13", "DENIED", "verify: not valid for this request"),
    ("14", "INTEGRITY", "audit chain, record or file check failed"),
    ("15", "EXISTS", "it was there already, and the secret that was asked for on stdout is not given again"),
    ("70", "INTERNAL", "a bug"),
    ("130/143", "SIGNAL", "interrupted; state resumable"),
];

/// The name of a code, one of a signal too.
pub(super) fn name(code: u8) -> Option<&'static str> {
    let code = code.to_string();
    TABLE.iter().find(|row| row.0.split('/').any(|number| number == code)).map(|row| row.1)
}

/// Whether a code tells of something that went wrong, and not of an answer that was asked for by exit code.
pub(super) fn is_failure(code: u8) -> bool {
    ![Exit::Ok, Exit::Changed, Exit::Denied].map(Exit::code).contains(&code)
}

impl Exit {
    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl From<Kind> for Exit {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Failure => Self::Failure,
            Kind::Usage => Self::Usage,
            Kind::NotFound => Self::NotFound,
            Kind::Auth => Self::Auth,
            Kind::Forbidden => Self::Forbidden,
            Kind::Conflict => Self::Conflict,
            Kind::Locked => Self::Locked,
            Kind::Busy => Self::Busy,
            Kind::Unavailable => Self::Unavailable,
            Kind::Partial => Self::Partial,
            Kind::Undelivered => Self::Undelivered,
            Kind::Integrity => Self::Integrity,
            Kind::Exists => Self::Exists,
            Kind::Internal => Self::Internal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_a_row_of_the_table() {
        for kind in [
            Kind::Failure,
            Kind::Usage,
            Kind::NotFound,
            Kind::Auth,
            Kind::Forbidden,
            Kind::Conflict,
            Kind::Locked,
            Kind::Busy,
            Kind::Unavailable,
            Kind::Partial,
            Kind::Integrity,
            Kind::Exists,
            Kind::Internal,
        ] {
            let code = Exit::from(kind).code().to_string();
            assert!(TABLE.iter().any(|row| row.0 == code && row.1 == kind.name()), "{kind:?}");
        }
    }

    #[test]
    fn the_book_has_the_same_rows_and_a_meaning_for_each() {
        let page = include_str!("../../docs/exit-codes.md");
        for (code, name, _) in TABLE {
            let row = page.lines().find_map(|line| line.strip_prefix(&format!("| {code} | {name} | ")));
            assert!(row.is_some_and(|meaning| meaning.len() > 3), "{code} {name}");
        }
    }
}
