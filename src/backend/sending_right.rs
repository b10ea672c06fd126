//! Which server sends the webhooks of a vault: a locked file beside the keystore, as with [`super::presence`].

use super::presence::directory;
use crate::files;
use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
};

/// The lock of the server that sends to webhooks.
const SENDER: &str = "sender.lock";

/// The right to send to webhooks, which one server has at a time.
pub(super) struct SendingRight {
    path: PathBuf,
    held: Option<File>,
}

impl SendingRight {
    pub(super) fn of(data: &Path) -> Self {
        Self { path: directory(data).join(SENDER), held: None }
    }

    /// Takes the right, unless another server has it; says whether it is ours. Where no lock can be had, everybody sends:
    /// a message that comes twice under one id is better than none.
    pub(super) fn take(&mut self) -> bool {
        if self.held.is_some() {
            return true;
        }
        let opened = self.path.parent().map_or(Ok(()), files::create_private_dir);
        let Ok(file) = opened.and_then(|()| files::open_private(&self.path)) else { return true };
        match file.try_lock() {
            Ok(()) => {
                self.held = Some(file);
                true
            }
            Err(TryLockError::WouldBlock) => false,
            Err(TryLockError::Error(_)) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_server_sends_and_another_follows_it() {
        let dir = tempfile::tempdir().unwrap();
        let (mut one, mut other) = (SendingRight::of(dir.path()), SendingRight::of(dir.path()));
        assert!(one.take() && one.take() && !other.take());
        drop(one);
        assert!(other.take());
    }
}
