//! The hygiene of keys, as a policy wants it.

use crate::support::Home;
use serde_json::Value;
use std::fs;

fn found(reply: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    reply["items"].as_array().unwrap().iter().map(|item| (text(&item["rule"]), text(&item["name"]))).collect()
}

fn pairs(wanted: &[(&str, &str)]) -> Vec<(String, String)> {
    wanted.iter().map(|(rule, name)| ((*rule).to_owned(), (*name).to_owned())).collect()
}

/// Against the schema that OASIS publishes for SARIF 2.1.0.
pub(crate) fn is_sarif(document: &Value) {
    let schema: Value = serde_json::from_str(include_str!("data/sarif-schema-2.1.0.json")).unwrap();
    let validator = jsonschema::draft4::new(&schema).unwrap();
    let wrong: Vec<String> = validator.iter_errors(document).map(|error| error.to_string()).collect();
    assert!(wrong.is_empty(), "{wrong:?}: {document}");
}

/// A key that no rule speaks against, beside one that breaks most of them.
fn two_keys() -> Home {
    let home = Home::new();
    home.ok(&["create", "good", "--owner", "alice", "--env", "production", "--scope", "audits:read"]);
    home.ok(&["create", "bad", "--env", "production", "--scope", "audits:*", "--rate-limit", "none", "--no-expiry"]);
    home
}

#[test]
fn every_finding_is_told_with_what_mends_it_and_the_exit_code_says_so() {
    let home = two_keys();
    home.ok(&[
        "create",
        "wide",
        "--owner",
        "bob",
        "--scope",
        "audits:read",
        "--allow-ip",
        "8.0.0.0/7",
        "--expires-in",
        "400d",
    ]);
    let ran = home.run(&["-o", "json", "check"]);
    assert_eq!(ran.code, Some(10), "{ran:?}");
    let reply: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(reply["schema"], "keyward.check/v1");
    let wanted = [
        ("wildcard-scope", "bad"),
        ("open-allowlist", "bad"),
        ("no-expiry", "bad"),
        ("long-lifetime", "wide"),
        ("wide-allowlist", "wide"),
        ("no-owner", "bad"),
        ("no-rate-limit", "bad"),
    ];
    assert_eq!(found(&reply), pairs(&wanted));
    let id = home.json(&["show", "bad"])["key"]["id"].as_str().unwrap().to_owned();
    let owner = &reply["items"][5];
    assert_eq!(owner["severity"], "warning");
    assert_eq!(owner["key_id"], id.as_str());
    assert_eq!(owner["fix"], format!("keyward update {id} --owner WHO"));
    assert!(ran.stderr.contains("3 keys: 2 errors, 5 warnings, 0 notes"), "{}", ran.stderr);

    let grave = home.json_any(&["check", "--severity", "error"]);
    assert_eq!(found(&grave), pairs(&wanted[..2]));
    home.ok(&["revoke", "bad"]);
    assert_eq!(home.run(&["check", "--severity", "error"]).code, Some(0), "a revoked key is past every rule");
}

#[test]
fn a_policy_sets_rules_and_exceptions_end() {
    let home = two_keys();
    let policy = "[rules.wildcard-scope]\nseverity = 'off'\n[rules.open-allowlist]\nread_levels = ['*', 'read']\n\
                  [rules.no-rate-limit]\nseverity = 'error'\n[rules.expiry-crowd]\nover = 1\n\
                  [[exceptions]]\nrule = 'no-expiry'\nkey = 'b*'\nuntil = 2999-01-01\nreason = 'being replaced'\n\
                  [[exceptions]]\nrule = 'no-owner'\nkey = 'bad'\nuntil = 2020-01-01\nreason = 'long ago'\n";
    fs::write(home.path().join("check.toml"), policy).unwrap();
    let ran = home.run(&["-o", "json", "check", "--policy", "check.toml"]);
    assert_eq!(ran.code, Some(10), "{ran:?}");
    let reply: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(found(&reply), pairs(&[("no-rate-limit", "bad"), ("no-owner", "bad")]));
    assert!(ran.stderr.contains("an exception to no-owner for bad has ended: long ago"), "{}", ran.stderr);
    assert!(ran.stderr.contains("1 accepted by exceptions"), "{}", ran.stderr);

    let all = home.json_any(&["check", "--policy", "check.toml", "--accepted"]);
    let excepted: Vec<_> = all["items"].as_array().unwrap().iter().filter(|item| !item["excepted"].is_null()).collect();
    assert_eq!(excepted.len(), 1);
    assert_eq!(excepted[0]["excepted"]["reason"], "being replaced");

    // The one in the configuration directory is taken without being named; what is accepted does not count.
    home.ok(&["create", "twin", "--owner", "alice", "--scope", "audits:read"]);
    let config = home.path().join(".config/keyward");
    fs::write(config.join("check.toml"), "[rules.expiry-crowd]\nover = 1\n").unwrap();
    home.ok(&["revoke", "bad"]);
    let reply = home.json_any(&["check"]);
    assert_eq!(found(&reply), pairs(&[("expiry-crowd", "-")]));
    assert!(reply["items"][0]["message"].as_str().unwrap().starts_with("2 keys expire on "));
    let accepted =
        "[rules.expiry-crowd]\nover = 1\n[[exceptions]]\nrule = 'expiry-crowd'\nuntil = 2999-01-01\nreason = 'known'";
    fs::write(config.join("check.toml"), accepted).unwrap();
    assert_eq!(home.run(&["check"]).code, Some(0));

    let printed = home.ok(&["check", "--print-policy"]);
    fs::write(home.path().join("full.toml"), &printed).unwrap();
    assert_eq!(home.ok(&["check", "--print-policy", "--policy", "full.toml"]), printed);
}

#[test]
fn a_policy_that_is_misspelt_is_refused_with_the_place() {
    let home = two_keys();
    fs::write(home.path().join("p.toml"), "[rules.no-onwer]\nseverity = 'off'\n").unwrap();
    let ran = home.run(&["check", "--policy", "p.toml"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
    assert!(ran.stderr.contains("no-onwer") && ran.stderr.contains("--print-policy"), "{}", ran.stderr);
    assert_eq!(home.run(&["check", "--policy", "missing.toml"]).code, Some(2));
}

#[test]
fn one_key_is_explained_rule_by_rule() {
    let home = two_keys();
    let ran = home.run(&["-o", "json", "check", "bad"]);
    assert_eq!(ran.code, Some(10), "{ran:?}");
    let reply: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(reply["schema"], "keyward.check-key/v1");
    let of = |rule: &str| reply["items"].as_array().unwrap().iter().find(|item| item["rule"] == rule).unwrap().clone();
    assert_eq!((&of("no-owner")["ok"], &of("never-used")["ok"]), (&false.into(), &true.into()));
    assert!(of("long-lifetime")["ok"].is_null());
    assert_eq!(of("wildcard-scope")["detail"], "it holds audits:*");
    assert_eq!(home.run(&["check", "good"]).code, Some(0));
    assert_eq!(home.run(&["check", "nobody"]).code, Some(3));
    assert_eq!(home.run(&["check", "bad", "-o", "sarif"]).code, Some(2));
}

#[test]
fn findings_are_sarif_for_code_hosts() {
    let home = two_keys();
    fs::write(
        home.path().join("p.toml"),
        "[[exceptions]]\nrule = 'no-owner'\nkey = 'bad'\nuntil = 2999-01-01\nreason = 'known'\n",
    )
    .unwrap();
    let ran = home.run(&["-o", "sarif", "check", "--policy", "p.toml"]);
    assert_eq!(ran.code, Some(10), "{ran:?}");
    let sarif: Value = serde_json::from_str(&ran.stdout).unwrap();
    is_sarif(&sarif);
    assert_eq!(sarif["runs"][0]["invocations"][0]["executionSuccessful"], true);
    let run = &sarif["runs"][0];
    let rules: Vec<_> = run["tool"]["driver"]["rules"].as_array().unwrap().iter().map(|rule| &rule["id"]).collect();
    for result in run["results"].as_array().unwrap() {
        assert!(rules.contains(&&result["ruleId"]), "{result}");
        let accepted = result["ruleId"] == "no-owner";
        assert_eq!(!result["suppressions"].is_null(), accepted, "{result}");
        let place = &result["locations"][0];
        assert_eq!(place["logicalLocations"][0]["fullyQualifiedName"], "default/production/bad");
        // GitHub refuses a finding without a place in a file.
        let file = &place["physicalLocation"];
        assert_eq!((&file["artifactLocation"]["uri"], &file["region"]["startLine"]), (&"p.toml".into(), &1.into()));
    }
}

#[test]
fn a_support_slot_checks_keys_and_not_the_reviews() {
    let home = two_keys();
    home.private("pass", "correct horse battery\n");
    home.ok(&["vault", "slots", "add", "--passphrase", "--new-passphrase-file", "pass", "--role", "support"]);
    let ran = home.run(&["--passphrase-file", "pass", "check"]);
    assert_eq!(ran.code, Some(10), "{ran:?}");
    assert!(ran.stderr.contains("not asked: unreviewed-trail"), "{}", ran.stderr);
}

#[test]
fn names_made_to_harm_harm_no_rendering() {
    let home = Home::of_old_vault();
    home.ok(&["create", "<script>alert(1)</script>🦀", "--rate-limit", "none", "--owner", "=1+1"]);
    for format in ["table", "wide", "csv", "json", "jsonl", "sarif"] {
        let ran = home.run(&["-o", format, "check"]);
        assert_eq!(ran.code, Some(10), "{ran:?}");
        // A CSV file is data for a program, which gets it as it is; what a spreadsheet would run is quoted.
        if format == "csv" {
            assert!(ran.stdout.contains(",'=1+1,"), "{ran:?}");
            continue;
        }
        for text in [&ran.stdout, &ran.stderr] {
            assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{format}: {text:?}");
        }
    }
}
