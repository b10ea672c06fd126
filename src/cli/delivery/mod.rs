//! Delivering fresh secrets: what the caller asked for, and what the room that rotates says, in words.

mod again;
mod options;
mod run;
mod words;

pub(super) use options::DeliverArgs;
pub(super) use run::Deliveries;
