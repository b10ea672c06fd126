//! The keystore: the only SQL in the house.
//!
//! One SQLite file. Every row is sealed and bound to its place; a head signed at every commit says how many rows there
//! are and what they digest to, so that a row that was deleted, put back or forged is noticed. The only way out of a
//! transaction that changes anything is [`Tx::commit_all`], which appends the audit events.

mod archive;
mod audit;
mod backup;
mod buckets;
mod connect;
mod cursors;
mod error;
mod facts;
mod former;
mod head;
mod idempotency;
mod imports;
mod key_writes;
mod keys;
mod objects;
mod open;
mod operators;
mod pages;
mod profiles;
mod records;
mod rekey;
mod restore;
mod retired;
mod rows;
mod scan;
mod schema;
mod select;
mod sessions;
mod shape;
mod slots;
mod sum;
mod timed;
mod trail;
mod tree;
mod trusts;
mod tx;
mod upgrade;
mod usage;
mod verify;
mod view;
mod webhooks;

pub use archive::ArchivedEvent;
pub use backup::NewCopy;
pub use error::Error;
pub use former::Former;
pub use key_writes::{SealedKey, Sealer};
pub use keys::ClearFilter;
pub use open::{LockedStore, Meta, Store};
pub use scan::Sieve;
pub use schema::is_keystore;
pub use select::{Entry, PublicFacts, Selection};
pub use trail::Walk;
pub use tree::Inclusion;
pub use tx::Tx;
pub use usage::VerdictFilter;
pub use verify::VerifyReport;
pub use view::{Snapshot, View};
pub use webhooks::{Arrived, Waiting};

#[cfg(test)]
mod tests;
