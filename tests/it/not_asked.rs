//! What a key is bound to and nobody asked: a person is told, a service is refused. And which environments a server lets in.

use crate::support::{Home, door::Doors, server::Served, terminal::Terminal};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

const BOUND: &[&str] =
    &["--env", "production", "--project", "shop", "--customer", "acme", "--allow-ip", "192.0.2.0/24"];

fn bound(home: &Home) -> String {
    home.ok(&["projects", "create", "shop"]);
    home.ok(&["customers", "create", "acme"]);
    home.ok(&[&["create", "bound"], BOUND].concat())
}

fn service(home: &Home) -> String {
    format!("Bearer {}", home.ok(&["operators", "create", "service", "--role", "verifier"]))
}

fn ask(server: &Served, bearer: &str, body: &Value) -> Value {
    server.send("POST", "/v1/verify", &[("Authorization", bearer)], &body.to_string()).json()
}

#[test]
fn a_verdict_lists_what_it_was_not_asked_here_and_through_a_server() {
    let doors = Doors::new();
    let (here, there) = (bound(&doors.local), bound(&doors.behind));
    doors.until_known(&there);
    for (door, key) in [(doors.here(), here), (doors.there(), there)] {
        let judge = |args: &[&str]| {
            let ran = door.run(&[&["-o", "json", "verify", "-"], args].concat(), &key);
            (serde_json::from_str::<Value>(&ran.stdout).unwrap()["not_asked"].clone(), ran.code)
        };
        assert_eq!(judge(&[]), (json!(["environment", "ip", "customer", "project"]), Some(0)));
        assert_eq!(judge(&["--env", "production", "--project", "shop"]), (json!(["ip", "customer"]), Some(0)));
        let all = ["--env", "production", "--project", "shop", "--customer", "acme", "--ip", "192.0.2.1"];
        assert_eq!(judge(&all), (Value::Null, Some(0)));
        assert_eq!(judge(&["--env", "staging"]), (json!(["ip", "customer", "project"]), Some(13)));
        let told = door.run(&["verify", "-", "--env", "production", "--project", "shop"], &key);
        assert_eq!((told.code, told.stdout.starts_with("VALID")), (Some(0), true), "{told:?}");
        assert!(told.stderr.contains("not judged: ip, customer (--ip, --customer)"), "{told:?}");
        assert_eq!(door.run(&[&["verify", "-"][..], &all].concat(), &key).stderr, "");
    }
}

#[test]
fn a_service_that_leaves_out_what_a_key_is_bound_to_is_refused_unless_the_server_is_lenient() {
    let home = Home::with_vault();
    let (key, bearer) = (bound(&home), service(&home));
    let free = home.ok(&["create", "free", "--env", "production"]);
    let whole =
        json!({ "key": key, "environment": "production", "project": "shop", "customer": "acme", "ip": "192.0.2.1" });
    let without = |field: &str| {
        let mut body = whole.clone();
        body.as_object_mut().unwrap().remove(field);
        body
    };
    let strict = Served::start(&home, &["--env", "all"]);
    assert_eq!(ask(&strict, &bearer, &whole)["code"], "VALID");
    for (field, word) in
        [("environment", "environment"), ("project", "project"), ("customer", "customer"), ("ip", "ip")]
    {
        let refused = ask(&strict, &bearer, &without(field));
        assert_eq!((&refused["code"], &refused["http_status"]), (&json!("NOT_ASKED"), &json!(403)), "{refused}");
        assert_eq!(refused["not_asked"], json!([word]), "{refused}");
        let mut explained = without(field);
        explained["explain"] = json!(true);
        let explained = ask(&strict, &bearer, &explained);
        assert_eq!((&explained["valid"], &explained["not_asked"]), (&json!(true), &json!([word])), "a person is told");
    }
    assert_eq!(ask(&strict, &bearer, &json!({ "key": free, "environment": "production" }))["code"], "VALID");
    let wrong = ask(&strict, &bearer, &json!({ "key": key, "environment": "staging" }));
    assert_eq!(wrong["code"], "WRONG_ENVIRONMENT", "what was asked comes first");
    strict.stop(Signal::SIGTERM);
    let shown = home.json(&["show", "bound"])["key"].clone();
    assert_eq!((&shown["uses"], &shown["denied"]), (&json!(1), &json!(5)), "refused is refused");

    let lenient = Served::start(&home, &["--env", "production", "--lenient"]);
    let passed = ask(&lenient, &bearer, &json!({ "key": key }));
    assert_eq!((&passed["code"], &passed["not_asked"]), (&json!("VALID"), &json!(["ip", "customer", "project"])));
}

#[test]
fn a_server_whose_environment_nobody_said_lets_in_production_alone_and_says_so() {
    let home = Home::with_vault();
    let [production, staging] = ["production", "staging"].map(|env| home.ok(&["create", env, "--env", env]));
    let bearer = service(&home);
    home.write("routes.toml", "[[route]]\npath = '/rehearsal'\nenvironment = 'staging'\n[[route]]\npath = '/**'\n");
    let server = Served::start_with(&home, &["serve", "--listen", "127.0.0.1:0", "--routes", "routes.toml"]);
    let validate = |key: &str| server.get("/v1/validate", &[("X-API-Key", key)]).status;
    assert_eq!((validate(&production), validate(&staging)), (200, 401));
    assert_eq!(server.get("/v1/projects", &[("X-API-Key", &staging)]).status, 401);
    let gate = |key: &str, path: &str| server.get(&format!("/v1/authz{path}"), &[("X-API-Key", key)]).status;
    assert_eq!((gate(&production, "/a"), gate(&staging, "/a")), (200, 401));
    assert_eq!((gate(&production, "/rehearsal"), gate(&staging, "/rehearsal")), (401, 200), "the route says it");
    let code = |body: Value| ask(&server, &bearer, &body)["code"].clone();
    assert_eq!(code(json!({ "key": production })), "VALID");
    assert_eq!(code(json!({ "key": staging })), "WRONG_ENVIRONMENT");
    assert_eq!(code(json!({ "key": staging, "environment": "staging" })), "VALID", "the service says it");
    for (args, said) in [
        (&[][..], "warning: which environment this server is for was not said: keys of production are let in"),
        (&["--env", "staging"], "keys of staging are let in, and no others"),
        (&["--env", "all"], "keys of every environment are let in"),
    ] {
        let socket = format!("unix:{}", crate::support::server::socket(&home).display());
        let server = Served::start_with(&home, &[&["serve", "--listen", &socket][..], args].concat());
        assert!(server.began.contains(said), "{args:?}: {}", server.began);
        assert!(server.stop(Signal::SIGTERM).0.success());
    }
    let wrong = home.run(&["serve", "--env", "every"]);
    assert!(wrong.code == Some(2) && wrong.stderr.contains("all"), "{wrong:?}");
}

#[test]
fn a_terminal_is_asked_which_environment_a_server_is_for() {
    let home = Home::with_vault();
    for (answer, said) in [("staging", "keys of staging are let in"), ("", "keys of production are let in")] {
        let mut shell = Terminal::open(&home);
        shell.type_line("keyward serve --listen 127.0.0.1:0");
        shell.answer("Keys of which environment are let in", answer);
        shell.until("the address", |screen| screen.contains("listening on"));
        shell.signal("INT");
        let seen = shell.finished_anyhow();
        assert!(seen.contains(said), "{answer}: {seen}");
    }
}

#[test]
fn whatever_takes_a_network_takes_an_address() {
    let home = Home::with_vault();
    let key = home.ok(&["create", "k", "--env", "production", "--allow-ip", "203.0.113.9"]);
    for (proxy, status) in [("127.0.0.1", 200), ("127.0.0.0/8", 200), ("::ffff:127.0.0.1", 200), ("10.0.0.1", 403)] {
        let server = Served::start(&home, &["--trust-proxy", proxy]);
        let answer = server.get("/v1/validate", &[("X-API-Key", &key), ("X-Forwarded-For", "203.0.113.9")]);
        assert_eq!(answer.status, status, "{proxy}");
    }
    let refused = home.run(&["serve", "--trust-proxy", "127.0.0.1/8"]);
    assert!(refused.code == Some(2) && refused.stderr.contains("127.0.0.0/8"), "{refused:?}");
    home.ok(&["audit", "list", "--address", "192.0.2.1"]);
    home.ok(&["audit", "list", "--address", "192.0.2.0/24"]);
    home.ok(&["update", "k", "--add-ip", "192.0.2.1"]);
    home.ok(&["operators", "create", "ci", "--role", "rotator", "--allow-ip", "192.0.2.1"]);
}

#[test]
fn a_verification_without_an_address_does_not_wipe_where_a_key_was_last_used() {
    let home = Home::with_vault();
    let (key, bearer) = (home.ok(&["create", "k", "--env", "production"]), service(&home));
    let seen = |home: &Home| {
        let key = home.json(&["show", "k"])["key"].clone();
        let secret = home.json(&["usage", "k"])["secrets"][0]["last_ip"].clone();
        (key["uses"].clone(), key["last_used_ip"].clone(), key["last_user_agent"].clone(), secret)
    };
    let server = Served::start(&home, &["--env", "production"]);
    ask(&server, &bearer, &json!({ "key": key, "ip": "192.0.2.7", "user_agent": "sync/1" }));
    ask(&server, &bearer, &json!({ "key": key }));
    server.stop(Signal::SIGTERM);
    assert_eq!(seen(&home), (json!(2), json!("192.0.2.7"), json!("sync/1"), json!("192.0.2.7")), "in one go");
    assert_eq!(home.verdict(&key, &["--record"]).1, Some(0));
    assert_eq!(seen(&home), (json!(3), json!("192.0.2.7"), json!("sync/1"), json!("192.0.2.7")), "and afterwards");
    assert_eq!(home.verdict(&key, &["--record", "--ip", "192.0.2.8"]).1, Some(0));
    assert_eq!(seen(&home), (json!(4), json!("192.0.2.8"), json!("sync/1"), json!("192.0.2.8")));
}
