//! Tokens of other issuers (OpenID Connect): whether a signature is genuine, and the keys that issuers sign with, fetched
//! and kept.
//!
//! Only issuers that somebody trusts are ever asked, and only for what they publish to everybody. An issuer that is away makes
//! no token wrong: its keys are believed for a day after they were last read, and what cannot be judged then is told as that.

mod fetch;
mod issuers;
mod signature;

pub use issuers::{Issuers, KeyError, Place};
pub use signature::is_genuine;
