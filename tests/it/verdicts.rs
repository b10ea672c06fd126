//! Verdicts that tell support the truth: about another time, and about names that nobody knows.

use crate::support::Home;

fn detail<'a>(verdict: &'a serde_json::Value, check: &str) -> &'a str {
    let checks = verdict["checks"].as_array().unwrap();
    checks.iter().find(|found| found["check"] == check).unwrap()["detail"].as_str().unwrap()
}

#[test]
fn a_time_before_there_was_the_key_or_its_secret_is_refused() {
    let home = Home::with_vault();
    let token = home.ok(&["create", "k"]);
    let early = home.run_with(&["verify", "-", "--at", "2020-01-01"], &token);
    assert_eq!((early.code, &*early.stdout), (Some(2), ""), "{early:?}");
    let made = home.json(&["show", "k"])["key"]["created_at"].as_str().unwrap().to_owned();
    assert!(early.stderr.contains("did not exist at 2020-01-01") && early.stderr.contains(&made), "{}", early.stderr);
    assert_eq!(home.verdict(&token, &["--at", &made]).1, Some(0));
    assert_eq!(home.run_with(&["verify", "-", "--at", "2020-01-01"], "kw_prod_nothing").code, Some(13));
}

#[test]
fn the_switch_says_that_it_has_no_history() {
    let home = Home::with_vault();
    let token = home.ok(&["create", "k", "--no-expiry"]);
    home.ok(&["deactivate", "k"]);
    let (verdict, code) = home.verdict(&token, &["--at", "2099-01-01", "--explain"]);
    assert_eq!(
        (code, detail(&verdict, "active")),
        (Some(13), "the key is switched off now; the switch has no history")
    );
    let (verdict, _) = home.verdict(&token, &["--explain"]);
    assert_eq!(detail(&verdict, "active"), "the key is switched off");
}

#[test]
fn a_project_that_nobody_knows_is_refused_and_a_customer_is_no_silent_yes() {
    let home = Home::with_vault();
    home.ok(&["projects", "create", "shop"]);
    home.ok(&["customers", "create", "acme"]);
    let token = home.ok(&["create", "wide"]);
    let asked = ["verify", "-", "--env", "development", "--project"];
    let known = home.run_with(&[&asked[..], &["shop", "--customer", "acme"]].concat(), &token);
    assert_eq!((known.code, &*known.stderr), (Some(0), ""));
    let typo = home.run_with(&[&asked[..], &["shop", "--customer", "amce"]].concat(), &token);
    assert!(typo.code == Some(0) && typo.stderr.contains("warning: no customer 'amce' is known"), "{typo:?}");
    let quiet = home.run_with(&["-q", "verify", "-", "--customer", "amce"], &token);
    assert!(quiet.stderr.contains("no customer 'amce' is known"), "{quiet:?}");
    let wrong = home.run_with(&[&asked[..], &["shpo"]].concat(), &token);
    assert_eq!((wrong.code, wrong.stdout.starts_with("WRONG_PROJECT")), (Some(13), true), "{wrong:?}");
    assert!(wrong.stderr.contains("no project 'shpo' is known"), "{wrong:?}");
    let (verdict, _) = home.verdict(&token, &["--customer", "amce", "--explain"]);
    assert!(detail(&verdict, "customer").ends_with("no customer 'amce' is known in workspace 'default'"), "{verdict}");
    assert!(verdict["notes"][0].as_str().unwrap().contains("amce"), "{verdict}");
}
