//! Webhooks over the local keystore: added, and tried out. What a server sends is in [`super::outbox`].

use super::{local::Local, outbox::outgoing};
use crate::{
    domain::Action,
    notify::{Sender, usable},
    ops::{
        self, Context, Done, Error, Result,
        webhooks::{AddWebhook, AddedWebhook, not_arrived, posted},
    },
};
use serde_json::json;

impl Local {
    pub(super) fn webhook_added(&self, cx: &Context, request: AddWebhook) -> Result<AddedWebhook> {
        usable(&request.url, request.allow_private).map_err(|why| {
            Error::usage("the URL is not one for a webhook")
                .cause(why)
                .hint("--allow-private, for a receiver in your own network")
        })?;
        let name = request.name.clone();
        self.change(cx, Action::WebhookAdd, &name, |tx| {
            let caps = tx.capabilities();
            ops::webhooks::add(tx, caps, cx, request)
        })
    }

    /// Sends a message that tells nothing; recorded, whether it arrives or not.
    pub(super) fn webhook_tried(&self, cx: &Context, name: &str) -> Result<String> {
        cx.writable()?;
        let (target, message) = self.read(cx, |view| ops::webhooks::trial(view, view.capabilities(), cx, name))?;
        if cx.dry_run {
            return Ok(message.id);
        }
        let outcome = Sender::new()?.send(&outgoing(&target, &message, &posted(&message), cx.now));
        let changes = json!({ "name": target.webhook.name, "message": message.id, "error": outcome.as_ref().err() });
        let events = vec![cx.event(Action::WebhookTest, target.webhook.id, changes)];
        self.change(cx, Action::WebhookTest, name, |_| Ok(Done { outcome: (), events }))?;
        outcome.map(|()| message.id).map_err(|why| not_arrived(&target.webhook.name, &why))
    }
}
