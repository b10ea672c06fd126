//! Deliveries that did not end well, and what a second try makes of them: a probe that said no is asked again, options are
//! heeded, and what was destroyed is put back.

use crate::support::{Home, due};

/// A sink that cannot be put back.
const STORE: &str = "exec:cat > held";

#[test]
fn a_probe_that_said_no_is_asked_again() {
    let home = Home::new();
    let old = home.ok(&["create", "a", "--rotate-every", "30d", "-q"]);
    let probe = "cat > /dev/null; echo asked >> log; test -e fine";
    let run = || home.run(&due(&["--deliver", STORE, "--probe", probe, "--probe-tries", "1"]));
    for asked in 1..=2 {
        let refused = run();
        assert_eq!(refused.code, Some(12), "{refused:?}");
        assert_eq!(home.read("log").lines().count(), asked);
        assert!(home.works(&old) && home.works(&home.read("held")), "both work until the probe says yes");
    }
    home.write("fine", "");
    let run = run();
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(home.read("log").lines().count(), 3);
    assert!(home.works(&home.read("held")));
    let secrets = home.json(&["show", "a"])["key"]["secrets"].clone();
    let working = |one: &&serde_json::Value| one["state"] == "current" || one["state"] == "retiring";
    assert_eq!(secrets.as_array().unwrap().iter().filter(working).count(), 2, "{secrets}");
}

/// A rotation whose secret arrived and was not committed.
fn arrived(home: &Home) -> (String, String) {
    let old = home.ok(&["create", "a", "-q"]);
    let refused = home.run(&["rotate", "a", "--deliver", STORE, "--probe", "exit 1", "--probe-tries", "1"]);
    assert_eq!(refused.code, Some(12), "{refused:?}");
    (old, home.read("held"))
}

#[test]
fn a_secret_that_arrived_elsewhere_is_no_delivery() {
    let home = Home::new();
    let (old, new) = arrived(&home);
    let refused = home.run(&["rotate", "a", "--deliver", "file:other"]);
    assert_eq!(refused.code, Some(6), "{refused:?}");
    assert!(refused.stderr.contains("delivered there, or in doubt: exec:cat > held"), "{refused:?}");
    assert!(!home.path().join("other").exists() && home.works(&old) && home.works(&new));
}

#[test]
fn what_a_second_try_asks_for_is_heeded() {
    let home = Home::new();
    let (old, new) = arrived(&home);
    let staged = home.run(&["rotate", "a", "--stage", "--deliver", STORE]);
    assert_eq!(staged.code, Some(0), "{staged:?}");
    assert!(home.works(&old) && home.works(&new));
    assert_eq!(home.json(&["rotation", "list"])["items"][0]["parked"], true);

    let home = Home::new();
    let (old, new) = arrived(&home);
    let done = home.run(&["rotate", "a", "--now", "--deliver", STORE]);
    assert!(done.code == Some(0) && done.stderr.contains("the old secret stops at once"), "{done:?}");
    assert!(!home.works(&old) && home.works(&new));

    let home = Home::new();
    let old = home.ok(&["create", "a", "-q"]);
    home.write("sink.sh", "cat > held; exit 1");
    let cut = home.run(&["rotate", "a", "--deliver", "exec:sh ./sink.sh"]);
    assert_eq!(cut.code, Some(12), "{cut:?}");
    home.write("sink.sh", "cat > held");
    let renewed = home.run(&["rotate", "a", "--renew", "--deliver", "exec:sh ./sink.sh"]);
    assert_eq!(renewed.code, Some(6), "it was not begun as a renewal: {renewed:?}");
    let done = home.run(&["rotate", "a", "--now", "--deliver", "exec:sh ./sink.sh"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(!home.works(&old) && home.works(&home.read("held")));
}

#[test]
fn what_an_earlier_try_left_in_a_file_never_comes_back_dead() {
    for again in [&[][..], &["--supersede"]] {
        let home = Home::new();
        let old = home.ok(&["create", "a", "--deliver", "file:held", "-q"]);
        assert_eq!(old, "");
        let old = home.read("held");
        // Killed while it asks the probe: the file has the new secret, and nobody has said yes to it.
        let rotate = ["rotate", "a", "--deliver", "file:held", "--probe"];
        let killed = home.run(&[&rotate[..], &["kill -9 $PPID"]].concat());
        assert_eq!(killed.code, None, "{killed:?}");
        let first = home.read("held");
        assert!(first != old && home.works(&first));
        let refused = home.run(&[&rotate[..], &["exit 1", "--probe-tries", "1"], again].concat());
        assert_eq!(refused.code, Some(12), "{refused:?}");
        assert!(home.works(&old) && home.works(&home.read("held")), "what the consumer holds works: {refused:?}");
        home.ok(&[&rotate[..], &["true"]].concat());
        assert!(home.works(&home.read("held")));
    }
}

#[test]
fn a_create_that_fails_puts_back_what_its_sinks_held() {
    // A command that says no is for somebody to mend; a consumer that is not there yet may pass by itself.
    for (failing, code) in
        [(&["--deliver", "exec:cat > /dev/null; exit 1"][..], 1), (&["--probe", "exit 1", "--probe-tries", "1"], 9)]
    {
        let home = Home::new();
        home.write("keep", "a vendor's");
        home.write("env", "A=1\nTOK=working\n");
        home.write("doc.json", "{\"t\": \"vendor\"}");
        let sinks = ["file:keep", "dotenv:env#TOK", "dotenv:env#B", "json:doc.json#/t", "file:new"];
        let sinks: Vec<&str> = sinks.iter().flat_map(|sink| ["--deliver", *sink]).collect();
        let failed = home.run(&[&["create", "a"], &sinks[..], failing].concat());
        assert_eq!(failed.code, Some(code), "{failed:?}");
        assert!(failed.stderr.contains("no key was made") && !failed.stderr.contains("dead secret"), "{failed:?}");
        let kept = [home.read("keep"), home.read("env"), home.read("doc.json")];
        assert_eq!(kept, ["a vendor's", "A=1\nTOK=working\n", "{\"t\": \"vendor\"}"]);
        assert!(!home.path().join("new").exists());
        assert_eq!(home.json(&["list", "--status", "any"])["page"]["total"], 0);
    }
    let home = Home::new();
    let failed = home.run(&["create", "a", "--deliver", STORE, "--deliver", "exec:cat > /dev/null; exit 1"]);
    assert!(failed.stderr.contains("the dead secret is still in exec:cat > held"), "{failed:?}");
}

#[test]
fn an_interrupted_delivery_is_told_with_its_rotation() {
    let home = Home::new();
    home.ok(&["create", "a", "--rotate-every", "30d", "-q"]);
    let run = home.run(&due(&["--deliver", "exec:cat > held; exit 1", "-o", "jsonl"]));
    let first: serde_json::Value = serde_json::from_str(run.stdout.lines().next().unwrap()).unwrap();
    let rotation = home.json(&["rotation", "list"])["items"][0]["id"].clone();
    assert_eq!((&first["rotation"], &first["outcome"]), (&rotation, &"undelivered".into()), "{run:?}");
}
