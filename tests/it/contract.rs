//! The contract of the command line, rule by rule: what scripts rely on.

use crate::support::{Home, book};
use serde_json::Value;

#[test]
fn a_field_is_one_raw_scalar() {
    let home = Home::furnished();
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
    let home = Home::furnished();
    home.ok(&["operators", "create", "gateway", "--role", "verifier"]);
    home.ok(&["webhooks", "add", "pager", "https://hooks.example.com/x"]);
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
        "operators list",
        "webhooks list",
        "whoami",
        "report",
        "report stale --unused-for 1s",
        "report expiry",
        "report rotation",
        "report owners",
        "list --group-by owner --count",
        "doctor",
        "help exit-codes",
        "help verdicts",
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
    let home = Home::furnished();
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
            assert_eq!(ran.error()["exit"], code, "{command}");
        }
    }
}

#[test]
fn the_types_of_a_key_are_the_contract() {
    let home = Home::furnished();
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
    let home = Home::furnished();
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
    let home = Home::furnished();
    for (args, wanted) in
        [(&["list"][..], "Z"), (&["list", "--time", "relative"], "in 29d"), (&["list", "--time", "local"], "+05:30")]
    {
        let ran = home.run_in(args, &[("TZ", "Asia/Kolkata")]);
        assert!(ran.stdout.contains(wanted) || ran.stdout.contains("in 30d"), "{args:?}: {}", ran.stdout);
    }
    let json = home.run_in(&["-o", "json", "list"], &[("TZ", "Asia/Kolkata"), ("KEYWARD_TIME", "local")]).stdout;
    assert!(json.contains("expires_at") && !json.contains("+05:30"));
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
fn one_table_of_exit_codes() {
    let home = Home::with_vault();
    let shown = home.json(&["help", "exit-codes"]);
    let rows: Vec<(String, String)> = shown["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["code"].as_str().unwrap().to_owned(), row["name"].as_str().unwrap().to_owned()))
        .collect();
    let expected = "0 OK,1 FAILURE,2 USAGE,3 NOT_FOUND,4 AUTH,5 FORBIDDEN,6 CONFLICT,7 LOCKED,8 BUSY,9 UNAVAILABLE,10 CHANGED,\
                    11 PARTIAL,12 UNDELIVERED,13 DENIED,14 INTEGRITY,15 EXISTS,70 INTERNAL,130/143 SIGNAL";
    let told: Vec<String> = rows.iter().map(|(code, name)| format!("{code} {name}")).collect();
    assert_eq!(told, expected.split(',').collect::<Vec<_>>());
    let page = book::page("exit-codes");
    for (code, name) in &rows {
        assert!(page.contains(&format!("| {code} | {name} |")), "{code} {name} is not in docs/exit-codes.md");
    }
    for topic in ["exit-codes", "verdicts", "environment", "output", "ci"] {
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
        let error = ran.error();
        assert_eq!((ran.code, error["exit"].as_i64()), (Some(code), Some(i64::from(code))), "{args:?}");
        assert_eq!((error["code"].as_str(), error["retryable"].as_bool()), (Some(name), Some(false)), "{args:?}");
        assert!(error["message"].is_string() && error["hints"].is_array(), "{args:?}");
    }
}
