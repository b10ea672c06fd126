//! `customers`: what a key can be narrowed to.

use super::objects::{Described, Kind};
use crate::{cli::columns, ops::ObjectKind, output::Column};

/// The kind.
#[derive(Debug)]
pub(crate) struct Customers;

impl Kind for Customers {
    type Fields = Described;
    const KIND: ObjectKind = ObjectKind::Customer;
    const ABOUT: &'static str = "Customers of a workspace";
    const COMMAND: &'static str = "customers";
    const EXAMPLE: &'static str = "contoso";
    const UPDATES: &'static [&'static str] = &["contoso --description 'since 2024'"];
    const SCHEMA: &'static str = "keyward.customer/v1";
    const LIST_SCHEMA: &'static str = "keyward.customer-list/v1";
    const COLUMNS: &'static [Column] = columns::MEMBERS;
}
