//! Webhooks, sealed rows of the table of objects, and the outbox: messages that are on their way to them.
//!
//! What an action tells is put into the outbox in the transaction of the action. What payloads say is sealed by the key that
//! only an admin holds, together with what names them: the server signs whatever opens. Times of attempts and counts stand
//! in the clear. The outbox is not covered by the signed head: whoever can write the file can drop a message or send it
//! again, and can neither read, change nor invent one. The audit trail stays what counts.

use super::{
    error::{Error, Result},
    objects::{Kind, ObjectRecord},
    open::Store,
    records::{seconds, time},
    tx::Tx,
    view::View,
};
use crate::{
    domain::{Message, RateLimit, Time, Webhook, webhook::retry_after},
    vault::{Capabilities, seal_framed},
};
use chrono::TimeDelta;
use minicbor::{Decode, Encode};
use rusqlite::{Connection, Row, Transaction, TransactionBehavior};

/// Dead letters are kept for so long.
const DEAD_FOR: TimeDelta = TimeDelta::days(30);
/// A message is tried for so long before that, and waits no longer behind others that do not arrive.
const TRIED_FOR: TimeDelta = TimeDelta::days(4);
/// What was told once is remembered for so long: longer than any lead time.
const TOLD_FOR: TimeDelta = TimeDelta::days(800);

/// The tables of messages, of what was delivered to a webhook, and of what is told only once.
pub(super) const SCHEMA: &str = "
CREATE TABLE outbox (
    id TEXT PRIMARY KEY, webhook TEXT NOT NULL, event TEXT NOT NULL, at INTEGER NOT NULL, next_at INTEGER,
    attempts INTEGER NOT NULL, error TEXT, sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX outbox_due ON outbox (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX outbox_by_webhook ON outbox (webhook, at);
CREATE TABLE webhook_deliveries (webhook TEXT PRIMARY KEY, delivered INTEGER NOT NULL, last_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE told_once (mark TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
";

/// Messages are numbered as they come, so that those of one second go out in the order in which things happened.
pub(super) const ORDER_SCHEMA: &str = "
CREATE TABLE messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, webhook TEXT NOT NULL, event TEXT NOT NULL,
    at INTEGER NOT NULL, next_at INTEGER, attempts INTEGER NOT NULL, error TEXT, sealed BLOB NOT NULL
) STRICT;
INSERT INTO messages (id, webhook, event, at, next_at, attempts, error, sealed)
SELECT id, webhook, event, at, next_at, attempts, error, sealed FROM outbox ORDER BY at, id;
DROP TABLE outbox;
ALTER TABLE messages RENAME TO outbox;
CREATE INDEX outbox_due ON outbox (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX outbox_by_webhook ON outbox (webhook, seq, next_at);
";

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) struct WebhookRecord {
    #[n(0)]
    id: String,
    #[n(1)]
    workspace: String,
    #[n(2)]
    url: String,
    #[n(3)]
    events: Vec<String>,
    #[n(4)]
    leads: Vec<i64>,
    #[n(5)]
    burst: (u32, u32),
    #[n(6)]
    allow_private: bool,
    #[n(7)]
    created_at: i64,
    #[n(8)]
    created_by: String,
}

/// A message that has not arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The message, without its payload.
    pub message: Message,
    /// When it is sent again; `None` for a dead letter.
    pub next_at: Option<Time>,
    /// Why the last attempt failed.
    pub error: Option<String>,
}

/// What has arrived at a webhook: how many messages, and when the last one did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Arrived {
    /// How many.
    pub count: u64,
    /// The last time.
    pub last_at: Option<Time>,
}

impl View<'_> {
    /// All webhooks.
    ///
    /// # Errors
    /// `RowTampered` when a row was changed.
    pub fn webhooks(&self) -> Result<Vec<Webhook>> {
        self.objects(Kind::Webhook, "")?.into_iter().map(webhook).collect()
    }

    /// The messages to a webhook that have not arrived, oldest first, at most so many.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn waiting(&self, webhook: &str, limit: u32) -> Result<Vec<Waiting>> {
        let sql = "SELECT seq, id, webhook, event, at, attempts, next_at, error FROM outbox WHERE webhook = ?1 ORDER BY seq LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement
            .query_map((webhook, limit), |row| Ok((head(row)?, row.get(6)?, row.get(7)?)))?
            .collect::<rusqlite::Result<Vec<(Head, Option<i64>, Option<String>)>>>()?;
        rows.into_iter()
            .map(|(head, next_at, error)| {
                Ok(Waiting { message: head.message(String::new())?, next_at: next_at.map(time).transpose()?, error })
            })
            .collect()
    }

    /// How many messages to a webhook wait, and how many are dead letters.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn waiting_counts(&self, webhook: &str) -> Result<(u64, u64)> {
        let sql = "SELECT count(next_at), count(*) - count(next_at) FROM outbox WHERE webhook = ?1";
        let counts: (i64, i64) =
            self.connection.prepare_cached(sql)?.query_row((webhook,), |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok((counts.0.unsigned_abs(), counts.1.unsigned_abs()))
    }

    /// What has arrived at a webhook.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn arrived(&self, webhook: &str) -> Result<Arrived> {
        let mut statement =
            self.connection.prepare_cached("SELECT delivered, last_at FROM webhook_deliveries WHERE webhook = ?1")?;
        let mut rows = statement.query_map((webhook,), |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
        match rows.next().transpose()? {
            None => Ok(Arrived::default()),
            Some((count, last_at)) => Ok(Arrived { count: count.unsigned_abs(), last_at: Some(time(last_at)?) }),
        }
    }

    /// The keys of which many requests were refused since a time: their ids and how many requests that were.
    ///
    /// # Errors
    /// `Damaged` for an id that is none.
    pub fn denied_since(&self, since: Time, at_least: u32) -> Result<Vec<(crate::domain::KeyId, u64)>> {
        let sql = "SELECT key_id, sum(count) AS refused FROM verdicts WHERE at >= ?1 AND allowed = 0 AND substr(key_id, 1, 4) = 'key_'
                   GROUP BY key_id HAVING refused >= ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement
            .query_map((since.timestamp(), at_least), |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        rows.into_iter()
            .map(|(id, count)| Ok((id.parse().map_err(|_| Error::Damaged(None))?, count.unsigned_abs())))
            .collect()
    }

    /// Every message, opened, for whole checks and re-keying.
    pub(super) fn open_messages(&self) -> Result<Vec<Message>> {
        self.each_message(|head, sealed| opened(self.caps, head, sealed))
    }

    /// Every message of an earlier version, which sealed them as it seals keys.
    pub(super) fn messages_of_before(&self) -> Result<Vec<Message>> {
        self.each_message(|head, sealed| {
            let bound = seal_framed(&[
                self.caps.vault_id.as_bytes(),
                b"outbox",
                head.id.as_bytes(),
                head.webhook.as_bytes(),
                head.event.as_bytes(),
            ]);
            let payload = self.caps.open_record(&bound, sealed).map_err(|_| head.tampered())?;
            head.of_bytes(&payload)
        })
    }

    fn each_message(&self, open: impl Fn(Head, &[u8]) -> Result<Message>) -> Result<Vec<Message>> {
        let mut statement =
            self.connection.prepare_cached("SELECT seq, id, webhook, event, at, attempts, sealed FROM outbox")?;
        let rows = statement
            .query_map([], |row| Ok((head(row)?, row.get(6)?)))?
            .collect::<rusqlite::Result<Vec<(Head, Vec<u8>)>>>()?;
        rows.into_iter().map(|(head, sealed)| open(head, &sealed)).collect()
    }

    /// What was told once: the marks with their times, each known to be one that an admin made.
    pub(super) fn told(&self) -> Result<Vec<(String, i64)>> {
        let mut statement = self.connection.prepare_cached("SELECT mark, at, tag FROM told_once")?;
        let rows = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<rusqlite::Result<Vec<(String, i64, Option<Vec<u8>>)>>>()?;
        let known = |mark: &str, tag: Option<Vec<u8>>| {
            // A support slot cannot tell, and nobody tagged them before.
            !self.counts_everything() || tag.as_deref() == told_tag(self.caps, mark).as_ref().map(<[u8; 32]>::as_slice)
        };
        let checked = rows.into_iter().map(|(mark, at, tag)| match known(&mark, tag) {
            true => Ok((mark, at)),
            false => Err(Error::RowTampered { table: "told_once", id: mark }),
        });
        checked.collect()
    }
}

impl Tx<'_> {
    /// Inserts or replaces a webhook.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn put_webhook(&mut self, webhook: &Webhook) -> Result<()> {
        let record = WebhookRecord {
            id: webhook.id.clone(),
            workspace: webhook.workspace.clone(),
            url: webhook.url.clone(),
            events: webhook.events.iter().map(ToString::to_string).collect(),
            leads: webhook.leads.iter().map(TimeDelta::num_seconds).collect(),
            burst: (webhook.burst.limit, webhook.burst.window_seconds),
            allow_private: webhook.allow_private,
            created_at: webhook.created_at.timestamp(),
            created_by: webhook.created_by.clone(),
        };
        let record = ObjectRecord { name: webhook.name.clone(), webhook: Some(record), ..ObjectRecord::default() };
        self.put_object(Kind::Webhook as i64, &record)
    }

    /// Removes a webhook, and the messages to it.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn delete_webhook(&mut self, webhook: &Webhook) -> Result<()> {
        self.delete_object(Kind::Webhook, "", &webhook.name)?;
        for table in ["outbox", "webhook_deliveries"] {
            self.connection
                .prepare_cached(&format!("DELETE FROM {table} WHERE webhook = ?1"))?
                .execute((&webhook.id,))?;
        }
        Ok(())
    }

    /// Puts a message into the outbox, due at once.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn enqueue(&mut self, message: &Message) -> Result<()> {
        put(self.connection, self.caps, message)
    }

    /// Seals every message under the keys of this transaction.
    pub(super) fn reseal_messages(&mut self, messages: &[Message]) -> Result<()> {
        let mut statement = self.connection.prepare_cached("UPDATE outbox SET sealed = ?2 WHERE id = ?1")?;
        for message in messages {
            statement.execute((&message.id, sealed(self.caps, message)?))?;
        }
        Ok(())
    }

    /// Tags what was told once under the keys of this transaction.
    pub(super) fn tag_told(&mut self, told: &[(String, i64)]) -> Result<()> {
        let mut statement = self.connection.prepare_cached("UPDATE told_once SET tag = ?2 WHERE mark = ?1")?;
        for (mark, _) in told {
            statement.execute((mark, told_tag(self.caps, mark).ok_or(Error::SupportSlot)?.as_slice()))?;
        }
        Ok(())
    }
}

impl Store {
    /// Whether there are messages that are to be sent now.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn is_message_due(&self, now: Time) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM outbox WHERE next_at <= ?1)";
        Ok(self.connection.prepare_cached(sql)?.query_row((now.timestamp(),), |row| row.get(0))?)
    }

    /// The messages to a webhook that are to be sent now, in the order in which things happened, at most so many.
    ///
    /// # Errors
    /// Those of SQLite; `Damaged` for a message that does not open.
    pub fn due_messages(&self, webhook: &str, now: Time, limit: u32) -> Result<Vec<Message>> {
        let sql = "SELECT seq, id, webhook, event, at, attempts, sealed FROM outbox
                   WHERE webhook = ?1 AND next_at <= ?2 ORDER BY seq LIMIT ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement
            .query_map((webhook, now.timestamp(), limit), |row| Ok((head(row)?, row.get(6)?)))?
            .collect::<rusqlite::Result<Vec<(Head, Vec<u8>)>>>()?;
        rows.into_iter().map(|(head, sealed)| opened(&self.caps, head, &sealed)).collect()
    }

    /// What became of messages that were sent: gone where they arrived, otherwise due again later, or dead letters.
    ///
    /// # Errors
    /// Those of SQLite, after which nothing of it is kept.
    pub fn sent(&self, outcomes: &[(Message, std::result::Result<(), String>)], now: Time) -> Result<()> {
        let transaction = Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)?;
        for (message, outcome) in outcomes {
            match outcome {
                Ok(()) => {
                    transaction.prepare_cached("DELETE FROM outbox WHERE id = ?1")?.execute((&message.id,))?;
                    transaction
                        .prepare_cached(
                            "INSERT INTO webhook_deliveries (webhook, delivered, last_at) VALUES (?1, 1, ?2)
                             ON CONFLICT (webhook) DO UPDATE SET delivered = delivered + 1, last_at = excluded.last_at",
                        )?
                        .execute((&message.webhook, now.timestamp()))?;
                }
                Err(error) => {
                    let attempts = message.attempts.saturating_add(1);
                    let next = retry_after(attempts).and_then(|wait| now.checked_add_signed(wait));
                    transaction
                        .prepare_cached("UPDATE outbox SET attempts = ?2, next_at = ?3, error = ?4 WHERE id = ?1")?
                        .execute((&message.id, attempts, next.map(|at| at.timestamp()), error))?;
                    // Those behind it have no turn while it is tried: they end when it does, or there would be ever more.
                    transaction
                        .prepare_cached("UPDATE outbox SET next_at = NULL, error = ?3 WHERE webhook = ?1 AND at < ?2")?
                        .execute((&message.webhook, (now - TRIED_FOR).timestamp(), error))?;
                }
            }
        }
        Ok(transaction.commit()?)
    }

    /// Puts messages into the outbox that are told only once: those whose mark is new. Forgets what is over.
    ///
    /// # Errors
    /// Those of SQLite, after which nothing of it is kept.
    pub fn tell_once(&self, messages: &[(Vec<String>, Message)], now: Time) -> Result<usize> {
        let transaction = Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)?;
        let mut told = 0;
        for (marks, message) in messages {
            let mut fresh = false;
            // The first mark decides; the others are told with it.
            for (index, mark) in marks.iter().enumerate() {
                let tag = told_tag(&self.caps, mark).ok_or(Error::SupportSlot)?;
                // A mark that somebody else put there keeps nobody from being told.
                let sql = "INSERT INTO told_once (mark, at, tag) VALUES (?1, ?2, ?3) ON CONFLICT (mark)
                           DO UPDATE SET at = ?2, tag = ?3 WHERE tag IS NOT ?3";
                let new = transaction.prepare_cached(sql)?.execute((mark, now.timestamp(), tag.as_slice()))? == 1;
                fresh |= index == 0 && new;
            }
            if fresh {
                put(&transaction, &self.caps, message)?;
                told += 1;
            }
        }
        transaction.prepare_cached("DELETE FROM told_once WHERE at < ?1")?.execute(((now - TOLD_FOR).timestamp(),))?;
        transaction
            .prepare_cached("DELETE FROM outbox WHERE next_at IS NULL AND at < ?1")?
            .execute(((now - TRIED_FOR - DEAD_FOR).timestamp(),))?;
        transaction.commit()?;
        Ok(told)
    }
}

/// The columns of a message in the clear.
struct Head {
    seq: i64,
    id: String,
    webhook: String,
    event: String,
    at: i64,
    attempts: u32,
}

fn head(row: &Row<'_>) -> rusqlite::Result<Head> {
    Ok(Head {
        seq: row.get(0)?,
        id: row.get(1)?,
        webhook: row.get(2)?,
        event: row.get(3)?,
        at: row.get(4)?,
        attempts: row.get(5)?,
    })
}

impl Head {
    fn message(self, payload: String) -> Result<Message> {
        Ok(Message {
            seq: Some(self.seq.unsigned_abs()),
            id: self.id,
            webhook: self.webhook,
            event: self.event,
            at: time(self.at)?,
            attempts: self.attempts,
            payload,
        })
    }
}

impl Head {
    fn tampered(&self) -> Error {
        Error::RowTampered { table: "outbox", id: self.id.clone() }
    }

    fn of_bytes(self, payload: &[u8]) -> Result<Message> {
        let payload = String::from_utf8(payload.to_vec()).map_err(|_| self.tampered())?;
        self.message(payload)
    }
}

/// Only an admin can make it.
fn told_tag(caps: &Capabilities, mark: &str) -> Option<[u8; 32]> {
    caps.row_tag(&[b"told once", mark.as_bytes()])
}

fn bound(caps: &Capabilities, id: &str, webhook: &str, event: &str, at: i64) -> Vec<u8> {
    seal_framed(&[
        caps.vault_id.as_bytes(),
        b"message",
        id.as_bytes(),
        webhook.as_bytes(),
        event.as_bytes(),
        &at.to_le_bytes(),
    ])
}

fn sealed(caps: &Capabilities, message: &Message) -> Result<Vec<u8>> {
    let bound = bound(caps, &message.id, &message.webhook, &message.event, message.at.timestamp());
    Ok(caps.seal_detail(&mut rand::rng(), &bound, message.payload.as_bytes())?)
}

fn opened(caps: &Capabilities, head: Head, sealed: &[u8]) -> Result<Message> {
    let bound = bound(caps, &head.id, &head.webhook, &head.event, head.at);
    let payload = caps.open_detail(&bound, sealed).map_err(|_| head.tampered())?;
    head.of_bytes(&payload)
}

fn put(connection: &Connection, caps: &Capabilities, message: &Message) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO outbox (id, webhook, event, at, next_at, attempts, sealed) VALUES (?1, ?2, ?3, ?4, ?4, 0, ?5)",
        )?
        .execute((&message.id, &message.webhook, &message.event, message.at.timestamp(), sealed(caps, message)?))?;
    Ok(())
}

fn webhook(record: ObjectRecord) -> Result<Webhook> {
    let damaged = || Error::Damaged(None);
    let sealed = record.webhook.ok_or_else(damaged)?;
    let events = sealed.events.iter().map(|event| event.parse().map_err(|_: String| damaged()));
    Ok(Webhook {
        id: sealed.id,
        name: record.name,
        workspace: sealed.workspace,
        url: sealed.url,
        events: events.collect::<Result<_>>()?,
        leads: sealed.leads.into_iter().map(seconds).collect::<Result<_>>()?,
        burst: RateLimit { limit: sealed.burst.0, window_seconds: sealed.burst.1 },
        allow_private: sealed.allow_private,
        created_at: time(sealed.created_at)?,
        created_by: sealed.created_by,
    })
}
