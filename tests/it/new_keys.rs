//! New keys of the vault: what the old ones signed stays believed and what they could sign is not; whoever waited goes on; a
//! session that was ended stays ended; a slot that asks for too much is damage.

use crate::support::{Home, library};
use keyward::ops::Create;
use rusqlite::Connection;
use std::{fs, path::Path, process::Command};

fn copy_dir(from: &Path, to: &Path) {
    let copied = Command::new("cp").args(["-a".as_ref(), from.as_os_str(), to.as_os_str()]).status().unwrap();
    assert!(copied.success());
}

/// Whether the vault believes a checkpoint.
fn believes(home: &Home, checkpoint: &str) -> (Option<i32>, String) {
    let ran = home.run(&["audit", "verify", "--checkpoint", checkpoint]);
    (ran.code, ran.stderr)
}

#[test]
fn who_held_the_old_keys_signs_nothing_that_is_believed() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("home")).unwrap();
    let home = Home::at(&dir.path().join("home"));
    home.ok(&["create", "k"]);
    let key = home.ok(&["audit", "checkpoint", "--public-key"]);
    home.write("before", &format!("{}\n", home.ok(&["audit", "checkpoint"])));
    // Somebody keeps the whole home, with its admin slot, and goes on signing.
    copy_dir(home.path(), &dir.path().join("kept"));
    let kept = Home::at(&dir.path().join("kept"));
    home.ok(&["vault", "rekey", "--all", "--reason", "an administrator left"]);
    home.ok(&["create", "l"]);
    for _ in 0..9 {
        kept.ok(&["vault", "backup", "copy.db"]);
        fs::remove_file(kept.path().join("copy.db")).unwrap();
    }
    home.write("forged", &format!("{}\n", kept.ok(&["audit", "checkpoint"])));

    assert_eq!(believes(&home, "before").0, Some(0), "what was signed before still is");
    let (code, told) = believes(&home, "forged");
    assert!(code == Some(14) && told.contains("nobody who is known signed it"), "{told}");
    let fresh = home.ok(&["audit", "checkpoint", "--public-key"]);
    assert_ne!(key, fresh);
    let by = |key: &str| home.run(&["audit", "verify", "--public-key", key]);
    assert_eq!(by(&fresh).code, Some(0));
    let old = by(&key);
    assert!(old.code == Some(14) && old.stderr.contains("was replaced"), "{old:?}");
    let event = home.json(&["audit", "list", "--action", "vault.rekey"])["items"][0]["changes"].clone();
    assert_eq!(event["checkpoint_key"]["before"], key.trim());
    assert_eq!(event["checkpoint_key"]["after"], fresh.trim());
    // Neither does its head pass, put in the place of the vault's.
    fs::copy(kept.keystore(), home.keystore()).unwrap();
    assert_eq!(home.run(&["list"]).code, Some(14));
}

#[cfg(feature = "server")]
#[test]
fn new_keys_of_all_kinds_kill_no_verifier_and_give_webhooks_new_secrets() {
    let home = Home::new();
    let secret = home.ok(&["-q", "create", "k", "--env", "production"]);
    let hook = home.ok(&["-q", "webhooks", "add", "hook", "http://127.0.0.1:9/x", "--allow-private"]);
    let refused = home.run(&["vault", "rekey", "--all"]);
    assert!(refused.code == Some(2) && refused.stderr.contains("--out FILE"), "{refused:?}");
    assert_eq!(home.run(&["vault", "rekey", "--all", "--out", "new", "--dry-run"]).code, Some(0));
    assert!(!home.path().join("new").exists());
    home.ok(&["vault", "rekey", "--all", "--out", "new"]);
    let line: serde_json::Value = serde_json::from_str(&home.read("new")).unwrap();
    assert_eq!(line["webhook"], "hook");
    let fresh = line["secret"].as_str().unwrap();
    assert!(fresh.starts_with("whsec_") && fresh != hook.trim(), "{line}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(home.path().join("new")).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(home.run_with(&["verify", "-", "--env", "production"], &secret).code, Some(0));
    assert_eq!(home.run(&["vault", "rekey", "--all", "--out", "new"]).code, Some(6), "no file is replaced");
    home.ok(&["audit", "verify", "--full"]);
}

/// Processes that wait for the right to write while the vault gets new keys open it again by their slot.
#[test]
fn who_waited_while_the_vault_got_new_keys_goes_on() {
    let home = Home::new();
    home.ok(&["init"]);
    for args in [&["vault", "rekey"][..], &["vault", "rekey", "--all"]] {
        let now = || library::at(chrono::Utc::now());
        let backend = library::open(&library::vault(&home), &now());
        home.ok(args);
        let mut create = Create::named(format!("waited-{}", args.len()));
        create.expiry = Some(keyward::domain::Expiry::Never);
        backend.run(&now(), create).unwrap();
        assert_eq!(backend.vault("a slot").unwrap().slots(&now()).unwrap().len(), 1);
    }
    home.ok(&["audit", "verify", "--full"]);
}

#[test]
fn a_session_that_was_ended_does_not_come_back_with_its_file() {
    let home = Home::new();
    home.ok(&["init"]);
    let session = |home: &Home| home.json(&["unlock", "--for", "1h"])["secret"].as_str().unwrap().to_owned();
    let (token, other) = (session(&home), session(&home));
    let run = |args: &[&str], token: &str| home.run_in(args, &[("KEYWARD_SESSION", token)]);
    let file = home.find(&format!("{}.session", token.split('.').next().unwrap())).unwrap();
    let bytes = fs::read(&file).unwrap();
    assert_eq!(run(&["list"], &token).code, Some(0));
    assert_eq!(run(&["lock"], &token).code, Some(0));
    assert_eq!(run(&["list"], &token).code, Some(7));
    fs::write(&file, bytes).unwrap();
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let back = run(&["list"], &token);
    assert!(back.code == Some(7) && back.stderr.contains("no such session"), "{back:?}");
    assert_eq!(run(&["list"], &other).code, Some(0), "the other one goes on");
    assert_eq!(run(&["lock"], &token).code, Some(0), "ending it again is no error");
    home.ok(&["audit", "verify"]);
    assert_eq!(home.json(&["audit", "list", "--action", "vault.lock"])["page"]["total"], 2);
}

#[test]
fn a_slot_that_asks_for_too_much_is_damage_and_no_wrong_usage() {
    let home = Home::new();
    home.private("words", "a long enough passphrase");
    home.ok(&["init", "--passphrase-file", "words"]);
    let memory = [0x1a, 0x00, 0x01, 0x00, 0x00];
    let connection = Connection::open(home.keystore()).unwrap();
    let mut body: Vec<u8> = connection.query_row("SELECT body FROM slots", (), |row| row.get(0)).unwrap();
    let at = body.windows(5).position(|window| window == memory).unwrap();
    body[at + 1] = 0xff;
    connection.execute("UPDATE slots SET body = ?1", (body,)).unwrap();
    drop(connection);
    let ran = home.run(&["list", "--passphrase-file", "words"]);
    assert!(ran.code == Some(14) && ran.stderr.contains("damaged or hostile"), "{ran:?}");
}

#[test]
fn a_clock_before_the_last_commit_is_told_by_doctor_and_by_a_server() {
    if !Path::new("/usr/bin/faketime").exists() {
        eprintln!("skipped, for want of faketime");
        return;
    }
    let home = Home::new();
    home.ok(&["create", "k"]);
    assert!(home.run(&["doctor"]).stdout.contains("not before the last commit"));
    let doctor = home.shell("faketime '-1h' keyward doctor");
    assert!(doctor.stdout.contains("before the last commit"), "{doctor:?}");
    assert!(doctor.stdout.contains("the clock is wrong"), "{doctor:?}");
    #[cfg(feature = "server")]
    {
        let serve = home.shell(
            "faketime '-1h' timeout -s INT 20 keyward serve --listen unix:s & n=0; \
                                until [ -S s ] || [ $((n+=1)) -gt 200 ]; do sleep 0.1; done; kill %1; wait",
        );
        assert!(serve.stderr.contains("the clock is before the last commit"), "{serve:?}");
    }
}

/// Webhooks come while the vault gets new keys: each is there before or after, and has its secret from one of the two.
#[cfg(feature = "server")]
#[test]
fn no_webhook_that_comes_in_between_is_without_its_new_secret() {
    let home = Home::with_vault();
    home.ok(&["webhooks", "add", "first", "https://hooks.example.com/first"]);
    std::thread::scope(|scope| {
        let adding = scope.spawn(|| {
            for number in 0..8 {
                home.ok(&["webhooks", "add", &format!("hook-{number}"), "https://hooks.example.com/x"]);
            }
        });
        home.ok(&["--yes", "vault", "rekey", "--all", "--out", "new.jsonl"]);
        adding.join().unwrap();
    });
    let events = home.json(&["audit", "list", "--limit", "100"]);
    let events: Vec<(&str, &serde_json::Value)> =
        events["items"].as_array().unwrap().iter().map(|event| (event["action"].as_str().unwrap(), event)).collect();
    let at = events.iter().position(|(action, _)| *action == "vault.rekey").unwrap();
    let before = events[..at].iter().filter(|(action, _)| *action == "webhook.add").count();
    assert_eq!(home.read("new.jsonl").lines().count(), before);
    assert_eq!(home.json(&["webhooks", "list"])["page"]["total"], 9);
}
