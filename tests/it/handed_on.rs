//! Nobody hands on more than it has: how long a credential works, from where, in which workspace and role, with which scopes.

use crate::support::{
    Home,
    server::{Answer, Served},
};
use serde_json::{Value, json};

struct Desk {
    home: Home,
    server: Served,
    /// An admin that ends in an hour and works from one address.
    bearer: String,
    token: String,
}

fn desk() -> Desk {
    let home = Home::with_vault();
    home.ok(&["create", "sync"]);
    home.ok(&["operators", "create", "long", "--role", "verifier", "--bind", "default", "--no-expiry"]);
    home.ok(&["operators", "create", "wide", "--role", "verifier", "--bind", "default", "--expires-in", "10m"]);
    let args = ["--bind", "default", "--expires-in", "1h", "--allow-ip", "127.0.0.1"];
    let token = home.ok(&[&["operators", "create", "tmp", "--role", "workspace-admin"][..], &args].concat());
    let server = Served::start(&home, &[]);
    Desk { home, server, bearer: format!("Bearer {token}"), token }
}

impl Desk {
    fn post(&self, path: &str, body: &Value) -> Answer {
        self.server.send("POST", path, &[("Authorization", &self.bearer)], &body.to_string())
    }

    fn appoint(&self, more: Value) -> Answer {
        let mut body = json!({ "name": "other", "role": "verifier", "workspace": "default" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.post("/v1/operators", &body)
    }
}

#[test]
fn an_operator_makes_none_that_works_longer_or_from_more_places_than_itself() {
    let desk = desk();
    let here = ["127.0.0.1"];
    for (what, body) in [
        ("without an end", json!({ "allow_ips": here, "expiry": "never" })),
        ("longer", json!({ "allow_ips": here, "expiry": { "in": 7_200 } })),
        ("from anywhere", json!({ "expiry": { "in": 60 } })),
        ("from elsewhere too", json!({ "allow_ips": ["127.0.0.1", "10.0.0.1"], "expiry": { "in": 60 } })),
        ("from a wider range", json!({ "allow_ips": ["127.0.0.0/8"], "expiry": { "in": 60 } })),
    ] {
        let answer = desk.appoint(body);
        assert_eq!((answer.status, &answer.json()["reason"]), (403, &json!("wider")), "{what}: {answer:?}");
    }
    // What nobody said ends with the one who made it.
    let made = desk.appoint(json!({ "allow_ips": here }));
    assert_eq!(made.status, 201, "{made:?}");
    let own = desk.home.json(&["operators", "list"]);
    let end = |name: &str| {
        let items = own["items"].as_array().unwrap();
        items.iter().find(|one| one["name"] == name).unwrap()["expires_at"].clone()
    };
    assert_eq!(made.json()["operator"]["expires_at"], end("tmp"));
}

#[test]
fn a_new_credential_of_an_operator_is_handed_on_too() {
    let desk = desk();
    for name in ["long", "wide"] {
        let answer = desk.post(&format!("/v1/operators/{name}/rotate"), &json!({}));
        assert_eq!((answer.status, &answer.json()["reason"]), (403, &json!("wider")), "{name}: {answer:?}");
    }
    // To take away is not to hand on.
    assert_eq!(desk.post("/v1/operators/long/revoke", &json!({})).status, 200);
    assert_eq!(desk.post("/v1/operators/tmp/rotate", &json!({ "overlap": "now" })).status, 200);
    let refused = desk.home.json(&["audit", "list", "--action", "operator.rotate", "--outcome", "refused"]);
    assert_eq!(refused["items"].as_array().unwrap().len(), 2, "{refused}");
}

#[test]
fn the_command_line_says_which_bounds_fit() {
    let desk = desk();
    let client = Home::with_vault();
    let run = |line: &str| {
        let variables = [("KEYWARD_SERVER", desk.server.url.as_str()), ("KEYWARD_TOKEN", desk.token.as_str())];
        client.run_in(&line.split(' ').collect::<Vec<_>>(), &variables)
    };
    let line = "operators create other --role support --bind default";
    let refused = run(&format!("{line} --no-expiry"));
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(5), ""), "{refused:?}");
    let hint = refused.stderr.lines().find_map(|line| line.strip_prefix("  hint: ").or(line.strip_prefix("hint: ")));
    let hint = hint.unwrap_or_else(|| panic!("no hint: {refused:?}"));
    assert!(hint.contains("--allow-ip 127.0.0.1/32") && hint.contains("--expires-at 20"), "{hint}");
    let made = run(&format!("{line} {hint}"));
    assert_eq!(made.code, Some(0), "the hint leads out: {made:?}");
}

/// A session ends; a slot that it adds would open the vault after its end.
#[test]
fn a_session_adds_no_slot() {
    let home = Home::new();
    home.private("pp", "correct horse battery staple\n");
    home.ok(&["init", "--passphrase-file", "pp"]);
    let opened = home.json(&["--passphrase-file", "pp", "unlock", "--for", "15m"]);
    let session = opened["secret"].as_str().unwrap().to_owned();
    for args in [&["vault", "slots", "add", "--device-file", "ci.key"][..], &["vault", "recovery"]] {
        let refused = home.run_in(args, &[("KEYWARD_SESSION", &session)]);
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(5), ""), "{args:?}: {refused:?}");
        assert!(refused.stderr.contains("unset KEYWARD_SESSION"), "{args:?}: {refused:?}");
    }
    assert!(home.find("ci.key").is_none(), "no key of a slot that is not there");
    home.ok(&["--passphrase-file", "pp", "vault", "slots", "add", "--device-file", "ci.key"]);
}
