//! What a workspace demands of whoever makes or changes a key, at every door.

use crate::support::{Home, Ran, door::Doors, server::Served, terminal::Terminal};
use serde_json::json;

const FULL: &[&str] = &["--owner", "ann", "--description", "sends mail", "--reason", "asked for", "--ticket", "T-1"];

/// Refused by the workspace, which says what lacks.
fn lacks(ran: &Ran, words: &str) {
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(5), ""), "{ran:?}");
    assert!(ran.stderr.contains(&format!("of the workspace 'default' needs: {words}")), "{}", ran.stderr);
    assert!(ran.stderr.contains("cause: the workspace requires: owner, description, reason, ticket"), "{}", ran.stderr);
    for word in words.split(", ") {
        assert!(ran.stderr.contains(&format!("--{word} TEXT")), "{}", ran.stderr);
    }
    assert!(ran.stderr.contains("workspaces update default --require LIST"), "{}", ran.stderr);
}

#[test]
fn no_key_is_made_or_changed_without_what_the_workspace_demands() {
    let doors = Doors::new();
    for door in [doors.here(), doors.there()] {
        let run = |args: &[&str]| door.run(args, "");
        let ok = |args: &[&str]| {
            let ran = run(args);
            assert_eq!(ran.code, Some(0), "{args:?}: {ran:?}");
            ran.stdout
        };
        ok(&["create", "bare"]);
        ok(&["create", "cold"]);
        ok(&["deactivate", "cold"]);
        ok(&["workspaces", "update", "default", "--require", "ticket,reason,owner,description,owner"]);
        let shown: serde_json::Value =
            serde_json::from_str(&ok(&["-o", "json", "workspaces", "show", "default"])).unwrap();
        assert_eq!(shown["workspace"]["required"], json!(["owner", "description", "reason", "ticket"]));

        lacks(&run(&["create", "k"]), "owner, description, reason, ticket");
        lacks(&run(&["create", "k", "--owner", "ann", "--reason", "r", "--ticket", "T-1"]), "description");
        lacks(&run(&[&["create", "k"], &FULL[..6]].concat()), "ticket");
        lacks(&run(&["create", "k", "--dry-run"]), "owner, description, reason, ticket");
        ok(&[&["create", "k"], FULL].concat());
        ok(&[&["create", "k", "--if-not-exists", "-o", "json"], &FULL[..4]].concat());

        // Many at once: what the call lacks is said once, and what a line lacks with its line.
        door.home.write("keys.csv", "name,owner,description\none,ann,d\ntwo,,\n");
        let why = &FULL[4..];
        let many = run(&["create", "--from", "keys.csv", "--out", "s.jsonl"]);
        assert_eq!((many.code, many.stderr.matches("needs: ").count()), (Some(5), 1), "{many:?}");
        assert!(many.stderr.contains("needs: reason, ticket"), "{many:?}");
        let many = run(&[&["create", "--from", "keys.csv", "--out", "s.jsonl"], why].concat());
        assert!(many.code != Some(0) && many.stderr.contains("needs: owner, description"), "{many:?}");
        door.home.write("keys.csv", "name,owner,description\none,ann,d\ntwo,ann,d\n");
        ok(&[&["create", "--from", "keys.csv", "--out", "s.jsonl"], why].concat());

        // A file that declares keys: the plan says so, and nothing is done.
        door.home.write("keys.toml", "[[keys]]\nname = \"declared\"\n");
        let plan = run(&["diff", "-f", "keys.toml"]);
        assert!(plan.stdout.contains("blocked") && plan.stdout.contains("needs: owner, description"), "{plan:?}");
        door.home.write("keys.toml", "[[keys]]\nname = \"declared\"\nowner = \"ann\"\ndescription = \"d\"\n");
        let apply = &["apply", "-f", "keys.toml", "--yes", "--deliver", "file:{name}.key"];
        lacks(&run(apply), "reason, ticket");
        ok(&[&apply[..], why].concat());
        door.home.write("keys.toml", "[[keys]]\nname = \"declared\"\nowner = \"ann\"\n");
        let plan = run(&["diff", "-f", "keys.toml"]);
        assert!(plan.stdout.contains("blocked") && plan.stdout.contains("needs: description"), "{plan:?}");
        assert_eq!(run(&[&apply[..], why].concat()).code, Some(11), "what is blocked is left");

        // Changes say why, and clear nothing that is demanded; a key that lacked it can be changed otherwise.
        lacks(&run(&["update", "k", "--owner", "ben"]), "reason, ticket");
        lacks(&run(&[&["update", "k", "--owner", ""], why].concat()), "owner");
        ok(&[&["update", "bare", "--rate-limit", "5/1h"], why].concat());
        lacks(&run(&["activate", "cold"]), "reason, ticket");
        ok(&[&["activate", "cold"], why].concat());
        // What stops a key, and a rotation, waits for nothing.
        ok(&["deactivate", "cold", "--yes"]);
        ok(&["rotate", "bare", "-q"]);
        ok(&["revoke", "bare", "--yes"]);
        lacks(&run(&["rotate", "bare", "--reinstate", "--reason", "asked", "-q"]), "ticket");
        ok(&[&["rotate", "bare", "--reinstate", "-q"], why].concat());

        let denied = ok(&["-o", "json", "audit", "list", "--outcome", "refused", "--action", "key.create"]);
        let denied: serde_json::Value = serde_json::from_str(&denied).unwrap();
        assert_eq!(denied["items"][0]["changes"]["refused"], "required", "a refusal is an event");
        ok(&["workspaces", "update", "default", "--require", "none"]);
        ok(&["create", "free"]);
    }
    let here = doors.here();
    here.home.write("old.csv", "name,digest\nold,9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\n");
    here.home.ok(&["workspaces", "update", "default", "--require", "reason"]);
    let imported = here.run(&["import", "old.csv"], "");
    assert!(imported.code == Some(5) && imported.stderr.contains("needs: reason"), "{imported:?}");
    here.home.ok(&["import", "old.csv", "--reason", "moved"]);
    for wrong in ["owner,nobody", "", "Owner"] {
        assert_eq!(here.run(&["workspaces", "update", "default", "--require", wrong], "").code, Some(2), "{wrong}");
    }
}

#[test]
fn plain_http_and_the_screen_are_refused_alike() {
    let home = Home::with_vault();
    let root = home.ok(&["operators", "create", "root", "--role", "platform-admin"]);
    home.ok(&["create", "cold"]);
    home.ok(&["deactivate", "cold"]);
    let server = Served::start(&home, &[]);
    let bearer = format!("Bearer {root}");
    let auth = [("Authorization", bearer.as_str())];
    let set = server.send("PATCH", "/v1/workspaces/default", &auth, r#"{"required":["ticket","owner"]}"#);
    assert_eq!((set.status, &set.json()["required"]), (200, &json!(["owner", "ticket"])));
    let wrong = server.send("PATCH", "/v1/workspaces/default", &auth, r#"{"required":["money"]}"#);
    assert_eq!(wrong.status, 400, "{wrong:?}");
    let with_ticket = [auth[0], ("Keyward-Ticket", "T-1")];
    for (path, body) in [
        ("/v1/keys", r#"{"name":"k","owner":"ann"}"#),
        ("/v1/keys/apply", r#"{"keys":[{"key":{"name":"k","owner":"ann"}}]}"#),
        ("/v1/keys/cold/activate", ""),
    ] {
        let refused = server.send("POST", path, &auth, body);
        assert_eq!(refused.status, 403, "{path}: {refused:?}");
        assert_eq!(refused.json()["reason"], "required", "{path}: {refused:?}");
    }
    let bulk = server.send("POST", "/v1/keys/bulk", &auth, r#"{"keys":[{"name":"k","owner":"ann"}]}"#);
    assert_eq!((bulk.status, &bulk.json()["entries"][0]["problem"]["reason"]), (422, &json!("required")), "{bulk:?}");
    let refused = server.send("POST", "/v1/keys", &with_ticket, r#"{"name":"k","owner":" "}"#);
    assert_eq!(refused.status, 403, "{refused:?}");
    let made = server.send("POST", "/v1/keys", &with_ticket, r#"{"name":"k","owner":"ann"}"#);
    assert_eq!(made.status, 201, "{made:?}");
    let cleared = server.send("PATCH", "/v1/keys/k", &with_ticket, r#"{"owner":null}"#);
    assert_eq!(cleared.status, 403, "{cleared:?}");
    // Only who may change the workspace lifts what it demands.
    let admin = home.ok(&["operators", "create", "admin", "--role", "workspace-admin", "--bind", "default"]);
    let admin = format!("Bearer {admin}");
    let lifted = server.send("PATCH", "/v1/workspaces/default", &[("Authorization", &admin)], r#"{"required":[]}"#);
    assert_eq!(lifted.status, 403, "{lifted:?}");

    let mut shell = Terminal::open(&home);
    shell.type_line("keyward create fresh --env development --expires-in 30d");
    shell.wait_for("needs: owner, ticket");
    shell.finished(5);
}

#[test]
fn a_person_is_asked_for_what_the_workspace_demands() {
    let home = Home::with_vault();
    home.ok(&["workspaces", "update", "default", "--require", "owner,description,reason,ticket"]);
    let mut shell = Terminal::open(&home);
    shell.type_line("keyward create --env staging --expires-in 7d --rate-limit none");
    shell.answer("Name of the one system", "mailer");
    shell.answer("Who answers for the key", "");
    shell.wait_for("the workspace demands it: owner");
    shell.answer("Who answers for the key", "ann");
    shell.answer("What it is for", "sends mail");
    shell.answer("What it may do", "mail:send");
    shell.answer("Why it is made", "asked for");
    shell.answer("The ticket that asks for it", "T-1");
    let seen = shell.finished(0);
    assert!(seen.contains("kw_stg_") && seen.contains("--owner ann --description 'sends mail'"), "{seen}");
    let key = home.json(&["show", "mailer"])["key"].clone();
    assert_eq!((&key["owner"], &key["description"]), (&json!("ann"), &json!("sends mail")));
    let event = home.json(&["audit", "list", "--action", "key.create"])["items"][0].clone();
    assert_eq!((&event["reason"], &event["ticket"]), (&json!("asked for"), &json!("T-1")), "{event:#}");

    // Through a server too, for who may make keys and read nothing else; and what was said is not asked.
    let issuer = home.ok(&["operators", "create", "maker", "--role", "issuer", "--bind", "default"]);
    let server = Served::start(&home, &[]);
    let told = server.get("/v1/demands", &[("Authorization", &format!("Bearer {issuer}"))]);
    assert_eq!((told.status, &told.json()["required"]), (200, &json!(["owner", "description", "reason", "ticket"])));
    home.private("token", &issuer);
    let more = "--env staging --expires-in 7d --rate-limit none --scope mail:send --owner ann --reason r";
    shell.type_line(&format!("keyward --server {} --token-file token create {more}", server.url));
    shell.answer("Name of the one system", "issued");
    shell.answer("What it is for", "d");
    shell.answer("The ticket that asks for it", "T-2");
    assert!(shell.finished(0).contains("kw_stg_"));
}
