//! keyward issues, scopes, rotates, revokes, verifies and audits API keys from the shell.
pub mod backend;
pub mod cli;
pub mod domain;
pub mod files;
pub mod ops;
pub mod output;
pub mod store;
pub mod vault;
