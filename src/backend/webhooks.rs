//! Webhooks over the local keystore: added, and tried out. What a server sends is in [`super::outbox`].

use super::{local::Local, outbox::outgoing, procedure::Procedure};
use crate::{
    domain::Action,
    notify::{Sender, usable},
    ops::{
        self, Context, Done, Error, Result,
        webhooks::{AddWebhook, AddedWebhook, TestWebhook, TestedWebhook, not_arrived, posted},
    },
};
use serde_json::json;

impl Procedure for AddWebhook {
    fn run(self, local: &Local, cx: &Context) -> Result<AddedWebhook> {
        usable(&self.url, self.allow_private).map_err(|why| {
            Error::usage("the URL is not one for a webhook")
                .cause(why)
                .hint("--allow-private, for a receiver in your own network")
        })?;
        let name = self.name.clone();
        local.change(cx, Action::WebhookAdd, &name, |tx| {
            let caps = tx.capabilities();
            ops::webhooks::add(tx, caps, cx, self)
        })
    }
}

impl Procedure for TestWebhook {
    /// Recorded, whether the message arrives or not.
    fn run(self, local: &Local, cx: &Context) -> Result<TestedWebhook> {
        cx.writable()?;
        let name = &self.name;
        let (target, message) = local.read(cx, |view| ops::webhooks::trial(view, view.capabilities(), cx, name))?;
        if cx.dry_run {
            return Ok(TestedWebhook { message: message.id });
        }
        let outcome = Sender::new()?.send(&outgoing(&target, &message, &posted(&message), cx.now));
        let changes = json!({ "name": target.webhook.name, "message": message.id, "error": outcome.as_ref().err() });
        let events = vec![cx.event(Action::WebhookTest, target.webhook.id, changes)];
        local.change(cx, Action::WebhookTest, name, |_| Ok(Done { outcome: (), events }))?;
        outcome.map_err(|why| not_arrived(&target.webhook.name, &why))?;
        Ok(TestedWebhook { message: message.id })
    }
}
