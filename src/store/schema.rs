//! The schema, as an append-only list of migrations, and the settings of every connection.

use super::{
    cursors,
    error::{Error, Result},
    usage, webhooks,
};
use rusqlite::{Connection, Transaction, TransactionBehavior, config::DbConfig};
use std::{fs::File, io::Read, path::Path, time::Duration};

/// "KWRD": marks the file as a keyward keystore.
pub(super) const APPLICATION_ID: i64 = 0x4b57_5244;
/// What brings a keystore from each format to the next one; only ever appended to.
const MIGRATIONS: [&str; 7] = [
    MIGRATION_1,
    usage::SCHEMA,
    usage::SPENT_SCHEMA,
    cursors::SCHEMA,
    webhooks::SCHEMA,
    webhooks::ORDER_SCHEMA,
    MIGRATION_7,
];
/// The format this keyward writes.
const FORMAT: i64 = MIGRATIONS.len() as i64;
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Names and contents are sealed; in the clear are random ids, environment, status facts, timestamps and counters.
const MIGRATION_1: &str = "
CREATE TABLE vault (
    one INTEGER PRIMARY KEY CHECK (one = 1), vault_id TEXT NOT NULL, brand TEXT NOT NULL, created_at INTEGER NOT NULL
) STRICT;
CREATE TABLE head (one INTEGER PRIMARY KEY CHECK (one = 1), body BLOB NOT NULL, signature BLOB NOT NULL) STRICT;
CREATE TABLE slots (id TEXT PRIMARY KEY, body BLOB NOT NULL, tag BLOB NOT NULL) STRICT;
CREATE TABLE keys (
    id TEXT NOT NULL, name_index BLOB NOT NULL UNIQUE, workspace_index BLOB NOT NULL, environment INTEGER NOT NULL,
    active INTEGER NOT NULL, revoked_at INTEGER, expires_at INTEGER, created_at INTEGER NOT NULL,
    due_at INTEGER, rotation TEXT, rotating INTEGER NOT NULL,
    version INTEGER NOT NULL, epoch INTEGER NOT NULL, generation INTEGER NOT NULL,
    sealed BLOB NOT NULL, tag BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX keys_by_id ON keys (id, tag);
CREATE INDEX keys_by_expiry ON keys (expires_at) WHERE expires_at IS NOT NULL;
CREATE TABLE pages (number INTEGER PRIMARY KEY, sealed BLOB NOT NULL) STRICT;
CREATE INDEX keys_by_due ON keys (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX keys_by_rotation ON keys (rotation) WHERE rotation IS NOT NULL;
CREATE INDEX keys_rotating ON keys (rotating) WHERE rotating = 1;
CREATE TABLE lookups (lookup TEXT PRIMARY KEY, key_id TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX lookups_by_key ON lookups (key_id);
CREATE TABLE objects (
    kind INTEGER NOT NULL, name_index BLOB NOT NULL, parent_index BLOB NOT NULL, version INTEGER NOT NULL,
    generation INTEGER NOT NULL, sealed BLOB NOT NULL, tag BLOB NOT NULL, PRIMARY KEY (kind, name_index)
) STRICT, WITHOUT ROWID;
CREATE TABLE retired (
    lookup TEXT PRIMARY KEY, key_id TEXT NOT NULL, generation INTEGER NOT NULL, sealed BLOB NOT NULL, tag BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX retired_by_key ON retired (key_id);
CREATE TABLE idempotency (
    name_index BLOB PRIMARY KEY, at INTEGER NOT NULL, generation INTEGER NOT NULL, sealed BLOB NOT NULL,
    tag BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_time ON idempotency (at);
CREATE TABLE usage (key_id TEXT PRIMARY KEY, uses INTEGER NOT NULL, last_used_at INTEGER, address BLOB) STRICT;
CREATE TABLE audit (
    seq INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, target TEXT NOT NULL, done INTEGER NOT NULL, body BLOB NOT NULL,
    hash BLOB NOT NULL, detail BLOB NOT NULL, generation INTEGER NOT NULL
) STRICT;
CREATE TABLE tree (
    level INTEGER NOT NULL, place INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (level, place)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER tree_keeps BEFORE DELETE ON tree BEGIN SELECT raise(ABORT, 'the audit trail is append-only'); END;
CREATE TRIGGER tree_stays BEFORE UPDATE ON tree BEGIN SELECT raise(ABORT, 'the audit trail is append-only'); END;
CREATE INDEX audit_by_target ON audit (target, done, epoch);
CREATE TRIGGER audit_appends BEFORE INSERT ON audit
WHEN NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM audit)
BEGIN SELECT raise(ABORT, 'the audit trail is append-only'); END;
CREATE TABLE archives (last INTEGER PRIMARY KEY, first INTEGER NOT NULL) STRICT;
CREATE TRIGGER audit_keeps BEFORE DELETE ON audit
WHEN OLD.seq > (SELECT coalesce(max(last), 0) FROM archives)
BEGIN SELECT raise(ABORT, 'the audit trail is append-only'); END;
CREATE TRIGGER audit_stays BEFORE UPDATE OF seq, epoch, target, done, body, hash ON audit
BEGIN SELECT raise(ABORT, 'the audit trail is append-only'); END;
";

/// Indexes that say by themselves which key has which time, and tags of what a support slot must not forge. What is sealed
/// follows with the first admin ([`super::upgrade`]).
const MIGRATION_7: &str = "
DROP INDEX keys_by_expiry;
CREATE INDEX keys_by_expiry ON keys (expires_at, id) WHERE expires_at IS NOT NULL;
DROP INDEX keys_by_due;
CREATE INDEX keys_by_due ON keys (due_at, id) WHERE due_at IS NOT NULL;
ALTER TABLE stream_cursors ADD COLUMN tag BLOB;
ALTER TABLE told_once ADD COLUMN tag BLOB;
ALTER TABLE secret_usage ADD COLUMN used BLOB;
";

/// Settings that hold for a connection, not for the file.
pub(super) fn configure(connection: &Connection) -> Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // The triggers of the schema are for other programs; a planted one could make a change do nothing, or something else.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA foreign_keys = ON; PRAGMA mmap_size = 0;
         PRAGMA temp_store = MEMORY; PRAGMA cache_size = -65536;",
    )?;
    Ok(())
}

/// Whether a file is a keystore, as far as its header tells; nothing is opened by SQLite.
#[must_use]
pub fn is_keystore(path: &Path) -> bool {
    /// How every SQLite file begins, and where the mark of the program stands.
    const MAGIC: &[u8] = b"SQLite format 3\0";
    const MARK: std::ops::Range<usize> = 68..72;
    let mut header = [0; MARK.end];
    // A pipe would be waited for.
    let read = path.metadata().is_ok_and(|found| found.is_file())
        && File::open(path).and_then(|mut file| file.read_exact(&mut header)).is_ok();
    let mark = u32::from_be_bytes(header[MARK].try_into().unwrap_or_default());
    read && header.starts_with(MAGIC) && i64::from(mark) == APPLICATION_ID
}

/// Reads the file for the first time.
pub(super) fn touch(connection: &Connection) -> Result<()> {
    number(connection, "application_id").map(drop)
}

/// Makes the tables in a new file, which can give pages back to the disk.
pub(super) fn create(connection: &Connection) -> Result<()> {
    connection.execute_batch("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;")?;
    connection.execute_batch(&MIGRATIONS.concat())?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", FORMAT)?;
    Ok(())
}

/// Whether the file is one of ours, in a format we know; an older format is brought up to ours in one transaction.
/// Nothing is written otherwise.
pub(super) fn check(connection: &Connection) -> Result<()> {
    if number(connection, "application_id")? != APPLICATION_ID {
        return Err(Error::Foreign);
    }
    match number(connection, "user_version")? {
        FORMAT => Ok(()),
        found if found > FORMAT => Err(Error::Newer { found, known: FORMAT }),
        1.. => migrate(connection),
        _ => Err(Error::Damaged(None)),
    }
}

/// Whether the format is still one that we know, within a transaction.
pub(super) fn check_still_known(connection: &Connection) -> Result<()> {
    let found = connection.prepare_cached("PRAGMA user_version")?.query_row([], |row| row.get(0))?;
    if found > FORMAT { Err(Error::Newer { found, known: FORMAT }) } else { Ok(()) }
}

fn migrate(connection: &Connection) -> Result<()> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Exclusive)?;
    // Another process may have been faster: only now is the format certain.
    let done = usize::try_from(number(connection, "user_version")?).map_err(|_| Error::Damaged(None))?;
    for migration in MIGRATIONS.iter().skip(done) {
        // A file that says of itself that it is older than it is has tables that are in the way.
        transaction.execute_batch(migration).map_err(|error| match error {
            rusqlite::Error::SqlInputError { .. } => Error::Damaged(None),
            error => error.into(),
        })?;
    }
    if done < MIGRATIONS.len() {
        transaction.pragma_update(None, "user_version", FORMAT)?;
    }
    Ok(transaction.commit()?)
}

fn number(connection: &Connection, pragma: &str) -> Result<i64> {
    Ok(connection.pragma_query_value(None, pragma, |row| row.get(0))?)
}
