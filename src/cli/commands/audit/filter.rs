//! Which events: the options that `list` and `export` share.

use crate::{
    cli::{context::Ctx, values},
    domain::{Action, Environment, KeyRef, Outcome, Time},
    ops::AuditFilter,
};
use ipnet::IpNet;

#[derive(Debug, clap::Args)]
pub(super) struct Filter {
    /// Events of this key, by id or name; a deleted key by its id or the name it had
    #[arg(long, value_name = "KEY", value_parser = values::key_ref, add = values::keys())]
    key: Option<KeyRef>,
    /// Decides between keys of one name
    #[arg(long, alias = "environment", value_name = "ENV", requires = "key", add = values::environments())]
    env: Option<Environment>,
    /// Events of this actor, such as alice@host
    #[arg(long)]
    actor: Option<String>,
    /// Events from this address or CIDR range
    #[arg(long, value_name = "ADDRESS", value_parser = values::network)]
    address: Option<IpNet>,
    /// Events through this door, such as cli
    #[arg(long)]
    source: Option<String>,
    /// Events of this action, such as key.revoke; may be repeated
    #[arg(long, value_name = "ACTION")]
    action: Vec<Action>,
    /// Events with this outcome: ok, refused or failed
    #[arg(long)]
    outcome: Option<Outcome>,
    /// Events that this ticket asked for
    #[arg(long, value_name = "ID")]
    for_ticket: Option<String>,
    /// Events since this time, or so long ago: 2026-01-02 or 1h
    #[arg(long, value_name = "T", value_parser = values::past)]
    since: Option<Time>,
    /// Events before this time, or so long ago
    #[arg(long, value_name = "T", value_parser = values::past)]
    until: Option<Time>,
    /// The newest so many
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

impl Filter {
    /// The events that are asked for; those of one workspace where one is named.
    pub(super) fn resolve(self, cx: &Ctx) -> AuditFilter {
        AuditFilter {
            key: self.key,
            environment: self.env,
            workspace: cx.global.workspace.clone(),
            actor: self.actor,
            address: self.address,
            source: self.source,
            actions: self.action,
            outcome: self.outcome,
            ticket: self.for_ticket,
            since: self.since,
            until: self.until,
            after: 0,
            upto: None,
            limit: self.limit,
        }
    }
}
