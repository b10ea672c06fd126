//! Delivering fresh secrets: what the caller asked for, resolved for each key, and the steps of a delivery.

mod drive;
mod options;
mod target;

pub(super) use drive::{Delivered, Driver, Fresh};
pub(super) use options::DeliverArgs;
pub(super) use target::{Target, Targets, refused};
