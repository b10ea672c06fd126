//! Search in words: what somebody remembers of a key finds it, through every door alike, and narrows beside every option.

use crate::support::{
    Home,
    door::{Door, Doors},
};
use serde_json::Value;

fn furnish(home: &Home) {
    for args in [
        &["web-frontend", "--owner", "Ana@example.com", "--label", "team=shop"][..],
        &["api", "--description", "serves the WEB shop, Straße 7", "--env", "production"],
        &["mailer", "--owner", "web-team@example.com", "--no-expiry"],
        &["cafe\u{301}", "--label", "kind=Web", "--label", "team=billing"],
        &["nightly", "--description", "exports"],
        &["web-old"],
    ] {
        home.ok(&[&["create", "-q"], args].concat());
    }
    home.ok(&["revoke", "web-old"]);
}

fn found(door: &Door<'_>, args: &[&str]) -> Vec<String> {
    let ran = door.run(&[&["-o", "json"], args].concat(), "");
    assert_eq!(ran.code, Some(0), "{args:?}: {ran:?}");
    let listed: Value = serde_json::from_str(&ran.stdout).unwrap();
    let items = listed["items"].as_array().or(listed["keys"].as_array()).unwrap().clone();
    items.iter().map(|key| key["name"].as_str().unwrap().to_owned()).collect()
}

const ASKED: [(&[&str], &[&str]); 13] = [
    (&["web"], &["api", "café", "mailer", "web-frontend"]),
    (&["WEB"], &["api", "café", "mailer", "web-frontend"]),
    (&["web", "shop"], &["api", "web-frontend"]),
    (&["web shop"], &["api", "web-frontend"]),
    (&["shop", "frontend"], &["web-frontend"]),
    (&["ana@"], &["web-frontend"]),
    (&["strasse"], &["api"]),
    (&["CAF\u{c9}"], &["café"]),
    (&["cafe\u{301}"], &["café"]),
    (&["team=shop"], &["web-frontend"]),
    (&["web", "--status", "any"], &["api", "café", "mailer", "web-frontend", "web-old"]),
    (&["web", "--env", "production"], &["api"]),
    (&["web", "--no-expiry", "--name", "m*"], &["mailer"]),
];

#[test]
fn words_find_a_key_by_its_name_description_owner_and_labels_through_every_door() {
    let doors = Doors::new();
    furnish(&doors.local);
    furnish(&doors.behind);
    let token = std::fs::read_to_string(&doors.token).unwrap();
    let bearer = format!("Bearer {}", token.trim());
    for (words, wanted) in ASKED {
        for door in [doors.here(), doors.there()] {
            assert_eq!(found(&door, &[&["list", "--sort", "name"], words].concat()), wanted, "{words:?}");
            let counted = door.run(&[&["list", "--count"], words].concat(), "");
            assert_eq!(counted.stdout.trim(), wanted.len().to_string(), "{words:?}");
            let names = door.run(&[&["list", "-o", "name", "--sort", "-name"], words].concat(), "");
            assert_eq!(names.stdout.lines().rev().collect::<Vec<_>>(), wanted, "{words:?}");
        }
    }
    for door in [doors.here(), doors.there()] {
        let ran = door.run(&["list", "web"], "");
        assert!(ran.stderr.contains("hidden: 1 revoked"), "{ran:?}");
        let ran = door.run(&["list", "nobody", "--exit-code"], "");
        assert!(ran.code == Some(0) && ran.stderr.contains("names, descriptions, owners and labels"), "{ran:?}");
        assert_eq!(door.run(&["list", "web", "--exit-code"], "").code, Some(10));
        assert_eq!(found(&door, &["export", "web", "shop"]), ["api", "web-frontend"], "by environment and name");
        let limited = door.run(&["-o", "json", "list", "web", "--limit", "1", "--sort", "name"], "");
        let limited: Value = serde_json::from_str(&limited.stdout).unwrap();
        assert_eq!((&limited["page"]["total"], &limited["items"][0]["name"]), (&4.into(), &"api".into()));
    }

    // The same over HTTP, page by page.
    let ask = |query: &str| doors.server.get(&format!("/v1/keys?{query}"), &[("Authorization", &bearer)]);
    let page = ask("q=web&sort=name&limit=3").json();
    assert_eq!((&page["page"]["total"], &page["items"][2]["name"]), (&4.into(), &"mailer".into()));
    let cursor = page["page"]["next"].as_str().unwrap();
    let rest = ask(&format!("q=web&sort=name&limit=3&cursor={cursor}")).json();
    assert_eq!((&rest["page"]["returned"], &rest["items"][0]["name"]), (&1.into(), &"web-frontend".into()));
    let other = ask(&format!("q=shop&sort=name&limit=3&cursor={cursor}"));
    assert_eq!(other.status, 400, "a place among other words is none: {other:?}");
    for (query, total) in [("q=web+shop", 2), ("q=web&q=shop", 2), ("q=caf%C3%89", 1), ("q=web&env=production", 1)] {
        assert_eq!(ask(query).json()["page"]["total"], total, "{query}");
    }
    let exported = doors.server.send("POST", "/v1/keys/export", &[("Authorization", &bearer)], r#"{"q":"web shop"}"#);
    assert_eq!(exported.json()["items"].as_array().unwrap().len(), 2, "{exported:?}");
}

/// An empty variable in a script must not find every key, and a secret is no word.
#[test]
fn what_is_no_word_is_refused_and_never_widens() {
    let doors = Doors::new();
    let token = std::fs::read_to_string(&doors.token).unwrap();
    let bearer = format!("Bearer {}", token.trim());
    for home in [&doors.local, &doors.behind] {
        home.ok(&["create", "web"]);
    }
    let secret = doors.local.ok(&["create", "other"]);
    for door in [doors.here(), doors.there()] {
        for args in
            [&["list", ""][..], &["list", " ", "web"], &["list", &secret], &["export", ""], &["export", &secret]]
        {
            let ran = door.run(args, "");
            assert!(ran.code == Some(2) && ran.stdout.is_empty(), "{args:?}: {ran:?}");
            assert!(!ran.stderr.contains(&secret), "{ran:?}");
        }
        // Commands that act on keys by a filter take no words: they are keys there, or refused.
        for args in
            [&["rotate", "--due", "web", "--yes", "--max", "9"][..], &["report", "web"], &["report", "stale", "web"]]
        {
            let ran = door.run(args, "");
            assert!(ran.code == Some(2) && ran.stdout.is_empty(), "{args:?}: {ran:?}");
        }
    }
    let ask = |query: &str| doors.server.get(&format!("/v1/keys?{query}"), &[("Authorization", &bearer)]);
    for query in ["q=", "q=+", &format!("q={secret}"), "words=web"] {
        let refused = ask(query);
        assert_eq!(refused.status, 400, "{query}: {refused:?}");
        assert!(!refused.body.contains(&secret), "{refused:?}");
    }
    for body in [r#"{"q":""}"#, r#"{"words":"web"}"#] {
        let refused = doors.server.send("POST", "/v1/keys/export", &[("Authorization", &bearer)], body);
        assert_eq!(refused.status, 400, "{body}: {refused:?}");
    }
}
