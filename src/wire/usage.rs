//! How keys are used, and recent verdicts.

use super::keys::PageInfo;
use crate::{
    domain::Environment,
    ops::{LogEntry, Logs, UsageReport},
};
use serde::{Deserialize, Serialize};

/// Sums of use.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct UsageReply {
    /// `keyward.usage/v1`.
    pub schema: String,
    /// The sums.
    #[serde(flatten)]
    pub report: UsageReport,
}

/// Which usage to add up.
#[derive(Default, Serialize, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct UsageParameters {
    /// One key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The environment, where keys of several have the name.
    #[param(value_type = Option<Environment>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// From the hour of this time on.
    #[param(format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// `day`, `key`, `code` or `address`.
    #[param(pattern = "^(day|key|code|address)$")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// Which verdicts.
#[derive(Default, Serialize, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct LogParameters {
    /// Of one key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The environment, where keys of several have the name.
    #[param(value_type = Option<Environment>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Only refusals.
    #[param(required = false)]
    #[serde(default)]
    pub denied: bool,
    /// From this time on.
    #[param(format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// After this place in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<i64>,
    /// The newest so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// Recent verdicts.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct LogPage {
    /// `keyward.log-list/v1`.
    pub schema: String,
    /// The verdicts, oldest first.
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
