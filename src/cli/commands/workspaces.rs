//! `workspaces`: the tenants, each with a plan.

use super::objects::Kind;
use crate::{
    cli::{columns, values},
    ops::{ObjectChange, ObjectKind},
    output::Column,
};

/// The kind.
#[derive(Debug)]
pub(crate) struct Workspaces;

#[derive(Debug, clap::Args)]
pub(crate) struct Fields {
    /// What it is, in words; empty clears it
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// The plan it is on; `unlimited` for a new one
    #[arg(long, value_name = "PLAN")]
    plan: Option<String>,
    /// How often the secrets of its new keys are rotated, or none
    #[arg(long, value_name = "D", value_parser = values::duration_or_none)]
    rotate_every: Option<values::DurationArg>,
    /// How long old secrets of its keys go on working after a rotation, or none for 24h
    #[arg(long, value_name = "D", value_parser = values::duration_or_none)]
    overlap: Option<values::DurationArg>,
    /// The longest its keys may live, or none
    #[arg(long, value_name = "D", value_parser = values::duration_or_none)]
    max_lifetime: Option<values::DurationArg>,
    /// Whether a rotation starts the lifetime of its keys again, where they do not say so themselves
    #[arg(long, value_name = "yes|no", value_parser = values::yes_or_no)]
    renew_on_rotation: Option<bool>,
    /// What the holders of its keys may do with them, and the most that a key can say: show, rotate, revoke, with commas; none; or
    /// default, which leaves it to the keys, and is show,revoke of those that say nothing
    #[arg(long = "self", value_name = "LIST", value_parser = values::self_or_default)]
    self_service: Option<values::SelfArg>,
    /// What nobody makes, changes or switches on a key without: owner, description, reason, ticket, with commas; or none
    #[arg(long, value_name = "LIST", value_parser = values::demands)]
    require: Option<values::DemandsArg>,
    /// How long the trail may go without a review, which `check` finds, or none
    #[arg(long, value_name = "D", value_parser = values::duration_or_none)]
    review_every: Option<values::DurationArg>,
    /// Whose reviews count: an operator who may, or a user of a machine, as USER@HOST; may be repeated, and replaces those there were; empty is anybody
    #[arg(long, value_name = "NAME")]
    reviewer: Vec<String>,
}

impl From<Fields> for ObjectChange {
    fn from(fields: Fields) -> Self {
        Self {
            description: fields.description.map(values::clearable),
            plan: fields.plan,
            rotate_every: fields.rotate_every.map(|every| every.0),
            overlap: fields.overlap.map(|overlap| overlap.0),
            max_lifetime: fields.max_lifetime.map(|longest| longest.0),
            renew_on_rotation: fields.renew_on_rotation,
            self_service: fields.self_service.map(|deeds| deeds.0),
            required: fields.require.map(|demands| demands.0),
            review_every: fields.review_every.map(|every| every.0),
            reviewers: (!fields.reviewer.is_empty()).then_some(fields.reviewer),
            ..Self::default()
        }
    }
}

impl Kind for Workspaces {
    type Fields = Fields;
    const KIND: ObjectKind = ObjectKind::Workspace;
    const ABOUT: &'static str = "Workspaces: tenants, each with a plan";
    const COMMAND: &'static str = "workspaces";
    const EXAMPLE: &'static str = "acme";
    const UPDATES: &'static [&'static str] = &[
        "acme --plan premium",
        "default --rotate-every 90d --max-lifetime 180d",
        "acme --require owner,reason --review-every 30d --reviewer alice@desk",
    ];
    const SCHEMA: &'static str = "keyward.workspace/v1";
    const LIST_SCHEMA: &'static str = "keyward.workspace-list/v1";
    const COLUMNS: &'static [Column] = columns::WORKSPACES;
}
