//! By whom, and how often, the trail of a workspace is reviewed.

use crate::support::{
    Home,
    library::{at, open, vault},
    server::Served,
};
use chrono::{TimeDelta, Utc};
use keyward::{
    domain::hygiene::{Policy, Rule, Severity},
    ops::Check,
};

/// A vault that was made long ago and never reviewed, whose workspace names a reviewer.
fn late() -> Home {
    let home = Home::of_old_vault();
    home.ok(&["workspaces", "update", "default", "--review-every", "1h", "--reviewer", "ann", "--reviewer", "ben"]);
    home
}

fn finding(home: &Home) -> Option<String> {
    let ran = home.run(&["-o", "json", "check"]);
    let found: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let found = found["items"].as_array().unwrap().iter().find(|one| one["rule"] == "unreviewed-trail").cloned();
    assert!(found.is_none() || ran.code == Some(10), "{ran:?}");
    found.map(|one| one["message"].as_str().unwrap().to_owned())
}

#[test]
fn a_late_review_is_found_and_only_a_named_reviewer_mends_it() {
    let home = late();
    let shown = home.json(&["workspaces", "show", "default"]);
    assert_eq!(shown["workspace"]["review_every_seconds"], 3600);
    assert_eq!(shown["workspace"]["reviewers"], serde_json::json!(["ann", "ben"]));
    let late = "the trail was never reviewed: nobody has looked at";
    assert!(finding(&home).is_some_and(|it| it.contains(late) && it.contains("by ann, ben is due every 1h")));
    let doctor = home.run(&["doctor"]);
    assert!(doctor.stdout.contains("a review by ann, ben is due every 1h"), "{doctor:?}");
    assert!(home.run(&["report"]).stderr.contains("a review by ann, ben is due every 1h"));
    assert!(!home.run(&["report", "--owner", "x"]).stderr.contains("is due every"), "of some keys alone");

    // Somebody else's review is kept, and changes nothing: it says so.
    let other = home.run(&["-o", "json", "audit", "review", "--upto", "2", "--note", "looked"]);
    assert!(other.code == Some(0) && other.stderr.contains("does not count"), "{other:?}");
    assert!(other.stderr.contains("the review is up to ann, ben"), "{}", other.stderr);
    let told: serde_json::Value = serde_json::from_str(&other.stdout).unwrap();
    assert_eq!((&told["review"]["counts"], &told["review"]["upto"]), (&false.into(), &0.into()));
    assert!(finding(&home).is_some_and(|it| it.contains(late)));
    assert!(home.run(&["audit", "review"]).stderr.contains("nobody whose review counts"));

    // An operator of that name does, also up to where the other one looked; one that only calls itself so does not.
    let of = |name: &str| {
        let token = home.ok(&["operators", "create", name, "--role", "platform-admin"]);
        format!("Bearer {token}")
    };
    let (ann, ann_at_home) = (of("ann"), of("ann@home"));
    let server = Served::start(&home, &[]);
    let review = |bearer: &str, upto: u64| {
        let body = format!(r#"{{"upto":{upto},"note":"all expected"}}"#);
        server.send("POST", "/v1/audit/review", &[("Authorization", bearer)], &body).json()
    };
    let pretended = review(&ann_at_home, 2);
    assert_eq!((&pretended["counts"], &pretended["upto"]), (&false.into(), &0.into()), "{pretended}");
    let done = review(&ann, 2);
    assert_eq!((&done["counts"], &done["upto"], &done["by"]), (&true.into(), &2.into(), &"ann".into()), "{done}");
    assert_eq!(done["reviewers"], serde_json::json!(["ann", "ben"]));
    assert_eq!(done["every_seconds"], 3600);
    assert_eq!(finding(&home), None);
    assert!(home.ok(&["doctor"]).contains("reviewed up to event 2 by ann"));
    // What comes after it by others takes nothing from it.
    home.ok(&["audit", "review", "--upto", "3", "--note", "looked again"]);
    assert_eq!(home.json(&["audit", "list", "--unreviewed"])["items"][0]["seq"], 3);
    assert_eq!(finding(&home), None);
}

#[test]
fn the_user_of_a_machine_is_a_reviewer_and_the_rhythm_goes_on() {
    let home = Home::with_vault();
    home.ok(&["create", "k", "--owner", "o", "--scope", "a:read", "--allow-ip", "10.0.0.0/8"]);
    home.ok(&["workspaces", "update", "default", "--review-every", "7d", "--reviewer", "alice"]);
    let (vault, now) = (vault(&home), Utc::now());
    // The library is told who reviews: alice@host is alice.
    let cx = at(now);
    let backend = open(&vault, &cx);
    let state = backend.review(&cx, 3, "seen").unwrap();
    assert!(state.counts && state.upto == 3 && state.every == Some(TimeDelta::days(7)));
    let found = |days: i64, policy: Policy| {
        let checked = backend.ask(&at(now + TimeDelta::days(days)), &Check { policy, mine: false }).unwrap();
        checked.findings.into_iter().find(|finding| finding.rule == Rule::UnreviewedTrail)
    };
    assert_eq!(found(6, Policy::default()), None);
    assert!(found(8, Policy::default()).is_some_and(|finding| finding.message.contains("by alice is due every 7d")));
    // What the workspace prescribes is not switched off by a file on somebody's machine.
    let mut lax = Policy::default();
    lax.rules.unreviewed_trail.severity = Some(Severity::Off);
    assert_eq!(found(8, lax.clone()).map(|finding| finding.severity), Some(Severity::Warning));
    home.ok(&["workspaces", "update", "default", "--review-every", "none", "--reviewer", ""]);
    assert_eq!(found(8, lax), None);
    assert_eq!(home.json(&["workspaces", "show", "default"])["workspace"]["reviewers"], serde_json::json!([]));
    home.ok(&["audit", "review", "--upto", "4", "--note", "by anybody"]);
}
