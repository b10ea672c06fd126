//! The document of the API as a page for people: rendered once, by the server itself, from the same JSON that programs read.
//!
//! Nothing is fetched and nothing runs: the page brings its style, and its policy lets a browser take nothing else.

mod example;
mod schema;

use super::{app::App, body::put, caller, openapi, problem::Failed};
use crate::{
    domain::Role,
    ops::{Error, Kind},
};
use axum::{
    body::Bytes,
    extract::State,
    http::request::Parts,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::sync::{Arc, LazyLock};

const STYLE: &str = include_str!("style.css");

/// An operation of the document.
#[derive(Clone, Copy)]
struct Operation<'d> {
    path: &'d str,
    method: &'d str,
    said: &'d Value,
}

impl<'d> Operation<'d> {
    fn text(self, field: &str) -> &'d str {
        self.said[field].as_str().unwrap_or_default()
    }

    /// The parameters of this operation alone; those that many have are told once.
    fn parameters(self) -> impl Iterator<Item = &'d Value> {
        self.said["parameters"].as_array().into_iter().flatten().filter(|parameter| parameter["$ref"].is_null())
    }

    /// Whether a credential of this kind is taken.
    fn takes(self, scheme: &str) -> bool {
        self.said["security"].as_array().into_iter().flatten().any(|way| way.get(scheme).is_some())
    }
}

/// The document of the API as a page for people
#[cfg_attr(test, utoipa::path(
    get, path = "/docs", operation_id = "docs", tag = "server",
    responses((status = 200, description = "A page that fetches nothing and runs nothing.", body = str, content_type = "text/html")),
    security(),
))]
pub(super) async fn served(State(app): State<Arc<App>>, parts: Parts) -> Result<Response, Failed> {
    static PAGE: LazyLock<Option<Bytes>> = LazyLock::new(|| {
        let document: Value = serde_json::from_slice(&openapi::whole().ok()?).ok()?;
        Some(Bytes::from(page(&document)))
    });
    caller::count(&app, caller::peer_of(&parts.extensions), &parts.headers)?;
    let broken = || Error::new(Kind::Internal, "openapi", "the document of the API in the program cannot be read");
    Ok(answer(PAGE.clone().ok_or_else(broken)?))
}

/// The page as an answer.
fn answer(page: Bytes) -> Response {
    let mut response = page.into_response();
    let style = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("content-security-policy", policy.as_str()),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cache-control", "no-cache"),
    ] {
        put(response.headers_mut(), name, value);
    }
    response
}

/// The page of a document.
fn page(document: &Value) -> String {
    let info = &document["info"];
    let (title, version) = (info["title"].as_str().unwrap_or_default(), info["version"].as_str().unwrap_or_default());
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (title) " " (version) ": the API" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { (title) " " small { (version) } }
                    p { (prose(info["summary"].as_str().unwrap_or_default())) ". " (prose(info["description"].as_str().unwrap_or_default())) }
                    p { "For programs and generators of clients: " a href="/openapi.json" { "/openapi.json" } "." }
                }
                (contents(document))
                main {
                    (calling(document))
                    @for (name, about) in tags(document) {
                        section id={ "tag-" (name) } {
                            h2 { (name) }
                            p { (prose(about)) }
                            @for operation in operations(document, name) { (told(document, operation)) }
                        }
                    }
                    section id="schemas" { h2 { "Schemas" } (schema::all(document)) }
                }
            }
        }
    };
    page.into_string()
}

fn tags(document: &Value) -> impl Iterator<Item = (&str, &str)> {
    document["tags"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|tag| Some((tag["name"].as_str()?, tag["description"].as_str().unwrap_or_default())))
}

fn operations<'d>(document: &'d Value, tag: &'d str) -> impl Iterator<Item = Operation<'d>> {
    let paths = document["paths"].as_object().into_iter().flatten();
    let all = paths.flat_map(|(path, item)| {
        let methods = item.as_object().into_iter().flatten();
        methods.map(move |(method, said)| Operation { path, method, said })
    });
    all.filter(move |operation| operation.said["tags"][0] == tag)
}

/// What a reference points at; anything else is itself.
fn resolved<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    let place = value["$ref"].as_str().and_then(|place| place.strip_prefix('#'));
    place.and_then(|place| document.pointer(place)).unwrap_or(value)
}

/// Text in which what stands between backticks is code.
fn prose(text: &str) -> Markup {
    html! {
        @for (at, part) in text.split('`').enumerate() {
            @if at % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

fn contents(document: &Value) -> Markup {
    html! {
        nav aria-label="Contents" {
            ul {
                li { a href="#calling" { "How to call" } }
                @for (name, _) in tags(document) {
                    li {
                        details {
                            summary { (name) }
                            ul {
                                @for operation in operations(document, name) {
                                    li { a href={ "#" (operation.text("operationId")) } { (head(operation)) } }
                                }
                            }
                        }
                    }
                }
                li { a href="#schemas" { "Schemas" } }
            }
        }
    }
}

fn head(operation: Operation<'_>) -> Markup {
    html! { b class={ "method " (operation.method) } { (operation.method.to_uppercase()) } " " code { (operation.path) } }
}

/// What holds for all calls: credentials, the headers that many take, and how refusals look.
fn calling(document: &Value) -> Markup {
    let components = &document["components"];
    let named = |part: &str| components[part].as_object().into_iter().flatten();
    html! {
        section id="calling" {
            h2 { "How to call" }
            h3 { "Credentials" }
            dl {
                @for (name, scheme) in named("securitySchemes") {
                    dt { code { (name) } }
                    dd {
                        @match scheme["name"].as_str() {
                            Some(header) => code { (header) ": kw_…" },
                            None => code { "Authorization: Bearer …" },
                        }
                        " " (prose(scheme["description"].as_str().unwrap_or_default()))
                    }
                }
            }
            h3 { "Headers of calls by operators" }
            (parameters(named("parameters").map(|(_, parameter)| parameter)))
            h3 { "Refusals" }
            p { "Every refusal is a " (schema::link("Problem")) "." }
            (table(&["status", "when"], named("responses").map(|(name, response)| html! {
                td id={ "refusal-" (name) } { (status_of(document, name)) }
                td { (prose(response["description"].as_str().unwrap_or_default())) }
            })))
        }
    }
}

/// The status that a shared refusal has wherever it is named.
fn status_of<'d>(document: &'d Value, name: &str) -> &'d str {
    let refers = |response: &Value| response["$ref"].as_str().is_some_and(|place| place.ends_with(&format!("/{name}")));
    let paths = document["paths"].as_object().into_iter().flatten();
    let responses = paths
        .flat_map(|(_, item)| item.as_object().into_iter().flatten())
        .flat_map(|(_, operation)| operation["responses"].as_object().into_iter().flatten());
    responses.into_iter().find(|(_, response)| refers(response)).map_or("", |(status, _)| status)
}

fn told(document: &Value, operation: Operation<'_>) -> Markup {
    let parameters_here: Vec<&Value> = operation.parameters().collect();
    html! {
        article id=(operation.text("operationId")) {
            h3 { (head(operation)) }
            p { strong { (prose(operation.text("summary"))) } }
            @if !operation.text("description").is_empty() { p { (prose(operation.text("description"))) } }
            p { "For " (who(operation)) "." }
            @if !parameters_here.is_empty() {
                h4 { "Parameters" }
                (parameters(parameters_here.into_iter()))
            }
            @if let Some(body) = body_of(&operation.said["requestBody"]) {
                h4 { "Body" }
                (schema::shown(document, body))
            }
            h4 { "Answers" }
            @for (status, response) in operation.said["responses"].as_object().into_iter().flatten() {
                @if response["$ref"].is_null() { (response_told(document, status, response)) }
            }
            (refusals(operation))
            h4 { "Example" }
            pre { code { (example::command(document, operation)) } }
        }
    }
}

/// Whose credential is asked for, and which roles may.
fn who(operation: Operation<'_>) -> Markup {
    let roles: Vec<&str> =
        operation.said["x-keyward-roles"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let roles = if roles.len() == Role::ALL.len() {
        "of any role".to_owned()
    } else {
        format!("of the role {}", roles.join(", "))
    };
    let ways = operation.said["security"].as_array();
    let open =
        ways.is_none_or(|ways| ways.is_empty() || ways.iter().any(|way| way.as_object().is_some_and(Map::is_empty)));
    let (operator, key) = (operation.takes("operator"), operation.takes("key"));
    html! {
        @match (open, operator, key) {
            (true, false, false) => { "everybody, without a credential" }
            (true, true, _) => { "everybody where the server says so, else operators " (roles) }
            (true, false, true) => { "the holder of a key, or everybody where what is asked for needs none" }
            (false, false, _) => { "the holder of a key" }
            (false, true, key) => { "operators " (roles) @if key { ", or the holder of a key" } }
        }
    }
}

fn parameters<'d>(all: impl Iterator<Item = &'d Value>) -> Markup {
    table(
        &["name", "in", "type", ""],
        all.map(|parameter| {
            html! {
                td { code { (parameter["name"].as_str().unwrap_or_default()) } @if parameter["required"] == true { " " (schema::required()) } }
                td { (parameter["in"].as_str().unwrap_or_default()) }
                td { (schema::kind(&parameter["schema"])) }
                td { (prose(parameter["description"].as_str().unwrap_or_default())) (schema::bounds(&parameter["schema"])) }
            }
        }),
    )
}

/// The schema of a body, of whichever media type.
fn body_of(said: &Value) -> Option<&Value> {
    let (_, content) = said["content"].as_object()?.iter().next()?;
    Some(&content["schema"])
}

fn response_told(document: &Value, status: &str, response: &Value) -> Markup {
    let headers: Vec<&str> =
        response["headers"].as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    html! {
        p {
            b { (status) } " " (prose(response["description"].as_str().unwrap_or_default()))
            @if !headers.is_empty() { " With the headers " (headers.join(", ")) "." }
        }
        @if let Some(body) = body_of(response) { (schema::shown(document, body)) }
    }
}

/// The refusals that other operations have too, by their status.
fn refusals(operation: Operation<'_>) -> Markup {
    let shared = operation.said["responses"].as_object().into_iter().flatten();
    let shared: Vec<(&str, &str)> = shared
        .filter_map(|(status, response)| Some((status.as_str(), response["$ref"].as_str()?.rsplit('/').next()?)))
        .collect();
    html! {
        @if !shared.is_empty() {
            p.refusals { "Refused with " @for (status, name) in shared { a href={ "#refusal-" (name) } { (status) } " " } }
        }
    }
}

fn table(heads: &[&str], rows: impl Iterator<Item = Markup>) -> Markup {
    html! {
        // Scrolled by itself where it is too wide, with the keyboard too.
        div.scroll tabindex="0" role="region" aria-label=(heads.join(" ")) {
            table {
                thead { tr { @for head in heads { th scope="col" { (head) } } } }
                tbody { @for row in rows { tr { (row) } } }
            }
        }
    }
}
