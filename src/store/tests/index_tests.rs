//! No index, and no row that is missing, hides a key: what is found by one is known to be all there is.

use super::*;
use crate::domain::{Key, RotationPolicy};
use chrono::TimeDelta;

fn in_days(days: i64) -> Time {
    now() + TimeDelta::days(days)
}

/// Keys that expire, or whose rotation is due, on the days of their numbers.
fn furnished() -> Vault {
    let vault = Vault::new();
    for number in 10..20 {
        vault.put(Key { expires_at: Some(in_days(number.into())), ..key(number) });
    }
    for number in 20..30 {
        let rotation = RotationPolicy { due_at: Some(in_days(number.into())), ..RotationPolicy::default() };
        vault.put(Key { rotation, ..key(number) });
    }
    vault
}

fn numbers(store: &Store, filter: ClearFilter) -> Result<Vec<String>, Error> {
    let mut names: Vec<String> =
        store.read(now())?.keys_by("default", filter)?.into_iter().map(|key| key.name).collect();
    names.sort();
    Ok(names)
}

fn named(numbers: std::ops::Range<u8>) -> Vec<String> {
    numbers.map(|number| key(number).name).collect()
}

/// Fills indexes by another text than they have, and puts their own back.
fn fill_indexes_by(vault: &Vault, change: impl Fn(&str) -> String) {
    let connection = Connection::open(vault.path()).unwrap();
    let mut statement = connection
        .prepare("SELECT name, sql FROM sqlite_schema WHERE sql LIKE 'CREATE INDEX keys_%' AND name <> 'keys_by_id'")
        .unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let own: Vec<(String, String)> = rows.collect::<rusqlite::Result<_>>().unwrap();
    assert_eq!(own.len(), 4);
    drop(statement);
    let write = |text: &dyn Fn(&str) -> String| {
        let connection = Connection::open(vault.path()).unwrap();
        connection.execute_batch("PRAGMA writable_schema = ON").unwrap();
        for (name, sql) in &own {
            connection.execute("UPDATE sqlite_schema SET sql = ?2 WHERE name = ?1", (name, text(sql))).unwrap();
        }
        let version: i64 = connection.pragma_query_value(None, "schema_version", |row| row.get(0)).unwrap();
        connection.pragma_update(None, "schema_version", version + 1).unwrap();
    };
    write(&change);
    Connection::open(vault.path()).unwrap().execute_batch("REINDEX").unwrap();
    write(&str::to_owned);
}

#[test]
fn a_time_is_found_whatever_is_beside_it_in_its_bucket() {
    let vault = furnished();
    let store = vault.admin();
    let hour = TimeDelta::hours(1);
    for (from, to) in [(10, 20), (12, 15), (14, 14), (0, 9), (0, 250)] {
        let found = from.max(10)..to.clamp(9, 19) + 1;
        for shift in [TimeDelta::zero(), hour] {
            let (after, by) = (in_days(from.into()) - hour, in_days(to.into()) + shift);
            let expiring = ClearFilter::Expiring { after: Some(after), by };
            assert_eq!(numbers(&store, expiring).unwrap(), named(found.clone()), "{from} to {to}");
        }
    }
    assert!(numbers(&store, ClearFilter::Expiring { after: Some(in_days(12)), by: in_days(12) }).unwrap().is_empty());
    let by = Time::from_timestamp(8_000_000_000, 0).unwrap();
    assert_eq!(numbers(&store, ClearFilter::Expiring { after: None, by }).unwrap(), named(10..20));
    assert_eq!(numbers(&store, ClearFilter::Due { by: in_days(24) }).unwrap(), named(20..25));
    store.verify_all(now()).unwrap();
}

#[test]
fn what_a_change_does_to_a_time_is_counted_in_its_transaction_and_after_it() {
    let vault = furnished();
    let store = vault.admin();
    let mut tx = store.begin(now()).unwrap();
    let moved = tx.key(&key(12).id).unwrap().unwrap();
    tx.put_key(&Key { expires_at: Some(in_days(2_000)), ..moved }).unwrap();
    let gone = tx.key(&key(13).id).unwrap().unwrap();
    tx.delete_key(&gone).unwrap();
    let within = |by| ClearFilter::Expiring { after: None, by };
    assert_eq!(tx.keys_by("default", within(in_days(19))).unwrap().len(), 8);
    assert_eq!(tx.keys_by("default", within(in_days(3_000))).unwrap().len(), 9);
    let events = [(Action::KeyUpdate, 12), (Action::KeyDelete, 13)];
    tx.commit_all(events.map(|(action, number)| event(action, key(number).id.as_str())).to_vec()).unwrap();
    assert_eq!(numbers(&store, within(in_days(3_000))).unwrap().len(), 9);
    store.verify_all(now()).unwrap();
}

#[test]
fn an_index_that_was_emptied_or_bent_hides_nothing() {
    let empty = |sql: &str| format!("{sql} AND 0 = 1");
    let later = |sql: &str| {
        let sql = sql.replace("(expires_at, id)", "(expires_at + 864000000, id)");
        sql.replace("(due_at, id)", "(due_at + 864000000, id)")
    };
    let all = [
        ClearFilter::Expiring { after: None, by: in_days(15) },
        ClearFilter::Expiring { after: Some(in_days(12)), by: in_days(15) },
        ClearFilter::Due { by: in_days(25) },
    ];
    for (what, change) in [("emptied", &empty as &dyn Fn(&str) -> String), ("bent", &later)] {
        let vault = furnished();
        fill_indexes_by(&vault, change);
        let (store, support) = (vault.admin(), vault.open(&vault.support).unwrap());
        for filter in all {
            let found = numbers(&store, filter);
            assert!(matches!(found, Err(Error::SetMismatch(_) | Error::RowTampered { .. })), "{what}: {found:?}");
        }
        // A support slot has nothing to compare an index with, and asks none.
        assert_eq!(numbers(&support, all[0]).unwrap(), named(10..16), "{what}");
        assert_eq!(numbers(&support, all[2]).unwrap(), named(20..26), "{what}");
        for store in [&store, &support] {
            assert!(matches!(store.verify_all(now()), Err(Error::Inconsistent(_))), "{what}");
        }
    }
}

#[test]
fn a_look_up_that_was_removed_is_no_unknown_secret() {
    let vault = Vault::new();
    let lookup = |number: u8| key(number).secrets[0].lookup.clone();
    assert!(vault.admin().read(now()).unwrap().key_by_lookup(&lookup(9)).unwrap().is_none());
    vault.vandalise("DELETE FROM lookups WHERE lookup LIKE '%1'");
    let store = vault.admin();
    let view = store.read(now()).unwrap();
    assert!(matches!(view.key_by_lookup(&lookup(1)), Err(Error::SetMismatch("lookups"))));
    assert!(view.key_by_lookup(&lookup(2)).unwrap().is_some());
    drop(view);
    assert!(store.verify_all(now()).is_err());
}

#[test]
fn a_support_slot_lists_no_row_that_was_put_back() {
    let vault = Vault::new();
    vault.vandalise("CREATE TABLE aside.old AS SELECT * FROM keys");
    let mut revoked = Key { version: 1, ..key(1) };
    revoked.revoke(now());
    vault.put(revoked);
    vault.vandalise(
        "DELETE FROM keys WHERE id LIKE '%1'; INSERT INTO keys SELECT * FROM old WHERE id LIKE '%1'; DROP TABLE old;",
    );
    let support = vault.open(&vault.support).unwrap();
    let view = support.read(now()).unwrap();
    assert!(matches!(view.all_keys("default"), Err(Error::RowRolledBack { .. })));
    let by = in_days(1);
    assert!(matches!(view.keys_by("default", ClearFilter::Due { by }), Err(Error::RowRolledBack { .. })));
}

#[test]
fn what_the_vault_says_of_itself_in_the_clear_is_signed() {
    for sql in ["UPDATE vault SET brand = 'xx'", "UPDATE vault SET created_at = created_at - 1"] {
        let vault = Vault::new();
        vault.vandalise(sql);
        for slot in [&vault.slot, &vault.support] {
            assert!(matches!(vault.open(slot), Err(Error::RowTampered { table: "vault", .. })), "{sql}");
        }
    }
}

/// Every table that steers something: what `audit verify` says once somebody wrote to it.
#[test]
fn a_whole_check_finds_what_a_list_would_stumble_over() {
    for sql in [
        "INSERT INTO usage VALUES ('key_0000000000000001', -5, NULL, 0, NULL, NULL)",
        "INSERT INTO usage VALUES ('key_0000000000000001', 5, NULL, 0, NULL, x'00')",
        "INSERT INTO usage_hours VALUES ('key_0000000000000001', 0, 'NO_SUCH_CODE', 1)",
        "INSERT INTO secret_usage VALUES ('0000000000000001', 'key_0000000000000001', 1, 9999999999999, 0, NULL, NULL, NULL)",
        "INSERT INTO spent_limits VALUES ('key_0000000000000001', 1, 1, 9999999999999999, x'ff')",
        "INSERT INTO outbox (id, webhook, event, at, next_at, attempts, sealed) VALUES ('m', 'w', 'e', 0, 0, 0, x'00')",
        "INSERT INTO told_once (mark, at) VALUES ('key_0000000000000001 expires', 0)",
        "INSERT INTO stream_cursors (place, seq, tag) VALUES (x'00', 4, x'00')",
        "INSERT INTO archives (first, last) VALUES (1, 2)",
        "INSERT INTO pages (number, sealed) VALUES (999, x'00')",
        "UPDATE slots SET tag = x'00'",
    ] {
        let vault = Vault::new();
        vault.vandalise(sql);
        assert!(vault.admin().verify_all(now()).is_err(), "{sql}");
    }
}

#[test]
fn a_row_that_holds_what_no_row_can_is_damage_and_no_failure() {
    for sql in [
        "UPDATE keys SET id = CAST(x'ff' AS TEXT)",
        "UPDATE keys SET environment = 9",
        "PRAGMA ignore_check_constraints = ON; UPDATE keys SET expires_at = 9223372036854775807",
        "DELETE FROM vault",
        "ALTER TABLE keys RENAME COLUMN sealed TO unsealed",
    ] {
        let vault = Vault::new();
        vault.vandalise(sql);
        let error = vault.open(&vault.slot).and_then(|store| store.read(now())?.keys("default", None).map(drop));
        let kind = crate::ops::Error::from(error.unwrap_err()).kind;
        assert_eq!(kind, crate::ops::Kind::Integrity, "{sql}");
    }
}
