//! A trust in memory, with the keys that were given with it.

use crate::domain::{KeySet, Trust};

/// Whom tokens of an issuer let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::server) struct Trusted {
    pub(in crate::server) trust: Trust,
    /// The keys of the issuer, where it is not asked for them.
    pub(in crate::server) keys: Option<KeySet>,
}

impl From<Trust> for Trusted {
    fn from(trust: Trust) -> Self {
        // They were looked at when they were given: what cannot be read any more signs nothing.
        let keys = trust.keys.as_ref().map(|text| KeySet::parse(text).unwrap_or_default());
        Self { trust, keys }
    }
}
