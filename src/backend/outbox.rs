//! The outbox of a vault, which a server empties.
//!
//! Each webhook has a thread of its own while it is sent something: one that takes its time, or never answers, keeps no
//! other waiting.

use super::{keyring::Keyring, sending_right::SendingRight, serving::Serving};
use crate::{
    domain::{Message, Time},
    notify::{Outgoing, Sender},
    ops::{
        self, Error, Kind, Result,
        webhooks::{Target, posted},
    },
    store::Store,
};
use chrono::{TimeDelta, Utc};
use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender as Put, channel},
    },
    time::{Duration, Instant},
};

/// How many messages are sent to a webhook in one go, and within how long the last of them begins.
const EACH: u32 = 8;
const ROUND_TIME: Duration = Duration::from_secs(5);
/// To how many webhooks is sent at once; and to how many of those that took nothing the last time, so that they leave room.
const AT_ONCE: usize = 32;
const DOUBTFUL_AT_ONCE: usize = 8;
/// How long a webhook has no turn after it took no message, for each time that it took none; and at most.
const HELD_SECONDS: i64 = 5;
const HELD_AT_MOST: i64 = 300;

/// A message and what became of it.
type Sent = (Message, std::result::Result<(), String>);

/// What a thread comes back with: the id of its webhook, and what became of the messages.
type Finished = (String, Vec<Sent>);

/// The messages of a vault that are on their way, over a connection of their own.
pub struct Outbox {
    store: Store,
    keyring: Arc<Keyring>,
    right: SendingRight,
    /// Made when there is something to send: on a thread that is none of the runtime's, since it brings one of its own.
    sender: Option<Arc<Sender>>,
    /// The webhooks that took no message the last time, by id: how often in a row, and until when they have no turn.
    held: HashMap<String, (u32, Time)>,
    /// The webhooks that are being sent something, by id; and of these the ones that took nothing the last time.
    at_work: HashSet<String>,
    doubtful_at_work: HashSet<String>,
    finished: (Put<Finished>, Receiver<Finished>),
    stop: Arc<AtomicBool>,
}

impl Serving {
    /// The outbox, over a connection of its own.
    ///
    /// # Errors
    /// Those of the store.
    pub fn outbox(&self) -> Result<Outbox> {
        Ok(Outbox {
            store: self.another()?,
            keyring: self.keyring(),
            right: SendingRight::of(self.data()),
            sender: None,
            held: HashMap::new(),
            at_work: HashSet::new(),
            doubtful_at_work: HashSet::new(),
            finished: channel(),
            stop: Arc::default(),
        })
    }
}

impl Outbox {
    /// Whether this server sends; where several serve one vault, one of them does, and another when that one ends.
    pub fn is_ours(&mut self) -> bool {
        self.right.take()
    }

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

    /// Keeps what became of messages that were sent, and begins to send what is due: to each webhook in order, and to
    /// several at once. One that took none has its next turn later.
    ///
    /// # Errors
    /// `Unavailable` when TLS cannot be set up or there is no thread to be had; those of the store: then what was sent is
    /// sent again, with the same ids.
    pub fn send_due(&mut self, now: Time) -> Result<()> {
        self.keyring.refresh(&mut self.store, now)?;
        let ended: Vec<Finished> = self.finished.1.try_iter().collect();
        self.keep(ended, now)?;
        if self.stop.load(Ordering::Relaxed) || !self.store.is_message_due(now)? {
            return Ok(());
        }
        let targets = {
            let view = self.store.read(now)?;
            ops::webhooks::targets(&view, self.store.capabilities())?
        };
        self.held.retain(|id, _| targets.iter().any(|target| target.webhook.id == *id));
        let until = |target: &Target| self.held.get(&target.webhook.id).map(|(_, until)| *until);
        let mut ready: Vec<(Option<Time>, Target)> =
            targets.into_iter().map(|target| (until(&target), target)).collect();
        ready.retain(|(until, target)| {
            until.is_none_or(|until| until <= now) && !self.at_work.contains(&target.webhook.id)
        });
        // First those that take messages, then whichever has waited longest.
        ready.sort_by_key(|(until, _)| *until);
        for (until, target) in ready {
            let doubtful = until.is_some();
            if self.at_work.len() >= AT_ONCE || (doubtful && self.doubtful_at_work.len() >= DOUBTFUL_AT_ONCE) {
                break;
            }
            let messages = self.store.due_messages(&target.webhook.id, now, if doubtful { 1 } else { EACH })?;
            if !messages.is_empty() {
                self.begin(target, messages, doubtful, now)?;
            }
        }
        Ok(())
    }

    /// Waits for the messages that are being sent, and keeps what became of them.
    ///
    /// # Errors
    /// Those of the store.
    pub fn finish(&mut self, now: Time) -> Result<()> {
        while !self.at_work.is_empty() {
            let Ok(ended) = self.finished.1.recv() else { break };
            self.keep(vec![ended], now)?;
        }
        Ok(())
    }

    fn begin(&mut self, target: Target, messages: Vec<Message>, doubtful: bool, now: Time) -> Result<()> {
        let sender = match &self.sender {
            Some(sender) => Arc::clone(sender),
            None => Arc::clone(self.sender.insert(Arc::new(Sender::new()?))),
        };
        let (id, put, stop) = (target.webhook.id.clone(), self.finished.0.clone(), Arc::clone(&self.stop));
        let thread = std::thread::Builder::new().name("keyward-webhook".to_owned());
        let spawned = thread.spawn(move || {
            let mut ended = Ended { webhook: target.webhook.id.clone(), sent: Vec::new(), put };
            send_to(&sender, &target, &messages, now, &stop, &mut ended.sent);
        });
        spawned.map_err(|error| {
            Error::new(Kind::Unavailable, "thread", "cannot start a thread").cause(error.to_string())
        })?;
        if doubtful {
            self.doubtful_at_work.insert(id.clone());
        }
        self.at_work.insert(id);
        Ok(())
    }

    fn keep(&mut self, ended: Vec<Finished>, now: Time) -> Result<()> {
        for (webhook, sent) in ended {
            self.at_work.remove(&webhook);
            self.doubtful_at_work.remove(&webhook);
            for (message, outcome) in &sent {
                self.remember(&message.webhook, outcome.is_ok(), Utc::now());
            }
            if !sent.is_empty() {
                self.store.sent(&sent, now)?;
            }
        }
        Ok(())
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

/// What became of messages, handed over when the thread that sent them ends, also by a panic: a webhook that nobody says
/// is done with would have no turn any more.
struct Ended {
    webhook: String,
    sent: Vec<Sent>,
    put: Put<Finished>,
}

impl Drop for Ended {
    fn drop(&mut self) {
        // Nobody listens any more once the outbox is gone; then it is sent again.
        let _ = self.put.send((std::mem::take(&mut self.webhook), std::mem::take(&mut self.sent)));
    }
}

/// Sends in order, and stops at the first that does not arrive, when it takes long, and when it is told to.
fn send_to(sender: &Sender, target: &Target, messages: &[Message], now: Time, stop: &AtomicBool, sent: &mut Vec<Sent>) {
    let began = Instant::now();
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
}

pub(super) fn outgoing<'m>(target: &'m Target, message: &'m Message, payload: &'m str, now: Time) -> Outgoing<'m> {
    Outgoing {
        url: &target.webhook.url,
        secret: target.secret.as_slice(),
        id: &message.id,
        timestamp: now.timestamp(),
        payload,
        allow_private: target.webhook.allow_private,
    }
}
