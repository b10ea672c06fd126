//! A part of a transaction that fails leaves nothing, and what was done before and after it stays.

use super::*;

#[test]
fn a_part_that_fails_leaves_nothing_of_itself_and_the_rest_holds() {
    let vault = Vault::new();
    let store = vault.admin();
    let mut tx = store.begin(now()).unwrap();
    tx.put_key(&key(4)).unwrap();
    let failed: Result<(), Error> = tx.part(|tx| {
        tx.put_key(&key(5))?;
        tx.set_catalogue_closed("default", true)?;
        let third = tx.key(&key(3).id)?.unwrap();
        tx.delete_key(&third)?;
        Err(Error::Unrecorded)
    });
    assert!(matches!(failed, Err(Error::Unrecorded)));
    let done: Result<(), Error> = tx.part(|tx| {
        let second = tx.key(&key(2).id)?.unwrap();
        tx.delete_key(&second)?;
        tx.put_key(&key(6))
    });
    done.unwrap();
    let of_key = |action, number: u8| event(action, key(number).id.as_str());
    let events = vec![of_key(Action::KeyCreate, 4), of_key(Action::KeyDelete, 2), of_key(Action::KeyCreate, 6)];
    tx.commit_all(events).unwrap();
    drop(store);
    let store = vault.admin();
    let view = store.read(now()).unwrap();
    let there = |number: u8| view.key(&key(number).id).unwrap().is_some();
    assert_eq!([1, 2, 3, 4, 5, 6].map(there), [true, false, true, true, false, true]);
    assert!(!view.catalogue("default").unwrap().closed);
    drop(view);
    store.verify_all(now()).unwrap();
}

/// What was read before a part that fails, and after it, is checked against the rows that are there.
#[test]
fn names_and_rows_are_found_after_a_part_that_fails() {
    let vault = Vault::new();
    let store = vault.admin();
    let mut tx = store.begin(now()).unwrap();
    let production = crate::domain::Environment::Production;
    let renamed = |tx: &mut Tx<'_>, name: &str| -> Result<(), Error> {
        let found = tx.key_named("default", production, "canary-name-1")?.unwrap();
        tx.put_key(&Key { name: name.to_owned(), ..found })?;
        assert!(tx.key_named("default", production, "nobody")?.is_none());
        Ok(())
    };
    let failed: Result<(), Error> = tx.part(|tx| {
        renamed(tx, "another")?;
        Err(Error::Unrecorded)
    });
    assert!(failed.is_err());
    assert!(tx.key_named("default", production, "another").unwrap().is_none());
    assert!(tx.key_named("default", production, "canary-name-1").unwrap().is_some());
    tx.part(|tx| renamed(tx, "other")).unwrap();
    assert!(tx.key_named("default", production, "canary-name-1").unwrap().is_none());
    tx.commit_all(vec![event(Action::KeyUpdate, key(1).id.as_str())]).unwrap();
    store.verify_all(now()).unwrap();
}

/// A disk without room takes the whole transaction: what failed is that, and not that there is no part to take back.
#[test]
fn a_part_that_finds_no_room_says_so() {
    let vault = Vault::new();
    let store = vault.admin();
    let pages: i64 = store.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    store.connection.query_row(&format!("PRAGMA max_page_count = {}", pages + 1), [], |_| Ok(())).unwrap();
    let mut tx = store.begin(now()).unwrap();
    let failed: Result<(), Error> = tx.part(|tx| {
        for number in 0..1_000 {
            let id = format!("key_a{number:015}").parse().unwrap();
            let lookup = format!("a{number:015}").parse().unwrap();
            let mut key = Key { id, name: format!("many-{number}"), ..key(1) };
            key.secrets[0].lookup = lookup;
            tx.put_key(&key)?;
        }
        Ok(())
    });
    assert!(matches!(failed, Err(Error::Full)), "{failed:?}");
    drop(tx);
    store.connection.query_row("PRAGMA max_page_count = 1000000", [], |_| Ok(())).unwrap();
    let mut tx = store.begin(now()).unwrap();
    tx.put_key(&Key { active: false, ..tx.key(&key(1).id).unwrap().unwrap() }).unwrap();
    tx.commit_all(vec![event(Action::KeyDeactivate, key(1).id.as_str())]).unwrap();
    store.verify_all(now()).unwrap();
}
