//! Texts that people type: one form of each however it was typed, none that hides, any that begins with a hyphen.

use crate::support::{Home, server::Served};
use serde_json::json;

/// The same text, composed and with a combining accent.
const BOTH: [&str; 2] = ["caf\u{e9}", "cafe\u{301}"];

#[test]
fn a_name_is_found_and_unique_whatever_form_it_is_typed_in() {
    for (typed, other) in [(BOTH[0], BOTH[1]), (BOTH[1], BOTH[0])] {
        let home = Home::new();
        home.ok(&["create", typed, "--owner", typed, "--label", &format!("{typed}={typed}")]);
        for line in [vec!["show", other], vec!["rotate", other, "--now"], vec!["update", other, "--description", "x"]] {
            home.ok(&line);
        }
        assert_eq!(home.run(&["create", other]).code, Some(6));
        assert_eq!(home.run(&["update", other, "--name", typed]).code, Some(0), "its own name is taken by nobody else");
        home.ok(&["create", "plain"]);
        assert_eq!(home.run(&["update", "plain", "--name", other]).code, Some(6));
        home.write("keys.jsonl", &json!({ "name": other }).to_string());
        assert_eq!(home.run(&["create", "--from", "keys.jsonl", "--out", "o"]).code, Some(6));
        let label = format!("{other}={other}");
        for filter in [vec!["--owner", other], vec!["--label", other], vec!["--label", &label], vec!["--name", other]] {
            let args = [&["list", "--count"][..], &filter].concat();
            assert_eq!(home.ok(&args), "1", "{filter:?}");
        }
        home.ok(&["update", other, "--unset-label", other]);
        assert_eq!(home.ok(&["list", "--count", "--label", typed]), "0");
        for kind in ["projects", "customers", "workspaces", "plans"] {
            home.ok(&[kind, "create", typed]);
            home.ok(&[kind, "show", other]);
            assert_eq!(home.run(&[kind, "create", other]).code, Some(6), "{kind}");
        }
        let token = home.ok(&["create", "narrow", "--project", other, "--customer", other]);
        assert_eq!(home.verdict(&token, &["--project", typed, "--customer", typed]).1, Some(0));
        assert_eq!(home.ok(&["list", "--count", "--project", typed, "--customer", other]), "1");
        assert_eq!(home.run(&["projects", "delete", other, "--yes"]).code, Some(6), "a key is narrowed to it");
        home.ok(&["workspaces", "delete", other, "--yes"]);
    }
}

#[test]
fn a_name_is_found_over_http_and_a_passphrase_opens_in_either_form() {
    let home = Home::new();
    home.ok(&["create", BOTH[0], "--label", "a=b"]);
    let admin = home.ok(&["-q", "operators", "create", BOTH[1], "--role", "platform-admin"]);
    assert_eq!(home.run(&["operators", "create", BOTH[0], "--role", "support"]).code, Some(6));
    let server = Served::start(&home, &[]);
    let bearer = format!("Bearer {admin}");
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let (encoded, hidden) = ("cafe%CC%81", "a\u{202e}b");
    assert_eq!(server.send("GET", &format!("/v1/keys/{encoded}"), &headers, "").status, 200);
    let twice = json!({ "name": BOTH[1] }).to_string();
    assert_eq!(server.send("POST", "/v1/keys", &headers, &twice).status, 409);
    for (method, path, body) in [
        ("POST", "/v1/keys", json!({ "name": hidden })),
        ("POST", "/v1/keys", json!({ "name": "x", "owner": hidden })),
        ("POST", "/v1/keys", json!({ "name": "x", "labels": { "a": hidden } })),
        ("PATCH", "/v1/keys/caf%C3%A9", json!({ "description": hidden })),
        ("POST", "/v1/projects", json!({ "name": hidden })),
    ] {
        let answer = server.send(method, path, &headers, &body.to_string());
        assert!(answer.status == 400 && answer.body.contains("U+202E"), "{method} {path}: {}", answer.body);
    }
    drop(server);

    home.private("typed", &format!("{}\n", BOTH[1]));
    home.private("other", &format!("{}\n", BOTH[0]));
    home.ok(&["vault", "slots", "add", "--passphrase", "--new-passphrase-file", "typed"]);
    for file in ["typed", "other"] {
        home.ok(&["--passphrase-file", file, "list"]);
    }
}

#[test]
fn what_is_not_seen_is_refused_in_every_text() {
    let home = Home::new();
    home.ok(&["create", "k"]);
    for hidden in ["\u{202e}", "\u{2066}", "\u{200b}", "\u{feff}", "\u{ad}", "\u{1b}", "\u{7}"] {
        let text = format!("a{hidden}b");
        let (label, number) = (format!("l={text}"), format!("U+{:04X}", u32::from(hidden.chars().next().unwrap())));
        for line in [
            vec!["create", &text],
            vec!["create", "x", "--owner", &text],
            vec!["create", "x", "--description", &text],
            vec!["create", "x", "--label", &label],
            vec!["update", "k", "--name", &text],
            vec!["update", "k", "--owner", &text],
            vec!["update", "k", "--label", &label],
            vec!["deactivate", "k", "--reason", &text],
            vec!["deactivate", "k", "--ticket", &text],
            vec!["projects", "create", &text],
            vec!["projects", "create", "p", "--description", &text],
            vec!["scopes", "add", "a:read", "--description", &text],
            vec!["operators", "create", &text, "--role", "support"],
            vec!["webhooks", "add", &text, "https://example.com/"],
        ] {
            let ran = home.run(&line);
            assert!(ran.code == Some(2) && ran.stderr.contains(&number), "{line:?}: {ran:?}");
            assert!(!ran.stderr.contains(hidden), "{line:?}: {ran:?}");
        }
        home.write("keys.jsonl", &json!({ "name": "x", "labels": { "l": text } }).to_string());
        home.write("keys.json", &json!({ "keys": [{ "name": "x", "owner": text }] }).to_string());
        for line in
            ["create --from keys.jsonl --out o", "diff -f keys.json", "apply -f keys.json --yes --deliver exec:cat"]
        {
            let ran = home.run(&line.split(' ').collect::<Vec<_>>());
            assert!(ran.code == Some(2) && ran.stderr.contains(&number), "{line}: {ran:?}");
        }
    }
    assert_eq!(home.ok(&["list", "--count"]), "1");
    home.ok(&["update", "k", "--description", "two\nlines, \u{645}\u{6cc}\u{200c}\u{62e}\u{648}\u{627}\u{647}\u{645}"]);
}

#[test]
fn an_older_vault_goes_on_with_what_it_holds_and_shows_none_of_it_raw() {
    let home = Home::of_old_vault();
    for form in BOTH {
        home.ok(&["show", form]);
        assert_eq!(home.run(&["create", form]).code, Some(6));
    }
    for filter in [["--owner", "Ren\u{e9}"], ["--label", "cit\u{e9}=Orl\u{e9}ans"], ["--customer", "Zo\u{eb}"]] {
        let all = home.ok(&["list", "--count"]);
        assert_eq!(home.ok(&["list", "--count", filter[0], filter[1]]), "1", "{filter:?} of {all}");
    }
    assert_eq!(home.ok(&["list", "--count", "--project", "Gr\u{f6}\u{df}\u{e9}"]), "1");
    home.ok(&["operators", "rotate", "Jos\u{e9}"]);
    let lines = ["list", "list -o wide", "show KEY", "audit list", "export", "projects list", "scopes list", "check"];
    for line in
        lines.iter().chain(&["usage", "report owners", "rotate KEY --now", "update KEY --owner fine", "delete KEY"])
    {
        for format in ["table", "json", "jsonl"] {
            let line = line.replace("KEY", Home::HOSTILE);
            let args = [&["-o", format][..], &line.split(' ').collect::<Vec<_>>()].concat();
            let ran = home.run(&args);
            let raw = ['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}', '\u{200b}', '\u{2066}'];
            assert!(!ran.stdout.contains(raw) && !ran.stderr.contains(raw), "{args:?}: {ran:?}");
        }
    }
    assert_eq!(home.ok(&["show", Home::HOSTILE, "--field", "key.owner"]), "fine");

    home.ok(&["delete", Home::HOSTILE, "--confirm", Home::HOSTILE]);
    home.write("keys.toml", &format!("{}\n", home.ok(&["export"])));
    assert_eq!(home.run(&["diff", "-f", "keys.toml"]).code, Some(0), "its own export is no difference");
}

#[test]
fn a_text_may_begin_with_a_hyphen() {
    let home = Home::new();
    home.ok(&["create", "a", "--description", "- the nightly job"]);
    home.ok(&["update", "a", "--description", "-> moved"]);
    assert_eq!(home.ok(&["show", "a", "--field", "key.description"]), "-> moved");
    home.ok(&["deactivate", "a", "--reason", "-> leaked in a build log"]);
    home.ok(&["projects", "create", "p", "--description", "- x"]);
    home.ok(&["audit", "review", "--upto", "1", "--note", "- all well"]);
    home.ok(&["create", "b", "--owner", "-team", "--description", "-5 days", "--label", "-k=-v", "--ticket", "-1"]);
    home.ok(&["update", "a", "--owner", "-team", "--description", "-team", "--reason", "-team"]);
    assert_eq!(home.ok(&["show", "a", "--field", "key.description"]), "-team");
    assert_eq!(home.json(&["list", "--owner", "-team"])["page"]["total"], 2);
    assert_eq!(home.ok(&["list", "--label", "-k=-v", "-o", "name"]), "b");
    assert_eq!(home.json(&["audit", "list", "--for-ticket", "-1"])["items"][0]["action"], "key.create");
    let last = home.json(&["audit", "list", "--action", "key.deactivate"]);
    assert_eq!(last["items"][0]["reason"], "-> leaked in a build log");
    // An option stays one: nobody loses a --now to a text that was forgotten.
    let ran = home.run(&["rotate", "a", "--reason", "--now"]);
    assert!(ran.code == Some(2) && ran.stdout.is_empty(), "{ran:?}");
    assert_eq!(home.run(&["activate", "a", "--reason=--now"]).code, Some(0));
}

#[test]
fn no_time_is_kept_that_nobody_could_read_back() {
    let home = Home::new();
    home.ok(&["create", "last", "--expires-at", "9999-12-31T23:59:59Z"]);
    for at in ["+10000-01-01", "+10000-01-01T00:00:00Z", "9999-12-31T23:59:59-01:00"] {
        for line in [
            vec!["create", "far", "--expires-at", at],
            vec!["operators", "create", "o", "--role", "support", "--expires-at", at],
        ] {
            assert_eq!(home.run(&line).code, Some(2), "{line:?}");
        }
        home.write("keys.jsonl", &json!({ "name": "far", "expires_at": at }).to_string());
        assert_eq!(home.run(&["create", "--from", "keys.jsonl", "--out", "o"]).code, Some(2));
    }
    // A renewal would reach beyond as well.
    let renewed = home.run(&["rotate", "last", "--now", "--renew"]);
    assert_eq!(home.ok(&["show", "last", "--field", "key.expires_at"]), "9999-12-31T23:59:59Z", "{renewed:?}");
    let admin = home.ok(&["-q", "operators", "create", "root", "--role", "platform-admin"]);
    let server = Served::start(&home, &[]);
    let headers = [("Authorization", format!("Bearer {admin}")), ("Content-Type", "application/json".to_owned())];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let far = json!({ "name": "far", "expiry": { "at": "+10000-01-01T00:00:00Z" } }).to_string();
    assert_eq!(server.send("POST", "/v1/keys", &headers, &far).status, 400);
}
