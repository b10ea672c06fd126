//! The same command again: it makes no second key, says what it found, and does not choose between two wishes.

use crate::support::Home;

#[test]
fn an_idempotency_key_makes_no_second_key_after_the_first_is_deleted() {
    let home = Home::new();
    let make = ["create", "a", "--idempotency-key", "K1"];
    home.ok(&make);
    home.ok(&["delete", "a", "--confirm", "a"]);
    let again = home.run(&make);
    assert_eq!((again.code, &*again.stdout), (Some(6), ""), "{again:?}");
    assert!(again.stderr.contains("deleted since") && again.stderr.contains("--idempotency-key"), "{}", again.stderr);
    assert_eq!(home.json(&["list", "--status", "any"])["page"]["total"], 0);
}

#[test]
fn a_key_that_exists_says_that_it_is_useless_and_not_as_asked_for() {
    let home = Home::new();
    home.ok(&["create", "k", "--scope", "a:read", "--owner", "ana", "--expires-in", "30d"]);
    let same = home.run(&["create", "k", "--if-not-exists", "--scope", "a:read", "--expires-in", "30d"]);
    assert_eq!(same.code, Some(0));
    assert!(!same.stderr.contains("not as asked for") && !same.stderr.contains("it is "), "{}", same.stderr);
    home.ok(&["revoke", "k"]);
    let other = home.run(&["create", "k", "--if-not-exists", "--scope", "a:write", "--owner", "ben", "--no-expiry"]);
    assert_eq!((other.code, &*other.stdout), (Some(0), ""));
    for told in ["it is revoked", "scopes a:read, not a:write", "owner ana, not ben", "expiry 20"] {
        assert!(other.stderr.contains(told), "{told}: {}", other.stderr);
    }
}

#[test]
fn taking_away_what_is_not_there_is_already_so() {
    let home = Home::new();
    home.ok(&["create", "k", "--scope", "a:read", "--allow-ip", "10.0.0.0/8", "--label", "t=w"]);
    for (option, value) in [("--remove-scope", "b:read"), ("--remove-ip", "192.0.2.0/24"), ("--unset-label", "u")] {
        let ran = home.run(&["update", "k", option, value]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(ran.stderr.contains("already so") && ran.stderr.contains(value), "{}", ran.stderr);
    }
}

#[test]
fn two_wishes_at_once_are_refused() {
    let home = Home::new();
    home.ok(&["create", "k", "--label", "t=x", "--scope", "a:read"]);
    let before = home.json(&["show", "k"]);
    for line in [
        "update k --label t=w --unset-label t",
        "update k --label a=1 --label a=2",
        "update k --add-scope b:read --remove-scope b:read",
        "update k --add-ip 10.0.0.0/8 --remove-ip 10.0.0.0/8",
        "create other --label a=1 --label a=2",
    ] {
        let ran = home.run(&line.split(' ').collect::<Vec<_>>());
        assert_eq!((ran.code, &*ran.stdout), (Some(2), ""), "{line}: {ran:?}");
    }
    assert_eq!(home.json(&["show", "k"]), before);
    home.ok(&["create", "other", "--label", "a=1", "--label", "a=1"]);
}

#[test]
fn a_creation_is_no_rotation() {
    let home = Home::new();
    home.ok(&["create", "printed", "--idempotency-key", "K"]);
    home.ok(&["create", "delivered", "--deliver", "file:here.key"]);
    assert_eq!(home.json(&["rotation", "list", "--all"])["page"]["total"], 0);
    let rotations = home.json(&["audit", "list", "--action", "key.rotate"]);
    assert_eq!(rotations["page"]["total"], 0, "{rotations}");
    home.ok(&["rotate", "delivered", "--deliver", "file:here.key"]);
    assert_eq!(home.json(&["rotation", "list", "--all"])["page"]["total"], 1);
    assert_eq!(home.json(&["audit", "list", "--action", "key.rotate"])["page"]["total"], 1);
    home.ok(&["audit", "verify"]);
}

#[test]
fn a_key_that_is_named_twice_is_shown_once() {
    let home = Home::new();
    home.ok(&["create", "a"]);
    let ran = home.run(&["-o", "json", "show", "a", "a"]);
    assert_eq!(ran.code, Some(0));
    assert_eq!(ran.stdout.matches("\"name\"").count(), 1, "{}", ran.stdout);
    assert!(ran.stderr.contains("named more than once"), "{}", ran.stderr);
}

#[test]
fn a_list_of_a_project_that_is_not_there_hints_at_lists() {
    let home = Home::new();
    home.ok(&["create", "a"]);
    let read = home.run(&["list", "--project", "nope"]);
    assert!(read.stderr.contains("keyward projects list") && !read.stderr.contains("projects create"), "{read:?}");
    let made = home.run(&["create", "b", "--project", "nope"]);
    assert!(made.stderr.contains("keyward projects create nope"), "{made:?}");
}
