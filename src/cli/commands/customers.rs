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
    const MEANS: &'static str = "A customer is whom a request is made for. `create --customer C` narrows a key to some, `update` changes that; \
        any other key reaches all. A request names its customer (X-Customer-ID, --customer), and the service behind a gateway \
        is told the customers of the key.";
    const EXAMPLE: &'static str = "contoso";
    const UPDATES: &'static [&'static str] = &["contoso --description 'since 2024'"];
    const SCHEMA: &'static str = "keyward.customer/v1";
    const LIST_SCHEMA: &'static str = "keyward.customer-list/v1";
    const COLUMNS: &'static [Column] = columns::MEMBERS;
}
