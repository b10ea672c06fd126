//! A key that is rotated by whoever holds it: the ordinary rotation, of this one key, at the holder's side; never a third
//! secret that works, and never more than the key had.

use crate::{holder::Away, support::Ran};
use serde_json::{Value, json};

const MAY: [&str; 2] = ["--self", "show,rotate,revoke"];

fn rotate(away: &Away, file: &str, sink: &str) -> Ran {
    away.run(&["self", "rotate", "--secret-file", file, "--deliver", sink])
}

fn staged(away: &Away, secret: &str, idempotency_key: &str) -> (u16, Value) {
    let headers = [("X-API-Key", secret), ("Idempotency-Key", idempotency_key)];
    let answer = away.server.send("POST", "/v1/self/rotations", &headers, "{}");
    (answer.status, answer.json())
}

fn live(key: &Value) -> usize {
    key["secrets"].as_array().unwrap().iter().filter(|secret| secret["state"] != "dead").count()
}

#[test]
fn a_holder_rotates_its_key_into_a_file_and_nothing_of_it_grows() {
    let away = Away::new(&[]);
    let made = ["--scope", "invoices:read", "--expires-in", "30d", "--renew-on-rotation", "yes", "--rate-limit", "7/h"];
    let old = away.key("billing", &[&made[..], &MAY].concat());
    let before = away.behind.json(&["show", "billing"])["key"].clone();
    let tried = away.run(&["self", "rotate", "--secret-file", "billing", "--deliver", "file:billing", "--dry-run"]);
    assert!(tried.stderr.contains("would rotate billing"), "{tried:?}");
    let rotated = away.run(&["self", "rotate", "--secret-file", "billing", "--deliver", "file:billing", "-o", "json"]);
    assert_eq!(rotated.code, Some(0), "{rotated:?}");
    let told: Value = serde_json::from_str(&rotated.stdout).unwrap();
    assert_eq!((&told["schema"], &told["rotation"]["state"]), (&json!("keyward.rotation/v1"), &json!("committed")));
    let new = away.holder.read("billing").trim_end().to_owned();
    assert_ne!(new, old);
    assert!(!format!("{rotated:?}").contains(&new), "a secret that is delivered is not printed");
    assert_eq!([&old, &new].map(|secret| away.status("POST", "/v1/validate", secret)), [200, 200]);
    let after = away.behind.json(&["show", "billing"])["key"].clone();
    for same in ["expires_at", "scopes", "rate_limit", "allow_ips", "created_at"] {
        assert_eq!(after[same], before[same], "{same}");
    }
    assert_eq!(live(&after), 2);
    let actor = format!("holder:{}", after["id"].as_str().unwrap());
    for action in ["key.stage", "key.deliver", "key.rotate"] {
        assert!(away.events(action).iter().all(|event| event["actor"] == actor.as_str()), "{action}");
    }
    assert_eq!(away.events("key.rotate").len(), 1);

    // Again while the overlap runs: refused as for anybody, and nothing is minted.
    let again = rotate(&away, "billing", "file:billing");
    assert_eq!(again.code, Some(6), "{again:?}");
    away.holder.private("old", &old);
    let replaced = rotate(&away, "old", "file:other");
    assert_eq!(replaced.code, Some(6), "{replaced:?}");
    assert!(replaced.stderr.contains("another secret has replaced this one"), "{replaced:?}");
    assert_eq!(live(&away.behind.json(&["show", "billing"])["key"]), 2);
    away.behind.ok(&["audit", "verify"]);
}

#[test]
fn a_retry_after_a_lost_answer_mints_nothing_new() {
    let away = Away::new(&[]);
    let old = away.key("billing", &MAY);
    let (status, first) = staged(&away, &old, "K");
    assert_eq!(status, 201, "{first}");
    let new = first["secret"].as_str().unwrap().to_owned();
    assert!(first.get("key").is_none(), "of the key no more is told than the rotation says: {first}");
    let rotation = first["rotation"]["id"].as_str().unwrap();
    // Nothing says yet that it has arrived; who shows it says so.
    let commit = |secret: &str| {
        let path = format!("/v1/self/rotations/{rotation}/commit");
        away.server.send("POST", &path, &[("X-API-Key", secret)], "{}")
    };
    assert_eq!(commit(&old).status, 409);
    let committed = commit(&new);
    assert_eq!(committed.status, 200, "{committed:?}");
    assert_eq!(committed.json()["rotation"]["state"], "committed");
    // The answer to that was lost: the same request names the same rotation, by either secret.
    for secret in [&old, &new] {
        let (status, told) = staged(&away, secret, "K");
        assert_eq!((status, told["rotation"]["id"].as_str()), (200, Some(rotation)), "{told}");
        assert!(told.get("secret").is_none() && told["note"].as_str().unwrap().contains("was done"), "{told}");
    }
    let (status, told) = staged(&away, &old, "L");
    assert_eq!((status, &told["reason"]), (409, &json!("replaced")));
    assert_eq!(live(&away.behind.json(&["show", "billing"])["key"]), 2);
}

#[test]
fn no_holder_goes_beyond_its_own_key_and_its_own_rotations() {
    let away = Away::new(&["--address-limit", "none"]);
    let (mine, usual) = (away.key("mine", &MAY), away.key("usual", &[]));
    let (status, told) = staged(&away, &usual, "K");
    assert_eq!((status, &told["reason"]), (403, &json!("self")));
    // Another key's rotation, and one that an operator began.
    away.key("other", &MAY);
    away.done(&["rotate", "other", "--stage", "-q"]);
    let others = away.behind.json(&["show", "other"])["key"]["rotation"]["id"].as_str().unwrap().to_owned();
    let tried = |secret: &str, path: &str, body: &str| {
        away.server.send("POST", &path.replace("ROT", &others), &[("X-API-Key", secret)], body).status
    };
    let step = json!({ "secret": "4fJq0Zt1XyLm8sWc", "sink": "x", "progress": "intended" }).to_string();
    let own = away.holder.read("other").trim_end().to_owned();
    for secret in [&mine, &own] {
        assert_eq!(tried(secret, "/v1/self/rotations/ROT/commit", "{}"), 404);
        assert_eq!(tried(secret, "/v1/self/rotations/ROT/abort", r#"{"force":true}"#), 404);
        assert_eq!(tried(secret, "/v1/self/rotations/ROT/steps", &step), 404);
        assert_eq!(away.status("GET", &format!("/v1/self/rotations/{others}"), secret), 404);
        // The doors of operators take no key.
        assert_eq!(tried(secret, "/v1/rotations/ROT/commit", "{}"), 401);
    }
    let (status, told) = staged(&away, &own, "K");
    assert_eq!((status, &told["reason"]), (409, &json!("begun_by_others")));
    assert_eq!(told["hints"], json!([]), "the commands of operators are none for a holder");
    // More than the one place, or another rule than the key's own.
    for body in [r#"{"sinks":["a","b"]}"#, r#"{"renew":true}"#, r#"{"overlap":"now"}"#, "[]"] {
        let answer = away.server.send("POST", "/v1/self/rotations", &[("X-API-Key", &mine)], body);
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
    }
    let unsettled = away.behind.json(&["show", "mine"])["key"].clone();
    assert_eq!((live(&unsettled), &unsettled["rotation"]["state"]), (1, &json!("idle")));
}

#[test]
fn a_secret_in_doubt_is_never_the_second_of_three() {
    let away = Away::new(&[]);
    let old = away.key("billing", &MAY);
    // The sink may have stored it, and keyward is gone.
    assert_eq!(rotate(&away, "billing", "exec:cat > held; kill -9 $PPID").code, None);
    let staged = away.behind.json(&["show", "billing"])["key"].clone();
    assert_eq!(live(&staged), 2);
    let doubted = rotate(&away, "billing", "exec:cat > held; kill -9 $PPID");
    assert_eq!(doubted.code, Some(6), "{doubted:?}");
    assert!(doubted.stderr.contains("may have arrived") && doubted.stderr.contains("--anew"), "{doubted:?}");
    assert_eq!(live(&away.behind.json(&["show", "billing"])["key"]), 2);
    // It is there: shown, it ends the rotation with itself.
    let again = away.run(&["self", "rotate", "--secret-file", "held", "--deliver", "exec:cat > held; kill -9 $PPID"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(away.shown("held")["version"]["state"], "current");
    assert_eq!(away.status("POST", "/v1/validate", &old), 200);

    // It is not: that one ends, and another is made.
    away.key("other", &MAY);
    assert_eq!(rotate(&away, "other", "exec:kill -9 $PPID").code, None);
    let anew = away.run(&["self", "rotate", "--secret-file", "other", "--deliver", "exec:cat > other.new", "--anew"]);
    assert_eq!(anew.code, Some(0), "{anew:?}");
    assert_eq!(away.shown("other.new")["version"]["state"], "current");
    assert_eq!(live(&away.behind.json(&["show", "other"])["key"]), 2);
    away.behind.ok(&["audit", "verify"]);
}

#[test]
fn a_sink_that_says_no_leaves_everything_as_it_was() {
    let away = Away::new(&[]);
    let old = away.key("billing", &MAY);
    let missing = rotate(&away, "billing", "file:nowhere/billing");
    assert_eq!(missing.code, Some(1), "{missing:?}");
    assert!(away.events("key.stage").is_empty(), "nothing was minted");
    let refused = rotate(&away, "billing", "exec:exit 1");
    assert!(refused.stderr.contains("thrown away"), "{refused:?}");
    let key = away.behind.json(&["show", "billing"])["key"].clone();
    assert_eq!((live(&key), &key["rotation"]["state"]), (1, &json!("idle")));
    assert_eq!(away.status("POST", "/v1/validate", &old), 200);
    assert_eq!(rotate(&away, "billing", "file:billing").code, Some(0));
}
