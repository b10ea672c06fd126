//! What somebody who can write the file hides, puts back or invents: every command that would show it says 14, with every
//! role that can ask, and through a server.

use crate::support::Home;
use rusqlite::{Connection, config::DbConfig};

const DUE_AND_ENDING: [&[&str]; 2] = [
    &["create", "due", "--no-expiry", "--rotate-every", "1h", "--overlap", "30m"],
    &["create", "ends", "--expires-in", "2h"],
];

fn open(home: &Home) -> Connection {
    let connection = Connection::open(home.keystore()).unwrap();
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false).unwrap();
    connection
}

/// Empties the indexes of keys, and leaves their texts as they are.
fn empty_indexes(home: &Home) {
    let own: Vec<(String, String)> = {
        let connection = open(home);
        let sql = "SELECT name, sql FROM sqlite_schema WHERE sql LIKE 'CREATE INDEX keys_%'";
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.collect::<rusqlite::Result<_>>().unwrap()
    };
    let write = |more: &str| {
        let connection = open(home);
        connection.execute_batch("PRAGMA writable_schema = ON").unwrap();
        for (name, sql) in &own {
            let sql = format!("{sql}{more}");
            connection.execute("UPDATE sqlite_schema SET sql = ?2 WHERE name = ?1", (name, sql)).unwrap();
        }
        let version: i64 = connection.pragma_query_value(None, "schema_version", |row| row.get(0)).unwrap();
        connection.pragma_update(None, "schema_version", version + 1).unwrap();
    };
    write(" AND 0 = 1");
    open(home).execute_batch("REINDEX").unwrap();
    write("");
}

#[test]
fn an_emptied_index_hides_no_key_that_is_due_or_expires() {
    let home = Home::new();
    DUE_AND_ENDING.iter().for_each(|args| drop(home.ok(args)));
    assert_eq!(home.ok(&["list", "--due-within", "2h", "-o", "name"]), "due");
    assert_eq!(home.ok(&["list", "--expires-within", "3h", "-o", "name"]), "ends");
    empty_indexes(&home);
    for args in [
        &["list", "--due-within", "2h", "-o", "name"][..],
        &["list", "--expires-within", "3h", "-o", "name"],
        &["list", "--expires-within", "3h", "--exit-code"],
        &["list", "--due-within", "2h", "--count"],
        &["rotate", "--due", "--due-within", "2h", "--yes", "--max", "5", "--deliver", "file:{name}"],
        &["audit", "verify"],
        &["doctor"],
    ] {
        assert_eq!(home.run(args).code, Some(14), "{args:?}");
    }
    assert_eq!(home.json(&["list"])["page"]["total"], 2, "a whole scan needs no index");
}

#[cfg(feature = "server")]
#[test]
fn an_emptied_index_hides_nothing_from_who_asks_a_server() {
    use crate::support::server::Served;
    let home = Home::with_vault();
    DUE_AND_ENDING.iter().for_each(|args| drop(home.ok(args)));
    let token = home.ok(&["operators", "create", "desk", "--role", "support"]);
    let server = Served::start(&home, &[]);
    empty_indexes(&home);
    home.private("token", &token);
    for args in [["list", "--due-within", "2h"], ["list", "--expires-within", "3h"]] {
        let ran = home.run(&[&args[..], &["--server", &server.url, "--token-file", "token"]].concat());
        assert_eq!(ran.code, Some(14), "{ran:?}");
    }
}

#[test]
fn a_support_slot_is_shown_no_revoked_key_as_an_active_one() {
    let home = Home::new();
    home.ok(&["init"]);
    home.private("words", "support passphrase 1");
    home.ok(&["vault", "slots", "add", "--passphrase", "--new-passphrase-file", "words", "--role", "support"]);
    home.ok(&["create", "gone", "--scope", "a:admin"]);
    home.ok(&["vault", "backup", "whole.db"]);
    home.ok(&["revoke", "gone", "--reason", "leaked"]);
    let connection = open(&home);
    connection.execute("ATTACH ?1 AS old", (home.path().join("whole.db").to_str().unwrap(),)).unwrap();
    connection.execute_batch("DELETE FROM keys; INSERT INTO keys SELECT * FROM old.keys").unwrap();
    drop(connection);
    for args in ["show gone", "list", "list --expired", "list --due", "report expiry", "check", "export", "doctor"] {
        let mut args: Vec<&str> = args.split(' ').collect();
        // What an admin finds by a time is checked without the other keys, and this one has no such time.
        assert!(args.len() == 2 && args[0] == "list" || home.run(&args).code == Some(14), "{args:?}");
        args.extend(["--passphrase-file", "words"]);
        assert_eq!(home.run(&args).code, Some(14), "{args:?} of a support slot");
    }
}

#[test]
fn a_secret_whose_look_up_was_removed_is_not_unknown() {
    let home = Home::new();
    let secret = home.ok(&["-q", "create", "k", "--env", "production"]);
    let verify = |secret: &str| home.run_with(&["verify", "-", "--env", "production"], secret).code;
    assert_eq!(verify(&secret), Some(0));
    open(&home).execute("DELETE FROM lookups", ()).unwrap();
    assert_eq!(verify(&secret), Some(14));
    assert_eq!(home.run(&["audit", "verify"]).code, Some(14));
}

#[test]
fn a_bad_counter_of_use_is_found_by_a_whole_check_and_is_no_failure() {
    for sql in [
        "INSERT INTO usage SELECT id, -5, NULL, 0, NULL, NULL FROM keys",
        "INSERT INTO usage SELECT id, 5, NULL, 0, NULL, x'00' FROM keys",
        "INSERT INTO usage SELECT CAST(x'ff' AS TEXT), 5, NULL, 0, NULL, NULL FROM keys",
    ] {
        let home = Home::new();
        home.ok(&["create", "k"]);
        open(&home).execute_batch(sql).unwrap();
        for args in [&["audit", "verify"][..], &["doctor"], &["list"]] {
            assert_eq!(home.run(args).code, Some(14), "{sql}: {args:?}");
        }
    }
}
