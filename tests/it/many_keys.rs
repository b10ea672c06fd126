//! One change of many keys, found by a filter or named on standard input: first how many there are, then each with its event,
//! and a second run does only the rest.

use crate::support::{Home, Ran, server::Served, terminal::Terminal};
use serde_json::Value;

/// A vault of three keys of alice, one of bob and one without an owner, and who asks for changes there.
struct Away {
    behind: Home,
    client: Home,
    server: Option<Served>,
}

impl Away {
    /// Asked on the spot, and through a server.
    fn both() -> [Self; 2] {
        [false, true].map(|through_server| {
            let behind = Home::with_vault();
            for (name, owner) in [("one", "alice"), ("two", "alice"), ("three", "alice"), ("four", "bob"), ("five", "")]
            {
                let mut args = vec!["create", name, "--label", "team=web"];
                args.extend(["--owner", owner].iter().filter(|_| !owner.is_empty()));
                behind.ok(&args);
            }
            let client = Home::new();
            client.private("token", &behind.ok(&["operators", "create", "root", "--role", "platform-admin"]));
            let server = through_server.then(|| Served::start(&behind, &[]));
            Self { behind, client, server }
        })
    }

    fn run(&self, args: &[&str]) -> Ran {
        self.run_with(args, "")
    }

    fn run_with(&self, args: &[&str], stdin: &str) -> Ran {
        match &self.server {
            None => self.behind.run_with(args, stdin),
            Some(server) => {
                let args = [&["--server", server.url.as_str(), "--token-file", "token"], args].concat();
                self.client.run_with(&args, stdin)
            }
        }
    }

    /// The names of the keys of a status.
    fn names(&self, filter: &[&str]) -> Vec<String> {
        let mut names: Vec<String> =
            self.behind.ok(&[&["list", "-o", "name"], filter].concat()).lines().map(str::to_owned).collect();
        names.sort();
        names
    }

    fn events(&self, action: &str) -> Vec<Value> {
        let listed = self.behind.json(&["audit", "list", "--action", action]);
        listed["items"].as_array().unwrap().clone()
    }
}

#[test]
fn keys_that_a_filter_finds_are_changed_each_with_its_event() {
    for away in Away::both() {
        let ran = away.run(&["revoke", "--owner", "alice", "--yes", "--max", "3", "--reason", "has left"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert_eq!(ran.stdout, "");
        let mut told: Vec<&str> = ran.stderr.lines().filter_map(|line| line.split(['(', ' ']).nth(1)).collect();
        told.sort_unstable();
        assert_eq!(told, ["one", "three", "two"], "{ran:?}");
        assert_eq!(away.names(&["--status", "revoked"]), ["one", "three", "two"]);
        let events = away.events("key.revoke");
        assert_eq!(events.len(), 3);
        assert!(events.iter().all(|event| event["reason"] == "has left" && event["outcome"] == "ok"), "{events:?}");
        let again = away.run(&["revoke", "--owner", "alice", "--yes", "--max", "3"]);
        assert_eq!(again.code, Some(0), "{again:?}");
        assert!(again.stderr.contains("no key is found; nothing was done"), "{again:?}");
        assert_eq!(away.events("key.revoke").len(), 3);
        away.behind.ok(&["audit", "verify"]);
    }
}

#[test]
fn off_a_terminal_their_number_has_to_be_bounded_and_more_than_that_touches_none() {
    for away in Away::both() {
        for args in [&["deactivate", "--owner", "alice"][..], &["deactivate", "--owner", "alice", "--yes"]] {
            let ran = away.run(args);
            assert_eq!(ran.code, Some(2), "{ran:?}");
            assert!(ran.stderr.contains("this is for 3 keys, and needs a confirmation"), "{ran:?}");
            assert!(ran.stderr.contains("--yes --max 3"), "{ran:?}");
            assert_eq!(ran.stderr.contains("how many there are at most: --max"), args.contains(&"--yes"), "{ran:?}");
        }
        let ran = away.run(&["-o", "json", "deactivate", "--owner", "alice", "--yes", "--max", "2"]);
        assert_eq!(ran.code, Some(6), "{ran:?}");
        assert_eq!(ran.error()["reason"], "too_many");
        assert_eq!(ran.stdout, "");
        let named = away.run_with(&["deactivate", "-", "--max", "1"], "one\ntwo\n");
        assert_eq!(named.code, Some(6), "{named:?}");
        assert_eq!(away.names(&["--status", "inactive"]), Vec::<String>::new());
        let dry = away.run(&["deactivate", "--owner", "alice", "--dry-run"]);
        assert_eq!(dry.code, Some(0), "{dry:?}");
        assert_eq!(dry.stderr.matches("would be deactivated: ").count(), 3, "{dry:?}");
        assert_eq!(away.names(&["--status", "inactive"]), Vec::<String>::new());
    }
}

#[test]
fn what_says_no_keys_or_says_them_twice_is_refused() {
    let [away, _] = Away::both();
    for command in ["revoke", "deactivate", "activate", "delete", "update", "rotate"] {
        let with = |more: &[&'static str]| {
            let change: &[&str] = if command == "update" { &["--add-scope", "a:read"] } else { &[] };
            let ran = away.run(&[&[command, "--yes", "--max", "9"], change, more].concat());
            assert_eq!(ran.code, Some(2), "{command} {more:?}: {ran:?}");
            ran.stderr
        };
        if command == "rotate" {
            assert!(with(&["one", "--never-used"]).contains("keys are named, or found by a filter"), "{command}");
            assert!(with(&["--due", "--never-used", "--deliver", "file:x"]).contains("takes no filter but --env"));
            continue;
        }
        assert!(with(&[]).contains("which keys are meant is missing"), "{command}");
        // An environment alone would be everything there is in it.
        assert!(with(&["--env", "development"]).contains("an environment alone is no filter"), "{command}");
        assert!(with(&["one", "--never-used"]).contains("keys are named, or found by a filter"), "{command}");
        assert!(with(&["--never-used", "--max", "0"]).contains("--max"), "{command}");
        // A variable that was not set is no owner without keys.
        let [owner, name] = if command == "update" { ["--of-owner", "--named"] } else { ["--owner", "--name"] };
        for empty in [owner, name] {
            assert!(with(&[empty, ""]).contains("expected something to look for"), "{command} {empty}");
        }
    }
    assert_eq!(away.names(&["--status", "active"]).len(), 5);
}

#[test]
fn one_that_is_refused_keeps_the_others_from_nothing() {
    for away in Away::both() {
        let token = away.behind.ok(&["rotate", "two", "-q", "--now"]);
        away.behind.run_with(&["verify", "-", "--record"], &token);
        let ran = away.run(&["revoke", "--owner", "alice", "--only-if-idle", "1h", "--yes", "--max", "9"]);
        assert_eq!(ran.code, Some(11), "{ran:?}");
        assert!(ran.stderr.contains("revoked: one (") && ran.stderr.contains("revoked: three ("), "{ran:?}");
        assert!(ran.stderr.contains("error: two"), "{ran:?}");
        assert_eq!(away.names(&["--status", "revoked"]), ["one", "three"]);
        let refused = away.behind.json(&["audit", "list", "--action", "key.revoke", "--outcome", "refused"]);
        let refused = refused["items"].as_array().unwrap();
        assert_eq!(refused.len(), 1, "{refused:?}");
        assert_eq!(refused[0]["changes"]["name"], "two");
        assert_eq!(away.events("key.revoke").len(), 3);
        // None at all could be changed, and always for one reason: then that is the reason.
        let again = away.run(&["revoke", "--owner", "alice", "--only-if-idle", "1h", "--yes", "--max", "9"]);
        assert_eq!(again.code, Some(6), "{again:?}");
        away.behind.ok(&["audit", "verify"]);
    }
}

#[test]
fn keys_are_handed_to_somebody_else_switched_and_deleted_by_one_command() {
    for away in Away::both() {
        let bounded = |args: &[&str]| {
            let ran = away.run(&[args, &["--yes", "--max", "9"]].concat());
            assert_eq!(ran.code, Some(0), "{ran:?}");
            ran
        };
        let handed = bounded(&["update", "--of-owner", "alice", "--owner", "ops", "--label", "from=alice"]);
        assert_eq!(handed.stderr.lines().filter(|line| line.starts_with("changed ")).count(), 3, "{handed:?}");
        assert_eq!(away.names(&["--owner", "ops"]), ["one", "three", "two"]);
        assert_eq!(away.events("key.handover").len(), 3);
        let same = bounded(&["update", "--with-label", "team=web", "--label", "from=alice"]);
        assert_eq!(same.stderr.matches("already so: ").count(), 3, "{same:?}");
        bounded(&["disable", "--label", "from=alice"]);
        assert_eq!(away.names(&["--status", "inactive"]), ["five", "four", "one", "three", "two"]);
        bounded(&["enable", "--status", "inactive", "--search", "bob"]);
        assert_eq!(away.names(&["--status", "active"]), ["four"]);
        bounded(&["delete", "--status", "inactive", "--owner", "ops"]);
        assert_eq!(away.names(&["--status", "any"]), ["five", "four"]);
        assert_eq!(away.events("key.delete").len(), 3);
        away.behind.ok(&["audit", "verify"]);
    }
}

#[test]
fn keys_named_on_standard_input_are_changed_alike() {
    for away in Away::both() {
        let ran = away.run_with(&["-o", "json", "update", "-", "--owner", "ops"], "one\nnobody\nfour\n");
        assert_eq!(ran.code, Some(11), "{ran:?}");
        let reply: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(reply["schema"], "keyward.key-list/v1");
        assert_eq!(reply["items"].as_array().unwrap().len(), 2);
        assert_eq!(away.names(&["--owner", "ops"]), ["four", "one"]);
        let none = away.run_with(&["revoke", "-"], "\n");
        assert!(none.code == Some(0) && none.stderr.contains("names no key; nothing was done"), "{none:?}");
        let several = away.run(&["update", "two", "three", "--owner", "ops"]);
        assert_eq!(several.code, Some(0), "{several:?}");
        let unconfirmed = away.run_with(&["delete", "-"], "one\n");
        assert_eq!(unconfirmed.code, Some(2), "{unconfirmed:?}");
        assert!(unconfirmed.stderr.contains("--yes --max 1"), "{unconfirmed:?}");
        let named = away.run(&["delete", "one", "two", "--confirm", "one"]);
        assert_eq!(named.code, Some(2), "{named:?}");
        let name = away.run(&["update", "one", "two", "--name", "three"]);
        assert_eq!(name.code, Some(2), "{name:?}");
        assert_eq!(away.names(&["--status", "any"]).len(), 5);
        let ran = away.run_with(&["delete", "-", "--yes", "--max", "2"], "one\ntwo\n");
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert_eq!(away.names(&["--status", "any"]), ["five", "four", "three"]);
    }
}

#[test]
fn expired_keys_come_back_with_their_lifetime_in_one_command() {
    for away in Away::both() {
        for name in ["ci-a", "ci-b"] {
            away.behind.ok(&["create", name, "--expires-in", "1s"]);
        }
        while away.names(&["--expired"]).len() < 2 {}
        let ran = away.run(&["rotate", "--expired", "--renew", "--yes", "--max", "5", "-o", "jsonl"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let secrets: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(secrets.len(), 2);
        assert!(
            secrets
                .iter()
                .all(|one| away.behind.works(one["secret"].as_str().unwrap()) || one["key"]["status"] == "active")
        );
        let few = away.run(&["rotate", "--label", "team=web", "--yes", "--max", "4", "-q"]);
        assert_eq!(few.code, Some(6), "{few:?}");
        assert_eq!(few.stdout, "");
    }
}

#[test]
fn a_person_is_told_how_many_there_are_and_asked_once() {
    let [away, _] = Away::both();
    let mut shell = Terminal::open(&away.behind);
    shell.type_line("keyward deactivate --owner alice");
    shell.press("Deactivate these 3 keys: ", "n");
    assert!(shell.finished(1).contains("cancelled"));
    shell.type_line("keyward update --of-owner alice --owner ops");
    shell.press("Change these 3 keys: ", "y");
    shell.finished(0);
    shell.type_line("keyward delete --owner ops");
    shell.press("Type 3 to confirm", "4\r");
    assert!(shell.finished(1).contains("cancelled"));
    assert_eq!(away.names(&["--owner", "ops"]).len(), 3);
    shell.type_line("keyward delete --owner ops");
    shell.press("Type 3 to confirm", "3\r");
    shell.finished(0);
    assert_eq!(away.names(&[]), ["five", "four"]);
}

/// Between the list and the change somebody may have used a key, or handed it on: it is what was looked for no more.
#[test]
fn a_key_that_has_become_another_since_it_was_found_is_left_alone() {
    let [away, _] = Away::both();
    let mut shell = Terminal::open(&away.behind);
    shell.type_line("keyward revoke --owner alice");
    shell.asked("Revoke for ever these 3 keys: ");
    away.behind.ok(&["update", "two", "--owner", "bob"]);
    shell.press("", "y");
    let told = shell.finished(0);
    assert!(told.contains("left alone: two (key_"), "{told}");
    assert_eq!(away.names(&["--status", "revoked"]), ["one", "three"]);

    let home = Home::with_vault();
    let key = home.ok(&["create", "used", "-q"]);
    home.ok(&["create", "idle", "-q"]);
    let root = home.ok(&["operators", "create", "root", "--role", "platform-admin"]);
    let server = Served::start(&home, &["--usage-interval", "1h"]);
    assert_eq!(server.get("/v1/validate", &[("X-API-Key", &key)]).status, 200);
    let there = [("KEYWARD_SERVER", server.url.as_str()), ("KEYWARD_TOKEN", root.as_str())];
    let ran = home.run_in(&["delete", "--never-used", "--yes", "--max", "9"], &there);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("left alone: used (key_") && ran.stderr.contains("deleted: idle (key_"), "{ran:?}");
    assert_eq!(home.ok(&["list", "-o", "name"]), "used");
    // The same in one request.
    let headers = [("Authorization", &*format!("Bearer {root}"))];
    let ask = |found_by: &str| {
        let body = format!(r#"{{"changes":[{{"deactivate":{{"key":"used"}}}}],"found_by":{found_by}}}"#);
        server.send("POST", "/v1/keys/changes", &headers, &body)
    };
    for (found_by, status, told) in [
        (r#"[["owner","alice"]]"#, 200, "found_no_more"),
        (r#"[["unused_for","1d"]]"#, 200, "found_no_more"),
        (r#"[["colour","red"]]"#, 400, "there is no parameter"),
        (r#"[["q","used"],["environment","dev"]]"#, 200, r#""changed":true"#),
    ] {
        let answer = ask(found_by);
        assert!(answer.status == status && answer.body.contains(told), "{found_by}: {answer:?}");
    }
}

#[test]
fn what_is_refused_of_many_for_one_reason_is_said_once_with_their_names() {
    for away in Away::both() {
        away.behind.ok(&["workspaces", "update", "default", "--require", "reason"]);
        let ran = away.run(&["update", "--of-owner", "alice", "--label", "x=y", "--yes", "--max", "9"]);
        assert_eq!(ran.code, Some(5), "{ran:?}");
        assert_eq!(ran.stderr.matches("needs: reason").count(), 1, "{ran:?}");
        assert!(ran.stderr.contains("3 keys: a change of a key"), "{ran:?}");
        assert!(["one (key_", "two (key_", "three (key_"].iter().all(|name| ran.stderr.contains(name)), "{ran:?}");
        let one = away.run(&["update", "--of-owner", "bob", "--label", "x=y", "--yes", "--max", "9"]);
        assert!(one.stderr.contains("four (key_") && one.stderr.contains("): a change of a key"), "{one:?}");
    }
}

#[test]
fn an_operator_changes_many_keys_only_as_it_may_change_one() {
    let [_, away] = Away::both();
    let url = &away.server.as_ref().unwrap().url;
    let token = away.behind.ok(&["operators", "create", "stops", "--role", "revoker", "--bind", "default"]);
    away.client.private("stops", &token);
    for (command, more, code) in
        [("update", &["--add-scope", "a:read"][..], 5), ("delete", &[], 5), ("activate", &[], 5), ("revoke", &[], 0)]
    {
        let args = ["--server", url, "--token-file", "stops", command, "-", "--yes", "--max", "9"];
        let ran = away.client.run_with(&[&args[..], more].concat(), "four\n");
        assert_eq!(ran.code, Some(code), "{command}: {ran:?}");
    }
    assert_eq!(away.names(&["--status", "revoked"]), ["four"]);
}

#[test]
fn a_request_for_many_keys_is_of_one_kind_and_bounded() {
    let [_, away] = Away::both();
    let (server, token) = (away.server.as_ref().unwrap(), away.client.read("token"));
    let bearer = format!("Bearer {}", token.trim());
    let ask = |changes: Value| {
        let body = serde_json::json!({ "changes": changes }).to_string();
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let answer = server.send("POST", "/v1/keys/changes", &headers, &body);
        (answer.status, answer.json())
    };
    let revoke = serde_json::json!({ "revoke": { "key": "one" } });
    let (status, refused) = ask(vec![revoke.clone(); 501].into());
    assert_eq!((status, refused["code"].as_str()), (400, Some("USAGE")), "{refused}");
    assert!(refused["hints"][0].as_str().unwrap().contains("several requests"), "{refused}");
    let mixed = serde_json::json!([revoke, { "delete": { "key": "two" } }]);
    for wrong in [mixed, serde_json::json!([]), serde_json::json!([{ "revoke": [null] }]), serde_json::json!([null])] {
        assert_eq!(ask(wrong.clone()).0, 400, "{wrong}");
    }
    assert_eq!(away.names(&["--status", "active"]).len(), 5);
    let (status, done) = ask(serde_json::json!([{ "revoke": { "key": "one" } }, { "revoke": { "key": "nobody" } }]));
    assert_eq!(status, 200, "{done}");
    assert_eq!(done["schema"], "keyward.key-changes/v1");
    assert_eq!(done["items"][0]["key"]["status"], "revoked");
    assert_eq!(done["items"][1]["error"]["code"], "NOT_FOUND");
    // A version is one of one key.
    let headers = [("authorization", bearer.as_str()), ("if-match", "\"v1\"")];
    let versioned = server.send("POST", "/v1/keys/changes", &headers, r#"{"changes":[{"revoke":{"key":"two"}}]}"#);
    assert!(versioned.status == 400 && versioned.body.contains("If-Match"), "{versioned:?}");
    assert!(away.names(&["--status", "active"]).contains(&"two".to_owned()));
    // What could have been meant is said of the first names that mean nothing: every key is looked at for it, once.
    let nobody: Vec<Value> = (0..9).map(|n| serde_json::json!({ "revoke": { "key": format!("thre{n}") } })).collect();
    let (_, told) = ask(nobody.into());
    assert_eq!(told.to_string().matches("did you mean three?").count(), 3, "{told}");
}
