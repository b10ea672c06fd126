//! The contract of the HTTP API: paths, bodies and problems, shared by the server and the client.

pub mod header;
pub mod problem;
pub mod verdict;

pub use problem::Problem;
