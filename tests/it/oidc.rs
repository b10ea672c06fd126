//! Operators without a stored credential: a server takes the token of a job, from an issuer that is trusted, when every check is
//! passed; and who it was stands in the trail.

use crate::support::{
    Home,
    issuer::{Issuer, Pair, encoded, now, token},
    server::{Answer, Served},
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

const AUDIENCE: &str = "https://keys.example.com";

/// A vault that lets in the jobs of one repository, in one environment, as rotators.
fn trusting(issuer: &Issuer, more: &[&str]) -> Home {
    let home = Home::new();
    home.ok(&["create", "sync", "--env", "production"]);
    let args = ["operators", "trust", "add", "ci", "--kind", "github", "--role", "rotator", "--bind", "default"];
    let binding = ["--issuer", issuer.url(), "--audience", AUDIENCE];
    let claims = ["--claim", "repository_id=7", "--claim", "environment=prod"];
    home.ok(&[&args[..], &binding, &claims, more].concat());
    home
}

/// What GitHub says of a job of that repository.
fn job() -> Value {
    json!({
        "aud": AUDIENCE, "sub": "repo:acme/web:environment:prod", "repository": "acme/web", "repository_id": "7",
        "environment": "prod", "ref": "refs/heads/main", "ref_protected": "true", "event_name": "schedule",
        "run_id": "42", "run_attempt": "1",
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut job = job();
    job[name] = value;
    job
}

fn ask(server: &Served, token: &str) -> Answer {
    server.get("/v1/whoami", &[("Authorization", &format!("Bearer {token}"))])
}

#[test]
fn a_job_is_let_in_by_its_token_as_what_was_said_and_for_as_long_as_it_lives() {
    let issuer = Issuer::start(Pair::rsa());
    issuer.add("second", Pair::p256());
    issuer.add("third", Pair::ed25519());
    let home = trusting(&issuer, &[]);
    let server = Served::start(&home, &[]);
    for key in ["first", "second", "third"] {
        let answer = ask(&server, &issuer.token_by(key, &job()));
        assert_eq!(answer.status, 200, "{key}: {answer:?}");
        let me = answer.json();
        assert_eq!(me["operator"]["name"], "oidc:repo:acme/web:environment:prod");
        assert_eq!((&me["operator"]["role"], &me["workspace"]), (&json!("rotator"), &json!("default")));
        assert!(me["operator"]["expires_at"].is_string() && me["operator"]["hint"].is_null(), "{me}");
    }
    assert_eq!(issuer.asked(), 1, "the keys of an issuer are kept");
    // Clocks may differ by a minute.
    for (iat, exp) in [(-200, -40), (40, 300), (0, 3_600)] {
        let times = with("iat", json!(now() + iat));
        let mut times = times;
        times["nbf"] = json!(now() + iat);
        times["exp"] = json!(now() + exp + iat.min(0));
        times["exp"] = json!(now() + exp);
        assert_eq!(ask(&server, &issuer.token(&times)).status, 200, "{iat} {exp}");
    }
    // An issuer that is away makes nobody unknown.
    issuer.is_away(true);
    assert_eq!(ask(&server, &issuer.token(&job())).status, 200);
    // Its role is the bound, and the trail says who tried.
    let bearer = format!("Bearer {}", issuer.token(&job()));
    let refused = server.send("POST", "/v1/keys", &[("Authorization", &bearer)], r#"{"name":"x"}"#);
    assert_eq!(refused.status, 403, "{refused:?}");
    let body = r#"{"overlap":{"for":60}}"#;
    assert_eq!(server.send("POST", "/v1/keys/sync/rotate", &[("Authorization", &bearer)], body).status, 201);
    let own = [("Authorization", bearer.as_str()), ("Keyward-Ticket", "OPS-1")];
    assert_eq!(server.send("POST", "/v1/keys/sync/rotate", &own, r#"{"overlap":"now","supersede":true}"#).status, 201);
    let trail = home.json(&["audit", "list", "--actor", "oidc:repo:acme/web:environment:prod"]);
    let told: Vec<(&Value, &Value)> =
        trail["items"].as_array().unwrap().iter().map(|one| (&one["action"], &one["ticket"])).collect();
    let run = json!("http://127.0.0.1");
    assert!(told.iter().any(|(action, _)| **action == json!("key.create")), "{told:?}");
    assert!(
        told.iter().any(|(action, ticket)| **action == json!("key.rotate") && **ticket == json!("OPS-1")),
        "{told:?}"
    );
    let by_run = told.iter().any(|(action, ticket)| {
        **action == json!("key.rotate")
            && ticket.as_str().is_some_and(|ticket| {
                ticket.starts_with(run.as_str().unwrap()) && ticket.ends_with("/acme/web/actions/runs/42")
            })
    });
    assert!(by_run, "{told:?}");
    // What is ended is ended at once, also for tokens that are out.
    home.ok(&["operators", "trust", "remove", "ci", "--yes"]);
    let root = home.ok(&["operators", "create", "root", "--role", "platform-admin"]);
    assert_eq!(ask(&server, &root).status, 200);
    assert_eq!(ask(&server, &issuer.token(&job())).status, 401);
    // And what is added lets in at once.
    home.ok(&[
        "operators",
        "trust",
        "add",
        "again",
        "--kind",
        "github",
        "--role",
        "auditor",
        "--issuer",
        issuer.url(),
        "--audience",
        AUDIENCE,
        "--claim",
        "repository_id=7",
        "--claim",
        "environment=prod",
    ]);
    assert_eq!(ask(&server, &issuer.token(&job())).json()["operator"]["role"], "auditor");
    let (_, log) = server.stop(Signal::SIGTERM);
    assert!(!log.contains("eyJ"), "a token is in the log: {log}");
}

/// Forged, stale, foreign, of a fork, unsigned, for somebody else, of another repository: each is refused, in the same words where
/// nothing is known to be true, and the trail says which check it was.
#[test]
fn what_is_not_the_token_of_a_job_that_is_trusted_is_refused_and_audited() {
    let issuer = Issuer::start(Pair::p256());
    issuer.add("other", Pair::ed25519());
    let (stranger, home) = (Issuer::start(Pair::p256()), trusting(&issuer, &["--allow-ip", "198.51.100.0/24"]));
    let server = Served::start(&home, &["--trust-proxy", "127.0.0.1"]);
    let good = issuer.token(&job());
    let signed = |header: Value, claims: &Value| token(&issuer.pair("first"), &header, &issuer.claims(claims));
    let unsigned = |alg: &str| {
        let header = encoded(json!({ "alg": alg, "kid": "first", "typ": "JWT" }).to_string().as_bytes());
        format!("{header}.{}.", encoded(issuer.claims(&job()).to_string().as_bytes()))
    };
    let cut = |at: usize| good.split('.').nth(at).unwrap().to_owned();
    let times = |iat: i64, nbf: i64, exp: i64| {
        let mut job = job();
        (job["iat"], job["nbf"], job["exp"]) = (json!(now() + iat), json!(now() + nbf), json!(now() + exp));
        issuer.token(&job)
    };
    let cases = [
        // A genuine header and signature over other claims; and another's signature under the name of the key.
        (
            format!(
                "{}.{}.{}",
                cut(0),
                encoded(issuer.claims(&with("sub", json!("root"))).to_string().as_bytes()),
                cut(2)
            ),
            "signature",
        ),
        (
            token(&stranger.pair("first"), &json!({ "alg": "ES256", "kid": "first" }), &issuer.claims(&job())),
            "signature",
        ),
        (token(&stranger.pair("first"), &json!({ "alg": "ES256", "kid": "made-up" }), &issuer.claims(&job())), "key"),
        // Another key of the issuer, and another algorithm than that of the key.
        (token(&issuer.pair("first"), &json!({ "alg": "ES256", "kid": "other" }), &issuer.claims(&job())), "signature"),
        (token(&issuer.pair("other"), &json!({ "alg": "ES256", "kid": "other" }), &issuer.claims(&job())), "signature"),
        (stranger.token(&job()), "issuer"),
        (unsigned("none"), "algorithm"),
        (unsigned("HS256"), "algorithm"),
        (signed(json!({ "alg": "ES256", "kid": "first", "typ": "at+jwt" }), &job()), "header"),
        (signed(json!({ "alg": "ES256", "kid": "first", "crit": ["exp"] }), &job()), "header"),
        (signed(json!({ "alg": "ES256" }), &job()), "header"),
        (format!("{good}AAAA"), "signature"),
        (format!("{}=.{}.{}", cut(0), cut(1), cut(2)), "form"),
        (times(-600, -600, -70), "expired"),
        (times(70, 70, 300), "not_yet"),
        (times(0, 70, 300), "not_yet"),
        (times(-10, -10, 3_700), "life"),
        (issuer.token(&with("exp", Value::Null)), "life"),
        (issuer.token(&with("aud", json!("https://other.example.com"))), "audience"),
        (issuer.token(&with("aud", json!([AUDIENCE, "https://other.example.com"]))), "audience"),
        (issuer.token(&with("aud", Value::Null)), "audience"),
        (issuer.token(&with("sub", Value::Null)), "claims"),
        // A repository that took over the name, a fork, another environment, a pull request.
        (issuer.token(&with("repository_id", json!("8"))), "claims"),
        (issuer.token(&with("environment", json!("staging"))), "claims"),
        (issuer.token(&with("environment", Value::Null)), "claims"),
        (issuer.token(&with("event_name", json!("pull_request_target"))), "claims"),
    ];
    let from = |token: &str, address: &str| {
        server.get("/v1/whoami", &[("Authorization", &format!("Bearer {token}")), ("X-Forwarded-For", address)])
    };
    assert_eq!(from(&good, "198.51.100.200").status, 200);
    let mut bodies = Vec::new();
    for (number, (token, check)) in cases.iter().enumerate() {
        let answer = from(token, &format!("198.51.100.{number}"));
        assert_eq!(answer.status, 401, "{check}: {answer:?}");
        let told = answer.json();
        assert_eq!((&told["code"], &told["reason"]), (&json!("AUTH"), &json!("credential")), "{check}: {told}");
        assert!(
            !answer.body.contains("eyJ") && !answer.body.contains("'ci'") && !answer.body.contains("repository_id")
        );
        bodies.push((*check, told["causes"][0].as_str().unwrap().to_owned()));
    }
    let said = |check: &str| bodies.iter().filter(|(one, _)| *one == check).map(|(_, said)| said).collect::<Vec<_>>();
    assert_eq!(said("issuer")[0], said("signature")[0], "whom a server trusts is not to be found out");
    let outside = from(&good, "203.0.113.9");
    assert_eq!(outside.status, 401, "{outside:?}");
    let huge = format!("{}.{}.x", cut(0), "A".repeat(9_000));
    assert_eq!(from(&huge, "203.0.113.8").status, 401);
    let (_, log) = server.stop(Signal::SIGTERM);
    assert!(!log.contains("eyJ"), "a token is in the log");
    assert!(log.contains("signature") && log.contains("audience"), "{log}");
    // One event an address, up to twenty in a report, and the rest joined: each check is counted.
    let trail = home.json(&["audit", "list", "--action", "operator.denied"]);
    let events = trail["items"].as_array().unwrap();
    let mut counted = std::collections::BTreeMap::<String, u64>::new();
    for event in events {
        assert_eq!((&event["outcome"], &event["changes"]["refused"]), (&json!("refused"), &json!("credential")));
        for (check, count) in event["changes"]["checks"].as_object().unwrap() {
            *counted.entry(check.clone()).or_default() += count.as_u64().unwrap();
        }
    }
    let mut expected = std::collections::BTreeMap::<String, u64>::new();
    for check in cases.iter().map(|(_, check)| *check).chain(["address", "too_long"]) {
        *expected.entry(check.to_owned()).or_default() += 1;
    }
    assert_eq!(counted, expected);
    // A genuine token names its job, also where it lets nobody in.
    let text = trail.to_string();
    assert!(text.contains("oidc:repo:acme/web:environment:prod") && text.contains(issuer.url()), "{text}");
    home.ok(&["audit", "verify"]);
}

#[test]
fn who_tries_many_tokens_is_stopped_as_who_tries_many_credentials_is() {
    let issuer = Issuer::start(Pair::ed25519());
    let home = trusting(&issuer, &[]);
    let server = Served::start(&home, &[]);
    let wrong = issuer.token(&with("repository_id", json!("8")));
    let statuses: Vec<u16> = (0..34).map(|_| ask(&server, &wrong).status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 30, "{statuses:?}");
    assert_eq!(ask(&server, &issuer.token(&job())).status, 429, "also a good one");
    assert!(server.get("/metrics", &[]).body.contains("keyward_operator_credentials_refused_total 30"));
    server.stop(Signal::SIGTERM);
    let trail = home.json(&["audit", "list", "--action", "operator.denied"]);
    let events = trail["items"].as_array().unwrap();
    assert!(events.len() <= 2, "{events:?}");
    assert!(events.iter().all(|event| event["actor"] == "oidc:repo:acme/web:environment:prod"), "{events:?}");
    assert_eq!(events.iter().map(|event| event["changes"]["checks"]["claims"].as_u64().unwrap()).sum::<u64>(), 30);
}

#[test]
fn where_nobody_can_say_whether_a_token_is_genuine_it_is_not_called_wrong() {
    let issuer = Issuer::start(Pair::ed25519());
    issuer.is_away(true);
    let home = trusting(&issuer, &[]);
    let server = Served::start(&home, &[]);
    let answer = ask(&server, &issuer.token(&job()));
    assert_eq!((answer.status, &answer.json()["reason"]), (503, &json!("issuer_away")), "{answer:?}");
    assert_eq!(answer.json()["code"], "UNAVAILABLE");
    let variables = [("KEYWARD_SERVER", server.url.as_str()), ("KEYWARD_TOKEN", &issuer.token(&job()))];
    let ran = Home::new().run_in(&["rotate", "sync", "--supersede", "-q"], &variables);
    assert_eq!(ran.code, Some(9), "{ran:?}");
    server.stop(Signal::SIGTERM);
    let trail = home.json(&["audit", "list", "--action", "operator.denied"]);
    assert!(trail["items"].as_array().unwrap().is_empty(), "{trail}");
}

/// Keys that were given with the trust need no issuer, and no other ones count.
#[test]
fn keys_from_a_file_are_believed_alone() {
    let (issuer, home) = (Issuer::start(Pair::p256()), Home::with_vault());
    home.write("jwks.json", &issuer.keys().to_string());
    home.ok(&[
        "operators",
        "trust",
        "add",
        "ci",
        "--issuer",
        "https://cluster.example",
        "--audience",
        AUDIENCE,
        "--role",
        "auditor",
        "--claim",
        "sub=system:serviceaccount:shop:job",
        "--jwks",
        "jwks.json",
        "--platform",
    ]);
    assert_eq!(home.json(&["operators", "trust", "list"])["items"][0]["keys"], "given");
    let server = Served::start(&home, &[]);
    let said = json!({ "iss": "https://cluster.example", "aud": [AUDIENCE], "sub": "system:serviceaccount:shop:job" });
    assert_eq!(ask(&server, &issuer.token(&said)).status, 200);
    issuer.add("later", Pair::p256());
    assert_eq!(ask(&server, &issuer.token_by("later", &said)).status, 401);
    assert_eq!(issuer.asked(), 0);
}

/// A token that ends within the hour makes nothing that outlives it.
#[test]
fn a_job_hands_on_nothing_that_lasts_longer_than_its_token() {
    let (issuer, home) = (Issuer::start(Pair::ed25519()), Home::with_vault());
    home.ok(&[
        "operators",
        "trust",
        "add",
        "root",
        "--issuer",
        issuer.url(),
        "--audience",
        AUDIENCE,
        "--role",
        "platform-admin",
        "--claim",
        "sub=admin",
    ]);
    let server = Served::start(&home, &[]);
    let token = issuer.token(&json!({ "aud": AUDIENCE, "sub": "admin" }));
    let variables = [("KEYWARD_SERVER", server.url.as_str()), ("KEYWARD_TOKEN", token.as_str())];
    let client = Home::new();
    let run = |line: &str| client.run_in(&line.split(' ').collect::<Vec<_>>(), &variables);
    let long = run("operators create kept --role platform-admin --expires-in 1d -q");
    assert!(long.code == Some(5) && long.stderr.contains("works longer than its own"), "{long:?}");
    assert_eq!(run("operators trust add kept --role auditor --issuer https://id.example --audience a --claim sub=x --expires-in 1d").code, Some(5));
    let made = run("operators create kept --role auditor --platform -q");
    assert_eq!(made.code, Some(0), "{made:?}");
    let all = home.json(&["operators", "list"]);
    let kept = all["items"].as_array().unwrap().iter().find(|one| one["name"] == "kept").unwrap().clone();
    assert_eq!(kept["created_by"], "oidc:admin");
    let ends =
        server.get("/v1/whoami", &[("Authorization", &format!("Bearer {token}"))]).json()["operator"]["expires_at"]
            .clone();
    assert_eq!(kept["expires_at"], ends);
}
