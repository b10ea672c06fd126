//! What the local vault and another keystore agreed on when declarations were last carried between them: a file a pair in
//! the state of this machine, sealed by the vault. It decides nothing alone: without it, what differs is a conflict.

use super::{
    local::Local,
    unlock::{LocalVault, Unlock},
};
use crate::{
    files,
    ops::{Agreed, Context, Error, Kind, Result},
};
use sha2::{Digest, Sha256};
use std::{io, path::PathBuf};

/// More than a hundred thousand declarations.
const LONGEST: u64 = 256 * 1024 * 1024;

/// The memory of an opened vault.
pub struct Agreements(Local);

impl LocalVault {
    /// Opens the vault for what it remembers of others.
    ///
    /// # Errors
    /// As [`LocalVault::unlock`].
    pub fn agreements(&self, cx: &Context, unlock: Unlock<'_>) -> Result<Agreements> {
        Ok(Agreements(self.open(cx, unlock)?))
    }
}

impl Agreements {
    /// What was agreed on with another keystore; nothing where that is not known, or was sealed by keys that are no more.
    ///
    /// # Errors
    /// `Unavailable` when the file is there and cannot be read.
    pub fn with(&self, other: &str) -> Result<Agreed> {
        let path = self.path(other);
        let sealed = match files::read_limited(&path, LONGEST) {
            Ok(sealed) => sealed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Agreed::default()),
            Err(error) => return Err(away(&error, "cannot be read")),
        };
        let plain = self.0.store().capabilities().open_record(&self.bound(other), &sealed);
        Ok(plain.ok().and_then(|plain| serde_json::from_slice(&plain).ok()).unwrap_or_default())
    }

    /// Keeps it.
    ///
    /// # Errors
    /// `Unavailable` when the file cannot be written.
    pub fn keep(&self, other: &str, agreed: &Agreed) -> Result<()> {
        let internal =
            |why: String| Error::new(Kind::Internal, "agreed", "what was agreed on cannot be sealed").cause(why);
        let plain = serde_json::to_vec(agreed).map_err(|error| internal(error.to_string()))?;
        let caps = self.0.store().capabilities();
        let sealed = caps.seal_record(&mut rand::rng(), &self.bound(other), &plain);
        let sealed = sealed.map_err(|error| internal(error.to_string()))?;
        let path = self.path(other);
        let directory = path.parent().unwrap_or(&path);
        files::create_private_dir(directory).map_err(|error| away(&error, "cannot be written"))?;
        files::write_private_atomic(&path, &sealed).map_err(|error| away(&error, "cannot be written"))
    }

    fn bound(&self, other: &str) -> Vec<u8> {
        [self.0.store().capabilities().vault_id.as_bytes(), b"\0agreed\0", other.as_bytes()].concat()
    }

    /// The name of the file tells nothing of the other keystore.
    fn path(&self, other: &str) -> PathBuf {
        let digest = Sha256::digest(self.bound(other));
        let name: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        self.0.dirs.state.join("agreed").join(name)
    }
}

fn away(error: &io::Error, what: &str) -> Error {
    Error::new(Kind::of_io(error), "agreed", format!("what was last agreed on with the other side {what}"))
        .cause(error.to_string())
}
