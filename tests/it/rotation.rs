//! Rotation as a user sees it: staged, delivered, committed, aborted.

use crate::support::{Home, due};

#[test]
fn a_staged_rotation_waits_for_a_commit_or_an_abort() {
    let home = Home::new();
    let first = home.ok(&["create", "a", "-q"]);
    let second = home.ok(&["rotate", "a", "--stage", "-q"]);
    assert!(home.works(&first) && home.works(&second));
    let refused = home.run(&["rotate", "a"]);
    assert_eq!(refused.code, Some(6), "{refused:?}");
    assert!(refused.stderr.contains("keyward rotation commit rot_"), "{refused:?}");
    let listed = home.json(&["rotation", "list"]);
    assert_eq!((&listed["items"][0]["state"], &listed["items"][0]["parked"]), (&"delivered".into(), &true.into()));

    assert_eq!(home.run(&["rotation", "abort", "a"]).code, Some(2), "somebody may use it: it needs a confirmation");
    home.ok(&["rotation", "abort", "a", "--yes"]);
    assert!(home.works(&first) && !home.works(&second));

    let third = home.ok(&["rotate", "a", "--stage", "-q", "--now"]);
    home.ok(&["rotation", "commit", "a"]);
    assert!(!home.works(&first) && home.works(&third));
    assert_eq!(home.run(&["rotation", "commit", "a"]).code, Some(6));
    assert_eq!(home.run(&["rotation", "show", "rot_0000000000000000"]).code, Some(3));
    assert_eq!(home.json(&["rotation", "list", "--all"])["items"][0]["state"], "committed");
}

#[test]
fn a_delivered_secret_is_in_its_sink_and_nowhere_else() {
    let home = Home::new();
    let made = home.run(&["create", "a", "--deliver", "file:key"]);
    assert_eq!((made.code, made.stdout.as_str()), (Some(0), ""), "{made:?}");
    let first = home.read("key");
    assert!(home.works(&first) && !made.stderr.contains(&first));
    let rotated = home.run(&["rotate", "a", "--deliver", "file:key", "--deliver", "dotenv:env#KEY", "-o", "json"]);
    assert_eq!(rotated.code, Some(0), "{rotated:?}");
    let second = home.read("key");
    assert_eq!(home.read("env").trim_end(), format!("KEY={second}"));
    assert!(home.works(&first) && home.works(&second));
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
    home.write("env", "A=1\n");
    std::fs::create_dir(home.path().join("dir")).unwrap();
    std::os::unix::fs::symlink("nowhere", home.path().join("dangling")).unwrap();
    for (sink, code) in [
        ("file:none/key", 1),
        ("file:dir", 1),
        ("file:dangling", 1),
        ("exec:no-such-program-at-all", 1),
        ("github-secret:o/r#NAME", 1),
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
        assert_eq!(failed.code, Some(1), "{failed:?}");
        assert_eq!(home.json(&["list", "--status", "any"])["page"]["total"], 0);
    }
    assert!(!home.works(&home.read("held")));
    home.ok(&["create", "a", "--deliver", "file:key"]);
}

#[test]
fn a_sink_that_fails_loses_nothing_and_the_next_run_repairs_it() {
    let home = Home::new();
    home.ok(&["create", "a", "--rotate-every", "30d", "--deliver", "exec:cat > held"]);
    let old = home.read("held");
    for (script, code) in [("exit 1", 11), ("cat > other; exit 1", 12), ("cat > other; kill -9 $$", 12)] {
        let home = Home::new();
        home.ok(&["create", "a", "--rotate-every", "30d", "--deliver", "exec:cat > held"]);
        let old = home.read("held");
        home.write("sink.sh", script);
        let failed = home.run(&due(&["--now", "--deliver", "exec:sh ./sink.sh", "-o", "jsonl"]));
        assert_eq!(failed.code, Some(code), "{script}: {failed:?}");
        assert!(home.works(&old), "{script}");
        home.write("sink.sh", "cat > held");
        let repaired = home.run(&due(&["--now", "--deliver", "exec:sh ./sink.sh", "-o", "jsonl"]));
        assert_eq!(repaired.code, Some(0), "{script}: {repaired:?}");
        let new = home.read("held");
        assert!(home.works(&new) && !home.works(&old) && new != old, "{script}");
        if let Ok(other) = std::fs::read_to_string(home.path().join("other")) {
            assert!(!home.works(&other), "{script}: the secret in doubt dies with the next receipt");
        }
    }
    assert!(home.works(&old));
}

#[test]
fn a_program_that_prints_the_secret_is_masked() {
    let home = Home::new();
    home.ok(&["create", "a", "-q"]);
    let ran = home.run(&["rotate", "a", "--deliver", "exec:tee held", "-vvv"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let secret = home.read("held");
    assert!(home.works(&secret) && !ran.stderr.contains(&secret) && !ran.stdout.contains(&secret), "{ran:?}");
}

#[test]
fn a_probe_that_says_no_puts_the_old_secret_back() {
    let home = Home::new();
    home.ok(&["create", "a", "--deliver", "file:key"]);
    let old = home.read("key");
    let probe = ["--probe", "cat > probed; exit 1", "--probe-tries", "2"];
    let failed = home.run(&[&["rotate", "a", "--deliver", "file:key"][..], &probe[..]].concat());
    assert_eq!(failed.code, Some(9), "{failed:?}");
    assert_eq!(home.read("key"), old);
    let tried = home.read("probed");
    assert!(home.works(&old) && !home.works(&tried) && tried != old);
    assert_eq!(home.json(&["rotation", "list", "--all"])["items"][0]["state"], "aborted");

    // What cannot be put back must go on working.
    let failed = home.run(&[&["rotate", "a", "--deliver", "exec:cat > held"][..], &probe[..]].concat());
    assert_eq!(failed.code, Some(12), "{failed:?}");
    assert!(home.works(&old) && home.works(&home.read("held")));
    let finished = home.run(&["rotate", "a", "--deliver", "exec:cat > held"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(home.works(&home.read("held")));
}

#[test]
fn a_repetition_with_its_idempotency_key_makes_no_second_secret() {
    let home = Home::new();
    let made = home.ok(&["create", "a", "--idempotency-key", "c1", "-q"]);
    assert!(home.works(&made));
    let again = home.run(&["create", "a", "--idempotency-key", "c1", "-o", "json"]);
    assert!(again.code == Some(0) && !again.stdout.contains("secret\":"), "{again:?}");
    let rotated = home.ok(&["rotate", "a", "--idempotency-key", "r1", "-q"]);
    let again = home.run(&["rotate", "a", "--idempotency-key", "r1"]);
    assert!(again.code == Some(0) && again.stderr.contains("is not shown again"), "{again:?}");
    assert!(home.works(&rotated));
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
    assert!(home.works(&repeated));
}

#[test]
fn use_is_evidence_for_the_new_secret_and_against_retiring_the_old() {
    let home = Home::new();
    home.ok(&["create", "a", "--deliver", "exec:cat > held"]);
    let old = home.read("held");
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
    home.write("sink.sh", "cat > held; exit 1");
    assert_eq!(home.run(&["rotate", "a", "--deliver", "exec:sh ./sink.sh"]).code, Some(12));
    let new = home.read("held");
    record(&new);
    home.ok(&["rotate", "a", "--deliver", "exec:sh ./sink.sh"]);
    assert_eq!(home.read("held"), new);
    let key = home.json(&["show", "a"]);
    assert_eq!(key["key"]["rotation"]["state"], "overlap");
    assert!(new.contains(key["key"]["secrets"].as_array().unwrap().last().unwrap()["lookup"].as_str().unwrap()));
    assert!(home.ok(&["audit", "list", "-o", "jsonl"]).contains("\"proof\":\"use\""));
}

#[test]
fn a_signal_while_one_key_is_delivered_is_the_exit_code() {
    let home = Home::new();
    home.ok(&["create", "a", "-q"]);
    home.write("sink.sh", "cat > held; echo > began; sleep 60");
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
    home.write("sink.sh", "cat > held");
    let ran = home.shell(again);
    assert_eq!(ran.code, Some(0), "{again}: {ran:?}");
    assert!(home.works(&home.read("held")));
}

#[test]
fn a_sink_s_program_inherits_no_descriptor_of_ours() {
    let home = Home::new();
    home.ok(&["create", "a", "-q"]);
    home.write("passphrase", "correct horse");
    let script = "exec 9<passphrase; exec \"$0\" rotate a --deliver 'exec:ls -l /proc/self/fd > fds; cat > held'";
    let mut shell = std::process::Command::new("bash");
    shell.args(["-c", script, env!("CARGO_BIN_EXE_keyward")]).env_clear().current_dir(home.path());
    let output = shell.env("HOME", home.path()).env("PATH", "/usr/bin:/bin").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let descriptors = home.read("fds");
    assert!(!descriptors.contains("passphrase") && !descriptors.contains("keystore"), "{descriptors}");
    assert!(home.works(&home.read("held")));
}

#[test]
fn a_sink_that_fails_after_another_has_its_secret_leaves_both_working() {
    let home = Home::new();
    home.ok(&["create", "a", "--deliver", "file:key"]);
    let old = home.read("key");
    home.write("sink.sh", "exit 1");
    let sinks = ["rotate", "a", "--deliver", "file:key", "--deliver", "exec:sh ./sink.sh"];
    let failed = home.run(&sinks);
    assert_eq!(failed.code, Some(12), "{failed:?}");
    assert!(home.works(&old) && home.works(&home.read("key")));
    home.ok(&["audit", "verify"]);
    home.write("sink.sh", "cat > held");
    home.ok(&sinks);
    assert_eq!(home.read("key"), home.read("held"));
    assert!(home.works(&home.read("held")));
    home.ok(&["audit", "verify"]);
}

#[test]
fn a_create_that_delivers_may_be_repeated_with_its_idempotency_key() {
    let home = Home::new();
    let args = ["create", "a", "--idempotency-key", "K", "--deliver", "file:held"];
    home.ok(&args);
    let held = home.read("held");
    let again = home.run(&args);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(again.stderr.contains("created before"), "{again:?}");
    assert_eq!(home.read("held"), held, "nothing is delivered twice");
    let other = home.run(&["create", "a", "--idempotency-key", "K", "--deliver", "file:held", "--owner", "ana"]);
    assert_eq!(other.code, Some(6), "{other:?}");
    assert!(other.stderr.contains("for another request"), "{other:?}");
    // One whose delivery was cut short is finished by the same call.
    let dying = ["create", "b", "--idempotency-key", "L", "--deliver", "exec:. ./sink.sh"];
    home.write("sink.sh", "kill -9 $PPID; cat > unused");
    assert_eq!(home.run(&dying).code, None);
    home.write("sink.sh", "cat > b");
    let finished = home.run(&dying);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(home.works(&home.read("b")));
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
    assert!(home.works(&printed[0]));
}
