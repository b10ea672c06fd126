//! Webhooks over the local keystore, and the outbox that a server empties.

use super::{keyring::Keyring, local::Local, serving::Serving};
use crate::{
    domain::{Action, Message, Time},
    notify::{Outgoing, Sender, usable},
    ops::{
        self, Context, Done, Error, Result,
        webhooks::{AddWebhook, AddedWebhook, Target, not_arrived, posted},
    },
    store::Store,
};
use chrono::{TimeDelta, Utc};
use serde_json::json;
use std::{
    cell::OnceCell,
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// How many messages are sent to a webhook in one round, within how long the last of them begins, and to how many webhooks
/// at once.
const EACH: u32 = 8;
const ROUND_TIME: Duration = Duration::from_secs(5);
const AT_ONCE: usize = 8;
/// How long a webhook has no turn after it took no message, for each time that it took none; and at most.
const HELD_SECONDS: i64 = 5;
const HELD_AT_MOST: i64 = 300;

/// A message and what became of it.
type Sent = (Message, std::result::Result<(), String>);

/// The messages of a vault that are on their way, over a connection of their own.
pub struct Outbox {
    store: Store,
    keyring: Arc<Keyring>,
    /// Made when there is something to send: on the thread that sends, since it brings a runtime of its own.
    sender: OnceCell<Sender>,
    /// The webhooks that took no message the last time, by id: how often in a row, and until when they have no turn.
    held: HashMap<String, (u32, Time)>,
    stop: Arc<AtomicBool>,
}

impl Serving {
    /// The outbox, over a connection of its own.
    ///
    /// # Errors
    /// Those of the store.
    pub fn outbox(&self) -> Result<Outbox> {
        let (store, keyring) = (self.another()?, self.keyring());
        Ok(Outbox { store, keyring, sender: OnceCell::new(), held: HashMap::new(), stop: Arc::default() })
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

    /// What ends the sending once it is true, after the messages that are being sent.
    #[must_use]
    pub fn stop(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    /// Sends what is due, to each webhook in order and to several at once. One that takes none has its next turn later, and
    /// after those that do.
    ///
    /// # Errors
    /// `Unavailable` when TLS cannot be set up; those of the store: then what was sent is sent again, with the same ids.
    pub fn send_due(&mut self, now: Time) -> Result<usize> {
        self.keyring.refresh(&mut self.store, now)?;
        if !self.store.is_message_due(now)? {
            return Ok(0);
        }
        let targets = {
            let view = self.store.read(now)?;
            ops::webhooks::targets(&view, self.store.capabilities())?
        };
        self.held.retain(|id, _| targets.iter().any(|target| target.webhook.id == *id));
        let held = |target: &&Target| self.held.get(&target.webhook.id).copied();
        let ready = targets.iter().filter(|target| held(target).is_none_or(|(_, until)| until <= now));
        let (takers, mut doubtful): (Vec<&Target>, Vec<&Target>) = ready.partition(|target| held(target).is_none());
        // Whichever has waited longest: however many there are, they keep the others waiting once a round.
        doubtful.sort_by_key(|target| held(target).map(|(_, until)| until));
        let work =
            self.due(&takers, now, EACH)?.into_iter().chain(self.due(&doubtful, now, 1)?.into_iter().take(AT_ONCE));
        let work: Vec<(&Target, Vec<Message>)> = work.collect();
        if self.sender.get().is_none() {
            // Two makers there are not: this thread alone sends.
            let _ = self.sender.set(Sender::new()?);
        }
        let mut count = 0;
        for some in work.chunks(AT_ONCE) {
            let sent = self.send_at_once(some, now);
            count += sent.len();
            for (message, outcome) in &sent {
                self.remember(&message.webhook, outcome.is_ok(), Utc::now());
            }
            self.store.sent(&sent, now)?;
        }
        Ok(count)
    }

    fn due<'t>(&self, targets: &[&'t Target], now: Time, most: u32) -> Result<Vec<(&'t Target, Vec<Message>)>> {
        let mut work = Vec::new();
        for target in targets {
            let messages = self.store.due_messages(&target.webhook.id, now, most)?;
            if !messages.is_empty() {
                work.push((*target, messages));
            }
        }
        Ok(work)
    }

    fn send_at_once(&self, some: &[(&Target, Vec<Message>)], now: Time) -> Vec<Sent> {
        let (Some(sender), stop) = (self.sender.get(), &*self.stop) else { return Vec::new() };
        std::thread::scope(|scope| {
            let threads: Vec<_> = some
                .iter()
                .map(|(target, messages)| scope.spawn(move || send_to(sender, target, messages, now, stop)))
                .collect();
            // A thread that panicked has sent nothing that is known of: it is sent again.
            threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
        })
    }

    fn remember(&mut self, webhook: &str, arrived: bool, now: Time) {
        if arrived {
            self.held.remove(webhook);
            return;
        }
        let (failures, until) = self.held.entry(webhook.to_owned()).or_insert((0, now));
        let seconds = HELD_SECONDS.checked_shl(*failures).filter(|seconds| (1..HELD_AT_MOST).contains(seconds));
        (*failures, *until) = (*failures + 1, now + TimeDelta::seconds(seconds.unwrap_or(HELD_AT_MOST)));
    }
}

/// Sends in order, and stops at the first that does not arrive, when it takes long, and when it is told to.
fn send_to(sender: &Sender, target: &Target, messages: &[Message], now: Time, stop: &AtomicBool) -> Vec<Sent> {
    let (began, mut sent) = (Instant::now(), Vec::new());
    for message in messages {
        if stop.load(Ordering::Relaxed) || began.elapsed() > ROUND_TIME {
            break;
        }
        let outcome = sender.send(&outgoing(target, message, &posted(message), now));
        if let Err(why) = &outcome {
            tracing::warn!(webhook = target.webhook.name, message = message.id, why, "a message did not arrive");
        }
        let failed = outcome.is_err();
        sent.push((message.clone(), outcome));
        if failed {
            break;
        }
    }
    sent
}

fn outgoing<'m>(target: &'m Target, message: &'m Message, payload: &'m str, now: Time) -> Outgoing<'m> {
    Outgoing {
        url: &target.webhook.url,
        secret: target.secret.as_slice(),
        id: &message.id,
        timestamp: now.timestamp(),
        payload,
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
        let outcome = Sender::new()?.send(&outgoing(&target, &message, &posted(&message), cx.now));
        let changes = json!({ "name": target.webhook.name, "message": message.id, "error": outcome.as_ref().err() });
        let events = vec![cx.event(Action::WebhookTest, target.webhook.id, changes)];
        self.change(cx, Action::WebhookTest, name, |_| Ok(Done { outcome: (), events }))?;
        outcome.map(|()| message.id).map_err(|why| not_arrived(&target.webhook.name, &why))
    }
}
