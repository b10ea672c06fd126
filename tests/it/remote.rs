//! The command line over a server, beyond what is equal through both doors: roles, logins, new vault keys, the trail.

use crate::support::{
    Home,
    door::{Door, Doors},
    server::{Served, socket},
};
use serde_json::Value;
use std::path::{Path, PathBuf};

#[test]
fn what_is_a_matter_of_the_vault_is_not_done_through_a_server() {
    let doors = Doors::new();
    for line in [
        "init",
        "unlock",
        "serve",
        "vault status",
        "vault slots list",
        "vault rekey",
        "vault backup x",
        "vault recovery",
        "vault restore x",
        "vault passphrase",
        "audit archive --before 2020-01-01 --out x",
    ] {
        let ran = doors.there().run(&line.split(' ').collect::<Vec<_>>(), "");
        assert_eq!(ran.code, Some(2), "{line}: {ran:?}");
        assert!(ran.stderr.contains("--server"), "{line}: {ran:?}");
    }
    assert!(doors.client.find("keystore.db").is_none());
    let checked = doors.there().run(&["doctor"], "");
    assert_eq!(checked.code, Some(0), "{checked:?}");
    assert!(checked.stdout.contains("platform-admin"), "{checked:?}");
}

#[test]
fn a_role_has_the_exit_codes_of_the_command_line() {
    let (behind, client) = (Home::with_vault(), Home::new());
    let support = behind.ok(&["operators", "create", "desk", "--role", "support"]);
    let listen = format!("unix:{}", socket(&behind).display());
    let server = Served::start_with(&behind, &["serve", "--listen", &listen]);
    let run = |token: &str, args: &[&str]| {
        client.run_in(args, &[("KEYWARD_SERVER", server.url.as_str()), ("KEYWARD_TOKEN", token)])
    };
    assert_eq!(run(&support, &["list"]).code, Some(0));
    let refused = run(&support, &["create", "mine"]);
    assert_eq!(refused.code, Some(5), "{refused:?}");
    assert!(refused.stderr.contains("support"), "{refused:?}");
    assert_eq!(run("kwop_wrong", &["list"]).code, Some(4));
    assert_eq!(run("two\nlines", &["list"]).code, Some(4));
    let me = run(&support, &["-o", "json", "whoami", "--explain"]);
    assert!(!me.stdout.contains(&support) && !me.stderr.contains(&support));
    let me: Value = serde_json::from_str(&me.stdout).unwrap();
    assert_eq!((me["actor"].as_str(), me["role"].as_str()), (Some("desk"), Some("support")));
    let setting = |name: &str| {
        let all = me["settings"].as_array().unwrap();
        all.iter().find(|one| one["setting"] == name).map(|one| one["source"].as_str().unwrap().to_owned())
    };
    assert_eq!(setting("server").as_deref(), Some("KEYWARD_SERVER"));
    assert_eq!(setting("token").as_deref(), Some("KEYWARD_TOKEN"));
    assert_eq!(setting("output").as_deref(), Some("--output"));
    assert_eq!(setting("workspace").as_deref(), Some("default"));
}

#[test]
fn a_vault_that_is_named_is_meant_and_no_file_of_a_project_counts() {
    let doors = Doors::new();
    let vault = doors.client.path().join("own");
    let local = doors.there().run(&["--vault", vault.to_str().unwrap(), "create", "here"], "");
    assert_eq!(local.code, Some(0), "{local:?}");
    assert!(!doors.there().run(&["list"], "").stdout.contains("here"));
    let both = doors.there().run(&["--vault", "own", "--server", "https://x.example", "list"], "");
    assert_eq!(both.code, Some(2), "{both:?}");
    // Whatever lies where keyward is run decides nothing.
    for name in ["config.toml", ".keyward.toml", "keyward.toml", ".env"] {
        std::fs::write(doors.local.path().join(name), "server = 'http://192.0.2.1'\nKEYWARD_SERVER=http://192.0.2.1\n")
            .unwrap();
    }
    assert_eq!(doors.here().run(&["list"], "").code, Some(0));
}

/// A job that may rotate, and nothing else.
#[test]
fn a_rotator_rotates_what_is_due_and_sees_no_more() {
    let (behind, client) = (Home::with_vault(), Home::new());
    let ci = behind.ok(&["operators", "create", "ci", "--role", "rotator", "--bind", "default"]);
    behind.ok(&["create", "one", "--rotate-every", "1h", "--scope", "a:read"]);
    behind.ok(&["create", "other"]);
    let server = Served::start(&behind, &[]);
    let run =
        |args: &[&str]| client.run_in(args, &[("KEYWARD_SERVER", server.url.as_str()), ("KEYWARD_TOKEN", ci.as_str())]);
    let ok = |args: &[&str]| {
        let ran = run(args);
        assert_eq!(ran.code, Some(0), "{args:?}: {ran:?}");
        ran.stdout
    };
    ok(&["rotate", "one", "--deliver", "file:one.key"]);
    ok(&["rotate", "other", "--deliver", "file:{name}.key", "--stage"]);
    ok(&["rotation", "show", "other"]);
    ok(&["rotation", "commit", "other"]);
    behind.ok(&["create", "late", "--rotate-every", "1h"]);
    assert!(ok(&["list", "--due-within", "90m", "-o", "name"]).contains("late\n"));
    ok(&["rotate", "--due", "--due-within", "90m", "--yes", "--max", "9", "--deliver", "file:{name}.key"]);
    for refused in [&["list"][..], &["create", "x"], &["revoke", "one"], &["scopes", "list"]] {
        assert_eq!(run(refused).code, Some(5), "{refused:?}");
    }
    for name in ["one.key", "other.key", "late.key"] {
        let secret = std::fs::read_to_string(client.path().join(name)).unwrap();
        assert_eq!(behind.run_with(&["verify", "-"], &secret).code, Some(0), "{name}");
    }
}

/// Every file of a home, as bytes.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![(path.clone(), std::fs::read(&path).unwrap())] })
        .collect()
}

#[test]
fn a_login_is_tried_kept_sealed_and_used() {
    let (behind, desk) = (Home::with_vault(), Home::with_vault());
    let token = behind.ok(&["operators", "create", "alice", "--role", "workspace-admin", "--bind", "default"]);
    behind.ok(&["create", "behind-the-server"]);
    let server = Served::start(&behind, &[]);
    let login = |token: &str, args: &[&str]| {
        let mut all = vec!["login", server.url.as_str()];
        all.extend(args);
        desk.run_with(&all, token)
    };
    let wrong = login("kwop_prod_wrong", &[]);
    assert_eq!(wrong.code, Some(4), "{wrong:?}");
    assert_eq!(login("", &[]).code, Some(2));
    assert_eq!(login(&token, &["--name", "local"]).code, Some(2));
    assert_eq!(login(&token, &["--dry-run"]).code, Some(0));
    assert!(desk.find("profile").is_none(), "nothing was kept");

    let kept = login(&format!("{token}\n"), &["--name", "team", "-o", "json"]);
    assert_eq!(kept.code, Some(0), "{kept:?}");
    let reply: Value = serde_json::from_str(&kept.stdout).unwrap();
    assert_eq!((&reply["profile"]["operator"], &reply["profile"]["in_use"]), (&"alice".into(), &true.into()));
    assert!(desk.ok(&["list"]).contains("behind-the-server"), "used from now on");
    assert!(!desk.ok(&["--profile", "local", "list"]).contains("behind-the-server"));
    assert_eq!(desk.run_in(&["list"], &[("KEYWARD_PROFILE", "nobody")]).code, Some(3));
    let me = desk.json(&["whoami", "--explain"]);
    assert_eq!((&me["profile"], &me["actor"]), (&"team".into(), &"alice".into()));
    let source = me["settings"].as_array().unwrap().iter().find(|one| one["setting"] == "profile").unwrap();
    assert_eq!(source["source"], "profile use");
    for (path, bytes) in files(desk.path()) {
        let shown = bytes.windows(token.len()).any(|window| window == token.as_bytes());
        assert!(!shown, "{} holds the credential", path.display());
    }

    // Whoever may only read the vault may not act as somebody else on a server.
    desk.ok(&["--profile", "local", "vault", "slots", "add", "--device-file", "desk.key", "--role", "support"]);
    assert_eq!(desk.run(&["--key-file", "desk.key", "list"]).code, Some(5));
    // New keys of the vault keep the login.
    desk.ok(&["--profile", "local", "vault", "rekey", "--yes", "--drop-slots"]);
    desk.ok(&["list"]);

    desk.ok(&["profile", "use", "local"]);
    assert!(!desk.ok(&["list"]).contains("behind-the-server"));
    assert_eq!(desk.run(&["logout"]).code, Some(2), "none is in use");
    desk.ok(&["profile", "use", "team"]);
    assert_eq!(desk.json(&["profile", "list"])["items"][0]["in_use"], true);
    desk.ok(&["logout"]);
    assert_eq!(desk.json(&["profile", "list"])["items"], serde_json::json!([]));
    assert_eq!(desk.run(&["profile", "use", "team"]).code, Some(3));
    let actions = desk.json(&["audit", "--action", "profile.login", "--action", "profile.logout"]);
    assert_eq!(actions["page"]["total"], 2, "kept, and forgotten: {actions}");
    desk.ok(&["audit", "verify"]);
}

/// The server opens the vault again with the slot that it was started with: nothing has to be done about it.
#[test]
fn a_vault_that_gets_new_keys_goes_on_being_served() {
    let doors = Doors::new();
    let secret = doors.there().run(&["create", "before", "--scope", "a:read"], "").stdout;
    let bearer = format!("Bearer {}", std::fs::read_to_string(doors.client.path().join("token")).unwrap().trim());
    for round in 0..2 {
        doors.behind.ok(&["vault", "rekey", "--yes"]);
        // Each request may come before the server has looked; none is answered with anything but yes, or not now.
        let mut seen = Vec::new();
        while seen.last() != Some(&200) {
            let name = format!("after-{round}-{}", seen.len());
            let body = format!("{{\"name\":\"{name}\"}}");
            let status = doors.server.send("POST", "/v1/keys", &[("Authorization", &bearer)], &body).status;
            seen.push(if status == 201 { 200 } else { status });
            assert!(matches!(seen.last(), Some(200 | 503)), "{seen:?}");
        }
        let judged = doors.there().run(&["verify", "-", "--record"], &secret);
        assert_eq!(judged.code, Some(0), "{judged:?}");
        for line in ["list", "update before --owner me", "audit", "usage before"] {
            let ran = doors.there().run(&line.split(' ').collect::<Vec<_>>(), "");
            assert_eq!(ran.code, Some(0), "{line}: {ran:?}");
        }
    }
    let (status, log) = doors.server.stop(nix::sys::signal::Signal::SIGTERM);
    assert!(status.success() && log.contains("the vault got new keys, and was opened again"), "{log}");
    // What was counted before and after was written with the keys of its time, and is there.
    assert_eq!(doors.behind.json(&["usage", "before"])["uses"], 2);
    doors.behind.ok(&["audit", "verify"]);
}

#[test]
fn a_server_whose_slot_is_gone_says_so_and_judges_nothing() {
    let behind = Home::with_vault();
    let token = behind.ok(&["operators", "create", "root", "--role", "platform-admin"]);
    behind.ok(&["vault", "slots", "add", "--device-file", "spare.key"]);
    let server = Served::start(&behind, &["--key-file", "spare.key"]);
    behind.ok(&["vault", "rekey", "--yes", "--drop-slots"]);
    let mut ready = 200;
    while ready != 503 {
        ready = server.get("/readyz", &[]).status;
        assert!(matches!(ready, 200 | 503), "{ready}");
    }
    let bearer = format!("Bearer {token}");
    assert_eq!(server.get("/v1/keys", &[("Authorization", &bearer)]).status, 503);
    let (_, log) = server.stop(nix::sys::signal::Signal::SIGTERM);
    assert!(
        log.contains("the slot that opened the vault was removed") && log.contains("start the server again"),
        "{log}"
    );
}

/// A secret that was replaced long ago is named as what it was.
#[test]
fn an_old_secret_is_known_to_the_server_too() {
    let doors = Doors::new();
    let mut first = Vec::new();
    for door in [doors.here(), doors.there()] {
        first.push(door.run(&["create", "old"], "").stdout);
        for _ in 0..18 {
            assert_eq!(door.run(&["-q", "rotate", "old", "--now"], "").code, Some(0));
        }
    }
    let verdict =
        |door: Door<'_>, secret: &str| door.run(&["verify", "-", "--explain", "--columns", "check,ok"], secret).stdout;
    let code = |text: &str| text.split(' ').next().unwrap().to_owned();
    let (here, there) = (verdict(doors.here(), &first[0]), verdict(doors.there(), &first[1]));
    assert_ne!(code(&here), "UNKNOWN", "{here}");
    assert_eq!(code(&here), code(&there));
    // A server that starts afterwards reads them, too.
    let again = Served::start(&doors.behind, &[]);
    let token = doors.client.path().join("token");
    let ran = doors
        .client
        .run_with(&["--server", &again.url, "--token-file", token.to_str().unwrap(), "verify", "-"], &first[1]);
    assert_eq!(code(&ran.stdout), code(&here), "{ran:?}");
}

/// The trail, its check and its export, and how keys are used: through a server as on the vault behind it.
#[test]
fn the_trail_and_the_use_of_keys_are_read_through_a_server() {
    let doors = Doors::new();
    let secret = doors.there().run(&["create", "used", "--env", "production"], "").stdout;
    doors.there().run(&["create", "used", "--env", "production"], "");
    doors.behind.run_with(&["verify", "-", "--record", "--ip", "192.0.2.7"], &secret);
    doors.behind.run_with(&["verify", "-", "--record", "--env", "staging"], &secret);
    for line in [
        "audit list",
        "audit --action key.create --outcome refused",
        "audit --key used",
        "audit --limit 2",
        "audit show 2",
        "audit show 999",
        "audit verify",
        "audit verify --full",
        "usage",
        "usage used --by code",
        "usage nobody",
        "logs",
        "logs --denied --limit 1",
        "usage retention",
        "audit prove 2",
        "audit prove 2 --size 3",
        "audit prove 999",
        "audit prove 2 --size 999",
        "audit checkpoint",
        "audit checkpoint --public-key",
        "audit review",
        "audit list --unreviewed",
    ] {
        for format in ["json", "table"] {
            let mut args = vec!["-o", format];
            args.extend(line.split(' '));
            let (here, there) = (doors.behind.run(&args), doors.there().run(&args, ""));
            assert_eq!((here.code, &here.stdout, &here.stderr), (there.code, &there.stdout, &there.stderr), "{line}");
        }
    }
    // An export is an event: what both hand out of the events before is the same, and an outsider can check it.
    let exported = doors.there().run(&["audit", "export", "--until", "2099-01-01"], "");
    assert_eq!(exported.code, Some(0), "{exported:?}");
    std::fs::write(doors.behind.path().join("trail.jsonl"), &exported.stdout).unwrap();
    let note = doors.behind.ok(&["audit", "checkpoint"]);
    std::fs::write(doors.behind.path().join("cp.txt"), format!("{note}\n")).unwrap();
    let key = doors.behind.ok(&["audit", "checkpoint", "--public-key"]);
    doors.behind.ok(&["audit", "verify", "--file", "trail.jsonl", "--checkpoint", "cp.txt", "--public-key", &key]);
    let ocsf = doors.there().run(&["audit", "export", "--format", "ocsf", "--limit", "1"], "");
    assert!(ocsf.stdout.contains("vault_"), "{ocsf:?}");
}

/// What is recorded about the trail and about use, through either door.
#[test]
fn reviews_retention_and_counted_verdicts_go_through_a_server() {
    let doors = Doors::new();
    let mut seen = Vec::new();
    for (door, name) in [(doors.here(), "here"), (doors.there(), "there")] {
        let secret = door.run(&["create", "used", "--scope", "a:read"], "").stdout;
        let mut codes = Vec::new();
        for (line, stdin) in [
            ("verify - --record --ip 192.0.2.7 --user-agent job/1", secret.as_str()),
            ("verify - --record --scope b:write", secret.as_str()),
            ("verify - --record", "kw_prod_nonsense"),
            ("verify - --record --dry-run", secret.as_str()),
            ("verify - --record --read-only", secret.as_str()),
            ("verify -", secret.as_str()),
            ("usage retention --counts 20d --dry-run", ""),
            ("usage retention --counts 10d --addresses-per-key 7", ""),
            ("usage retention --counts 1s", ""),
            ("audit review --upto 2 --note looked", ""),
            ("audit review --upto 2 --note again", ""),
            ("audit review --upto 9999 --note none", ""),
            ("audit review", ""),
            ("audit checkpoint --to file:kept.checkpoints", ""),
        ] {
            let ran = door.run(&line.split(' ').collect::<Vec<_>>(), stdin);
            codes.push(format!("{line}: {:?}", ran.code));
        }
        assert!(door.home.find("kept.checkpoints").is_some(), "{name}: places are on this machine");
        seen.push(codes);
    }
    assert_eq!(seen[0], seen[1]);
    let (status, _) = doors.server.stop(nix::sys::signal::Signal::SIGTERM);
    assert!(status.success());
    for home in [&doors.local, &doors.behind] {
        let used = home.json(&["usage", "used"]);
        assert_eq!((&used["uses"], &used["denied"]), (&1.into(), &1.into()), "{used}");
        assert_eq!((&used["last_used_ip"], &used["last_user_agent"]), (&"192.0.2.7".into(), &"job/1".into()));
        assert_eq!(home.json(&["usage", "retention"])["addresses_per_key"], 7);
        let actions = home.json(&["audit", "--action", "audit.review", "--action", "usage.retention"]);
        assert!(actions["page"]["total"].as_u64() >= Some(2), "{actions}");
        home.ok(&["audit", "verify"]);
    }
}

#[test]
fn an_auditor_of_a_workspace_sees_its_events_alone() {
    let (behind, client) = (Home::with_vault(), Home::new());
    behind.ok(&["workspaces", "create", "acme", "--plan", "unlimited"]);
    behind.ok(&["workspaces", "create", "other", "--plan", "unlimited"]);
    behind.ok(&["--workspace", "acme", "create", "ours"]);
    behind.ok(&["--workspace", "other", "create", "theirs"]);
    let auditor = behind.ok(&["operators", "create", "eve", "--role", "auditor", "--bind", "acme"]);
    let server = Served::start(&behind, &[]);
    let run = |args: &[&str]| {
        client.run_in(args, &[("KEYWARD_SERVER", server.url.as_str()), ("KEYWARD_TOKEN", auditor.as_str())])
    };
    let listed = run(&["-o", "json", "audit"]);
    assert_eq!(listed.code, Some(0), "{listed:?}");
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    let events = listed["items"].as_array().unwrap();
    assert!(events.iter().any(|event| event["action"] == "key.create"), "{listed}");
    assert!(events.iter().all(|event| event["workspace"] == "acme"), "{listed}");
    let theirs = behind.json(&["audit", "--action", "key.create"]);
    let seq = theirs["items"].as_array().unwrap().iter().find(|event| event["workspace"] == "other").unwrap();
    assert_eq!(run(&["audit", "show", &seq["seq"].to_string()]).code, Some(3));
    assert_eq!(run(&["audit", "prove", &seq["seq"].to_string()]).code, Some(3));
    assert_eq!(run(&["audit", "review", "--upto", "1", "--note", "mine alone"]).code, Some(5));
    let exported = run(&["audit", "export"]);
    assert!(exported.code == Some(0) && !exported.stdout.contains("theirs"), "{exported:?}");
    assert_eq!(run(&["--workspace", "other", "audit"]).code, Some(5));
}

/// Two clients at once: one rotation at a time, and the server forgets none that has ended.
#[test]
fn clients_rotate_one_after_the_other() {
    let doors = Doors::new();
    doors.there().run(&["create", "shared"], "");
    let staged = doors.there().run(&["-o", "json", "rotate", "shared", "--stage"], "");
    assert_eq!(staged.code, Some(0), "{staged:?}");
    // What one left parked is nobody else's to go on with, neither here nor there.
    assert_eq!(doors.there().run(&["rotate", "shared"], "").code, Some(6));
    assert_eq!(doors.behind.run(&["rotate", "shared"]).code, Some(6));
    assert_eq!(doors.there().run(&["rotation", "commit", "shared"], "").code, Some(0));
    for _ in 0..3 {
        let codes: Vec<Option<i32>> = std::thread::scope(|scope| {
            let rotate = || doors.there().run(&["-q", "rotate", "shared", "--now", "--supersede"], "").code;
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(rotate)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(codes.contains(&Some(0)), "{codes:?}");
    }
    let last = doors.there().run(&["-q", "rotate", "shared", "--now", "--supersede"], "");
    assert_eq!(last.code, Some(0), "{last:?}");
    assert_eq!(doors.there().run(&["verify", "-"], &last.stdout).code, Some(0));
    doors.behind.ok(&["-q", "rotate", "shared", "--now", "--supersede"]);
    doors.behind.ok(&["audit", "verify"]);
}
