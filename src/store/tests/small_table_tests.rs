//! What a file's owner without a key does to workspaces, slots, lookups and keys that are gone: the next command refuses.

use super::*;
use crate::domain::Workspace;

const SET: &str = "were deleted, added or put back outside keyward";

fn change(vault: &Vault, at: Time, change: impl FnOnce(&mut Tx<'_>)) {
    let store = vault.admin();
    let mut tx = store.begin(at).unwrap();
    change(&mut tx);
    tx.commit_all(vec![event(Action::WorkspaceUpdate, "default")]).unwrap();
}

fn remembered(vault: &Vault) -> i64 {
    let connection = Connection::open(vault.path()).unwrap();
    connection.query_row("SELECT count(*) FROM idempotency", [], |row| row.get(0)).unwrap()
}

#[test]
fn an_old_plan_put_back_is_refused_by_the_next_read_and_change() {
    let vault = Vault::new();
    vault.vandalise("CREATE TABLE aside.old AS SELECT * FROM objects");
    let workspace = Workspace { name: "default".to_owned(), plan: "free".to_owned(), ..Workspace::default() };
    change(&vault, now(), |tx| tx.put_workspace(&workspace).unwrap());
    vault.vandalise("DELETE FROM objects; INSERT INTO objects SELECT * FROM old; DROP TABLE old;");
    let store = vault.admin();
    assert!(store.read(now()).unwrap().workspace("default").unwrap_err().to_string().contains(SET));
    assert!(matches!(store.begin(now()), Err(Error::SetMismatch("objects"))));
}

#[test]
fn a_catalogue_reopened_by_hand_is_refused() {
    let vault = Vault::new();
    change(&vault, now(), |tx| tx.set_catalogue_closed("default", true).unwrap());
    vault.vandalise("DELETE FROM objects WHERE kind = 6");
    for slot in [&vault.slot, &vault.support] {
        let store = vault.open(slot).unwrap();
        assert!(matches!(store.read(now()).unwrap().catalogue("default"), Err(Error::SetMismatch("objects"))));
    }
}

#[test]
fn a_missing_slot_is_noticed_where_slots_are_listed() {
    let vault = Vault::new();
    vault.vandalise("DELETE FROM slots WHERE rowid = 2");
    let store = vault.admin();
    assert!(matches!(store.read(now()).unwrap().slots(), Err(Error::SetMismatch("slots"))));
    assert!(matches!(store.begin(now()), Err(Error::SetMismatch("slots"))));
}

#[test]
fn a_deleted_key_row_is_no_key_that_never_was() {
    let vault = Vault::new();
    let elsewhere: KeyId = "key_zz00000000000009".parse().unwrap();
    let deleted = key(2).id;
    change(&vault, now(), |tx| {
        let stored = tx.key(&deleted).unwrap().unwrap();
        tx.delete_key(&stored).unwrap();
    });
    assert!(vault.admin().read(now()).unwrap().key(&deleted).unwrap().is_none());
    vault.vandalise("DELETE FROM keys WHERE id LIKE '%1'");
    let support = vault.open(&vault.support).unwrap();
    assert!(matches!(support.read(now()).unwrap().key(&key(1).id), Err(Error::SetMismatch("keys"))));
    let store = vault.admin();
    let view = store.read(now()).unwrap();
    assert!(matches!(view.key(&key(1).id), Err(Error::SetMismatch("keys"))));
    // Rows are checked together with those whose ids begin alike; the others go on being readable.
    assert!(matches!(view.key(&key(3).id), Err(Error::SetMismatch("keys"))));
    assert!(view.key(&elsewhere).unwrap().is_none());
}

#[test]
fn a_lookup_that_leads_elsewhere_is_found() {
    let vault = Vault::new();
    let lookup = key(1).secrets[0].lookup.clone();
    vault.vandalise("UPDATE lookups SET key_id = 'key_0000000000000002' WHERE lookup = '0000000000000001'");
    let found = vault.admin().read(now()).unwrap().key_by_lookup(&lookup);
    assert!(matches!(found, Err(Error::RowTampered { table: "lookups", .. })));
    assert_eq!(vault.verify_error(), format!("rows of lookups {SET}"));
}

#[test]
fn idempotency_keys_that_are_over_do_not_pile_up() {
    let vault = Vault::new();
    for day in 0..3 {
        let at = now() + chrono::TimeDelta::days(day);
        change(&vault, at, |tx| {
            for number in 0..4 {
                tx.remember_idempotency(&format!("{day}-{number}"), &key(1).id, "digest").unwrap();
            }
            // A second time is no second row.
            tx.remember_idempotency(&format!("{day}-0"), &key(2).id, "digest").unwrap();
            assert_eq!(tx.idempotent(&format!("{day}-0")).unwrap(), Some((key(2).id, "digest".to_owned())));
        });
        assert_eq!(remembered(&vault), 4);
    }
    assert!(vault.admin().verify_all(now()).is_ok());
}

#[test]
fn a_changed_idempotency_key_is_refused_and_a_missing_one_found_by_a_whole_check() {
    let remember = |vault: &Vault| {
        change(vault, now(), |tx| {
            tx.remember_idempotency("once", &key(1).id, "digest").unwrap();
            tx.remember_idempotency("twice", &key(2).id, "digest").unwrap();
        });
    };
    for bend in [
        "UPDATE idempotency SET at = at + 1",
        "UPDATE idempotency SET sealed = zeroblob(length(sealed))",
        "UPDATE idempotency SET tag = zeroblob(32)",
    ] {
        let vault = Vault::new();
        remember(&vault);
        vault.vandalise(bend);
        let store = vault.admin();
        let read = store.read(now()).unwrap().idempotent("once");
        assert!(matches!(read, Err(Error::RowTampered { table: "idempotency", .. })), "{bend}");
        assert!(store.verify_all(now()).is_err(), "{bend}");
    }
    let vault = Vault::new();
    remember(&vault);
    vault.vandalise("DELETE FROM idempotency WHERE name_index = (SELECT max(name_index) FROM idempotency)");
    assert_eq!(vault.verify_error(), format!("rows of idempotency {SET}"));
}

#[test]
fn new_keys_of_the_vault_keep_what_is_remembered_and_how_single_keys_are_checked() {
    let vault = Vault::new();
    change(&vault, now(), |tx| tx.remember_idempotency("once", &key(1).id, "digest").unwrap());
    let store = vault.admin();
    let fresh = store.capabilities().regenerate(&mut rand::rng()).unwrap();
    let mut slot = vault.slot.clone();
    slot.rewrap(&mut rand::rng(), &secret(), &fresh).unwrap();
    store.rekey(&fresh, now(), |_| Ok::<_, Error>((vec![slot.clone()], event(Action::VaultRekey, "vault_1")))).unwrap();
    drop(store);
    let store = vault.open(&slot).unwrap();
    let view = store.read(now()).unwrap();
    assert_eq!(view.idempotent("once").unwrap(), Some((key(1).id, "digest".to_owned())));
    assert!(view.key(&key(1).id).unwrap().is_some());
    assert!(view.key_named("default", key(9).environment, &key(9).name).unwrap().is_none());
}
