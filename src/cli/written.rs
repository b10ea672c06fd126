//! The files that a command is told to write: never keyward's own, and never what another user put there to be written.

use super::context::Ctx;
use crate::{
    anchor::Anchor,
    files,
    ops::{Error, Result},
};
use std::path::Path;

impl Ctx {
    /// Refuses, before anything is done, a file that an option names and that is not to be written.
    ///
    /// # Errors
    /// `Usage` for a file of keyward's own and for `-`, `Forbidden` for one that another user laid out.
    pub(super) fn may_write(&self, option: &str, path: &Path) -> Result<()> {
        if path == Path::new("-") {
            return Err(Error::usage(format!("{option} takes a file, and - is standard output"))
                .hint("name a file; one that is called - is ./-"));
        }
        self.dirs()?.refuse_own(path)?;
        match files::laid_by_others(path) {
            Some(laid) => Err(Error::forbidden("others", format!("{} is refused", path.display()))
                .cause(laid.to_string())
                .hint("name a file in a directory that only you can write to")),
            None => Ok(()),
        }
    }

    /// The same of a file that must be a new one: where something stands, whoever makes it says that it exists.
    ///
    /// # Errors
    /// See [`Ctx::may_write`].
    pub(super) fn may_create(&self, option: &str, path: &Path) -> Result<()> {
        if path.symlink_metadata().is_ok() { Ok(()) } else { self.may_write(option, path) }
    }

    /// The same of the places of checkpoints.
    ///
    /// # Errors
    /// See [`Ctx::may_write`].
    pub(super) fn may_anchor(&self, option: &str, anchors: &[Anchor]) -> Result<()> {
        anchors.iter().try_for_each(|anchor| match anchor {
            Anchor::File(path) | Anchor::Git(path) => self.may_write(option, path),
            Anchor::Http(_) | Anchor::Command(_) => Ok(()),
        })
    }
}
