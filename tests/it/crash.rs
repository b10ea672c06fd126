//! Many processes at once, and processes killed at any moment: no key is half there, and the trail matches the keys.
//!
//! The counts are small so that the suite stays quick; `benches/kills.sh` runs them at full size.

use crate::support::{
    Home,
    kills::{run_and_kill, size},
};
use std::{collections::BTreeSet, fs::Permissions, os::unix::fs::PermissionsExt, time::Instant};

#[test]
fn many_processes_create_keys_at_once() {
    let home = Home::new();
    home.ok(&["init"]);
    let count = size(24);
    let children: Vec<_> =
        (0..count).map(|number| home.command(&["create", &format!("key-{number}")]).spawn().unwrap()).collect();
    let mut made = 0;
    for child in children {
        let output = child.wait_with_output().unwrap();
        match output.status.code() {
            Some(0) => made += 1,
            Some(8) => assert!(output.stdout.is_empty()),
            other => panic!("{other:?}: {}", String::from_utf8_lossy(&output.stderr)),
        }
    }
    assert!(made > 0);
    assert_eq!(home.json(&["list"])["page"]["total"], made);
    home.ok(&["audit", "verify"]);
}

#[test]
fn of_many_first_commands_one_makes_the_vault_and_all_use_it() {
    let home = Home::new();
    let children: Vec<_> =
        (0..6).map(|number| home.command(&["create", &format!("key-{number}")]).spawn().unwrap()).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(home.json(&["list"])["page"]["total"], 6);
    home.ok(&["audit", "verify"]);
}

#[test]
fn a_killed_process_leaves_a_key_whole_or_not_at_all() {
    let home = Home::new();
    home.ok(&["create", "rotated", "--no-expiry"]);
    let begun = Instant::now();
    home.ok(&["rotate", "rotated"]);
    let whole = begun.elapsed();
    for round in 0..size(12) {
        let name = format!("key-{round}");
        let args: Vec<&str> = match round % 3 {
            0 => vec!["create", &name],
            1 => vec!["rotate", "rotated", "--supersede"],
            _ => vec!["vault", "rekey", "--yes"],
        };
        run_and_kill(&home, &args, whole, round);
        home.ok(&["audit", "verify"]);
        let current = home.json(&["list"])["items"].as_array().unwrap().iter().all(|key| {
            key["secrets"].as_array().unwrap().iter().filter(|secret| secret["state"] == "current").count() == 1
        });
        assert!(current, "round {round}");
    }
}

/// The targets of the events of an action that was done.
fn done(home: &Home, action: &str) -> Vec<String> {
    let list = home.json(&["audit", "list", "--action", action, "--limit", "100000"]);
    let events = list["items"].as_array().unwrap().iter().filter(|event| event["outcome"] == "ok");
    events.map(|event| event["target"].as_str().unwrap().to_owned()).collect()
}

fn slots(home: &Home) -> Vec<serde_json::Value> {
    home.json(&["vault", "slots", "list"])["items"].as_array().unwrap().clone()
}

#[test]
fn a_killed_slot_change_leaves_the_slots_that_the_trail_tells_of() {
    let home = Home::new();
    home.ok(&["init"]);
    let first = slots(&home)[0]["id"].as_str().unwrap().to_owned();
    let file = |name: String| home.path().join(name).to_str().unwrap().to_owned();
    let passphrase = |round: usize| {
        let path = file(format!("passphrase-{round}"));
        std::fs::write(&path, format!("a long enough passphrase, the {round}th")).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        path
    };
    let opens = |passphrase: &str| match home.run(&["list", "--passphrase-file", passphrase]).code {
        Some(0) => true,
        Some(7) => false,
        other => panic!("{other:?}"),
    };
    let took = |args: &[&str]| {
        let begun = Instant::now();
        home.ok(args);
        begun.elapsed()
    };
    let mut current = passphrase(usize::MAX);
    let slow = took(&["vault", "passphrase", "--new-passphrase-file", &current]);
    let quick = took(&["vault", "slots", "add", "--device-file", &file("device".to_owned()), "--role", "support"]);
    for round in 0..size(6) {
        match round % 3 {
            0 => {
                let device = file(format!("device-{round}"));
                run_and_kill(&home, &["vault", "slots", "add", "--device-file", &device], quick, round);
            }
            1 => {
                let next = passphrase(round);
                let change =
                    ["vault", "passphrase", "--new-passphrase-file", &next, "--passphrase-file", &current, "--yes"];
                run_and_kill(&home, &change, slow * 2, round);
                let (old_opens, new_opens) = (opens(&current), opens(&next));
                assert!(old_opens != new_opens, "round {round}: one passphrase opens the vault, the old or the new");
                if new_opens {
                    current = next;
                }
            }
            _ => {
                let spare = slots(&home).into_iter().find(|slot| slot["kind"] == "device" && slot["id"] != *first);
                let Some(spare) = spare else { continue };
                let id = spare["id"].as_str().unwrap();
                run_and_kill(&home, &["vault", "slots", "remove", id, "--yes"], quick, round);
            }
        }
        home.ok(&["audit", "verify"]);
        let there: BTreeSet<String> = slots(&home).iter().map(|slot| slot["id"].as_str().unwrap().to_owned()).collect();
        let mut told: BTreeSet<String> = done(&home, "vault.slot_add").into_iter().chain([first.clone()]).collect();
        for removed in done(&home, "vault.slot_remove") {
            told.remove(&removed);
        }
        assert_eq!(there, told, "round {round}");
    }
}

/// A small file system of its own; `None` where it cannot be mounted, which is said.
struct SmallDisk {
    dir: tempfile::TempDir,
}

impl SmallDisk {
    fn mount(size: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", size, "tmpfs"]).arg(dir.path());
        if !mount.output().is_ok_and(|output| output.status.success()) {
            eprintln!("skipped: a small tmpfs can be mounted by root only");
            return None;
        }
        Some(Self { dir })
    }

    fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        let mut mount = std::process::Command::new("mount");
        assert!(mount.args(["-o", &options]).arg(self.dir.path()).status().unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(self.dir.path()).status();
    }
}

#[test]
fn many_keys_are_made_only_where_there_is_room_for_their_secrets() {
    let Some(disk) = SmallDisk::mount("size=1m") else { return };
    let home = Home::with_vault();
    let names: Vec<String> = (0..1000).map(|number| format!("key-{number}")).collect();
    home.write("keys.csv", &format!("name\n{}\n", names.join("\n")));
    let out = disk.dir.path().join("secrets.jsonl");
    let refused = home.run(&["create", "--from", "keys.csv", "--out", out.to_str().unwrap()]);
    assert_eq!(refused.code, Some(9), "{refused:?}");
    assert!(refused.stderr.contains("No space left") && !out.exists(), "{refused:?}");
    assert_eq!(home.json(&["list", "--status", "any"])["page"]["total"], 0);
}

/// A leaked secret is stopped also where there is no room for anything else.
#[cfg(feature = "server")]
#[test]
fn a_key_is_revoked_on_a_full_disk() {
    let Some(disk) = SmallDisk::mount("size=4m") else { return };
    let home = Home::at(disk.dir.path());
    home.ok(&["create", "leaked"]);
    let bearer = format!("Bearer {}", home.ok(&["operators", "create", "root", "--role", "platform-admin"]));
    let server = crate::support::server::Served::start(&home, &[]);
    let filler = disk.dir.path().join("filler");
    let post = |path: &str, body: &str| server.send("POST", path, &[("Authorization", &bearer)], body);
    let full = || assert!(std::fs::write(&filler, vec![0; 8 << 20]).is_err());
    full();
    let mut made = 0;
    while post("/v1/keys", &format!("{{\"name\":\"k-{made}\"}}")).status == 201 {
        made += 1;
        assert!(made < 5_000);
        full();
    }
    let revoked = post("/v1/keys/leaked/revoke", "");
    assert_eq!(revoked.status, 200, "{revoked:?}");
    std::fs::remove_file(&filler).unwrap();
    let shown = home.run(&["-o", "json", "show", "leaked"]);
    assert!(shown.stdout.contains("\"status\": \"revoked\"") || shown.stdout.contains("\"revoked\""), "{shown:?}");
    home.ok(&["audit", "verify"]);
}

#[test]
fn a_full_disk_and_a_read_only_one_lose_nothing() {
    let Some(disk) = SmallDisk::mount("size=1280k") else { return };
    let home = Home::at(disk.dir.path());
    let mut made = 0;
    let full = loop {
        let ran = home.run(&["create", &format!("key-{made}")]);
        match ran.code {
            Some(0) => made += 1,
            _ => break ran,
        }
        assert!(made < 2_000);
    };
    assert_eq!(full.code, Some(9), "{full:?}");
    assert!(made > 0, "the file system is too small for a vault and a key");
    assert!(full.stderr.contains("the disk is full") && full.stdout.is_empty(), "{full:?}");
    // What is smaller than a new key may still fit; then it is done, and otherwise refused as a whole.
    let mut seen = Vec::new();
    for args in [&["rotate", "key-0", "--supersede"][..], &["vault", "rekey", "--yes"]].repeat(4) {
        let ran = home.run(args);
        assert!(matches!(ran.code, Some(0 | 9)), "{ran:?}");
        assert!(ran.code == Some(0) || ran.stderr.contains("the disk is full"), "{ran:?}");
        seen.extend(ran.stdout.lines().map(str::to_owned).next_back());
    }
    // Not a byte is left: what a reader needs beside the keystore fits only where it was there before.
    let filler = disk.dir.path().join("filler");
    assert!(std::fs::write(&filler, vec![0; 1 << 20]).is_err());
    for args in [&["list"][..], &["show", "key-0"], &["audit", "verify"], &["create", "x"], &["vault", "status"]] {
        let ran = home.run(args);
        if ran.code == Some(0) && args[0] != "create" {
            continue;
        }
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(9), ""), "{args:?}: {ran:?}");
        assert!(ran.stderr.contains("the disk is full") && ran.stderr.contains("make room"), "{args:?}: {ran:?}");
    }
    std::fs::remove_file(filler).unwrap();
    disk.remount("size=8m");
    assert_eq!(home.json(&["list"])["page"]["total"], made, "a key was made whose secret nobody saw");
    if let Some(token) = seen.last() {
        let (verdict, code) = home.verdict(token, &[]);
        assert_eq!(code, Some(0), "a secret was shown that does not work: {verdict}");
    }
    home.ok(&["rotate", "key-0", "--supersede"]);
    home.ok(&["vault", "rekey", "--yes"]);
    home.ok(&["create", "there-is-room"]);
    home.ok(&["audit", "verify"]);

    disk.remount("ro");
    let refused = home.run(&["create", "read-only"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{refused:?}");
    // Where nothing can be kept no session opens, and to open one is no way out.
    let unopened = home.run(&["-o", "json", "unlock"]);
    assert!(matches!(unopened.code, Some(1)) && !unopened.stderr.contains("eval"), "{unopened:?}");
    assert!(unopened.stderr.contains("\"retryable\":false"), "{unopened:?}");
    disk.remount("rw");
    assert_eq!(home.json(&["list"])["page"]["total"], made + 1);
}
