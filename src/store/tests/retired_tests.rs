//! A key that is rotated for years: a short row, and every old token still known for what it was.

use super::*;
use chrono::TimeDelta;

fn secret_of(number: u8, state: SecretState) -> Secret {
    let lookup = format!("v{number:015}").parse().unwrap();
    Secret {
        lookup,
        hint: "efgh".to_owned(),
        verifier: Verifier([number; 32]),
        state,
        created_at: now(),
        imported: false,
    }
}

/// The first key, rotated so often, one transaction each.
fn rotated(times: u8) -> Vault {
    let vault = Vault::new();
    for number in 0..times {
        let store = vault.admin();
        let mut tx = store.begin(now()).unwrap();
        let mut first = tx.key(&key(1).id).unwrap().unwrap();
        for old in &mut first.secrets {
            if matches!(old.state, SecretState::Current { .. }) {
                old.state = SecretState::Dead { since: now() + TimeDelta::hours(i64::from(number)) };
            }
        }
        first.secrets.push(secret_of(number, SecretState::Current { until: None }));
        tx.put_key(&first).unwrap();
        tx.commit_all(vec![event(Action::KeyRotate, first.id.as_str())]).unwrap();
    }
    vault
}

fn count(vault: &Vault, table: &str) -> i64 {
    let connection = Connection::open(vault.path()).unwrap();
    connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

#[test]
fn dead_versions_leave_the_row_of_their_key_and_are_still_found() {
    let vault = rotated(20);
    let store = vault.admin();
    let view = store.read(now()).unwrap();
    let first = view.key(&key(1).id).unwrap().unwrap();
    assert_eq!(first.secrets.len(), 17);
    assert_eq!(first.secrets[16], secret_of(19, SecretState::Current { until: None }));
    assert_eq!(count(&vault, "retired"), 4);
    // The version it was made with, and one that left later.
    let original = key(1).secrets[0].lookup.clone();
    for (lookup, since) in [(original, 0), (secret_of(2, SecretState::Current { until: None }).lookup, 3)] {
        let found = view.key_by_lookup(&lookup).unwrap().unwrap();
        let secret = found.secrets.iter().find(|secret| secret.lookup == lookup).unwrap();
        assert_eq!(secret.state, SecretState::Dead { since: now() + TimeDelta::hours(since) });
        assert_eq!(found.secrets.len(), 18);
    }
    drop(view);
    assert_eq!(store.verify_all(now()).unwrap().keys, 3);
    let support = vault.open(&vault.support).unwrap();
    assert!(support.read(now()).unwrap().key_by_lookup(&key(1).secrets[0].lookup).unwrap().is_some());
}

#[test]
fn a_key_that_was_found_by_an_old_version_can_be_written_again() {
    let vault = rotated(18);
    let store = vault.admin();
    let mut tx = store.begin(now()).unwrap();
    let found = tx.key_by_lookup(&key(1).secrets[0].lookup).unwrap().unwrap();
    tx.put_key(&found).unwrap();
    tx.commit_all(vec![event(Action::KeyUpdate, found.id.as_str())]).unwrap();
    assert_eq!(count(&vault, "retired"), 2);
    store.verify_all(now()).unwrap();
}

#[test]
fn deletion_and_new_keys_of_the_vault_take_them_along() {
    let vault = rotated(20);
    let store = vault.admin();
    let fresh = store.capabilities().regenerate(&mut rand::rng()).unwrap();
    let mut slot = vault.slot.clone();
    slot.rewrap(&mut rand::rng(), &secret(), &fresh).unwrap();
    store.rekey(&fresh, now(), |_| Ok::<_, Error>((vec![slot.clone()], event(Action::VaultRekey, "vault_1")))).unwrap();
    drop(store);
    let store = vault.open(&slot).unwrap();
    let found = store.read(now()).unwrap().key_by_lookup(&key(1).secrets[0].lookup).unwrap().unwrap();
    assert_eq!((found.secrets.len(), count(&vault, "retired")), (18, 4));
    let mut tx = store.begin(now()).unwrap();
    tx.delete_key(&found).unwrap();
    tx.commit_all(vec![event(Action::KeyDelete, found.id.as_str())]).unwrap();
    assert_eq!((count(&vault, "retired"), count(&vault, "lookups")), (0, 2));
    assert!(store.read(now()).unwrap().key_by_lookup(&key(1).secrets[0].lookup).unwrap().is_none());
    store.verify_all(now()).unwrap();
}

#[test]
fn a_retired_version_that_was_bent_or_removed_is_found() {
    let lookup = &key(1).secrets[0].lookup;
    for (bend, table) in [
        ("UPDATE retired SET sealed = zeroblob(length(sealed))", "retired"),
        ("UPDATE retired SET key_id = 'key_0000000000000002'", "retired"),
        ("UPDATE retired SET tag = zeroblob(32)", "retired"),
        ("DELETE FROM retired", "lookups"),
    ] {
        let vault = rotated(18);
        vault.vandalise(bend);
        let store = vault.admin();
        let found = store.read(now()).unwrap().key_by_lookup(lookup);
        assert!(matches!(found, Err(Error::RowTampered { table: named, .. }) if named == table), "{bend}");
        assert!(store.verify_all(now()).is_err(), "{bend}");
    }
    let vault = rotated(18);
    vault.vandalise("DELETE FROM retired WHERE lookup = (SELECT max(lookup) FROM retired)");
    assert_eq!(vault.verify_error(), "rows of retired were deleted, added or put back outside keyward");
}
