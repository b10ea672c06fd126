//! What arguments mean and what becomes of odd ones: how keys are named, what is refused before anything is minted, what a
//! retry or a dry run does.

use crate::support::{Home, Ran};
use serde_json::Value;
use std::{fs::File, process::Stdio};

#[test]
fn in_ci_nothing_is_minted_for_the_log() {
    let home = Home::furnished();
    std::fs::write(home.path().join("keys.csv"), "name\nx\n").unwrap();
    let before = home.ok(&["-o", "json", "audit", "list"]);
    for args in [&["create", "k"][..], &["rotate", "full"], &["create", "--from", "keys.csv"], &["vault", "recovery"]] {
        let ran = home.run_in(args, &[("CI", "true")]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{args:?}");
        assert!(ran.stderr.contains("-q") && ran.stderr.contains("-o json"), "{args:?}: {}", ran.stderr);
    }
    assert_eq!(home.ok(&["-o", "json", "audit", "list"]), before);
    for args in [&["-q", "create", "k"][..], &["-o", "json", "rotate", "full"], &["create", "l", "--field", "secret"]] {
        assert!(home.run_in(args, &[("CI", "true")]).stdout.contains("kw_"), "{args:?}");
    }
    assert!(home.run_in(&["create", "m"], &[("CI", "false")]).stdout.contains("kw_"));
    // A format that somebody prefers for tables says nothing about secrets; one that programs read does.
    let in_ci = |format: &str| home.run_in(&["create", format], &[("CI", "true"), ("KEYWARD_OUTPUT", format)]);
    assert_eq!((in_ci("table").code, in_ci("wide").code, in_ci("json").code), (Some(2), Some(2), Some(0)));
}

#[test]
fn whoever_names_a_key_means_a_vault_that_is_there() {
    let home = Home::new();
    home.private("pass", "correct horse battery\n");
    let credentials = home.path().join("credentials");
    std::fs::create_dir(&credentials).unwrap();
    std::fs::write(credentials.join("keyward.key"), "x").unwrap();
    let credentials = credentials.to_str().unwrap();
    for (args, variables) in [
        (&["--passphrase-file", "pass", "create", "k"][..], &[][..]),
        (&["--key-file", "pass", "list"], &[]),
        (&["create", "k"], &[("CREDENTIALS_DIRECTORY", credentials)]),
        (&["create", "k"], &[("KEYWARD_TOKEN_FILE", "/nonexistent")]),
        (&["create", "k"], &[("KEYWARD_TOKEN", "kwop_x")]),
    ] {
        let ran = home.run_in(args, variables);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(3), ""), "{args:?} {variables:?}: {ran:?}");
    }
    assert!(home.find("keystore.db").is_none() && home.find("devices").is_none(), "nothing was made");
    home.ok(&["--passphrase-file", "pass", "init", "--passphrase"]);
    home.ok(&["--passphrase-file", "pass", "create", "k"]);
}

#[test]
fn a_broken_configuration_file_is_told_by_those_who_look_for_what_is_wrong() {
    let home = Home::new();
    home.ok(&["create", "k"]);
    let config = home.path().join(".config/keyward/config.toml");
    std::fs::write(&config, "bogus = 1\n").unwrap();
    let told = home.run(&["doctor"]);
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.stdout.contains("settings") && told.stdout.contains("bogus"), "{told:?}");
    for line in ["help exit-codes", "completions bash", "man", "scan-rule"] {
        assert_eq!(home.run(&line.split(' ').collect::<Vec<_>>()).code, Some(0), "{line}");
    }
    assert_eq!(home.run(&["list"]).code, Some(2));
}

#[test]
fn an_option_that_needs_another_is_not_passed_over() {
    let home = Home::new();
    let ran = home.run(&["create", "k", "--out", "secrets.jsonl"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
    assert!(home.find("keystore.db").is_none());
}

#[test]
fn a_stdout_that_takes_nothing_is_found_before_minting() {
    let home = Home::furnished();
    let before = home.ok(&["-o", "json", "audit", "list"]);
    let full = || Stdio::from(File::options().write(true).open("/dev/full").unwrap());
    let gone = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        Stdio::from(writer)
    };
    for args in
        [&["create", "k"][..], &["rotate", "full", "-q"], &["create", "k", "-o", "json"], &["vault", "recovery"]]
    {
        for stdout in [full(), gone(), Stdio::from(File::open("/dev/null").unwrap())] {
            let ran = home.command(args).stdout(stdout).output().unwrap();
            let said = String::from_utf8(ran.stderr).unwrap();
            assert_eq!(ran.status.code(), Some(2), "{args:?}: {said}");
            assert!(said.contains("nothing was minted"), "{args:?}: {said}");
        }
    }
    let closed = home.shell("keyward create k >&-");
    assert!(closed.code == Some(2) && closed.stderr.contains("stdout is closed"), "{closed:?}");
    assert_eq!(home.ok(&["-o", "json", "audit", "list"]), before);
    for command in ["list", "audit", "help output", "--help", "completions bash", "man", "audit export"] {
        let args: Vec<&str> = command.split(' ').collect();
        assert_eq!(home.command(&args).stdout(gone()).status().unwrap().code(), Some(0), "a closed pipe: {command}");
        assert_eq!(home.command(&args).stdout(full()).status().unwrap().code(), Some(9), "a full device: {command}");
    }
    assert_eq!(home.command(&["list"]).stderr(full()).status().unwrap().code(), Some(0), "talk is not data");
}

#[test]
fn a_key_is_named_by_id_name_or_prefix() {
    let home = Home::furnished();
    let id = home.ok(&["show", "full", "--field", "id"]);
    for name in [&id, "full", &id[..12]] {
        assert_eq!(home.ok(&["show", name, "-q"]), id, "{name}");
    }
    assert_eq!(home.run(&["show", &id[..7]]).code, Some(2), "too short a prefix");
    assert_eq!(home.run(&["show", "key_00000000"]).code, Some(3));
    home.ok(&["create", "full"]);
    let ran = home.run(&["-o", "json", "show", "full"]);
    let error = ran.error();
    assert_eq!((ran.code, error["code"].as_str()), (Some(6), Some("CONFLICT")));
    let causes = error["causes"].to_string();
    assert!(causes.contains(&id) && causes.contains("production") && causes.contains("development"), "{causes}");
    assert_eq!(home.ok(&["show", "full", "--env", "production", "-q"]), id);
    for args in [&["revoke", "full"][..], &["rotate", "full"], &["update", "full", "--owner", "x"], &["delete", "full"]]
    {
        assert_eq!(home.run(args).code, Some(6), "{args:?}");
    }
}

#[test]
fn several_keys_can_fail_in_part() {
    let home = Home::furnished();
    let ran = home.run(&["deactivate", "full", "nobody", "bare"]);
    assert_eq!(ran.code, Some(11), "{ran:?}");
    assert_eq!(home.json(&["list", "--status", "inactive", "--count"])["count"], 2);
    assert_eq!(home.run(&["revoke", "nobody", "noone"]).code, Some(3), "all failed alike");
    let ran = home.run(&["-o", "json", "rotate", "bare", "nobody"]);
    let replies: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((ran.code, replies["items"].as_array().unwrap().len()), (Some(11), 1));
    assert!(replies["items"][0]["secret"].is_string());
}

#[test]
fn mistakes_get_a_suggestion_and_nothing_is_run() {
    let home = Home::furnished();
    let before = home.ok(&["-o", "json", "audit", "list"]);
    for (args, suggested) in [
        (&["show", "ful"][..], "full"),
        (&["revok", "full"], "revoke"),
        (&["list", "--expird"], "--expired"),
        (&["list", "-o", "jsn"], "json"),
        (&["help", "lits"], "list"),
    ] {
        let ran = home.run(args);
        assert!(matches!(ran.code, Some(2 | 3)) && ran.stdout.is_empty(), "{args:?}: {ran:?}");
        assert!(ran.stderr.starts_with("error: ") && ran.stderr.contains("hint: "), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(suggested), "{args:?}: {}", ran.stderr);
    }
    assert_eq!(home.ok(&["-o", "json", "audit", "list"]), before);
    home.ok(&["scopes", "close"]);
    for args in [&["create", "k", "--scope", "audits:raed"][..], &["update", "full", "--add-scope", "audit:read"]] {
        let ran = home.run(args);
        assert!(ran.code == Some(2) && ran.stderr.contains("did you mean audits:read"), "{ran:?}");
    }
}

#[test]
fn the_expiry_is_never_edited() {
    let home = Home::furnished();
    let before = home.json(&["show", "full"]);
    for args in [&["--expires-in", "9d"][..], &["--expires-at", "2099-01-01"], &["--no-expiry"]] {
        let ran = home.run(&[&["update", "full"], args].concat());
        assert_eq!(ran.code, Some(2));
        assert!(ran.stderr.contains("set at creation") && ran.stderr.contains("--renew"), "{}", ran.stderr);
    }
    assert_eq!(home.json(&["show", "full"]), before);
}

#[test]
fn a_retry_makes_no_second_key_and_no_false_secret() {
    let home = Home::new();
    let create = |args: &str| home.run(&args.split(' ').collect::<Vec<_>>());
    let made = create("create a --owner o --idempotency-key K");
    assert!(made.stdout.starts_with("kw_dev_"));
    let again = create("create a --owner o --idempotency-key K");
    assert_eq!((again.code, again.stdout.as_str()), (Some(0), ""));
    assert!(again.stderr.contains("not shown again"), "{}", again.stderr);
    assert_eq!(create("-q create a --owner o --idempotency-key K").stdout, "\n");
    assert_eq!(create("create a --owner o --idempotency-key K --field secret").stdout, "\n");
    let json: Value = serde_json::from_str(&create("-o json create a --owner o --idempotency-key K").stdout).unwrap();
    assert!(json.get("secret").is_none_or(Value::is_null) && json["key"]["name"] == "a");
    for other in [
        "create b --owner o --idempotency-key K",
        "create a --owner p --idempotency-key K",
        "create a --owner o --scope x:read --idempotency-key K",
        "create a --owner o --expires-in 7d --idempotency-key K",
        "create a --owner o --env production --idempotency-key K",
        "--workspace other create a --owner o --idempotency-key K",
    ] {
        assert!(matches!(create(other).code, Some(6 | 3)), "{other}");
    }
    // An update in between does not turn the same request into another one.
    home.ok(&["update", "a", "--owner", "q"]);
    assert_eq!(create("create a --owner o --idempotency-key K").code, Some(0));
    assert_eq!(create("create a --owner o").code, Some(6));
    let quiet = create("-q create a --if-not-exists");
    assert_eq!((quiet.code, quiet.stdout.as_str()), (Some(15), "\n"));
    assert!(quiet.stderr.contains("not shown again"), "a script must hear it, too: {}", quiet.stderr);
    assert_eq!(home.json(&["list"])["page"]["total"], 1);
}

#[test]
fn a_dry_run_has_the_same_shape_and_changes_nothing() {
    let home = Home::furnished();
    home.ok(&["workspaces", "create", "w"]);
    home.ok(&["operators", "create", "gateway", "--role", "verifier"]);
    home.ok(&["webhooks", "add", "pager", "https://hooks.example.com/x"]);
    std::fs::write(home.path().join("keys.csv"), "name\nx\ny\n").unwrap();
    std::fs::write(home.path().join("scopes.csv"), "name\nz:read\n").unwrap();
    let state = || (home.ok(&["-o", "json", "audit", "list"]), home.ok(&["-o", "json", "list", "--status", "any"]));
    let before = state();
    for command in [
        "create k --scope n:read",
        "create --from keys.csv",
        "update full --owner x",
        "rotate full",
        "deactivate bare",
        "activate full",
        "revoke full bare",
        "delete full --confirm full",
        "scopes add s:read",
        "scopes import scopes.csv",
        "scopes close",
        "workspaces create v",
        "workspaces update w --description d",
        "workspaces delete w",
        "plans create p",
        "projects create q",
        "customers create c",
        "operators create o --role auditor",
        "operators rotate gateway",
        "operators revoke gateway",
        "webhooks add w https://hooks.example.com/w",
        "webhooks test pager",
        "webhooks remove pager",
        "vault slots add --device-file new.key",
        "vault rekey",
        "vault backup copy.db",
        "vault recovery",
        "unlock",
    ] {
        let args: Vec<&str> = command.split(' ').collect();
        let ran = home.run(&[&["-n", "-o", "json"], args.as_slice()].concat());
        assert_eq!(ran.code, Some(0), "{command}: {ran:?}");
        for secret in ["kw_", "kwop_", "whsec_", "KWR-"] {
            assert!(!ran.stdout.contains(secret), "{command}");
        }
        assert!(ran.stderr.contains("would") || ran.stderr.contains("already so"), "{command}: {}", ran.stderr);
        if !ran.stdout.is_empty() {
            assert!(serde_json::from_str::<Value>(&ran.stdout).is_ok(), "{command}: {}", ran.stdout);
        }
    }
    assert_eq!(state(), before);
    for file in ["new.key", "copy.db"] {
        assert!(home.find(file).is_none(), "{file} was written");
    }
    assert!(home.find("keystore.db").is_some());
    let (dry, real) = (home.json(&["-n", "create", "k"]), home.json(&["create", "k"]));
    let fields = |reply: &Value| reply["key"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(fields(&dry), fields(&real));
    let nowhere = Home::new();
    assert_eq!(nowhere.run(&["-n", "create", "k"]).code, Some(0), "not even a vault is made");
    assert!(nowhere.find("keystore.db").is_none());
}

#[test]
fn odd_arguments_are_refused_and_never_a_panic() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let home = Home::furnished();
    let raw = OsStr::from_bytes(b"a\xffb");
    for args in [&["show"][..], &["create"], &["list", "--name"], &["--reason"], &[]] {
        let ran = Ran::of(home.command(args).arg(raw).output().unwrap());
        assert_eq!(ran.code, Some(2), "{args:?}: {ran:?}");
    }
    let huge = "x".repeat(100_000);
    for args in
        [&["show"][..], &["create"], &["list", "--owner"], &["list", "--name"], &["--workspace", "w", "list", "--sort"]]
    {
        let ran = home.run(&[args, &[huge.as_str()]].concat());
        assert!(matches!(ran.code, Some(0 | 2 | 3)), "{args:?}: {:?}", ran.code);
        assert!(ran.stderr.len() < 2_000, "{args:?} repeats all of it");
    }
    for (args, why) in [
        (&["--overlap", "90"][..], "unit"),
        (&["--expires-in", "1x"], "unit"),
        (&["--expires-in", "99999999999w"], "100 years"),
        (&["--expires-at", "2001-01-01"], "past"),
        (&["--expires-at", "tomorrow"], "RFC 3339"),
        (&["--allow-ip", "10.0.0.1/8"], "10.0.0.0/8"),
        (&["--allow-ip", "300.0.0.1"], "address"),
        (&["--rate-limit", "0/h"], "0"),
        (&["--rate-limit", "many"], "100/h"),
        (&["--scope", "audits"], "resource:level"),
        (&["--env", "moon"], "production"),
        (&["--label", "x"], "key=value"),
        (&["--project", "nowhere"], "nowhere"),
        (&["--customer", "nobody"], "nobody"),
        (&["--expires-in", "1d", "--no-expiry"], "cannot be used with"),
    ] {
        let ran = home.run(&[&["create", "k"], args].concat());
        assert!(matches!(ran.code, Some(2 | 3)), "{args:?}: {ran:?}");
        assert!(ran.stderr.contains(why), "{args:?}: {}", ran.stderr);
    }
    assert_eq!(home.run(&["show", "k"]).code, Some(3));
}

#[test]
fn a_clock_that_is_wrong_is_said_and_harms_nothing() {
    if !std::path::Path::new("/usr/bin/faketime").exists() {
        eprintln!("skipped, for want of faketime");
        return;
    }
    let home = Home::furnished();
    let at = |time: &str, args: &str| home.shell(&format!("faketime '{time}' keyward {args}"));
    let doctor = at("2020-01-01 00:00:00", "doctor");
    assert!(doctor.code == Some(1) && doctor.stdout.contains("the clock is wrong"), "{doctor:?}");
    assert_eq!(at("2020-01-01 00:00:00", "list").code, Some(0));
    assert_eq!(at("2020-01-01 00:00:00", "-q create past --expires-in 1d").code, Some(0));
    home.ok(&["audit", "verify"]);
    assert!(home.ok(&["list", "--expired"]).contains("past"));
    let before_all = at("1969-06-01 00:00:00", "list");
    assert!(before_all.code == Some(1) && before_all.stderr.contains("clock"), "{before_all:?}");
    let far = at("2150-01-01 00:00:00", "list --status any -o json");
    assert!(far.code == Some(0) && far.stdout.contains("expired"), "{far:?}");
}

#[test]
fn what_is_named_stands_before_a_session_that_is_stale() {
    let home = Home::with_vault();
    home.ok(&["vault", "slots", "add", "--device-file", "ci.key"]);
    let stale = [("KEYWARD_SESSION", "stale")];
    assert_eq!(home.run_in(&["list"], &stale).code, Some(7));
    let named = home.run_in(&["list", "--key-file", "ci.key"], &stale);
    assert_eq!(named.code, Some(0), "{named:?}");
}

#[test]
fn a_wildcard_over_nothing_is_a_slip_once_the_catalogue_is_closed() {
    let home = Home::with_vault();
    home.ok(&["scopes", "add", "audits:read"]);
    home.ok(&["create", "early", "--scope", "later:*"]);
    home.ok(&["scopes", "close"]);
    for scope in ["later:*", "audit:*", "*:write"] {
        assert_eq!(home.run(&["create", "k", "--scope", scope]).code, Some(2), "{scope}");
    }
    for scope in ["audits:*", "*:read", "*"] {
        home.ok(&["create", &format!("k{}", scope.len()), "--scope", scope]);
    }
}
