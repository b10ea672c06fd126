//! Who may decide that a revoked key comes back and that a key lives on: never whoever may only rotate, at no door.

use crate::support::{Home, door::Doors, server::Served};
use serde_json::{Value, json};

/// A vault behind a server, with a credential for each role that may rotate.
struct Site {
    home: Home,
    client: Home,
    server: Served,
}

impl Site {
    fn new() -> Self {
        let home = Home::new();
        home.ok(&["init"]);
        let client = Home::new();
        for role in ["rotator", "issuer", "workspace-admin"] {
            let credential = home.ok(&["operators", "create", role, "--role", role, "--bind", "default"]);
            client.private(role, &credential);
        }
        let server = Served::start(&home, &[]);
        Self { home, client, server }
    }

    fn run(&self, role: &str, args: &[&str]) -> crate::support::Ran {
        self.client.run_in(args, &[("KEYWARD_SERVER", &self.server.url), ("KEYWARD_TOKEN_FILE", role)])
    }

    fn code(&self, role: &str, args: &[&str]) -> Option<i32> {
        self.run(role, args).code
    }

    fn post(&self, role: &str, path: &str, headers: &[(&str, &str)], body: Value) -> (u16, Value) {
        let bearer = format!("Bearer {}", self.client.read(role));
        let mut all = vec![("Authorization", bearer.as_str())];
        all.extend(headers);
        let answer = self.server.send("POST", path, &all, &body.to_string());
        (answer.status, answer.json())
    }
}

const WHY: [&str; 2] = ["--reason", "revoked by mistake"];

#[test]
fn only_an_administrators_own_word_brings_a_revoked_key_back() {
    let site = Site::new();
    let first = site.home.ok(&["-q", "create", "app", "--rotate-every", "1h"]);
    site.home.ok(&["revoke", "app", "--reason", "leaked", "--yes"]);
    let reinstating = [&["-q", "rotate", "app", "--reinstate"][..], &WHY].concat();
    for role in ["rotator", "issuer"] {
        assert_eq!(site.code(role, &["rotate", "app"]), Some(5), "{role}");
        assert_eq!(site.code(role, &["rotate", "app", "--now", "--renew"]), Some(5), "{role}");
        assert_eq!(site.code(role, &reinstating), Some(5), "{role}");
        for (path, body) in [
            ("/v1/keys/app/rotations", json!({})),
            ("/v1/keys/app/rotations", json!({"reinstate": true})),
            ("/v1/keys/app/rotate", json!({})),
            ("/v1/keys/app/rotate", json!({"reinstate": true, "overlap": "now"})),
        ] {
            let (status, told) = site.post(role, path, &[("Keyward-Reason", "please")], body.clone());
            assert_eq!((status, told["code"].as_str()), (403, Some("FORBIDDEN")), "{role} {path} {body}: {told}");
        }
    }
    // A run over what is due, and a file of keys, pass it over.
    let due = ["rotate", "--due", "--due-within", "2h", "--yes", "--max", "9", "--deliver", "file:{name}"];
    assert_eq!(site.run("rotator", &due).code, Some(0));
    assert!(!site.client.path().join("app").exists());
    assert_eq!(site.home.run(&[&due[..], &["--reinstate"], &WHY].concat()).code, Some(2), "never by a filter");
    // An administrator says so by its own word, and why.
    for door in ["workspace-admin", "here"] {
        let run = |args: &[&str]| if door == "here" { site.home.run(args) } else { site.run(door, args) };
        let refused = run(&["rotate", "app"]);
        assert!(refused.code == Some(6) && refused.stderr.contains("--reinstate"), "{door}: {refused:?}");
        assert_eq!(run(&["rotate", "app", "--reinstate"]).code, Some(2), "{door}: without a reason");
        let back = run(&reinstating);
        assert_eq!(back.code, Some(0), "{door}: {back:?}");
        assert!(site.home.works(back.stdout.trim_end()) && !site.home.works(&first), "{door}");
        let event = &site.home.json(&["audit", "--action", "key.reinstate", "--limit", "1"])["items"][0];
        assert_eq!((&event["outcome"], &event["reason"]), (&"ok".into(), &WHY[1].into()), "{event:#}");
        assert_eq!(run(&reinstating).code, Some(6), "{door}: it is not revoked any more");
        site.home.ok(&["revoke", "app", "--yes"]);
    }
    let tried = site.home.json(&["audit", "--outcome", "refused", "--actor", "rotator"]);
    assert!(tried["page"]["total"].as_u64() >= Some(5), "what was refused is in the trail: {tried:#}");
}

#[test]
fn whoever_may_only_rotate_moves_the_end_of_no_key() {
    let site = Site::new();
    for name in ["lives", "over"] {
        site.home.ok(&["-q", "create", name, "--expires-in", if name == "over" { "1s" } else { "1d" }]);
    }
    while !site.home.ok(&["list", "--expired", "-o", "name"]).contains("over") {}
    let expiry = || site.home.json(&["show", "lives"])["key"]["expires_at"].clone();
    let before = expiry();
    for key in ["lives", "over"] {
        assert_eq!(site.code("rotator", &["rotate", key, "--renew"]), Some(5), "{key}");
        let (status, _) = site.post("rotator", &format!("/v1/keys/{key}/rotate"), &[], json!({"renew": true}));
        assert_eq!(status, 403, "{key}");
    }
    assert_eq!(site.code("rotator", &["rotate", "over"]), Some(5));
    assert_eq!(site.code("rotator", &["-q", "rotate", "lives"]), Some(0));
    assert_eq!(expiry(), before);
    // Whoever may create keys may let one live on; what somebody else began for that is not the rotator's to finish.
    assert_eq!(site.code("issuer", &["-q", "rotate", "over", "--renew"]), Some(0));
    let staged = site.run("workspace-admin", &["-q", "rotate", "lives", "--renew", "--stage", "--supersede"]);
    assert_eq!(staged.code, Some(0), "{staged:?}");
    assert_eq!(site.code("rotator", &["rotation", "commit", "lives"]), Some(5));
    assert_eq!(expiry(), before);
    assert_eq!(site.code("workspace-admin", &["rotation", "commit", "lives"]), Some(0));
}

#[test]
fn one_call_rotates_a_key_and_answers_with_its_secret() {
    let site = Site::new();
    let first = site.home.ok(&["-q", "create", "app"]);
    let path = "/v1/keys/app/rotate";
    let (status, told) = site.post("rotator", path, &[("Idempotency-Key", "R")], json!({"overlap": {"for": 3600}}));
    assert_eq!(status, 201, "{told}");
    let second = told["secret"].as_str().unwrap().to_owned();
    assert!(site.home.works(&first) && site.home.works(&second));
    assert_eq!((&told["schema"], &told["rotation"]["state"]), (&"keyward.key/v1".into(), &"committed".into()));
    assert_eq!(told["old_valid_until"], told["key"]["secrets"][0]["valid_until"]);
    // The same call again makes no other, and does not show it again.
    let (status, again) = site.post("rotator", path, &[("Idempotency-Key", "R")], json!({"overlap": {"for": 3600}}));
    assert_eq!((status, again.get("secret")), (200, None), "{again}");
    assert!(again["note"].as_str().unwrap().contains("is not shown again"));
    assert_eq!(site.post("rotator", path, &[("Idempotency-Key", "R")], json!({"overlap": "now"})).0, 409);
    // During the overlap another one is a conflict, unless every older secret is to stop.
    assert_eq!(site.post("rotator", path, &[], json!({})).0, 409);
    let (_, tried) = site.post("rotator", path, &[("Keyward-Dry-Run", "true")], json!({"overlap": "now"}));
    assert_eq!((tried.get("secret"), site.home.works(&first)), (None, true), "{tried}");
    let (status, last) = site.post("rotator", path, &[], json!({"overlap": "now"}));
    assert_eq!((status, last["old_valid_until"].is_null()), (201, true), "{last}");
    assert!(site.home.works(last["secret"].as_str().unwrap()));
    assert!(!site.home.works(&first) && !site.home.works(&second));
    assert_eq!(site.post("rotator", "/v1/keys/nobody/rotate", &[], json!({})).0, 404);
    assert_eq!(site.post("rotator", path, &[], json!({"sinks": ["x"]})).0, 400);
    let actions = site.home.json(&["audit", "--key", "app", "--outcome", "ok"]);
    let actions: Vec<&str> =
        actions["items"].as_array().unwrap().iter().map(|event| event["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["key.create", "key.stage", "key.rotate", "key.stage", "key.rotate"]);
}

/// What is told of a run over everything that is due is told of keys that were named as well.
#[test]
fn commands_hear_of_keys_that_were_named() {
    let doors = Doors::new();
    for door in [doors.here(), doors.there()] {
        let home = door.home;
        let read = |file: &str| -> Value { serde_json::from_str(&home.read(file)).unwrap() };
        let hooks = ["--on-rotated", "cat > rotated", "--on-failure", "cat > failed", "--on-done", "cat > done"];
        for name in ["a", "b"] {
            door.run(&["-q", "create", name], "");
        }
        let printed = door.run(&[&["-q", "rotate", "a"][..], &hooks].concat(), "");
        assert_eq!(printed.code, Some(0), "{printed:?}");
        let told = read("rotated");
        assert_eq!((&told["name"], &told["outcome"]), (&"a".into(), &"rotated".into()), "{told:#}");
        assert!(told["old_valid_until"].is_string() && !home.read("rotated").contains(printed.stdout.trim()));
        assert_eq!((&read("done")["rotated"], &read("done")["exit"]), (&1.into(), &0.into()));
        assert!(!home.path().join("failed").exists());
        // Nothing was minted in a dry run, and nobody is told.
        std::fs::remove_file(home.path().join("rotated")).unwrap();
        door.run(&[&["rotate", "b", "--dry-run"][..], &hooks].concat(), "");
        assert!(!home.path().join("rotated").exists());
        let delivered = door.run(&[&["rotate", "b", "--deliver", "file:{name}.key"][..], &hooks].concat(), "");
        assert_eq!((delivered.code, &read("rotated")["sinks"][0]), (Some(0), &"file:b.key".into()), "{delivered:?}");
        let failed = door.run(&[&["rotate", "b", "--now", "--deliver", "exec:exit 3"][..], &hooks].concat(), "");
        assert_eq!((failed.code, &read("failed")["outcome"]), (Some(1), &"failed".into()), "{failed:?}");
        assert_eq!(read("failed")["sinks"], json!(["exec:exit 3"]), "where it would have gone");
        assert_eq!((&read("done")["failed"], &read("done")["exit"]), (&1.into(), &1.into()));
        let missing = door.run(&[&["rotate", "nobody"][..], &hooks].concat(), "");
        assert_eq!((missing.code, &read("failed")["name"]), (Some(3), &"nobody".into()), "{missing:?}");
        assert_eq!(read("failed")["key_id"], Value::Null);
        let both = door.run(&[&["-o", "json", "rotate", "a", "nobody", "--now"][..], &hooks].concat(), "");
        assert_eq!((both.code, &read("done")["rotated"], &read("done")["failed"]), (Some(11), &1.into(), &1.into()));
    }
}

/// A client that is no more has its turn for a while: a run that meets it says until when, and that it is then gone on with.
#[test]
fn a_run_says_until_when_another_machine_has_its_turn() {
    let doors = Doors::new();
    let door = doors.there();
    door.run(&["-q", "create", "app", "--rotate-every", "30d"], "");
    let due = ["rotate", "--due", "--due-within", "31d", "--yes", "--max", "9", "-o", "jsonl", "--deliver"];
    let killed = door.run(&[&due[..], &["exec:kill -9 $PPID; cat >/dev/null"]].concat(), "");
    assert_eq!(killed.code, None, "{killed:?}");
    let next = door.run(&[&due[..], &["exec:cat >/dev/null"]].concat(), "");
    let told: Value = serde_json::from_str(next.stdout.lines().next().unwrap()).unwrap();
    assert_eq!((next.code, &told["outcome"]), (Some(0), &"skipped".into()), "{next:?}");
    let until = told["lease_until"].as_str().unwrap_or_else(|| panic!("{told:#}"));
    let why = told["why"].as_str().unwrap();
    assert!(why.contains(until) && why.contains("the first run after that goes on"), "{why}");
}
