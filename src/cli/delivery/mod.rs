//! Delivering fresh secrets: what the caller asked for, resolved for each key, and the steps of a delivery.

mod again;
mod drive;
mod options;
mod shared;
mod target;

pub(super) use drive::{Delivered, Driver, Ending, Fresh};
pub(super) use options::DeliverArgs;
pub(super) use shared::refuse_shared;
pub(super) use target::{Target, Targets, refused};
