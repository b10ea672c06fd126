//! Webhooks.

use super::{keys::PageInfo, told::Told};
use crate::ops::{
    Result,
    webhooks::{AddedWebhook, TestedWebhook, WebhookView},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// A webhook with its secret beside it, the only time it is seen.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct AddedWebhookReply {
    /// `keyward.webhook/v1`.
    pub schema: String,
    /// The webhook.
    pub webhook: WebhookView,
    /// What its messages are signed with (Standard Webhooks); absent in a dry run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schema(value_type = Option<String>, example = "whsec_…"))]
    pub secret: Option<Zeroizing<String>>,
}

/// One webhook.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct WebhookReply {
    /// `keyward.webhook/v1`.
    pub schema: String,
    /// The webhook.
    pub webhook: WebhookView,
}

/// Webhooks.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct WebhookList {
    /// `keyward.webhook-list/v1`.
    pub schema: String,
    /// The webhooks, by name.
    pub items: Vec<WebhookView>,
    /// Where the page stands.
    pub page: PageInfo,
}

/// A message on trial that has arrived.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct WebhookTested {
    /// `keyward.webhook-test/v1`.
    pub schema: String,
    /// The id of the message.
    pub message: String,
}

impl Told for AddedWebhook {
    type Body = AddedWebhookReply;

    fn tell(self) -> AddedWebhookReply {
        AddedWebhookReply { schema: "keyward.webhook/v1".to_owned(), webhook: self.webhook, secret: self.secret }
    }

    fn read(reply: AddedWebhookReply) -> Result<Self> {
        Ok(Self { webhook: reply.webhook, secret: reply.secret })
    }
}

impl Told for TestedWebhook {
    type Body = WebhookTested;

    fn tell(self) -> WebhookTested {
        WebhookTested { schema: "keyward.webhook-test/v1".to_owned(), message: self.message }
    }

    fn read(reply: WebhookTested) -> Result<Self> {
        Ok(Self { message: reply.message })
    }
}

impl Told for WebhookView {
    type Body = WebhookReply;

    fn tell(self) -> WebhookReply {
        WebhookReply { schema: "keyward.webhook/v1".to_owned(), webhook: self }
    }

    fn read(reply: WebhookReply) -> Result<Self> {
        Ok(reply.webhook)
    }
}

impl Told for Vec<WebhookView> {
    type Body = WebhookList;

    fn tell(self) -> WebhookList {
        WebhookList { schema: "keyward.webhook-list/v1".to_owned(), page: PageInfo::whole(self.len()), items: self }
    }

    fn read(list: WebhookList) -> Result<Self> {
        Ok(list.items)
    }
}
