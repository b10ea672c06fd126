//! By what a server knows the rotation of a holder again, in whichever process of this machine: a name that is kept in a file
//! until the rotation is done. Whoever goes on after a kill has the turn at once, and begins no second rotation.
//!
//! The file is locked while a process works: two at once would hand out two secrets to one place.

use crate::{
    backend::Dirs,
    domain::ids::random_base62,
    files,
    ops::{Error, Kind, Result},
};
use sha2::{Digest, Sha256};
use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
};

const LETTERS: usize = 16;

/// The turn of this process in the rotation into one place.
pub struct Turn {
    name: String,
    /// Where nothing can be written, a run that is interrupted is not known again.
    file: Option<File>,
}

impl Turn {
    /// Takes the turn.
    ///
    /// # Errors
    /// `Busy` while another process has it.
    pub fn take(dirs: &Dirs, server: &str, sink: &str) -> Result<Self> {
        let drawn = || random_base62(&mut rand::rng(), LETTERS);
        match kept(dirs, server, sink) {
            Ok(Some((name, file))) => Ok(Self { name, file: Some(file) }),
            Ok(None) => Err(Error::new(Kind::Busy, "turn", format!("another process rotates a key into {sink}"))
                .hint("try again when it is done")),
            Err(error) => {
                tracing::warn!(%error, "a rotation that is interrupted will be taken for somebody else's for five minutes");
                Ok(Self { name: drawn(), file: None })
            }
        }
    }

    /// The name by which the server knows it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The rotation is done: the next one is another.
    pub fn done(self) {
        if let Some(file) = self.file {
            // Else the next run within a day hears that this one is done.
            let _ = file.set_len(0);
        }
    }
}

/// The name that is kept, a new one if there is none; `None` while another process has the file.
fn kept(dirs: &Dirs, server: &str, sink: &str) -> io::Result<Option<(String, File)>> {
    let dir = dirs.state.join("self");
    files::create_private_dir(&dir)?;
    let digest = Sha256::digest(format!("{server}\0{sink}"));
    let path = dir.join(digest.iter().take(LETTERS).map(|byte| format!("{byte:02x}")).collect::<String>());
    let mut file = OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o600).open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let mut name = String::new();
    // What is no text is no name either.
    let read = (&file).take(2 * LETTERS as u64).read_to_string(&mut name);
    if read.is_err() || name.len() != LETTERS || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        name = random_base62(&mut rand::rng(), LETTERS);
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(name.as_bytes())?;
        file.sync_data()?;
    }
    Ok(Some((name, file)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_known_again_until_it_is_done() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let (data, config, state, runtime) = (at("data"), at("config"), at("state"), at("run"));
        let dirs = Dirs { data, config, state, runtime, require_state: false };
        let take = |sink: &str| Turn::take(&dirs, "http://127.0.0.1:1", sink);
        let first = take("file:a").unwrap();
        let (name, other) = (first.name().to_owned(), take("file:b").unwrap());
        assert_ne!(other.name(), name);
        assert_eq!(take("file:a").err().map(|error| error.kind), Some(Kind::Busy));
        // A process that was killed let go of it.
        drop(first);
        let again = take("file:a").unwrap();
        assert_eq!(again.name(), name);
        again.done();
        assert_ne!(take("file:a").unwrap().name(), name);
    }
}
