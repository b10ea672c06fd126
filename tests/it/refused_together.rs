//! What a rule refuses of many keys at once is an event, as it is of one: by every command that makes many, here and through a
//! server, and over HTTP.

use crate::support::{Home, server::Served};
use serde_json::{Value, json};

/// A vault whose workspace demands an owner.
fn strict() -> Home {
    let home = Home::with_vault();
    home.ok(&["workspaces", "update", "default", "--require", "owner"]);
    home.write("keys.csv", "name,scopes\none,a:read\ntwo,a:read\nthree,a:read\n");
    home.write("keys.toml", "[[keys]]\nname = 'one'\n[[keys]]\nname = 'two'\n");
    home
}

/// The refusals in the trail.
fn refusals(home: &Home) -> Vec<Value> {
    home.json(&["audit", "list", "--outcome", "refused", "--limit", "100"])["items"].as_array().unwrap().clone()
}

#[test]
fn a_refusal_of_many_keys_is_one_event_through_every_door() {
    let home = strict();
    let root = home.ok(&["operators", "create", "root", "--role", "platform-admin"]);
    let server = Served::start(&home, &["--address-limit", "none"]);
    let there = [("KEYWARD_SERVER", server.url.as_str()), ("KEYWARD_TOKEN", root.as_str())];
    let digest = "a".repeat(64);
    home.write("old.csv", &format!("name,digest\nold,{digest}\n"));
    let commands: [(&[&str], &str); 5] = [
        (&["create", "one"], "key.create"),
        (&["create", "one", "--deliver", "file:one.key"], "key.create"),
        (&["create", "--from", "keys.csv", "--out", "secrets.jsonl"], "key.create"),
        (&["create", "--from", "keys.csv", "-o", "jsonl"], "key.create"),
        (&["apply", "-f", "keys.toml", "--deliver", "file:{name}.key", "--yes"], "key.apply"),
    ];
    let mut seen = refusals(&home).len();
    for variables in [&[][..], &there[..]] {
        for (command, action) in commands {
            let ran = home.run_in(&[command, &["--reason", "why"]].concat(), variables);
            assert_eq!(ran.code, Some(5), "{command:?}: {ran:?}");
            let now = refusals(&home);
            assert_eq!(now.len(), seen + 1, "{command:?}: {:#}", json!(now));
            let event = now.last().unwrap();
            assert_eq!(
                (&event["action"], &event["changes"]["refused"]),
                (&json!(action), &json!("required")),
                "{event:#}"
            );
            assert_eq!(event["reason"], "why", "{event:#}");
            seen += 1;
            // Whoever only looks has tried nothing.
            home.run_in(&[command, &["--dry-run"]].concat(), variables);
            assert_eq!(refusals(&home).len(), seen, "{command:?}");
        }
    }
    let imported = home.run(&["import", "old.csv", "--reason", "why"]);
    assert_eq!((imported.code, refusals(&home).len()), (Some(5), seen + 1), "{imported:?}");
    let bearer = format!("Bearer {root}");
    let sent = r#"{"keys":[{"name":"one"},{"name":"two"}]}"#;
    let bulk = server.send("POST", "/v1/keys/bulk", &[("Authorization", &bearer)], sent);
    assert_eq!((bulk.status, refusals(&home).len()), (422, seen + 2), "{bulk:?}");
    let rehearsed =
        server.send("POST", "/v1/keys/bulk", &[("Authorization", &bearer), ("Keyward-Rehearsal", "true")], sent);
    assert_eq!((rehearsed.status, refusals(&home).len()), (422, seen + 3), "{rehearsed:?}");
    assert_eq!(home.json(&["list", "--status", "any"])["page"]["total"], 0);
    assert!(home.find("secrets.jsonl").is_none(), "no file is left of keys that were not made");
}

#[test]
fn a_rehearsal_changes_nothing() {
    let home = Home::with_vault();
    let root = home.ok(&["operators", "create", "root", "--role", "platform-admin"]);
    let server = Served::start(&home, &[]);
    let headers = [("Authorization", &*format!("Bearer {root}")), ("Keyward-Rehearsal", "true")];
    let tried = server.send("POST", "/v1/keys", &headers, r#"{"name":"one"}"#);
    assert_eq!(tried.status, 201, "{tried:?}");
    assert_eq!(home.json(&["list", "--status", "any"])["page"]["total"], 0);
}
