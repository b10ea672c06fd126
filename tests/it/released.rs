//! The vaults of released versions: each is kept as it was written, and whatever comes later opens it, judges its keys as before,
//! finds its trail whole, and goes on in it.
//!
//! `KEYWARD_BLESS=1 cargo test --test it released::` keeps one of the version at hand, where there is none yet: before a release.

use crate::support::Home;
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// Releases whose vault is kept elsewhere: `earlier_formats.rs` has that of 0.1.0, of format 6.
const ELSEWHERE: [&str; 1] = ["0.1.0"];

fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/data/released")
}

/// The versions that CHANGELOG.md has a heading for.
fn released() -> Vec<String> {
    let log = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("CHANGELOG.md")).unwrap();
    let headings = log.lines().filter_map(|line| line.strip_prefix("## ")?.split(' ').next());
    headings.filter(|word| word.starts_with(|first: char| first.is_ascii_digit())).map(str::to_owned).collect()
}

fn private(path: &Path, bytes: &[u8]) {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Keeps a vault of this version in a directory, with what its keys are good for.
fn keep(place: &Path) {
    let home = Home::with_vault();
    let key =
        |name: &str, more: &[&str]| home.ok(&[&["create", name, "--env", "production", "--no-expiry"], more].concat());
    let wide = key("wide", &["--scope", "audits:read", "--owner", "o@example.com", "--label", "team=data"]);
    let (gone, before) = (key("gone", &[]), key("rotated", &[]));
    home.ok(&["revoke", "gone", "--reason", "leaked"]);
    let rotated = home.ok(&["rotate", "rotated", "--now", "--yes"]);
    let operator = home.ok(&["operators", "create", "auditor", "--role", "auditor", "--bind", "default"]);
    let facts = json!({
        "good": [wide, rotated], "bad": [gone, before], "operator": operator, "keys": 3,
        "vault": vault_of(&home),
    });
    home.ok(&["vault", "backup", "kept.db"]);
    fs::create_dir_all(place).unwrap();
    fs::copy(home.path().join("kept.db"), place.join("keystore.db")).unwrap();
    fs::copy(home.find(&format!("{}.key", vault_of(&home))).unwrap(), place.join("device.key")).unwrap();
    fs::write(place.join("facts.json"), serde_json::to_string_pretty(&facts).unwrap() + "\n").unwrap();
}

fn vault_of(home: &Home) -> String {
    home.ok(&["vault", "status", "--field", "vault_id"])
}

/// A home with the vault of a version, as that left it.
fn home_of(place: &Path, facts: &Value) -> Home {
    let home = Home::new();
    let device = format!(".config/keyward/devices/{}.key", facts["vault"].as_str().unwrap());
    for (from, to) in [("device.key", &*device), ("keystore.db", ".local/share/keyward/keystore.db")] {
        private(&home.path().join(to), &fs::read(place.join(from)).unwrap());
    }
    home
}

#[test]
fn every_release_has_a_vault_that_is_kept() {
    let version = env!("CARGO_PKG_VERSION");
    if std::env::var_os("KEYWARD_BLESS").is_some() && !ELSEWHERE.contains(&version) && !kept().join(version).exists() {
        keep(&kept().join(version));
    }
    for version in released().iter().filter(|version| !ELSEWHERE.contains(&version.as_str())) {
        let there = kept().join(version).join("facts.json").exists();
        assert!(there, "no vault of {version} is kept: KEYWARD_BLESS=1 cargo test --test it released::");
    }
}

#[test]
fn the_vault_of_every_release_goes_on_working() {
    // That of the version at hand is one of them: what its release keeps can be opened.
    let made = tempfile::tempdir().unwrap();
    keep(made.path());
    let kept = fs::read_dir(kept()).into_iter().flatten().map(|entry| entry.unwrap().path());
    for place in kept.chain([made.path().to_owned()]) {
        let facts: Value = serde_json::from_str(&fs::read_to_string(place.join("facts.json")).unwrap()).unwrap();
        goes_on(&home_of(&place, &facts), &facts);
    }
}

fn goes_on(home: &Home, facts: &Value) {
    for round in 0..2 {
        for (field, code) in [("good", 0), ("bad", 13)] {
            for secret in facts[field].as_array().unwrap() {
                let ran = home.run_with(&["verify", "-", "--env", "production"], secret.as_str().unwrap());
                assert_eq!(ran.code, Some(code), "{field}, round {round}: {ran:?}");
            }
        }
        let checked = home.run(&["audit", "verify", "--full"]);
        assert_eq!(checked.code, Some(0), "{checked:?}");
        if round == 0 {
            assert_eq!(home.json(&["list", "--status", "any"])["page"]["total"], facts["keys"]);
            home.ok(&["create", "new"]);
            home.ok(&["rotate", "wide", "--overlap", "1h"]);
        }
    }
}

#[test]
fn an_older_keyward_says_that_a_vault_is_newer_and_changes_nothing() {
    let home = Home::with_vault();
    let secret = home.ok(&["create", "a", "--env", "production"]);
    home.ok(&["vault", "backup", "newer.db"]);
    for file in [home.keystore(), home.path().join("newer.db")] {
        let keystore = rusqlite::Connection::open(file).unwrap();
        keystore.pragma_update(None, "user_version", 99).unwrap();
    }
    let whole = fs::read(home.keystore()).unwrap();
    for args in [
        &["list"][..],
        &["create", "b"],
        &["doctor"],
        &["audit", "verify"],
        &["vault", "rekey", "--yes"],
        &["vault", "restore", "newer.db"],
        &["vault", "backup", "another.db"],
        #[cfg(feature = "server")]
        &["serve", "--listen", "127.0.0.1:0", "--env", "production"],
    ] {
        let ran = home.run(args);
        assert_eq!(ran.code, Some(6), "{args:?}: {ran:?}");
        assert!(ran.stderr.contains("a newer keyward wrote this keystore: it has format 99"), "{args:?}: {ran:?}");
        assert!(ran.stderr.contains(concat!("hint: update keyward: this is ", env!("CARGO_PKG_VERSION"))), "{ran:?}");
    }
    let ran = home.run_with(&["verify", "-", "--env", "production"], &secret);
    assert_eq!(ran.code, Some(6), "that is no word about the key: {ran:?}");
    assert_eq!(fs::read(home.keystore()).unwrap(), whole);
}

#[cfg(feature = "server")]
#[test]
fn a_server_whose_vault_became_newer_says_that_it_cannot_tell() {
    let home = Home::with_vault();
    let key = home.ok(&["create", "a", "--env", "production", "--rate-limit", "none"]);
    let server = crate::support::server::Served::start(&home, &["--env", "production", "--address-limit", "none"]);
    let asked = || server.get("/v1/validate", &[("X-API-Key", &key)]).status;
    assert_eq!(asked(), 200);
    rusqlite::Connection::open(home.keystore()).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let mut status = asked();
    while status == 200 {
        std::thread::yield_now();
        status = asked();
    }
    assert_eq!(status, 503, "never that the key is no good");
}
