//! Who calls is what keyward says: no caller adds to it, takes from it, or fills it up, in whatever spelling, and however the
//! upstream reads headers.

use crate::support::gateway::{Gateway, Site};
use std::collections::BTreeMap;

/// What CGI, WSGI and PHP make of the headers of a request, trailers included: every mark in a name is the same, and what
/// comes twice is joined.
fn variables(request: &str) -> BTreeMap<String, String> {
    let mut read: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in request.lines().skip(1).filter_map(|line| line.split_once(':')) {
        let folded = name.replace(|each: char| !each.is_ascii_alphanumeric(), "_").to_ascii_uppercase();
        let held = read.entry(folded).or_default();
        if !held.is_empty() {
            held.push(',');
        }
        held.push_str(value.trim());
    }
    read.retain(|name, _| name.starts_with("X_KEYWARD"));
    read
}

fn told(answer: &str) -> BTreeMap<String, String> {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
    variables(body)
}

/// What an upstream must be told of a key, the signature aside, which is another each time.
fn without_signature(mut told: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let signed = told.remove("X_KEYWARD_ASSERTION").unwrap_or_default();
    assert_eq!(signed.split('.').count(), 3, "{told:?}");
    told
}

pub(crate) fn is_not_forged(site: &Site, gateway: &Gateway) {
    let key = ("X-API-Key", site.key.as_str());
    let honest = without_signature(told(&gateway.send("GET", "/invoices/7", &[key]).1));
    let expected = ["ENVIRONMENT", "KEY_ID", "PROJECT", "SCOPES", "WORKSPACE"].map(|name| format!("X_KEYWARD_{name}"));
    assert_eq!(honest.keys().cloned().collect::<Vec<_>>(), expected);

    added(site, gateway, &honest);
    taken_away(site, gateway, &honest);
    in_trailers(site, gateway, &honest);
    filled_up(site, gateway);
}

/// Other spellings of the names, and other names.
fn added(site: &Site, gateway: &Gateway, honest: &BTreeMap<String, String>) {
    for name in [
        "X-Keyward-Key-Id",
        "x-keyward-project",
        "X_Keyward_Key_Id",
        "x_keyward-project",
        "X-KEYWARD_SCOPES",
        "X.Keyward.Key.Id",
        "X-Keyward-Assertion",
        "X_Keyward_Assertion",
        "X-Keyward-Cut-Short",
        "X-Keyward-Other",
        "X_KEYWARD_OTHER",
    ] {
        let (status, answer) = gateway.send("GET", "/invoices/7", &[("X-API-Key", &site.key), (name, "forged")]);
        // Where a gateway cannot remove what it does not know, keyward refuses it.
        if status != 400 {
            assert_eq!(&without_signature(told(&answer)), honest, "{name}");
        }
        assert!(!answer.contains("forged"), "{name}: {answer}");
        let (status, answer) = gateway.send("GET", "/public/7", &[(name, "forged")]);
        assert!(matches!(status, 200 | 400 | 401) && !answer.contains("forged"), "{name}: {answer}");
    }
}

/// What `Connection` names is taken away by the next program on the way.
fn taken_away(site: &Site, gateway: &Gateway, honest: &BTreeMap<String, String>) {
    for named in ["close, X-Keyward-Project", "X-KEYWARD-KEY-ID, x-keyward-scopes", "keep-alive, x-keyward-assertion"] {
        let headers =
            [("X-API-Key", site.key.as_str()), ("Connection", named), ("Connection", "close, X-Keyward-Workspace")];
        let (_, answer) = gateway.send("GET", "/invoices/7", &headers);
        assert_eq!(&without_signature(told(&answer)), honest, "{named}");
        let passed_on = answer.lines().filter(|line| line.to_ascii_lowercase().starts_with("connection:"));
        for line in passed_on {
            assert!(!line.to_ascii_lowercase().contains("keyward"), "the upstream is a proxy too: {line}");
        }
    }
}

/// Headers that come after the body.
fn in_trailers(site: &Site, gateway: &Gateway, honest: &BTreeMap<String, String>) {
    let trailers = "4\r\nbody\r\n0\r\nX-Keyward-Key-Id: forged\r\nX_Keyward_Project: forged\r\n\r\n";
    for announced in [&[][..], &[("Trailer", "X-Keyward-Key-Id, X_Keyward_Project")]] {
        let own = [("X-API-Key", site.key.as_str()), ("Transfer-Encoding", "chunked")];
        let (status, answer) = gateway.send_with("GET", "/invoices/7", &[&own, announced].concat(), trailers);
        assert!(!answer.contains("forged"), "{answer}");
        if !matches!(status, 400 | 411) {
            assert_eq!(&without_signature(told(&answer)), honest);
        }
    }
}

/// A key with very many scopes passes, and headers that leave no room for the truth do not.
fn filled_up(site: &Site, gateway: &Gateway) {
    let of =
        |more: &[(&str, &str)]| gateway.send("GET", "/open", &[&[("X-API-Key", site.many.as_str())], more].concat());
    let (_, answer) = of(&[]);
    let whole = without_signature(told(&answer));
    assert_eq!(whole["X_KEYWARD_CUT_SHORT"], "x-keyward-scopes");
    assert!(whole["X_KEYWARD_SCOPES"].starts_with("resource-number-"), "{whole:?}");
    assert!(whole["X_KEYWARD_SCOPES"].len() <= 2_048, "{whole:?}");
    for length in (8_000..15_600).step_by(400) {
        let (status, answer) = of(&[("X-Filling", &"a".repeat(length))]);
        if status == 200 {
            assert_eq!(without_signature(told(&answer)), whole, "beside {length} bytes");
        }
        assert!(matches!(status, 200 | 400 | 431), "{answer}");
    }
}
