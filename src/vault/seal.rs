//! Sealing bytes with XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03), padded so that lengths tell little.

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use rand::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const NONCE_BYTES: usize = 24;
const PAD_TO: usize = 64;
const LENGTH_BYTES: usize = 4;

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
        let padded_len = (LENGTH_BYTES + plain.len()).next_multiple_of(PAD_TO);
        let mut padded = Zeroizing::new(Vec::with_capacity(padded_len));
        padded.extend_from_slice(&length.to_le_bytes());
        padded.extend_from_slice(plain);
        padded.resize(padded_len, 0);
        let sealed = self
            .cipher()
            .encrypt(&XNonce::from(nonce), Payload { msg: &padded, aad: associated })
            .map_err(|_| SealError)?;
        let mut out = Vec::with_capacity(NONCE_BYTES + sealed.len());
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        Ok(out)
    }

    /// Opens what [`SealKey::seal`] made with the same associated data.
    ///
    /// # Errors
    /// When anything of it differs.
    pub fn open(&self, associated: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_BYTES).ok_or(SealError)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| SealError)?;
        let mut padded = Zeroizing::new(
            self.cipher()
                .decrypt(&XNonce::from(nonce), Payload { msg: sealed, aad: associated })
                .map_err(|_| SealError)?,
        );
        let length: [u8; LENGTH_BYTES] = padded.get(..LENGTH_BYTES).and_then(|b| b.try_into().ok()).ok_or(SealError)?;
        let length = u32::from_le_bytes(length) as usize;
        if padded.len() < LENGTH_BYTES + length {
            return Err(SealError);
        }
        padded.copy_within(LENGTH_BYTES..LENGTH_BYTES + length, 0);
        padded.truncate(length);
        Ok(padded)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&self.0.into())
    }
}

/// Joins fields so that no two different lists give the same bytes: each field after its length.
#[must_use]
pub fn framed(fields: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(fields.iter().map(|field| field.len() + 4).sum());
    for field in fields {
        // A field is at most a row of the keystore: far below 4 GiB.
        out.extend_from_slice(&u32::try_from(field.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(field);
    }
    out
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
