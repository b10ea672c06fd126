//! The OpenAPI document: it is that of the routes, it is the committed one, and real answers keep it.

use crate::support::{
    Home, Ran,
    server::{Answer, Served},
    tool,
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, path::Path};

const METHODS: [&str; 7] = ["get", "put", "post", "delete", "patch", "options", "trace"];
/// Headers that only some answers of an operation have.
const SOMETIMES: [&str; 7] = [
    "x-keyward-project",
    "x-keyward-customers",
    "x-keyward-cut-short",
    "x-keyward-assertion",
    "ratelimit",
    "ratelimit-policy",
    "location",
];

fn committed() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json")
}

/// A server, its document, and which of its operations have answered.
struct Contract {
    home: Home,
    server: Served,
    document: Value,
    root: String,
    answered: BTreeSet<String>,
}

impl Contract {
    fn new() -> Self {
        let home = Home::with_vault();
        let root = format!("Bearer {}", home.ok(&["operators", "create", "root", "--role", "platform-admin"]));
        let server = Served::start(&home, &["--address-limit", "none"]);
        let document = server.get("/openapi.json", &[]).json();
        Self { home, server, document, root, answered: BTreeSet::new() }
    }

    /// Calls as an operator; the answer must be one that the document has. `path` is the document's, `{}` in it filled in.
    fn call(&mut self, method: &str, path: &str, filled: &[&str], body: Value) -> Answer {
        let root = self.root.clone();
        self.call_as(("Authorization", &root), method, path, filled, body)
    }

    fn call_as(&mut self, who: (&str, &str), method: &str, path: &str, filled: &[&str], body: Value) -> Answer {
        self.call_with(&[who], method, path, filled, body)
    }

    fn call_with(
        &mut self,
        headers: &[(&str, &str)],
        method: &str,
        path: &str,
        filled: &[&str],
        body: Value,
    ) -> Answer {
        let mut real = String::new();
        let mut values = filled.iter();
        for (index, part) in path.split(['{', '}']).enumerate() {
            real.push_str(if index % 2 == 1 { values.next().unwrap() } else { part });
        }
        // What is left over is a query.
        real.extend(values.copied());
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = self.server.send(&method.to_ascii_uppercase(), &real, headers, &body);
        let operation = &self.document["paths"][path][method];
        assert!(operation.is_object(), "{method} {path} is not in the document");
        self.check(operation, &answer);
        if answer.status < 300 {
            self.answered.insert(operation["operationId"].as_str().unwrap().to_owned());
        }
        answer
    }

    /// Whether an answer is one that the document promises.
    fn check(&self, operation: &Value, answer: &Answer) {
        let mut promised = &operation["responses"][answer.status.to_string()];
        let id = &operation["operationId"];
        assert!(promised.is_object(), "{id} answered {answer:?}");
        if let Some(name) = promised["$ref"].as_str() {
            promised = self.document.pointer(name.trim_start_matches('#')).unwrap();
        }
        for name in promised["headers"].as_object().into_iter().flat_map(|headers| headers.keys()) {
            let name = name.to_ascii_lowercase();
            assert!(
                answer.header(&name).is_some() || SOMETIMES.contains(&name.as_str()),
                "{id} lacks {name}: {answer:?}"
            );
        }
        let Some(content) = promised["content"].as_object() else {
            assert_eq!(answer.body, "", "{id}");
            return;
        };
        let given = answer.header("content-type").unwrap();
        let named = content.iter().find(|(kind, _)| given.starts_with(kind.as_str()));
        let (kind, content) = named.unwrap_or_else(|| panic!("{id}: {answer:?}"));
        let value = if kind.contains("json") && !kind.contains("ndjson") { answer.json() } else { json!(answer.body) };
        let told: Vec<String> = self
            .validator(&content["schema"])
            .iter_errors(&value)
            .map(|error| format!("{error} at {}", error.instance_path()))
            .collect();
        assert!(told.is_empty(), "{id}: {told:?}\n{value:#}");
    }

    /// A validator that takes no field which the document does not name.
    fn validator(&self, schema: &Value) -> jsonschema::Validator {
        let text = self.document["components"]["schemas"].to_string();
        let mut schemas = self.document["components"]["schemas"].clone();
        for (name, one) in schemas.as_object_mut().unwrap() {
            let is_part = text.contains(&format!("\"allOf\":[{{\"$ref\":\"#/components/schemas/{name}\""));
            if one["properties"].is_object() && !is_part {
                one["unevaluatedProperties"] = json!(false);
            }
        }
        let whole = json!({ "allOf": [schema], "components": { "schemas": schemas } });
        jsonschema::draft202012::new(&whole).unwrap()
    }

    fn operations(&self) -> Vec<(String, String, &Value)> {
        let paths = self.document["paths"].as_object().unwrap();
        let of = |(path, item): (&String, &'_ Value)| -> Vec<(String, String)> {
            item.as_object().unwrap().keys().map(|method| (path.clone(), method.clone())).collect()
        };
        let all: Vec<(String, String)> = paths.iter().flat_map(of).collect();
        all.into_iter()
            .map(|(path, method)| {
                let held = &self.document["paths"][&path][&method];
                (path, method, held)
            })
            .collect()
    }
}

#[test]
fn the_server_gives_out_the_committed_document_compressed_for_who_takes_it() {
    let contract = Contract::new();
    let kept = std::fs::read_to_string(committed()).unwrap();
    assert!(serde_json::from_str::<Value>(&kept).unwrap() == contract.document);
    for (accepts, coded) in [("gzip, br", true), ("gzip;q=0", false), ("br", false)] {
        let told = contract.server.get("/openapi.json", &[("Accept-Encoding", accepts)]);
        assert_eq!(told.header("content-encoding"), coded.then_some("gzip"), "{accepts}");
        assert_eq!(told.header("vary"), Some("accept-encoding"));
    }
}

#[test]
fn a_published_validator_takes_the_document_for_openapi() {
    let Some(validator) = tool("openapi-spec-validator", "openapi-spec-validator") else { return };
    let ran = Ran::of(std::process::Command::new(validator).arg(committed()).output().unwrap());
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn every_route_is_in_the_document_and_nothing_else_is() {
    let contract = Contract::new();
    let operations = contract.operations();
    let ids: BTreeSet<&str> = operations.iter().map(|(_, _, held)| held["operationId"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), operations.len(), "every operation has a name of its own");
    // What the document has is there, and where it has no method, there is none.
    for path in contract.document["paths"].as_object().unwrap().keys() {
        let real = path.replace("{kind}", "plans").replace(['{', '}'], "");
        for method in METHODS {
            let answer = contract.server.send(&method.to_ascii_uppercase(), &real, &[], "");
            let documented = contract.document["paths"][path][method].is_object();
            assert_eq!(answer.status != 405, documented, "{method} {path}: {answer:?}");
            assert_ne!(answer.status, 404, "{method} {path}: {answer:?}");
        }
    }
    // Routes come from the declarations of use cases, which document them, and from the list in `routes/mod.rs`, where those
    // that are of their own kind are named beside their entries; none is forgotten.
    let elsewhere = ["src/server/openapi/mod.rs", "src/server/reference/mod.rs"].map(|path| {
        let code = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
        code.matches("operation_id = ").count()
    });
    let mut annotated: usize = elsewhere.iter().sum();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ops")];
    while let Some(folder) = folders.pop() {
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                annotated += std::fs::read_to_string(path).unwrap().matches("Route::new(Method::").count();
            }
        }
    }
    for file in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server/routes")).unwrap() {
        let code = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for (path, _) in code.split(".route(\"").skip(1).filter_map(|rest| rest.split_once('"')) {
            // As people type it, and no other place.
            let path = path.strip_suffix('/').unwrap_or(path).replace("{*", "{");
            assert!(contract.document["paths"][&path].is_object(), "{path} has no entry in the document");
        }
        for undocumented in [".route_service(", ".nest(", ".nest_service(", "fallback_service("] {
            assert!(!code.contains(undocumented), "a route without a place in the document");
        }
        annotated += code.matches("operation_id = ").count();
    }
    let bases = operations.iter().map(|(path, method, held)| {
        let id = held["operationId"].as_str().unwrap();
        if path.starts_with("/v1/authz") {
            id.trim_end_matches(&format!("_{method}")).to_owned()
        } else {
            id.to_owned()
        }
    });
    assert_eq!(bases.collect::<BTreeSet<String>>().len(), annotated, "a handler or a declared use case has no route");
}

/// What generators of clients for Rust, TypeScript and Python stumble over, and what linters call an error.
#[test]
fn generators_find_what_they_need() {
    fn each<'a>(value: &'a Value, with: &mut dyn FnMut(&'a Value)) {
        with(value);
        match value {
            Value::Object(fields) => fields.values().for_each(|field| each(field, with)),
            Value::Array(all) => all.iter().for_each(|one| each(one, with)),
            _ => {}
        }
    }
    let contract = Contract::new();
    for (path, method, operation) in contract.operations() {
        assert!(operation["security"].is_array(), "{method} {path} does not say who may call");
        let contents = operation["responses"]["200"]["content"].as_object();
        let kinds: Vec<&String> = contents.into_iter().flat_map(|content| content.keys()).collect();
        let known = |kind: &&String| *kind == "application/json" || kind.starts_with("text/");
        assert!(kinds.is_empty() || kinds.iter().any(known), "{method} {path} answers {kinds:?}");
    }
    let open = ["/healthz", "/readyz", "/openapi.json", "/docs", "/.well-known/jwks.json"];
    assert!(open.iter().all(|path| contract.document["paths"][path]["get"]["security"] == json!([])));
    each(&contract.document["components"]["schemas"], &mut |schema| {
        let fields = schema["properties"].as_object().into_iter().flat_map(|fields| fields.values());
        fields.for_each(|field| assert!(field.get("default").is_none(), "a field that need not be sent: {field}"));
        let words = schema["oneOf"].as_array().into_iter().flatten().filter(|variant| variant["enum"].is_array());
        assert!(words.count() < 2, "two variants that are words get one name: {schema}");
    });
}

#[test]
fn a_whole_number_is_an_integer_however_it_is_written() {
    let mut api = Contract::new();
    let limit = api.server.send(
        "POST",
        "/v1/keys",
        &[("Authorization", &api.root)],
        r#"{"name":"sync.1.0","rate_limit":{"limit":454.0,"window_seconds":3600.00}}"#,
    );
    assert_eq!(limit.json()["key"]["rate_limit"], json!({ "limit": 454, "window_seconds": 3600 }), "{limit:?}");
    assert_eq!(limit.json()["key"]["name"], "sync.1.0");
    let token = limit.json()["secret"].clone();
    assert_eq!(api.call("post", "/v1/verify", &[], json!({ "key": token, "cost": 2.0 })).json()["valid"], true);
    let half = r#"{"name":"half","rate_limit":{"limit":4.5,"window_seconds":3600}}"#;
    assert_eq!(api.server.send("POST", "/v1/keys", &[("Authorization", &api.root)], half).status, 400);
}

#[test]
fn examples_are_what_their_schemas_say() {
    let contract = Contract::new();
    let mut seen = 0;
    for (name, schema) in contract.document["components"]["schemas"].as_object().unwrap() {
        let examples = schema["examples"].as_array().cloned().unwrap_or_default();
        for example in examples.iter().chain(schema.get("example")) {
            let validator = contract.validator(&json!({ "$ref": format!("#/components/schemas/{name}") }));
            assert!(validator.is_valid(example), "{name}: {example}");
            seen += 1;
        }
    }
    assert!(seen >= 4, "{seen} examples");
}

/// Every operation answers as the document says, each with a success.
#[test]
fn real_answers_are_those_that_the_document_promises() {
    let mut api = Contract::new();
    let example = |api: &Contract, name: &str| api.document["components"]["schemas"][name]["example"].clone();

    for path in ["/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/.well-known/jwks.json"] {
        api.call("get", path, &[], Value::Null);
    }
    api.call("get", "/v1/whoami", &[], Value::Null);

    // Keys.
    let create = example(&api, "Create");
    let made = api.call("post", "/v1/keys", &[], create.clone());
    assert_eq!(made.status, 201);
    let secret = made.json()["secret"].as_str().unwrap().to_owned();
    let id = made.json()["key"]["id"].as_str().unwrap().to_owned();
    assert_eq!(api.call("post", "/v1/keys", &[], create).status, 409);
    assert_eq!(api.call("post", "/v1/keys", &[], json!({ "name": 1 })).status, 400);
    assert_eq!(
        api.call("post", "/v1/keys/bulk", &[], json!({ "keys": [{ "name": "a" }, { "name": "b" }] })).status,
        201
    );
    let wrong = json!({ "keys": [{ "name": "c", "project": "nowhere" }] });
    assert_eq!(api.call("post", "/v1/keys/bulk", &[], wrong).status, 422);
    assert_eq!(
        api.call("get", "/v1/keys", &["?limit=1&environment=production"], Value::Null).json()["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(api.call("get", "/v1/keys", &["?limit=0"], Value::Null).status, 400);
    assert_eq!(api.call("get", "/v1/keys/{key}", &[&id], Value::Null).status, 200);
    assert_eq!(api.call("get", "/v1/keys/{key}", &["nothing"], Value::Null).status, 404);
    let update = example(&api, "Update");
    assert_eq!(api.call("patch", "/v1/keys/{key}", &[&id], update).status, 200);
    let root = api.root.clone();
    let early = [("Authorization", root.as_str()), ("If-Match", "\"v1\"")];
    assert_eq!(api.call_with(&early, "patch", "/v1/keys/{key}", &[&id], json!({ "owner": "x" })).status, 412);
    for switch in ["deactivate", "activate"] {
        let switched = api.call("post", &format!("/v1/keys/{{key}}/{switch}"), &["a"], Value::Null);
        assert_eq!(switched.json()["changed"], true);
    }

    // Keys as a file declares them, and their hygiene.
    let declared = api.call("post", "/v1/keys/export", &[], json!({ "environment": "production" })).json();
    let mut keys = declared["items"].as_array().unwrap().clone();
    assert_eq!(api.call("post", "/v1/keys/plan", &[], json!({ "keys": keys })).json()["steps"], json!([]));
    keys.push(json!({ "key": { "name": "declared", "owner": "ops" } }));
    let applied = api.call("post", "/v1/keys/apply", &[], json!({ "keys": keys })).json();
    assert_eq!(applied["created"][0]["key"]["name"], "declared");
    assert_eq!(api.call("post", "/v1/keys/apply", &[], json!({ "keys": [keys[0], keys[0]] })).status, 400);
    let policy = json!({ "policy": { "rules": { "no-owner": { "severity": "error" } } } });
    assert!(api.call("post", "/v1/keys/check", &[], policy.clone()).json()["keys"].as_u64() > Some(0));
    assert_eq!(api.call("post", "/v1/keys/check", &[], json!({ "policy": { "rulez": 1 } })).status, 400);
    assert_eq!(api.call("post", "/v1/keys/export", &[], json!([null, null])).status, 400, "a list is no object");
    assert_eq!(api.call("post", "/v1/keys/{key}/check", &[&id], policy).json()["key"]["id"], json!(id));
    assert_eq!(api.call("post", "/v1/keys/{key}/check", &["nothing"], Value::Null).status, 404);

    // Verdicts.
    let asked = json!({ "key": secret, "environment": "production", "scopes": ["invoices:read"], "explain": true });
    assert_eq!(api.call("post", "/v1/verify", &[], asked).json()["valid"], true);
    assert_eq!(api.call("post", "/v1/verify", &[], json!({ "key": "kw_nothing" })).json()["code"], "MALFORMED");
    assert_eq!(api.call("post", "/v1/verify", &[], json!({})).status, 400);
    let holder = ("X-API-Key", secret.as_str());
    assert_eq!(api.call_as(holder, "post", "/v1/validate", &[], Value::Null).status, 200);
    assert_eq!(api.call_as(holder, "get", "/v1/validate", &[], Value::Null).json()["level"], "workspace");
    assert_eq!(api.call_as(("X-API-Key", "nothing"), "post", "/v1/validate", &[], Value::Null).status, 401);
    api.call_as(holder, "get", "/v1/projects", &[], Value::Null);
    api.home.ok(&["projects", "create", "apollo"]);
    let narrow = api.home.ok(&["create", "narrow", "--project", "apollo"]);
    // Made by another process: a change through the server is answered once it has looked.
    api.call("post", "/v1/keys/{key}/activate", &["narrow"], Value::Null);
    for method in METHODS.into_iter().chain(["head"]) {
        assert_eq!(api.call_as(("X-API-Key", &narrow), method, "/v1/authz", &[], Value::Null).status, 204);
    }
    api.home.ok(&["projects", "create", "voyager"]);
    while api.server.get("/v1/authz", &[("X-API-Key", &secret)]).status != 400 {
        std::thread::yield_now();
    }
    assert_eq!(api.call_as(holder, "get", "/v1/authz", &[], Value::Null).status, 400, "a project must be named");
    assert_eq!(api.call_as(("X-API-Key", ""), "get", "/v1/authz", &[], Value::Null).status, 401);
    // Without a route table no path is known.
    assert_eq!(api.call_as(("X-API-Key", &narrow), "get", "/v1/authz/{path}", &["x"], Value::Null).status, 200);

    // Rotations.
    let mut stage = example(&api, "Stage");
    stage["sinks"] = json!(["file:/nowhere"]);
    let staged = api.call("post", "/v1/keys/{key}/rotations", &[&id], stage).json();
    let rotation = staged["rotation"]["id"].as_str().unwrap().to_owned();
    for progress in [json!("intended"), json!({ "delivered": "written" })] {
        let step = json!({ "secret": staged["lookup"], "sink": "file:/nowhere", "progress": progress });
        assert_eq!(api.call("post", "/v1/rotations/{rotation}/steps", &[&rotation], step).status, 200);
    }
    api.call("get", "/v1/rotations", &[], Value::Null);
    api.call("get", "/v1/rotations/{rotation}", &[&rotation], Value::Null);
    assert_eq!(api.call("post", "/v1/rotations/{rotation}/commit", &[&rotation], json!({})).status, 200);
    assert_eq!(api.call("post", "/v1/keys/{key}/rotate", &["b"], json!({"overlap": "now"})).status, 201);
    let staged = api.call("post", "/v1/keys/{key}/rotations", &["b"], json!({})).json();
    let rotation = staged["rotation"]["id"].as_str().unwrap().to_owned();
    assert_eq!(api.call("post", "/v1/rotations/{rotation}/abort", &[&rotation], json!({})).status, 200);
    assert_eq!(api.call("post", "/v1/rotations/{rotation}/abort", &[&rotation], json!({})).status, 409);
    held(&mut api);
    assert_eq!(api.call("post", "/v1/overlaps", &[], json!({ "only_if_idle": 3_600 })).status, 200);
    assert_eq!(api.call("post", "/v1/keys/carry", &[], json!({ "to": "a vault" })).status, 200);

    // What a workspace holds.
    let changes = json!({ "changes": [{ "add": { "scope": "audits:read", "description": "Look" } }, "close", "open"] });
    assert_eq!(api.call("post", "/v1/scopes", &[], changes).status, 200);
    api.call("get", "/v1/scopes", &[], Value::Null);
    api.call("get", "/v1/demands", &[], Value::Null);
    api.call("get", "/v1/scopes/{scope}", &["audits:read"], Value::Null);
    assert_eq!(api.call("post", "/v1/projects", &[], json!({ "name": "gemini" })).status, 201);
    api.call("get", "/v1/projects", &[], Value::Null);
    let plan = json!({ "name": "small", "max_keys": 5, "max_rate_limit": { "limit": 9, "window_seconds": 60 } });
    assert_eq!(api.call("post", "/v1/{kind}", &["plans"], plan).status, 201);
    assert_eq!(
        api.call(
            "post",
            "/v1/{kind}",
            &["workspaces"],
            json!({ "name": "eu", "plan": "small", "rotate_every": 86400 })
        )
        .json()["rotate_every_seconds"],
        86400
    );
    for kind in ["workspaces", "projects", "customers", "plans"] {
        api.call("get", "/v1/{kind}", &[kind], Value::Null);
    }
    api.call("get", "/v1/{kind}/{name}", &["workspaces", "eu"], Value::Null);
    assert_eq!(
        api.call("patch", "/v1/{kind}/{name}", &["plans", "small"], json!({ "max_keys": null })).json()["max_keys"],
        Value::Null
    );
    api.call("delete", "/v1/{kind}/{name}", &["workspaces", "eu"], Value::Null);
    assert_eq!(api.call("get", "/v1/{kind}/{name}", &["workspaces", "eu"], Value::Null).status, 404);

    // The trail, and how keys are used.
    assert!(
        api.call("get", "/v1/audit", &["?limit=2&action=key.create"], Value::Null).json()["page"]["total"].as_u64()
            > Some(1)
    );
    api.call("get", "/v1/audit/{seq}", &["1"], Value::Null);
    assert_eq!(api.call("get", "/v1/audit/{seq}", &["999999"], Value::Null).status, 404);
    assert_eq!(api.call("get", "/v1/audit", &["?limit=10001"], Value::Null).status, 400);
    assert_eq!(api.call("post", "/v1/audit/verify", &[], json!({ "full": true })).json()["ok"], true);
    let forged = json!({ "checkpoints": [{ "note": "", "place": "" }] });
    assert_eq!(api.call("post", "/v1/audit/verify", &[], forged).status, 422);
    assert_eq!(api.call("post", "/v1/audit/export", &["?limit=10001"], Value::Null).status, 200);
    assert_eq!(api.call("get", "/v1/audit/{seq}/proof", &["2"], Value::Null).json()["seq"], 2);
    assert_eq!(api.call("get", "/v1/audit/{seq}/proof", &["2", "?size=999999"], Value::Null).status, 404);
    assert_eq!(api.call("get", "/v1/audit/{seq}/proof", &["999999"], Value::Null).status, 404);
    let places = json!({ "places": ["file:/nowhere"] });
    assert!(api.call("post", "/v1/audit/checkpoint", &[], places).json()["size"].as_u64() > Some(2));
    assert_eq!(api.call("get", "/v1/audit/review", &["?summary=true"], Value::Null).json()["upto"], 0);
    let review = json!({ "upto": 2, "note": "nothing odd" });
    assert_eq!(api.call("post", "/v1/audit/review", &[], review.clone()).json()["upto"], 2);
    assert_eq!(api.call("post", "/v1/audit/review", &[], review).status, 409);
    let mut kept = api.call("get", "/v1/usage/retention", &[], Value::Null).json();
    kept["counts_seconds"] = json!(864_000);
    assert_eq!(api.call("put", "/v1/usage/retention", &[], kept.clone()).json(), kept);
    kept["counts_seconds"] = json!(1);
    assert_eq!(api.call("put", "/v1/usage/retention", &[], kept).status, 400);
    api.call("get", "/v1/usage", &["?by=code"], Value::Null);
    api.call("get", "/v1/logs", &["?denied=true"], Value::Null);
    // Webhooks.
    let hook = crate::webhooks::Hook::new(&["204 No Content"]);
    let mut add = example(&api, "AddWebhook");
    let far = add["name"].as_str().unwrap().to_owned();
    assert_eq!(api.call("post", "/v1/webhooks", &[], add.clone()).status, 201);
    // Before anything happens that it would be told.
    assert_eq!(api.call("delete", "/v1/webhooks/{name}", &[&far], Value::Null).status, 200);
    (add["name"], add["url"], add["allow_private"]) = (json!("near"), json!(hook.url()), json!(true));
    assert_eq!(api.call("post", "/v1/webhooks", &[], add.clone()).status, 201);
    assert_eq!(api.call("post", "/v1/webhooks", &[], add).status, 409);
    assert_eq!(api.call("post", "/v1/webhooks/{name}/test", &["near"], Value::Null).status, 200);
    assert_eq!(api.call("get", "/v1/webhooks", &[], Value::Null).json()["page"]["total"], 1);
    assert_eq!(api.call("delete", "/v1/webhooks/{name}", &["near"], Value::Null).status, 200);
    assert_eq!(api.call("delete", "/v1/webhooks/{name}", &["near"], Value::Null).status, 404);

    // Operators.
    let appoint = example(&api, "CreateOperator");
    let name = appoint["name"].as_str().unwrap().to_owned();
    let appointed = api.call("post", "/v1/operators", &[], appoint).json();
    let weak = format!("Bearer {}", appointed["secret"].as_str().unwrap());
    assert_eq!(api.call_as(("Authorization", &weak), "get", "/v1/keys", &[], Value::Null).status, 403);
    api.call("get", "/v1/operators", &[], Value::Null);
    api.call("post", "/v1/operators/{name}/rotate", &[&name], json!({ "overlap": { "for": 60 } }));
    api.call("post", "/v1/operators/{name}/revoke", &[&name], Value::Null);
    assert_eq!(api.call_as(("Authorization", &weak), "get", "/v1/keys", &[], Value::Null).status, 401);

    let many = json!({ "changes": [{ "deactivate": { "key": id } }, { "deactivate": { "key": "nobody" } }] });
    assert_eq!(api.call("post", "/v1/keys/changes", &[], many).json()["items"][0]["changed"], true);
    let trust = example(&api, "AddTrust");
    let name = trust["name"].as_str().unwrap().to_owned();
    assert_eq!(api.call("post", "/v1/trusts", &[], trust.clone()).status, 201);
    assert_eq!(api.call("post", "/v1/trusts", &[], trust).status, 409);
    assert_eq!(api.call("get", "/v1/trusts", &[], Value::Null).json()["items"][0]["name"], name.as_str());
    assert_eq!(api.call("delete", "/v1/trusts/{name}", &[&name], Value::Null).status, 200);

    assert_eq!(api.call("post", "/v1/keys/{key}/revoke", &[&id], Value::Null).json()["changed"], true);
    assert_eq!(api.call("delete", "/v1/keys/{key}", &[&id], Value::Null).status, 200);

    let missing: Vec<&str> = api
        .operations()
        .into_iter()
        .map(|(.., held)| held["operationId"].as_str().unwrap())
        .filter(|id| !api.answered.contains(*id))
        .filter(|id| !id.starts_with("authz_path_"))
        .collect();
    assert_eq!(missing, Vec::<&str>::new(), "operations without a real answer");
    api.home.ok(&["audit", "verify"]);
}

/// What the holder of a key is answered.
fn held(api: &mut Contract) {
    for (name, aborts) in [("held", true), ("held-too", false)] {
        let made = api.call("post", "/v1/keys", &[], json!({ "name": name, "self": ["rotate", "revoke"] })).json();
        let key = ("X-API-Key", made["secret"].as_str().unwrap());
        assert_eq!(api.call_as(key, "get", "/v1/self", &[], Value::Null).status, 200);
        let staged = api.call_as(key, "post", "/v1/self/rotations", &[], json!({ "sinks": ["file:x"] })).json();
        let rotation = staged["rotation"]["id"].as_str().unwrap();
        let step = json!({ "secret": staged["lookup"], "sink": "file:x", "progress": "intended" });
        api.call_as(key, "post", "/v1/self/rotations/{rotation}/steps", &[rotation], step);
        api.call_as(key, "get", "/v1/self/rotations/{rotation}", &[rotation], Value::Null);
        let (path, body) = match aborts {
            true => ("/v1/self/rotations/{rotation}/abort", json!({ "force": true })),
            false => ("/v1/self/rotations/{rotation}/commit", json!({ "receipts": ["file:x"] })),
        };
        assert_eq!(api.call_as(key, "post", path, &[rotation], body).status, 200);
        assert_eq!(api.call_as(key, "post", "/v1/self/revoke", &[], json!({ "reason": "leaked" })).status, 200);
        assert_eq!(api.call_as(key, "get", "/v1/self", &[], Value::Null).status, 401);
    }
}
