//! The contract of the command line, rule by rule: what scripts rely on.

use crate::support::{Home, Ran};
use serde_json::Value;
use std::{fs::File, process::Stdio};

/// A key with everything, one with nothing, and one of each status that lists hide.
fn furnished() -> Home {
    let home = Home::new();
    home.ok(&["projects", "create", "shop"]);
    home.ok(&["customers", "create", "contoso"]);
    let all = "create full --env production --owner o@example.com --description d --project shop --customer contoso \
               --scope audits:read --rate-limit 5/30m --allow-ip 10.0.0.0/8 --label team=billing --expires-in 30d \
               --rotate-every 7d --overlap 1h";
    home.ok(&all.split_whitespace().collect::<Vec<_>>());
    home.ok(&["create", "bare", "--no-expiry", "--rate-limit", "none"]);
    home.ok(&["create", "gone"]);
    home.ok(&["revoke", "gone"]);
    home
}

fn error_of(ran: &Ran) -> Value {
    let error: Value = serde_json::from_str(&ran.stderr).unwrap_or_else(|_| panic!("{ran:?}"));
    assert_eq!(error["schema"], "keyward.error/v1");
    error["error"].clone()
}

#[test]
fn a_field_is_one_raw_scalar() {
    let home = furnished();
    assert_eq!(home.run(&["show", "bare", "--field", "key.expires_at"]).stdout, "\n");
    assert_eq!(home.run(&["show", "bare", "--field", "rate_limit.limit"]).stdout, "\n");
    assert_eq!(home.ok(&["show", "full", "--field", "rate_limit.limit"]), "5");
    assert_eq!(home.ok(&["show", "full", "--field", "key.scopes.0"]), "audits:read");
    assert_eq!(home.ok(&["show", "full", "--field", "labels.team"]), "billing");
    assert_eq!(home.ok(&["list", "--field", "page.total"]), "2");
    assert_eq!(home.ok(&["list", "--sort", "name", "--field", "name"]), "bare\nfull");
    for path in ["nope", "key.nope", "scopes", "secrets.9.lookup", "id.x", ""] {
        let ran = home.run(&["show", "full", "--field", path]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{path}");
        assert!(ran.stderr.contains("hint: valid: "), "{path}: {}", ran.stderr);
    }
    let ran = home.run(&["list", "--columns", "name,nope"]);
    assert!(ran.code == Some(2) && ran.stderr.contains("valid: name, id"), "{ran:?}");
    assert_eq!(home.ok(&["list", "--columns", "name,labels.team", "-o", "csv", "--sort", "name"]), {
        "name,labels.team\r\nbare,\r\nfull,billing\r"
    });
}

#[test]
fn every_reading_command_speaks_every_format() {
    let home = furnished();
    for command in [
        "list",
        "show full",
        "show full bare",
        "list --count",
        "scopes list",
        "scopes show audits:read",
        "audit list",
        "audit",
        "audit verify",
        "vault status",
        "vault slots list",
        "workspaces list",
        "workspaces show default",
        "projects list",
        "projects show shop",
        "customers list",
        "plans list",
        "plans show free",
        "report",
        "report stale --unused-for 1s",
        "report expiry",
        "report rotation",
        "report owners",
        "list --group-by owner --count",
        "doctor",
        "help exit-codes",
    ] {
        let run = |format: &str| {
            let mut args: Vec<&str> = command.split(' ').collect();
            args.extend(["-o", format]);
            let ran = home.run(&args);
            assert_eq!(ran.code, Some(0), "{command} -o {format}: {ran:?}");
            ran.stdout
        };
        let document: Value = serde_json::from_str(&run("json")).unwrap();
        let schema = document["schema"].as_str().unwrap();
        assert!(schema.starts_with("keyward.") && schema.ends_with("/v1"), "{command}: {schema}");
        let items = document.get("items").map(|items| items.as_array().unwrap().len());
        if let Some(items) = items {
            assert_eq!(document["page"]["returned"], items, "{command}");
        }
        let lines = run("jsonl");
        assert_eq!(lines.lines().count(), items.unwrap_or(1), "{command}");
        assert!(lines.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{command}");
        let csv = run("csv");
        assert!(csv.ends_with("\r\n"), "{command}");
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        assert_eq!(reader.records().map(Result::unwrap).count(), items.unwrap_or(1), "{command}");
        assert_eq!(run("name").lines().count(), items.unwrap_or(1), "{command}");
        let markdown = run("markdown");
        let rows: Vec<&str> = markdown.lines().skip(2).collect();
        assert!(rows.iter().all(|row| row.starts_with("| ") && row.ends_with(" |")), "{command}: {markdown}");
        assert!(items.is_none_or(|items| rows.len() == items) && markdown.contains("\n| ---"), "{command}: {markdown}");
        let table = run("table");
        assert!(!run("wide").is_empty() || command == "audit verify", "{command}");
        assert!(!table.contains('\x1b') && !table.contains("None") && !table.contains("0001-"), "{command}: {table}");
    }
}

#[test]
fn json_on_stdout_parses_or_is_absent() {
    let home = furnished();
    let token = home.ok(&["create", "probe"]);
    for (command, stdin, code) in [
        ("scan-rule", "", 0),
        ("unlock", "", 0),
        ("help output", "", 0),
        ("help list", "", 0),
        ("verify -", token.as_str(), 0),
        ("verify - --explain --env production", token.as_str(), 13),
        ("verify -", "garbage", 13),
        ("verify -", "", 2),
        ("show nobody", "", 3),
        ("lits", "", 2),
        ("list --bogus", "", 2),
        ("", "", 2),
        ("update full --owner x", "", 0),
        ("revoke probe nobody", "", 11),
        ("audit list --limit 0", "", 0),
    ] {
        let mut args = vec!["-o", "json"];
        args.extend(command.split_whitespace());
        let ran = home.run_with(&args, stdin);
        assert_eq!(ran.code, Some(code), "{command}: {ran:?}");
        assert!(
            ran.stdout.is_empty() || serde_json::from_str::<Value>(&ran.stdout).is_ok(),
            "{command}: {}",
            ran.stdout
        );
        if code == 2 || code == 3 {
            assert_eq!(error_of(&ran)["exit"], code, "{command}");
        }
    }
}

#[test]
fn the_types_of_a_key_are_the_contract() {
    let home = furnished();
    home.ok(&["rotate", "full"]);
    let full = home.json(&["show", "full"])["key"].clone();
    let bare = home.json(&["show", "bare"])["key"].clone();
    assert_eq!(full["level"], "project");
    assert_eq!(full["project"], "shop");
    assert_eq!(full["customers"], serde_json::json!(["contoso"]));
    assert_eq!(full["rate_limit"], serde_json::json!({"limit": 5, "window_seconds": 1800}));
    assert_eq!(full["labels"], serde_json::json!({"team": "billing"}));
    assert_eq!((&full["status"], &full["active"]), (&"active".into(), &true.into()));
    assert_eq!((&full["uses"], &full["never_used"]), (&0.into(), &true.into()));
    assert_eq!(full["rotation"]["every_seconds"], 7 * 86_400);
    assert_eq!(full["rotation"]["overlap_seconds"], 3600);
    assert!(full["rotation"]["state"].is_string());
    for time in [&full["created_at"], &full["expires_at"], &full["rotation"]["due_at"]] {
        let time = time.as_str().unwrap();
        assert!(time.len() == 20 && time.ends_with('Z'), "{time}");
    }
    let states: Vec<_> = full["secrets"].as_array().unwrap().iter().map(|secret| secret["state"].clone()).collect();
    assert_eq!(states, ["retiring", "current"]);
    for secret in full["secrets"].as_array().unwrap() {
        let fields: Vec<&String> = secret.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["lookup", "state", "hint", "created_at", "valid_until"]);
        assert_eq!(secret["valid_until"].is_null(), secret["state"] == "current");
    }
    for name in ["description", "owner", "project", "rate_limit", "expires_at", "last_used_at", "last_used_ip"] {
        assert!(bare[name].is_null(), "{name}: {}", bare[name]);
    }
    assert_eq!((&bare["level"], &bare["labels"]), (&"workspace".into(), &serde_json::json!({})));
}

#[test]
fn what_a_list_hides_or_cuts_is_said() {
    let home = furnished();
    let ran = home.run(&["list"]);
    assert!(ran.stderr.contains("1 revoked") && !ran.stdout.contains("gone"), "{ran:?}");
    assert!(home.run(&["list", "-q"]).stderr.is_empty());
    let ran = home.run(&["list", "--limit", "1"]);
    assert!(ran.stderr.contains("showing 1 of 2 keys"), "{}", ran.stderr);
    assert!(ran.stdout.contains("full"), "the soonest expiry comes first: {}", ran.stdout);
    assert_eq!(
        home.json(&["list", "--limit", "1"])["page"],
        serde_json::json!({"returned":1,"total":2,"truncated":true})
    );
    let none = home.run(&["list", "--limit", "0"]);
    assert!(none.stderr.contains("showing 0 of 2") && !none.stderr.contains("no keys"), "{}", none.stderr);
    assert!(home.run(&["audit", "list", "--limit", "1"]).stderr.contains("events"));
    assert_eq!(home.ok(&["list", "--count"]), "2");
    assert_eq!(home.json(&["list", "--count", "--status", "any"])["count"], 3);
    assert_eq!(home.run(&["list", "--exit-code"]).code, Some(10));
    assert_eq!(home.run(&["list", "--expired", "--exit-code"]).code, Some(0));
    let empty = home.run(&["list", "--expired"]);
    assert_eq!((empty.code, empty.stdout.as_str()), (Some(0), ""));
    assert!(empty.stderr.contains("no keys"), "{}", empty.stderr);
    let typo = home.run(&["list", "--scope", "audit:read"]);
    assert!(typo.code == Some(0) && typo.stderr.contains("audits:read"), "{typo:?}");
}

#[test]
fn in_ci_nothing_is_minted_for_the_log() {
    let home = furnished();
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
}

#[test]
fn a_stdout_that_takes_nothing_is_found_before_minting() {
    let home = furnished();
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
    let home = furnished();
    let id = home.ok(&["show", "full", "--field", "id"]);
    for name in [&id, "full", &id[..12]] {
        assert_eq!(home.ok(&["show", name, "-q"]), id, "{name}");
    }
    assert_eq!(home.run(&["show", &id[..7]]).code, Some(2), "too short a prefix");
    assert_eq!(home.run(&["show", "key_00000000"]).code, Some(3));
    home.ok(&["create", "full"]);
    let ran = home.run(&["-o", "json", "show", "full"]);
    let error = error_of(&ran);
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
    let home = furnished();
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
    let home = furnished();
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
    let home = furnished();
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
    assert_eq!((quiet.code, quiet.stdout.as_str()), (Some(0), "\n"));
    assert!(quiet.stderr.contains("not shown again"), "a script must hear it, too: {}", quiet.stderr);
    assert_eq!(home.json(&["list"])["page"]["total"], 1);
}

#[test]
fn a_dry_run_has_the_same_shape_and_changes_nothing() {
    let home = furnished();
    home.ok(&["workspaces", "create", "w"]);
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
        "vault slots add --device-file new.key",
        "vault rekey",
        "vault backup copy.db",
        "vault recovery",
        "unlock",
    ] {
        let args: Vec<&str> = command.split(' ').collect();
        let ran = home.run(&[&["-n", "-o", "json"], args.as_slice()].concat());
        assert_eq!(ran.code, Some(0), "{command}: {ran:?}");
        assert!(!ran.stdout.contains("kw_") && !ran.stdout.contains("KWR-"), "{command}");
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
    assert_eq!(nowhere.run(&["-n", "create", "k"]).code, Some(3), "not even a vault is made");
    assert!(nowhere.find("keystore.db").is_none());
}

#[test]
fn csv_runs_in_no_spreadsheet() {
    let home = Home::new();
    for name in ["=1+1", "+1", "@SUM(A1)", "=cmd|' /C calc'!A0"] {
        home.ok(&["create", "--owner", "=o", "--", name]);
    }
    let csv = home.ok(&["list", "-o", "csv", "--columns", "name,owner,uses"]);
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    for record in reader.records() {
        let record = record.unwrap();
        assert!(record[0].starts_with('\'') && record[1].starts_with("'="), "{record:?}");
    }
    assert!(home.json(&["list", "--name", "=1*"])["items"][0]["name"] == "=1+1");
}

#[test]
fn times_have_one_form_in_scripts() {
    let home = furnished();
    for (args, wanted) in
        [(&["list"][..], "Z"), (&["list", "--time", "relative"], "in 29d"), (&["list", "--time", "local"], "+05:30")]
    {
        let ran = home.run_in(args, &[("TZ", "Asia/Kolkata")]);
        assert!(ran.stdout.contains(wanted) || ran.stdout.contains("in 30d"), "{args:?}: {}", ran.stdout);
    }
    let json = home.run_in(&["-o", "json", "list", "--time", "local"], &[("TZ", "Asia/Kolkata")]).stdout;
    assert!(!json.contains("+05:30"));
    for (variable, value) in [("KEYWARD_TIME", "never"), ("KEYWARD_OUTPUT", "yaml"), ("KEYWARD_LOG", "=[[")] {
        let ran = home.run_in(&["list"], &[(variable, value)]);
        assert!(ran.code == Some(2) && ran.stderr.contains(variable), "{ran:?}");
    }
    let file = home.path().join(".config/keyward/config.toml");
    std::fs::write(&file, "output = 'json'\n").unwrap();
    assert!(serde_json::from_str::<Value>(&home.ok(&["list"])).is_ok());
    assert!(
        !home.run_in(&["list"], &[("KEYWARD_OUTPUT", "name")]).stdout.contains('{'),
        "the environment beats the file"
    );
    assert!(home.ok(&["list", "-o", "csv"]).starts_with("name,"), "the command line beats both");
    std::fs::write(&file, "outputs = 'json'\n").unwrap();
    let ran = home.run(&["list"]);
    assert!(ran.code == Some(2) && ran.stderr.contains("config.toml"), "{ran:?}");
}

#[test]
fn odd_arguments_are_refused_and_never_a_panic() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let home = furnished();
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
        (&["--expires-in", "90"][..], "unit"),
        (&["--expires-in", "1y"], "unit"),
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
    let home = furnished();
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
fn one_table_of_exit_codes() {
    let home = Home::new();
    let shown = home.json(&["help", "exit-codes"]);
    let rows: Vec<(String, String)> = shown["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["code"].as_str().unwrap().to_owned(), row["name"].as_str().unwrap().to_owned()))
        .collect();
    let expected = "0 OK,1 FAILURE,2 USAGE,3 NOT_FOUND,4 AUTH,5 FORBIDDEN,6 CONFLICT,7 LOCKED,8 BUSY,9 UNAVAILABLE,10 CHANGED,\
                    11 PARTIAL,12 UNDELIVERED,13 DENIED,14 INTEGRITY,70 INTERNAL,130/143 SIGNAL";
    let told: Vec<String> = rows.iter().map(|(code, name)| format!("{code} {name}")).collect();
    assert_eq!(told, expected.split(',').collect::<Vec<_>>());
    let readme = include_str!("../../README.md");
    for (code, name) in &rows {
        assert!(readme.contains(&format!("| {code} | {name} |")), "{code} {name} is not in the README");
    }
    for topic in ["exit-codes", "environment", "output", "ci"] {
        assert!(!home.ok(&["help", topic]).is_empty(), "{topic}");
    }
    for (args, code, name) in [
        (&["show", "x"][..], 3, "NOT_FOUND"),
        (&["--read-only", "create", "x"], 5, "FORBIDDEN"),
        (&["lits"], 2, "USAGE"),
        (&["init"], 6, "CONFLICT"),
        (&["--passphrase-file", "p", "list"], 7, "LOCKED"),
    ] {
        home.run(&["list"]);
        home.private("p", "wrong\n");
        let ran = home.run(&[&["-o", "json"], args].concat());
        let error = error_of(&ran);
        assert_eq!((ran.code, error["exit"].as_i64()), (Some(code), Some(i64::from(code))), "{args:?}");
        assert_eq!((error["code"].as_str(), error["retryable"].as_bool()), (Some(name), Some(false)), "{args:?}");
        assert!(error["message"].is_string() && error["hints"].is_array(), "{args:?}");
    }
}
