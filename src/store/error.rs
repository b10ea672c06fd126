//! What can go wrong with the keystore.

use crate::vault::SealError;
use rusqlite::ffi;
use std::path::PathBuf;

/// An error of the keystore. Never contains a secret, nor a name.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what the variant means")]
pub enum Error {
    #[error("there is a keystore already")]
    Exists,
    #[error("the file is not a keyward keystore")]
    Foreign,
    #[error("the keystore is damaged or truncated")]
    Damaged(#[source] Option<rusqlite::Error>),
    #[error("a newer keyward wrote this keystore: it has format {found}; this keyward knows up to {known}")]
    Newer { found: i64, known: i64 },
    #[error("the keystore contradicts itself: {0}")]
    Inconsistent(String),
    #[error("row {id} of {table} was changed outside keyward")]
    RowTampered { table: &'static str, id: String },
    #[error("row {id} of {table} is older than the audit trail says: it was put back")]
    RowRolledBack { table: &'static str, id: String },
    #[error("rows of {0} were deleted, added or put back outside keyward")]
    SetMismatch(&'static str),
    #[error("the keystore was changed outside keyward: the {object} {what}")]
    Shape { object: String, what: &'static str },
    #[error("the signed head of the keystore is forged or damaged")]
    HeadForged,
    #[error("the vault was re-keyed since it was opened here")]
    Rekeyed,
    #[error("the audit trail does not end where the signed head says: at event {signed}, not {found}")]
    TrailCut { signed: u64, found: u64 },
    #[error("the stored hashes of the audit trail's tree do not lead to its signed root")]
    TreeDamaged,
    #[error("audit event {seq}: {what}")]
    Trail { seq: u64, what: &'static str },
    #[error("the keystore is older than this machine last saw it: commit {found}, after commit {seen}")]
    RolledBack { seen: u64, found: u64 },
    #[error(
        "the keystore is another copy of the vault than this machine worked with: they parted at commit {seen} or before"
    )]
    Forked { seen: u64 },
    #[error("the keystore that was opened is gone from {}", .0.display())]
    Gone(PathBuf),
    #[error("{} can be read or written by others than its owner", .0.display())]
    TooOpen(PathBuf),
    #[error("somebody else changed it in the meantime")]
    Stale,
    #[error("another process holds the keystore")]
    Busy,
    #[error("the disk is full")]
    Full,
    #[error("the keystore cannot be written")]
    ReadOnly(#[source] rusqlite::Error),
    #[error("the keystore cannot be read here: its newest part is in {}, which takes a place that can be written", .0.display())]
    LogShut(PathBuf, #[source] Box<Self>),
    #[error("the keystore is in order, and what is remembered of it outside cannot be kept")]
    Unremembered(#[source] std::io::Error),
    #[error("the keystore cannot be read or written")]
    Io(#[source] std::io::Error),
    #[error("the keystore did not answer")]
    Sqlite(#[source] rusqlite::Error),
    #[error("a change without an event is not kept")]
    Unrecorded,
    #[error("this slot holds no key for it")]
    SupportSlot,
    #[error("this support slot was made by an earlier version, and holds no key for it")]
    SupportSlotOfBefore,
    #[error("cannot write {}", .0.display())]
    Target(PathBuf, #[source] std::io::Error),
}

/// The result of a keystore call.
pub(super) type Result<T, E = Error> = std::result::Result<T, E>;

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        match error.sqlite_error_code() {
            Some(Code::DatabaseBusy | Code::DatabaseLocked) => Self::Busy,
            Some(Code::DiskFull) => Self::Full,
            Some(Code::ReadOnly | Code::CannotOpen | Code::PermissionDenied) => Self::ReadOnly(error),
            // The file of shared memory that every opening needs could not grow: that is how a full disk meets a reader.
            Some(Code::SystemIoFailure) if extended(&error) == Some(ffi::SQLITE_IOERR_SHMSIZE) => Self::Full,
            Some(Code::SystemIoFailure) => Self::Io(std::io::Error::other(error)),
            Some(Code::NotADatabase) => Self::Foreign,
            Some(Code::DatabaseCorrupt | Code::TypeMismatch | Code::ConstraintViolation | Code::TooBig) => {
                Self::Damaged(Some(error))
            }
            _ if is_of_other_data(&error) => Self::Damaged(Some(error)),
            _ => Self::Sqlite(error),
        }
    }
}

/// Whether a row, or a table, is none that keyward wrote: every statement and every type here is fixed.
fn is_of_other_data(error: &rusqlite::Error) -> bool {
    use rusqlite::Error as E;
    matches!(
        error,
        E::FromSqlConversionFailure(..)
            | E::IntegralValueOutOfRange(..)
            | E::InvalidColumnType(..)
            | E::Utf8Error(..)
            | E::QueryReturnedNoRows
            | E::SqlInputError { .. }
    )
}

fn extended(error: &rusqlite::Error) -> Option<i32> {
    error.sqlite_error().map(|error| error.extended_code)
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Io(error),
        }
    }
}

impl From<SealError> for Error {
    fn from(_: SealError) -> Self {
        Self::Damaged(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sqlite_says_of_the_disk_is_not_a_bug_of_the_keystore() {
        let of = |code| Error::from(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
        for code in [
            ffi::SQLITE_IOERR,
            ffi::SQLITE_IOERR_READ,
            ffi::SQLITE_IOERR_SHORT_READ,
            ffi::SQLITE_IOERR_WRITE,
            ffi::SQLITE_IOERR_FSYNC,
        ] {
            assert!(matches!(of(code), Error::Io(_)), "{code}");
        }
        assert!(matches!(of(ffi::SQLITE_FULL), Error::Full));
        assert!(matches!(of(ffi::SQLITE_IOERR_SHMSIZE), Error::Full));
        assert!(matches!(of(ffi::SQLITE_CANTOPEN), Error::ReadOnly(_)));
        assert!(matches!(of(ffi::SQLITE_BUSY_SNAPSHOT), Error::Busy));
        assert!(matches!(of(ffi::SQLITE_CORRUPT), Error::Damaged(_)));
    }
}
