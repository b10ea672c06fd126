//! What is refused, with which exit code, and that nothing is lost by it.

use crate::support::{Home, Ran};

#[test]
fn names_are_unique_and_ambiguity_is_a_conflict() {
    let home = Home::new();
    home.ok(&["create", "k", "--env", "production"]);
    assert_eq!(home.run(&["create", "k", "--env", "production"]).code, Some(6));
    home.ok(&["create", "k", "--env", "production", "--if-not-exists"]);
    home.ok(&["create", "k", "--env", "staging"]);
    let ambiguous = home.run(&["show", "k"]);
    assert_eq!(ambiguous.code, Some(6));
    assert!(ambiguous.stderr.contains("--env"), "{}", ambiguous.stderr);
    home.ok(&["show", "k", "--env", "staging"]);
}

#[test]
fn an_unknown_key_gets_a_suggestion() {
    let home = Home::new();
    home.ok(&["create", "billing-sync"]);
    let ran = home.run(&["show", "biling-sync"]);
    assert_eq!(ran.code, Some(3));
    assert!(ran.stderr.contains("billing-sync"), "{}", ran.stderr);
    let json = home.run(&["-o", "json", "show", "nothing-like-it"]);
    let error: serde_json::Value = serde_json::from_str(&json.stderr).unwrap();
    assert_eq!(
        (error["schema"].as_str(), error["error"]["code"].as_str()),
        (Some("keyward.error/v1"), Some("NOT_FOUND"))
    );
    assert_eq!(error["error"]["exit"], 3);
    assert_eq!(json.stdout, "");
}

#[test]
fn a_token_as_an_operand_is_refused_and_not_repeated() {
    let home = Home::new();
    let token = home.ok(&["create", "k"]);
    let ran = home.run(&["show", &token]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(!ran.stderr.contains(&token) && !ran.stdout.contains(&token));
}

#[test]
fn in_ci_a_secret_is_not_printed_unasked() {
    let home = Home::new();
    let ran = home.command(&["create", "k"]).env("CI", "true").output().unwrap();
    assert_eq!(ran.status.code(), Some(2));
    assert!(ran.stdout.is_empty());
    let ran = home.command(&["-q", "create", "k"]).env("CI", "true").output().unwrap();
    assert_eq!(ran.status.code(), Some(0));
}

#[test]
fn read_only_and_dry_run_change_nothing() {
    let home = Home::new();
    home.ok(&["create", "k"]);
    let before = home.ok(&["-o", "json", "audit", "list"]);
    assert_eq!(home.run(&["--read-only", "revoke", "k"]).code, Some(5));
    let dry = home.run(&["--dry-run", "create", "other"]);
    assert_eq!((dry.code, dry.stdout.contains("kw_")), (Some(0), false), "{dry:?}");
    home.run(&["--dry-run", "rotate", "k"]);
    assert_eq!(home.ok(&["-o", "json", "audit", "list"]), before);
}

#[test]
fn a_refused_action_is_an_event() {
    let home = Home::new();
    home.ok(&["create", "k"]);
    home.run(&["revoke", "nobody"]);
    let trail = home.json(&["audit", "list", "--outcome", "refused"]);
    assert_eq!(trail["items"][0]["action"], "key.revoke");
    assert_eq!(trail["items"][0]["outcome"], "refused");
}

#[test]
fn the_free_plan_has_no_api_access() {
    let home = Home::with_vault();
    home.ok(&["workspaces", "create", "acme", "--plan", "free"]);
    let ran = home.run(&["--workspace", "acme", "create", "k"]);
    assert_eq!(ran.code, Some(5));
    assert!(ran.stderr.contains("plan 'free'") && ran.stderr.contains("API access"), "{}", ran.stderr);
}

#[test]
fn a_bulk_file_with_a_bad_line_writes_nothing_and_names_the_line() {
    let home = Home::new();
    home.ok(&["create", "first"]);
    let mut csv = "name,environment,scopes\n".to_owned();
    for number in 0..500 {
        let scope = if number == 399 { "not a scope" } else { "audits:read" };
        csv.push_str(&format!("key-{number},production,{scope}\n"));
    }
    std::fs::write(home.path().join("keys.csv"), &csv).unwrap();
    let ran = home.run(&["create", "--from", "keys.csv", "--out", "secrets.jsonl"]);
    assert_ne!(ran.code, Some(0));
    assert!(ran.stderr.contains("401"), "{}", ran.stderr);
    assert_eq!(home.json(&["list"])["page"]["total"], 1);

    std::fs::write(home.path().join("keys.csv"), csv.replace("not a scope", "audits:read")).unwrap();
    home.ok(&["create", "--from", "keys.csv", "--out", "secrets.jsonl"]);
    assert_eq!(home.json(&["list"])["page"]["total"], 501);
    assert_eq!(std::fs::read_to_string(home.path().join("secrets.jsonl")).unwrap().lines().count(), 500);
}

#[test]
fn a_named_passphrase_is_used_before_the_device_key_that_is_found() {
    let home = Home::new();
    home.ok(&["init"]);
    home.private("right", "correct horse battery\n");
    home.private("wrong", "incorrect horse\n");
    home.ok(&["vault", "slots", "add", "--passphrase", "--new-passphrase-file", "right", "--role", "support"]);
    home.ok(&["--passphrase-file", "right", "list"]);
    let refused = home.run(&["--passphrase-file", "right", "create", "k"]);
    assert_eq!(refused.code, Some(5), "{refused:?}");
    let wrong = home.run(&["--passphrase-file", "wrong", "list"]);
    assert_eq!(wrong.code, Some(7), "{wrong:?}");
    let trail = home.json(&["audit", "list"]);
    let told: Vec<_> = trail["items"].as_array().unwrap().iter().map(|e| (&e["action"], &e["outcome"])).collect();
    assert!(told.contains(&(&"key.create".into(), &"refused".into())), "{told:?}");
    assert!(told.contains(&(&"vault.unlock".into(), &"failed".into())), "{told:?}");
}

#[test]
fn an_unknown_workspace_project_or_customer_is_not_an_empty_one() {
    let home = Home::with_vault();
    home.ok(&["workspaces", "create", "acme"]);
    let (hook, map) = ("touch told", "deliver.toml");
    std::fs::write(home.path().join(map), "[[rule]]\nglob = \"*\"\ndeliver = [\"file:{name}.key\"]\n").unwrap();
    for args in [
        &["list"][..],
        &["list", "--due", "--exit-code"],
        &["list", "--count"],
        &["-q", "list"],
        &["rotation", "list"],
        &["projects", "list"],
        &["customers", "list"],
        &["scopes", "list"],
        &["usage"],
        &["logs"],
        &["check"],
        &["rotate", "--due", "--yes", "--max", "5", "--deliver-map", map, "--on-done", hook],
    ] {
        let ran = home.run_in(args, &[("KEYWARD_WORKSPACE", "acne")]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(3), ""), "{args:?}: {ran:?}");
        assert!(ran.stderr.contains("no workspace 'acne'") && ran.stderr.contains("acme"), "{args:?}: {ran:?}");
    }
    assert!(!home.path().join("told").exists());
    for filter in ["--project", "--customer"] {
        let ran = home.run(&["list", filter, "nosuch"]);
        assert_eq!(ran.code, Some(3), "{ran:?}");
        assert!(ran.stderr.contains("'nosuch' in workspace 'default'"), "{ran:?}");
    }
    home.ok(&["--workspace", "acme", "list"]);
}

#[test]
fn read_only_refuses_a_run_before_anything_of_it() {
    let home = Home::new();
    home.ok(&["create", "a", "--rotate-every", "90d"]);
    let run = ["rotate", "--due", "--yes", "--max", "5", "--deliver", "file:out.key", "--on-done", "touch told"];
    for args in
        [&run[..], &["rotate", "a"], &["rotate", "a", "--deliver", "file:out.key"], &["rotation", "resume", "a"]]
    {
        let ran = home.run(&[&["--read-only"], args].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(5), ""), "{args:?}: {ran:?}");
    }
    assert!(!home.path().join("told").exists() && !home.path().join("out.key").exists());
}

#[test]
fn a_setting_that_is_no_text_is_refused_and_not_passed_over() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let home = Home::new();
    home.ok(&["create", "a"]);
    for name in ["KEYWARD_READ_ONLY", "KEYWARD_WORKSPACE", "KEYWARD_REASON", "KEYWARD_SESSION", "KEYWARD_OUTPUT"] {
        let ran = Ran::of(
            home.command(&["update", "a", "--owner", "o"]).env(name, OsStr::from_bytes(b"w\xff")).output().unwrap(),
        );
        assert_eq!(ran.code, Some(2), "{name}: {ran:?}");
        assert!(ran.stderr.contains(&format!("the variable {name} is not UTF-8")), "{ran:?}");
    }
    assert!(home.json(&["show", "a"])["key"]["owner"].is_null());
    let ci = Ran::of(home.command(&["create", "b"]).env("CI", OsStr::from_bytes(b"\xff")).output().unwrap());
    assert_eq!(ci.code, Some(2), "set is set: {ci:?}");
}

#[test]
fn a_file_without_a_header_is_refused() {
    let home = Home::new();
    for (text, why) in
        [(&b"svc-a:read\n"[..], "column `name`"), (b"", "nothing in it"), (b"\x7fELF\xff\xfe\0\n", "UTF-8")]
    {
        std::fs::write(home.path().join("f"), text).unwrap();
        for args in [&["scopes", "import", "f"][..], &["create", "--from", "f"]] {
            let ran = home.run(args);
            assert_eq!(ran.code, Some(2), "{args:?}: {ran:?}");
            assert!(ran.stderr.contains("f:1: ") && ran.stderr.contains(why), "{args:?}: {ran:?}");
        }
    }
}

#[test]
fn many_secrets_in_ci_have_a_way_out_of_their_own() {
    let home = Home::new();
    std::fs::write(home.path().join("keys.csv"), "name\na\n").unwrap();
    let ran = home.run_in(&["create", "--from", "keys.csv"], &[("CI", "1")]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("--out FILE") && !ran.stderr.contains("SECRET=$("), "{ran:?}");
}

#[test]
fn a_bad_value_is_named_with_its_option() {
    let home = Home::with_vault();
    for (args, told) in [
        (&["create", "k", "--allow-ip", "10.0.0.1/8"][..], "--allow-ip '10.0.0.1/8': the range has bits set"),
        (&["update", "k", "--add-ip", "home"], "--add-ip 'home': expected an address"),
        (&["create", "k", "--overlap", "0s"], "expected more than zero"),
        (&["create", "k", "--expires-in", "0d"], "expected more than zero"),
        (&["unlock", "--for", "0s"], "expected more than zero"),
    ] {
        let ran = home.run(args);
        assert_eq!(ran.code, Some(2), "{args:?}: {ran:?}");
        assert!(ran.stderr.contains(told), "{args:?}: {ran:?}");
    }
}

#[test]
fn a_passphrase_file_that_others_can_read_is_refused_and_a_descriptor_is_not() {
    let home = Home::new();
    std::fs::write(home.path().join("open"), "correct horse battery\n").unwrap();
    let refused = home.run(&["init", "--passphrase-file", "open"]);
    assert_eq!(refused.code, Some(5), "{refused:?}");
    assert!(refused.stderr.contains("chmod 600 open"), "{refused:?}");
    let through =
        home.shell("keyward init --passphrase-file /dev/stdin < open && keyward --passphrase-fd 3 list 3< open");
    assert_eq!(through.code, Some(0), "{through:?}");
    for option in ["--passphrase-file", "--key-file"] {
        assert_eq!(home.run(&[option, "open", "list"]).code, Some(5), "{option}");
    }
}

#[test]
fn help_that_cannot_be_written_says_why() {
    let home = Home::new();
    for args in [&["--help"][..], &["--version"], &["create", "--help"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ran = Ran::of(home.command(args).stdout(full).output().unwrap());
        assert_eq!(ran.code, Some(9), "{ran:?}");
        assert!(ran.stderr.contains("cannot write to stdout"), "{ran:?}");
    }
}

#[test]
fn a_support_slot_says_what_it_lacks() {
    let home = Home::new();
    let token = home.ok(&["create", "k"]);
    home.private("pass", "correct horse battery\n");
    home.ok(&["vault", "slots", "add", "--passphrase", "--new-passphrase-file", "pass", "--role", "support"]);
    for args in [&["verify", "-", "--record"][..], &["audit", "list"], &["create", "x"]] {
        let ran = home.run_with(&[&["--passphrase-file", "pass"], args].concat(), &token);
        assert_eq!(ran.code, Some(5), "{args:?}: {ran:?}");
        assert!(ran.stderr.contains("holds no key to change or sign anything with"), "{args:?}: {ran:?}");
    }
}
