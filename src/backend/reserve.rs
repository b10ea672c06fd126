//! A little room on the disk that a server keeps, so that a key can be stopped when there is none left: a full disk must
//! not protect a secret that leaked.

use super::presence;
use crate::{
    files,
    ops::{DISK_FULL, Result},
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Many times what a commit takes.
const BYTES: u64 = 512 * 1024;

/// The file that takes the room.
pub(super) struct Reserve(PathBuf);

impl Reserve {
    pub(super) fn of(data: &Path) -> Self {
        Self(presence::directory(data).join("reserve"))
    }

    /// Takes the room, if it is not taken.
    pub(super) fn take(&self) {
        if self.0.exists() {
            return;
        }
        let made = self.0.parent().map_or(Ok(()), files::create_private_dir).and_then(|()| {
            let file = files::create_private(&self.0)?;
            files::reserve(&file, BYTES)
        });
        if let Err(error) = made {
            // A file that took no room only looks like a reserve.
            let _ = fs::remove_file(&self.0);
            tracing::warn!(%error, "no room could be reserved for revocations on a full disk");
        }
    }

    /// Makes a change, which on a full disk is tried again with what is kept.
    pub(super) fn used_by<R, T>(&self, [first, again]: [R; 2], change: impl Fn(R) -> Result<T>) -> Result<T> {
        match change(first) {
            Err(error) if error.reason == DISK_FULL && fs::remove_file(&self.0).is_ok() => {
                tracing::warn!("the disk is full: what was kept for stopping keys is used");
                change(again)
            }
            Ok(done) => {
                self.take();
                Ok(done)
            }
            Err(error) => Err(error),
        }
    }
}
