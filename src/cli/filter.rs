//! What keys are found by, as `list` and every command that acts on many keys take it.

use super::values;
use crate::{
    domain::{KeyFilter, Scope, Status},
    ops::{Error, Result},
};
use chrono::TimeDelta;
use std::collections::BTreeSet;

/// By what has become of a key, and what it reaches.
#[derive(Debug, Default, clap::Args)]
pub(super) struct StateFilter {
    /// Keys of this status; may be repeated [default: active and inactive]
    #[arg(long, value_name = "STATUS", value_delimiter = ',', value_parser = ["active", "inactive", "expired", "revoked", "any"])]
    status: Vec<String>,
    /// Keys that have expired
    #[arg(long)]
    expired: bool,
    /// Keys that expire within this time
    #[arg(long, value_name = "D", value_parser = values::duration)]
    expires_within: Option<TimeDelta>,
    /// Keys that never expire
    #[arg(long)]
    pub(super) no_expiry: bool,
    /// Keys not used for this time, those never used included
    #[arg(long, value_name = "D", value_parser = values::duration)]
    unused_for: Option<TimeDelta>,
    /// Keys never used
    #[arg(long)]
    never_used: bool,
    /// Keys created longer ago than this
    #[arg(long, value_name = "D", value_parser = values::duration)]
    older_than: Option<TimeDelta>,
    /// Keys used within this time, or since then: 7d or 2026-01-02
    #[arg(long, value_name = "T", value_parser = values::ago)]
    used_since: Option<TimeDelta>,
    /// Keys of which a request was refused within this time, or since then, of any status, with the reasons
    #[arg(long, value_name = "T", value_parser = values::ago)]
    pub(super) denied_since: Option<TimeDelta>,
    /// Keys narrowed to this customer
    #[arg(long, value_name = "C")]
    pub(super) customer: Option<String>,
    /// Keys that may do this
    #[arg(long, value_name = "SCOPE", add = values::scopes())]
    pub(super) scope: Option<Scope>,
}

impl StateFilter {
    /// The conditions.
    ///
    /// # Errors
    /// `Usage` for a status that there is not.
    pub(super) fn filter(self) -> Result<KeyFilter> {
        let any = self.status.iter().any(|status| status == "any");
        let statuses = if any {
            Some([Status::Active, Status::Inactive, Status::Expired, Status::Revoked].into())
        } else if self.status.is_empty() {
            None
        } else {
            let parsed: Result<BTreeSet<Status>, _> = self.status.iter().map(|status| status.parse()).collect();
            Some(parsed.map_err(|error| Error::usage(format!("--status: {error}")))?)
        };
        Ok(KeyFilter {
            statuses,
            expired: self.expired,
            expires_within: self.expires_within,
            no_expiry: self.no_expiry,
            unused_for: self.unused_for,
            never_used: self.never_used,
            older_than: self.older_than,
            used_since: self.used_since,
            denied_since: self.denied_since,
            customer: self.customer,
            scope: self.scope,
            ..KeyFilter::default()
        })
    }
}
