//! Whose events the trail shows: those of a key by its name, and those of a workspace.

use crate::support::Home;
use serde_json::Value;

fn actions(home: &Home, args: &[&str]) -> Vec<String> {
    let listed = home.json(&[&["audit", "list"], args].concat());
    let items = listed["items"].as_array().unwrap();
    items.iter().map(|event| event["action"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_story_of_a_name_tells_of_all_keys_that_had_it_and_of_nothing_else() {
    let home = Home::new();
    home.ok(&["create", "a"]);
    home.ok(&["delete", "a", "--confirm", "a"]);
    home.run(&["revoke", "a"]);
    home.ok(&["create", "a"]);
    assert_eq!(actions(&home, &["--key", "a"]), ["key.create", "key.delete", "key.revoke", "key.create"]);

    // A workspace of that name, and a key of that name in another workspace, are other things.
    home.ok(&["workspaces", "create", "nope"]);
    home.ok(&["workspaces", "update", "nope", "--description", "d"]);
    home.ok(&["--workspace", "nope", "create", "a"]);
    assert_eq!(home.run(&["audit", "list", "--key", "nope"]).code, Some(3));
    assert_eq!(actions(&home, &["--key", "a"]).len(), 4);
}

/// A slip must not pass for a key of which there is nothing to tell.
#[cfg(feature = "server")]
#[test]
fn the_story_of_a_key_that_never_was_is_not_found() {
    let doors = crate::support::door::Doors::new();
    for door in [doors.here(), doors.there()] {
        for line in ["-q create kept", "-q create gone", "-q delete gone --confirm gone", "revoke tried"] {
            door.run(&line.split(' ').collect::<Vec<_>>(), "");
        }
        for line in ["audit list --key kep", "audit list --key key_0123456789abcdef", "audit export --key kep"] {
            let ran = door.run(&line.split(' ').collect::<Vec<_>>(), "");
            assert!(ran.code == Some(3) && ran.stderr.contains("no key"), "{line}: {ran:?}");
        }
        assert!(door.run(&["audit", "--key", "kep"], "").stderr.contains("kept"), "what could have been meant");
        // One that was deleted, one that somebody tried in vain, and one of which a filter leaves nothing.
        for line in ["audit --key gone", "audit --key tried", "audit --key kept --outcome failed"] {
            let ran = door.run(&line.split(' ').collect::<Vec<_>>(), "");
            assert_eq!(ran.code, Some(0), "{line}: {ran:?}");
        }
    }
}

#[test]
fn the_environment_decides_between_keys_of_one_name() {
    let home = Home::new();
    home.ok(&["create", "a", "--env", "production"]);
    home.ok(&["create", "a", "--env", "staging"]);
    home.ok(&["deactivate", "a", "--env", "staging"]);
    let mixed = home.run(&["audit", "list", "--key", "a"]);
    assert_eq!(mixed.code, Some(6), "{mixed:?}");
    assert!(mixed.stderr.contains("--env"), "{}", mixed.stderr);
    assert_eq!(actions(&home, &["--key", "a", "--env", "production"]), ["key.create"]);
    assert_eq!(actions(&home, &["--key", "a", "--env", "staging"]), ["key.create", "key.deactivate"]);
    home.ok(&["update", "a", "--env", "staging", "--name", "b"]);
    assert_eq!(actions(&home, &["--key", "a", "--env", "production"]), ["key.create"]);
    assert_eq!(actions(&home, &["--key", "a", "--env", "staging"]).last().unwrap(), "key.update");
}

#[test]
fn a_workspace_that_is_named_shows_and_exports_its_own_events() {
    let home = Home::with_vault();
    home.ok(&["workspaces", "create", "acme"]);
    home.ok(&["create", "of-default"]);
    home.ok(&["--workspace", "acme", "create", "of-acme"]);
    assert_eq!(actions(&home, &["--workspace", "acme"]), ["key.create"]);
    assert!(actions(&home, &[]).len() >= 4, "without a name the whole trail");
    let exported = home.ok(&["--workspace", "acme", "audit", "export"]);
    let workspaces: Vec<Value> =
        exported.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["workspace"].clone()).collect();
    assert_eq!(workspaces, ["acme", "acme"], "the creation, and the export itself");

    home.ok(&["plans", "create", "blind", "--audit-view", "false"]);
    home.ok(&["workspaces", "update", "acme", "--plan", "blind"]);
    for command in ["list", "export"] {
        let refused = home.run(&["--workspace", "acme", "audit", command]);
        assert_eq!((refused.code, &*refused.stdout), (Some(5), ""), "{refused:?}");
    }
}
