//! `plans`: what a workspace is entitled to.

use super::objects::Kind;
use crate::{
    cli::{columns, values},
    ops::{ObjectChange, ObjectKind},
    output::Column,
};

/// The kind.
#[derive(Debug)]
pub(crate) struct Plans;

#[derive(Debug, clap::Args)]
pub(crate) struct Fields {
    /// Whether its keys work at all
    #[arg(long, value_name = "true|false")]
    api_access: Option<bool>,
    /// How many keys a workspace may have, or none for no cap
    #[arg(long, value_name = "N", value_parser = values::cap)]
    max_keys: Option<values::CapArg>,
    /// The highest rate limit of a key, or none for no cap; a bare number is requests an hour
    #[arg(long, value_name = "N/UNIT", value_parser = values::key_rate_limit)]
    max_rate_limit: Option<values::RateLimitArg>,
    /// Whether the audit trail can be seen
    #[arg(long, value_name = "true|false")]
    audit_view: Option<bool>,
    /// Whether the audit trail can be exported
    #[arg(long, value_name = "true|false")]
    audit_export: Option<bool>,
}

impl From<Fields> for ObjectChange {
    fn from(fields: Fields) -> Self {
        Self {
            api_access: fields.api_access,
            max_keys: fields.max_keys.map(|cap| cap.0),
            max_rate_limit: fields.max_rate_limit.map(|limit| limit.0),
            audit_view: fields.audit_view,
            audit_export: fields.audit_export,
            ..Self::default()
        }
    }
}

impl Kind for Plans {
    type Fields = Fields;
    const KIND: ObjectKind = ObjectKind::Plan;
    const ABOUT: &'static str = "Plans: what a workspace is entitled to";
    const COMMAND: &'static str = "plans";
    const EXAMPLE: &'static str = "small";
    const UPDATES: &'static [&'static str] = &["small --max-keys 10"];
    const SCHEMA: &'static str = "keyward.plan/v1";
    const LIST_SCHEMA: &'static str = "keyward.plan-list/v1";
    const COLUMNS: &'static [Column] = columns::PLANS;
}
