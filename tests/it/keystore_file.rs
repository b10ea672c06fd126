//! The keystore file as its owner finds it: open to others, or another copy than before.

use crate::support::Home;
use std::{fs::Permissions, os::unix::fs::PermissionsExt};

#[test]
fn a_keystore_open_to_others_is_refused_with_the_command_that_closes_it() {
    let home = Home::new();
    home.ok(&["create", "billing"]);
    let keystore = home.keystore();
    std::fs::set_permissions(&keystore, Permissions::from_mode(0o644)).unwrap();
    for args in [&["list"][..], &["revoke", "billing", "--yes"], &["scan-rule"]] {
        let ran = home.run(args);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(5), ""), "{ran:?}");
        let fix = format!("chmod go= {}", keystore.display());
        assert!(ran.stderr.contains("can be read or written by others") && ran.stderr.contains(&fix), "{ran:?}");
    }
    let doctor = home.run(&["doctor"]);
    assert!(doctor.code != Some(0) && doctor.stdout.contains("is open to others: chmod go="), "{doctor:?}");
    std::fs::set_permissions(&keystore, Permissions::from_mode(0o600)).unwrap();
    home.ok(&["list"]);
}

#[test]
fn a_copy_that_went_its_own_way_is_refused_until_it_is_restored_on_purpose() {
    let (here, there) = (Home::new(), Home::new());
    here.ok(&["create", "first"]);
    let copy = std::process::Command::new("cp").arg("-a").arg(here.path().join(".")).arg(there.path()).status();
    assert!(copy.unwrap().success());
    for name in ["second", "third"] {
        there.ok(&["create", name]);
    }
    here.ok(&["create", "elsewhere"]);
    std::fs::copy(there.keystore(), here.keystore()).unwrap();
    let refused = here.run(&["list"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(14), ""), "{refused:?}");
    assert!(
        refused.stderr.contains("another copy of the vault") && refused.stderr.contains("vault restore"),
        "{refused:?}"
    );

    let backup = there.path().join("there.db");
    there.ok(&["vault", "backup", backup.to_str().unwrap()]);
    here.ok(&["vault", "restore", backup.to_str().unwrap(), "--force", "--yes"]);
    let names = here.ok(&["list", "-o", "name"]);
    assert!(names.contains("third") && !names.contains("elsewhere"), "{names}");
    here.ok(&["audit", "verify"]);
}

#[test]
fn the_first_of_many_secrets_is_still_known_for_what_it_was() {
    let home = Home::new();
    let first = home.ok(&["create", "billing", "--no-expiry"]);
    let second = home.ok(&["rotate", "billing", "--now"]);
    let (known, denied) = home.verdict(&first, &["--env", "development"]);
    for _ in 0..17 {
        home.ok(&["rotate", "billing", "--now"]);
    }
    assert_eq!(home.json(&["show", "billing"])["key"]["secrets"].as_array().unwrap().len(), 17);
    for token in [&first, &second] {
        let (verdict, code) = home.verdict(token, &["--env", "development"]);
        assert_eq!((&verdict["verdict"]["code"], code), (&known["verdict"]["code"], denied));
        assert_ne!(verdict["verdict"]["code"], "UNKNOWN");
    }
    home.ok(&["audit", "verify"]);
}

#[test]
fn lines_of_one_file_meet_each_other_as_if_they_came_one_by_one() {
    let home = Home::new();
    home.ok(&["init"]);
    let write = |lines: &[String]| {
        let path = home.path().join("keys.csv");
        std::fs::write(&path, format!("name,environment,scopes,idempotency_key\n{}\n", lines.join("\n"))).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let line = |number: usize, once: &str| format!("key-{number},production,reports:read,{once}");
    // More than are made at once, the last of them the first once more.
    let mut lines: Vec<String> = (0..2_060).map(|number| line(number, "")).collect();
    lines.push(line(7, ""));
    let refused = home.run(&["create", "--from", &write(&lines), "--out", "secrets.jsonl"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(6), ""), "{refused:?}");
    assert!(refused.stderr.contains(":2062: the name 'key-7' in production stands on line 9 already"), "{refused:?}");
    assert_eq!(home.json(&["list"])["page"]["total"], 0);

    lines.truncate(2_060);
    lines[3] = line(3, "once");
    lines.push(line(3, "once"));
    home.ok(&["create", "--from", &write(&lines), "--out", "secrets.jsonl"]);
    let secrets = std::fs::read_to_string(home.path().join("secrets.jsonl")).unwrap();
    assert_eq!(secrets.lines().count(), 2_061);
    for (number, secret) in secrets.lines().enumerate() {
        let made: serde_json::Value = serde_json::from_str(secret).unwrap();
        let expected = if number == 2_060 { 3 } else { number };
        assert_eq!(made["key"]["name"], format!("key-{expected}"));
        assert_eq!(made["secret"].is_string(), number < 2_060);
    }
    assert_eq!(home.json(&["list"])["page"]["total"], 2_060);
    home.ok(&["audit", "verify"]);
}
