//! Patient attackers: old rows put back beside an edited trail, set sums bent on purpose, one slot's rows in another.

use super::*;
use crate::domain::{PlainToken, Plan, Scope, ScopeEntry, Workspace};

impl Vault {
    fn change(&self, target: &str, change: impl FnOnce(&mut Tx<'_>)) {
        let store = self.admin();
        let mut tx = store.begin(now()).unwrap();
        change(&mut tx);
        tx.commit_all(vec![event(Action::WorkspaceUpdate, target)]).unwrap();
    }

    /// Keeps the rows of a table as they are now, changes something, and puts those rows back.
    fn roll_back(&self, table: &str, change: impl FnOnce(&Self)) {
        self.vandalise(&format!("CREATE TABLE aside.old AS SELECT * FROM {table}"));
        change(self);
        self.vandalise(&format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM old; DROP TABLE old;"));
    }
}

fn workspace(plan: &str) -> Workspace {
    Workspace { name: "default".to_owned(), plan: plan.to_owned(), ..Workspace::default() }
}

fn revoke_first(vault: &Vault) {
    let mut revoked = key(1);
    revoked.version = 1;
    revoked.revoke(now());
    vault.put(revoked);
}

#[test]
fn an_old_plan_of_a_workspace_put_back_is_found() {
    let vault = Vault::new();
    vault.roll_back("objects", |vault| vault.change("default", |tx| tx.put_workspace(&workspace("free")).unwrap()));
    assert_eq!(vault.verify_error(), "rows of objects were deleted, added or put back outside keyward");
}

#[test]
fn a_deleted_object_is_found() {
    let vault = Vault::new();
    vault.change("default", |tx| tx.set_catalogue_closed("default", true).unwrap());
    vault.vandalise("DELETE FROM objects WHERE kind = 6");
    assert_eq!(vault.verify_error(), "rows of objects were deleted, added or put back outside keyward");
}

#[test]
fn damage_is_not_healed_by_the_next_change_of_the_same_row() {
    let vault = Vault::new();
    vault.roll_back("objects", |vault| vault.change("default", |tx| tx.put_workspace(&workspace("free")).unwrap()));
    if let Ok(mut tx) = vault.admin().begin(now()) {
        tx.put_workspace(&workspace("enterprise")).unwrap();
        tx.commit_all(vec![event(Action::WorkspaceUpdate, "default")]).unwrap();
    }
    assert_eq!(vault.verify_error(), "rows of objects were deleted, added or put back outside keyward");
}

#[test]
fn a_deleted_key_put_back_is_refused_where_it_is_read() {
    let vault = Vault::new();
    let first = key(1);
    vault.roll_back("keys", |vault| {
        let store = vault.admin();
        let mut tx = store.begin(now()).unwrap();
        let stored = tx.key(&first.id).unwrap().unwrap();
        tx.delete_key(&stored).unwrap();
        tx.commit_all(vec![event(Action::KeyDelete, first.id.as_str())]).unwrap();
    });
    let store = vault.admin();
    assert!(matches!(store.read(now()).unwrap().key(&first.id), Err(Error::RowRolledBack { table: "keys", .. })));
    drop(store);
    assert!(vault.list_error().contains("put back outside keyward"));
}

#[test]
fn a_revocation_undone_together_with_its_event_is_found() {
    for hide in [
        "UPDATE audit SET done = 0 WHERE seq = 5",
        "UPDATE audit SET target = 'key_0000000000000009' WHERE seq = 5",
        "UPDATE audit SET epoch = 2 WHERE seq = 5",
    ] {
        let vault = Vault::new();
        vault.roll_back("keys", revoke_first);
        vault.vandalise(hide);
        assert!(vault.list_error().contains("put back outside keyward"), "{hide}");
        assert!(vault.verify_error().contains("audit event 5: its columns"), "{hide}");
    }
}

#[test]
fn a_head_put_back_alone_is_refused() {
    let vault = Vault::new();
    vault.roll_back("head", |vault| vault.put(key(9)));
    assert!(matches!(vault.open(&vault.slot), Err(Error::RolledBack { seen: 5, found: 4 } | Error::TrailCut { .. })));
}

#[test]
fn a_head_that_is_edited_missing_or_of_another_vault_is_forged() {
    let other = Vault::new();
    let others = Connection::open(other.path()).unwrap();
    let (body, signature): (Vec<u8>, Vec<u8>) =
        others.query_row("SELECT body, signature FROM head", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    for (sql, parameters) in [
        ("DELETE FROM head", vec![]),
        ("UPDATE head SET body = zeroblob(length(body))", vec![]),
        ("UPDATE head SET signature = zeroblob(64)", vec![]),
        ("UPDATE head SET signature = x'00'", vec![]),
        ("UPDATE head SET body = ?1, signature = ?2", vec![body, signature]),
    ] {
        let vault = Vault::new();
        let connection = Connection::open(vault.path()).unwrap();
        connection.execute(sql, rusqlite::params_from_iter(parameters)).unwrap();
        drop(connection);
        assert!(matches!(vault.open(&vault.slot), Err(Error::HeadForged)), "{sql}");
        assert!(matches!(vault.open(&vault.support), Err(Error::HeadForged)), "{sql}, as support");
    }
}

#[test]
fn every_clear_column_of_a_key_is_bound_to_what_is_sealed() {
    for change in [
        "name_index = zeroblob(16)",
        "workspace_index = zeroblob(16)",
        "environment = 2",
        "active = 0",
        "revoked_at = 1",
        "expires_at = 4102444800",
        "created_at = created_at - 1",
        "version = version + 1",
        "epoch = epoch + 1",
        "generation = generation + 1",
        "sealed = zeroblob(length(sealed))",
        "tag = zeroblob(32)",
    ] {
        let vault = Vault::new();
        vault.vandalise(&format!("UPDATE keys SET {change} WHERE id = 'key_0000000000000001'"));
        assert!(vault.list_error().contains("row key_0000000000000001 of keys was changed"), "{change}");
    }
}

#[test]
fn every_clear_column_of_an_object_is_bound_to_what_is_sealed() {
    for change in [
        "kind = 99",
        "parent_index = zeroblob(16)",
        "version = version + 1",
        "generation = generation + 1",
        "sealed = zeroblob(length(sealed))",
        "tag = zeroblob(32)",
    ] {
        let vault = Vault::new();
        vault.vandalise(&format!("UPDATE objects SET {change} WHERE kind = 1"));
        let found = vault.verify_error();
        assert!(found.contains("of objects was changed outside keyward"), "{change}: {found}");
    }
}

#[test]
fn a_slot_that_is_added_edited_or_removed_by_hand_is_found() {
    for vandalism in [
        "DELETE FROM slots WHERE rowid = 2",
        "UPDATE slots SET id = 'slot_other' WHERE rowid = 2",
        "INSERT INTO slots SELECT 'slot_other', body, tag FROM slots WHERE rowid = 2",
    ] {
        let vault = Vault::new();
        vault.vandalise(vandalism);
        assert_eq!(
            vault.verify_error(),
            "rows of slots were deleted, added or put back outside keyward",
            "{vandalism}"
        );
    }
}

#[test]
fn a_support_slot_that_seals_a_whole_row_convinces_no_admin() {
    let vault = Vault::new();
    let support = vault.open(&vault.support).unwrap();
    let snapshot = support.read(now()).unwrap();
    let sql = format!("SELECT {} FROM keys WHERE id LIKE '%1'", keys::COLUMNS);
    let stored = snapshot.stored(&sql, ()).unwrap().remove(0);
    // As a patched program would: everything but the tag is what keyward itself would write.
    let bound = keys::bound(support.capabilities(), &stored.columns);
    let plain = support.capabilities().open_record(&bound, &stored.sealed).unwrap();
    let resealed = support.capabilities().seal_record(&mut rand::rng(), &bound, &plain).unwrap();
    drop(snapshot);
    drop(support);
    let connection = Connection::open(vault.path()).unwrap();
    connection.execute("UPDATE keys SET sealed = ?1 WHERE id LIKE '%1'", (resealed,)).unwrap();
    drop(connection);
    assert!(vault.open(&vault.support).unwrap().read(now()).unwrap().key(&key(1).id).unwrap().is_some());
    let admin = vault.admin();
    assert!(matches!(admin.read(now()).unwrap().key(&key(1).id), Err(Error::RowTampered { table: "keys", .. })));
    assert!(matches!(admin.begin(now()).unwrap().key(&key(1).id), Err(Error::RowTampered { table: "keys", .. })));
}

/// A support slot can say what the verifier of a secret is. Whoever writes one of its own into the row of a key, or a look-up
/// that leads to it, convinces nobody who may let it in.
#[test]
fn a_verifier_that_support_writes_opens_nothing() {
    let vault = Vault::new();
    let support = vault.open(&vault.support).unwrap();
    let token = PlainToken::generate(&mut rand::rng(), &Brand::default(), crate::domain::Environment::Production);
    let mut bent = key(1);
    bent.secrets[0].lookup = token.lookup();
    bent.secrets[0].verifier = support.capabilities().verifier_of(&token).unwrap();
    let snapshot = support.read(now()).unwrap();
    let sql = format!("SELECT {} FROM keys WHERE id LIKE '%1'", keys::COLUMNS);
    let bound = keys::bound(support.capabilities(), &snapshot.stored(&sql, ()).unwrap().remove(0).columns);
    let plain = crate::store::records::encode(&crate::store::records::KeyRecord::of(&bent)).unwrap();
    let sealed = support.capabilities().seal_record(&mut rand::rng(), &bound, &plain).unwrap();
    drop(snapshot);
    drop(support);
    let connection = Connection::open(vault.path()).unwrap();
    connection.execute("UPDATE keys SET sealed = ?1 WHERE id LIKE '%1'", (sealed,)).unwrap();
    let lookup = token.lookup();
    connection.execute("INSERT INTO lookups VALUES (?1, 'key_0000000000000001')", (lookup.as_str(),)).unwrap();
    drop(connection);
    let admin = vault.admin();
    let view = admin.read(now()).unwrap();
    assert!(view.key(&bent.id).is_err() && view.key_by_lookup(&lookup).is_err());
    assert!(view.keys("default", None).is_err() && view.scan().is_err());
    drop(view);
    let tx = admin.begin(now()).unwrap();
    assert!(tx.key(&bent.id).is_err() && tx.key_by_lookup(&lookup).is_err());
    drop(tx);
    assert!(admin.verify_all(now()).is_err());
}

/// The same of the history of a key, which support can seal: an event of its own, with the right hash of its detail, is
/// believed neither by an administrator, nor by support itself.
#[test]
fn an_event_that_support_seals_is_shown_to_nobody() {
    let vault = Vault::new();
    let support = vault.open(&vault.support).unwrap();
    let connection = Connection::open(vault.path()).unwrap();
    let (body, detail): (Vec<u8>, Vec<u8>) = connection
        .query_row("SELECT body, detail FROM audit WHERE seq = 2", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    let associated = crate::vault::seal_framed(&[b"vault_1", b"audit", &2_u64.to_le_bytes(), &1_u32.to_le_bytes()]);
    let opened = support.capabilities().open_history(&associated, &detail).unwrap();
    let (detail, tag) = opened.split_at(opened.len() - 32);
    let forged = String::from_utf8(detail.to_vec()).unwrap().replace("alice@host", "bobby@host");
    let hash = |bytes: &[u8]| crate::store::audit::hex(&<sha2::Sha256 as sha2::Digest>::digest(bytes));
    let body = String::from_utf8(body).unwrap().replace(&hash(detail), &hash(forged.as_bytes()));
    let sealed = [forged.as_bytes(), tag].concat();
    let sealed = support.capabilities().seal_history(&mut rand::rng(), &associated, &sealed).unwrap();
    drop(support);
    let leaf = crate::store::audit::leaf(body.as_bytes());
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false).unwrap();
    connection
        .execute(
            "UPDATE audit SET body = ?1, hash = ?2, detail = ?3 WHERE seq = 2",
            (body.as_bytes(), &leaf[..], sealed),
        )
        .unwrap();
    drop(connection);
    let target = [key(1).id.to_string()];
    for slot in [&vault.slot, &vault.support] {
        let store = vault.open(slot).unwrap();
        let view = store.read(now()).unwrap();
        let history = Selection { targets: Some(&target), first: 1, last: 9, wanted: &|_| true };
        let mut shown = Vec::new();
        let read = view.each_entry(history, |entry| {
            view.vouch_for(&entry)?;
            shown.push(entry.recorded.event.actor);
            Ok::<_, Error>(())
        });
        assert!(matches!(read, Err(Error::Trail { seq: 2, .. } | Error::TreeDamaged)), "{read:?}");
        assert!(shown.is_empty(), "{shown:?}");
        drop(view);
        assert!(store.verify_all(now()).is_err());
    }
}

#[test]
fn what_was_stored_is_what_is_read() {
    let vault = Vault::new();
    let scope: Scope = "reports:read".parse().unwrap();
    let entry = ScopeEntry { description: Some("reads".to_owned()), ..ScopeEntry::default() };
    vault.change("default", |tx| {
        tx.put_scope("default", &scope, &entry).unwrap();
        tx.remember_idempotency("once", &key(1).id, "digest").unwrap();
    });
    let store = vault.admin();
    let snapshot = store.read(now()).unwrap();
    assert_eq!(snapshot.catalogue("default").unwrap().entries.get(&scope), Some(&entry));
    assert!(snapshot.catalogue("other").unwrap().entries.is_empty());
    assert_eq!(snapshot.plans().unwrap().len(), Plan::builtin().len());
    assert_eq!(snapshot.idempotent("once").unwrap(), Some((key(1).id, "digest".to_owned())));
    let mut expected = key(2);
    expected.version = 1;
    assert_eq!(snapshot.key_by_lookup(&expected.secrets[0].lookup).unwrap().as_ref(), Some(&expected));
    drop(snapshot);
    let tomorrow = now() + chrono::TimeDelta::hours(24);
    assert_eq!(store.read(tomorrow).unwrap().idempotent("once").unwrap(), None);
}
