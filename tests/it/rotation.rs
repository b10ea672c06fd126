//! Rotation as a user sees it: staged, delivered, committed, aborted; and the run over what is due.

use crate::support::Home;

const DUE: [&str; 7] = ["rotate", "--due", "--due-within", "31d", "--yes", "--max", "9"];

fn due<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&DUE[..], more].concat()
}

fn read(home: &Home, name: &str) -> String {
    std::fs::read_to_string(home.path().join(name)).unwrap()
}

fn write(home: &Home, name: &str, text: &str) {
    std::fs::write(home.path().join(name), text).unwrap();
}

fn works(home: &Home, token: &str) -> bool {
    home.verdict(token, &[]).1 == Some(0)
}

#[test]
fn a_staged_rotation_waits_for_a_commit_or_an_abort() {
    let home = Home::new();
    let first = home.ok(&["create", "a", "-q"]);
    let second = home.ok(&["rotate", "a", "--stage", "-q"]);
    assert!(works(&home, &first) && works(&home, &second));
    let refused = home.run(&["rotate", "a"]);
    assert_eq!(refused.code, Some(6), "{refused:?}");
    assert!(refused.stderr.contains("keyward rotation commit rot_"), "{refused:?}");
    let listed = home.json(&["rotation", "list"]);
    assert_eq!((&listed["items"][0]["state"], &listed["items"][0]["parked"]), (&"delivered".into(), &true.into()));

    assert_eq!(home.run(&["rotation", "abort", "a"]).code, Some(2), "somebody may use it: it needs a confirmation");
    home.ok(&["rotation", "abort", "a", "--yes"]);
    assert!(works(&home, &first) && !works(&home, &second));

    let third = home.ok(&["rotate", "a", "--stage", "-q", "--now"]);
    home.ok(&["rotation", "commit", "a"]);
    assert!(!works(&home, &first) && works(&home, &third));
    assert_eq!(home.run(&["rotation", "commit", "a"]).code, Some(6));
    assert_eq!(home.run(&["rotation", "show", "rot_0000000000000000"]).code, Some(3));
    assert_eq!(home.json(&["rotation", "list", "--all"])["items"][0]["state"], "committed");
}

#[test]
fn a_delivered_secret_is_in_its_sink_and_nowhere_else() {
    let home = Home::new();
    let made = home.run(&["create", "a", "--deliver", "file:key"]);
    assert_eq!((made.code, made.stdout.as_str()), (Some(0), ""), "{made:?}");
    let first = read(&home, "key");
    assert!(works(&home, &first) && !made.stderr.contains(&first));
    let rotated = home.run(&["rotate", "a", "--deliver", "file:key", "--deliver", "dotenv:env#KEY", "-o", "json"]);
    assert_eq!(rotated.code, Some(0), "{rotated:?}");
    let second = read(&home, "key");
    assert_eq!(read(&home, "env").trim_end(), format!("KEY={second}"));
    assert!(works(&home, &first) && works(&home, &second));
    assert!(!rotated.stdout.contains(&second) && !rotated.stderr.contains(&second), "{rotated:?}");
    let reply: serde_json::Value = serde_json::from_str(&rotated.stdout).unwrap();
    assert!(reply.get("secret").is_none() && reply["key"]["secrets"][1]["state"] == "current", "{reply:#}");
    let trail = home.ok(&["audit", "list", "-o", "jsonl"]);
    assert!(!trail.contains(&second) && trail.contains("key.deliver") && trail.contains("file:key"), "{trail}");
}

#[test]
fn nothing_is_minted_when_a_sink_is_not_ready() {
    let home = Home::new();
    home.ok(&["create", "a", "-q"]);
    write(&home, "env", "A=1\n");
    std::fs::create_dir(home.path().join("dir")).unwrap();
    std::os::unix::fs::symlink("nowhere", home.path().join("dangling")).unwrap();
    for (sink, code) in [
        ("file:none/key", 9),
        ("file:dir", 9),
        ("file:dangling", 9),
        ("exec:no-such-program-at-all", 9),
        ("github-secret:o/r#NAME", 9),
        ("file", 2),
        ("ftp:x", 2),
    ] {
        let refused = home.run(&["rotate", "a", "--deliver", sink]);
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(code), ""), "{sink}: {refused:?}");
        let refused = home.run(&["create", "b", "--deliver", sink]);
        assert_eq!(refused.code, Some(code), "{sink}: {refused:?}");
    }
    let list = home.json(&["list"]);
    assert_eq!(list["page"]["total"], 1);
    assert_eq!(list["items"][0]["secrets"].as_array().unwrap().len(), 1);
}

#[test]
fn a_create_whose_delivery_fails_leaves_no_key() {
    let home = Home::new();
    home.ok(&["init"]);
    for sink in ["exec:cat > held; exit 1", "exec:exit 1"] {
        let failed = home.run(&["create", "a", "--deliver", sink]);
        assert_eq!(failed.code, Some(9), "{failed:?}");
        assert_eq!(home.json(&["list", "--status", "any"])["page"]["total"], 0);
    }
    assert!(!works(&home, &read(&home, "held")));
    home.ok(&["create", "a", "--deliver", "file:key"]);
}

#[test]
fn a_sink_that_fails_loses_nothing_and_the_next_run_repairs_it() {
    let home = Home::new();
    home.ok(&["create", "a", "--rotate-every", "30d", "--deliver", "exec:cat > held"]);
    let old = read(&home, "held");
    for (script, code) in [("exit 1", 11), ("cat > other; exit 1", 12), ("cat > other; kill -9 $$", 12)] {
        let home = Home::new();
        home.ok(&["create", "a", "--rotate-every", "30d", "--deliver", "exec:cat > held"]);
        let old = read(&home, "held");
        write(&home, "sink.sh", script);
        let failed = home.run(&due(&["--now", "--deliver", "exec:sh ./sink.sh", "-o", "jsonl"]));
        assert_eq!(failed.code, Some(code), "{script}: {failed:?}");
        assert!(works(&home, &old), "{script}");
        write(&home, "sink.sh", "cat > held");
        let repaired = home.run(&due(&["--now", "--deliver", "exec:sh ./sink.sh", "-o", "jsonl"]));
        assert_eq!(repaired.code, Some(0), "{script}: {repaired:?}");
        let new = read(&home, "held");
        assert!(works(&home, &new) && !works(&home, &old) && new != old, "{script}");
        if let Ok(other) = std::fs::read_to_string(home.path().join("other")) {
            assert!(!works(&home, &other), "{script}: the secret in doubt dies with the next receipt");
        }
    }
    assert!(works(&home, &old));
}

#[test]
fn a_program_that_prints_the_secret_is_masked() {
    let home = Home::new();
    home.ok(&["create", "a", "-q"]);
    let ran = home.run(&["rotate", "a", "--deliver", "exec:tee held", "-vvv"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let secret = read(&home, "held");
    assert!(works(&home, &secret) && !ran.stderr.contains(&secret) && !ran.stdout.contains(&secret), "{ran:?}");
}

#[test]
fn an_expired_key_is_left_out_of_a_due_run_and_named() {
    let home = Home::new();
    home.ok(&["create", "past", "--rotate-every", "2s", "--overlap", "1s", "--expires-in", "2s"]);
    while !home.ok(&["list", "--expired", "-o", "name"]).contains("past") {}
    let run = home.run(&["rotate", "--due", "--yes", "--max", "9", "--deliver", "file:{name}"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stderr.contains("1 expired, which no due run renews: keyward list --due --status expired"), "{run:?}");
    assert!(home.ok(&["list", "--due", "--status", "expired"]).contains("past"));
}

#[test]
fn a_probe_that_says_no_puts_the_old_secret_back() {
    let home = Home::new();
    home.ok(&["create", "a", "--deliver", "file:key"]);
    let old = read(&home, "key");
    let probe = ["--probe", "cat > probed; exit 1", "--probe-tries", "2"];
    let failed = home.run(&[&["rotate", "a", "--deliver", "file:key"][..], &probe[..]].concat());
    assert_eq!(failed.code, Some(9), "{failed:?}");
    assert_eq!(read(&home, "key"), old);
    let tried = read(&home, "probed");
    assert!(works(&home, &old) && !works(&home, &tried) && tried != old);
    assert_eq!(home.json(&["rotation", "list", "--all"])["items"][0]["state"], "aborted");

    // What cannot be put back must go on working.
    let failed = home.run(&[&["rotate", "a", "--deliver", "exec:cat > held"][..], &probe[..]].concat());
    assert_eq!(failed.code, Some(12), "{failed:?}");
    assert!(works(&home, &old) && works(&home, &read(&home, "held")));
    let finished = home.run(&["rotate", "a", "--deliver", "exec:cat > held"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(works(&home, &read(&home, "held")));
}

#[test]
fn a_due_run_tells_every_key_and_its_exit_code_is_for_a_schedule() {
    let home = Home::new();
    home.ok(&["init"]);
    write(&home, "map.toml", "[[rule]]\nglob = \"a-*\"\ndeliver = [\"file:{name}.key\"]\noverlap = \"1h\"\n");
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
    assert_eq!(lines.len(), 3, "{changed:?}");
    assert_eq!((&lines[0]["outcome"], &lines[0]["sinks"][0]), (&"rotated".into(), &"file:a-1.key".into()));
    assert_eq!((&lines[2]["rotated"], &lines[2]["exit"]), (&2.into(), &10.into()));
    assert!(works(&home, &read(&home, "a-1.key")));

    home.ok(&["create", "b-1", "--rotate-every", "30d", "-q"]);
    let unmatched = home.run(&run);
    assert_eq!(unmatched.code, Some(11), "{unmatched:?}");
    assert!(unmatched.stdout.contains("\"outcome\":\"unmatched\"") && unmatched.stdout.contains("\"due\":1,"));
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
    assert!(read(&home, "rotated.json").contains("\"outcome\":\"rotated\""));
    assert!(read(&home, "done.json").contains("\"rotated\":1"));
    assert!(read(&home, "summary.md").contains("| a | development | rotated |"));
    assert!(!read(&home, "rotated.json").contains(&read(&home, "key")));
}

#[test]
fn a_signal_ends_a_run_in_a_state_that_the_next_one_goes_on_from() {
    let home = Home::new();
    home.ok(&["create", "a", "--rotate-every", "30d", "--deliver", "file:key"]);
    write(&home, "sink.sh", "cat > held; echo > began; sleep 60");
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
    assert!(works(&home, &read(&home, "key")) && works(&home, &read(&home, "held")));
    write(&home, "sink.sh", "cat > held");
    let ran = home.shell(again);
    assert_eq!(ran.code, Some(0), "{again}: {ran:?}");
    assert!(works(&home, &read(&home, "held")) && home.ok(&["doctor"]).contains("nothing is overdue"));
}

#[test]
fn a_repetition_with_its_idempotency_key_makes_no_second_secret() {
    let home = Home::new();
    let made = home.ok(&["create", "a", "--idempotency-key", "c1", "-q"]);
    assert!(works(&home, &made));
    let again = home.run(&["create", "a", "--idempotency-key", "c1", "-o", "json"]);
    assert!(again.code == Some(0) && !again.stdout.contains("secret\":"), "{again:?}");
    let rotated = home.ok(&["rotate", "a", "--idempotency-key", "r1", "-q"]);
    let again = home.run(&["rotate", "a", "--idempotency-key", "r1"]);
    assert!(again.code == Some(0) && again.stderr.contains("is not shown again"), "{again:?}");
    assert!(works(&home, &rotated));
    for other in [&["--now"][..], &["--overlap", "1h"], &["--stage"], &["--renew"]] {
        let mut args = vec!["rotate", "a", "--idempotency-key", "r1"];
        args.extend(other);
        let refused = home.run(&args);
        assert!(refused.code == Some(6) && refused.stderr.contains("in another way"), "{other:?}: {refused:?}");
    }
    let versions = home.json(&["show", "a"])["key"]["secrets"].as_array().unwrap().len();
    assert_eq!(versions, 2);

    // The first secret was never delivered: the repetition delivers a fresh one, of the same key.
    let lost = home.command(&["create", "b", "--idempotency-key", "c2", "-o", "json"]);
    let mut lost = lost;
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    if let Ok(full) = full {
        assert!(!lost.stdout(full).status().unwrap().success());
    }
    let repeated = home.ok(&["create", "b", "--idempotency-key", "c2", "-q"]);
    assert!(works(&home, &repeated));
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
fn use_is_evidence_for_the_new_secret_and_against_retiring_the_old() {
    let home = Home::new();
    home.ok(&["create", "a", "--deliver", "exec:cat > held"]);
    let old = read(&home, "held");
    let record = |token: &str| {
        let ran = home.run_with(&["verify", "-", "--record", "--ip", "192.0.2.7"], token);
        assert_eq!(ran.code, Some(0), "{ran:?}");
    };
    record(&old);
    home.ok(&["rotate", "a", "--stage", "--deliver", "exec:cat > held"]);
    let refused = home.run(&["rotation", "commit", "a", "--only-if-idle", "24h"]);
    assert_eq!(refused.code, Some(6), "{refused:?}");
    assert!(refused.stderr.contains("still in use") && refused.stderr.contains("192.0.2.7"), "{refused:?}");
    home.ok(&["rotation", "abort", "a", "--force"]);

    // The delivery is in doubt, but the consumer uses the new secret: it has arrived, and nothing more is minted.
    write(&home, "sink.sh", "cat > held; exit 1");
    assert_eq!(home.run(&["rotate", "a", "--deliver", "exec:sh ./sink.sh"]).code, Some(12));
    let new = read(&home, "held");
    record(&new);
    home.ok(&["rotate", "a", "--deliver", "exec:sh ./sink.sh"]);
    assert_eq!(read(&home, "held"), new);
    let key = home.json(&["show", "a"]);
    assert_eq!(key["key"]["rotation"]["state"], "overlap");
    assert!(new.contains(key["key"]["secrets"].as_array().unwrap().last().unwrap()["lookup"].as_str().unwrap()));
    assert!(home.ok(&["audit", "list", "-o", "jsonl"]).contains("\"proof\":\"use\""));
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
    assert!(home.ok(&["show", "a"]).contains("overdue:         yes"));
    assert_eq!(home.json(&["show", "a"])["key"]["rotation"]["overdue"], true);
    assert!(home.ok(&["doctor"]).contains("1 key overdue"));
    assert_eq!(home.run(&["create", "--from", "keys.csv", "--deliver", "file:x"]).code, Some(2));
}

#[test]
fn a_signal_while_one_key_is_delivered_is_the_exit_code() {
    let home = Home::new();
    home.ok(&["create", "a", "-q"]);
    write(&home, "sink.sh", "cat > held; echo > began; sleep 60");
    let child = home.command(&["rotate", "a", "--deliver", "exec:sh \"./sink.sh\""]).spawn().unwrap();
    while !home.path().join("began").exists() {
        std::thread::yield_now();
    }
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    let told = String::from_utf8(output.stderr).unwrap();
    let again = told.lines().find_map(|line| line.strip_prefix("hint: ")).unwrap();
    assert!(again.starts_with("keyward rotation resume rot_"), "{told}");
    write(&home, "sink.sh", "cat > held");
    let ran = home.shell(again);
    assert_eq!(ran.code, Some(0), "{again}: {ran:?}");
    assert!(works(&home, &read(&home, "held")));
}

#[test]
fn a_sink_s_program_inherits_no_descriptor_of_ours() {
    let home = Home::new();
    home.ok(&["create", "a", "-q"]);
    write(&home, "passphrase", "correct horse");
    let script = "exec 9<passphrase; exec \"$0\" rotate a --deliver 'exec:ls -l /proc/self/fd > fds; cat > held'";
    let mut shell = std::process::Command::new("bash");
    shell.args(["-c", script, env!("CARGO_BIN_EXE_keyward")]).env_clear().current_dir(home.path());
    let output = shell.env("HOME", home.path()).env("PATH", "/usr/bin:/bin").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let descriptors = read(&home, "fds");
    assert!(!descriptors.contains("passphrase") && !descriptors.contains("keystore"), "{descriptors}");
    assert!(works(&home, &read(&home, "held")));
}

#[test]
fn a_sink_that_fails_after_another_has_its_secret_leaves_both_working() {
    let home = Home::new();
    home.ok(&["create", "a", "--deliver", "file:key"]);
    let old = read(&home, "key");
    write(&home, "sink.sh", "exit 1");
    let sinks = ["rotate", "a", "--deliver", "file:key", "--deliver", "exec:sh ./sink.sh"];
    let failed = home.run(&sinks);
    assert_eq!(failed.code, Some(12), "{failed:?}");
    assert!(works(&home, &old) && works(&home, &read(&home, "key")));
    home.ok(&["audit", "verify"]);
    write(&home, "sink.sh", "cat > held");
    home.ok(&sinks);
    assert_eq!(read(&home, "key"), read(&home, "held"));
    assert!(works(&home, &read(&home, "held")));
    home.ok(&["audit", "verify"]);
}

#[test]
fn a_create_that_delivers_may_be_repeated_with_its_idempotency_key() {
    let home = Home::new();
    let args = ["create", "a", "--idempotency-key", "K", "--deliver", "file:held"];
    home.ok(&args);
    let held = read(&home, "held");
    let again = home.run(&args);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(again.stderr.contains("created before"), "{again:?}");
    assert_eq!(read(&home, "held"), held, "nothing is delivered twice");
    let other = home.run(&["create", "a", "--idempotency-key", "K", "--deliver", "file:held", "--owner", "ana"]);
    assert_eq!(other.code, Some(6), "{other:?}");
    assert!(other.stderr.contains("for another request"), "{other:?}");
    // One whose delivery was cut short is finished by the same call.
    let dying = ["create", "b", "--idempotency-key", "L", "--deliver", "exec:. ./sink.sh"];
    write(&home, "sink.sh", "kill -9 $PPID; cat > unused");
    assert_eq!(home.run(&dying).code, None);
    write(&home, "sink.sh", "cat > b");
    let finished = home.run(&dying);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(works(&home, &read(&home, "b")));
}

#[test]
fn of_many_creates_with_one_idempotency_key_one_prints_the_secret() {
    let home = Home::new();
    home.ok(&["init"]);
    let args = ["create", "a", "--idempotency-key", "K", "-o", "json"];
    let children: Vec<_> = (0..8).map(|_| home.command(&args).spawn().unwrap()).collect();
    let mut printed = Vec::new();
    for child in children {
        let ran = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&ran.stdout).into_owned();
        assert!(ran.status.success(), "{text}{}", String::from_utf8_lossy(&ran.stderr));
        let reply: serde_json::Value = serde_json::from_str(&text).unwrap();
        printed.extend(reply["secret"].as_str().map(str::to_owned));
    }
    assert_eq!(printed.len(), 1, "{printed:?}");
    assert!(works(&home, &printed[0]));
}
