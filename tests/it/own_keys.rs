//! Whoever works with others finds its own keys: those it made, and those it owns.

use crate::support::{Home, Ran, server::Served};
use serde_json::Value;

/// Every role that reads its own keys.
const READERS: [&str; 7] = ["platform-admin", "workspace-admin", "issuer", "rotator", "revoker", "auditor", "support"];

/// The names of the keys in an answer, sorted.
fn names(list: &Value) -> Vec<String> {
    let items = list["items"].as_array().unwrap_or_else(|| panic!("{list}"));
    let mut names: Vec<String> = items.iter().filter_map(|item| item["name"].as_str()).map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}

/// Keys of three: made by whoever runs the tests, made by an operator, and owned by it.
fn furnished() -> (Home, String, Served) {
    let home = Home::with_vault();
    let ann = home.ok(&["operators", "create", "ann", "--role", "workspace-admin", "--bind", "default"]);
    let server = Served::start(&home, &[]);
    let bearer = format!("Bearer {ann}");
    let made = server.send("POST", "/v1/keys", &[("Authorization", &bearer)], r#"{"name":"made","owner":"ben"}"#);
    assert_eq!(made.status, 201, "{made:?}");
    home.ok(&["create", "hers", "--owner", "Ann"]);
    home.ok(&["create", "owned", "--owner", "ann"]);
    home.ok(&["create", "here"]);
    (home, ann, server)
}

#[test]
fn an_operator_lists_checks_and_reports_its_own_keys() {
    let (home, ann, server) = furnished();
    let client = Home::new();
    client.private("token", &ann);
    let there = |args: &[&str]| {
        let remote = [("KEYWARD_SERVER", server.url.as_str()), ("KEYWARD_TOKEN_FILE", "token")];
        client.run_in(&[&["-o", "json"], args].concat(), &remote)
    };
    let json = |ran: Ran| serde_json::from_str::<Value>(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"));
    assert_eq!(names(&json(there(&["list"]))), ["here", "hers", "made", "owned"]);
    for args in [&["list", "--mine"][..], &["check", "--mine"], &["report", "rotation", "--mine"]] {
        let found = names(&json(there(args)));
        let expected: &[&str] = if args[0] == "report" { &[] } else { &["made", "owned"] };
        assert_eq!(found, expected, "{args:?}");
    }
    assert_eq!(names(&json(there(&["report", "expiry", "--mine", "--within", "100d"]))), ["made", "owned"]);
    assert_eq!(json(there(&["report", "--mine"]))["keys"], 2);
    assert!(there(&["list", "--mine", "--count"]).stdout.contains('2'));
    let checked = there(&["check", "--mine"]);
    assert!(checked.stderr.contains("2 keys"), "{}", checked.stderr);

    // The same over HTTP, page by page, and for nobody else.
    let bearer = format!("Bearer {ann}");
    let first = server.get("/v1/keys?mine=true&limit=1", &[("Authorization", &bearer)]).json();
    let next = first["page"]["next"].as_str().unwrap().to_owned();
    assert_eq!((first["page"]["total"].as_u64(), names(&first).len()), (Some(2), 1));
    let second = server.get(&format!("/v1/keys?mine=true&limit=1&cursor={next}"), &[("Authorization", &bearer)]).json();
    let mut both = [names(&first), names(&second)].concat();
    both.sort();
    assert_eq!(both, ["made", "owned"]);
    let checked = server.send("POST", "/v1/keys/check?mine=true", &[("Authorization", &bearer)], "{}").json();
    assert_eq!(checked["keys"], 2);
    // Beside what it cannot narrow, it is refused and not passed over.
    for path in ["/v1/usage?key=here&mine=true", "/v1/logs?key=here&mine=true", "/v1/logs?operators=true&mine=true"] {
        assert_eq!(server.get(path, &[("Authorization", &bearer)]).status, 400, "{path}");
    }
    assert_eq!(server.get("/v1/usage?mine=true", &[("Authorization", &bearer)]).status, 200);
    assert_eq!(server.get("/v1/logs?mine=true", &[("Authorization", &bearer)]).status, 200);
    assert_eq!(server.get("/v1/keys?mine=perhaps", &[("Authorization", &bearer)]).status, 400);

    // Whoever only makes keys reads none but its own.
    let maker = home.ok(&["operators", "create", "maker", "--role", "issuer", "--bind", "default"]);
    let maker = format!("Bearer {maker}");
    let made = server.send("POST", "/v1/keys", &[("Authorization", &maker)], r#"{"name":"issued"}"#);
    assert_eq!(made.status, 201, "{made:?}");
    let own = server.get("/v1/keys?mine=true", &[("Authorization", &maker)]);
    assert_eq!((own.status, names(&own.json())), (200, vec!["issued".to_owned()]));
    for path in ["/v1/keys", "/v1/keys?mine=false", "/v1/keys?owner=ann"] {
        assert_eq!(server.get(path, &[("Authorization", &maker)]).status, 403, "{path}");
    }
}

#[test]
fn the_user_of_a_machine_sees_and_uses_its_own_keys() {
    let (home, _, _server) = furnished();
    let who = home.json(&["audit", "list", "--limit", "1", "--action", "key.create"])["items"][0]["actor"]
        .as_str()
        .unwrap()
        .to_owned();
    let user = who.split('@').next().unwrap();
    let token = home.ok(&["create", "mine", "--owner", user, "--env", "production"]);
    assert_eq!(names(&home.json(&["list", "--mine"])), ["here", "hers", "mine", "owned"], "made here");
    assert_eq!(home.run_with(&["verify", "-", "--env", "production", "--record"], &token).code, Some(0));
    let used = |args: &[&str]| names(&home.json(&[args, &["-o", "json"]].concat()));
    assert_eq!(used(&["usage", "--mine"]), ["mine"]);
    assert_eq!(used(&["logs", "--mine"]), ["mine"]);
    let page = home.path().join("page.html");
    home.ok(&["report", "--mine", "--html", page.to_str().unwrap()]);
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("owned") && !page.contains("made<"), "keys of others are on the page");
    for line in ["check k --mine", "usage k --mine", "logs --key k --mine", "logs --operators --mine"] {
        assert_eq!(home.run(&line.split(' ').collect::<Vec<_>>()).code, Some(2), "{line}");
    }
}

#[test]
fn every_role_that_has_to_do_with_keys_reads_its_own_and_is_told_so() {
    let home = Home::with_vault();
    home.ok(&["create", "others"]);
    let roles = READERS.map(|role| {
        let bound: &[&str] = if role == "platform-admin" { &[] } else { &["--bind", "default"] };
        let token = home.ok(&[&["operators", "create", role, "--role", role], bound].concat());
        (role, token, home.ok(&["create", &format!("of-{role}"), "--owner", role, "--env", "production"]))
    });
    let verifier = home.ok(&["operators", "create", "gate", "--role", "verifier", "--bind", "default"]);
    let server = Served::start(&home, &["--address-limit", "none", "--usage-interval", "1s"]);
    for (role, token, key) in &roles {
        assert_eq!(server.get("/v1/validate", &[("X-API-Key", key)]).status, 200);
        let variables = [("KEYWARD_SERVER", server.url.as_str()), ("KEYWARD_TOKEN", token.as_str())];
        let there = |line: &str| home.run_in(&line.split(' ').collect::<Vec<_>>(), &variables);
        let own = vec![format!("of-{role}")];
        let bearer = format!("Bearer {token}");
        let http = |method: &str, path: &str| server.send(method, path, &[("Authorization", &bearer)], "");
        let reads_all = http("GET", "/v1/keys").status == 200;
        for line in ["list", "usage", "logs", "check"] {
            let mine = there(&format!("-o json {line} --mine"));
            assert!([Some(0), Some(10)].contains(&mine.code), "{role}: {line}: {mine:?}");
            let found = names(&serde_json::from_str(&mine.stdout).unwrap());
            assert!(found.is_empty() || found == own, "{role}: {line}: {found:?}");
            // Whoever may not read all keys hears what it may.
            let all = there(line);
            let told = all.stderr.contains("--mine, or mine=true over HTTP");
            assert_eq!((all.code == Some(5), told), (!reads_all, !reads_all), "{role}: {line}: {all:?}");
        }
        assert_eq!(names(&serde_json::from_str(&there("-o json list --mine").stdout).unwrap()), own, "{role}");
        for (method, path) in
            [("GET", "/v1/keys"), ("GET", "/v1/usage"), ("GET", "/v1/logs"), ("POST", "/v1/keys/check")]
        {
            assert_eq!(http(method, &format!("{path}?mine=true")).status, 200, "{role}: {path}");
            assert_eq!(http(method, path).status == 200, reads_all, "{role}: {path}");
        }
        // What operators asked is no key of anybody's.
        assert_ne!(http("GET", "/v1/logs?operators=true&mine=true").status, 200, "{role}");
    }
    let gate = format!("Bearer {verifier}");
    for path in ["/v1/keys?mine=true", "/v1/usage?mine=true", "/v1/logs?mine=true", "/v1/keys"] {
        let answer = server.get(path, &[("Authorization", &gate)]);
        assert_eq!((answer.status, answer.body.contains("--mine")), (403, false), "{path}: {answer:?}");
    }
}
