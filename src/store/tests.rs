//! What somebody with the file, and somebody with a support slot, can and cannot do to it.

use super::*;
use crate::{
    domain::{
        Action, Brand, Event, Key, KeyId, Lookup, Outcome, Secret, SecretState, SlotRole, Time, Verifier,
        time::parse_time,
    },
    vault::{Capabilities, Pins, Slot, SlotKind, SlotPlan, SlotSecret},
};
use rusqlite::{Connection, config::DbConfig};
use serde_json::Value;
use std::path::PathBuf;

mod attack_tests;
mod contention_tests;
mod figures_tests;
mod index_tests;
mod page_tests;
mod part_tests;
mod place_tests;
mod point_read_tests;
mod restore_tests;
mod retired_tests;
mod small_table_tests;
mod tree_tests;
mod usage_tests;
mod webhook_tests;

struct Vault {
    dir: tempfile::TempDir,
    slot: Slot,
    support: Slot,
}

fn now() -> Time {
    parse_time("2026-01-01").unwrap()
}

fn secret() -> SlotSecret {
    SlotSecret::from_random(&[7; 32])
}

fn event(action: Action, target: &str) -> Event {
    Event {
        action,
        target: target.to_owned(),
        outcome: Outcome::Ok,
        actor: "alice@host".to_owned(),
        source: "cli".to_owned(),
        reason: None,
        ticket: None,
        workspace: None,
        changes: Value::Null,
    }
}

pub(super) fn key(number: u8) -> Key {
    let id: KeyId = format!("key_{number:016}").parse().unwrap();
    let lookup: Lookup = format!("{number:016}").parse().unwrap();
    Key {
        id,
        workspace: "default".to_owned(),
        name: format!("canary-name-{number}"),
        description: None,
        owner: Some("canary-owner".to_owned()),
        environment: crate::domain::Environment::Production,
        project: None,
        customers: Vec::new(),
        scopes: vec!["canary-scope:read".parse().unwrap()],
        rate_limit: None,
        allow_ips: crate::domain::Allowlist::parse(&["203.0.113.77"]).unwrap(),
        labels: std::collections::BTreeMap::new(),
        active: true,
        revoked_at: None,
        created_at: now(),
        created_by: "alice@host".to_owned(),
        expires_at: None,
        lifetime: None,
        rotation: crate::domain::RotationPolicy::default(),
        secrets: vec![Secret {
            lookup,
            hint: "abcd".to_owned(),
            verifier: Verifier([number; 32]),
            state: SecretState::Current { until: None },
            created_at: now(),
            imported: false,
        }],
        self_service: None,
        run: None,
        version: 0,
    }
}

impl Vault {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let rng = &mut rand::rng();
        let caps = Capabilities::generate(rng, "vault_1");
        let slot = |rng: &mut _, role| {
            let plan = SlotPlan { kind: SlotKind::Device, role, label: None };
            Slot::create(rng, &caps, plan, &secret(), now()).unwrap()
        };
        let (admin, support) = (slot(rng, SlotRole::Admin), slot(rng, SlotRole::Support));
        let slots = [admin.clone(), support.clone()];
        let vault = Self { dir, slot: admin, support };
        let init = event(Action::VaultInit, "vault_1");
        Store::create(&vault.path(), caps, &slots, &Brand::default(), init, &vault.pins(), now()).unwrap();
        for number in 1..=3 {
            vault.put(key(number));
        }
        vault
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("keystore.db")
    }

    fn pins(&self) -> Pins {
        Pins::new(&self.dir.path().join("state"))
    }

    fn open(&self, slot: &Slot) -> Result<Store, Error> {
        let caps = slot.open(&secret(), "vault_1").unwrap();
        Store::open(&self.path())?.unlock(caps, self.pins(), now())
    }

    fn admin(&self) -> Store {
        self.open(&self.slot).unwrap()
    }

    fn put(&self, key: Key) {
        let store = self.admin();
        let mut tx = store.begin(now()).unwrap();
        tx.put_key(&key).unwrap();
        tx.commit_all(vec![event(Action::KeyCreate, key.id.as_str())]).unwrap();
    }

    /// What somebody with the file and the sqlite3 program does: no trigger is in the way. In `aside` there is room for
    /// tables of their own, so that the schema does not tell of it.
    fn vandalise(&self, sql: &str) {
        let connection = Connection::open(self.path()).unwrap();
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false).unwrap();
        let aside = self.dir.path().join("aside.db");
        connection.execute("ATTACH ?1 AS aside", (aside.to_str().unwrap(),)).unwrap();
        connection.execute_batch(sql).unwrap();
    }

    fn verify_error(&self) -> String {
        match self.open(&self.slot) {
            Ok(store) => store.verify_all(now()).unwrap_err().to_string(),
            Err(error) => error.to_string(),
        }
    }

    fn list_error(&self) -> String {
        match self.open(&self.slot) {
            Ok(store) => store.read(now()).unwrap().keys("default", None).unwrap_err().to_string(),
            Err(error) => error.to_string(),
        }
    }
}

#[test]
fn nothing_is_kept_without_an_event() {
    let vault = Vault::new();
    let store = vault.admin();
    let mut tx = store.begin(now()).unwrap();
    tx.put_key(&key(9)).unwrap();
    assert!(matches!(tx.commit_all(Vec::new()), Err(Error::Unrecorded)));
    assert_eq!(vault.admin().read(now()).unwrap().key(&key(9).id).unwrap(), None);
}

#[test]
fn an_untouched_keystore_verifies() {
    let vault = Vault::new();
    let report = vault.admin().verify_all(now()).unwrap();
    assert_eq!((report.events, report.keys, report.epoch), (4, 3, 4));
}

#[test]
fn the_file_tells_nothing() {
    let vault = Vault::new();
    let store = vault.admin();
    for name in ["keystore.db", "keystore.db-wal"] {
        let bytes = std::fs::read(vault.dir.path().join(name)).unwrap();
        for canary in ["canary", "203.0.113.77", "alice", "default"] {
            assert!(!bytes.windows(canary.len()).any(|window| window == canary.as_bytes()), "{canary} is in {name}");
        }
    }
    drop(store);
}

#[test]
fn an_edited_row_is_named() {
    let vault = Vault::new();
    vault.vandalise("UPDATE keys SET active = 0 WHERE id LIKE '%1'");
    assert!(vault.list_error().contains("row key_0000000000000001 of keys was changed"));
}

#[test]
fn swapped_rows_are_found() {
    let vault = Vault::new();
    vault.vandalise(
        "CREATE TEMP TABLE t AS SELECT id, sealed, tag FROM keys;
         UPDATE keys SET sealed = (SELECT sealed FROM t WHERE t.id = 'key_0000000000000002'),
                         tag = (SELECT tag FROM t WHERE t.id = 'key_0000000000000002')
         WHERE id = 'key_0000000000000001'",
    );
    assert!(vault.list_error().contains("was changed outside keyward"));
}

#[test]
fn a_deleted_row_is_found_by_a_list_and_a_check() {
    let vault = Vault::new();
    vault.vandalise("DELETE FROM keys WHERE id LIKE '%1'");
    let missing = "rows of keys were deleted, added or put back outside keyward";
    assert_eq!((vault.list_error().as_str(), vault.verify_error().as_str()), (missing, missing));
}

#[test]
fn an_old_row_put_back_is_found_even_when_only_that_row_is_read() {
    let vault = Vault::new();
    vault.vandalise("CREATE TABLE aside.old AS SELECT * FROM keys");
    let mut revoked = key(1);
    let id = revoked.id.clone();
    revoked.version = 1;
    revoked.revoke(now());
    vault.put(revoked);
    vault.vandalise(
        "DELETE FROM keys WHERE id LIKE '%1'; INSERT INTO keys SELECT * FROM old WHERE id LIKE '%1'; DROP TABLE old;",
    );
    let store = vault.admin();
    let error = store.read(now()).unwrap().key(&id).unwrap_err().to_string();
    assert!(error.contains("is older than the audit trail says"), "{error}");
    drop(store);
    assert!(vault.list_error().contains("put back outside keyward"));
}

#[test]
fn an_old_file_put_back_is_refused() {
    let vault = Vault::new();
    let old = std::fs::read(vault.path()).unwrap();
    vault.put(key(9));
    std::fs::write(vault.path(), old).unwrap();
    assert!(vault.list_error().contains("older than this machine last saw it: commit 4, after commit 5"));
}

#[test]
fn the_file_without_its_log_is_refused() {
    let vault = Vault::new();
    let held = vault.admin();
    let mut tx = held.begin(now()).unwrap();
    tx.put_key(&key(9)).unwrap();
    tx.commit_all(vec![event(Action::KeyCreate, key(9).id.as_str())]).unwrap();
    let main_file_alone = std::fs::read(vault.path()).unwrap();
    drop(held);
    std::fs::write(vault.path(), main_file_alone).unwrap();
    assert!(vault.list_error().contains("older than this machine last saw it"));
}

#[test]
fn a_cut_edited_or_reordered_trail_is_found() {
    for (vandalism, expected) in [
        ("DELETE FROM audit WHERE seq = 4", "does not end where the signed head says"),
        ("DELETE FROM audit WHERE seq = 2", "audit event 2: it is missing"),
        (
            "UPDATE audit SET body = CAST(replace(CAST(body AS TEXT), 'key.create', 'key.update') AS BLOB) WHERE seq = 2",
            "audit event 2",
        ),
        (
            "UPDATE audit SET detail = (SELECT detail FROM audit WHERE seq = 3) WHERE seq = 2",
            "audit event 2: its detail",
        ),
        ("UPDATE audit SET done = 0 WHERE seq = 2", "audit event 2: its columns"),
        (
            "UPDATE audit SET seq = 9 WHERE seq = 2; UPDATE audit SET seq = 2 WHERE seq = 3; UPDATE audit SET seq = 3 WHERE seq = 9",
            "audit event 2",
        ),
    ] {
        let vault = Vault::new();
        vault.vandalise(vandalism);
        let found = vault.verify_error();
        assert!(found.contains(expected), "{vandalism}: {found}");
    }
}

#[test]
fn the_trail_refuses_changes_by_plain_sql() {
    let vault = Vault::new();
    let connection = Connection::open(vault.path()).unwrap();
    for sql in [
        "DELETE FROM audit",
        "UPDATE audit SET target = ''",
        "INSERT OR REPLACE INTO audit SELECT 1, epoch, target, done, body, hash, detail, generation FROM audit WHERE seq = 2",
    ] {
        assert!(connection.execute_batch(sql).unwrap_err().to_string().contains("append-only"), "{sql}");
    }
}

#[test]
fn a_planted_trigger_or_view_does_nothing_here_and_is_refused() {
    for planted in [
        "CREATE TRIGGER evil BEFORE INSERT ON audit BEGIN SELECT raise(IGNORE); END",
        "CREATE TRIGGER evil AFTER INSERT ON lookups BEGIN DELETE FROM keys WHERE id = NEW.key_id; END",
        "CREATE VIEW evil AS SELECT * FROM keys",
    ] {
        let vault = Vault::new();
        let held = vault.admin();
        let tx = held.begin(now()).unwrap();
        drop(tx);
        vault.vandalise(planted);
        for store in [&held, &vault.admin()] {
            assert!(matches!(store.begin(now()), Err(Error::Shape { .. })), "{planted}");
            let insert = "INSERT OR REPLACE INTO lookups VALUES ('x', 'key_0000000000000001')";
            store.connection.execute(insert, ()).unwrap();
            assert!(store.read(now()).unwrap().key(&key(1).id).unwrap().is_some(), "{planted}");
            assert!(store.connection.prepare("SELECT * FROM evil").is_err(), "{planted}");
        }
        assert!(vault.verify_error().contains(" evil "), "{planted}");
    }
}

#[test]
fn a_support_slot_reads_and_cannot_forge() {
    let vault = Vault::new();
    let support = vault.open(&vault.support).unwrap();
    let listed = support.read(now()).unwrap().keys("default", None).unwrap();
    assert_eq!(listed.len(), 3);
    assert!(matches!(support.begin(now()), Err(Error::SupportSlot)));
    // The record key opens rows, so a patched program could seal one; without the tag's key no admin accepts it.
    let forged = support.capabilities().seal_record(&mut rand::rng(), b"anything", b"forged").unwrap();
    let connection = Connection::open(vault.path()).unwrap();
    connection.execute("UPDATE keys SET sealed = ?1 WHERE id LIKE '%1'", (forged,)).unwrap();
    drop((connection, support));
    assert!(vault.list_error().contains("was changed outside keyward"));
}

#[test]
fn foreign_newer_empty_and_truncated_files_are_told_apart_and_left_alone() {
    let vault = Vault::new();
    let path = vault.path();
    let whole = std::fs::read(&path).unwrap();
    let foreign = vault.dir.path().join("foreign.db");
    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    let newer = vault.dir.path().join("newer.db");
    std::fs::write(&newer, &whole).unwrap();
    Connection::open(&newer).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let older = vault.dir.path().join("older.db");
    std::fs::write(&older, &whole).unwrap();
    Connection::open(&older).unwrap().pragma_update(None, "user_version", 1).unwrap();
    for (bytes, expected) in [
        (std::fs::read(&older).unwrap(), "damaged or truncated"),
        (Vec::new(), "not a keyward keystore"),
        (b"hello, this is a text file and no database at all".to_vec(), "not a keyward keystore"),
        (std::fs::read(&foreign).unwrap(), "not a keyward keystore"),
        (std::fs::read(&newer).unwrap(), "has format 99; this keyward knows up to"),
        (whole[..whole.len() / 2].to_vec(), "damaged or truncated"),
    ] {
        std::fs::write(&path, &bytes).unwrap();
        let error = vault.list_error();
        assert!(error.contains(expected), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "the file was changed: {expected}");
    }
}

#[test]
fn one_of_many_first_uses_wins() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keystore.db");
    let made: Vec<bool> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|number| {
                let path = &path;
                let pins = Pins::new(&dir.path().join("state"));
                scope.spawn(move || {
                    let caps = Capabilities::generate(&mut rand::rng(), &format!("vault_{number}"));
                    let init = event(Action::VaultInit, &caps.vault_id.clone());
                    Store::create(path, caps, &[], &Brand::default(), init, &pins, now()).is_ok()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(made.into_iter().filter(|made| *made).count(), 1);
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn a_rekeyed_keystore_opens_with_the_new_keys_alone_and_verifies() {
    let vault = Vault::new();
    let store = vault.admin();
    let fresh = store.capabilities().regenerate(&mut rand::rng()).unwrap();
    let mut slot = vault.slot.clone();
    slot.rewrap(&mut rand::rng(), &secret(), &fresh).unwrap();
    store.rekey(&fresh, now(), |_| Ok::<_, Error>((vec![slot.clone()], event(Action::VaultRekey, "vault_1")))).unwrap();
    drop(store);
    assert!(matches!(vault.open(&vault.slot), Err(Error::Rekeyed)));
    let store = vault.open(&slot).unwrap();
    assert_eq!(store.verify_all(now()).unwrap().keys, 3);
    let mut opened = 0;
    let all = Selection { targets: None, first: 1, last: 5, wanted: &|_| true };
    let count = |_| {
        opened += 1;
        Ok::<_, Error>(())
    };
    store.read(now()).unwrap().each_entry(all, count).unwrap();
    assert_eq!(opened, 5);
}

#[test]
fn a_backup_is_a_keystore_and_never_overwrites() {
    let vault = Vault::new();
    let store = vault.admin();
    let copy = vault.dir.path().join("copy.db");
    store.backup(&copy).unwrap();
    assert!(matches!(store.backup(&copy), Err(Error::Target(..))));
    assert!(!crate::files::too_open(&copy));
    let caps = vault.slot.open(&secret(), "vault_1").unwrap();
    let opened = Store::open(&copy).unwrap().unlock(caps, vault.pins(), now()).unwrap();
    assert_eq!(opened.verify_all(now()).unwrap().keys, 3);
}

#[test]
fn a_dropped_transaction_leaves_nothing() {
    let vault = Vault::new();
    let store = vault.admin();
    let mut tx = store.begin(now()).unwrap();
    tx.put_key(&key(9)).unwrap();
    drop(tx);
    assert_eq!(store.verify_all(now()).unwrap().keys, 3);
}
