//! Projects and customers at every door that judges keys: the gateway, services, the command line here and through a server.

use crate::support::{
    Home,
    door::{Door, Doors},
    server::{Answer, Served},
};
use serde_json::{Value, json};

const ROUTES: &str = "
[[route]]
path = '/invoices/**'
scopes = ['invoices:read']

[[route]]
path = '/of-a-customer'
needs_customer = true

[[route]]
path = '/status'
needs_project = false
";

fn create(home: &Home, name: &str, more: &[&str]) -> String {
    home.ok(&[&["create", name, "--env", "production", "--scope", "invoices:read"], more].concat())
}

fn serve(home: &Home) -> Served {
    home.write("routes.toml", ROUTES);
    Served::start(home, &["--routes", "routes.toml", "--env", "production", "--address-limit", "none"])
}

fn gate(server: &Served, key: &str, path: &str, more: &[(&str, &str)]) -> Answer {
    let mut headers = vec![("X-API-Key", key), ("X-Original-Method", "GET"), ("X-Original-URI", path)];
    headers.extend(more);
    server.get("/v1/authz", &headers)
}

/// The status, the code of a refusal, and the project that the service behind is told.
fn told(answer: &Answer) -> (u16, Option<String>, Option<String>) {
    let code = (answer.status >= 400).then(|| answer.json()["code"].as_str().unwrap().to_owned());
    (answer.status, code, answer.header("x-keyward-project").map(str::to_owned))
}

fn passes(project: Option<&str>) -> (u16, Option<String>, Option<String>) {
    (204, None, project.map(str::to_owned))
}

fn refuses(status: u16, code: &str) -> (u16, Option<String>, Option<String>) {
    (status, Some(code.to_owned()), None)
}

#[test]
fn a_project_is_asked_for_where_there_are_several_and_the_one_meant_is_told() {
    let home = Home::with_vault();
    let wide = create(&home, "wide", &["--rate-limit", "none"]);
    home.ok(&["workspaces", "create", "other"]);
    home.ok(&["--workspace", "other", "projects", "create", "elsewhere"]);
    let server = serve(&home);
    let ask = |more: &[(&str, &str)]| told(&gate(&server, &wide, "/invoices/7", more));
    let until = |wanted: &dyn Fn() -> bool| {
        let began = std::time::Instant::now();
        while !wanted() {
            assert!(began.elapsed().as_secs() < 20, "the server does not notice");
            std::thread::yield_now();
        }
    };
    assert_eq!(ask(&[]), passes(None), "none in the workspace: nothing is asked");
    assert_eq!(ask(&[("X-Project-ID", "apollo")]), refuses(403, "WRONG_PROJECT"), "nobody knows it");
    home.ok(&["projects", "create", "apollo"]);
    until(&|| ask(&[]) == passes(Some("apollo")));
    home.ok(&["projects", "create", "Ünï c"]);
    until(&|| ask(&[]) == refuses(400, "PROJECT_REQUIRED"));
    assert_eq!(told(&gate(&server, &wide, "/status", &[])), passes(None), "the route asks for none");
    assert_eq!(ask(&[("X-Project-ID", "apollo")]), passes(Some("apollo")));
    assert_eq!(ask(&[("X-Project-ID", "%C3%9Cn%C3%AF%20c")]).0, 204, "names are percent-encoded in headers");
    for unknown in ["apolo", "elsewhere", "*", "%00"] {
        assert_eq!(ask(&[("X-Project-ID", unknown)]), refuses(403, "WRONG_PROJECT"), "{unknown}");
    }
    assert_eq!(ask(&[("X-Project-ID", "apollo"), ("X-Project-ID", "apollo")]), refuses(400, "USAGE"));
    let narrow = create(&home, "narrow", &["--project", "apollo", "--rate-limit", "none"]);
    until(&|| told(&gate(&server, &narrow, "/invoices/7", &[])) == passes(Some("apollo")));
    let other = told(&gate(&server, &narrow, "/invoices/7", &[("X-Project-ID", "elsewhere")]));
    assert_eq!(other, refuses(403, "WRONG_PROJECT"));
    home.ok(&["projects", "delete", "Ünï c", "--yes"]);
    until(&|| ask(&[]) == passes(Some("apollo")));
}

/// One rule: what a gateway refuses, a service and a person are told too, here and through a server.
#[test]
fn every_door_judges_projects_alike() {
    let doors = Doors::new();
    let make = |home: &Home| {
        let wide = create(home, "wide", &[]);
        for project in ["apollo", "gemini"] {
            home.ok(&["projects", "create", project]);
        }
        let narrow = create(home, "narrow", &["--project", "apollo"]);
        home.ok(&["workspaces", "create", "other"]);
        home.ok(&["--workspace", "other", "projects", "create", "elsewhere"]);
        [wide, narrow]
    };
    let (here, there) = (make(&doors.local), make(&doors.behind));
    doors.until_known(&there[1]);
    let bearer = format!("Bearer {}", doors.behind.ok(&["operators", "create", "service", "--role", "verifier"]));
    let server = serve(&doors.behind);
    for (which, project, status, code) in [
        (0, None, 400, "PROJECT_REQUIRED"),
        (0, Some("gemini"), 200, "VALID"),
        (0, Some("elsewhere"), 403, "WRONG_PROJECT"),
        (0, Some("gemni"), 403, "WRONG_PROJECT"),
        (1, Some("apollo"), 200, "VALID"),
        (1, Some("gemini"), 403, "WRONG_PROJECT"),
    ] {
        let mut more = vec!["-o", "json", "verify", "-", "--env", "production"];
        more.extend(project.into_iter().flat_map(|name| ["--project", name]));
        for explain in [false, true] {
            let asked: Vec<&str> = more.iter().copied().chain(explain.then_some("--explain")).collect();
            let judge = |door: Door<'_>, keys: &[String]| {
                let ran = door.run(&asked, &keys[which]);
                let verdict: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"));
                (verdict["code"].as_str().unwrap().to_owned(), verdict["http_status"].as_u64().unwrap(), ran.code)
            };
            let expected = (code.to_owned(), status, Some(if status == 200 { 0 } else { 13 }));
            assert_eq!(judge(doors.here(), &here), expected, "{asked:?}");
            assert_eq!(judge(doors.there(), &there), expected, "{asked:?} through a server");
        }
        let body = json!({ "key": there[which], "project": project }).to_string();
        let answer = server.send("POST", "/v1/verify", &[("Authorization", &bearer)], &body).json();
        assert_eq!((answer["code"].as_str(), answer["http_status"].as_u64()), (Some(code), Some(status)), "{answer}");
    }
}

#[test]
fn a_holder_learns_whether_a_project_has_to_be_named() {
    let home = Home::with_vault();
    for project in ["apollo", "gemini"] {
        home.ok(&["projects", "create", project]);
    }
    let wide = create(&home, "wide", &["--rate-limit", "7/m"]);
    let narrow = create(&home, "narrow", &["--project", "apollo", "--rate-limit", "none"]);
    let server = serve(&home);
    for method in ["GET", "POST"] {
        let ask = |key: &str| server.send(method, "/v1/validate", &[("X-API-Key", key)], "").json();
        let of_wide = ask(&wide);
        assert_eq!((&of_wide["level"], &of_wide["name"]), (&json!("workspace"), &json!("wide")), "{of_wide}");
        assert_eq!(of_wide["rate_limit"], json!({ "limit": 7, "window_seconds": 60 }));
        let of_narrow = ask(&narrow);
        assert_eq!((&of_narrow["level"], &of_narrow["project"]), (&json!("project"), &json!("apollo")), "{of_narrow}");
        assert!(of_narrow["rate_limit"].is_null(), "{of_narrow}");
        assert_eq!(server.send(method, "/v1/validate", &[("X-API-Key", "kw_nonsense")], "").status, 401);
    }
}

#[test]
fn customers_are_judged_at_the_gateway_and_the_service_behind_is_told() {
    let home = Home::with_vault();
    for customer in ["acme", "contoso ltd", "x%20y"] {
        home.ok(&["customers", "create", customer]);
    }
    let wide = create(&home, "wide", &[]);
    let one = create(&home, "one", &["--customer", "acme"]);
    let some = create(&home, "some", &["--customer", "contoso ltd", "--customer", "x%20y"]);
    let server = serve(&home);
    let ask = |key: &str, path: &str, customer: Option<&str>| {
        let named = customer.map(|name| ("X-Customer-ID", name));
        let answer = gate(&server, key, path, named.as_slice());
        let customers = answer.header("x-keyward-customers").map(str::to_owned);
        (told(&answer).0, told(&answer).1, customers)
    };
    let is = |customers: &str| (204, None, Some(customers.to_owned()));
    let no = |code: &str| (403, Some(code.to_owned()), None);
    assert_eq!(ask(&one, "/invoices/7", Some("acme")), is("acme"));
    assert_eq!(ask(&one, "/invoices/7", None), is("acme"), "the service behind is told, and can judge");
    assert_eq!(ask(&one, "/invoices/7", Some("contoso%20ltd")), no("WRONG_CUSTOMER"));
    assert_eq!(ask(&some, "/invoices/7", Some("contoso%20ltd")), is("contoso%20ltd x%2520y"), "told apart");
    assert_eq!(ask(&wide, "/invoices/7", Some("acme")), (204, None, None), "narrowed to none");
    for key in [&wide, &one] {
        assert_eq!(ask(key, "/of-a-customer", None), no("NOT_ASKED"), "the route demands one");
    }
    assert_eq!(ask(&wide, "/of-a-customer", Some("acme")).0, 204);
    assert_eq!(ask(&one, "/of-a-customer", Some("acme")), is("acme"));
    assert_eq!(ask(&one, "/of-a-customer", Some("other")), no("WRONG_CUSTOMER"));
    // A key that is narrowed to none reaches those that there are.
    for path in ["/of-a-customer", "/invoices/7"] {
        assert_eq!(ask(&wide, path, Some("nonsense")), no("WRONG_CUSTOMER"));
        assert_eq!(ask(&wide, path, Some("contoso%20ltd")).0, 204);
    }
    let told = gate(&server, &wide, "/of-a-customer", &[("X-Customer-ID", "nonsense")]).json();
    assert!(told["detail"].as_str().unwrap().contains("has no such customer"), "{told:#}");
    // Without customers in the workspace its services alone know them.
    for name in ["one", "some"] {
        home.ok(&["update", name, "--all-customers"]);
    }
    for customer in ["acme", "contoso ltd", "x%20y"] {
        home.ok(&["customers", "delete", customer, "--yes"]);
    }
    while ask(&wide, "/of-a-customer", Some("nonsense")).0 != 204 {}
}

#[test]
fn a_customer_that_a_workspace_does_not_have_is_refused_by_every_door() {
    let home = Home::with_vault();
    let key = create(&home, "wide", &[]);
    let doors = |customer: &str| -> Vec<String> {
        let server = serve(&home);
        let token = home.ok(&["operators", "create", customer, "--role", "platform-admin"]);
        let there = [("KEYWARD_SERVER", server.url.as_str()), ("KEYWARD_TOKEN", token.as_str())];
        let mut codes: Vec<String> = [&[][..], &there[..]]
            .into_iter()
            .map(|variables| {
                let args = ["-o", "json", "verify", "-", "--env", "production", "--customer", customer];
                let ran = home.run_with_in(&args, &key, variables);
                serde_json::from_str::<Value>(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"))["code"].to_string()
            })
            .collect();
        let bearer = format!("Bearer {token}");
        for explain in [false, true] {
            let body = json!({ "key": key, "environment": "production", "customer": customer, "explain": explain });
            let answer = server.send("POST", "/v1/verify", &[("Authorization", &bearer)], &body.to_string());
            codes.push(answer.json()["code"].to_string());
        }
        codes
    };
    assert_eq!(doors("nobody"), ["\"VALID\""; 4], "the workspace declares no customers");
    home.ok(&["customers", "create", "acme"]);
    assert_eq!(doors("acme"), ["\"VALID\""; 4]);
    assert_eq!(doors("amce"), ["\"WRONG_CUSTOMER\""; 4]);
}

#[test]
fn the_customers_of_a_key_can_be_changed_through_every_door() {
    let doors = Doors::new();
    for home in [&doors.local, &doors.behind] {
        for customer in ["acme", "contoso"] {
            home.ok(&["customers", "create", customer]);
        }
        create(home, "sync", &["--customer", "acme"]);
    }
    let customers = |door: &Door<'_>| -> Value {
        serde_json::from_str::<Value>(&door.run(&["-o", "json", "show", "sync"], "").stdout).unwrap()["key"]
            ["customers"]
            .clone()
    };
    for (door, home) in [(doors.here(), &doors.local), (doors.there(), &doors.behind)] {
        let run = |args: &[&str]| door.run(args, "");
        let moved = run(&["update", "sync", "--add-customer", "contoso", "--remove-customer", "acme"]);
        assert!(moved.code == Some(0) && moved.stderr.contains("customers"), "{moved:?}");
        assert_eq!(customers(&door), json!(["contoso"]));
        let last = run(&["update", "sync", "--remove-customer", "contoso"]);
        assert!(last.code == Some(2) && last.stderr.contains("--all-customers"), "{last:?}");
        let unknown = run(&["update", "sync", "--add-customer", "nobody"]);
        assert!(unknown.code == Some(3) && unknown.stderr.contains("keyward customers create nobody"), "{unknown:?}");
        let both = run(&["update", "sync", "--add-customer", "acme", "--remove-customer", "acme"]);
        assert_eq!(both.code, Some(2), "{both:?}");
        let not_so = run(&["update", "sync", "--add-customer", "acme", "--remove-customer", "nobody"]);
        assert!(not_so.stderr.contains("'nobody'"), "{not_so:?}");
        assert_eq!(customers(&door), json!(["acme", "contoso"]));
        assert_eq!(run(&["update", "sync", "--all-customers"]).code, Some(0));
        assert_eq!(customers(&door), json!([]));
        let narrowed = run(&["update", "sync", "--add-customer", "acme"]);
        assert!(narrowed.stderr.contains("reached every customer before"), "{narrowed:?}");
        let trail = home.json(&["audit", "list", "--key", "sync", "--action", "key.update", "--outcome", "ok"]);
        let changed: Vec<&Value> =
            trail["items"].as_array().unwrap().iter().map(|event| &event["changes"][0]["to"]).collect();
        assert_eq!(changed.len(), 4, "{trail}");
        assert!(trail.to_string().contains("contoso"), "{trail}");
    }
    let root = format!("Bearer {}", std::fs::read_to_string(&doors.token).unwrap().trim());
    let body = json!({ "add_customers": ["contoso"], "remove_customers": ["acme"] }).to_string();
    let answer = doors.server.send("PATCH", "/v1/keys/sync", &[("Authorization", &root)], &body);
    assert_eq!(answer.json()["key"]["customers"], json!(["contoso"]), "{answer:?}");
    let applied = doors.behind.run_with(&["apply", "-f", "-", "--yes"], DECLARED);
    assert!(applied.code == Some(0), "{applied:?}");
    assert_eq!(customers(&doors.there()), json!(["acme", "contoso"]), "a file of keys can change them too");
}

const DECLARED: &str = "
[[keys]]
name = \"sync\"
environment = \"production\"
scopes = [\"invoices:read\"]
customers = [\"contoso\", \"acme\"]
";
