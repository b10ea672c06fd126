//! JSON documents: what is set, what stays, and what is refused.

use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

fn put(text: &str, pointer: &str) -> Result<String, String> {
    set(text.as_bytes(), &pointer.parse()?, "new").map(|bytes| String::from_utf8(bytes).unwrap())
}

#[test]
fn one_string_is_replaced_where_it_stands() {
    let cases = [
        ("{\"t\":\"old\"}", "/t", "{\"t\":\"new\"}"),
        (" { \"a\" : [ 1, {\"t\" : null } ] }\n", "/a/1/t", " { \"a\" : [ 1, {\"t\" : \"new\" } ] }\n"),
        ("[\"a\",\"b\"]", "/1", "[\"a\",\"new\"]"),
        ("{\"a/b\":{\"~\":\"\"}}", "/a~1b/~0", "{\"a/b\":{\"~\":\"new\"}}"),
        ("{\"\":\"old\"}", "/", "{\"\":\"new\"}"),
        ("{\"\\u0074\":\"o\\\"ld\"}", "/t", "{\"\\u0074\":\"new\"}"),
        ("{\"n\":1e400,\"t\":\"é\",\"z\":0.10}", "/t", "{\"n\":1e400,\"t\":\"new\",\"z\":0.10}"),
        ("{\"0\":\"a\"}", "/0", "{\"0\":\"new\"}"),
    ];
    for (before, pointer, after) in cases {
        assert_eq!(put(before, pointer).unwrap(), after, "{before} {pointer}");
        let read = get(after.as_bytes(), &pointer.parse().unwrap()).unwrap();
        assert_eq!(read.unwrap().as_str(), "new");
    }
}

#[test]
fn a_missing_member_is_added_the_way_its_neighbours_are_written() {
    let cases = [
        ("{}", "{\"t\": \"new\"}"),
        ("{\"a\":1}", "{\"a\":1,\"t\":\"new\"}"),
        ("{\"a\" : 1}", "{\"a\" : 1,\"t\" : \"new\"}"),
        ("{\"a\": 1, \"b\": 2}", "{\"a\": 1, \"b\": 2, \"t\": \"new\"}"),
        ("{\n  \"a\": {\"x\": \",\\\"\"}\n}\n", "{\n  \"a\": {\"x\": \",\\\"\"},\n  \"t\": \"new\"\n}\n"),
        ("{\n\t\"a\": 1,\n\t\"b\": [\n\t]\n}", "{\n\t\"a\": 1,\n\t\"b\": [\n\t],\n\t\"t\": \"new\"\n}"),
    ];
    for (before, after) in cases {
        assert!(get(before.as_bytes(), &"/t".parse().unwrap()).unwrap().is_none());
        assert_eq!(put(before, "/t").unwrap(), after, "{before}");
    }
}

#[test]
fn what_is_no_place_for_a_string_is_refused() {
    let cases = [
        ("", "/t"),
        ("{", "/t"),
        ("{} {}", "/t"),
        ("// x\n{}", "/t"),
        ("{\"t\":1,}", "/t"),
        ("{\"a\":1}", "/a/t"),
        ("{}", "/a/t"),
        ("[]", "/0"),
        ("[\"a\"]", "/-"),
        ("[\"a\"]", "/00"),
        ("[\"a\"]", "/+0"),
        ("{\"t\":{\"x\":1}}", "/t"),
        ("{\"t\":[\"a\"]}", "/t"),
        ("{\"t\":12}", "/t"),
        ("{\"t\":true}", "/t"),
        ("{\"t\":\"a\",\"t\":\"b\"}", "/t"),
        ("{\"a\":{\"t\":\"x\"},\"\\u0061\":{\"t\":\"y\"}}", "/a/t"),
        ("{}", "t"),
        ("{}", "/a~2"),
    ];
    for (text, pointer) in cases {
        assert!(put(text, pointer).is_err(), "{text} {pointer}");
    }
    let secret = put("{\"t\": s3cr3t}", "/t").unwrap_err();
    assert!(!secret.contains("s3cr3t"), "{secret}");
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(put(&deep, "/0/t").is_err());
}

fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<i16>().prop_map(|eighths| Value::from(f64::from(eighths) / 8.0)),
        "\\PC{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::hash_map("[a-c/~\"é]{0,2}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Every pointer into a document.
fn pointers(value: &Value, at: &str, all: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
                all.push(at.clone());
                pointers(value, &at, all);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                let at = format!("{at}/{index}");
                all.push(at.clone());
                pointers(value, &at, all);
            }
        }
        _ => {}
    }
}

proptest! {
    #[test]
    fn every_other_byte_stays(document in document(), pretty: bool, choice: prop::sample::Index, end in "[ \n]{0,2}") {
        let text = if pretty { serde_json::to_string_pretty(&document) } else { serde_json::to_string(&document) };
        let text = format!("{end}{}{end}", text.unwrap());
        let mut all = Vec::new();
        pointers(&document, "", &mut all);
        all.push("/fresh".to_owned());
        let at = choice.get(&all);
        let mut expected = document.clone();
        let allowed = match expected.pointer_mut(at) {
            Some(place) if place.is_string() || place.is_null() => { *place = json!("new"); true }
            Some(_) => false,
            None => expected.as_object_mut().map(|members| members.insert("fresh".to_owned(), json!("new"))).is_some(),
        };
        match put(&text, at) {
            Err(_) => prop_assert!(!allowed, "{} {}", text, at),
            Ok(after) => {
                prop_assert!(allowed);
                prop_assert_eq!(&serde_json::from_str::<Value>(&after).unwrap(), &expected);
                // The old value back in its place gives the old text.
                if let Some(old) = document.pointer(at).and_then(Value::as_str) {
                    let back = set(after.as_bytes(), &at.parse().unwrap(), old).unwrap();
                    prop_assert_eq!(String::from_utf8(back).unwrap(), text);
                } else if document.pointer(at).is_none() {
                    let start = text.bytes().zip(after.bytes()).take_while(|(a, b)| a == b).count();
                    let added = after.len() - text.len();
                    let without = |at: usize| [&after.as_bytes()[..at], &after.as_bytes()[at + added..]].concat();
                    let same = (0..=start).any(|at| without(at) == text.as_bytes());
                    prop_assert!(same, "{} {}", text, after);
                }
            }
        }
    }

    #[test]
    fn nothing_panics(text in "[{}\\[\\]\",:ta0 \n]{0,24}", pointer in "(/[ta0~1]{0,2}){0,3}") {
        let _ = put(&text, &pointer);
    }
}
