//! By whom, and how often, the trail of a workspace is reviewed.

use crate::support::{
    Home,
    library::{at, open, vault},
    server::Served,
};
use chrono::{TimeDelta, Utc};
use keyward::{
    domain::hygiene::{Policy, Rule, Severity},
    ops::{Check, audit_review::RecordReview},
};

/// A vault that was made long ago and never reviewed, whose workspace names a reviewer.
fn late() -> Home {
    let home = Home::of_old_vault();
    for name in ["ann", "ben"] {
        home.write(name, &home.ok(&["operators", "create", name, "--role", "platform-admin"]));
    }
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
    let (ann, ann_at_home) = (format!("Bearer {}", home.read("ann").trim()), of("ann@home"));
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
    home.ok(&["workspaces", "update", "default", "--review-every", "7d", "--reviewer", "alice@host"]);
    let (vault, now) = (vault(&home), Utc::now());
    // The library is told who reviews.
    let cx = at(now);
    let backend = open(&vault, &cx);
    let state = backend.change(&cx, RecordReview { upto: 3, note: "seen".to_owned() }).unwrap();
    assert!(state.counts && state.upto == 3 && state.every == Some(TimeDelta::days(7)));
    let found = |days: i64, policy: Policy| {
        let checked = backend.ask(&at(now + TimeDelta::days(days)), &Check { policy, mine: false }).unwrap();
        checked.findings.into_iter().find(|finding| finding.rule == Rule::UnreviewedTrail)
    };
    assert_eq!(found(6, Policy::default()), None);
    assert!(
        found(8, Policy::default()).is_some_and(|finding| finding.message.contains("by alice@host is due every 7d"))
    );
    // What the workspace prescribes is not switched off by a file on somebody's machine.
    let mut lax = Policy::default();
    lax.rules.unreviewed_trail.severity = Some(Severity::Off);
    assert_eq!(found(8, lax.clone()).map(|finding| finding.severity), Some(Severity::Warning));
    home.ok(&["workspaces", "update", "default", "--review-every", "none", "--reviewer", ""]);
    assert_eq!(found(8, lax), None);
    assert_eq!(home.json(&["workspaces", "show", "default"])["workspace"]["reviewers"], serde_json::json!([]));
    home.ok(&["audit", "review", "--upto", "4", "--note", "by anybody"]);
}

#[test]
fn who_cannot_review_cannot_be_named_as_a_reviewer() {
    let home = Home::with_vault();
    home.ok(&["workspaces", "create", "other"]);
    let operator = |name: &str, more: &[&str]| {
        home.ok(&[&["operators", "create", name, "--role"], more].concat());
    };
    operator("works", &["auditor", "--bind", "default"]);
    operator("everywhere", &["platform-admin"]);
    operator("elsewhere", &["auditor", "--bind", "other"]);
    operator("issues", &["issuer", "--bind", "default"]);
    operator("left", &["auditor", "--bind", "default"]);
    home.ok(&["operators", "revoke", "left", "--yes"]);
    let user = home.json(&["audit", "list", "--limit", "1"])["items"][0]["actor"].as_str().unwrap().to_owned();
    let short = user.split('@').next().unwrap().to_owned();
    let root = home.ok(&["operators", "create", "root", "--role", "platform-admin"]);
    let server = Served::start(&home, &[]);
    let there = [("KEYWARD_SERVER", server.url.as_str()), ("KEYWARD_TOKEN", root.as_str())];
    let headers = [("Authorization", &*format!("Bearer {root}")), ("Content-Type", "application/json")];
    let http = |body: String| server.send("PATCH", "/v1/workspaces/default", &headers, &body);
    for (name, why) in [
        ("nobody", "no operator has this name"),
        ("elsewhere", "it is bound to the workspace 'other'"),
        ("issues", "its role is issuer"),
        ("left", "the operator is revoked"),
    ] {
        let line = ["workspaces", "update", "default", "--reviewer", "works", "--reviewer", name];
        for variables in [&[][..], &there[..]] {
            let ran = home.run_in(&line, variables);
            assert_eq!(ran.code, Some(2), "{ran:?}");
            assert!(ran.stderr.contains(&format!("'{name}' cannot review the trail: {why}")), "{ran:?}");
        }
        let answer = http(format!(r#"{{"reviewers":["works","{name}"]}}"#));
        assert_eq!((answer.status, answer.body.contains(why)), (400, true), "{answer:?}");
        let new = home.run(&["workspaces", "create", &format!("new-{name}"), "--reviewer", name]);
        assert_eq!(new.code, Some(2), "{new:?}");
    }
    let named = || home.json(&["workspaces", "show", "default"])["workspace"]["reviewers"].clone();
    assert_eq!(named(), serde_json::json!([]));
    for name in ["works", "everywhere", "root", "ann@desk", user.as_str(), short.as_str()] {
        home.ok(&["workspaces", "update", "default", "--reviewer", name]);
    }
    // Whoever cannot any more keeps the name until somebody takes it away.
    home.ok(&["workspaces", "update", "default", "--reviewer", "works"]);
    home.ok(&["operators", "revoke", "works", "--yes"]);
    home.ok(&["workspaces", "update", "default", "--reviewer", "works", "--reviewer", "root"]);
    assert_eq!(http(r#"{"reviewers":["everywhere"]}"#.to_owned()).status, 200);
}
