//! Several connections to one file: who waits, who is told, and what a reader sees meanwhile.

use super::*;

#[test]
fn a_change_based_on_an_old_version_is_stale() {
    let vault = Vault::new();
    let store = vault.admin();
    let read = store.read(now()).unwrap().key(&key(1).id).unwrap().unwrap();
    vault.put(read.clone());
    let mut tx = store.begin(now()).unwrap();
    assert!(matches!(tx.put_key(&read), Err(Error::Stale)));
    assert!(matches!(tx.delete_key(&read), Err(Error::Stale)));
}

#[test]
fn a_second_key_of_one_name_is_never_written() {
    let vault = Vault::new();
    let store = vault.admin();
    let mut twin = key(9);
    twin.name = key(1).name;
    let mut tx = store.begin(now()).unwrap();
    assert!(tx.put_key(&twin).is_err());
    drop(tx);
    assert_eq!(store.verify_all(now()).unwrap().keys, 3);
}

#[test]
fn a_reader_keeps_its_moment_while_another_writes() {
    let vault = Vault::new();
    let (reader, writer) = (vault.admin(), vault.admin());
    let snapshot = reader.read(now()).unwrap();
    let mut tx = writer.begin(now()).unwrap();
    tx.put_key(&key(9)).unwrap();
    tx.commit_all(vec![event(Action::KeyCreate, key(9).id.as_str())]).unwrap();
    assert_eq!(snapshot.keys("default", None).unwrap().len(), 3);
    drop(snapshot);
    assert_eq!(reader.read(now()).unwrap().keys("default", None).unwrap().len(), 4);
}

#[test]
fn a_writer_that_waits_in_vain_is_told_busy() {
    let vault = Vault::new();
    let (first, second) = (vault.admin(), vault.admin());
    second.connection.busy_timeout(std::time::Duration::from_millis(20)).unwrap();
    let held = first.begin(now()).unwrap();
    assert!(matches!(second.begin(now()), Err(Error::Busy)));
    drop(held);
    assert!(second.begin(now()).is_ok());
}

#[test]
fn many_writers_at_once_all_get_their_turn() {
    let vault = Vault::new();
    std::thread::scope(|scope| {
        for number in 10..18 {
            let vault = &vault;
            scope.spawn(move || vault.put(key(number)));
        }
    });
    let report = vault.admin().verify_all(now()).unwrap();
    assert_eq!((report.keys, report.events, report.epoch), (11, 12, 12));
}

#[test]
fn a_backup_taken_between_commits_is_whole() {
    let vault = Vault::new();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| (10..20).for_each(|number| vault.put(key(number))));
        let store = vault.admin();
        for copy in 0..5 {
            let copy = vault.dir.path().join(format!("copy-{copy}.db"));
            store.backup(&copy).unwrap();
            let caps = vault.slot.open(&secret(), "vault_1").unwrap();
            let alone = Pins::new(&vault.dir.path().join("elsewhere"));
            let report = Store::open(&copy).unwrap().unlock(caps, alone, now());
            let report = report.unwrap().verify_all(now()).unwrap();
            assert_eq!(report.events, report.keys + 1);
        }
        writer.join().unwrap();
    });
}

#[test]
fn a_keystore_that_cannot_be_written_says_so_and_stays() {
    let vault = Vault::new();
    let store = vault.admin();
    store.connection.pragma_update(None, "query_only", true).unwrap();
    assert!(matches!(store.begin(now()), Err(Error::ReadOnly(_))));
    assert_eq!(store.verify_all(now()).unwrap().keys, 3);
}
