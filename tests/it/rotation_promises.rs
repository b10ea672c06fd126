//! What a rotation promises where it goes wrong: locally, and through a server alike.

use crate::support::door::{Door, Doors};
use serde_json::Value;

/// Runs a test's steps on a vault, and on another one through a server.
fn at_both_doors(steps: impl Fn(&Door<'_>)) {
    let doors = Doors::new();
    steps(&doors.here());
    steps(&doors.there());
    doors.behind.ok(&["audit", "verify"]);
    doors.local.ok(&["audit", "verify"]);
}

fn code(door: &Door<'_>, args: &[&str]) -> Option<i32> {
    door.run(args, "").code
}

/// Runs what must succeed; answers with standard output without its newline.
fn ok(door: &Door<'_>, args: &[&str]) -> String {
    let ran = door.run(args, "");
    assert_eq!(ran.code, Some(0), "{args:?}: {ran:?}");
    ran.stdout.trim_end_matches('\n').to_owned()
}

fn json(door: &Door<'_>, args: &[&str]) -> Value {
    serde_json::from_str(&ok(door, &[&["-o", "json"], args].concat())).unwrap()
}

fn verdict(door: &Door<'_>, secret: &str) -> String {
    let ran = door.run(&["verify", "-", "--field", "code"], secret);
    ran.stdout.trim_end().to_owned()
}

fn read(door: &Door<'_>, file: &str) -> String {
    door.home.read(file)
}

/// A key whose rotation is due at this moment: a second passes on the machine's own clock.
fn due_key(door: &Door<'_>, name: &str) {
    ok(door, &["create", name, "--rotate-every", "1s", "--expires-in", "1d", "--deliver", "file:{name}.key"]);
    while json(door, &["list", "--due"])["page"]["total"] != 1 {
        std::thread::yield_now();
    }
}

#[test]
fn a_key_that_is_due_now_is_rotated() {
    at_both_doors(|door| {
        due_key(door, "mailer");
        let old = read(door, "mailer.key");
        let due = ["rotate", "--due", "--deliver", "file:{name}.key"];
        let looked = json(door, &[&due[..], &["--dry-run"]].concat());
        assert_eq!((&looked["due"], &looked["items"][0]["outcome"]), (&1.into(), &"would_rotate".into()), "{looked:#}");
        assert_eq!(read(door, "mailer.key"), old);
        let ran = json(door, &[&due[..], &["--yes", "--max", "5"]].concat());
        assert_eq!((&ran["rotated"], &ran["failed"]), (&1.into(), &0.into()), "{ran:#}");
        let new = read(door, "mailer.key");
        assert!(new != old && verdict(door, &new) == "VALID" && verdict(door, &old) == "VALID");
    });
}

#[test]
fn now_ends_every_older_secret_and_needs_no_other_word() {
    at_both_doors(|door| {
        let first = ok(door, &["-q", "create", "app"]);
        let second = ok(door, &["-q", "rotate", "app"]);
        let third = ok(door, &["-q", "rotate", "app", "--now", "--reason", "leaked"]);
        let codes = [&first, &second, &third].map(|secret| verdict(door, secret));
        assert_eq!(codes, ["SUPERSEDED", "SUPERSEDED", "VALID"]);
        // A staged rotation is no obstacle either.
        let staged = ok(door, &["-q", "rotate", "app", "--stage"]);
        let last = ok(door, &["-q", "rotate", "app", "--now"]);
        assert_eq!([&third, &staged, &last].map(|secret| verdict(door, secret)), ["SUPERSEDED", "SUPERSEDED", "VALID"]);
    });
}

#[test]
fn a_hint_that_begins_again_carries_all_that_was_said() {
    at_both_doors(|door| {
        ok(door, &["-q", "create", "app"]);
        ok(door, &["-q", "rotate", "app"]);
        let refused =
            door.run(&["rotate", "app", "--overlap", "1h", "--reason", "moved to k8s", "--ticket", "OPS-1"], "");
        assert_eq!(refused.code, Some(6), "{refused:?}");
        let hint = refused.stderr.lines().find_map(|line| line.strip_prefix("hint: ")).unwrap();
        let (command, _) = hint.split_once("  (").unwrap();
        let said = "keyward rotate app --overlap 1h --reason 'moved to k8s' --ticket OPS-1 --supersede";
        assert_eq!(command, said);
        let words = shell_words::split(command).unwrap();
        ok(door, &words.iter().skip(1).map(String::as_str).collect::<Vec<_>>());
        let event = json(door, &["audit", "--action", "key.rotate", "--limit", "1"]);
        assert_eq!(event["items"][0]["reason"], "moved to k8s");
    });
}

#[test]
fn what_was_promised_ends_at_the_receipt_and_not_before() {
    at_both_doors(|door| {
        let first = ok(door, &["-q", "create", "app"]);
        let second = ok(door, &["-q", "rotate", "app"]);
        let until = |door: &Door<'_>| json(door, &["show", "app"])["key"]["secrets"][0]["valid_until"].clone();
        let promised = until(door);
        for failing in ["exec:exit 3", "file:/nowhere/at/all"] {
            for how in ["--supersede", "--now"] {
                assert_eq!(code(door, &["rotate", "app", how, "--deliver", failing]), Some(1), "{how} {failing}");
                assert_eq!(
                    [&first, &second].map(|secret| verdict(door, secret)),
                    ["VALID", "VALID"],
                    "{how} {failing}"
                );
                assert_eq!(until(door), promised);
            }
        }
        // In doubt, everything that was promised works on, and the receipt of the next delivery ends the oldest.
        door.home.write("sink.sh", "cat > held; exit 3");
        let sink = ["--deliver", "exec:. ./sink.sh"];
        assert_eq!(code(door, &[&["rotate", "app", "--supersede"][..], &sink].concat()), Some(12));
        let doubtful = read(door, "held");
        assert_eq!([&first, &second, &doubtful].map(|secret| verdict(door, secret)), ["VALID", "VALID", "VALID"]);
        door.home.write("sink.sh", "cat > held");
        ok(door, &[&["rotate", "app"][..], &sink].concat());
        let last = read(door, "held");
        let codes = [&first, &second, &doubtful, &last].map(|secret| verdict(door, secret));
        assert_eq!(codes, ["SUPERSEDED", "VALID", "SUPERSEDED", "VALID"]);
    });
}

/// A consumer may hold what an earlier try put there: a later try that does not arrive must not end it.
#[test]
fn a_second_try_that_fails_leaves_what_the_first_one_may_have_delivered() {
    at_both_doors(|door| {
        ok(door, &["-q", "create", "app"]);
        door.home.write("sink.sh", "cat > held; exit 3");
        let rotate = ["rotate", "app", "--deliver", "exec:. ./sink.sh"];
        assert_eq!(code(door, &rotate), Some(12));
        let held = read(door, "held");
        door.home.write("sink.sh", "exit 3");
        assert_eq!(code(door, &rotate), Some(12), "nothing was thrown away that may be in use");
        assert_eq!(verdict(door, &held), "VALID");
        door.home.write("sink.sh", "cat > held");
        ok(door, &rotate);
        assert_eq!(
            (verdict(door, &held).as_str(), verdict(door, &read(door, "held")).as_str()),
            ("SUPERSEDED", "VALID")
        );
    });
}

/// Whoever ended in order holds nothing any more: its own hint works at once.
#[test]
fn a_delivery_that_failed_leaves_no_lease_behind() {
    at_both_doors(|door| {
        for (name, ending) in [("read", "cat >/dev/null; exit 3"), ("killed", "cat >/dev/null; kill -9 $$")] {
            ok(door, &["-q", "create", name]);
            door.home.write("sink.sh", ending);
            let failed = door.run(&["rotate", name, "--deliver", "exec:. ./sink.sh"], "");
            assert_eq!(failed.code, Some(12), "{failed:?}");
            let hint = failed.stderr.lines().find_map(|line| line.strip_prefix("hint: keyward ")).unwrap();
            let words = shell_words::split(hint).unwrap();
            door.home.write("sink.sh", "cat > held");
            ok(door, &words.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(verdict(door, &read(door, "held")), "VALID");
        }
        ok(door, &["-q", "create", "again"]);
        let sinks = ["--deliver", "file:again.key", "--deliver", "exec:exit 3"];
        assert_eq!(code(door, &[&["rotate", "again"][..], &sinks].concat()), Some(12));
        ok(door, &["-q", "rotate", "again", "--supersede", "--now", "--reason", "leaked"]);
        ok(door, &["-q", "create", "probed"]);
        let probed = ["rotate", "probed", "--deliver", "exec:cat > held", "--probe", "exit 1", "--probe-tries", "1"];
        assert_eq!(code(door, &probed), Some(12));
        ok(door, &["-q", "rotate", "probed", "--now"]);
    });
}

#[test]
fn a_secret_that_could_not_be_printed_leaves_no_lease_behind() {
    let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") else { return };
    let doors = Doors::new();
    doors.there().run(&["create", "app"], "");
    for args in [&["rotate", "app", "-o", "json"][..], &["create", "new", "--idempotency-key", "K", "-o", "json"]] {
        let mut command = doors.client.command(args);
        command.env("KEYWARD_SERVER", &doors.server.url).env("KEYWARD_TOKEN_FILE", &doors.token);
        let status = command.stdout(full.try_clone().unwrap()).status().unwrap();
        assert!(!status.success());
        ok(&doors.there(), &[&["-q"], args].concat());
    }
}

#[test]
fn the_trail_tells_what_failed_and_whose_it_was() {
    at_both_doors(|door| {
        let id = json(door, &["create", "app"])["key"]["id"].as_str().unwrap().to_owned();
        json(door, &["create", "app", "--env", "production"]);
        let failing = ["rotate", "app", "--env", "development", "--deliver"];
        assert_eq!(code(door, &[&failing[..], &["exec:exit 3"]].concat()), Some(1));
        assert_eq!(code(door, &[&failing[..], &["exec:cat >/dev/null; exit 3"]].concat()), Some(12));
        let failed = json(door, &["audit", "--outcome", "failed"]);
        let items = failed["items"].as_array().unwrap();
        assert_eq!(items.len(), 2, "{failed:#}");
        for event in items {
            assert_eq!((&event["action"], &event["target"]), (&"key.deliver".into(), &id.as_str().into()));
            assert_eq!(event["changes"]["name"], "app");
        }
        assert_eq!(code(door, &["rotation", "abort", "app", "--env", "development"]), Some(6));
        ok(door, &["-q", "rotate", "app", "--env", "development", "--now"]);
        assert_eq!(code(door, &["rotation", "commit", "app", "--env", "development"]), Some(6));
        ok(door, &["revoke", "app", "--env", "development", "--yes"]);
        assert_eq!(code(door, &["activate", "app", "--env", "development"]), Some(6));
        let refused = json(door, &["audit", "--outcome", "refused"]);
        let refused = refused["items"].as_array().unwrap();
        assert!(refused.len() >= 2, "{refused:#?}");
        for event in refused {
            assert_eq!(
                (&event["target"], &event["changes"]["name"]),
                (&id.as_str().into(), &"app".into()),
                "{event:#}"
            );
        }
        let story = json(door, &["audit", "--key", "app", "--env", "development", "--outcome", "refused"]);
        assert_eq!(story["items"].as_array().unwrap().len(), refused.len());
    });
}

/// Another try is worth something only where time alone may mend what is wrong.
#[test]
fn only_what_may_pass_is_worth_another_try() {
    at_both_doors(|door| {
        ok(door, &["-q", "create", "app"]);
        door.home.write("twice.env", "KEY=a\nKEY=b\n");
        for (sink, expected) in [
            ("github-secret:acme/app#KEY", 1),
            ("github-output:key", 1),
            ("dotenv:twice.env#KEY", 1),
            ("file:/nowhere/at/all", 1),
            ("json:nowhere.json#/key", 1),
            ("exec:exit 3", 1),
            ("exec:no-such-program-here", 1),
            ("exec:exit 75", 9),
            ("exec:kill -9 $$", 9),
        ] {
            let ran = door.run(&["-o", "json", "rotate", "app", "--deliver", sink], "");
            let error = ran.error();
            assert_eq!(
                (ran.code, error["retryable"].as_bool()),
                (Some(expected), Some(expected == 9)),
                "{sink}: {ran:?}"
            );
        }
    });
}

#[test]
fn a_superseded_secret_is_not_called_revoked() {
    at_both_doors(|door| {
        let first = ok(door, &["-q", "create", "app"]);
        let second = ok(door, &["-q", "rotate", "app", "--now"]);
        let old = door.run(&["-o", "json", "verify", "-", "--explain"], &first);
        let old: Value = serde_json::from_str(&old.stdout).unwrap();
        assert_eq!((&old["code"], &old["http_status"]), (&"SUPERSEDED".into(), &401.into()));
        ok(door, &["revoke", "app", "--yes"]);
        assert_eq!([&first, &second].map(|secret| verdict(door, secret)), ["REVOKED", "REVOKED"]);
        let told = door.run(&["verify", "-", "--explain"], &second).stdout;
        assert!(told.contains("with the key") && !told.contains("newer one"), "{told}");
    });
}

#[test]
fn an_explained_verdict_says_what_a_gateway_asks_for_and_counts() {
    at_both_doors(|door| {
        for project in ["apollo", "gemini"] {
            ok(door, &["projects", "create", project]);
        }
        let wide = ok(door, &["-q", "create", "wide", "--rate-limit", "7/m"]);
        let told = door.run(&["verify", "-", "--explain"], &wide).stdout;
        assert!(
            told.contains("X-Project-ID must name one: apollo, gemini") && told.contains("7/m, which a server counts"),
            "{told}"
        );
        let narrow = ok(door, &["-q", "create", "narrow", "--project", "gemini", "--rate-limit", "none"]);
        let told = door.run(&["verify", "-", "--explain"], &narrow).stdout;
        assert!(told.contains("the key is for project 'gemini'"), "{told}");
    });
}

/// What a person types first; and a key whose overlap still runs says until when.
#[test]
fn a_run_says_where_sinks_are_named_and_until_when_an_overlap_lasts() {
    at_both_doors(|door| {
        let bare = door.run(&["rotate", "--due", "--yes", "--max", "3"], "");
        assert_eq!(bare.code, Some(2), "{bare:?}");
        assert!(bare.stderr.contains("where the new secrets go is not said"), "{bare:?}");
        assert!(bare.stderr.contains("--deliver-map FILE") && !bare.stderr.contains("required arguments"), "{bare:?}");
        ok(door, &["create", "app", "--rotate-every", "30d", "--overlap", "2h", "--deliver", "file:app.key"]);
        let due = ["rotate", "--due", "--yes", "--max", "3", "--deliver", "file:app.key", "--due-within"];
        let until = json(door, &[&due[..], &["31d"]].concat())["items"][0]["old_valid_until"].clone();
        let skipped = json(door, &[&due[..], &["61d"]].concat())["items"][0].clone();
        assert_eq!((&skipped["outcome"], &skipped["old_valid_until"]), (&"skipped".into(), &until), "{skipped:#}");
        assert!(skipped["why"].as_str().unwrap().contains(until.as_str().unwrap()), "{skipped:#}");
    });
}

/// The secret was on its way when the server went: it may have arrived, and that is said; not that nothing was changed.
#[test]
fn a_secret_that_left_while_the_server_went_may_have_arrived() {
    let doors = Doors::new();
    let door = doors.there();
    ok(&door, &["create", "app", "--rotate-every", "30d", "--deliver", "file:app.key"]);
    let pid = doors.server.pid();
    let sink = format!("exec:cat >left.key; kill -9 {pid}; until grep -q '^State:.Z' /proc/{pid}/status; do :; done");
    let due = ["rotate", "--due", "--due-within", "31d", "--yes", "--max", "3", "-o", "json", "--deliver", &sink];
    let ran = door.run(&due, "");
    assert_eq!(ran.code, Some(12), "{ran:?}");
    let run: Value = serde_json::from_str(&ran.stdout).unwrap();
    let one = &run["items"][0];
    assert_eq!((&one["outcome"], &one["error"]["exit"]), (&"undelivered".into(), &12.into()), "{run:#}");
    assert!(one["rotation"].as_str().unwrap().starts_with("rot_"), "{run:#}");
    assert!(one["why"].as_str().unwrap().contains("may not have arrived everywhere"), "{run:#}");
    // Either secret works, and the next run goes on.
    let verified = |file| doors.behind.run_with(&["verify", "-", "--field", "code"], &read(&door, file)).stdout;
    assert_eq!([verified("app.key"), verified("left.key")].map(|code| code.trim_end().to_owned()), ["VALID", "VALID"]);
}

/// A refusal that is about who asks ends a run at its first key, with the code of a refusal.
#[test]
fn who_may_not_rotate_is_refused_once_and_not_for_each_key() {
    let doors = Doors::new();
    for home in [&doors.local, &doors.behind] {
        for name in ["one", "two"] {
            home.ok(&["create", name, "--rotate-every", "30d"]);
        }
    }
    doors.local.ok(&["vault", "slots", "add", "--device-file", "desk.key", "--role", "support"]);
    let credential = doors.behind.ok(&["operators", "create", "desk", "--role", "support"]);
    doors.client.private("desk", &credential);
    let due = ["rotate", "--due", "--due-within", "31d", "--yes", "--max", "3", "--deliver", "file:{name}.key"];
    let slot = doors.local.run(&[&["--key-file", "desk.key"], &due[..]].concat());
    let role = doors.client.run_in(&due, &[("KEYWARD_SERVER", &doors.server.url), ("KEYWARD_TOKEN_FILE", "desk")]);
    for ran in [slot, role] {
        assert_eq!((ran.code, &*ran.stdout), (Some(5), ""), "{ran:?}");
        assert_eq!(ran.stderr.matches("error: ").count(), 1, "{ran:?}");
    }
}
