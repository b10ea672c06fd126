//! The audit trail as a user works with it: checkpoints, proofs, exports, reviews, investigation, archives.

use crate::support::{Home, library, outsider};
use keyward::{backend::InitOptions, domain::time::parse_time, ops::Create};
use serde_json::Value;
use std::io::{BufRead, BufReader};

fn home_with_a_story() -> Home {
    let home = Home::new();
    home.ok(&["create", "billing-sync", "--scope", "audits:read", "--ticket", "OPS-7", "--reason", "new service"]);
    home.ok(&["create", "nightly-export"]);
    home.ok(&["update", "billing-sync", "--owner", "bob@example.com", "--add-scope", "audits:export"]);
    home.ok(&["revoke", "billing-sync", "--reason", "leaked"]);
    assert_ne!(home.run(&["activate", "billing-sync"]).code, Some(0));
    home.ok(&["delete", "billing-sync", "--confirm", "billing-sync", "--yes"]);
    home
}

#[test]
fn a_checkpoint_is_a_note_that_anybody_can_check() {
    let home = home_with_a_story();
    let key = home.ok(&["audit", "checkpoint", "--public-key"]);
    let note = format!("{}\n", home.ok(&["audit", "checkpoint"]));
    let (origin, size, root) = outsider::open_note(&note, &key).unwrap();
    assert!(origin.starts_with("keyward/vault_"));
    assert!(outsider::open_note(&note.replacen(&size.to_string(), "1", 1), &key).is_none());

    // An outsider computes the same root from the exported bodies alone.
    let export = home.ok(&["audit", "export"]);
    let bodies: Vec<String> = export
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["body"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(bodies.len() as u64, size + 1);
    assert_eq!(outsider::root(&bodies[..size as usize]), root);

    home.write("cp.txt", &note);
    home.write("export.jsonl", &export);
    home.ok(&["audit", "verify", "--full", "--checkpoint", "cp.txt"]);
    // Checking an export needs no vault: another home has none, and makes none.
    let other = Home::new();
    for name in ["cp.txt", "export.jsonl"] {
        std::fs::copy(home.path().join(name), other.path().join(name)).unwrap();
    }
    let offline = ["audit", "verify", "--file", "export.jsonl", "--checkpoint", "cp.txt", "--public-key", &key];
    let report = other.json(&offline);
    assert_eq!((&report["proven"], &report["whole"]), (&size.into(), &true.into()));
    assert!(other.find("keystore.db").is_none());
}

#[test]
fn an_event_is_proven_to_an_outsider() {
    let home = home_with_a_story();
    for seq in ["1", "4"] {
        let proof = home.json(&["audit", "prove", seq]);
        let text = |name: &str| proof[name].as_str().unwrap();
        let (_, size, root) = outsider::open_note(text("checkpoint"), text("public_key")).unwrap();
        let path: Vec<&str> = proof["proof"].as_array().unwrap().iter().map(|hash| hash.as_str().unwrap()).collect();
        let index = proof["index"].as_u64().unwrap();
        assert_eq!(outsider::root_of_path(text("body"), index, size, &path), Some(root));
        assert_ne!(outsider::root_of_path(&text("body").replace("ok", "no"), index, size, &path), Some(root));
    }
    assert_eq!(home.run(&["audit", "prove", "999"]).code, Some(3));
}

#[test]
fn checkpoints_go_to_files_repositories_and_commands() {
    let home = home_with_a_story();
    let git = |args: &[&str]| {
        let done = std::process::Command::new("git").arg("-C").arg(home.path().join("anchors")).args(args).output();
        String::from_utf8(done.unwrap().stdout).unwrap()
    };
    std::fs::create_dir(home.path().join("anchors")).unwrap();
    let has_git = std::process::Command::new("git").arg("--version").output().is_ok();
    let mut sinks = vec!["--to", "file:kept.checkpoints", "--to", "cmd:cat > by-command.txt"];
    if has_git {
        git(&["init", "--quiet"]);
        git(&["config", "user.name", "Test"]);
        git(&["config", "user.email", "test@example.com"]);
        sinks.extend(["--to", "git:anchors"]);
    } else {
        eprintln!("skipped: there is no git");
    }
    for _ in 0..2 {
        let mut args = vec!["audit", "checkpoint"];
        args.extend(&sinks);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let ran = home.command(&args).env("PATH", path).output().unwrap();
        assert!(ran.status.success(), "{ran:?}");
    }
    if has_git {
        assert_eq!(git(&["log", "--oneline"]).lines().count(), 2);
    }
    let report = home.json(&["audit", "verify", "--checkpoint", "kept.checkpoints", "--checkpoint", "by-command.txt"]);
    assert_eq!(report["checkpoints"], 3);
    let told = home.json(&["audit", "list", "--action", "audit.checkpoint"]);
    let to = told["items"][0]["changes"]["to"].to_string();
    assert!(to.contains("file:kept.checkpoints") && to.contains("cmd:cat"), "{to}");
    assert!(!to.contains("by-command"), "arguments of a command may be secret: {to}");

    assert_eq!(home.run(&["audit", "checkpoint", "--to", "cmd:exit 3"]).code, Some(9));
    assert_eq!(home.run(&["audit", "checkpoint", "--to", "ftp:somewhere"]).code, Some(2));
    let beside = format!("file:{}/cp", home.keystore().parent().unwrap().display());
    assert_eq!(home.run(&["audit", "checkpoint", "--to", &beside]).code, Some(2));
}

/// Answers one request after the other, and hands over their bodies.
#[cfg(feature = "server")]
fn endpoint(answers: [&'static str; 2]) -> (String, std::thread::JoinHandle<Vec<String>>) {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://user:secret@{}/add?token=secret", listener.local_addr().unwrap());
    let bodies = std::thread::spawn(move || {
        answers
            .map(|answer| {
                let mut stream = BufReader::new(listener.accept().unwrap().0);
                let mut length = 0;
                loop {
                    let mut line = String::new();
                    stream.read_line(&mut line).unwrap();
                    if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap();
                    }
                    if line == "\r\n" {
                        break;
                    }
                }
                let mut body = vec![0; length];
                stream.read_exact(&mut body).unwrap();
                let reply = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                stream.get_mut().write_all(reply.as_bytes()).unwrap();
                String::from_utf8(body).unwrap()
            })
            .to_vec()
    });
    (url, bodies)
}

#[cfg(feature = "server")]
#[test]
fn a_checkpoint_is_posted_to_an_endpoint() {
    let home = home_with_a_story();
    let (url, bodies) = endpoint(["204 No Content", "500 Internal Server Error"]);
    home.ok(&["audit", "checkpoint", "--to", &url]);
    let refused = home.run(&["audit", "checkpoint", "--to", &url]);
    assert_eq!(refused.code, Some(9), "{refused:?}");
    assert!(!refused.stderr.contains("secret"), "{refused:?}");
    let key = home.ok(&["audit", "checkpoint", "--public-key"]);
    assert!(outsider::open_note(&bodies.join().unwrap()[0], &key).is_some());
    assert!(!home.ok(&["-o", "json", "audit", "list"]).contains("secret"));
}

#[test]
fn the_whole_story_of_a_deleted_key_is_found_by_its_name() {
    let home = home_with_a_story();
    let actions = |args: &[&str]| -> Vec<String> {
        let listed = home.json(&[&["audit", "list"], args].concat());
        listed["items"].as_array().unwrap().iter().map(|item| item["action"].as_str().unwrap().to_owned()).collect()
    };
    let story = actions(&["--key", "billing-sync"]);
    assert_eq!(
        story,
        ["key.create", "key.update", "key.handover", "key.revoke", "key.activate", "key.delete"],
        "{story:?}"
    );
    let id = home.json(&["audit", "list", "--key", "billing-sync"])["items"][0]["target"].as_str().unwrap().to_owned();
    assert_eq!(actions(&["--key", &id]).last().unwrap(), "key.delete");
    assert_eq!(actions(&["--key", &id[..12]]).first().unwrap(), "key.create");
    assert_eq!(actions(&["--for-ticket", "OPS-7"]), ["vault.init", "scope.add", "key.create"]);
    assert_eq!(actions(&["--outcome", "refused"]), ["key.activate"]);
    assert_eq!(actions(&["--action", "key.revoke", "--since", "2020-01-01"]), ["key.revoke"]);
    assert!(actions(&["--address", "203.0.113.0/24"]).is_empty());
    assert!(actions(&["--actor", "nobody@nowhere"]).is_empty());
    assert_eq!(actions(&["--limit", "1"]), ["key.delete"]);
    assert!(actions(&["--source", "cli"]).len() >= 7);

    let update = home.json(&["audit", "list", "--action", "key.update"])["items"][0]["seq"].to_string();
    let shown = home.ok(&["audit", "show", &update]);
    assert!(shown.contains("+ scopes: audits:export"), "{shown}");
    assert!(!shown.contains("audits:read"), "{shown}");
    assert_eq!(home.run(&["audit", "show", "999"]).code, Some(3));
}

#[test]
fn a_review_is_an_event_and_starts_the_count_again() {
    let home = home_with_a_story();
    let summary = home.json(&["audit", "review"]);
    let created = summary["items"].as_array().unwrap().iter().find(|row| row["action"] == "key.create").unwrap();
    assert_eq!((&created["events"], &created["outcome"]), (&2.into(), &"ok".into()));
    let all = home.json(&["audit", "list", "--unreviewed"])["page"]["total"].as_u64().unwrap();
    let upto = (all - 1).to_string();
    home.ok(&["audit", "review", "--upto", &upto, "--note", "the leak is known"]);
    let left = home.json(&["audit", "list", "--unreviewed"]);
    let actions: Vec<&Value> = left["items"].as_array().unwrap().iter().map(|item| &item["action"]).collect();
    assert_eq!(actions, ["key.delete", "audit.review"]);
    assert_eq!(left["items"][1]["changes"]["note"], "the leak is known");
    for (upto, code) in [("1", 6), ("0", 2), ("99", 2)] {
        assert_eq!(home.run(&["audit", "review", "--upto", upto, "--note", "x"]).code, Some(code), "{upto}");
    }
    assert_eq!(home.run(&["audit", "review", "--upto", "1"]).code, Some(2));
    let doctor = home.json(&["doctor"]);
    let finding = doctor["items"].as_array().unwrap().iter().find(|item| item["check"] == "review").unwrap();
    assert_eq!(finding["ok"], true, "{finding}");
    // It is found by an index that does not depend on the keys.
    home.ok(&["vault", "rekey"]);
    assert_eq!(home.run(&["audit", "review", "--upto", "1", "--note", "x"]).code, Some(6));
}

#[test]
fn export_and_view_obey_the_plan() {
    let home = home_with_a_story();
    home.ok(&["plans", "create", "blind", "--audit-view", "false", "--audit-export", "false"]);
    home.ok(&["workspaces", "update", "default", "--plan", "blind"]);
    for args in [
        &["audit", "list"][..],
        &["audit", "show", "1"],
        &["audit", "prove", "1"],
        &["audit", "review"],
        &["audit", "export"],
    ] {
        let ran = home.run(args);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(5), ""), "{args:?}: {ran:?}");
    }
    home.ok(&["audit", "verify"]);
}

#[test]
fn following_shows_what_comes() {
    let home = home_with_a_story();
    let mut child =
        home.command(&["-o", "jsonl", "audit", "list", "--follow", "--action", "scope.close"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    home.ok(&["scopes", "close"]);
    let event: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(event["action"], "scope.close");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn part_of_the_trail_is_exported_with_proofs_and_its_own_count() {
    let home = home_with_a_story();
    let key = home.ok(&["audit", "checkpoint", "--public-key"]);
    let part = home.ok(&["audit", "export", "--key", "billing-sync", "--checkpoint-out", "cp.txt"]);
    assert_eq!(part.lines().count(), 7);
    let check = |text: &str| {
        home.write("part.jsonl", text);
        home.run(&["audit", "verify", "--file", "part.jsonl", "--checkpoint", "cp.txt", "--public-key", &key])
    };
    assert_eq!(check(&part).code, Some(0));
    let lines: Vec<&str> = part.lines().collect();
    for without in 0..lines.len() {
        let mut fewer = lines.clone();
        fewer.remove(without);
        assert_eq!(check(&fewer.join("\n")).code, Some(14), "line {without}");
    }
    let mut swapped = lines.clone();
    swapped.swap(1, 2);
    assert_eq!(check(&swapped.join("\n")).code, Some(14));
    for (from, to) in [("bob@example.com", "eve@example.com"), ("\"outcome\":\"refused\"", "\"outcome\":\"ok\"")] {
        assert!(part.contains(from));
        assert_eq!(check(&part.replacen(from, to, 1)).code, Some(14), "{from}");
    }
}

/// A vault whose events are old, made through the library, for the program knows only the clock's time.
fn old_home() -> Home {
    let home = Home::new();
    let vault = library::vault(&home);
    let at = |date: &str| library::at(parse_time(date).unwrap());
    vault.init(&at("2020-01-01"), InitOptions::default()).unwrap();
    let backend = library::open(&vault, &at("2020-01-01"));
    for number in 0..40 {
        let mut create = Create::named(format!("old-{number}"));
        create.expiry = Some(keyward::domain::Expiry::Never);
        backend.run(&at("2020-02-01"), create).unwrap();
    }
    for number in 0..10 {
        let request = keyward::ops::Delete {
            key: keyward::domain::KeyRef::Name(format!("old-{number}")),
            environment: None,
            only_if_idle: None,
        };
        backend.change(&at("2020-03-01"), request).unwrap();
    }
    home
}

#[test]
fn old_events_move_to_an_archive_and_everything_still_verifies() {
    let home = old_home();
    let key = home.ok(&["audit", "checkpoint", "--public-key"]);
    home.ok(&["audit", "checkpoint", "--to", "file:old.checkpoints"]);
    let before = home.json(&["audit", "list"])["page"]["total"].as_u64().unwrap();
    let recent = chrono::Utc::now().format("%Y-%m-%d").to_string();
    let archive = |args: &[&str]| home.run(&[&["audit", "archive"], args].concat());
    assert_eq!(archive(&["--before", &recent, "--out", "a"]).code, Some(5));
    assert_eq!(archive(&["--before", "2019-01-01", "--out", "a"]).code, Some(0));
    assert!(!home.path().join("a").exists());
    let size = || std::fs::metadata(home.path().join(".local/share/keyward/keystore.db")).unwrap().len();
    home.ok(&["audit", "list"]);
    let large = size();
    home.ok(&["audit", "archive", "--before", "2021-01-01", "--out", "2020.archive"]);
    assert!(size() < large, "the keystore gives the room back: {} of {large}", size());
    let sealed = std::fs::read_to_string(home.path().join("2020.archive")).unwrap();
    assert!(!sealed.contains("alice") && !sealed.contains("old-3"), "the archive is sealed");

    let after = home.json(&["audit", "list"])["page"]["total"].as_u64().unwrap();
    assert!(after < before, "{after} of {before}");
    home.ok(&["audit", "verify", "--full", "--checkpoint", "old.checkpoints", "--archive", "2020.archive"]);
    home.ok(&["show", "old-20"]);
    home.ok(&["update", "old-20", "--owner", "bob"]);
    let newest = home.json(&["audit", "list", "--limit", "1"])["items"][0]["seq"].to_string();
    home.ok(&["audit", "prove", &newest]);
    home.ok(&["vault", "rekey"]);
    home.ok(&["audit", "verify", "--full", "--checkpoint", "old.checkpoints", "--archive", "2020.archive"]);
    let read = home.ok(&["audit", "archive", "--read", "2020.archive"]);
    assert!(read.contains("alice@host") && read.contains("old-3"));
    assert_eq!(home.run(&["audit", "show", "3"]).code, Some(3));
    // Twice: what stays of the first keys is sealed again with the second.
    for _ in 0..2 {
        home.ok(&["vault", "rekey", "--all"]);
        home.ok(&["audit", "verify", "--full", "--checkpoint", "old.checkpoints", "--archive", "2020.archive"]);
        assert!(home.ok(&["audit", "archive", "--read", "2020.archive"]).contains("old-3"));
    }

    // An outsider checks it with the key and a checkpoint; changes are found.
    let check = |text: &str| {
        home.write("copy.archive", text);
        home.run(&[
            "audit",
            "verify",
            "--file",
            "copy.archive",
            "--checkpoint",
            "old.checkpoints",
            "--public-key",
            &key,
        ])
        .code
    };
    assert_eq!(check(&sealed), Some(0));
    assert_eq!(check(&sealed.replacen("key.create", "key.update", 1)), Some(14));
    let shorter: Vec<&str> = sealed.lines().filter(|line| !line.contains("\"seq\":5,")).collect();
    assert_eq!(check(&shorter.join("\n")), Some(14));
    let tampered = sealed.replacen("key.create", "key.update", 1);
    home.write("copy.archive", &tampered);
    assert_eq!(home.run(&["audit", "verify", "--archive", "copy.archive"]).code, Some(14));
}

#[test]
fn retention_has_a_floor() {
    let home = old_home();
    let config = home.path().join(".config/keyward/config.toml");
    std::fs::write(&config, "audit_retention_days = 30\n").unwrap();
    assert_eq!(home.run(&["audit", "archive", "--before", "2021-01-01", "--out", "a"]).code, Some(2));
    std::fs::write(&config, "audit_retention_days = 90\n").unwrap();
    let dry = home.run(&["-n", "audit", "archive", "--before", "2021-01-01", "--out", "a"]);
    assert_eq!(dry.code, Some(0), "{dry:?}");
    assert!(!home.path().join("a").exists());
    // Nobody has looked at it for six years.
    let doctor = home.run(&["doctor"]);
    assert!(doctor.stdout.contains("nobody has looked at"), "{doctor:?}");
    std::fs::write(&config, "audit_review_days = 0\n").unwrap();
    assert!(!home.run(&["doctor"]).stdout.contains("nobody has looked at"));
}
