//! Exports for other systems: each checked against the grammar or the schema that is published for it.

use crate::support::Home;
use serde_json::Value;

fn export(format: &str) -> (Home, String) {
    let home = Home::new();
    home.ok(&["create", "billing-sync", "--scope", "audits:read", "--reason", "a \"quoted\" ] = | reason"]);
    home.ok(&["update", "billing-sync", "--owner", "zoë@example.com"]);
    home.ok(&["deactivate", "billing-sync"]);
    home.ok(&["activate", "billing-sync"]);
    home.ok(&["rotate", "billing-sync"]);
    home.ok(&["revoke", "billing-sync"]);
    assert_ne!(home.run(&["activate", "billing-sync"]).code, Some(0));
    home.ok(&["delete", "billing-sync", "--confirm", "billing-sync", "--yes"]);
    home.ok(&["scopes", "close"]);
    home.ok(&["vault", "backup", "copy.db"]);
    home.ok(&["vault", "rekey"]);
    let out = home.ok(&["audit", "export", "--format", format]);
    (home, out)
}

fn check(value: &Value, kind: &Value, schema: &Value, at: &str) {
    if kind["array"] == true {
        return value.as_array().unwrap_or_else(|| panic!("{at}: {value}")).iter().for_each(|item| {
            check_one(item, kind, schema, at);
        });
    }
    check_one(value, kind, schema, at);
}

fn check_one(value: &Value, kind: &Value, schema: &Value, at: &str) {
    let name = kind["type"].as_str().unwrap();
    if let Some(allowed) = kind["enum"].as_array() {
        assert!(allowed.iter().any(|one| one.as_str() == Some(&value.to_string())), "{at}: {value}");
    }
    let right = match name.strip_prefix("object:") {
        Some("object") => value.is_object(),
        Some(object) => {
            let definition = &schema["objects"][object];
            assert!(definition.is_object(), "{at}: the excerpt of the schema lacks {object}");
            check_object(value, definition, schema, at);
            if let Some(some) = definition["at_least_one"].as_array() {
                assert!(some.iter().any(|one| !value[one.as_str().unwrap()].is_null()), "{at}: {value}");
            }
            true
        }
        None => match name {
            "integer_t" | "long_t" | "timestamp_t" | "port_t" => value.is_i64(),
            "boolean_t" => value.is_boolean(),
            "json_t" => true,
            "ip_t" => value.as_str().is_some_and(|text| text.parse::<std::net::IpAddr>().is_ok()),
            _ => value.is_string(),
        },
    };
    assert!(right, "{at} is no {name}: {value}");
}

fn check_object(value: &Value, definition: &Value, schema: &Value, at: &str) {
    let attributes = definition["attributes"].as_object().unwrap();
    for (name, item) in value.as_object().unwrap() {
        let kind = attributes.get(name).unwrap_or_else(|| panic!("{at}.{name} is no attribute"));
        check(item, kind, schema, &format!("{at}.{name}"));
    }
    for (name, kind) in attributes {
        assert!(kind["required"] != true || !value[name].is_null(), "{at}.{name} is required: {value}");
    }
}

#[test]
fn ocsf_is_what_the_published_schema_says() {
    let schema: Value = serde_json::from_str(include_str!("data/ocsf-1.5.0.json")).unwrap();
    let (_home, out) = export("ocsf");
    let mut classes = std::collections::BTreeSet::new();
    for line in out.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let class = match event["class_uid"].as_u64().unwrap() {
            3004 => "entity_management",
            6003 => "api_activity",
            other => panic!("class {other}"),
        };
        classes.insert(class);
        let definition = &schema["classes"][class];
        check_object(&event, definition, &schema, class);
        assert_eq!(event["class_uid"], definition["uid"]);
        assert_eq!(event["category_uid"], definition["category_uid"]);
        let (class_uid, activity) = (event["class_uid"].as_u64().unwrap(), event["activity_id"].as_u64().unwrap());
        assert_eq!(event["type_uid"], class_uid * 100 + activity);
        assert_eq!(event["metadata"]["version"], schema["version"]);
    }
    assert_eq!(classes.len(), 2);
}

#[test]
fn syslog_is_what_the_grammar_says() {
    let (_home, out) = export("syslog");
    for line in out.lines() {
        let rest = line.strip_prefix('<').unwrap();
        let (priority, rest) = rest.split_once('>').unwrap();
        assert_eq!(priority.parse::<u8>().unwrap() / 8, 13, "{line}");
        let words: Vec<&str> = rest.splitn(7, ' ').collect();
        let [version, at, host, app, process, id, rest] = words[..] else { panic!("{line}") };
        assert_eq!((version, host, app, process), ("1", "-", "keyward", "-"));
        assert!(chrono::DateTime::parse_from_rfc3339(at).is_ok(), "{line}");
        assert!(id.len() <= 32 && id.bytes().all(|byte| byte.is_ascii_graphic()));
        // SD-ELEMENT: an id, then name="value" with quotation mark, backslash and bracket escaped.
        let mut rest = rest.strip_prefix("[audit@32473").unwrap();
        while let Some(parameter) = rest.strip_prefix(' ') {
            let (name, mut value) = parameter.split_once("=\"").unwrap();
            assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{line}");
            loop {
                let end = value.find(['"', '\\', ']']).unwrap();
                match value.as_bytes()[end] {
                    b'"' => break value = &value[end + 1..],
                    b'\\' => value = &value[end + 2..],
                    _ => panic!("a bracket stands unescaped: {line}"),
                }
            }
            rest = value;
        }
        assert!(rest.starts_with("] "), "{line}");
    }
    assert!(out.contains(r#"reason="a \"quoted\" \] = | reason""#), "{out}");
}

#[test]
fn cef_is_what_the_grammar_says() {
    let (_home, out) = export("cef");
    for line in out.lines() {
        let header: Vec<&str> = line.splitn(8, '|').collect();
        assert_eq!((header.len(), header[0], header[1]), (8, "CEF:0", "keyward"), "{line}");
        assert!(header[6].parse::<u8>().unwrap() <= 10);
        for field in ["rt=", "externalId=", "suser=", "act=", "outcome="] {
            assert!(header[7].contains(field), "{line}");
        }
    }
    assert!(out.contains(r#"reason=a "quoted" ] \= | reason"#), "{out}");
}

#[test]
fn csv_and_jsonl_hold_the_same_events() {
    let (home, out) = export("csv");
    let rows = out.lines().count() - 1;
    let jsonl = home.ok(&["audit", "export"]);
    assert_eq!(jsonl.lines().count(), rows + 1);
    let last: Value = serde_json::from_str(jsonl.lines().last().unwrap()).unwrap();
    assert_eq!((&last["action"], &last["changes"]["events"]), (&"audit.export".into(), &rows.into()));
}
