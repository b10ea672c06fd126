//! Putting a copy back: it continues as a new incarnation of its vault, which names the trail it replaces by its size.

use super::{
    backup::ALL_PAGES,
    error::{Error, Result},
    head::{Head, has_event},
    open::{LockedStore, Store},
    schema,
    view::View,
};
use crate::{
    domain::{Event, Plan, Time},
    files,
    vault::{Capabilities, Pin},
};
use rusqlite::{
    Connection, OpenFlags, Transaction, TransactionBehavior,
    backup::{Backup, StepResult},
};
use std::path::Path;

impl LockedStore {
    /// What the signed head of another copy of a vault says, read with the keys of this one; nothing else is checked.
    ///
    /// # Errors
    /// `HeadForged` and `TrailCut`.
    pub fn last_commit(&self, caps: &Capabilities) -> Result<Pin> {
        let _moment = Transaction::new_unchecked(self.connection(), TransactionBehavior::Deferred)?;
        Head::of_any_generation(self.connection(), caps).map(|(_, pin)| pin)
    }

    /// Whether nothing was ever put into it: no key is or was there, and no object but those that every vault begins with.
    /// That is told without its keys.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn holds_nothing(&self) -> Result<bool> {
        let at_first = 1 + Plan::builtin().len() as i64;
        let holds: bool = self.connection().query_row(
            "SELECT EXISTS (SELECT 1 FROM keys) OR EXISTS (SELECT 1 FROM retired) OR EXISTS (SELECT 1 FROM archives)
             OR (SELECT count(*) FROM objects) > ?1",
            (at_first,),
            |row| row.get(0),
        )?;
        Ok(!holds)
    }
}

impl View<'_> {
    /// The last commit, as it is remembered outside.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn last_commit(&self) -> Result<Pin> {
        Head::read(self.connection, self.caps).map(|(_, pin)| pin)
    }

    /// Whether the trail of another copy of the vault, which ends with this commit, is the beginning of this one.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn continues(&self, other: &Pin) -> Result<bool> {
        has_event(self.connection, other)
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
    /// processes see the change; or under its name, after the file that is no keystore was moved aside. `check` sees the
    /// keystore that is there once nobody else can commit to it any more.
    ///
    /// # Errors
    /// Those of `check`, SQLite and the file system; the keystore that was there is then still there, under its name or
    /// beside.
    pub fn install<E: From<Error>>(
        &self,
        live: &Path,
        check: impl FnOnce(&LockedStore) -> Result<(), E>,
    ) -> Result<(), E> {
        if let Ok(there) = Self::open(live) {
            return self.install_into(live, || check(&there));
        }
        let aside = files::sibling(live, "damaged");
        for suffix in ["", "-wal", "-shm"] {
            match std::fs::rename(files::with_suffix(live, suffix), files::with_suffix(&aside, suffix)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(Error::from(error).into()),
                _ => {}
            }
        }
        Ok(self.backup(live)?)
    }

    fn install_into<E: From<Error>>(&self, live: &Path, check: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        let open = || -> Result<Connection> {
            let target = Connection::open_with_flags(live, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            schema::configure(&target)?;
            Ok(target)
        };
        let mut target = open()?;
        {
            let backup = Backup::new(&self.connection, &mut target).map_err(Error::from)?;
            // A step of no pages begins the transaction, and so locks everybody else out.
            done_or_more(backup.step(0))?;
            check()?;
            done_or_more(backup.step(ALL_PAGES))?;
        }
        Ok(target.close().map_err(|(_, error)| Error::from(error))?)
    }
}

fn done_or_more(step: rusqlite::Result<StepResult>) -> Result<()> {
    match step? {
        StepResult::Busy | StepResult::Locked => Err(Error::Busy),
        _ => Ok(()),
    }
}
