//! Putting a copy back: it continues as a new incarnation of its vault, which names the trail it replaces by its size.

use super::{
    backup::copy_to,
    error::{Error, Result},
    open::{LockedStore, Store},
    schema,
};
use crate::{
    domain::{Event, Time},
    files,
};
use rusqlite::{Connection, OpenFlags};
use std::path::Path;

impl LockedStore {
    /// How many events the trail has, as far as the file says; needs no key, and proves nothing.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn claimed_trail_size(&self) -> Result<u64> {
        let size: i64 = self.connection().query_row("SELECT coalesce(max(seq), 0) FROM audit", [], |row| row.get(0))?;
        u64::try_from(size).map_err(|_| Error::Damaged(None))
    }
}

impl Store {
    /// Makes this keystore a later incarnation than one that was seen, so that it is not taken for a rollback.
    ///
    /// # Errors
    /// As [`Store::begin`].
    pub fn reincarnate(&self, seen: u64, event: Event, now: Time) -> Result<()> {
        let mut tx = self.begin(now)?;
        tx.view.head.incarnation = tx.view.head.incarnation.max(seen) + 1;
        tx.commit_all(vec![event])?;
        self.truncate_log()
    }

    /// Puts this keystore in the place of another: into the file that is there, in one transaction, so that open
    /// processes see the change; or under its name, after the file that is no keystore was moved aside.
    ///
    /// # Errors
    /// Those of SQLite and the file system; the keystore that was there is then still there, under its name or beside.
    pub fn install(&self, live: &Path) -> Result<()> {
        if Self::open(live).is_ok() {
            let target = Connection::open_with_flags(live, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            schema::configure(&target)?;
            return copy_to(&self.connection, target);
        }
        let aside = files::sibling(live, "damaged");
        for suffix in ["", "-wal", "-shm"] {
            match std::fs::rename(files::with_suffix(live, suffix), files::with_suffix(&aside, suffix)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        self.backup(live)
    }
}
