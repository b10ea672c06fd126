//! How keys are used, and recent verdicts.

use super::keys::PageInfo;
use crate::{
    domain::Retention,
    ops::{Error, LogEntry, Logs, Result, UsageReport},
};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

/// Sums of use.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct UsageReply {
    /// `keyward.usage/v1`.
    pub schema: String,
    /// The sums.
    #[serde(flatten)]
    pub report: UsageReport,
}

/// How long facts of use are kept, and how many of them.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, schema(as = Retention))]
pub struct RetentionBody {
    /// `keyward.usage-retention/v1`.
    #[serde(default)]
    #[cfg_attr(test, schema(required = false))]
    pub schema: String,
    /// Counts by the hour.
    #[cfg_attr(test, schema(minimum = 3600))]
    pub counts_seconds: i64,
    /// Recent verdicts.
    #[cfg_attr(test, schema(minimum = 1))]
    pub verdicts_seconds: i64,
    /// Recent verdicts of one key, the denied and the others apart.
    #[cfg_attr(test, schema(value_type = i64, minimum = 0, maximum = 4_294_967_295_i64))]
    pub verdicts_per_key: u32,
    /// Distinct addresses of one key.
    #[cfg_attr(test, schema(value_type = i64, minimum = 0, maximum = 4_294_967_295_i64))]
    pub addresses_per_key: u32,
}

impl From<&Retention> for RetentionBody {
    fn from(kept: &Retention) -> Self {
        Self {
            schema: "keyward.usage-retention/v1".to_owned(),
            counts_seconds: kept.counts.num_seconds(),
            verdicts_seconds: kept.verdicts.num_seconds(),
            verdicts_per_key: kept.verdicts_per_key,
            addresses_per_key: kept.addresses_per_key,
        }
    }
}

impl TryFrom<RetentionBody> for Retention {
    type Error = Error;

    fn try_from(body: RetentionBody) -> Result<Self> {
        let period = |seconds| TimeDelta::try_seconds(seconds).ok_or_else(|| Error::usage("a period is too long"));
        Ok(Self {
            counts: period(body.counts_seconds)?,
            verdicts: period(body.verdicts_seconds)?,
            verdicts_per_key: body.verdicts_per_key,
            addresses_per_key: body.addresses_per_key,
        })
    }
}

/// Which usage to add up.
#[derive(Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::IntoParams))]
#[cfg_attr(test, into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct UsageParameters {
    /// One key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The environment, where keys of several have the name.
    #[cfg_attr(test, param(value_type = Option<crate::domain::Environment>))]
    #[serde(alias = "env", skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// From the hour of this time on, or of so long ago: `2026-01-02` or `7d`.
    #[cfg_attr(test, param(example = "7d"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// `day`, `key`, `code` or `address`.
    #[cfg_attr(test, param(pattern = "^(day|key|code|address)$"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Of the keys of whoever asks, made by it or owned by it.
    #[cfg_attr(test, param(required = false))]
    #[serde(default)]
    pub mine: bool,
}

/// Which requests.
#[derive(Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::IntoParams))]
#[cfg_attr(test, into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct LogParameters {
    /// Of one key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The environment, where keys of several have the name.
    #[cfg_attr(test, param(value_type = Option<crate::domain::Environment>))]
    #[serde(alias = "env", skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Only refusals.
    #[cfg_attr(test, param(required = false))]
    #[serde(default)]
    pub denied: bool,
    /// From this time, or so long ago, on: `2026-01-02` or `1h`.
    #[cfg_attr(test, param(example = "1h"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// After this place in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<i64>,
    /// The newest so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// With this code: of a verdict, of an error, or `OK`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Answered with this status, or with one of a class: `404` or `4xx`.
    #[cfg_attr(test, param(pattern = "^[1-5]([0-9][0-9]|xx)$", example = "4xx"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// With a path that begins so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// From this address or range.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Asked by the operator of this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// What operators asked, and no verdicts.
    #[cfg_attr(test, param(required = false))]
    #[serde(default)]
    pub operators: bool,
    /// Of the keys of whoever asks, made by it or owned by it.
    #[cfg_attr(test, param(required = false))]
    #[serde(default)]
    pub mine: bool,
}

/// Recent requests.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct LogPage {
    /// `keyward.log-list/v1`.
    pub schema: String,
    /// The requests, oldest first.
    pub items: Vec<LogEntry>,
    /// Where the page stands.
    pub page: PageInfo,
}

impl From<Logs> for LogPage {
    fn from(Logs { items, total }: Logs) -> Self {
        let page = PageInfo { returned: items.len(), total, truncated: items.len() < total, next: None };
        Self { schema: "keyward.log-list/v1".to_owned(), items, page }
    }
}
