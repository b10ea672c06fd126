//! The file itself: who may read it, and whether it is the copy that this machine worked with.

use super::*;
use std::{fs::Permissions, os::unix::fs::PermissionsExt};

fn changed_elsewhere(vault: &Vault, numbers: std::ops::Range<u8>) -> PathBuf {
    let copy = vault.dir.path().join("elsewhere.db");
    vault.admin().backup(&copy).unwrap();
    for number in numbers {
        let caps = vault.slot.open(&secret(), "vault_1").unwrap();
        let elsewhere = Pins::new(&vault.dir.path().join("elsewhere"));
        let store = Store::open(&copy).unwrap().unlock(caps, elsewhere, now()).unwrap();
        let mut tx = store.begin(now()).unwrap();
        tx.put_key(&key(number)).unwrap();
        tx.commit_all(vec![event(Action::KeyCreate, key(number).id.as_str())]).unwrap();
        store.truncate_log().unwrap();
    }
    copy
}

#[test]
fn a_keystore_that_others_can_get_at_is_refused_and_named() {
    for (suffix, mode) in [("", 0o640), ("", 0o602), ("-wal", 0o644), ("-shm", 0o606)] {
        let vault = Vault::new();
        // A log that holds something: an empty one is made anew, and private.
        let held = vault.admin();
        vault.put(key(9));
        let file = crate::files::with_suffix(&vault.path(), suffix);
        std::fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        let found = Store::open(&vault.path()).err();
        assert!(matches!(&found, Some(Error::TooOpen(path)) if *path == file), "{suffix} {mode:o}: {found:?}");
        std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        assert!(Store::open(&vault.path()).is_ok());
        drop(held);
    }
}

#[test]
fn a_copy_that_went_its_own_way_is_refused() {
    // As many commits as here, and more of them.
    for elsewhere in [20..21, 20..23] {
        let vault = Vault::new();
        let copy = changed_elsewhere(&vault, elsewhere);
        vault.put(key(9));
        std::fs::copy(&copy, vault.path()).unwrap();
        assert!(matches!(vault.open(&vault.slot), Err(Error::Forked { seen: 5 })));
        assert!(matches!(vault.open(&vault.support), Err(Error::Forked { seen: 5 })));
    }
}

#[test]
fn a_copy_that_went_on_from_what_was_seen_is_the_vault() {
    let vault = Vault::new();
    let copy = changed_elsewhere(&vault, 20..23);
    std::fs::copy(&copy, vault.path()).unwrap();
    assert_eq!(vault.admin().verify_all(now()).unwrap().epoch, 7);
}

#[test]
fn what_was_opened_is_remembered_also_when_nothing_was_changed() {
    let vault = Vault::new();
    let old = std::fs::read(vault.path()).unwrap();
    let copy = changed_elsewhere(&vault, 20..21);
    std::fs::copy(&copy, vault.path()).unwrap();
    drop(vault.admin());
    std::fs::write(vault.path(), old).unwrap();
    assert!(matches!(vault.open(&vault.slot), Err(Error::RolledBack { seen: 5, found: 4 })));
}

#[test]
fn a_vault_id_that_is_a_path_is_refused_before_any_file_is_named_by_it() {
    for id in ["vault_../../x", "../x", "vault_", ""] {
        let vault = Vault::new();
        vault.admin().truncate_log().unwrap();
        let file = Connection::open(vault.path()).unwrap();
        file.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false).unwrap();
        file.execute("UPDATE vault SET vault_id = ?1", (id,)).unwrap();
        assert!(matches!(Store::open(&vault.path()), Err(Error::Damaged(None))), "{id}");
    }
}
