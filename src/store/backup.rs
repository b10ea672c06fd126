//! Copies of the keystore, taken while others write.

use super::{
    error::{Error, Result},
    open::Store,
};
use crate::files;
use rusqlite::{Connection, backup::Backup};
use std::{path::Path, time::Duration};

/// Pages a step: the whole file at once, so that writers are never waited for twice.
const ALL_PAGES: i32 = i32::MAX;

impl Store {
    /// Writes a consistent copy to a new private file, durably; it appears complete or not at all.
    ///
    /// # Errors
    /// `TargetExists` when there is a file already.
    pub fn backup(&self, target: &Path) -> Result<()> {
        if target.symlink_metadata().is_ok() {
            return Err(Error::TargetExists);
        }
        let temporary = files::sibling(target, "copy");
        let file = files::create_private(&temporary)?;
        let copied = Connection::open(&temporary)
            .map_err(Error::from)
            .and_then(|copy| copy_to(&self.connection, copy))
            .and_then(|()| {
                file.sync_all()?;
                match std::fs::hard_link(&temporary, target) {
                    Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Err(Error::TargetExists),
                    linked => Ok(linked?),
                }
            });
        std::fs::remove_file(&temporary)?;
        copied?;
        Ok(files::sync_dir_of(target)?)
    }
}

/// Copies everything into another database, in one transaction there.
pub(super) fn copy_to(source: &Connection, mut copy: Connection) -> Result<()> {
    {
        let backup = Backup::new(source, &mut copy)?;
        backup.run_to_completion(ALL_PAGES, Duration::from_millis(50), None)?;
    }
    copy.close().map_err(|(_, error)| error.into())
}
