//! What the page on security says of each table is what comes out when somebody writes to it.

use super::*;
use crate::domain::{Code, Key, Message, RotationPolicy, Spent, UsageRecord, Webhook};
use chrono::TimeDelta;
use std::collections::BTreeMap;

/// A keystore with a row in every table.
fn furnished() -> Vault {
    let vault = Vault::new();
    let later = now() + TimeDelta::days(9);
    let rotation = RotationPolicy { due_at: Some(later), ..RotationPolicy::default() };
    let mut retired = Key { expires_at: Some(later), rotation, ..key(4) };
    for number in 0..18u8 {
        let mut dead = retired.secrets[0].clone();
        dead.lookup = format!("dead{number:012}").parse().unwrap();
        dead.state = SecretState::Dead { since: now() };
        retired.secrets.insert(0, dead);
    }
    vault.put(retired);
    let store = vault.admin();
    let mut tx = store.begin(now()).unwrap();
    tx.remember_idempotency("once", &key(1).id, "digest").unwrap();
    tx.put_webhook(&Webhook {
        id: "wh_1".to_owned(),
        name: "hook".to_owned(),
        workspace: "default".to_owned(),
        url: "https://example.com/".to_owned(),
        events: Vec::new(),
        leads: Vec::new(),
        burst: crate::domain::RateLimit { limit: 20, window_seconds: 300 },
        allow_private: false,
        created_at: now(),
        created_by: "alice@host".to_owned(),
    })
    .unwrap();
    let message = |id: &str| Message {
        seq: None,
        id: id.to_owned(),
        webhook: "wh_1".to_owned(),
        event: "key.revoke".to_owned(),
        at: now(),
        attempts: 0,
        payload: "{}".to_owned(),
    };
    tx.enqueue(&message("msg_1")).unwrap();
    tx.cut_trail(1).unwrap();
    tx.commit_all((0..20).map(|_| event(Action::AuditReview, "trail")).collect()).unwrap();
    store.tell_once(&[(vec!["mark".to_owned()], message("msg_2"))], now()).unwrap();
    store.sent(&[(message("msg_2"), Ok(()))], now()).unwrap();
    store.put_stream_cursor("file:x", 3).unwrap();
    let record = |code| UsageRecord {
        request: None,
        operator: None,
        at: now(),
        count: 1,
        key: Some(key(1).id),
        lookup: Some(key(1).secrets[0].lookup.clone()),
        code,
        address: Some("198.51.100.7".parse().unwrap()),
        user_agent: None,
        detail: None,
    };
    let spent = Spent { key: key(1).id, tick_ms: 1, last_ms: 1, over_ms: i64::MAX / 2, ticks: vec![(1, 1)] };
    store.record_usage(&[record(Code::Valid), record(Code::Expired)], &[spent], now()).unwrap();
    store.verify_all(now()).unwrap();
    vault
}

/// Another value that a column may well have.
fn other(table: &str, column: &str, kind: &str) -> String {
    match (table, column, kind) {
        (_, "code", _) => "'REVOKED'".to_owned(),
        ("spent_limits", "ticks", _) => "x'80'".to_owned(),
        (_, "key_id", _) => "'key_0000000000000003'".to_owned(),
        (_, "lookup", _) => "'0000000000000003'".to_owned(),
        (_, "allowed" | "done" | "active" | "rotating", _) => format!("1 - {column}"),
        (_, "environment", _) => "1 - environment".to_owned(),
        (_, _, "INTEGER") => format!("coalesce({column}, 0) + 1"),
        (_, _, "BLOB") => format!("CAST(x'00' || coalesce({column}, x'') AS BLOB)"),
        _ => format!("coalesce({column}, '') || 'x'"),
    }
}

/// The columns of the tables of a keystore, with their types; the one that only says that there is one row is left out.
fn columns(vault: &Vault) -> BTreeMap<String, Vec<(String, String)>> {
    let connection = Connection::open(vault.path()).unwrap();
    let sql = "SELECT t.name, c.name, c.type FROM sqlite_schema t, pragma_table_info(t.name) c
               WHERE t.type = 'table' AND c.name <> 'one'";
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?)))).unwrap();
    let mut tables: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for row in rows {
        let (table, column): (String, _) = row.unwrap();
        tables.entry(table).or_default().push(column);
    }
    tables
}

/// Whether somebody who wrote that is noticed: at the opening of the vault, or by a whole check.
fn is_noticed(whole: &Vault, sql: &str) -> bool {
    let copy = Vault { dir: tempfile::tempdir().unwrap(), slot: whole.slot.clone(), support: whole.support.clone() };
    whole.admin().backup(&copy.path()).unwrap();
    // What a constraint of the table refuses is no way in.
    let connection = Connection::open(copy.path()).unwrap();
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false).unwrap();
    if connection.execute_batch(sql).is_err() {
        return true;
    }
    drop(connection);
    copy.open(&copy.slot).and_then(|store| store.verify_all(now())).is_err()
}

/// The table of the page: of each table, whether removed rows are noticed, and which columns can be changed unnoticed.
fn page() -> BTreeMap<String, (bool, Vec<String>)> {
    let page = include_str!("../../../docs/security.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let rows = rows.map(|line| {
        let cells: Vec<&str> = line.trim_end_matches('|').split('|').map(str::trim).collect();
        let ticked = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        (cells[0].trim_end_matches('`').to_owned(), (cells[3] == "noticed", ticked(cells[4])))
    });
    rows.collect()
}

#[test]
fn the_table_on_the_page_is_what_comes_out() {
    let vault = furnished();
    let mut found = BTreeMap::new();
    for (table, columns) in columns(&vault) {
        let count: i64 = Connection::open(vault.path())
            .unwrap()
            .query_row(&format!("SELECT count(*) FROM {table}"), (), |row| row.get(0))
            .unwrap();
        assert!(count > 0, "{table} is empty: nothing can be said of it");
        let unnoticed = columns.into_iter().filter(|(column, kind)| {
            let value = other(&table, column, kind);
            let sql = format!("UPDATE {table} SET {column} = {value} WHERE {}", one_row(&vault, &table));
            !is_noticed(&vault, &sql)
        });
        let unnoticed = unnoticed.map(|(column, _)| column).collect::<Vec<_>>();
        found.insert(table.clone(), (is_noticed(&vault, &format!("DELETE FROM {table}")), unnoticed));
    }
    assert_eq!(page(), found);
}

/// A condition that one row of a table has.
fn one_row(vault: &Vault, table: &str) -> String {
    let connection = Connection::open(vault.path()).unwrap();
    let mut statement = connection.prepare("SELECT name FROM pragma_table_info(?1) WHERE pk > 0").unwrap();
    let keys = statement.query_map((table,), |row| row.get::<_, String>(0)).unwrap();
    let mut names = keys.collect::<rusqlite::Result<Vec<_>>>().unwrap().join(", ");
    if names.is_empty() {
        names = "rowid".to_owned();
    }
    format!("({names}) = (SELECT {names} FROM {table} ORDER BY {names} DESC LIMIT 1)")
}
