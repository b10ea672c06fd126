//! Sealing bytes with XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03), padded so that lengths tell little.

use chacha20poly1305::{AeadInOut, KeyInit, Tag, XChaCha20Poly1305, XNonce};
use rand::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const NONCE_BYTES: usize = 24;
const PAD_TO: usize = 64;
const LENGTH_BYTES: usize = 4;
const TAG_BYTES: usize = 16;

/// A key that seals and opens.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SealKey([u8; 32]);

/// Sealed bytes that do not open: another key, or changed, moved or truncated bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("sealed bytes do not open")]
pub struct SealError;

impl SealKey {
    /// A key from derived bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Seals bytes under a fresh random nonce, bound to their associated data: nonce, then ciphertext and tag.
    ///
    /// # Errors
    /// When the bytes are longer than the cipher takes.
    pub fn seal(&self, rng: &mut impl CryptoRng, associated: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0u8; NONCE_BYTES];
        rng.fill_bytes(&mut nonce);
        let length = u32::try_from(plain.len()).map_err(|_| SealError)?;
        let padded = (LENGTH_BYTES + plain.len()).next_multiple_of(PAD_TO);
        // What is plain is overwritten where it lies: no copy of it is left behind.
        let mut out = Zeroizing::new(Vec::with_capacity(NONCE_BYTES + padded + TAG_BYTES));
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(plain);
        out.resize(NONCE_BYTES + padded, 0);
        let tag = self
            .cipher()
            .encrypt_inout_detached(&XNonce::from(nonce), associated, (&mut out[NONCE_BYTES..]).into())
            .map_err(|_| SealError)?;
        out.extend_from_slice(&tag);
        Ok(std::mem::take(&mut *out))
    }

    /// Opens what [`SealKey::seal`] made with the same associated data.
    ///
    /// # Errors
    /// When anything of it differs.
    pub fn open(&self, associated: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let mut opened = Opened::default();
        let length = self.open_in(&mut opened, associated, sealed)?.len();
        let Opened(mut padded) = opened;
        padded.copy_within(LENGTH_BYTES..LENGTH_BYTES + length, 0);
        padded.truncate(length);
        Ok(padded)
    }

    /// As [`SealKey::open`], in memory that is used again for the next.
    ///
    /// # Errors
    /// When anything of it differs.
    pub fn open_in<'o>(&self, opened: &'o mut Opened, associated: &[u8], sealed: &[u8]) -> Result<&'o [u8], SealError> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(SealError)?;
        let (sealed, tag) = sealed.split_last_chunk::<TAG_BYTES>().ok_or(SealError)?;
        let padded = opened.hold(sealed);
        self.cipher()
            .decrypt_inout_detached(&XNonce::from(*nonce), associated, (&mut *padded).into(), &Tag::from(*tag))
            .map_err(|_| SealError)?;
        let (length, padded) = padded.split_first_chunk::<LENGTH_BYTES>().ok_or(SealError)?;
        padded.get(..u32::from_le_bytes(*length) as usize).ok_or(SealError)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&self.0.into())
    }
}

/// Memory in which sealed bytes are opened one after the other; wiped once, when it is dropped.
#[derive(Default)]
pub struct Opened(Zeroizing<Vec<u8>>);

impl Opened {
    fn hold(&mut self, bytes: &[u8]) -> &mut [u8] {
        if self.0.capacity() < bytes.len() {
            // A buffer that grew would leave behind what it held.
            self.0 = Zeroizing::new(Vec::with_capacity(bytes.len().next_power_of_two()));
        }
        self.0.clear();
        self.0.extend_from_slice(bytes);
        &mut self.0
    }
}

/// Joins fields so that no two different lists give the same bytes: each field after its length.
#[must_use]
pub fn framed(fields: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(fields.iter().map(|field| field.len() + 4).sum());
    for field in fields {
        out.extend_from_slice(&frame(field));
        out.extend_from_slice(field);
    }
    out
}

/// What stands before a framed field: its length.
pub(super) fn frame(field: &[u8]) -> [u8; 4] {
    // A field is at most a row of the keystore: far below 4 GiB.
    u32::try_from(field.len()).unwrap_or(u32::MAX).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn opens_only_unchanged_and_in_its_place(plain in proptest::collection::vec(any::<u8>(), 0..300), at in any::<usize>()) {
            let key = SealKey::new([7; 32]);
            let mut sealed = key.seal(&mut rand::rng(), b"row 1", &plain).unwrap();
            prop_assert_eq!((sealed.len() - NONCE_BYTES - 16) % PAD_TO, 0);
            let mut used = Opened::default();
            used.hold(&[0xff; 100]);
            prop_assert_eq!(key.open_in(&mut used, b"row 1", &sealed).unwrap(), &plain);
            prop_assert_eq!(key.open(b"row 1", &sealed).unwrap().to_vec(), plain);
            prop_assert!(key.open(b"row 2", &sealed).is_err());
            prop_assert!(SealKey::new([8; 32]).open(b"row 1", &sealed).is_err());
            let at = at % sealed.len();
            sealed[at] ^= 1;
            prop_assert!(key.open(b"row 1", &sealed).is_err());
            prop_assert!(key.open(b"row 1", &sealed[..at]).is_err());
        }
    }
}
