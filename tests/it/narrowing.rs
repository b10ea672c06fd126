//! What narrows is heeded or refused: a narrowing that is ignored widens. Every combination is generated, on a local vault
//! and through a server.

use crate::support::{
    Home,
    door::{Door, Doors},
};
use serde_json::Value;
use std::collections::BTreeSet;

/// An option, its value, and whether a key as JSON has it.
type Narrowing = (&'static str, &'static str, fn(&Value) -> bool);

const NARROWINGS: [Narrowing; 7] = [
    ("--env", "staging", |key| key["environment"] == "staging"),
    ("--owner", "ana", |key| key["owner"] == "ana"),
    ("--project", "shop", |key| key["project"] == "shop"),
    ("--customer", "acme", |key| key["customers"][0] == "acme"),
    ("--scope", "a:read", |key| key["scopes"][0] == "a:read"),
    ("--label", "team=x", |key| key["labels"]["team"] == "x"),
    ("--name", "k*1", |key| {
        let name = key["name"].as_str().unwrap();
        name.starts_with('k') && name.ends_with('1')
    }),
];

/// Keys of which each has some of what is narrowed by, in every mixture that tells two of them apart.
fn furnish(home: &Home) {
    home.ok(&["projects", "create", "shop"]);
    home.ok(&["projects", "create", "other"]);
    home.ok(&["customers", "create", "acme"]);
    let mut csv = "name,env,owner,project,customers,scopes,labels,rotate_every,expires_in\n".to_owned();
    for which in 0..16_u32 {
        let has = |bit: u32, yes: &str, no: &str| if which >> (bit % 4) & 1 == 1 { yes } else { no }.to_owned();
        // The last three go with different pairs of the first four, so that no two options mean the same.
        let (scope, label) = (has(which % 4, "a:read", "b:read"), has((which + 1) % 4, "team=x", "team=y"));
        csv.push_str(&format!(
            "k{which}-{},{},{},{},{},{scope},{label},30d,60d\n",
            which % 3,
            has(0, "staging", "production"),
            has(1, "ana", "ben"),
            has(2, "shop", ""),
            has(3, "acme", ""),
        ));
    }
    home.write("keys.csv", &csv);
    home.ok(&["create", "--from", "keys.csv", "--out", "secrets.jsonl"]);
}

fn names(value: &Value) -> BTreeSet<String> {
    let items = value["items"].as_array().or(value["keys"].as_array()).unwrap_or_else(|| panic!("{value}"));
    items.iter().map(|key| key["name"].as_str().unwrap().to_owned()).collect()
}

fn json(door: &Door<'_>, args: &[&str]) -> Value {
    let ran = door.run(&[&["-o", "json"], args].concat(), "");
    assert_eq!(ran.code, Some(0), "{args:?}: {ran:?}");
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn every_command_that_lists_heeds_every_narrowing_in_every_combination() {
    let doors = Doors::new();
    furnish(&doors.local);
    furnish(&doors.behind);
    for door in [doors.here(), doors.there()] {
        let all = json(&door, &["list"])["items"].as_array().unwrap().clone();
        assert_eq!(all.len(), 16);
        for chosen in 0..1_u32 << NARROWINGS.len() {
            let narrowings: Vec<&Narrowing> =
                NARROWINGS.iter().enumerate().filter(|(at, _)| chosen >> at & 1 == 1).map(|(_, one)| one).collect();
            let options: Vec<&str> = narrowings.iter().flat_map(|(option, value, _)| [*option, *value]).collect();
            let wanted: BTreeSet<String> = all
                .iter()
                .filter(|key| narrowings.iter().all(|(_, _, has)| has(key)))
                .map(|key| key["name"].as_str().unwrap().to_owned())
                .collect();
            assert_eq!(names(&json(&door, &[&["list"], &options[..]].concat())), wanted, "list {options:?}");
            let takes = |these: &[&str]| options.iter().step_by(2).all(|option| these.contains(option));
            if chosen % 8 == 7 {
                let counted = json(&door, &[&["list", "--count"], &options[..]].concat());
                assert_eq!(counted["count"], wanted.len(), "list --count {options:?}");
                let due = json(&door, &[&["list", "--due-within", "31d"], &options[..]].concat());
                assert_eq!(names(&due), wanted, "list --due-within {options:?}");
            }
            if takes(&["--env", "--owner", "--label"]) {
                assert_eq!(names(&json(&door, &[&["export"], &options[..]].concat())), wanted, "export {options:?}");
            }
            if takes(&["--env", "--owner", "--project"]) {
                for report in [&["report", "expiry"][..], &["report", "rotation"]] {
                    assert_eq!(names(&json(&door, &[report, &options].concat())), wanted, "{report:?} {options:?}");
                }
                let summary = json(&door, &[&["report"], &options[..]].concat());
                assert_eq!(summary["keys"], wanted.len(), "report {options:?}");
                let owners = json(&door, &[&["report", "owners"], &options[..]].concat());
                let sum: u64 =
                    owners["items"].as_array().unwrap().iter().map(|row| row["keys"].as_u64().unwrap()).sum();
                assert_eq!(sum, wanted.len() as u64, "report owners {options:?}");
            }
        }
    }
}

#[test]
fn a_due_run_leaves_other_environments_alone() {
    let doors = Doors::new();
    for (door, vault) in [(doors.here(), &doors.local), (doors.there(), &doors.behind)] {
        for env in ["production", "staging"] {
            vault.ok(&["create", &format!("of-{env}"), "--env", env, "--rotate-every", "30d"]);
        }
        let current = |name: &str| {
            let secrets = vault.json(&["show", name])["key"]["secrets"].as_array().unwrap().clone();
            secrets.into_iter().find(|secret| secret["state"] == "current").unwrap()["lookup"].clone()
        };
        let before = (current("of-production"), current("of-staging"));
        let run = ["rotate", "--due", "--due-within", "31d", "--env", "staging", "--yes", "--max", "9"];
        let looked = door.run(&[&run[..], &["--deliver", "file:{name}.key", "-n", "-o", "json"]].concat(), "");
        let looked: Value = serde_json::from_str(&looked.stdout).unwrap_or_else(|_| panic!("{looked:?}"));
        assert_eq!((&looked["due"], &looked["items"][0]["name"]), (&1.into(), &"of-staging".into()), "{looked:#}");
        let ran = door.run(&[&run[..], &["--deliver", "file:{name}.key"]].concat(), "");
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert_eq!(current("of-production"), before.0, "production was not named");
        assert_ne!(current("of-staging"), before.1);
        assert!(!door.home.path().join("of-production.key").exists());
    }
}

#[test]
fn a_workspace_that_is_named_narrows_operators_and_what_is_revoked() {
    let home = Home::new();
    home.ok(&["init"]);
    home.ok(&["workspaces", "create", "acme"]);
    home.ok(&["operators", "create", "everywhere", "--role", "support"]);
    home.ok(&["operators", "create", "there", "--role", "support", "--bind", "acme"]);
    assert_eq!(home.ok(&["operators", "list", "-o", "name"]), "everywhere\nthere");
    assert_eq!(home.ok(&["operators", "list", "--workspace", "acme", "-o", "name"]), "there");
    assert_eq!(home.run(&["operators", "list", "--workspace", "nowhere"]).code, Some(3));
    let secret = home.ok(&["-q", "create", "k"]);
    let ran = home.run_with(&["identify", "-", "--revoke", "--yes", "--workspace", "acme"], &secret);
    assert!(ran.code == Some(3) && ran.stderr.contains("not revoked: k"), "{ran:?}");
    assert!(home.works(&secret));
}

#[test]
fn a_key_is_found_only_where_it_was_said_to_be() {
    let doors = Doors::new();
    for (door, vault) in [(doors.here(), &doors.local), (doors.there(), &doors.behind)] {
        vault.ok(&["workspaces", "create", "other"]);
        vault.ok(&["create", "k", "--env", "staging"]);
        let id = vault.ok(&["show", "k", "--field", "id"]);
        let before = vault.json(&["show", "k"]);
        for narrowing in [["--env", "production"], ["--workspace", "other"]] {
            for operand in ["k", &id, &id[..12]] {
                for line in [
                    "show KEY",
                    "update KEY --owner x",
                    "rotate KEY -q",
                    "rotate KEY --deliver file:x",
                    "activate KEY",
                    "deactivate KEY",
                    "revoke KEY",
                    "delete KEY --confirm k",
                    "check KEY",
                    "usage KEY",
                    "logs --key KEY",
                    "rotation show KEY",
                ] {
                    let line = line.replace("KEY", operand);
                    let mut args: Vec<&str> = line.split(' ').collect();
                    args.extend(narrowing);
                    let ran = door.run(&args, "");
                    assert_eq!((ran.code, ran.stdout.trim()), (Some(3), ""), "{args:?}: {ran:?}");
                }
            }
        }
        let story = door.run(&["audit", "--key", &id, "--env", "production"], "");
        assert_eq!((story.code, story.stdout.as_str()), (Some(2), ""), "an id needs no environment: {story:?}");
        assert_eq!(vault.json(&["show", "k"]), before);
    }
}
