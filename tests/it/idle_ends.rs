//! What ends, ends for nobody who still uses it, where whoever ends it asks for that: keys that are revoked, switched off or
//! deleted, and the overlaps of rotations by a schedule.

use crate::support::{Home, due, server::Served};
use serde_json::{Value, json};

fn used(home: &Home, token: &str) {
    let args = ["verify", "-", "--record", "--ip", "192.0.2.7", "--user-agent", "mailer/2"];
    let ran = home.run_with(&args, token);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

/// A home with the keys `used` and `idle`.
fn furnished() -> Home {
    let home = Home::with_vault();
    let token = home.ok(&["create", "used", "-q"]);
    used(&home, &token);
    home.ok(&["create", "idle", "-q"]);
    home
}

/// Each ending of a key, with what comes after the key's name.
const ENDINGS: [(&str, &[&str]); 3] =
    [("deactivate", &[]), ("revoke", &["--reason", "tidy"]), ("delete", &["--confirm", "used"])];

#[test]
fn a_key_in_use_is_not_ended_by_whoever_asks_for_idleness() {
    let home = furnished();
    let server = Served::start(&home, &[]);
    let token = home.ok(&["operators", "create", "root", "--role", "platform-admin"]);
    let there = [("KEYWARD_SERVER", server.url.as_str()), ("KEYWARD_TOKEN", token.as_str())];
    for (command, more) in ENDINGS {
        let args = [&[command, "used", "--only-if-idle", "1h"], more].concat();
        for variables in [&[][..], &there[..]] {
            let ran = home.run_in(&args, variables);
            assert_eq!(ran.code, Some(6), "{command}: {ran:?}");
            let told = ["used is still in use", "192.0.2.7", "mailer/2", "1 use in all", "keyward usage key_"];
            told.iter().for_each(|part| assert!(ran.stderr.contains(part), "{part}: {ran:?}"));
            let json = home.run_in(&[&["-o", "json"], &args[..]].concat(), variables);
            let error = json.error();
            assert_eq!((&error["code"], &error["exit"]), (&"CONFLICT".into(), &6.into()), "{json:?}");
        }
    }
    assert_eq!(home.json(&["show", "used"])["key"]["status"], "active");
    let last = &home.json(&["audit", "--key", "used", "--limit", "1"])["items"][0];
    assert_eq!((&last["action"], &last["outcome"]), (&"key.delete".into(), &"refused".into()), "{last:#}");

    // HTTP says the same, with seconds in a body and a duration in a query.
    let headers = [("Authorization", &*format!("Bearer {token}")), ("Content-Type", "application/json")];
    for verb in ["deactivate", "revoke"] {
        let answer = server.send("POST", &format!("/v1/keys/used/{verb}"), &headers, r#"{"only_if_idle":3600}"#);
        assert_eq!((answer.status, &answer.json()["reason"]), (409, &json!("still_used")), "{answer:?}");
        let unread = server.send("POST", &format!("/v1/keys/used/{verb}"), &headers, r#"{"only_if_idel":3600}"#);
        assert_eq!(unread.status, 400, "{unread:?}");
    }
    let answer = server.send("DELETE", "/v1/keys/used?only_if_idle=1h", &headers, "");
    assert_eq!((answer.status, &answer.json()["reason"]), (409, &json!("still_used")), "{answer:?}");
    assert_eq!(server.send("DELETE", "/v1/keys/used?only_if_idle=soon", &headers, "").status, 400);

    // Several, and names from standard input: each by its own use.
    let several = home.run(&["deactivate", "used", "idle", "--only-if-idle", "1h"]);
    assert_eq!(several.code, Some(11), "{several:?}");
    let named = home.run_with(&["revoke", "-", "--only-if-idle", "1h"], "used\nidle\n");
    assert_eq!(named.code, Some(11), "{named:?}");
    assert_eq!(home.json(&["show", "idle"])["key"]["status"], "revoked");
    // What is so already ends nothing.
    home.ok(&["revoke", "idle", "--only-if-idle", "1h"]);
    home.ok(&["create", "other", "-q"]);
    home.ok(&["delete", "other", "--confirm", "other", "--only-if-idle", "1h"]);
    // Idle for long enough is idle.
    while home.run(&["revoke", "used", "--only-if-idle", "1s"]).code != Some(0) {}
    assert_eq!(home.json(&["show", "used"])["key"]["status"], "revoked");
}

const SINK: [&str; 2] = ["--deliver", "file:{name}.key"];

/// A key in the overlap of a due run, of so long; its old secret was used a moment ago.
fn overlapping(home: &Home, overlap: &str) {
    home.ok(&["create", "mailer", "--rotate-every", "30d", "--overlap", overlap, "--deliver", "file:mailer.key"]);
    let old = home.read("mailer.key");
    used(home, &old);
    let run = home.run(&[&due(&SINK)[..], &["--only-if-idle", "1h"]].concat());
    assert_eq!(run.code, Some(0), "{run:?}");
    home.write("old.key", &old);
}

/// A run that looks at overlaps, through whichever door.
fn run(home: &Home, more: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, Value, String) {
    let args = ["-o", "json", "rotate", "--due", "--yes", "--max", "9", "--deliver", "file:{name}.key"];
    let ran = home.run_in(&[&args[..], more].concat(), variables);
    (ran.code, serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}")), ran.stderr)
}

fn old_until(home: &Home) -> Value {
    home.json(&["show", "mailer"])["key"]["secrets"][0]["valid_until"].clone()
}

#[test]
fn the_end_of_a_schedules_overlap_waits_says_for_whom_and_gives_up() {
    let home = Home::with_vault();
    overlapping(&home, "100s");
    let planned = old_until(&home);
    let (code, told, _) = run(&home, &["--only-if-idle", "1h", "--dry-run"], &[]);
    assert_eq!((code, &told["waiting"], old_until(&home)), (Some(0), &json!(1), planned.clone()));

    let (code, told, stderr) = run(&home, &["--only-if-idle", "1h"], &[]);
    let item = &told["items"][0];
    assert_eq!((code, &told["waiting"], &told["due"]), (Some(0), &json!(1), &json!(0)), "{told:#}");
    assert_eq!((&item["outcome"], &item["name"]), (&json!("waiting"), &json!("mailer")), "{item:#}");
    assert_eq!((&item["old_last_used_ip"], &item["old_last_user_agent"]), (&json!("192.0.2.7"), &json!("mailer/2")));
    assert!(item["why"].as_str().unwrap().contains("192.0.2.7 (mailer/2)"), "{item:#}");
    assert!(stderr.contains("1 waits for a consumer"), "{stderr}");
    let prolonged = old_until(&home);
    assert!(prolonged.as_str() > planned.as_str() && item["old_valid_until"] == prolonged, "{item:#}");
    let event = &home.json(&["audit", "--action", "key.prolong"])["items"][0];
    assert_eq!(event["changes"]["old_valid_until"]["to"], prolonged, "{event:#}");
    assert_eq!((&event["changes"]["last_used_ip"], &event["changes"]["last"]), (&json!("192.0.2.7"), &json!(true)));
    assert!(home.works(&home.read("old.key")) && home.works(&home.read("mailer.key")));

    // As long again as the overlap is the bound, unless another is said; a run that meets it fails, and names who is hit.
    let (code, told, stderr) = run(&home, &["--only-if-idle", "1h"], &[]);
    assert_eq!((code, &told["given_up"], old_until(&home)), (Some(11), &json!(1), prolonged.clone()), "{told:#}");
    assert!(stderr.contains("1 ends in use"), "{stderr}");
    assert!(told["items"][0]["why"].as_str().unwrap().contains("although it is in use: 192.0.2.7"), "{told:#}");
    let hooked = ["--only-if-idle", "1h", "--on-failure", "cat > failed.json"];
    assert_eq!(run(&home, &hooked, &[]).0, Some(11));
    assert!(home.read("failed.json").contains("given_up"));

    // A later bound goes on, here through a server, and an end that has waited comes once the secret is idle.
    let token = home.ok(&["operators", "create", "ci", "--role", "rotator"]);
    let server = Served::start(&home, &[]);
    let there = [("KEYWARD_SERVER", server.url.as_str()), ("KEYWARD_TOKEN", token.as_str())];
    let (code, told, _) = run(&home, &["--only-if-idle", "1h", "--idle-bound", "7d"], &there);
    assert_eq!((code, &told["waiting"]), (Some(0), &json!(1)), "{told:#}");
    assert!(old_until(&home).as_str() > prolonged.as_str());
    assert!(home.ok(&["audit", "verify"]).contains("ok") || home.run(&["audit", "verify"]).code == Some(0));
}

#[test]
fn an_end_that_has_waited_comes_once_the_old_secret_is_idle() {
    let home = Home::with_vault();
    overlapping(&home, "1s");
    // The end of so short an overlap comes before a run can wait for it: the bound is a day from the end that was planned.
    let waits = ["--only-if-idle", "1h", "--idle-bound", "1d"];
    let (_, told, _) = run(&home, &waits, &[]);
    if told["waiting"] == json!(0) {
        // What no run prolonged has ended, as it was to.
        assert!(!home.works(&home.read("old.key")));
        return;
    }
    while run(&home, &["--only-if-idle", "1s"], &[]).1["ended"] != json!(1) {}
    assert!(!home.works(&home.read("old.key")) && home.works(&home.read("mailer.key")));
    assert_eq!(home.json(&["audit", "--action", "key.retire"])["items"].as_array().unwrap().len(), 1);
}

#[test]
fn nothing_prolongs_what_a_person_ends() {
    let home = Home::with_vault();
    let old = home.ok(&["create", "leaky", "--rotate-every", "30d", "-q"]);
    used(&home, &old);
    home.ok(&["rotate", "leaky", "--overlap", "100s", "--reason", "leaked", "-q"]);
    let until = |name: &str| home.json(&["show", name])["key"]["secrets"][0]["valid_until"].clone();
    let before = until("leaky");
    let (code, told, _) = run(&home, &["--only-if-idle", "1h"], &[]);
    assert_eq!((code, &told["waiting"], until("leaky")), (Some(0), &json!(0), before), "{told:#}");
    // Nor does anything bring back a secret whose key was revoked during the overlap of a schedule.
    overlapping(&home, "100s");
    home.ok(&["revoke", "mailer", "--reason", "leaked"]);
    let (_, told, _) = run(&home, &["--only-if-idle", "1h"], &[]);
    assert_eq!(told["items"], json!([]), "{told:#}");
    assert!(!home.works(&home.read("old.key")));
    // Without --due there is no schedule, and nothing of it is passed over.
    for option in ["--only-if-idle 1h", "--jitter 1s", "--deadline 1h", "--due-within 1d", "--detailed-exitcode"] {
        let args: Vec<&str> = ["rotate", "leaky"].into_iter().chain(option.split(' ')).collect();
        let ran = home.run(&args);
        assert!(ran.code == Some(2) && ran.stderr.contains("is for runs with --due"), "{option}: {ran:?}");
    }
}

/// A server that writes what was used once an hour.
fn lazy(home: &Home) -> Served {
    Served::start(home, &["--usage-interval", "1h", "--address-limit", "none"])
}

#[test]
fn a_server_counts_the_uses_of_a_moment_ago_before_it_ends_anything() {
    let home = Home::with_vault();
    let key = home.ok(&["create", "used", "-q"]);
    let root = home.ok(&["operators", "create", "root", "--role", "platform-admin"]);
    let server = lazy(&home);
    let use_it = || assert_eq!(server.get("/v1/validate", &[("X-API-Key", &key)]).status, 200);
    let there = [("KEYWARD_SERVER", server.url.as_str()), ("KEYWARD_TOKEN", root.as_str())];
    let headers = [("Authorization", &*format!("Bearer {root}"))];
    use_it();
    // A command on the vault itself cannot know of it: the page says so. A dry run ends nothing.
    assert_eq!(home.run(&["deactivate", "used", "--only-if-idle", "1h", "--dry-run"]).code, Some(0));
    for (command, more) in ENDINGS {
        use_it();
        let ran = home.run_in(&[&[command, "used", "--only-if-idle", "1h"], more].concat(), &there);
        assert!(ran.code == Some(6) && ran.stderr.contains("used is still in use"), "{command}: {ran:?}");
    }
    let answer = server.send("DELETE", "/v1/keys/used?only_if_idle=1h", &headers, "");
    assert_eq!((answer.status, &answer.json()["reason"]), (409, &json!("still_used")), "{answer:?}");
    for verb in ["deactivate", "revoke"] {
        let answer = server.send("POST", &format!("/v1/keys/used/{verb}"), &headers, r#"{"only_if_idle":3600}"#);
        assert_eq!((answer.status, &answer.json()["reason"]), (409, &json!("still_used")), "{answer:?}");
    }
    // Many at once, each by its own use.
    let many = r#"{"changes":[{"revoke":{"key":"used","only_if_idle":3600}}]}"#;
    let answer = server.send("POST", "/v1/keys/changes", &headers, many);
    assert!(answer.status == 200 && answer.body.contains("still_used"), "{answer:?}");
    assert_eq!(home.json(&["show", "used"])["key"]["status"], "active");

    // A rotation that is committed by hand waits for the old secret too.
    home.ok(&["rotate", "used", "--stage", "--deliver", "file:used.key"]);
    use_it();
    let committed = home.run_in(&["rotation", "commit", "used", "--only-if-idle", "1h"], &there);
    assert!(committed.code == Some(6) && committed.stderr.contains("still in use"), "{committed:?}");
}

#[test]
fn a_due_run_through_a_server_waits_for_who_used_the_old_secret_a_moment_ago() {
    let home = Home::with_vault();
    home.ok(&["create", "mailer", "--rotate-every", "30d", "--overlap", "100s", "--deliver", "file:mailer.key"]);
    let old = home.read("mailer.key");
    let ci = home.ok(&["operators", "create", "ci", "--role", "rotator"]);
    let server = lazy(&home);
    let there = [("KEYWARD_SERVER", server.url.as_str()), ("KEYWARD_TOKEN", ci.as_str())];
    let first = home.run_in(&[&due(&SINK)[..], &["--only-if-idle", "1h"]].concat(), &there);
    assert_eq!(first.code, Some(0), "{first:?}");
    while server.get("/v1/validate", &[("X-API-Key", &old)]).status != 200 {}
    let (code, told, _) = run(&home, &["--only-if-idle", "1h"], &there);
    assert_eq!((code, &told["waiting"]), (Some(0), &json!(1)), "{told:#}");
    // At once and once it is idle are two different ends.
    let both = home.run(&[&due(&SINK)[..], &["--only-if-idle", "1h", "--now"]].concat());
    assert_eq!(both.code, Some(2), "{both:?}");
}
