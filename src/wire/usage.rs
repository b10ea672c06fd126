//! How keys are used, and recent verdicts.

use super::{
    keys::PageInfo,
    told::{Plain, Told},
};
use crate::ops::{LogEntry, Logs, Result, UsageReport, UsageRetention};
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

impl Told for UsageReport {
    type Body = UsageReply;

    fn tell(self) -> UsageReply {
        UsageReply { schema: "keyward.usage/v1".to_owned(), report: self }
    }

    fn read(reply: UsageReply) -> Result<Self> {
        Ok(reply.report)
    }
}

impl Plain for UsageRetention {}

impl Told for Logs {
    type Body = LogPage;

    fn tell(self) -> LogPage {
        let Self { items, total } = self;
        let page = PageInfo { returned: items.len(), total, truncated: items.len() < total, next: None };
        LogPage { schema: "keyward.log-list/v1".to_owned(), items, page }
    }

    fn read(page: LogPage) -> Result<Self> {
        Ok(Self { items: page.items, total: page.page.total })
    }
}
