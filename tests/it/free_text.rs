//! A whole secret in a text that is kept and shown is refused at every door, and is not repeated.

use crate::support::{Home, server::Served, terminal::Terminal};
use serde_json::json;
use std::fs;

/// Whether the secret stands nowhere in what the vault tells.
fn is_nowhere(home: &Home, token: &str) {
    for line in ["audit list", "export", "list --status any", "projects list", "scopes list"] {
        let told = home.ok(&[vec!["-o", "json"], line.split(' ').collect()].concat());
        assert!(!told.contains(token), "{line}");
    }
}

#[test]
fn a_secret_comes_into_no_text_through_the_environment_or_a_file() {
    let home = Home::new();
    let token = home.ok(&["create", "k", "--label", "team=x"]);
    for (name, said) in [("KEYWARD_REASON", "reason"), ("KEYWARD_TICKET", "ticket")] {
        for line in ["revoke k", "identify --hint abcd", "vault backup copy.db", "list", "delete nowhere --yes"] {
            let out = home.command(&line.split(' ').collect::<Vec<_>>()).env(name, format!("see {token}")).output();
            let out = out.unwrap();
            let stderr = String::from_utf8(out.stderr).unwrap();
            assert_eq!(out.status.code(), Some(2), "{name} {line}: {stderr}");
            assert!(stderr.contains(&format!("the {said} holds a secret")) && !stderr.contains(&token), "{stderr}");
        }
    }
    let fields = [
        ("owner", json!({ "name": "a", "owner": format!("x{token}") })),
        ("description", json!({ "name": "a", "description": format!("uses {token}.") })),
        ("label", json!({ "name": "a", "labels": { "was": token } })),
        ("label", json!({ "name": "a", "labels": { &token: "" } })),
    ];
    for (field, key) in fields {
        home.private("keys.jsonl", &key.to_string());
        home.private("keys.json", &json!({ "keys": [key] }).to_string());
        let mut there = key.clone();
        there["name"] = json!("k");
        home.private("there.json", &json!({ "keys": [there] }).to_string());
        for line in [
            "create --from keys.jsonl --out out",
            "diff -f keys.json",
            "apply -f keys.json --yes --deliver exec:cat",
            "diff -f there.json",
            "apply -f there.json --yes",
        ] {
            let ran = home.run(&line.split(' ').collect::<Vec<_>>());
            assert_eq!(ran.code, Some(2), "{field} {line}: {ran:?}");
            assert!(ran.stderr.contains(&format!("the {field} holds a secret")), "{line}: {}", ran.stderr);
            assert!(!ran.stderr.contains(&token) && !ran.stdout.contains(&token), "{line}: {ran:?}");
        }
    }
    fs::write(home.path().join("scopes.csv"), format!("name,description,implies\na:b,{token},\n")).unwrap();
    assert_eq!(home.run(&["scopes", "import", "scopes.csv"]).code, Some(2));
    assert_eq!(home.json(&["list", "--status", "any"])["page"]["total"], 1);
    is_nowhere(&home, &token);
}

#[test]
fn a_secret_comes_into_no_text_over_http_or_in_ui() {
    let home = Home::new();
    let token = home.ok(&["create", "k"]);
    let admin = home.ok(&["-q", "operators", "create", "boss", "--role", "platform-admin"]);
    let server = Served::start(&home, &[]);
    let bearer = format!("Bearer {admin}");
    let bad = json!({ "name": "a", "description": token }).to_string();
    for (method, path, reason, body) in [
        ("POST", "/v1/keys", "", bad.as_str()),
        ("POST", "/v1/projects", "", &json!({ "name": "p", "description": token }).to_string()),
        ("PATCH", "/v1/keys/k", "", &json!({ "description": token }).to_string()),
        ("POST", "/v1/keys/k/revoke", &token, "{}"),
        ("POST", "/v1/keys/nowhere/revoke", &token, "{}"),
    ] {
        let headers =
            [("Authorization", bearer.as_str()), ("Keyward-Reason", reason), ("Content-Type", "application/json")];
        let answer = server.send(method, path, &headers, body);
        assert_eq!(answer.status, 400, "{method} {path}: {:?}", answer.body);
        assert!(!answer.body.contains(&token), "{:?}", answer.body);
    }
    drop(server);
    let mut shell = Terminal::open(&home);
    shell.type_line("keyward ui --allow-changes");
    shell.until("the key", |screen| screen.contains("> k"));
    shell.keys(&format!("x{token}\r"));
    shell.until("the question", |screen| screen.contains("Type yes and press Enter"));
    shell.keys("yes\r");
    shell.until("the refusal", |screen| {
        screen.contains("error: the reason holds a secret") && screen.contains("any key goes back")
    });
    shell.keys(" ");
    shell.until("the list", |screen| screen.contains("q end"));
    shell.keys("q");
    shell.finished(0);
    assert_eq!(home.json(&["show", "k"])["key"]["status"], "active");
    is_nowhere(&home, &token);
}

#[test]
fn a_reason_has_a_length_at_every_door() {
    let home = Home::new();
    home.ok(&["create", "k"]);
    let root = home.ok(&["operators", "create", "root", "--role", "platform-admin"]);
    home.private("root.token", &root);
    let server = Served::start(&home, &[]);
    let (fits, long) = ("\u{e9}".repeat(1_000), "\u{e9}".repeat(1_001));
    let remote = ["--server", server.url.as_str(), "--token-file", "root.token"];
    for option in ["--reason", "--ticket"] {
        let local = home.run(&["deactivate", "k", option, &long]);
        let through = home.run(&[&remote[..], &["deactivate", "k", option, &long]].concat());
        for ran in [local, through] {
            assert_eq!(ran.code, Some(2), "{ran:?}");
            assert!(ran.stderr.contains("1001 characters; 1000 are the most"), "{ran:?}");
        }
    }
    let bearer = format!("Bearer {root}");
    let off = |reason: &str| {
        let reason = percent_encoding::utf8_percent_encode(reason, percent_encoding::NON_ALPHANUMERIC).to_string();
        let headers = [("Authorization", bearer.as_str()), ("Keyward-Reason", &reason)];
        server.send("POST", "/v1/keys/k/deactivate", &headers, "").status
    };
    assert_eq!((off(&long), off(&fits)), (400, 200));
    home.ok(&["activate", "k", "--reason", &fits]);
}
