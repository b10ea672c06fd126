//! The bytes of a list in every format, compared with the files in `expected/`: scripts rely on them.

use crate::support::Home;
use serde_json::Value;

/// Keys that show every kind of cell, and one that the default hides.
fn furnished() -> Home {
    let home = Home::new();
    home.ok(&[
        "create",
        "billing-sync",
        "--env",
        "production",
        "--owner",
        "=billing@example.com",
        "--description",
        "says \"hi\", twice\nand goes",
        "--scope",
        "audits:read",
        "--scope",
        "billing:*",
        "--rate-limit",
        "10/30m",
        "--allow-ip",
        "10.0.0.0/8",
        "--allow-ip",
        "2001:db8::/32",
        "--label",
        "team=billing",
        "--label",
        "tier=1",
        "--expires-at",
        "2099-03-04",
        "--rotate-every",
        "90d",
        "--overlap",
        "1h30m",
    ]);
    home.ok(&["create", "東京-sync", "--no-expiry", "--rate-limit", "none", "--env", "staging"]);
    home.ok(&["create", "bare", "--expires-at", "2098-01-01T00:00:01Z"]);
    home.ok(&["create", "gone", "--expires-at", "2097-01-01"]);
    home.ok(&["revoke", "gone"]);
    home
}

/// Random and machine-made values, replaced by fixed ones of the same width, key by key.
fn settled(home: &Home, mut text: String) -> String {
    let all = home.json(&["list", "--status", "any"]);
    for (n, key) in all["items"].as_array().unwrap().iter().enumerate() {
        let mark = char::from(b'A' + u8::try_from(n).unwrap());
        let secret = &key["secrets"][0];
        for (value, fixed) in [
            (&key["id"], format!("key_{}", mark.to_string().repeat(16))),
            (&secret["lookup"], mark.to_string().repeat(16)),
            (&key["created_at"], "2000-01-01T00:00:00Z".to_owned()),
            (&key["rotation"]["due_at"], "2000-04-01T00:00:00Z".to_owned()),
            (&key["created_by"], "someone@somewhere".to_owned()),
        ] {
            if let Value::String(value) = value {
                text = text.replace(value, &fixed);
            }
        }
        // Four random characters may stand elsewhere by chance: only a whole cell is replaced.
        let hint = key["hint"].as_str().unwrap();
        for (before, after) in [("  ", "  "), ("  ", "\n"), (",", ","), ("\"", "\"")] {
            let cell = |value: &str| format!("{before}{value}{after}");
            text = text.replace(&cell(hint), &cell(&mark.to_string().repeat(4)));
        }
    }
    text
}

#[test]
fn a_list_has_the_same_bytes_for_ever() {
    let home = furnished();
    let wide = "name,environment,level,project,customers,rate_limit,allow_ips,labels,uses,created,rotation.due_at,\
                rotation.every_seconds,labels.team,description";
    for (args, expected) in [
        (&[][..], include_str!("expected/list.table")),
        (&["--columns", wide], include_str!("expected/list-columns.table")),
        (&["-o", "csv", "--columns", wide], include_str!("expected/list-columns.csv")),
    ] {
        let mut all = vec!["list"];
        all.extend(args);
        let ran = home.run(&all);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert_eq!(settled(&home, ran.stdout), expected, "{args:?}");
    }
}

#[test]
fn json_is_the_same_in_a_document_on_lines_and_alone() {
    let home = furnished();
    let document = home.json(&["list", "--status", "any", "--sort", "name"]);
    assert_eq!(document["page"], serde_json::json!({"returned": 4, "total": 4, "truncated": false}));
    let items = document["items"].as_array().unwrap();
    let lines = home.ok(&["list", "--status", "any", "--sort", "name", "-o", "jsonl"]);
    let written: Vec<String> = items.iter().map(Value::to_string).collect();
    assert_eq!(lines.lines().collect::<Vec<_>>(), written);
    for item in items {
        assert_eq!(home.json(&["show", item["id"].as_str().unwrap()])["key"], *item);
    }
    assert_eq!(items[1]["description"], "says \"hi\", twice\nand goes");
    let cut = home.json(&["list", "--limit", "1"]);
    assert_eq!(cut["page"], serde_json::json!({"returned": 1, "total": 3, "truncated": true}));
}

#[test]
fn names_ids_and_counts_stand_alone() {
    let home = furnished();
    let ids: Vec<String> =
        ["bare", "billing-sync", "東京-sync"].map(|name| home.ok(&["show", name, "--field", "id"])).to_vec();
    for (args, expected) in [
        (&["-o", "name"][..], "bare\nbilling-sync\n東京-sync\n".to_owned()),
        (&["-o", "name", "--sort", "-name", "--limit", "2"], "東京-sync\nbilling-sync\n".to_owned()),
        (&["-q"], format!("{}\n", ids.join("\n"))),
        (&["--field", "id"], format!("{}\n", ids.join("\n"))),
        (&["--field", "owner"], "\n=billing@example.com\n\n".to_owned()),
        (&["--field", "items.1.rate_limit.limit"], "10\n".to_owned()),
        (&["--field", "page.total"], "3\n".to_owned()),
        (&["--count"], "3\n".to_owned()),
        (&["--count", "--status", "any"], "4\n".to_owned()),
        (&["--count", "-q"], "3\n".to_owned()),
        (&["--count", "-o", "jsonl"], "{\"schema\":\"keyward.count/v1\",\"count\":3}\n".to_owned()),
        (&["--count", "--field", "count"], "3\n".to_owned()),
        (&["--name", "nothing*", "-q"], String::new()),
        (&["--name", "nothing*", "-o", "jsonl"], String::new()),
        (&["--name", "nothing*"], String::new()),
    ] {
        let mut all = vec!["list"];
        all.extend(args);
        let ran = home.run(&all);
        assert_eq!((ran.code, &*ran.stdout), (Some(0), &*expected), "{args:?}: {ran:?}");
    }
}

#[test]
fn what_is_hidden_cut_or_absent_is_said_on_stderr() {
    let home = furnished();
    for (args, said) in [
        (&[][..], "hidden: 1 revoked (--status any shows them)\n"),
        (&["--status", "active"], ""),
        (&["--status", "active", "--limit", "1"], "showing 1 of 3 keys\n"),
        (&["--status", "active", "--limit", "1", "-o", "name"], "showing 1 of 3 keys\n"),
        (&["--status", "active", "--limit", "1", "-o", "json"], ""),
        (&["--status", "active", "--limit", "1", "-q"], ""),
        (&["--status", "expired"], "no keys\n"),
        (&["--status", "expired", "-o", "name"], ""),
        (&["--count"], "hidden: 1 revoked (--status any shows them)\n"),
    ] {
        let mut all = vec!["list"];
        all.extend(args);
        assert_eq!(home.run(&all).stderr, said, "{args:?}");
    }
    let wrong = home.run(&["list", "--field", "nope"]);
    assert_eq!((wrong.code, &*wrong.stdout), (Some(2), ""));
    assert!(wrong.stderr.contains("rotation.due_at"), "{}", wrong.stderr);
    for format in ["table", "csv"] {
        let wrong = home.run(&["list", "-o", format, "--columns", "nope"]);
        assert_eq!((wrong.code, &*wrong.stdout), (Some(2), ""), "{wrong:?}");
        assert!(wrong.stderr.contains("secrets.0.lookup"), "{}", wrong.stderr);
    }
}
