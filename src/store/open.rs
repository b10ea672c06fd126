//! Making and opening the keystore file.
//!
//! Outside [`Store::create`] nothing is ever opened with CREATE: to SQLite an empty file is a valid empty database.

use super::{
    connect::{Still, connect},
    error::{Error, Result},
    head::{Head, TABLES},
    records::time,
    schema, slots,
    tx::Tx,
    view::{Snapshot, View},
};
use crate::{
    domain::{Brand, Event, Plan, Time, Workspace, merkle::CompactRange},
    files,
    vault::{Capabilities, Pins, Slot},
};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::{
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

/// What a keystore says of itself in the clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// The vault's random id.
    pub vault_id: String,
    /// What its tokens begin with.
    pub brand: Brand,
    /// When it was made.
    pub created_at: Time,
    /// The file.
    pub path: PathBuf,
}

/// Which file was opened, whatever its name leads to by now: its device and its inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity(u64, u64);

impl Identity {
    fn of(path: &Path) -> std::io::Result<Self> {
        let found = path.metadata()?;
        Ok(Self(found.dev(), found.ino()))
    }
}

/// A keystore whose file is one of ours and whose keys are not at hand.
pub struct LockedStore {
    connection: Connection,
    still: Option<Still>,
    meta: Meta,
    file: Identity,
}

/// An open keystore.
pub struct Store {
    pub(super) connection: Connection,
    still: Option<Still>,
    pub(super) caps: Arc<Capabilities>,
    pub(super) meta: Meta,
    pub(super) pins: Pins,
    pub(super) file: Identity,
}

impl Store {
    /// Makes a keystore with its first slots, the workspace `default` and the built-in plans. The file appears under
    /// its name complete or not at all; of several processes that try, one succeeds.
    ///
    /// # Errors
    /// `Exists` when there is one already.
    pub fn create(
        path: &Path,
        caps: Capabilities,
        first_slots: &[Slot],
        brand: &Brand,
        event: Event,
        pins: &Pins,
        now: Time,
    ) -> Result<()> {
        let temporary = files::sibling(path, "init");
        drop(files::create_private(&temporary)?);
        let vault_id = caps.vault_id.clone();
        // The place is remembered once there is something in it: who is killed before has lost nothing.
        let made = fill(&temporary, caps, first_slots, brand, event, pins.nowhere(), now).and_then(|()| {
            match std::fs::hard_link(&temporary, path) {
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Err(Error::Exists),
                linked => Ok(linked?),
            }
        });
        for suffix in ["", "-wal", "-shm"] {
            match std::fs::remove_file(files::with_suffix(&temporary, suffix)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        made?;
        files::sync_dir_of(path)?;
        pins.settle(&vault_id);
        Ok(())
    }

    /// Opens a keystore file without any key, and checks that it is one.
    ///
    /// # Errors
    /// `Foreign`, `Newer`, `Damaged`, `ReadOnly` or `TooOpen`; nothing is written in any case.
    pub fn open(path: &Path) -> Result<LockedStore> {
        if path.metadata()?.len() == 0 {
            return Err(Error::Foreign);
        }
        let file = Identity::of(path)?;
        let (connection, still) = connect(path)?;
        schema::check(&connection)?;
        check_private(path)?;
        let meta = connection.query_row("SELECT vault_id, brand, created_at FROM vault", [], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?))
        });
        let (vault_id, brand, created_at) = meta?;
        let brand = brand.parse().map_err(|_| Error::Damaged(None))?;
        // Files outside are named by it before any key has proven it: it is no path.
        let id = vault_id.strip_prefix("vault_").unwrap_or_default();
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(Error::Damaged(None));
        }
        let meta = Meta { vault_id, brand, created_at: time(created_at)?, path: path.to_owned() };
        Ok(LockedStore { connection, still, meta, file })
    }

    /// Begins a read.
    ///
    /// # Errors
    /// `HeadForged`, `TrailCut` or `RolledBack` when the file is not what the last commit left.
    pub fn read(&self, now: Time) -> Result<Snapshot<'_>> {
        self.still.as_ref().map_or(Ok(()), Still::check)?;
        let transaction = Transaction::new_unchecked(&self.connection, TransactionBehavior::Deferred)?;
        Ok(Snapshot::new(View::of(self, now)?, transaction))
    }

    /// Begins a change.
    ///
    /// # Errors
    /// As [`Store::read`]; `Busy` when another process writes for more than ten seconds; `SupportSlot`.
    pub fn begin(&self, now: Time) -> Result<Tx<'_>> {
        Tx::begin(self, now)
    }

    /// The same keystore over a connection of its own, opened by the same capabilities.
    ///
    /// # Errors
    /// As [`Store::open`] and [`Store::read`].
    pub fn another(&self, now: Time) -> Result<Self> {
        self.another_with(Arc::clone(&self.caps), now)
    }

    /// The same keystore over a connection of its own, opened by these capabilities: newer ones of the same vault.
    ///
    /// # Errors
    /// As [`Store::open`] and [`Store::read`].
    pub fn another_with(&self, caps: Arc<Capabilities>, now: Time) -> Result<Self> {
        let locked = Self::open(&self.meta.path)?;
        if locked.meta.vault_id != self.meta.vault_id {
            return Err(Error::Foreign);
        }
        locked.open_with(caps, self.pins.clone(), now)
    }

    /// Whether the file that was opened is still the one in its place. A change to a file without a name would be lost, and
    /// what others change in the one that took its place would not be seen.
    ///
    /// # Errors
    /// `Gone` when there is no file in its place.
    pub fn is_in_place(&self) -> Result<bool> {
        match Identity::of(&self.meta.path) {
            Ok(found) => Ok(found == self.file),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Error::Gone(self.meta.path.clone())),
            Err(error) => Err(error.into()),
        }
    }

    /// A number that differs once any other connection, of this process or another, has committed.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn data_version(&self) -> Result<i64> {
        Ok(self.connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?)
    }

    /// What opened it, to be shared with other threads.
    #[must_use]
    pub fn shared_capabilities(&self) -> Arc<Capabilities> {
        Arc::clone(&self.caps)
    }

    /// What opened it.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        &self.caps
    }

    /// What the keystore says of itself.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// What is remembered of it outside.
    #[must_use]
    pub fn pins(&self) -> &Pins {
        &self.pins
    }

    /// Empties the write-ahead log, so that old pages do not linger there.
    ///
    /// # Errors
    /// Those of SQLite; a reader that still needs the log is none.
    pub fn truncate_log(&self) -> Result<()> {
        Ok(self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
    }

    /// Gives the pages that nothing uses any more back to the disk.
    ///
    /// # Errors
    /// Those of SQLite; [`Error::Busy`] while somebody writes, and then the pages are used again later.
    pub fn shrink(&self) -> Result<()> {
        let mut freeing = self.connection.prepare("PRAGMA incremental_vacuum")?;
        let mut freed = freeing.query([])?;
        while freed.next()?.is_some() {}
        Ok(())
    }
}

impl LockedStore {
    /// What the keystore says of itself.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// How many keys it holds; that stands in the clear.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn count_keys(&self) -> Result<u64> {
        let count: i64 = self.connection.query_row("SELECT count(*) FROM keys", [], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    /// Removes the file and what SQLite keeps beside it, unless somebody else has it open: only alone may a connection
    /// give up the log.
    ///
    /// # Errors
    /// `Busy`; those of the file system.
    pub fn remove(self) -> Result<()> {
        let mode: String = self.connection.pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get(0))?;
        if !mode.eq_ignore_ascii_case("delete") {
            return Err(Error::Busy);
        }
        let Self { connection, meta, .. } = self;
        connection.close().map_err(|(_, error)| error)?;
        for suffix in ["", "-wal", "-shm", "-journal"] {
            match std::fs::remove_file(files::with_suffix(&meta.path, suffix)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        Ok(files::sync_dir_of(&meta.path)?)
    }

    /// Its slots.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn slots(&self) -> Result<Vec<Slot>> {
        slots::read(&self.connection)
    }

    /// Opens it with what a slot held; checks the head at once, and remembers it.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub fn unlock(self, caps: Capabilities, pins: Pins, now: Time) -> Result<Store> {
        self.open_with(Arc::new(caps), pins, now)
    }

    fn open_with(self, caps: Arc<Capabilities>, pins: Pins, now: Time) -> Result<Store> {
        let store =
            Store { connection: self.connection, still: self.still, caps, meta: self.meta, pins, file: self.file };
        let (unseen, of_before) = {
            let view = store.read(now)?;
            (view.unseen.clone(), view.is_of_before())
        };
        if let Some(pin) = unseen
            && let Err(error) = store.pins.advance(&store.meta.vault_id, &pin)
        {
            tracing::warn!(%error, "the last commit could not be remembered outside the keystore");
        }
        // Where it cannot be, all can be read as before, and the first change is told why.
        if of_before && let Err(error) = store.bring_up(now) {
            tracing::warn!(%error, "the keystore could not be brought up to this version");
        }
        Ok(store)
    }
}

/// Nobody but its owner has anything to do with the keystore, nor with what SQLite keeps beside it.
fn check_private(path: &Path) -> Result<()> {
    let beside = ["", "-wal", "-shm"].map(|suffix| files::with_suffix(path, suffix));
    match beside.into_iter().find(|file| files::too_open(file)) {
        Some(file) => Err(Error::TooOpen(file)),
        None => Ok(()),
    }
}

fn fill(
    path: &Path,
    caps: Capabilities,
    first_slots: &[Slot],
    brand: &Brand,
    event: Event,
    pins: Pins,
    now: Time,
) -> Result<()> {
    let (connection, still) = connect(path)?;
    schema::create(&connection)?;
    connection.execute(
        "INSERT INTO vault (one, vault_id, brand, created_at) VALUES (1, ?1, ?2, ?3)",
        (&caps.vault_id, brand.as_str(), now.timestamp()),
    )?;
    let head = Head {
        vault_id: caps.vault_id.clone(),
        incarnation: 1,
        epoch: 0,
        size: 0,
        last_hash: [0; 32],
        counts: [0; TABLES],
        at: now.timestamp(),
        generation: caps.generation,
        sealed_digests: Vec::new(),
        tree: CompactRange::default(),
        archived: 0,
        made: Some((brand.as_str().to_owned(), now.timestamp())),
    };
    let meta = Meta { vault_id: caps.vault_id.clone(), brand: brand.clone(), created_at: now, path: path.to_owned() };
    let store = Store { connection, still, caps: Arc::new(caps), meta, pins, file: Identity::of(path)? };
    let transaction = Transaction::new_unchecked(&store.connection, TransactionBehavior::Immediate)?;
    let view = View::on(&store.connection, &store.caps, &store.meta, now, head);
    let mut tx = Tx::on(view, transaction, &store.pins);
    for slot in first_slots {
        tx.put_slot(slot)?;
    }
    for plan in Plan::builtin() {
        tx.put_plan(&plan)?;
    }
    let workspace = Workspace { name: "default".to_owned(), plan: "unlimited".to_owned(), ..Workspace::default() };
    tx.put_workspace(&workspace)?;
    tx.commit_all(vec![event])?;
    store.truncate_log()
}
