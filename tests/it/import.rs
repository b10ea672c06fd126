//! Keys that were issued elsewhere: digests come in, old secrets go on working, and a rotation makes them native.

use crate::support::{Home, keys::some_keys};
use base64::{Engine, engine::general_purpose::STANDARD};
use proptest::{prelude::*, test_runner::Config};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;

fn digest(text: &str) -> Vec<u8> {
    Sha256::digest(text.as_bytes()).to_vec()
}

fn hex(text: &str) -> String {
    digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn keep(home: &Home, name: &str, text: &str) {
    fs::write(home.path().join(name), text).unwrap();
}

fn code(home: &Home, secret: &str) -> String {
    home.verdict(secret, &[]).0["code"].as_str().unwrap().to_owned()
}

/// Three old keys, each digest written otherwise.
fn moved_in() -> Home {
    let home = Home::new();
    let file = format!(
        "# from the old system\nname,env,scopes,owner,expires_in,digest,hint\n\
         billing,production,invoices:read,alice,30d,{},old1\n\
         mailer,staging,,bob,,sha256:{},\n\
         deploy,,,,,{},\n",
        hex("legacy-billing-secret"),
        hex("legacy-mailer-secret").to_uppercase(),
        STANDARD.encode(digest("legacy-deploy-secret")),
    );
    keep(&home, "old.csv", &file);
    let ran = home.run(&["import", "old.csv", "--reason", "moving in"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{ran:?}");
    assert!(ran.stderr.contains("imported 3 keys"), "{}", ran.stderr);
    home
}

#[test]
fn old_secrets_go_on_working_and_are_marked_until_the_next_rotation() {
    let home = moved_in();
    let (verdict, exit) = home.verdict("legacy-billing-secret", &["--env", "production", "--scope", "invoices:read"]);
    assert_eq!((&verdict["code"], exit), (&json!("VALID"), Some(0)));
    assert_eq!(code(&home, "legacy-mailer-secret"), "VALID");
    assert_eq!(home.verdict("legacy-mailer-secret", &["--env", "production"]).0["code"], "WRONG_ENVIRONMENT");
    assert_eq!(code(&home, "legacy-mailer-secreT"), "MALFORMED");
    let key = &home.json(&["show", "billing"])["key"];
    assert_eq!((&key["imported"], &key["hint"]), (&json!(true), &json!("old1")));
    assert_eq!(key["secrets"][0]["imported"], json!(true));
    assert_eq!(home.json(&["list"])["items"][0]["imported"], json!(true));
    let events = home.json(&["audit", "list", "--action", "key.import"]);
    assert_eq!(events["items"].as_array().unwrap().len(), 3);
    assert_eq!(events["items"][0]["reason"], "moving in");

    let fresh = home.ok(&["rotate", "billing", "--overlap", "1h"]);
    assert_eq!((code(&home, &fresh), code(&home, "legacy-billing-secret")), ("VALID".into(), "VALID".into()));
    assert_eq!(home.json(&["show", "billing"])["key"]["imported"], json!(true), "the old one still works");
    let again = home.ok(&["rotate", "billing", "--now", "--supersede"]);
    assert_eq!(home.json(&["show", "billing"])["key"]["imported"], json!(false));
    assert_eq!((code(&home, &again), code(&home, "legacy-billing-secret")), ("VALID".into(), "SUPERSEDED".into()));
    home.ok(&["revoke", "mailer"]);
    assert_eq!(code(&home, "legacy-mailer-secret"), "REVOKED");
    home.ok(&["audit", "verify"]);
    home.ok(&["vault", "rekey", "--yes"]);
    assert_eq!(code(&home, "legacy-deploy-secret"), "VALID", "new keys of the vault kill no imported secret");
}

#[test]
fn a_digest_is_shown_nowhere_and_tells_nothing_without_the_vault() {
    let home = moved_in();
    let digests = ["legacy-billing-secret", "legacy-mailer-secret", "legacy-deploy-secret"].map(hex);
    for args in [
        &["show", "billing", "-o", "json"][..],
        &["list", "-o", "json"],
        &["list", "-o", "csv"],
        &["audit", "export"],
        &["audit", "list", "-o", "json"],
        &["export"],
        &["check", "-o", "json"],
    ] {
        let ran = home.run(args);
        for digest in &digests {
            assert!(!(ran.stdout.clone() + &ran.stderr).to_lowercase().contains(&digest[..16]), "{args:?}: {ran:?}");
        }
    }
    let keystore = fs::read(home.keystore()).unwrap();
    for text in ["legacy-billing-secret", "legacy-mailer-secret"] {
        let bytes = digest(text);
        assert!(!keystore.windows(16).any(|window| window == &bytes[..16]), "the bare digest is in the keystore");
    }
}

#[test]
fn identify_names_an_imported_secret() {
    let home = moved_in();
    for text in ["legacy-billing-secret", "the log says key= legacy-billing-secret and more"] {
        let ran = home.run_with(&["-o", "json", "identify", "-"], text);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let reply: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!((&reply["items"][0]["name"], &reply["items"][0]["genuine"]), (&json!("billing"), &json!(true)));
        assert!(!(ran.stdout + &ran.stderr).contains("legacy-billing-secret"));
    }
    assert_eq!(home.run_with(&["identify", "-"], "nothing-of-ours").code, Some(3));
    let done = home.run_with(&["identify", "-", "--revoke", "--yes"], "legacy-billing-secret");
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(code(&home, "legacy-billing-secret"), "REVOKED");
}

/// A secret without the prefix never fits, whatever was imported without one before; and a digest of nothing is none.
#[test]
fn a_prefix_is_kept_beside_other_forms_and_nothing_is_no_secret() {
    let home = moved_in();
    keep(&home, "old.csv", &format!("name,digest\nacme,{}\nother,{}\n", hex("acme_test"), hex("other_test")));
    home.ok(&["import", "old.csv", "--prefix", "acme_"]);
    assert_eq!((code(&home, "acme_test"), code(&home, "other_test")), ("VALID".into(), "MALFORMED".into()));
    assert_eq!(code(&home, "legacy-billing-secret"), "VALID");
    keep(&home, "old.csv", &format!("name,digest\nagain,{}\n", hex("acme_test")));
    let ran = home.run(&["import", "old.csv"]);
    assert!(ran.code == Some(6) && ran.stderr.contains("imported before"), "one secret, one key: {ran:?}");

    home.private("salt", "pepper");
    for nothing in ["", "pepper", "acme_", "pepperacme_"] {
        keep(&home, "old.csv", &format!("name,digest\nfine,{}\nempty,{}\n", hex("fine"), hex(nothing)));
        let ran = home.run(&["import", "old.csv", "--prefix", "acme_", "--salt-file", "salt"]);
        assert_eq!(ran.code, Some(2), "{nothing:?}: {ran:?}");
        assert!(ran.stderr.contains("old.csv:3") && ran.stderr.contains("no secret"), "{}", ran.stderr);
        assert_eq!(home.run(&["show", "fine"]).code, Some(3), "all or none");
    }
}

#[test]
fn salts_and_prefixes_are_part_of_a_form() {
    let home = Home::new();
    keep(&home, "salt", "pepper\n");
    keep(&home, "before.jsonl", &json!({ "name": "before", "digest": hex("pepperone") }).to_string());
    keep(&home, "after.jsonl", &json!({ "name": "after", "digest": hex("acme_twopepper") }).to_string());
    home.ok(&["import", "before.jsonl", "--salt-file", "salt"]);
    home.ok(&["import", "after.jsonl", "--salt-file", "salt", "--salt-last", "--prefix", "acme_"]);
    assert_eq!((code(&home, "one"), code(&home, "acme_two")), ("VALID".into(), "VALID".into()));
    for wrong in ["pepperone", "two", "acme_twopepper", "acme_one"] {
        assert_eq!(code(&home, wrong), "MALFORMED", "{wrong}");
    }
    let refused = home.run(&["import", "before.jsonl", "--salt-last"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
}

#[test]
fn a_wrong_line_is_told_by_its_number_and_nothing_is_imported() {
    let home = Home::new();
    let native = home.ok(&["create", "native"]);
    let good = hex("a-good-secret");
    keep(
        &home,
        "bad.csv",
        &format!(
            "name,digest,env\n\n# a remark\na,{good},\nb,my-plain-secret-value,\nc,,\nd,{},moon\ne,{},\n",
            hex("d"),
            hex("e")
        ),
    );
    let ran = home.run(&["import", "bad.csv"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
    for says in [
        "bad.csv:5: digest: expected a SHA-256",
        "bad.csv:6: digest is missing",
        "bad.csv:7: environment",
        "3 lines are wrong; nothing was imported",
    ] {
        assert!(ran.stderr.contains(says), "{says}: {}", ran.stderr);
    }
    assert!(!ran.stderr.contains("my-plain-secret-value"), "what may be a secret is not repeated");

    // One secret is one key: twice in a file, or imported before.
    keep(&home, "twice.csv", &format!("name,digest\na,{good}\nb,sha256:{good}\n"));
    let twice = home.run(&["import", "twice.csv"]);
    assert_eq!(twice.code, Some(6), "{twice:?}");
    assert!(twice.stderr.contains("twice.csv:3: its secret was imported before"), "{}", twice.stderr);
    keep(&home, "one.csv", &format!("name,digest\na,{good}\n"));
    let dry = home.run(&["import", "one.csv", "--dry-run"]);
    assert_eq!(dry.code, Some(0), "{dry:?}");
    assert_eq!(home.json(&["list"])["items"].as_array().unwrap().len(), 1, "a dry run imports nothing");
    assert_eq!(code(&home, "a-good-secret"), "MALFORMED");
    home.ok(&["import", "one.csv"]);
    keep(&home, "again.csv", &format!("name,digest\nother,{good}\n"));
    assert_eq!(home.run(&["import", "again.csv"]).code, Some(6));

    // A digest of a token of keyward's own never stands in for the token.
    keep(&home, "shadow.csv", &format!("name,digest,scopes\nshadow,{},*\n", hex(&native)));
    home.ok(&["import", "shadow.csv"]);
    let (verdict, _) = home.verdict(&native, &[]);
    assert_eq!(verdict["key_id"], home.json(&["show", "native"])["key"]["id"]);
    home.ok(&["delete", "native", "--confirm", "native"]);
    assert_eq!(code(&home, &native), "UNKNOWN");
}

#[test]
fn a_support_slot_imports_nothing_and_judges_what_was_imported() {
    let home = moved_in();
    home.private("pass", "correct horse battery\n");
    home.ok(&["vault", "slots", "add", "--passphrase", "--new-passphrase-file", "pass", "--role", "support"]);
    keep(&home, "more.csv", &format!("name,digest\nmore,{}\n", hex("more")));
    let ran = home.run(&["--passphrase-file", "pass", "import", "more.csv"]);
    assert_eq!(ran.code, Some(5), "{ran:?}");
    keep(&home, "plain.csv", "name\nplain\n");
    let created = home.run(&["--passphrase-file", "pass", "create", "--from", "plain.csv"]);
    assert_eq!(created.code, Some(5), "{created:?}");
    assert_eq!(home.run(&["import", "more.csv", "--read-only"]).code, Some(5));
    for command in ["identify", "verify"] {
        let judged = home.run_with(&["--passphrase-file", "pass", command, "-"], "legacy-billing-secret");
        assert_eq!(judged.code, Some(0), "{judged:?}");
    }
    let trail = home.json(&["audit", "list", "--outcome", "refused"]);
    let told: Vec<_> = trail["items"].as_array().unwrap().iter().map(|e| (&e["action"], &e["source"])).collect();
    assert!(told.contains(&(&json!("key.import"), &json!("journal"))), "{told:?}");
    assert!(told.contains(&(&json!("key.create"), &json!("journal"))), "{told:?}");
    assert_eq!(home.json(&["list"])["items"].as_array().unwrap().len(), 3);
}

#[cfg(feature = "server")]
#[test]
fn a_server_knows_old_secrets_too() {
    let home = moved_in();
    let server = crate::support::server::Served::start(&home, &[]);
    let status = |secret: &str| server.send("POST", "/v1/validate", &[("X-API-Key", secret)], "").status;
    assert_eq!((status("legacy-billing-secret"), status("legacy-billing-secreT")), (200, 401));
    let bearer = server.send("POST", "/v1/validate", &[("Authorization", "Bearer legacy-deploy-secret")], "");
    assert_eq!(bearer.status, 200, "{bearer:?}");
}

#[test]
fn many_lines_are_one_transaction() {
    let home = Home::new();
    let lines: usize = std::env::var("KEYWARD_STRESS").ok().and_then(|size| size.parse().ok()).unwrap_or(3_000);
    let mut file = "name,digest\n".to_owned();
    for number in 0..lines {
        file.push_str(&format!("k{number},{}\n", hex(&format!("secret-{number}"))));
    }
    keep(&home, "many.csv", &file);
    home.ok(&["import", "many.csv"]);
    assert_eq!(home.ok(&["list", "--count"]), lines.to_string());
    for number in [0, lines / 2, lines - 1] {
        assert_eq!(code(&home, &format!("secret-{number}")), "VALID");
    }
    home.ok(&["audit", "verify"]);
}

fn some_lines() -> impl Strategy<Value = Vec<Value>> {
    let expires = prop_oneof![Just("2999-01-02T03:04:05Z"), Just("")];
    some_keys(expires, 1..6, |key, expires| {
        key["expires_at"] = json!(expires);
        key["no_expiry"] = json!(expires.is_empty());
        key["digest"] = json!(hex(&format!("secret {}", key["name"].as_str().unwrap())));
    })
}

proptest! {
    #![proptest_config(Config { cases: 6, ..Config::default() })]

    /// What was imported is exported as it was told, imports into an empty vault as the same set, and does not differ from
    /// its own export; every old secret works.
    #[test]
    fn any_set_survives_import_export_and_import(set in some_lines()) {
        let lines: String = set.iter().map(|line| format!("{line}\n")).collect();
        let [first, second] = [(), ()].map(|()| {
            let home = Home::new();
            keep(&home, "old.jsonl", &lines);
            home.ok(&["import", "old.jsonl"]);
            home
        });
        let exported = first.ok(&["export"]);
        prop_assert_eq!(&second.ok(&["export"]), &exported);
        keep(&first, "keys.toml", &exported);
        let diff = first.run(&["diff", "-f", "keys.toml"]);
        prop_assert_eq!(diff.code, Some(0), "{:?}", diff);
        let told = first.json(&["export", "-o", "json"]);
        let mut expected: Vec<Value> = set.clone();
        expected.sort_by_key(|line| line["name"].as_str().unwrap().to_owned());
        let mut keys = told["keys"].as_array().unwrap().clone();
        keys.sort_by_key(|key| key["name"].as_str().unwrap().to_owned());
        prop_assert_eq!(keys.len(), expected.len(), "{}", told);
        for (line, key) in expected.iter().zip(&keys) {
            for field in ["name", "owner", "labels"] {
                // What is empty is left out of the file.
                let bare = |value: &Value| if *value == json!({}) { Value::Null } else { value.clone() };
                prop_assert_eq!(bare(&key[field]), bare(&line[field]), "{}: {} {}", field, line, key);
            }
            let name = line["name"].as_str().unwrap();
            prop_assert_eq!(code(&second, &format!("secret {name}")), "VALID");
        }
    }
}
