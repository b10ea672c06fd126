//! Copies of the keystore, taken while others write.

use super::{
    error::{Error, Result},
    open::Store,
};
use crate::files;
use rusqlite::{Connection, backup::Backup};
use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

/// Pages a step: the whole file at once, so that writers are never waited for twice.
pub(super) const ALL_PAGES: i32 = i32::MAX;

/// A copy that is about to be made: its place takes a new file, and has none under its name yet.
pub struct NewCopy {
    target: PathBuf,
    temporary: PathBuf,
    file: File,
}

impl NewCopy {
    /// Makes sure of the place.
    ///
    /// # Errors
    /// `Target` when there is a file already, or none can be made.
    pub fn at(target: &Path) -> Result<Self> {
        if target.symlink_metadata().is_ok() {
            return Err(Error::Target(target.to_owned(), io::ErrorKind::AlreadyExists.into()));
        }
        let temporary = files::sibling(target, "copy");
        let file = files::create_private(&temporary).map_err(|error| Error::Target(target.to_owned(), error))?;
        Ok(Self { target: target.to_owned(), temporary, file })
    }

    /// Writes a consistent copy, durably; it appears complete or not at all.
    ///
    /// # Errors
    /// `Target` when it cannot be written, or a file has appeared under its name.
    pub fn fill(self, store: &Store) -> Result<()> {
        let failed = |error| Error::Target(self.target.clone(), error);
        copy_to(&store.connection, Connection::open(&self.temporary)?).map_err(|error| match error {
            Error::Full => failed(io::ErrorKind::StorageFull.into()),
            other => other,
        })?;
        self.file.sync_all().map_err(failed)?;
        std::fs::hard_link(&self.temporary, &self.target).map_err(failed)?;
        files::sync_dir_of(&self.target).map_err(failed)
    }
}

impl Drop for NewCopy {
    fn drop(&mut self) {
        // What is complete has its own name by now; what is left of the other is litter, and worth no error.
        let _ = std::fs::remove_file(&self.temporary);
    }
}

impl Store {
    /// Writes a consistent copy to a new private file.
    ///
    /// # Errors
    /// As [`NewCopy::at`] and [`NewCopy::fill`].
    pub fn backup(&self, target: &Path) -> Result<()> {
        NewCopy::at(target)?.fill(self)
    }
}

/// Copies everything into another database, in one transaction there.
fn copy_to(source: &Connection, mut copy: Connection) -> Result<()> {
    {
        let backup = Backup::new(source, &mut copy)?;
        backup.run_to_completion(ALL_PAGES, Duration::from_millis(50), None)?;
    }
    copy.close().map_err(|(_, error)| error.into())
}
