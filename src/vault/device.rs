//! The device key: a random key in a private file of the configuration directory, never beside the keystore.

use super::slots::SlotSecret;
use crate::files;
use rand::CryptoRng;
use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

const MAGIC: &[u8] = b"keyward device key v1\n";
const KEY_BYTES: usize = 32;

/// Where the device key of a vault is.
#[must_use]
pub fn path(config: &Path, vault_id: &str) -> PathBuf {
    config.join("devices").join(format!("{vault_id}.key"))
}

/// Draws a device key and stores it, durably, before any slot relies on it.
///
/// # Errors
/// When the file exists or cannot be written.
pub fn create(path: &Path, rng: &mut impl CryptoRng) -> io::Result<SlotSecret> {
    let mut key = Zeroizing::new([0u8; KEY_BYTES]);
    rng.fill_bytes(key.as_mut());
    let bytes = Zeroizing::new([MAGIC, key.as_slice()].concat());
    if path.symlink_metadata().is_ok() {
        return Err(io::Error::from(io::ErrorKind::AlreadyExists));
    }
    if let Some(dir) = path.parent() {
        files::create_private_dir(dir)?;
    }
    files::write_private_atomic(path, &bytes)?;
    Ok(SlotSecret::from_random(key.as_slice()))
}

/// Whether a file is a device key, as far as its beginning tells.
#[must_use]
pub fn is_one(path: &Path) -> bool {
    let mut begins = [0; MAGIC.len()];
    // A pipe would be waited for.
    path.metadata().is_ok_and(|found| found.is_file())
        && File::open(path).and_then(|mut file| file.read_exact(&mut begins)).is_ok()
        && begins == MAGIC
}

/// The secret in the bytes of a device key file; `None` when they are something else.
#[must_use]
pub fn parse(bytes: &[u8]) -> Option<SlotSecret> {
    let key = bytes.strip_prefix(MAGIC)?;
    (key.len() == KEY_BYTES).then(|| SlotSecret::from_random(key))
}
