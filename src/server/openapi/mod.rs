//! The OpenAPI document of the API. It is made by a test, of what the handlers and the declared use cases say of themselves,
//! and committed as `openapi.json`; `build.rs` compresses it into the program.

#[cfg(test)]
pub(super) mod declared;
#[cfg(test)]
mod permissions;
#[cfg(test)]
mod whole;

use super::{app::App, body::put, caller, problem::Failed};
use crate::ops::{Error, Kind, Result};
use axum::{
    extract::State,
    http::{
        header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, VARY},
        request::Parts,
    },
    response::{IntoResponse, Response},
};
use flate2::read::GzDecoder;
use serde_json::Value;
use std::{
    collections::HashSet,
    io::Read,
    sync::{Arc, LazyLock},
};

/// The document, compressed by gzip.
static COMPRESSED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/openapi.json.gz"));

/// The operations that take parameters in the query, by method and path.
static TAKE_A_QUERY: LazyLock<HashSet<(String, String)>> = LazyLock::new(|| {
    let document: Value = whole().ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
    let paths = document["paths"].as_object().into_iter().flatten();
    let operations = paths.flat_map(|(path, methods)| {
        methods.as_object().into_iter().flatten().map(move |(method, operation)| (method, path, operation))
    });
    let takes = |operation: &Value| {
        operation["parameters"].as_array().is_some_and(|all| all.iter().any(|one| one["in"] == "query"))
    };
    operations
        .filter(|(_, _, operation)| takes(operation))
        .map(|(method, path, _)| (method.to_ascii_uppercase(), path.clone()))
        .collect()
});

/// Whether an operation takes parameters in the query.
pub(super) fn takes_a_query(method: &str, path: &str) -> bool {
    TAKE_A_QUERY.contains(&(method.to_owned(), path.to_owned()))
}

/// The document as text.
///
/// # Errors
/// `Internal` when what is in the program is not what was put there.
pub(super) fn whole() -> Result<Vec<u8>> {
    let mut text = Vec::new();
    let read = GzDecoder::new(COMPRESSED).read_to_end(&mut text);
    read.map_err(|error| Error::new(Kind::Internal, "openapi", error.to_string()))?;
    Ok(text)
}

/// This document
#[cfg_attr(test, utoipa::path(
    get, path = "/openapi.json", operation_id = "openapi", tag = "server",
    responses((status = 200, description = "OpenAPI 3.1.", body = serde_json::Value)),
    security(),
))]
pub(super) async fn served(State(app): State<Arc<App>>, parts: Parts) -> Result<Response, Failed> {
    caller::count(&app, caller::peer_of(&parts.extensions), &parts.headers)?;
    let accepted = parts.headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let gzip = accepted.flat_map(|value| value.split(',')).any(takes_gzip);
    let mut response = if gzip { COMPRESSED.into_response() } else { whole()?.into_response() };
    put(response.headers_mut(), CONTENT_TYPE.as_str(), "application/json");
    put(response.headers_mut(), VARY.as_str(), "accept-encoding");
    if gzip {
        put(response.headers_mut(), CONTENT_ENCODING.as_str(), "gzip");
    }
    Ok(response)
}

/// Whether one of the codings that a client accepts is gzip, and not with a weight of zero (RFC 9110, 12.5.3).
fn takes_gzip(coding: &str) -> bool {
    let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
    let weight = parameters.trim().strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok());
    name.trim().eq_ignore_ascii_case("gzip") && weight.is_none_or(|weight| weight > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_committed_document_is_what_the_routes_say_of_themselves() {
        let made = whole::finish(super::super::routes::described());
        let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
        if std::env::var_os("KEYWARD_BLESS").is_some() {
            std::fs::write(&committed, format!("{made:#}\n")).unwrap();
        }
        let kept: Value = serde_json::from_slice(&std::fs::read(&committed).unwrap()).unwrap();
        assert!(kept == made, "openapi.json is stale: KEYWARD_BLESS=1 cargo test --lib openapi");
        assert_eq!(made["openapi"], "3.1.0");
    }

    /// Whoever reads a generated client has nothing else that says what a field is.
    #[test]
    fn no_field_and_no_parameter_is_without_a_description() {
        let document = whole::finish(super::super::routes::described());
        let mut blank = Vec::new();
        for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
            fields(name, schema, &mut blank);
        }
        for (path, operations) in document["paths"].as_object().unwrap() {
            let parameters = operations.as_object().unwrap().values().filter_map(|one| one["parameters"].as_array());
            for parameter in parameters.flatten().filter(|one| one["name"].is_string()) {
                if !says(parameter) {
                    blank.push(format!("{path} {}", parameter["name"]));
                }
            }
        }
        assert!(blank.is_empty(), "{blank:#?}");
    }

    fn says(schema: &Value) -> bool {
        let of_one = |word: &str| schema[word].as_array().is_some_and(|all| all.iter().any(says));
        schema["description"].as_str().is_some_and(|text| !text.trim().is_empty())
            || ["oneOf", "anyOf", "allOf"].into_iter().any(of_one)
    }

    fn fields(name: &str, schema: &Value, blank: &mut Vec<String>) {
        for (field, of) in schema["properties"].as_object().into_iter().flatten() {
            if !says(of) {
                blank.push(format!("{name}.{field}"));
            }
            fields(&format!("{name}.{field}"), of, blank);
        }
        for word in ["oneOf", "anyOf", "allOf"] {
            schema[word].as_array().into_iter().flatten().for_each(|one| fields(name, one, blank));
        }
        for word in ["items", "additionalProperties"] {
            if schema[word].is_object() {
                fields(&format!("{name}[]"), &schema[word], blank);
            }
        }
    }

    #[test]
    fn a_weight_of_zero_refuses_a_coding() {
        for taken in ["gzip", " GZIP ", "gzip;q=0.5", "gzip; q=1"] {
            assert!(takes_gzip(taken), "{taken}");
        }
        for not in ["", "br", "gzip;q=0", "gzip; q=0.0", "x-gzip-ish"] {
            assert!(!takes_gzip(not), "{not}");
        }
    }
}
