//! `doctor` where something is wrong: it says what, changes nothing, and its exit code tells the kind of trouble.

use crate::support::Home;
use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::Path,
};

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn made() -> Home {
    let home = Home::new();
    home.ok(&["create", "a"]);
    home
}

/// The findings that are not well, as "check: detail".
fn problems(home: &Home, code: i32) -> Vec<String> {
    let ran = home.run(&["-o", "json", "doctor"]);
    assert_eq!(ran.code, Some(code), "{ran:?}");
    let found: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(found["schema"], "keyward.doctor/v1");
    let items = found["items"].as_array().unwrap().iter().filter(|item| item["ok"] == false);
    items.map(|item| format!("{}: {}", item["check"].as_str().unwrap(), item["detail"].as_str().unwrap())).collect()
}

#[test]
fn a_sound_vault_and_none_at_all() {
    let home = made();
    assert_eq!(problems(&home, 0), Vec::<String>::new());
    let table = home.ok(&["doctor"]);
    for place in [".local/share/keyward", ".config/keyward", ".local/state/keyward", "keystore.db", "devices"] {
        assert!(table.contains(place), "{place}: {table}");
    }
    assert!(table.contains("one admin slot only"), "{table}");
    let none = Home::new();
    let found = problems(&none, 3);
    assert!(found.len() == 1 && found[0].starts_with("vault: there is no vault at "), "{found:?}");
    assert!(fs::read_dir(none.path()).unwrap().next().is_none(), "looking makes nothing");
}

#[test]
fn what_others_can_get_at() {
    let home = made();
    let device = fs::read_dir(home.path().join(".config/keyward/devices")).unwrap().next().unwrap().unwrap().path();
    mode(&device, 0o640);
    let found = problems(&home, 5);
    assert!(found[0].starts_with("device key: ") && found[0].contains("chmod"), "{found:?}");
    mode(&device, 0o600);
    let data = home.path().join(".local/share/keyward");
    mode(&data, 0o755);
    assert!(problems(&home, 1)[0].contains("is open to others"));
    mode(&data, 0o700);
    mode(&home.keystore(), 0o644);
    let ran = home.run(&["doctor"]);
    assert!(ran.code != Some(0) && ran.stdout.contains("is open to others"), "{ran:?}");
    mode(&home.keystore(), 0o600);
    assert_eq!(problems(&home, 0), Vec::<String>::new());
}

#[test]
fn what_does_not_open() {
    let home = made();
    let (devices, aside) = (home.path().join(".config/keyward/devices"), home.path().join("aside"));
    fs::rename(&devices, &aside).unwrap();
    assert_eq!(problems(&home, 7), ["vault: the vault is locked"]);
    let ran = home.run(&["doctor"]);
    assert!(ran.stderr.contains("no such file") && ran.stderr.contains("--key-file"), "{}", ran.stderr);
    fs::rename(&aside, &devices).unwrap();

    let kept = fs::read(home.keystore()).unwrap();
    for (bytes, told) in [
        (kept[..kept.len() / 2].to_vec(), "damaged"),
        (b"SQLite format 3\0 and then nothing".to_vec(), ""),
        (b"a letter to somebody".to_vec(), "not a keyward keystore"),
        (Vec::new(), "not a keyward keystore"),
    ] {
        fs::remove_file(home.keystore()).unwrap();
        fs::write(home.path().join(".local/share/keyward/keystore.db"), &bytes).unwrap();
        mode(&home.keystore(), 0o600);
        let found = problems(&home, 14);
        assert!(found[0].starts_with("keystore: ") && found[0].contains(told), "{found:?}");
        assert_eq!(fs::read(home.keystore()).unwrap(), bytes, "doctor wrote into it");
    }
    fs::remove_file(home.keystore()).unwrap();
    let found = problems(&home, 9);
    assert!(found[0].starts_with("vault: the keystore that was here is gone"), "{found:?}");
    let never = Home::new().run(&["doctor"]);
    assert!(never.code == Some(3) && never.stderr.contains("vault restore"), "where there never was one: {never:?}");
}

#[test]
fn a_keystore_that_was_put_back_or_changed() {
    let home = made();
    let old = fs::read(home.keystore()).unwrap();
    for name in ["b", "c"] {
        home.ok(&["create", name]);
    }
    let new = fs::read(home.keystore()).unwrap();
    for rest in ["keystore.db-wal", "keystore.db-shm"] {
        let _ = fs::remove_file(home.keystore().with_file_name(rest));
    }
    fs::write(home.keystore(), &old).unwrap();
    assert_eq!(problems(&home, 14).len(), 1);
    fs::write(home.keystore(), &new).unwrap();
    assert_eq!(problems(&home, 0), Vec::<String>::new());
}

#[test]
fn what_cannot_be_written() {
    /// Somebody whom modes stop, where the tests are run by root.
    const NOBODY: u32 = 65534;
    let home = Home::new();
    let root = fs::metadata(home.path()).unwrap().uid() == 0;
    let command = |args: &[&str]| {
        let mut command = home.command(args);
        if root {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    };
    if root {
        chown(home.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        if command(&["help", "ci"]).output().is_err() {
            eprintln!("SKIPPED: the binary is in a place where only root can run it: put CARGO_TARGET_DIR elsewhere");
            return;
        }
    }
    let doctor = || crate::support::Ran::of(command(&["doctor"]).output().unwrap());
    assert!(command(&["create", "a"]).output().unwrap().status.success());
    assert_eq!(doctor().code, Some(0));
    for place in [".local/share/keyward", ".local/state/keyward"] {
        let place = home.path().join(place);
        mode(&place, 0o500);
        let ran = doctor();
        assert_ne!(ran.code, Some(0), "{ran:?}");
        assert!(ran.stdout.contains(&format!("{} cannot be written", place.display())), "{ran:?}");
        mode(&place, 0o700);
    }
}
