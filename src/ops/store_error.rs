//! What the use cases make of the keystore's errors.

use super::error::{Error, Kind};
use crate::store;

/// Why a keystore cannot be read by who opened it before: it got new keys.
pub const REKEYED: &str = "rekeyed";

/// Why nothing can be written: there is no room.
pub const DISK_FULL: &str = "disk_full";

/// Why a keystore that was there cannot be read.
pub const GONE: &str = "keystore_gone";

/// The keystore's errors, each with its own reason and exit code.
impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        use store::Error as E;
        let damaged = "keyward vault restore FILE  (from a backup), and find out who changed the file";
        let (kind, reason, hint) = match &error {
            E::Exists => (Kind::Conflict, "exists", "keyward vault status"),
            E::Foreign => (Kind::Integrity, "foreign_file", "name the vault's directory with --vault DIR"),
            E::Newer { .. } => (
                Kind::Conflict,
                "newer_format",
                concat!("update keyward: this is ", env!("CARGO_PKG_VERSION"), ", and it changed nothing"),
            ),
            E::Damaged(_) => (Kind::Integrity, "damaged_file", damaged),
            E::Inconsistent(_) => (Kind::Integrity, "inconsistent_file", damaged),
            E::RowTampered { .. } => (Kind::Integrity, "row_tampered", damaged),
            E::RowRolledBack { .. } => (Kind::Integrity, "row_rolled_back", damaged),
            E::SetMismatch(_) => (Kind::Integrity, "rows_missing", damaged),
            E::Shape { .. } => (
                Kind::Integrity,
                "schema_changed",
                "find out who changed it; put that object right with the sqlite3 program, or take a backup: keyward vault restore FILE; then keyward audit verify --full",
            ),
            E::HeadForged => (Kind::Integrity, "head_forged", damaged),
            E::Rekeyed => (Kind::Locked, REKEYED, "open it again: eval \"$(keyward unlock --for 15m)\""),
            E::TrailCut { .. } => (Kind::Integrity, "trail_cut", damaged),
            E::TreeDamaged => (Kind::Integrity, "tree_damaged", damaged),
            E::Trail { .. } => (Kind::Integrity, "trail_tampered", damaged),
            E::RolledBack { .. } => (
                Kind::Integrity,
                "rolled_back",
                "put the newest keystore back together with its -wal file; an old copy was put in its place",
            ),
            E::Forked { .. } => (
                Kind::Integrity,
                "forked",
                "put the copy this machine worked with back; to go on with this one: keyward vault restore COPY --force",
            ),
            E::Target(path, why) => return Self::cannot_write(path, why),
            E::TooOpen(path) => {
                return Self::forbidden("permissions", error.to_string()).hint(format!("chmod go= {}", path.display()));
            }
            E::Gone(_) => (Kind::Unavailable, GONE, "mount its volume, or put the file back"),
            E::Stale => (Kind::Conflict, "stale", "run the command again"),
            E::Busy => (Kind::Busy, "busy", "run the command again"),
            E::Full => (Kind::Unavailable, DISK_FULL, "make room on the disk and run the command again"),
            E::ReadOnly(cause) if cause.sqlite_error_code() == Some(rusqlite::ErrorCode::ReadOnly) => {
                return read_only();
            }
            E::ReadOnly(_) => (Kind::Unavailable, "read_only_file", "check the permissions of the vault's directory"),
            E::LogShut(..) => (
                Kind::Conflict,
                "log_shut",
                "copy the keystore together with its -wal file into a directory of your own, and name it with --vault DIR",
            ),
            E::Unremembered(_) => (
                Kind::Conflict,
                "unremembered",
                "give it a directory that this user can write to: XDG_STATE_HOME, or StateDirectory= of a service; the setting require_state asks for it",
            ),
            E::Io(_) => (Kind::Unavailable, "io", "check the vault's directory: keyward doctor"),
            E::Sqlite(_) => (Kind::Failure, "sqlite", "keyward doctor"),
            E::Unrecorded => return Self::new(Kind::Internal, "unrecorded", error.to_string()),
            E::SupportSlot => return crate::ops::support_refused(),
            E::SupportSlotOfBefore => return crate::ops::support_of_before(),
        };
        let mut out = Self::new(kind, reason, error.to_string()).hint(hint);
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            out = out.cause(cause.to_string());
            source = cause.source();
        }
        out
    }
}

/// Nothing can be written to the keystore until somebody changes that: the same call fails again.
fn read_only() -> Error {
    Error::new(Kind::Failure, "read_only_file", "the keystore cannot be written: its file or its place is read-only")
        .cause("what this command does or shows is recorded in it")
        .hint("make the vault's directory writable, or mount it for writing")
        .hint("copy the directory to a place that can be written, and name the copy with --vault DIR")
}
