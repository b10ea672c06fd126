//! An opened vault for a server: connections that threads can own, the facts for verdicts, and the keyed hash of tokens.

use super::{
    Backend,
    keyring::Keyring,
    local::Local,
    maintenance::CLOCK_SLACK,
    reserve::Reserve,
    unlock::{LocalVault, OpenedBy, Unlock},
};
use crate::domain::{Digest, Lookup};
use crate::{
    domain::{Action, Key, KeyId, OperatorRequest, PlainToken, Spent, Time, UsageRecord, Verifier, time::format_time},
    ops::{
        self, Context, Done, Result,
        audit_export::Exported,
        audit_stream::{self, StreamFormat},
        facts::{Changed, Facts},
    },
    store::Store,
    vault::Capabilities,
};
use std::{path::Path, sync::Arc};

/// An opened vault that hands out what a server's threads need.
pub struct Serving {
    first: Local,
    keyring: Arc<Keyring>,
    now: Time,
}

/// A back end with a connection of its own, which is opened again when the vault gets new keys.
pub struct ServedBackend {
    local: Local,
    keyring: Arc<Keyring>,
}

/// A connection that reads the facts for verdicts and notices when they change.
pub struct FactSource {
    store: Store,
    keyring: Arc<Keyring>,
    /// How often another file was found in the place of the keystore.
    replaced: u32,
}

/// What of a keystore was seen last: the file, and its last commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeenFile {
    /// Differs once the file is another one: then everything must be read again.
    pub file: u32,
    /// Differs once anybody else has committed.
    commit: i64,
}

/// A connection that writes what verdicts leave behind.
pub struct UsageSink {
    store: Store,
    keyring: Arc<Keyring>,
}

/// A connection that reads the trail for a stream, and remembers how far it came.
pub struct TrailSource {
    local: Local,
    keyring: Arc<Keyring>,
    /// How often another file was found in the place of the keystore.
    replaced: u32,
}

/// Signs what upstreams are told of whoever calls, with the newest keys of the vault.
pub struct AssertionSigner(Arc<Keyring>);

/// Computes verifiers; shared by all threads.
#[derive(Clone)]
pub struct TokenHasher(Arc<Capabilities>);

impl LocalVault {
    /// Opens the vault for a server.
    ///
    /// # Errors
    /// As [`LocalVault::unlock`]; `Forbidden` for a support slot, which holds no key to write with.
    pub fn serve(&self, cx: &Context, unlock: Unlock<'_>) -> Result<Serving> {
        let first = self.open(cx, unlock)?;
        if first.store().capabilities().admin.is_none() {
            return Err(ops::support_refused());
        }
        Reserve::of(&first.dirs.data).take();
        let last = first.read(cx, |view| Ok(view.last_commit_at()?))?;
        if last - cx.now > CLOCK_SLACK {
            let (last, now) = (format_time(last), format_time(cx.now));
            tracing::warn!(
                last,
                now,
                "the clock is before the last commit of the vault: what has expired since may count as valid"
            );
        }
        let keyring = Keyring::of(first.store(), &first.opened_by);
        Ok(Serving { first, keyring, now: cx.now })
    }
}

impl Serving {
    /// A back end with a connection of its own.
    ///
    /// # Errors
    /// Those of the store.
    pub fn backend(&self) -> Result<ServedBackend> {
        let local = Local::new(self.first.dirs.clone(), self.another()?, OpenedBy::Session).for_clients();
        Ok(ServedBackend { local, keyring: Arc::clone(&self.keyring) })
    }

    /// The facts for verdicts, over a connection of its own.
    ///
    /// # Errors
    /// Those of the store.
    pub fn facts(&self) -> Result<FactSource> {
        Ok(FactSource { store: self.another()?, keyring: Arc::clone(&self.keyring), replaced: 0 })
    }

    /// Writes what verdicts leave behind, over a connection of its own.
    ///
    /// # Errors
    /// Those of the store.
    pub fn usage(&self) -> Result<UsageSink> {
        Ok(UsageSink { store: self.another()?, keyring: Arc::clone(&self.keyring) })
    }

    /// Reads the trail for a stream, over a connection of its own.
    ///
    /// # Errors
    /// Those of the store.
    pub fn trail(&self) -> Result<TrailSource> {
        let local = Local::new(self.first.dirs.clone(), self.another()?, OpenedBy::Session);
        Ok(TrailSource { local, keyring: Arc::clone(&self.keyring), replaced: 0 })
    }

    /// Signs what upstreams are told of whoever calls.
    #[must_use]
    pub fn assertions(&self) -> AssertionSigner {
        AssertionSigner(Arc::clone(&self.keyring))
    }

    /// The directory of the keystore.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.first.dirs.data
    }

    /// What the connections of the server are opened by.
    #[cfg(feature = "server")]
    pub(super) fn keyring(&self) -> Arc<Keyring> {
        Arc::clone(&self.keyring)
    }

    /// A connection to the same keystore.
    pub(super) fn another(&self) -> Result<Store> {
        Ok(self.first.store().another(self.now)?)
    }

    /// The keyed hash of tokens.
    #[must_use]
    pub fn hasher(&self) -> TokenHasher {
        TokenHasher(self.first.store().shared_capabilities())
    }
}

impl ServedBackend {
    /// The back end, by the newest keys that are known.
    ///
    /// # Errors
    /// Those of the store, where a connection has to be opened again.
    pub fn current(&mut self, now: Time) -> Result<&dyn Backend> {
        self.keyring.refresh(&mut self.local.store, now)?;
        Ok(&self.local)
    }
}

impl AssertionSigner {
    /// The public key; `None` without the admin part of the vault's keys.
    #[must_use]
    pub fn public_key(&self) -> Option<[u8; 32]> {
        self.0.newest().assertion_key()
    }

    /// A signature; `None` without the admin part of the vault's keys.
    #[must_use]
    pub fn sign(&self, text: &str) -> Option<[u8; 64]> {
        self.0.newest().sign_assertion(text)
    }
}

impl FactSource {
    /// Opens the vault again, which got new keys: for every connection that is handed out.
    ///
    /// # Errors
    /// `Locked` when what opened the vault opens it no more; those of the store.
    pub fn renew(&mut self, now: Time) -> Result<()> {
        self.keyring.renew()?;
        self.look(now)
    }

    fn look(&mut self, now: Time) -> Result<()> {
        if self.keyring.refresh(&mut self.store, now)? {
            self.replaced = self.replaced.wrapping_add(1);
            tracing::warn!(
                "another file is in the place of the keystore: a newer state of the vault, which was opened"
            );
        }
        Ok(())
    }

    /// Which file is in the place of the keystore, and whether anybody else has committed; asking costs microseconds.
    ///
    /// # Errors
    /// `Unavailable` when there is none, `Integrity` for one that is no newer state of this vault; those of the store.
    pub fn version(&mut self, now: Time) -> Result<SeenFile> {
        self.look(now)?;
        Ok(SeenFile { file: self.replaced, commit: self.store.data_version()? })
    }

    /// Everything as of one moment: first `begin` is told all but the keys, then `taker` every key, in any order and on
    /// several threads. The keys hold only once this returns; it answers with the last event they take into account.
    ///
    /// # Errors
    /// `Integrity` when the rows are not those that the head signs; those of the store.
    pub fn all(&self, now: Time, begin: impl FnOnce(Facts), taker: &(dyn Fn(Key) + Sync)) -> Result<u64> {
        let view = self.store.read(now)?;
        let facts = ops::facts::all(&view)?;
        let seq = facts.seq;
        begin(facts);
        ops::facts::keys(&view, taker)?;
        Ok(seq)
    }

    /// What keys have spent of their limits.
    ///
    /// # Errors
    /// Those of the store.
    pub fn spent(&self, now: Time) -> Result<Vec<Spent>> {
        Ok(self.store.read(now)?.spent_limits()?)
    }

    /// What has changed since an event; `None` when everything must be read again.
    ///
    /// # Errors
    /// Those of the store.
    pub fn since(&self, seq: u64, now: Time) -> Result<Option<Changed>> {
        let view = self.store.read(now)?;
        ops::facts::since(&view, seq)
    }

    /// Keys as they are now; `None` for one that is gone.
    ///
    /// # Errors
    /// Those of the store.
    pub fn keys(&self, ids: &[KeyId], now: Time) -> Result<Vec<(KeyId, Option<Key>)>> {
        let view = self.store.read(now)?;
        ops::facts::some(&view, ids)
    }
}

impl UsageSink {
    /// Adds verdicts and requests of operators to the facts of use, and replaces what keys have spent of their limits, in one transaction.
    ///
    /// # Errors
    /// Those of the store, after which nothing of it is kept.
    pub fn record(
        &mut self,
        records: &[UsageRecord],
        requests: &[OperatorRequest],
        spent: &[Spent],
        now: Time,
    ) -> Result<()> {
        self.keyring.refresh(&mut self.store, now)?;
        Ok(self.store.record_all(records, requests, spent, now)?)
    }
}

impl TrailSource {
    /// The id of the vault.
    #[must_use]
    pub fn vault_id(&self) -> &str {
        &self.local.store.meta().vault_id
    }

    /// Records that a stream to a place, `told` without its credentials, begins or goes on; answers with the last event
    /// that the place has confirmed.
    ///
    /// # Errors
    /// `Forbidden` when the plan has no audit export; those of the store.
    pub fn begin(&self, cx: &Context, place: &str, told: &str, format: StreamFormat) -> Result<u64> {
        self.local.change(cx, Action::AuditExport, &cx.workspace, |tx| {
            let cursor = tx.stream_cursor(place)?;
            Ok(Done { outcome: cursor, events: vec![audit_stream::begin(tx, cx, told, format, cursor)?] })
        })
    }

    /// Differs once anybody else has committed, or another file is in the place of the keystore; asking costs microseconds.
    ///
    /// # Errors
    /// `Unavailable` when the keystore is gone; those of the store.
    pub fn version(&mut self, now: Time) -> Result<SeenFile> {
        self.replaced = self.replaced.wrapping_add(u32::from(self.keyring.refresh(&mut self.local.store, now)?));
        Ok(SeenFile { file: self.replaced, commit: self.local.store.data_version()? })
    }

    /// The events after one, at most so many.
    ///
    /// # Errors
    /// `Integrity` when an event does not open; those of the store.
    pub fn after(&mut self, cx: &Context, seq: u64, most: u64) -> Result<Vec<Exported>> {
        self.keyring.refresh(&mut self.local.store, cx.now)?;
        self.local.read(cx, |view| audit_stream::after(view, cx, seq, most))
    }

    /// Remembers the last event that a place has confirmed.
    ///
    /// # Errors
    /// Those of the store.
    pub fn confirmed(&self, place: &str, seq: u64) -> Result<()> {
        Ok(self.local.store.put_stream_cursor(place, seq)?)
    }
}

impl TokenHasher {
    /// By what an imported secret is found, and its verifier.
    #[must_use]
    pub fn imported(&self, digest: &Digest) -> Option<(Lookup, Verifier)> {
        self.0.imported(digest)
    }

    /// The verifier of a token.
    #[must_use]
    pub fn verifier_of(&self, token: &PlainToken) -> Option<Verifier> {
        self.0.verifier_of(token)
    }
}
