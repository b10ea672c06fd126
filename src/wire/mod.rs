//! The contract of the HTTP API: paths, bodies and problems, shared by the server and the client.

pub mod audit;
pub mod declared;
pub mod header;
pub mod holder;
pub mod json_objects;
pub mod keys;
pub mod many;
pub mod operators;
pub mod packed;
pub mod problem;
pub mod rotations;
#[cfg(test)]
pub mod schema;
pub mod signed;
pub mod told;
pub mod trusts;
pub mod usage;
pub mod verdict;
pub mod webhooks;
pub mod workspace;

pub use problem::Problem;
