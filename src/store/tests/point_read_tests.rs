//! A key read alone is the current one, whatever else somebody with the file changed to make an older row fit.

use super::*;
use crate::domain::KeyRef;

/// What hides from the columns of the trail that a key was changed after its row was written.
const HIDDEN: [&str; 4] = [
    "UPDATE audit SET done = 0 WHERE seq = 5",
    "UPDATE audit SET target = 'key_0000000000000009' WHERE seq = 5",
    "UPDATE audit SET epoch = 2 WHERE seq = 5",
    "UPDATE audit SET target = '' WHERE seq = 5",
];

fn version_of(vault: &Vault, id: &KeyId) -> Key {
    vault.admin().read(now()).unwrap().key(id).unwrap().unwrap()
}

/// Revokes the first key, puts its old row back, and hides the revocation.
fn unrevoke(vault: &Vault, hide: &str) {
    vault.vandalise("CREATE TABLE aside.old AS SELECT * FROM keys");
    let mut revoked = version_of(vault, &key(1).id);
    revoked.revoke(now());
    let store = vault.admin();
    let mut tx = store.begin(now()).unwrap();
    tx.put_key(&revoked).unwrap();
    tx.commit_all(vec![event(Action::KeyRevoke, revoked.id.as_str())]).unwrap();
    drop(store);
    vault.vandalise(&format!(
        "DELETE FROM keys WHERE id LIKE '%1'; INSERT INTO keys SELECT * FROM old WHERE id LIKE '%1';
         DROP TABLE old; {hide}"
    ));
}

/// Every way to read the first key alone.
fn point_reads(view: &View<'_>) -> Vec<Result<usize, Error>> {
    let first = key(1);
    let count = |found: Result<Option<Key>, Error>| found.map(|found| usize::from(found.is_some()));
    let by_ref = |key: KeyRef| view.find_keys(&key, "default", None).map(|found| found.len());
    vec![
        count(view.key(&first.id)),
        count(view.key_named("default", first.environment, &first.name)),
        count(view.key_by_lookup(&first.secrets[0].lookup)),
        by_ref(KeyRef::Id(first.id.clone())),
        by_ref(KeyRef::Name(first.name.clone())),
        by_ref(KeyRef::Prefix(first.id.as_str()[..12].to_owned())),
    ]
}

fn all_refuse(vault: &Vault, what: &str) {
    let store = vault.admin();
    let refused = |found: &Result<usize, Error>| {
        matches!(found, Err(Error::SetMismatch(_) | Error::RowRolledBack { .. } | Error::RowTampered { .. }))
    };
    let read = point_reads(&store.read(now()).unwrap());
    assert!(read.iter().all(refused), "{what}: {read:?}");
    let changed = point_reads(&store.begin(now()).unwrap());
    assert!(changed.iter().all(refused), "{what}, in a change: {changed:?}");
    assert!(store.verify_all(now()).is_err(), "{what}, in a whole check");
}

#[test]
fn every_point_read_finds_a_key_that_nobody_touched() {
    let vault = Vault::new();
    for found in point_reads(&vault.admin().read(now()).unwrap()) {
        assert!(found.unwrap() > 0);
    }
}

#[test]
fn a_revocation_is_not_undone_by_an_old_row_and_an_edited_trail() {
    for hide in HIDDEN {
        let vault = Vault::new();
        unrevoke(&vault, hide);
        all_refuse(&vault, hide);
    }
}

#[test]
fn tags_of_other_rows_do_not_make_up_for_an_old_one() {
    for bend in [
        // What an attacker would try against a sum of the tags as they are stored.
        "UPDATE keys SET tag = (SELECT tag FROM kept WHERE id LIKE '%1') WHERE id LIKE '%2'",
        "UPDATE keys SET tag = (SELECT tag FROM kept WHERE id LIKE '%1') WHERE id LIKE '%1'",
        "CREATE TABLE aside.twin AS SELECT * FROM kept WHERE id LIKE '%1'; UPDATE twin SET name_index = zeroblob(16);
         INSERT INTO keys SELECT * FROM twin",
        "CREATE TABLE aside.twin AS SELECT * FROM kept WHERE id LIKE '%1';
         UPDATE twin SET name_index = zeroblob(16), id = 'key_00zzzzzzzzzzzzzz'; INSERT INTO keys SELECT * FROM twin",
    ] {
        let vault = Vault::new();
        vault.vandalise("CREATE TABLE aside.old AS SELECT * FROM keys");
        let mut revoked = version_of(&vault, &key(1).id);
        revoked.revoke(now());
        vault.put(revoked);
        vault.vandalise(&format!(
            "CREATE TABLE aside.kept AS SELECT * FROM keys; DELETE FROM keys WHERE id LIKE '%1';
             INSERT INTO keys SELECT * FROM old WHERE id LIKE '%1'; {} ; {bend}",
            HIDDEN[0]
        ));
        all_refuse(&vault, bend);
    }
}

#[test]
fn a_page_put_back_with_the_row_is_refused() {
    for pages in [
        "DELETE FROM pages; INSERT INTO pages SELECT * FROM old_pages;",
        "DELETE FROM pages;",
        "UPDATE pages SET sealed = zeroblob(length(sealed));",
        "UPDATE pages SET sealed = (SELECT sealed FROM pages ORDER BY number DESC LIMIT 1);",
    ] {
        let vault = Vault::new();
        vault.vandalise("CREATE TABLE aside.old_pages AS SELECT * FROM pages");
        unrevoke(&vault, HIDDEN[0]);
        vault.vandalise(pages);
        all_refuse(&vault, pages);
    }
}

#[test]
fn a_removed_row_is_not_taken_for_a_key_that_never_was() {
    for hide in ["", "UPDATE audit SET done = 0 WHERE target LIKE 'key_%1';"] {
        let vault = Vault::new();
        vault.vandalise(&format!("DELETE FROM keys WHERE id LIKE '%1'; {hide}"));
        all_refuse(&vault, hide);
    }
}

#[test]
fn a_deleted_key_does_not_come_back_with_an_edited_trail() {
    let vault = Vault::new();
    vault.vandalise(
        "CREATE TABLE aside.old AS SELECT * FROM keys; CREATE TABLE aside.old_lookups AS SELECT * FROM lookups",
    );
    let stored = version_of(&vault, &key(1).id);
    let store = vault.admin();
    let mut tx = store.begin(now()).unwrap();
    tx.delete_key(&stored).unwrap();
    tx.commit_all(vec![event(Action::KeyDelete, stored.id.as_str())]).unwrap();
    drop(store);
    vault.vandalise(&format!(
        "INSERT INTO keys SELECT * FROM old WHERE id LIKE '%1'; {};
         INSERT OR IGNORE INTO lookups SELECT * FROM old_lookups;",
        HIDDEN[0]
    ));
    all_refuse(&vault, "a deleted key");
}

#[test]
fn damage_stays_visible_after_the_key_was_changed_again() {
    let vault = Vault::new();
    let before = version_of(&vault, &key(1).id);
    unrevoke(&vault, HIDDEN[0]);
    // A program that does not look before it writes, and hits upon the version of the old row.
    let store = vault.admin();
    let mut tx = store.begin(now()).unwrap();
    tx.put_key(&before).unwrap();
    tx.commit_all(vec![event(Action::KeyUpdate, before.id.as_str())]).unwrap();
    drop(store);
    all_refuse(&vault, "written over");
}

#[test]
fn pages_keep_up_with_renames_deletions_and_new_keys_of_the_vault() {
    let vault = Vault::new();
    let store = vault.admin();
    let mut renamed = store.read(now()).unwrap().key(&key(1).id).unwrap().unwrap();
    let other = store.read(now()).unwrap().key(&key(2).id).unwrap().unwrap();
    let old_name = std::mem::replace(&mut renamed.name, "another".to_owned());
    let mut tx = store.begin(now()).unwrap();
    tx.put_key(&renamed).unwrap();
    tx.delete_key(&other).unwrap();
    tx.put_key(&key(8)).unwrap();
    assert!(tx.key(&other.id).unwrap().is_none() && tx.key(&key(8).id).unwrap().is_some());
    tx.commit_all(vec![event(Action::KeyUpdate, renamed.id.as_str()), event(Action::KeyDelete, other.id.as_str())])
        .unwrap();
    drop(store);
    let store = vault.admin();
    let view = store.read(now()).unwrap();
    assert!(view.key_named("default", renamed.environment, &old_name).unwrap().is_none());
    assert!(view.key_named("default", renamed.environment, "another").unwrap().is_some());
    assert!(view.key(&other.id).unwrap().is_none());
    drop(view);
    // The event of the third key is missing: nothing else is wrong.
    let error = store.verify_all(now()).unwrap_err().to_string();
    assert!(error.contains("row key_0000000000000008"), "{error}");
}

#[test]
fn an_index_that_goes_on_showing_the_new_row_does_not_hide_the_old_one() {
    let vault = Vault::new();
    vault.vandalise(
        "CREATE TABLE aside.old AS SELECT * FROM keys; CREATE TABLE aside.shown AS SELECT * FROM sqlite_master",
    );
    let mut revoked = version_of(&vault, &key(1).id);
    revoked.revoke(now());
    vault.put(revoked);
    // The index leaves the schema while the row is changed, and comes back as it was.
    vault.vandalise("PRAGMA writable_schema = ON; DELETE FROM sqlite_master WHERE name = 'keys_by_id'");
    vault.vandalise(&format!(
        "UPDATE keys SET (revoked_at, version, epoch, sealed, tag) =
             (SELECT revoked_at, version, epoch, sealed, tag FROM old WHERE old.id = keys.id) WHERE id LIKE '%1'; {}",
        HIDDEN[0]
    ));
    vault.vandalise(
        "PRAGMA writable_schema = ON; INSERT INTO sqlite_master SELECT * FROM shown WHERE name = 'keys_by_id'",
    );
    all_refuse(&vault, "a bent index");
}

#[test]
fn a_list_by_an_index_shows_no_row_that_is_not_the_current_one() {
    let vault = Vault::new();
    let expiring = |change: &dyn Fn(&mut Key)| {
        let mut found = version_of(&vault, &key(1).id);
        change(&mut found);
        vault.put(found);
    };
    let soon = now() + chrono::TimeDelta::days(1);
    expiring(&|key| key.expires_at = Some(soon));
    let filter = Some(ClearFilter::Expiring { after: None, by: soon });
    assert_eq!(vault.admin().read(now()).unwrap().keys("default", filter).unwrap().len(), 1);
    vault.vandalise("CREATE TABLE aside.old AS SELECT * FROM keys");
    expiring(&|key| key.owner = None);
    vault.vandalise("DELETE FROM keys WHERE id LIKE '%1'; INSERT INTO keys SELECT * FROM old WHERE id LIKE '%1'");
    assert!(matches!(vault.admin().read(now()).unwrap().keys("default", filter), Err(Error::SetMismatch("keys"))));
}

#[test]
fn a_sieve_passes_over_rows_and_checks_them_all_the_same() {
    let vault = Vault::new();
    let mut other = key(4);
    other.owner = Some("somebody".to_owned());
    other.project = Some("web".to_owned());
    vault.put(other);
    let count = |sieve| {
        let found = vault.admin().read(now()).unwrap().keys_sifted("default", None, sieve, &|_, _| Some(()));
        found.map(|found| found.len())
    };
    assert_eq!(count(Sieve::default()).unwrap(), 4);
    assert_eq!(count(Sieve { owner: Some("canary-owner"), ..Sieve::default() }).unwrap(), 3);
    assert_eq!(count(Sieve { owner: Some("somebody"), project: Some("web"), ..Sieve::default() }).unwrap(), 1);
    assert_eq!(count(Sieve { project: Some("shop"), ..Sieve::default() }).unwrap(), 0);
    let environment = Some(crate::domain::Environment::Staging);
    assert_eq!(count(Sieve { environment, ..Sieve::default() }).unwrap(), 0);
    vault.vandalise("UPDATE keys SET sealed = zeroblob(length(sealed)) WHERE id LIKE '%2'");
    assert!(count(Sieve { environment, ..Sieve::default() }).is_err());
    vault.vandalise("DELETE FROM keys WHERE id LIKE '%2'");
    assert!(matches!(count(Sieve { owner: Some("somebody"), ..Sieve::default() }), Err(Error::SetMismatch("keys"))));
}

#[test]
fn many_keys_are_scanned_in_order_and_completely() {
    let vault = Vault::new();
    let many = 3_000;
    let store = vault.admin();
    let mut tx = store.begin(now()).unwrap();
    let mut events = Vec::new();
    for number in 0..many {
        let mut key = key(1);
        key.id = format!("key_a{number:015}").parse().unwrap();
        key.name = format!("many-{number}");
        key.secrets[0].lookup = format!("a{number:015}").parse().unwrap();
        tx.put_key(&key).unwrap();
        events.push(event(Action::KeyCreate, key.id.as_str()));
    }
    tx.commit_all(events).unwrap();
    let names = || Ok(store.read(now())?.all_keys("default")?.into_iter().map(|key| key.name).collect::<Vec<_>>());
    assert_eq!(names().unwrap()[3..], (0..many).map(|number| format!("many-{number}")).collect::<Vec<_>>());
    vault.vandalise("DELETE FROM keys WHERE id = 'key_a000000000002047'");
    assert!(matches!(names(), Err(Error::SetMismatch("keys"))));
    vault.vandalise("UPDATE keys SET active = 0 WHERE id = 'key_a000000000002048'");
    let edited = names();
    assert!(matches!(edited, Err(Error::RowTampered { id, .. }) if id == "key_a000000000002048"));
}
