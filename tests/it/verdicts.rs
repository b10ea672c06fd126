//! Verdicts that tell support the truth: about another time, and about names that nobody knows.

use crate::support::{Home, door::Doors};
use serde_json::json;

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
fn a_project_or_customer_that_nobody_knows_is_refused_or_no_silent_yes() {
    let home = Home::with_vault();
    home.ok(&["projects", "create", "shop"]);
    let token = home.ok(&["create", "wide"]);
    let asked = ["verify", "-", "--env", "development", "--project"];
    let known = home.run_with(&[&asked[..], &["shop"]].concat(), &token);
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
    // Where there are customers, another one is a slip.
    home.ok(&["customers", "create", "acme"]);
    let known = home.run_with(&[&asked[..], &["shop", "--customer", "acme"]].concat(), &token);
    assert_eq!((known.code, &*known.stderr), (Some(0), ""));
    let typo = home.run_with(&[&asked[..], &["shop", "--customer", "amce"]].concat(), &token);
    assert_eq!((typo.code, typo.stdout.starts_with("WRONG_CUSTOMER")), (Some(13), true), "{typo:?}");
    assert!(typo.stderr.contains("no customer 'amce' is known"), "{typo:?}");
}

/// Whoever pastes a secret with what stood around it learns what that is, and nothing repeats the secret.
#[test]
fn what_was_pasted_with_a_secret_is_named_at_every_door() {
    let doors = Doors::new();
    let secret = doors.local.ok(&["create", "k"]);
    let (start, end) = secret.split_at(30);
    let bearer = format!("Bearer {}", std::fs::read_to_string(&doors.token).unwrap().trim());
    for (pasted, wanted) in [
        (format!("Bearer {secret}"), "it begins with 'Bearer '"),
        (format!("\"{secret}\""), "quotes stand around it"),
        (format!("'{secret}'\n"), "quotes stand around it"),
        (format!("  {secret} "), "blanks stand around it"),
        (format!("API_KEY={secret}"), "a name and '=' stand before it"),
        (format!("export X=\"{secret}\""), "it begins with 'export ', a name and '=' stand before it, quotes"),
        (format!("X-API-Key: {secret}"), "it begins with 'X-API-Key: '"),
        (format!("{start}\n{end}"), "a line break stands inside it"),
    ] {
        for door in [doors.here(), doors.there()] {
            door.home.private("pasted", &pasted);
            for args in [&["verify", "-"][..], &["verify", "-", "--explain"], &["verify", "--secret-file", "pasted"]] {
                let stdin = if args.contains(&"-") { &*pasted } else { "" };
                let ran = door.run(args, stdin);
                let all = format!("{}{}", ran.stdout, ran.stderr);
                assert!(ran.code == Some(13) && ran.stdout.starts_with("MALFORMED"), "{pasted:?}: {ran:?}");
                assert!(all.contains(wanted) && all.contains("paste the secret alone"), "{args:?}: {all}");
                assert!(!all.contains(start) && !all.contains(end), "{all}");
            }
        }
        let asked = json!({ "key": pasted, "explain": true }).to_string();
        let answer = doors.server.send("POST", "/v1/verify", &[("Authorization", &bearer)], &asked).json();
        assert_eq!(answer["code"], "MALFORMED", "{answer}");
        assert!(detail(&answer, "format").contains(wanted), "{answer}");
        assert!(!answer.to_string().contains(start), "{answer}");
    }
}
