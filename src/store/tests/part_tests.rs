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
    tx.commit_all(vec![event(Action::KeyUpdate, "several")]).unwrap();
    drop(store);
    let store = vault.admin();
    let view = store.read(now()).unwrap();
    let there = |number: u8| view.key(&key(number).id).unwrap().is_some();
    assert_eq!([1, 2, 3, 4, 5, 6].map(there), [true, false, true, true, false, true]);
    assert!(!view.catalogue("default").unwrap().closed);
    drop(view);
    store.verify_all(now()).unwrap();
}
