//! A bulk creation that is ended anywhere: no key is there whose secret nobody has, and what is left leads on.

use crate::support::{
    Home,
    stepping::{Stepped, killed_before},
};
use std::collections::HashSet;

const KEYS: usize = 12;

/// The ids of the keys in a file of secrets; none where it is not there or was not begun.
fn with_secrets(home: &Home, name: &str) -> HashSet<String> {
    let text = std::fs::read(home.path().join(name)).unwrap_or_default();
    let lines = String::from_utf8_lossy(&text).into_owned();
    let parsed = lines.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let whole = parsed.filter(|one| one["secret"].is_string());
    whole.map(|one| one["key"]["id"].as_str().unwrap().to_owned()).collect()
}

fn keys(home: &Home) -> HashSet<String> {
    home.ok(&["-q", "list", "--status", "any"]).lines().map(str::to_owned).collect()
}

#[test]
fn a_bulk_creation_that_is_killed_leaves_no_key_without_its_secret() {
    let mut lost_secrets = 0;
    for effect in 1.. {
        let home = Home::with_vault();
        let names: Vec<String> = (0..KEYS).map(|number| format!("k{number}")).collect();
        home.write("keys.csv", &format!("name\n{}\n", names.join("\n")));
        let command = home.command(&["create", "--from", "keys.csv", "--out", "out.jsonl"]);
        match killed_before(&command, effect) {
            Stepped::Forbidden => {
                eprintln!("skipped: nobody may trace a process here");
                return;
            }
            Stepped::Ended { code, .. } => {
                assert_eq!(code, 0);
                assert_eq!(with_secrets(&home, "out.jsonl"), keys(&home));
                break;
            }
            Stepped::Killed => {}
        }
        let (made, kept) = (keys(&home), with_secrets(&home, "out.jsonl"));
        assert!(made.is_subset(&kept), "before effect {effect}: {} keys, {} secrets", made.len(), kept.len());
        assert!(made.is_empty() || made.len() == KEYS, "before effect {effect}");
        if made.is_empty() {
            // The way on: what is left of the run is told as that, and the same command works once it is removed.
            let again = home.run(&["create", "--from", "keys.csv", "--out", "out.jsonl"]);
            if again.code != Some(0) {
                assert_eq!(again.code, Some(6), "before effect {effect}: {again:?}");
                assert!(again.stderr.contains("rm -- out.jsonl"), "before effect {effect}: {again:?}");
                lost_secrets += usize::from(!kept.is_empty());
                std::fs::remove_file(home.path().join("out.jsonl")).unwrap();
                home.ok(&["create", "--from", "keys.csv", "--out", "out.jsonl"]);
            }
            assert_eq!(with_secrets(&home, "out.jsonl"), keys(&home), "before effect {effect}");
        }
        home.ok(&["audit", "verify"]);
    }
    assert!(lost_secrets > 0, "no kill fell between the secrets and the commit");
}
