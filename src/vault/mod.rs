//! Encryption at rest: sealing records, the key hierarchy, the slots that open it, and what is remembered outside.
//!
//! Nothing here is invented: XChaCha20-Poly1305 seals, HKDF-SHA256 derives, HMAC-SHA256 authenticates and indexes,
//! Argon2id slows down passphrases, Ed25519 signs. Nothing that holds a key is `Debug`, `Clone` or `Serialize`.

pub mod device;
pub mod kdf;
pub mod keys;
pub mod pin;
pub mod process;
pub mod recovery;
pub mod seal;
pub mod session;
pub mod slots;

pub use kdf::{KdfError, KdfParams};
pub use keys::{AdminPart, Capabilities, LeftBehind};
pub use pin::{Pin, Pins};
pub use seal::{Opened, SealError, framed as seal_framed};
pub use session::SessionError;
pub use slots::{Slot, SlotError, SlotKind, SlotPlan, SlotSecret};

#[cfg(test)]
mod vectors;
