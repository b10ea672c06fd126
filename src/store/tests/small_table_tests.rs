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

fn objects(vault: &Vault) -> i64 {
    let connection = Connection::open(vault.path()).unwrap();
    connection.query_row("SELECT count(*) FROM objects", [], |row| row.get(0)).unwrap()
}

#[test]
fn an_old_plan_put_back_is_refused_by_the_next_read_and_change() {
    let vault = Vault::new();
    vault.vandalise("CREATE TABLE old AS SELECT * FROM objects");
    let workspace = Workspace { name: "default".to_owned(), description: None, plan: "free".to_owned() };
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
    vault.vandalise("DELETE FROM keys WHERE id LIKE '%1'");
    let store = vault.admin();
    assert!(matches!(store.read(now()).unwrap().key(&key(1).id), Err(Error::SetMismatch("keys"))));
    assert!(store.read(now()).unwrap().key(&key(9).id).unwrap().is_none());
    let mut tx = store.begin(now()).unwrap();
    let stored = tx.key(&key(2).id).unwrap().unwrap();
    tx.delete_key(&stored).unwrap();
    tx.commit_all(vec![event(Action::KeyDelete, key(2).id.as_str())]).unwrap();
    assert!(store.read(now()).unwrap().key(&key(2).id).unwrap().is_none());
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
    let before = objects(&vault);
    for day in 0..3 {
        let at = now() + chrono::TimeDelta::days(day);
        change(&vault, at, |tx| {
            for number in 0..4 {
                tx.remember_idempotency(&format!("{day}-{number}"), &key(1).id).unwrap();
            }
        });
        assert_eq!(objects(&vault), before + 4);
    }
    assert!(vault.admin().verify_all(now()).is_ok());
}
