//! Times, durations, limits and fields as people say them, with one meaning at every door.

use crate::support::{Home, door::Doors};
use serde_json::{Value, json};

#[test]
fn a_time_is_an_instant_a_date_or_so_long_ago() {
    let doors = Doors::new();
    for (door, vault) in [(doors.here(), &doors.local), (doors.there(), &doors.behind)] {
        let secret = vault.ok(&["-q", "create", "a"]);
        for time in ["1h", "7d", "30 days", "1y", "2020-01-02", "2020-01-02T03:04:05Z", "2020-01-02T03:04:05+02:00"] {
            for command in [
                &["audit", "--since"][..],
                &["audit", "list", "--until"],
                &["audit", "export", "--since"],
                &["usage", "--since"],
                &["logs", "--since"],
                &["list", "--used-since"],
                &["list", "--denied-since"],
            ] {
                let args = [command, &[time]].concat();
                let ran = door.run(&args, "");
                assert_eq!(ran.code, Some(0), "{args:?}: {ran:?}");
            }
        }
        let judged = door.run(&["verify", "-", "--at", "1h"], &secret);
        assert!(judged.stderr.contains("did not exist"), "an hour ago it was not there: {judged:?}");
        for wrong in ["yesterday", "1", "2020-13-01", "-1h"] {
            let since = format!("--since={wrong}");
            assert_eq!(door.run(&["audit", &since], "").code, Some(2), "{wrong}");
        }
        let since = |time: &str| {
            let ran = door.run(&["-o", "json", "audit", "list", "--action", "key.create", "--since", time], "");
            serde_json::from_str::<Value>(&ran.stdout).unwrap()["page"]["total"].clone()
        };
        assert_eq!((since("1h"), since("2999-01-01")), (1.into(), 0.into()));
    }
}

#[test]
fn the_api_takes_the_same_times_and_names() {
    let home = Home::new();
    home.ok(&["init"]);
    let operator = home.ok(&["operators", "create", "root", "--role", "platform-admin"]);
    home.ok(&["create", "a", "--env", "staging", "--label", "team=x"]);
    home.ok(&["create", "b", "--env", "production"]);
    let server = crate::support::server::Served::start(&home, &[]);
    let bearer = format!("Bearer {operator}");
    let get = |path: &str| server.get(path, &[("Authorization", &bearer)]);
    for path in
        ["/v1/audit?since=1h", "/v1/usage?since=7d", "/v1/logs?since=2020-01-02", "/v1/keys?used_since=2020-01-02"]
    {
        assert_eq!(get(path).status, 200, "{path}");
    }
    assert_eq!(get("/v1/audit?since=yesterday").status, 400);
    for path in
        ["/v1/keys?env=staging", "/v1/keys?environment=staging", "/v1/keys?labels=team%3Dx", "/v1/keys?label=team"]
    {
        let listed: Value = serde_json::from_str(&get(path).body).unwrap();
        assert_eq!((&listed["page"]["total"], &listed["items"][0]["name"]), (&1.into(), &"a".into()), "{path}");
    }
    for sort in ["env", "environment", "-created_at", "-created", "rotation.due_at", "last_used_at"] {
        assert_eq!(get(&format!("/v1/keys?sort={sort}")).status, 200, "{sort}");
    }
    assert_eq!(get("/v1/keys/a?env=production").status, 404);
}

#[test]
fn a_field_has_one_set_of_names() {
    let doors = Doors::new();
    for (door, vault) in [(doors.here(), &doors.local), (doors.there(), &doors.behind)] {
        let make = "create a --env staging --owner o --scope a:read --expires-in 90d --rotate-every 30d --rate-limit 5/m \
                    --label team=x";
        vault.ok(&make.split(' ').collect::<Vec<_>>());
        for (short, path) in [
            ("env", "environment"),
            ("expires", "expires_at"),
            ("created", "created_at"),
            ("last-used", "last_used_at"),
            ("due", "rotation.due_at"),
            ("rate-limit", "rate_limit"),
            ("scope", "scopes"),
            ("label.team", "labels.team"),
        ] {
            let csv = |name: &str| door.run(&["list", "-o", "csv", "--columns", name], "").stdout;
            assert_eq!(csv(short), csv(path), "{short}");
            assert!(csv(short).starts_with(&format!("{path}\r\n")), "{short}: {}", csv(short));
        }
        for name in ["env", "expires", "created", "due", "label.team"] {
            let ran = door.run(&["show", "a", "--field", name], "");
            assert!(ran.code == Some(0) && ran.stdout.len() > 1, "{name}: {ran:?}");
        }
        for sort in [
            "name",
            "env",
            "environment",
            "expires",
            "expires_at",
            "-created-at",
            "due",
            "rotation.due_at",
            "last_used",
        ] {
            assert_eq!(door.run(&["list", "--sort", sort], "").code, Some(0), "{sort}");
        }
        for option in ["--env", "--environment"] {
            assert_eq!(door.run(&["list", option, "staging", "-o", "name"], "").stdout, "a\n");
        }
        assert_eq!(door.run(&["list", "--group-by", "environment"], "").code, Some(0));
        assert_eq!(door.run(&["list", "--columns", "nosuch"], "").code, Some(2));
    }
}

#[test]
fn a_bare_number_is_taken_where_its_unit_is_plain() {
    let doors = Doors::new();
    for (at, door) in [doors.here(), doors.there()].into_iter().enumerate() {
        let made = door.run(&["create", "a", "--expires-in", "30", "--rate-limit", "250", "-o", "json"], "");
        let key = serde_json::from_str::<Value>(&made.stdout).unwrap()["key"].clone();
        assert_eq!(key["rate_limit"], serde_json::json!({ "limit": 250, "window_seconds": 3600 }), "door {at}");
        let time = |field: &str| chrono::DateTime::parse_from_rfc3339(key[field].as_str().unwrap()).unwrap();
        assert_eq!((time("expires_at") - time("created_at")).num_days(), 30);
        assert_eq!(door.run(&["update", "a", "--rate-limit", "10"], "").code, Some(0));
        assert_eq!(door.run(&["show", "a", "--field", "rate_limit.limit"], "").stdout, "10\n");
        door.home.write("keys.csv", "name,expires_in,rate_limit\nb,1y,40\n");
        assert_eq!(door.run(&["create", "--from", "keys.csv", "--out", "s.jsonl"], "").code, Some(0));
        assert_eq!(door.run(&["show", "b", "--field", "rate_limit.limit"], "").stdout, "40\n");
        for (option, value) in
            [("--rotate-every", "30"), ("--overlap", "5"), ("--expires-in", "0"), ("--rate-limit", "0")]
        {
            let ran = door.run(&["create", "c", option, value], "");
            assert_eq!(ran.code, Some(2), "{option} {value}: {ran:?}");
        }
    }
}

#[test]
fn the_api_takes_limits_and_lifetimes_as_they_are_said() {
    let home = Home::new();
    home.ok(&["init"]);
    let operator = home.ok(&["operators", "create", "root", "--role", "platform-admin"]);
    let server = crate::support::server::Served::start(&home, &[]);
    let bearer = format!("Bearer {operator}");
    let post = |body: Value| {
        let answer = server.send("POST", "/v1/keys", &[("Authorization", &bearer)], &body.to_string());
        (answer.status, serde_json::from_str::<Value>(&answer.body).unwrap())
    };
    let hourly = |limit: u32| json!({ "limit": limit, "window_seconds": 3600 });
    for (at, (said, limit)) in [
        (json!(500), hourly(500)),
        (json!("500"), hourly(500)),
        (json!("5/m"), json!({ "limit": 5, "window_seconds": 60 })),
        (hourly(7), hourly(7)),
        (json!(null), json!(null)),
        (json!("none"), json!(null)),
    ]
    .into_iter()
    .enumerate()
    {
        let (status, reply) = post(json!({ "name": format!("l{at}"), "rate_limit": said }));
        assert_eq!((status, &reply["key"]["rate_limit"]), (201, &limit), "{said}: {reply:#}");
    }
    for (at, (said, days)) in
        [(json!(30), 30), (json!("30"), 30), (json!("90d"), 90), (json!("1y"), 365)].into_iter().enumerate()
    {
        let (status, reply) = post(json!({ "name": format!("e{at}"), "expires_in": said }));
        let time = |field: &str| chrono::DateTime::parse_from_rfc3339(reply["key"][field].as_str().unwrap()).unwrap();
        assert_eq!(status, 201, "{reply:#}");
        assert_eq!((time("expires_at") - time("created_at")).num_days(), days, "{said}");
    }
    for wrong in [
        json!({ "name": "w", "rate_limit": 0 }),
        json!({ "name": "w", "rate_limit": -1 }),
        json!({ "name": "w", "rate_limit": "many" }),
        json!({ "name": "w", "rate_limit": { "limit": 5 } }),
        json!({ "name": "w", "expires_in": "soon" }),
        json!({ "name": "w", "expires_in": 30, "expiry": "never" }),
        json!({ "name": "w", "expires": 30 }),
    ] {
        assert_eq!(post(wrong.clone()).0, 400, "{wrong}");
    }
    let patched = server.send("PATCH", "/v1/keys/l0", &[("Authorization", &bearer)], "{\"rate_limit\": 40}");
    assert_eq!(serde_json::from_str::<Value>(&patched.body).unwrap()["key"]["rate_limit"], hourly(40), "{patched:?}");
}

#[test]
fn what_a_request_brings_along_in_vain_is_refused() {
    let home = Home::new();
    home.ok(&["init"]);
    let operator = home.ok(&["operators", "create", "root", "--role", "platform-admin"]);
    home.ok(&["create", "a"]);
    home.ok(&["operators", "create", "gateway", "--role", "verifier"]);
    let server = crate::support::server::Served::start(&home, &[]);
    let bearer = format!("Bearer {operator}");
    let send =
        |method: &str, path: &str, body: &str| server.send(method, path, &[("Authorization", &bearer)], body).status;
    for (method, path) in [
        ("GET", "/v1/keys"),
        ("GET", "/v1/keys/a"),
        ("DELETE", "/v1/keys/a"),
        ("POST", "/v1/keys/a/revoke"),
        ("POST", "/v1/keys/a/deactivate"),
        ("POST", "/v1/operators/gateway/revoke"),
        ("POST", "/v1/audit/export"),
    ] {
        assert_eq!(send(method, path, "{\"reason\": \"leaked\"}"), 400, "{method} {path}");
    }
    for path in
        ["/v1/operators?workspace=acme", "/v1/rotations?environment=staging", "/v1/scopes?name=a", "/v1/plans?name=x"]
    {
        assert_eq!(send("GET", path, ""), 400, "{path}");
    }
    assert_eq!(send("GET", "/v1/operators", ""), 200);
    assert!(home.ok(&["show", "a", "--field", "status"]) == "active");
}

#[test]
fn a_scope_as_other_systems_write_it_is_told_the_form() {
    let home = Home::new();
    home.ok(&["init"]);
    let ran = home.run(&["create", "a", "--scope", "SecurityScans"]);
    assert!(ran.code == Some(2) && ran.stderr.contains("security-scans:read"), "{ran:?}");
    let ran = home.run(&["create", "a", "--scope", "Audits:Read"]);
    assert!(ran.code == Some(2) && ran.stderr.contains("did you mean audits:read?"), "{ran:?}");
}
