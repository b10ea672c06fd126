//! Operators: what they are bound to when nobody says, and what support may look at.

use crate::support::{Home, Ran, server::Served};
use serde_json::{Value, json};

fn bound_to(home: &Home, name: &str) -> Value {
    let all = home.json(&["operators", "list"]);
    all["items"].as_array().unwrap().iter().find(|one| one["name"] == name).unwrap()["workspace"].clone()
}

#[test]
fn an_operator_is_bound_to_the_workspace_in_use_unless_the_platform_is_meant() {
    let home = Home::with_vault();
    home.ok(&["workspaces", "create", "acme"]);
    for (line, workspace) in [
        ("operators create a --role verifier", json!("default")),
        ("--workspace acme operators create b --role issuer --ceiling a:read", json!("acme")),
        ("--workspace acme operators create c --role workspace-admin", json!("acme")),
        ("operators create d --role auditor --bind acme", json!("acme")),
        ("operators create e --role auditor --platform", Value::Null),
        ("operators create f --role platform-admin", Value::Null),
        ("operators create g --role platform-admin --platform", Value::Null),
    ] {
        let args: Vec<&str> = line.split(' ').collect();
        let made = home.run(&args);
        assert_eq!(made.code, Some(0), "{line}: {made:?}");
        let said = workspace.as_str().map_or("of the whole platform".to_owned(), |own| format!("of workspace {own}"));
        assert!(made.stderr.contains(&said), "{line}: {made:?}");
        let name = args[args.iter().position(|word| *word == "create").unwrap() + 1];
        assert_eq!(bound_to(&home, name), workspace, "{line}");
    }
    let both = home.run(&["operators", "create", "h", "--role", "auditor", "--platform", "--bind", "acme"]);
    assert_eq!(both.code, Some(2), "{both:?}");
    let refused = home.run(&["operators", "create", "i", "--role", "workspace-admin", "--platform"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
}

/// The same words mean the same through a server, and in the API: absent is the workspace of the call, null the platform.
#[test]
fn a_server_binds_as_the_command_line_does() {
    let (home, client) = (Home::with_vault(), Home::new());
    home.ok(&["workspaces", "create", "acme"]);
    let root = home.ok(&["operators", "create", "root", "--role", "platform-admin"]);
    let server = Served::start(&home, &[]);
    let run = |line: &str| {
        let variables = [("KEYWARD_SERVER", server.url.as_str()), ("KEYWARD_TOKEN", root.as_str())];
        let ran = client.run_in(&line.split(' ').collect::<Vec<_>>(), &variables);
        assert_eq!(ran.code, Some(0), "{line}: {ran:?}");
    };
    run("operators create a --role verifier --expires-in 1d");
    run("--workspace acme operators create b --role verifier --expires-in 1d");
    run("operators create c --role verifier --platform --expires-in 1d");
    let bearer = format!("Bearer {root}");
    let post = |body: Value| {
        let answer = server.send("POST", "/v1/operators", &[("Authorization", &bearer)], &body.to_string());
        assert_eq!(answer.status, 201, "{answer:?}");
    };
    post(json!({ "name": "d", "role": "verifier" }));
    post(json!({ "name": "e", "role": "verifier", "workspace": null }));
    let told: Vec<Value> = ["a", "b", "c", "d", "e"].iter().map(|name| bound_to(&home, name)).collect();
    assert_eq!(told, [json!("default"), json!("acme"), Value::Null, json!("default"), Value::Null]);
}

#[test]
fn an_issuer_without_a_ceiling_says_so() {
    let home = Home::with_vault();
    let open = home.run(&["operators", "create", "open", "--role", "issuer"]);
    assert!(open.stderr.contains("no ceiling") && open.stderr.contains("--ceiling"), "{open:?}");
    let bound = home.run(&["operators", "create", "bound", "--role", "issuer", "--ceiling", "a:read"]);
    assert!(!bound.stderr.contains("no ceiling"), "{bound:?}");
}

/// The tour of support, through a server: everything that looks, and nothing that changes.
#[test]
fn support_walks_its_tour_through_a_server() {
    let (home, client) = (Home::new(), Home::new());
    let key = home.ok(&["create", "nightly-export", "--env", "production", "--scope", "a:read", "--rate-limit", "1/h"]);
    home.ok(&["update", "nightly-export", "--owner", "ops@example.com"]);
    let token = home.ok(&["operators", "create", "desk", "--role", "support"]);
    let server = Served::start(&home, &[]);
    let run = |args: &[&str], stdin: &str| -> Ran {
        let variables = [("KEYWARD_SERVER", server.url.as_str()), ("KEYWARD_TOKEN", token.as_str())];
        client.run_with_in(args, stdin, &variables)
    };
    for line in [
        "list --expires-within 14d",
        "list --expired",
        "list --never-used --older-than 30d",
        "list --owner ops@example.com --status any",
        "list --denied-since 1h",
        "list --group-by owner",
        "show nightly-export",
        "doctor",
        "usage nightly-export",
        "logs --denied",
        "report stale",
        "report owners",
        "check nightly-export",
        "audit list --key nightly-export",
    ] {
        let ran = run(&line.split(' ').collect::<Vec<_>>(), "");
        assert!(matches!(ran.code, Some(0 | 10)), "{line}: {ran:?}");
    }
    // Why a key works or does not, as often as it takes: nothing is taken from its limit, and no use is recorded.
    for _ in 0..3 {
        let ran = run(&["verify", "-", "--env", "production", "--explain"], &key);
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
    let wrong = run(&["verify", "-", "--env", "staging", "--explain"], &key);
    assert!(wrong.code == Some(13) && wrong.stdout.contains("production"), "{wrong:?}");
    let history = run(&["-o", "json", "audit", "list", "--key", "nightly-export"], "");
    let history: Value = serde_json::from_str(&history.stdout).unwrap();
    let actions: Vec<&str> =
        history["items"].as_array().unwrap().iter().map(|one| one["action"].as_str().unwrap()).collect();
    assert!(actions.starts_with(&["key.create"]) && actions.len() == 2, "{actions:?}");
    for refused in [
        &["audit", "list"][..],
        &["audit", "export"],
        &["audit", "verify"],
        &["verify", "-", "--record"],
        &["deactivate", "nightly-export"],
        &["rotate", "nightly-export"],
        &["create", "mine"],
        &["update", "nightly-export", "--owner", "me"],
        &["operators", "list"],
    ] {
        let ran = run(refused, &key);
        assert_eq!(ran.code, Some(5), "{refused:?}: {ran:?}");
    }
    // Nor over HTTP: a verdict that is not an explanation takes from the limit.
    let bearer = format!("Bearer {token}");
    for body in [json!({ "key": key }), json!({ "key": key, "explain": true, "record": true })] {
        let answer = server.send("POST", "/v1/verify", &[("Authorization", &bearer)], &body.to_string());
        assert_eq!(answer.status, 403, "{answer:?}");
    }
    assert_eq!(home.json(&["show", "nightly-export"])["key"]["never_used"], true);
}

/// That the trail is intact shows no event of it, and a plan that hides the events hides nothing there. The trail is of the
/// whole vault: a workspace that is merely preferred gives way, and one that is named on the command line is refused.
#[test]
fn the_trail_is_checked_alike_through_every_door_on_a_plan_without_a_view() {
    let (home, client) = (Home::with_vault(), Home::new());
    home.ok(&["workspaces", "create", "acme", "--plan", "free"]);
    let root = home.ok(&["operators", "create", "root", "--role", "platform-admin"]);
    let own = home.ok(&["operators", "create", "own", "--role", "workspace-admin", "--bind", "acme"]);
    let server = Served::start(&home, &[]);
    for (line, preferred, named) in [
        ("audit verify", 0, 2),
        ("audit checkpoint", 0, 2),
        ("audit list", 5, 5),
        ("audit show 1", 5, 2),
        ("audit prove 1", 5, 2),
        ("audit export", 5, 5),
        ("audit review", 5, 5),
    ] {
        let args: Vec<&str> = line.split(' ').collect();
        let narrowed = [&["--workspace", "acme"][..], &args].concat();
        let by = |args: &[&str], more: &[(&'static str, &str)]| {
            let mut variables = more.to_vec();
            let mut codes = vec![home.run_in(args, &variables).code];
            for token in [&root, &own] {
                variables.truncate(more.len());
                variables.extend([("KEYWARD_SERVER", server.url.as_str()), ("KEYWARD_TOKEN", token.as_str())]);
                codes.push(client.run_in(args, &variables).code);
            }
            codes
        };
        assert_eq!(by(&args, &[("KEYWARD_WORKSPACE", "acme")]), [Some(preferred); 3], "{line}");
        assert_eq!(by(&narrowed, &[]), [Some(named); 3], "{line} of a workspace");
    }
}

/// Whoever may not even look is told that it may not do what it asked for, and what its role may.
#[test]
fn a_refusal_names_what_was_asked_for() {
    let (home, client) = (Home::new(), Home::new());
    home.ok(&["create", "sync"]);
    let token = home.ok(&["operators", "create", "stop", "--role", "revoker"]);
    let issuer = home.ok(&["operators", "create", "ci", "--role", "issuer", "--ceiling", "a:read"]);
    let server = Served::start(&home, &[]);
    let run = |token: &str, args: &[&str]| -> Ran {
        client.run_with_in(args, "", &[("KEYWARD_SERVER", server.url.as_str()), ("KEYWARD_TOKEN", token)])
    };
    for (token, role) in [(&token, "revoker"), (&issuer, "issuer")] {
        let refused = run(token, &["delete", "sync", "--confirm", "sync"]);
        assert_eq!(refused.code, Some(5), "{refused:?}");
        assert!(refused.stderr.contains("may not delete keys"), "{refused:?}");
        assert!(refused.stderr.contains(&format!("the role {role} may ")), "{refused:?}");
    }
    assert_eq!(home.run(&["show", "sync"]).code, Some(0));
}
