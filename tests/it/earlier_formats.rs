//! A keystore that an earlier version wrote is brought up to this one by whoever opens it, all of it or nothing.

use crate::support::Home;
use rusqlite::Connection;
use serde_json::Value;
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

/// A keystore of format 6, with four keys, a rotation that did not end, two messages that wait and a stream.
const KEYSTORE: &str = include_str!("data/keystore-6.sql");
/// What opens it, and what it was asked for.
const FACTS: &str = include_str!("data/keystore-6.json");

fn private(path: &Path, bytes: &[u8]) {
    let dir = path.parent().unwrap();
    fs::create_dir_all(dir).unwrap();
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn facts() -> Value {
    serde_json::from_str(FACTS).unwrap()
}

/// A home with that keystore, as an earlier version left it.
fn of_before() -> Home {
    let (home, facts) = (Home::new(), facts());
    let hex = facts["device"].as_str().unwrap();
    let device: Vec<u8> =
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
    let vault = facts["vault"].as_str().unwrap();
    private(&home.path().join(format!(".config/keyward/devices/{vault}.key")), &device);
    let keystore = home.path().join(".local/share/keyward/keystore.db");
    private(&keystore, b"");
    Connection::open(&keystore).unwrap().execute_batch(KEYSTORE).unwrap();
    home.private("support", facts["support"].as_str().unwrap());
    home
}

fn format(home: &Home) -> i64 {
    Connection::open(home.keystore()).unwrap().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

fn verified(home: &Home, secret: &str) -> Option<i32> {
    home.run_with(&["verify", "-", "--env", "production"], facts()[secret].as_str().unwrap()).code
}

fn is_whole(home: &Home) {
    let checked = home.run(&["audit", "verify", "--full"]);
    assert!(checked.code == Some(0) && !checked.stderr.contains("brought up"), "{checked:?}");
    assert_eq!(home.json(&["list", "--status", "any"])["page"]["total"], 4);
    assert_eq!((verified(home, "plain"), verified(home, "gone")), (Some(0), Some(13)));
}

#[test]
fn an_earlier_keystore_goes_on_working_with_all_that_was_in_it() {
    let home = of_before();
    assert_eq!(format(&home), 6);
    is_whole(&home);
    assert!(format(&home) > 6);
    assert!(home.ok(&["list", "--due", "-o", "name"]).contains("due"), "its rotation did not end");
    let by = chrono::NaiveDate::from_ymd_opt(2027, 7, 1).unwrap() - chrono::Utc::now().date_naive();
    if by.num_days() > 1 {
        assert_eq!(home.ok(&["list", "--expires-within", &format!("{}d", by.num_days()), "-o", "name"]), "ends");
    }
    #[cfg(feature = "server")]
    assert_eq!(home.json(&["webhooks", "list"])["items"][0]["pending"], 2);
    home.ok(&["rotation", "abort", "due", "--force", "--yes"]);
    home.ok(&["delete", "gone", "--yes", "--confirm", "gone"]);
    home.ok(&["create", "new"]);
    home.ok(&["vault", "rekey", "--drop-slots", "--yes"]);
    is_whole_after_changes(&home);
}

fn is_whole_after_changes(home: &Home) {
    home.ok(&["audit", "verify", "--full"]);
    assert_eq!((verified(home, "plain"), verified(home, "gone")), (Some(0), Some(13)));
}

#[test]
fn a_support_slot_that_comes_first_reads_it_all() {
    let home = of_before();
    for _ in 0..2 {
        let list = ["list", "--due", "-o", "name", "--passphrase-file", "support"];
        assert_eq!(home.ok(&list), "due");
        home.ok(&["audit", "verify", "--passphrase-file", "support"]);
        is_whole(&home);
    }
}

/// What was sealed for admins alone, and a slot that holds no key to judge with, until it is made anew as the error says.
#[test]
fn a_support_slot_of_before_is_made_anew_and_reads_what_happened_before() {
    let home = of_before();
    home.ok(&["list"]);
    let support = ["--passphrase-file", "support"];
    let asked = |args: &[&str]| home.run_with(&[&support[..], args].concat(), facts()["plain"].as_str().unwrap());
    let (verify, history) = (["verify", "-", "--env", "production"], ["-o", "json", "audit", "list", "--key", "plain"]);
    for args in [&verify[..], &history[2..]] {
        let ran = asked(args);
        assert_eq!(ran.code, Some(5), "{ran:?}");
        assert!(ran.stderr.contains("made by an earlier version"), "{}", ran.stderr);
        assert!(ran.stderr.contains("hint: keyward vault slots remove SLOT"), "{}", ran.stderr);
        assert!(ran.stderr.contains("hint: keyward vault slots add --passphrase --role support"), "{}", ran.stderr);
    }
    let slots = home.json(&["vault", "slots", "list"]);
    let old = slots["items"].as_array().unwrap().iter().find(|slot| slot["role"] == "support").unwrap();
    home.ok(&["vault", "slots", "remove", old["id"].as_str().unwrap(), "--yes"]);
    let add = ["vault", "slots", "add", "--passphrase", "--role", "support", "--new-passphrase-file", "support"];
    home.ok(&add);
    assert_eq!(asked(&verify).code, Some(0));
    let read: Value = serde_json::from_str(&asked(&history).stdout).unwrap();
    assert_eq!(read, home.json(&["audit", "list", "--key", "plain"]));
    assert_eq!(read["items"][0]["action"], "key.create");
    assert_eq!(asked(&["audit", "list"]).code, Some(5), "the rest of the trail stays with admins");
    is_whole(&home);
    assert_eq!(asked(&["audit", "verify", "--full"]).code, Some(0));
}

#[test]
fn what_was_bent_before_is_not_taken_over() {
    let home = of_before();
    let facts = facts();
    let lookup = &facts["plain"].as_str().unwrap()[8..24];
    Connection::open(home.keystore()).unwrap().execute("DELETE FROM lookups WHERE lookup = ?1", (lookup,)).unwrap();
    assert_eq!(home.run(&["list"]).code, Some(0), "what can be read still is");
    assert_eq!(home.run(&["create", "new"]).code, Some(14));
    assert_eq!(home.run(&["audit", "verify"]).code, Some(14));
}

#[test]
fn a_kill_while_it_is_brought_up_leaves_it_as_it_was_or_as_it_is_to_be() {
    let whole = {
        let begun = std::time::Instant::now();
        of_before().ok(&["list"]);
        begun.elapsed()
    };
    for round in 0..10 {
        let home = of_before();
        let mut child = home.command(&["list"]).spawn().unwrap();
        let moment = std::time::Instant::now() + whole.mul_f64(f64::from(round) / 9.0);
        while std::time::Instant::now() < moment {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        is_whole(&home);
    }
}
