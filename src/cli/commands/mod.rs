//! The commands, one file each: its arguments with help and an example, and a short `run`.

pub(super) mod activate;
pub(super) mod apply;
mod applying;
pub(super) mod audit;
mod carrying;
pub(super) mod check;
pub(super) mod completions;
pub(super) mod create;
pub(super) mod customers;
pub(super) mod deactivate;
pub(super) mod delete;
pub(super) mod diff;
pub(super) mod doctor;
pub(super) mod export;
pub(super) mod help;
pub(super) mod identify;
pub(super) mod import;
pub(super) mod init;
pub(super) mod list;
pub(super) mod lock;
#[cfg(feature = "server")]
pub(super) mod login;
#[cfg(feature = "server")]
pub(super) mod logout;
pub(super) mod logs;
pub(super) mod man;
pub(super) mod objects;
pub(super) mod operators;
pub(super) mod plans;
#[cfg(feature = "server")]
pub(super) mod profile;
pub(super) mod projects;
pub(super) mod pull;
pub(super) mod push;
pub(super) mod report;
pub(super) mod revoke;
pub(super) mod rotate;
pub(super) mod rotation;
pub(super) mod scan_rule;
pub(super) mod scopes;
#[cfg(feature = "server")]
pub(super) mod serve;
pub(super) mod show;
mod switching;
#[cfg(feature = "ui")]
pub(super) mod ui;
pub(super) mod unlock;
pub(super) mod update;
pub(super) mod usage;
pub(super) mod vault;
pub(super) mod verify;
#[cfg(feature = "server")]
pub(super) mod webhooks;
#[cfg(feature = "server")]
pub(super) mod whoami;
pub(super) mod workspaces;
