//! The sealed part of a fact of use: who was seen, bound to the row it stands in.

use crate::{
    domain::RequestFacts,
    store::{
        error::{Error, Result},
        records::{decode, encode},
    },
    vault::{Capabilities, seal_framed},
};
use minicbor::{Decode, Encode};
use std::net::IpAddr;

/// What the ids of operators begin with, which stand in the place of a key's; alone for credentials that none has.
pub(super) const OPERATORS: &str = "op_";

/// Who was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub(super) struct Seen {
    #[n(0)]
    pub(super) address: Option<String>,
    #[n(1)]
    pub(super) user_agent: Option<String>,
    #[n(2)]
    pub(super) detail: Option<String>,
    #[n(3)]
    pub(super) method: Option<String>,
    #[n(4)]
    pub(super) path: Option<String>,
    #[n(5)]
    pub(super) status: Option<u16>,
    #[n(6)]
    pub(super) request_id: Option<String>,
    #[n(7)]
    pub(super) micros: Option<u64>,
    /// The name of an operator.
    #[n(8)]
    pub(super) operator: Option<String>,
}

/// The row a fact stands in, by all that names it.
pub(super) enum Place<'a> {
    Key(&'a str),
    Secret(&'a str),
    Address { key: &'a str, index: &'a [u8] },
    Verdict { key: &'a str, lookup: &'a str, at: i64, code: &'a str },
}

impl Place<'_> {
    pub(super) fn seal(&self, caps: &Capabilities, seen: &Seen) -> Result<Vec<u8>> {
        Ok(caps.seal_record(&mut rand::rng(), &self.bound(caps), &encode(seen)?)?)
    }

    pub(super) fn open(&self, caps: &Capabilities, sealed: &[u8]) -> Result<Seen> {
        decode(&caps.open_record(&self.bound(caps), sealed).map_err(|_| self.tampered())?)
    }

    /// What is said of a row whose facts cannot be right.
    pub(super) fn tampered(&self) -> Error {
        let (table, id) = match self {
            Self::Key(key) => ("usage", (*key).to_owned()),
            Self::Secret(lookup) => ("secret_usage", (*lookup).to_owned()),
            Self::Address { key, .. } => ("usage_addresses", (*key).to_owned()),
            Self::Verdict { key, at, .. } => ("verdicts", format!("{key} at {at}")),
        };
        Error::RowTampered { table, id }
    }

    fn bound(&self, caps: &Capabilities) -> Vec<u8> {
        let vault = caps.vault_id.as_bytes();
        match self {
            Self::Key(key) => seal_framed(&[vault, b"usage", key.as_bytes()]),
            Self::Secret(lookup) => seal_framed(&[vault, b"secret_usage", lookup.as_bytes()]),
            Self::Address { key, index } => seal_framed(&[vault, b"usage_addresses", key.as_bytes(), index]),
            Self::Verdict { key, lookup, at, code } => seal_framed(&[
                vault,
                b"verdicts",
                key.as_bytes(),
                lookup.as_bytes(),
                &at.to_le_bytes(),
                code.as_bytes(),
            ]),
        }
    }
}

/// That a version of a secret was used at all, by who keeps the count: on it rests whether a rotation whose delivery is in
/// doubt goes on with that version. `None` for a support slot.
pub(super) fn used_tag(caps: &Capabilities, lookup: &str, key: &str) -> Option<[u8; 32]> {
    caps.row_tag(&[b"secret used", lookup.as_bytes(), key.as_bytes()])
}

impl Seen {
    /// The same, with what was asked.
    pub(super) fn of_request(self, request: Option<RequestFacts>) -> Self {
        let Some(request) = request else { return self };
        Self {
            method: Some(request.method),
            path: Some(request.path),
            status: Some(request.status),
            request_id: request.request_id,
            micros: request.micros,
            ..self
        }
    }

    /// What was asked, where it was kept.
    pub(super) fn request(&mut self) -> Option<RequestFacts> {
        Some(RequestFacts {
            method: self.method.take()?,
            path: self.path.take()?,
            status: self.status?,
            request_id: self.request_id.take(),
            micros: self.micros,
        })
    }

    /// The address, which was written as one.
    pub(super) fn ip(&self) -> Option<IpAddr> {
        self.address.as_ref().and_then(|address| address.parse().ok())
    }
}

/// Says whether two requests of one key came from one address, and nothing across keys.
pub(super) fn address_index(caps: &Capabilities, key: &str, address: &str) -> Vec<u8> {
    caps.blind_index("usage-address", &format!("{key}\0{address}")).to_vec()
}
