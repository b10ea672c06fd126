//! Keys as a file: reading one that somebody wrote, writing one to standard output, and showing a plan.
//!
//! ```toml
//! schema = "keyward.keys/v1"
//!
//! [[keys]]
//! name = "billing-sync"
//! environment = "production"
//! scopes = ["invoices:read"]
//! expires_in = "90d"
//! deliver = ["file:/run/keyward/billing-sync.key"]
//! ```
//!
//! The fields are those of a line of `create --from`, with `active` and `deliver` beside them. JSON has the same shape. An
//! empty set is `keys = []`; a file that says nothing of keys is none. A file is never written to.

mod read;
mod shown;
mod write;

pub(super) use read::{KeysFile, read};
pub(super) use shown::{Beside, show, summary};
pub(super) use write::{to_json, to_toml};

/// What the format is called.
pub(super) const SCHEMA: &str = "keyward.keys/v1";
