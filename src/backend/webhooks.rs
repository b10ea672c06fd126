//! Webhooks over the local keystore, and the outbox that a server empties.

use super::{keyring::Keyring, local::Local, serving::Serving};
use crate::{
    domain::{Action, Message, Time},
    notify::{Outgoing, Sender, usable},
    ops::{
        self, Context, Done, Error, Result,
        webhooks::{AddWebhook, AddedWebhook, Target, not_arrived},
    },
    store::Store,
};
use serde_json::json;
use std::{cell::OnceCell, collections::BTreeMap, sync::Arc};

/// How many messages are sent in one round, and to how many webhooks at once.
const ROUND: u32 = 64;
const AT_ONCE: usize = 8;

/// A message and what became of it.
type Sent = (Message, std::result::Result<(), String>);

/// The messages of a vault that are on their way, over a connection of their own.
pub struct Outbox {
    store: Store,
    keyring: Arc<Keyring>,
    /// Made when there is something to send: on the thread that sends, since it brings a runtime of its own.
    sender: OnceCell<Sender>,
}

impl Serving {
    /// The outbox, over a connection of its own.
    ///
    /// # Errors
    /// Those of the store.
    pub fn outbox(&self) -> Result<Outbox> {
        Ok(Outbox { store: self.another()?, keyring: self.keyring(), sender: OnceCell::new() })
    }
}

impl Outbox {
    /// Puts into the outbox what time tells: ends that come, rotations that are due, bursts of refusals.
    ///
    /// # Errors
    /// Those of the store.
    pub fn tell(&mut self, now: Time) -> Result<usize> {
        self.keyring.refresh(&mut self.store, now)?;
        let told = {
            let view = self.store.read(now)?;
            ops::webhooks::timed(&view, now)?
        };
        // Also without anything new: what is over is forgotten there.
        Ok(self.store.tell_once(&told, now)?)
    }

    /// Sends what is due, to each webhook in order and to several at once; one that fails has its next turn later.
    ///
    /// # Errors
    /// `Unavailable` when TLS cannot be set up; those of the store: then what was sent is sent again, with the same ids.
    pub fn send_due(&mut self, now: Time) -> Result<usize> {
        self.keyring.refresh(&mut self.store, now)?;
        let due = self.store.due_messages(now, ROUND)?;
        if due.is_empty() {
            return Ok(0);
        }
        let targets = {
            let view = self.store.read(now)?;
            ops::webhooks::targets(&view, self.store.capabilities())?
        };
        let mut by_webhook: BTreeMap<&str, (&Target, Vec<Message>)> = BTreeMap::new();
        for message in due {
            if let Some(target) = targets.iter().find(|target| target.webhook.id == message.webhook) {
                by_webhook.entry(&target.webhook.id).or_insert_with(|| (target, Vec::new())).1.push(message);
            }
        }
        let work: Vec<(&Target, Vec<Message>)> = by_webhook.into_values().collect();
        let sender = match self.sender.get() {
            Some(sender) => sender,
            None => {
                let made = Sender::new()?;
                self.sender.get_or_init(|| made)
            }
        };
        let mut count = 0;
        for some in work.chunks(AT_ONCE) {
            let sent: Vec<_> = std::thread::scope(|scope| {
                let threads: Vec<_> = some
                    .iter()
                    .map(|(target, messages)| {
                        let (target, messages) = (*target, messages.clone());
                        scope.spawn(move || send_to(sender, target, messages, now))
                    })
                    .collect();
                // A thread that panicked has sent nothing that is known of: it is sent again.
                threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
            });
            count += sent.len();
            self.store.sent(&sent, now)?;
        }
        Ok(count)
    }
}

/// Sends in order, and stops at the first that does not arrive.
fn send_to(sender: &Sender, target: &Target, messages: Vec<Message>, now: Time) -> Vec<Sent> {
    let mut sent = Vec::new();
    for message in messages {
        let outcome = sender.send(&outgoing(target, &message, now));
        if let Err(why) = &outcome {
            tracing::warn!(webhook = target.webhook.name, message = message.id, why, "a message did not arrive");
        }
        let failed = outcome.is_err();
        sent.push((message, outcome));
        if failed {
            break;
        }
    }
    sent
}

fn outgoing<'m>(target: &'m Target, message: &'m Message, now: Time) -> Outgoing<'m> {
    Outgoing {
        url: &target.webhook.url,
        secret: target.secret.as_slice(),
        id: &message.id,
        timestamp: now.timestamp(),
        payload: &message.payload,
        allow_private: target.webhook.allow_private,
    }
}

impl Local {
    pub(super) fn webhook_added(&self, cx: &Context, request: AddWebhook) -> Result<AddedWebhook> {
        usable(&request.url, request.allow_private).map_err(|why| {
            Error::usage("the URL is not one for a webhook")
                .cause(why)
                .hint("--allow-private, for a receiver in your own network")
        })?;
        let (name, caps) = (request.name.clone(), self.store.capabilities());
        self.change(cx, Action::WebhookAdd, &name, |tx| ops::webhooks::add(tx, caps, cx, request))
    }

    /// Sends a message that tells nothing; recorded, whether it arrives or not.
    pub(super) fn webhook_tried(&self, cx: &Context, name: &str) -> Result<String> {
        cx.writable()?;
        let (target, message) =
            self.read(cx, |view| ops::webhooks::trial(view, self.store.capabilities(), cx, name))?;
        if cx.dry_run {
            return Ok(message.id);
        }
        let outcome = Sender::new()?.send(&outgoing(&target, &message, cx.now));
        let changes = json!({ "name": target.webhook.name, "message": message.id, "error": outcome.as_ref().err() });
        let events = vec![cx.event(Action::WebhookTest, target.webhook.id, changes)];
        self.change(cx, Action::WebhookTest, name, |_| Ok(Done { outcome: (), events }))?;
        outcome.map(|()| message.id).map_err(|why| not_arrived(&target.webhook.name, &why))
    }
}
