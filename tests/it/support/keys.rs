//! Random keys, as property tests of files of keys need them.

use proptest::{collection, option, prelude::*};
use serde_json::{Value, json};

/// What any key may have, whichever way it comes in; its name begins with nothing in particular and may be empty.
fn a_key() -> impl Strategy<Value = Value> {
    let fields = (
        "[ -~é\u{1F980}]{0,6}",
        prop_oneof![Just("production"), Just("staging"), Just("development")],
        option::of("[ -~é]{1,9}"),
        option::of("[ -~\n\t\u{200f}]{1,9}"),
        collection::vec("[a-c]:(read|write|\\*)", 0..3),
        collection::btree_map("[a-z.\" ]{1,3}", "[ -~é]{0,4}", 0..3),
        prop_oneof![Just("none"), Just("5/s"), Just("100/h")],
        collection::vec("10\\.[0-9]\\.0\\.0/16", 0..3),
    );
    fields.prop_map(|(name, environment, owner, description, scopes, labels, rate, ips)| {
        json!({
            "name": name, "environment": environment, "owner": owner, "description": description, "scopes": scopes,
            "labels": labels, "rate_limit": rate, "allow_ips": ips,
        })
    })
}

/// Keys with different names, each with what `more` draws beside what any key may have.
pub(crate) fn some_keys<T: std::fmt::Debug>(
    more: impl Strategy<Value = T>,
    count: impl Into<collection::SizeRange>,
    add: impl Fn(&mut Value, T),
) -> impl Strategy<Value = Vec<Value>> {
    collection::vec((a_key(), more), count).prop_map(move |drawn| {
        let numbered = drawn.into_iter().enumerate().map(|(number, (mut key, more))| {
            key["name"] = json!(format!("k{number}{}", key["name"].as_str().unwrap().trim_end()));
            add(&mut key, more);
            key
        });
        numbered.collect()
    })
}
