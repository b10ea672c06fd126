//! The table of verdicts: `docs/verdicts.md` says what the code says, and every door does what the table says.

use crate::support::{
    Home, book,
    server::{Answer, Served},
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, path::Path};

const BEGIN: &str = "<!-- begin -->\n";
const END: &str = "<!-- end -->";

#[test]
fn the_page_has_the_table_of_the_code() {
    let table = Home::new().ok(&["help", "verdicts", "-o", "markdown"]);
    let page = book::page("verdicts");
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (held, after) = rest.split_once(END).unwrap();
    if std::env::var_os("KEYWARD_BLESS").is_some() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/verdicts.md");
        fs::write(file, format!("{before}{BEGIN}{table}\n{END}{after}")).unwrap();
    } else {
        assert_eq!(held.trim_end(), table, "KEYWARD_BLESS=1 renews it");
    }
}

const ROUTES: &str = "
[[route]]
path = '/read'
scopes = ['a:read']

[[route]]
path = '/write'
scopes = ['a:write']

[[route]]
path = '/customer'
needs_customer = true
";

/// A key that gets a code, and what is asked of it beyond an address and an environment.
struct Case {
    code: &'static str,
    key: String,
    path: &'static str,
    scope: &'static str,
    project: Option<&'static str>,
    customer: Option<&'static str>,
}

impl Case {
    fn of(code: &'static str, key: &str) -> Self {
        Self { code, key: key.to_owned(), path: "/read", scope: "a:read", project: Some("p1"), customer: Some("c1") }
    }
}

/// A vault with a key for every verdict.
struct Scene {
    home: Home,
    bearer: String,
    cases: Vec<Case>,
}

impl Scene {
    fn new() -> Self {
        let home = Home::with_vault();
        for line in ["projects create p1", "projects create p2", "customers create c1", "customers create c2"] {
            home.ok(&line.split(' ').collect::<Vec<_>>());
        }
        home.ok(&["workspaces", "create", "closed"]);
        home.ok(&["--workspace", "closed", "projects", "create", "p1"]);
        let made = |name: &str, more: &[&str]| {
            home.ok(&[&["create", name, "--scope", "a:read"], more, &["--no-expiry"]].concat())
        };
        let production = |name: &str, more: &[&str]| made(name, &[&["--env", "production"], more].concat());
        let good = production("good", &["--project", "p1", "--customer", "c1"]);
        let wide = production("wide", &[]);
        let closed = production("closed", &["--workspace", "closed"]);
        home.ok(&["workspaces", "update", "closed", "--plan", "free"]);
        let of_one = production("limited", &["--rate-limit", "1/d"]);
        let [off, cut, gone, replaced] = ["off", "cut", "gone", "replaced"].map(|name| production(name, &[]));
        home.ok(&["-q", "rotate", "replaced", "--now"]);
        home.ok(&["deactivate", "off"]);
        home.ok(&["revoke", "cut", "--yes"]);
        home.ok(&["delete", "gone", "--confirm", "gone", "--yes"]);
        let over = home.ok(&["create", "over", "--env", "production", "--scope", "a:read", "--expires-in", "1s"]);
        let cases = vec![
            Case::of("VALID", &good),
            Case::of("MALFORMED", "kw_prod_nonsense"),
            Case::of("UNKNOWN", &gone),
            Case::of("INACTIVE", &off),
            Case::of("EXPIRED", &over),
            Case::of("REVOKED", &cut),
            Case::of("SUPERSEDED", &replaced),
            Case::of("WRONG_ENVIRONMENT", &made("staging", &["--env", "staging"])),
            Case { project: None, ..Case::of("PROJECT_REQUIRED", &wide) },
            Case { path: "/write", scope: "a:write", ..Case::of("INSUFFICIENT_SCOPE", &good) },
            Case::of("IP_NOT_ALLOWED", &production("elsewhere", &["--allow-ip", "192.0.2.0/24"])),
            Case { project: Some("p2"), ..Case::of("WRONG_PROJECT", &good) },
            Case { customer: Some("c2"), ..Case::of("WRONG_CUSTOMER", &good) },
            Case::of("PLAN_FORBIDDEN", &closed),
            Case { path: "/elsewhere", ..Case::of("NO_ROUTE", &good) },
            Case { path: "/customer", customer: None, ..Case::of("NOT_ASKED", &good) },
            Case::of("RATE_LIMITED", &of_one),
        ];
        while home.json(&["show", "over"])["key"]["status"] != "expired" {
            std::thread::yield_now();
        }
        let bearer =
            format!("Bearer {}", home.ok(&["operators", "create", "service", "--role", "verifier", "--platform"]));
        home.write("routes.toml", ROUTES);
        Self { home, bearer, cases }
    }

    fn serve(&self) -> Served {
        let lasting = ["--routes", "routes.toml", "--env", "production", "--usage-interval", "1h"];
        Served::start(&self.home, &lasting)
    }

    /// What a door says of a case, as a code and a status; a door tells nobody else why a credential is no good.
    fn ask(&self, server: &Served, door: &str, case: &Case) -> (Option<String>, u64) {
        let of = |answer: Answer| {
            let code = match answer.status {
                200 | 204 => Some("VALID".to_owned()),
                401 => None,
                _ => answer.json()["code"].as_str().map(str::to_owned),
            };
            (code, u64::from(answer.status))
        };
        let key = ("X-API-Key", case.key.as_str());
        let named = [("X-Project-ID", case.project), ("X-Customer-ID", case.customer)];
        let named = named.into_iter().filter_map(|(header, name)| Some((header, name?)));
        match door {
            "authz" => {
                let mut headers = vec![key, ("X-Original-Method", "GET"), ("X-Original-URI", case.path)];
                headers.extend(named);
                of(server.get("/v1/authz", &headers))
            }
            "validate" => of(server.get("/v1/validate", &[key])),
            _ => {
                let body = json!({
                    "key": case.key, "scopes": [case.scope], "project": case.project, "customer": case.customer,
                    "ip": "127.0.0.1", "explain": door == "explain",
                });
                let answer = server.send("POST", "/v1/verify", &[("Authorization", &self.bearer)], &body.to_string());
                assert_eq!(answer.status, 200, "{answer:?}");
                let verdict = answer.json();
                (verdict["code"].as_str().map(str::to_owned), verdict["http_status"].as_u64().unwrap())
            }
        }
    }
}

#[test]
fn every_door_does_what_the_table_says() {
    let scene = Scene::new();
    let table = scene.home.json(&["help", "verdicts"])["items"].clone();
    let server = scene.serve();
    let mut counted: BTreeMap<&str, u64> = BTreeMap::new();
    let limited = scene.cases.iter().find(|case| case.code == "RATE_LIMITED").unwrap();
    assert_eq!(scene.ask(&server, "verify", limited).0.as_deref(), Some("VALID"), "the one that it may");
    *counted.entry("VALID").or_default() += 1;
    for row in table.as_array().unwrap() {
        let code = row["code"].as_str().unwrap();
        let case = scene.cases.iter().find(|case| case.code == code).unwrap_or_else(|| panic!("no case for {code}"));
        let status = row["http_status"].as_u64().unwrap();
        for door in row["doors"].as_array().unwrap().iter().map(|door| door.as_str().unwrap()) {
            let (told, answered) = scene.ask(&server, door, case);
            match (door, status) {
                ("authz" | "validate", 401) => assert_eq!((told, answered), (None, 401), "{code} at {door}"),
                ("authz", 200) => assert_eq!((told.as_deref(), answered), (Some(code), 204), "{code} at {door}"),
                _ => assert_eq!((told.as_deref(), answered), (Some(code), status), "{code} at {door}"),
            }
            if door != "explain" {
                *counted.entry(code).or_default() += 1;
            }
        }
    }
    // What another door says where the table has none.
    for (code, door, said) in [
        ("PROJECT_REQUIRED", "validate", "VALID"),
        ("INSUFFICIENT_SCOPE", "validate", "VALID"),
        ("NO_ROUTE", "verify", "VALID"),
        ("NOT_ASKED", "explain", "VALID"),
        ("RATE_LIMITED", "explain", "VALID"),
    ] {
        let case = scene.cases.iter().find(|case| case.code == code).unwrap();
        assert_eq!(scene.ask(&server, door, case).0.as_deref(), Some(said), "{code} at {door}");
        if door != "explain" {
            *counted.entry(said).or_default() += 1;
        }
    }
    // A path that programs read in different ways: 400, and nothing that the key did.
    let ambiguous = Case { path: "/read/../write", ..Case::of("NO_ROUTE", &scene.cases[0].key) };
    assert_eq!(scene.ask(&server, "authz", &ambiguous), (Some("USAGE".to_owned()), 400));
    *counted.entry("NO_ROUTE").or_default() += 1;
    // Nor is a request that tells the service behind who calls.
    let good = scene.cases[0].key.as_str();
    let forged =
        [("X-API-Key", good), ("X-Original-Method", "GET"), ("X-Original-URI", "/read"), ("X-Keyward-Key-Id", "x")];
    assert_eq!(server.get("/v1/authz", &forged).status, 400);
    *counted.entry("NO_ROUTE").or_default() += 1;

    let metrics = server.get("/metrics", &[]).body;
    for (code, count) in &counted {
        let line = format!("keyward_verdicts_total{{code=\"{code}\"}} {count}");
        assert!(metrics.lines().any(|told| told == line), "{line}: {metrics}");
    }
    // The limit of a key pays for what was let in, and for nothing else.
    let answer = server.get("/v1/validate", &[("X-API-Key", good)]);
    *counted.entry("VALID").or_default() += 1;
    server.stop(Signal::SIGTERM);
    let shown = scene.home.json(&["show", "good"])["key"].clone();
    let left = answer.header("ratelimit").unwrap().split(['=', ';']).nth(2).unwrap().parse::<u64>().unwrap();
    assert_eq!(left, 100 - shown["uses"].as_u64().unwrap(), "{answer:?}");
    let usage = scene.home.json(&["usage", "--by", "code"]);
    let closed = scene.home.json(&["--workspace", "closed", "usage", "--by", "code"]);
    let told: Vec<Value> = [usage, closed].iter().flat_map(|told| told["items"].as_array().unwrap().clone()).collect();
    for (code, count) in &counted {
        let row = told.iter().find(|row| row["group"] == **code).unwrap_or_else(|| panic!("{code}: {told:?}"));
        let (uses, denied) = if *code == "VALID" { (*count, 0) } else { (0, *count) };
        assert_eq!((row["uses"].as_u64(), row["denied"].as_u64()), (Some(uses), Some(denied)), "{code}: {row}");
    }
    let logged = scene.home.json(&["logs", "--key", "good", "--denied"]);
    for code in ["INSUFFICIENT_SCOPE", "WRONG_PROJECT", "WRONG_CUSTOMER", "NO_ROUTE", "NOT_ASKED"] {
        assert!(logged["items"].as_array().unwrap().iter().any(|entry| entry["code"] == code), "{code}: {logged}");
    }
    let after_a_restart = scene.ask(&scene.serve(), "verify", limited);
    assert_eq!(after_a_restart.0.as_deref(), Some("RATE_LIMITED"));
}
