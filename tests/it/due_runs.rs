//! The run over every key whose rotation is due, as a schedule and whoever looks see it; and the policy it follows.

use crate::support::{Home, due};

#[test]
fn a_key_that_no_schedule_saves_is_seen_wherever_somebody_looks_and_saved_by_a_renewal() {
    let home = Home::new();
    let made = home.run(&["create", "past", "--rotate-every", "2s", "--overlap", "1s", "--expires-in", "2s"]);
    assert!(made.stderr.contains("before its rotation is due") || made.stderr.contains("however often"), "{made:?}");
    home.ok(&["create", "fine", "--owner", "ana", "-q"]);
    while !home.ok(&["list", "--expired", "-o", "name"]).contains("past") {}
    let due = ["rotate", "--due", "--yes", "--max", "9", "--deliver", "file:{name}"];
    let run = home.run(&due);
    assert_eq!(run.code, Some(11), "{run:?}");
    assert!(run.stderr.contains("1 due: 1 expired") && run.stderr.contains("hint: keyward rotate --due"), "{run:?}");
    let told = home.run(&[&["-o", "json"], &due[..]].concat());
    let reply: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!((&reply["expired"], &reply["items"][0]["outcome"]), (&1.into(), &"expired".into()), "{reply:#}");
    assert!(told.error()["hints"][0].as_str().unwrap().contains(" --renew"), "{told:?}");
    assert!(home.ok(&["list", "--due"]).contains("past"));
    assert_eq!(home.json(&["show", "past"])["key"]["rotation"]["overdue"], true);
    assert!(home.ok(&["report", "rotation"]).contains("expired"));
    let checked = home.json_any(&["check"]);
    let finding = checked["items"].as_array().unwrap().iter().find(|one| one["rule"] == "overdue-rotation").unwrap();
    assert!(finding["fix"].as_str().unwrap().ends_with(" --renew"), "{finding:#}");
    assert_eq!(home.run(&[&due[..], &["--renew"]].concat()).code, Some(0));
    assert!(home.works(&home.read("past")));
}

/// What a person wants who says how often a key is to be rotated, and nothing of its end.
#[test]
fn a_key_that_is_rotated_lives_as_long_as_it_is_rotated() {
    let home = Home::new();
    let made = home.run(&["create", "mailer", "--rotate-every", "30d", "-o", "json"]);
    assert!(made.stderr.contains("lives as long as it is rotated"), "{made:?}");
    let made: serde_json::Value = serde_json::from_str(&made.stdout).unwrap();
    let key = &made["key"];
    assert_eq!((&key["expires_at"], &key["status"]), (&serde_json::Value::Null, &"active".into()));
    let parse = |text: &serde_json::Value| chrono::DateTime::parse_from_rfc3339(text.as_str().unwrap()).unwrap();
    assert_eq!((parse(&key["rotation"]["ends_at"]) - parse(&key["created_at"])).num_days(), 60);
    assert_eq!(key["secrets"][0]["valid_until"], key["rotation"]["ends_at"]);
    // What somebody says of the end holds, and so does what the workspace allows.
    let said = home.json(&["create", "a", "--rotate-every", "30d", "--expires-in", "365d"]);
    assert_eq!(said["key"]["rotation"]["ends_at"], serde_json::Value::Null);
    home.ok(&["workspaces", "update", "default", "--max-lifetime", "180d"]);
    let bound = home.json(&["create", "b", "--rotate-every", "30d"]);
    assert_eq!((parse(&bound["key"]["expires_at"]) - parse(&bound["key"]["created_at"])).num_days(), 180);
    // Without its rhythm nothing ends the key any more, and that is told.
    let changed = home.json(&["update", "mailer", "--rotate-every", "none"]);
    assert_eq!(changed["key"]["rotation"]["ends_at"], serde_json::Value::Null);
    assert_eq!(home.run(&["check", "mailer"]).code, Some(10));
}

#[test]
fn a_policy_lets_each_rotation_start_the_lifetime_again() {
    let home = Home::new();
    home.ok(&["init"]);
    home.ok(&["workspaces", "update", "default", "--renew-on-rotation", "yes"]);
    let expiry = |home: &Home, name: &str| home.json(&["show", name])["key"]["expires_at"].clone();
    for (name, policy, moves) in [("own", "yes", true), ("not", "no", false)] {
        home.ok(&["create", name, "--expires-in", "1h", "--renew-on-rotation", policy, "-q"]);
        let before = expiry(&home, name);
        while before == now_plus_an_hour() {
            std::thread::yield_now();
        }
        home.ok(&["-q", "rotate", name]);
        assert_eq!(expiry(&home, name) != before, moves, "{name}");
    }
    home.ok(&["create", "theirs", "--expires-in", "1h", "-q"]);
    assert_eq!(home.json(&["show", "theirs"])["key"]["rotation"]["renew"], serde_json::Value::Null);
    assert_eq!(home.json(&["rotation", "list", "--all"])["items"].as_array().unwrap().len(), 2);
    home.ok(&["-q", "rotate", "theirs"]);
    assert_eq!(home.json(&["rotation", "show", "theirs"])["rotation"]["renew"], true);
}

/// An hour from this second, as JSON has it.
fn now_plus_an_hour() -> serde_json::Value {
    (chrono::Utc::now() + chrono::TimeDelta::hours(1)).to_rfc3339_opts(chrono::SecondsFormat::Secs, true).into()
}

#[test]
fn a_due_run_tells_every_key_and_its_exit_code_is_for_a_schedule() {
    let home = Home::new();
    home.ok(&["init"]);
    home.write("map.toml", "[[rule]]\nglob = \"a-*\"\ndeliver = [\"file:{name}.key\"]\noverlap = \"1h\"\n");
    let run = due(&["--deliver-map", "map.toml", "-o", "jsonl"]);
    let nothing = home.run(&run);
    assert_eq!(nothing.code, Some(0), "{nothing:?}");
    assert!(nothing.stderr.contains("nothing is due"), "{nothing:?}");
    for name in ["a-1", "a-2"] {
        home.ok(&["create", name, "--rotate-every", "30d", "-q"]);
    }
    home.ok(&["create", "without-policy", "-q"]);
    let looked = home.run(&[&run[..], &["--dry-run"]].concat());
    assert_eq!(looked.stdout.matches("would_rotate").count(), 2, "{looked:?}");
    let changed = home.run(&[&run[..], &["--detailed-exitcode"]].concat());
    assert_eq!(changed.code, Some(10), "{changed:?}");
    let lines: Vec<serde_json::Value> =
        changed.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{changed:?}");
    assert_eq!((&lines[0]["outcome"], &lines[0]["sinks"][0]), (&"rotated".into(), &"file:a-1.key".into()));
    let summary: serde_json::Value = serde_json::from_str(changed.stderr.lines().next().unwrap()).unwrap();
    assert_eq!((&summary["rotated"], &summary["exit"]), (&2.into(), &10.into()));
    assert!(home.works(&home.read("a-1.key")));

    home.ok(&["create", "b-1", "--rotate-every", "30d", "-q"]);
    let unmatched = home.run(&run);
    assert_eq!(unmatched.code, Some(11), "{unmatched:?}");
    assert!(unmatched.stdout.contains("\"outcome\":\"unmatched\"") && unmatched.stderr.contains("1 due"));
}

#[test]
fn a_due_run_is_bounded_and_asked_for() {
    let home = Home::new();
    for name in ["a", "b", "c"] {
        home.ok(&["create", name, "--rotate-every", "30d", "-q"]);
    }
    let sink = ["--deliver", "file:{name}.key"];
    let run = |args: &[&str]| home.run(&[args, &sink[..]].concat());
    assert_eq!(run(&["rotate", "--due", "--max", "1"]).code, Some(2), "no --yes");
    assert_eq!(run(&["rotate", "--due", "--yes"]).code, Some(2), "no --max off a terminal");
    assert_eq!(home.run(&["rotate", "--due", "--yes", "--max", "1"]).code, Some(2), "no sinks");
    assert_eq!(run(&["rotate", "--due", "a", "--yes", "--max", "1"]).code, Some(2), "both");
    let one = run(&["rotate", "--due", "--due-within", "31d", "--yes", "--max", "1", "-o", "jsonl"]);
    assert_eq!((one.code, one.stdout.matches("\"outcome\":\"left\"").count()), (Some(0), 2), "{one:?}");
    let late = run(&["rotate", "--due", "--due-within", "31d", "--yes", "--max", "9", "--deadline", "1ms"]);
    assert_eq!(late.code, Some(2), "a duration needs a known unit: {late:?}");
}

#[test]
fn hooks_and_the_job_summary_hear_of_a_run() {
    let home = Home::new();
    home.ok(&["create", "a", "--rotate-every", "30d", "-q"]);
    let args =
        due(&["--deliver", "file:key", "--on-rotated", "cat > rotated.json", "--on-done", "cat > done.json; exit 3"]);
    let ran = home.command(&args).env("GITHUB_STEP_SUMMARY", home.path().join("summary.md")).output().unwrap();
    assert!(ran.status.success(), "a hook that fails is a warning");
    assert!(String::from_utf8(ran.stderr).unwrap().contains("warning: a hook failed"));
    assert!(home.read("rotated.json").contains("\"outcome\":\"rotated\""));
    assert!(home.read("done.json").contains("\"rotated\":1"));
    assert!(home.read("summary.md").contains("| a | development | rotated |"));
    assert!(!home.read("rotated.json").contains(&home.read("key")));
}

#[test]
fn a_signal_ends_a_run_in_a_state_that_the_next_one_goes_on_from() {
    let home = Home::new();
    home.ok(&["create", "a", "--rotate-every", "30d", "--deliver", "file:key"]);
    home.write("sink.sh", "cat > held; echo > began; sleep 60");
    let args = due(&["--deliver", "exec:sh ./sink.sh", "-o", "jsonl"]);
    let child = home.command(&args).spawn().unwrap();
    while !home.path().join("began").exists() {
        std::thread::yield_now();
    }
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(143), "{output:?}");
    let told: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(told["error"]["exit"], 143, "{told:#}");
    let again = told["error"]["hints"][0].as_str().unwrap();
    assert!(home.ok(&["doctor"]).contains("1 rotation not ended"));
    assert!(home.works(&home.read("key")) && home.works(&home.read("held")));
    home.write("sink.sh", "cat > held");
    let ran = home.shell(again);
    assert_eq!(ran.code, Some(0), "{again}: {ran:?}");
    assert!(home.works(&home.read("held")) && home.ok(&["doctor"]).contains("nothing is overdue"));
}

#[test]
fn a_workspace_prescribes_rotation_and_lifetime() {
    let home = Home::new();
    home.ok(&["init"]);
    home.ok(&["workspaces", "update", "default", "--rotate-every", "30d", "--overlap", "2h", "--max-lifetime", "60d"]);
    home.ok(&["create", "a", "-q"]);
    let key = home.json(&["show", "a"]);
    assert_eq!(key["key"]["rotation"]["every_seconds"], 30 * 86_400);
    home.ok(&["create", "b", "--rotate-every", "none", "-q"]);
    assert_eq!(home.json(&["show", "b"])["key"]["rotation"]["every_seconds"], serde_json::Value::Null);
    for args in [["create", "c", "--no-expiry"], ["create", "c", "--expires-in=61d"]] {
        assert_eq!(home.run(&args).code, Some(5));
    }
    let rotated = home.json(&["rotate", "a"]);
    let until = rotated["key"]["secrets"][0]["valid_until"].as_str().unwrap();
    let made = rotated["key"]["secrets"][1]["created_at"].as_str().unwrap();
    let parse = |text: &str| chrono::DateTime::parse_from_rfc3339(text).unwrap();
    assert_eq!((parse(until) - parse(made)).num_hours(), 2);
    assert_eq!(home.run(&["update", "a", "--overlap", "30d"]).code, Some(2), "as long as the period");
    assert_eq!(home.json(&["list", "--due-within", "31d"])["page"]["total"], 1);
    assert_eq!(home.json(&["list", "--due"])["page"]["total"], 0);
}

#[test]
fn overdue_keys_are_seen_wherever_somebody_looks() {
    let home = Home::new();
    home.ok(&["create", "a", "--rotate-every", "1s", "-q"]);
    // A second passes on the machine's own clock; nothing else makes a rotation overdue.
    while home.json(&["list", "--due"])["page"]["total"] != 1 {
        std::thread::yield_now();
    }
    assert!(home.run(&["list"]).stderr.contains("overdue for rotation: 1"));
    let shown = home.ok(&["show", "a"]);
    assert!(shown.lines().any(|line| line.split_whitespace().eq(["overdue:", "yes"])), "{shown}");
    assert_eq!(home.json(&["show", "a"])["key"]["rotation"]["overdue"], true);
    assert!(home.ok(&["doctor"]).contains("1 key overdue"));
    assert_eq!(home.run(&["create", "--from", "keys.csv", "--deliver", "file:x"]).code, Some(2));
}

#[test]
fn a_run_names_what_it_rotated_and_an_odd_field_changes_no_exit_code() {
    let home = Home::new();
    for name in ["a", "b"] {
        home.ok(&["create", name, "--rotate-every", "30d"]);
    }
    home.write("map.toml", "[[rule]]\nname = \"a\"\ndeliver = [\"file:{name}\"]\n");
    let run = home.run(&due(&["--deliver-map", "map.toml", "-q"]));
    // -q prints ids, which name one key each, and -o name names.
    let id = home.json(&["show", "a"])["key"]["id"].as_str().unwrap().to_owned();
    assert_eq!((run.code, run.stdout), (Some(11), format!("{id}\n")), "{}", run.stderr);
    home.ok(&["create", "c", "--rotate-every", "30d"]);
    home.write("map.toml", "[[rule]]\nname = \"c\"\ndeliver = [\"file:{name}\"]\n");
    let run = home.run(&due(&["--deliver-map", "map.toml", "-o", "name"]));
    assert_eq!((run.code, run.stdout.as_str()), (Some(11), "c\n"), "{run:?}");
    let run = home.run(&due(&["--deliver-map", "map.toml", "--field", "nosuch"]));
    assert_eq!((run.code, run.stdout.as_str()), (Some(11), ""), "{run:?}");
    let deleted = home.run(&["delete", "b", "--confirm", "b", "--yes", "--field", "nosuch"]);
    assert_eq!((deleted.code, deleted.stdout.as_str()), (Some(0), ""), "{deleted:?}");
    assert!(deleted.stderr.contains("what was asked for is done"), "{deleted:?}");
}
