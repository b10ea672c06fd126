//! The entry of a declared use case in the OpenAPI document. The schema of its request is taken apart as the request is:
//! what the path and the query name are parameters, the rest is the body.

use crate::{
    domain::Role,
    ops::case::{Method, Route, UseCase},
    wire::{
        header::{IdempotencyKey, IfMatch},
        told::{Described, Told},
    },
};
use serde_json::{Map, Value, json};
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{RefOr, Schema, path::ParameterIn},
};

/// Adds the use case to a document.
pub(in crate::server) fn describe<Q: UseCase + Described>(route: &Route, document: &mut Value)
where
    Q::Outcome: Told,
{
    type Body<Q> = <<Q as UseCase>::Outcome as Told>::Body;
    let mut schemas = Vec::new();
    Q::schemas(&mut schemas);
    let mut request = flat(json!(Q::schema()), &schemas);
    let parameters = parameters(route, &mut request);
    <Body<Q>>::schemas(&mut schemas);
    schemas.push((<Body<Q>>::name().into_owned(), <Body<Q>>::schema()));
    for (name, schema) in schemas {
        document["components"]["schemas"][name] = json!(schema);
    }
    let has_body = request["properties"].as_object().is_some_and(|fields| !fields.is_empty());
    let body = has_body.then(Q::name);
    if let Some(name) = &body {
        document["components"]["schemas"][&**name] = request;
    }
    let method = match route.method {
        Method::Get => "get",
        Method::Post => "post",
        Method::Put => "put",
        Method::Patch => "patch",
        Method::Delete => "delete",
    };
    let one = |role: &Role| role.may(Q::PERMISSION) || Q::OR.is_some_and(|or| role.may(or));
    let may = |role: &Role| one(role) && Q::AND.iter().all(|and| role.may(*and));
    let roles: Vec<&str> = Role::ALL.into_iter().filter(may).map(Role::as_str).collect();
    let operation = &mut document["paths"][route.path][method];
    *operation = self::operation(route, parameters, body.as_deref(), &<Body<Q>>::name());
    if route.tag == "self" {
        operation["security"] = json!([{ "key": [] }, { "key_as_bearer": [] }]);
    } else {
        operation["x-keyward-roles"] = json!(roles);
    }
}

/// A struct with another one flattened into it, as the one object that it is in JSON: two that refuse what they do not know
/// would refuse each other's fields.
fn flat(schema: Value, parts: &[(String, RefOr<Schema>)]) -> Value {
    let part = |one: &Value| {
        let name = one["$ref"].as_str().and_then(|to| to.rsplit('/').next());
        parts.iter().find(|(own, _)| Some(own.as_str()) == name).map_or_else(|| one.clone(), |(_, part)| json!(part))
    };
    let Some(all) = schema["allOf"].as_array() else { return part(&schema) };
    let mut whole = json!({ "type": "object", "description": schema["description"], "properties": {}, "required": [] });
    for one in all {
        let part = part(one);
        if let (Some(to), Some(from)) = (whole["properties"].as_object_mut(), part["properties"].as_object()) {
            to.extend(from.clone());
        }
        if let (Some(to), Some(from)) = (whole["required"].as_array_mut(), part["required"].as_array()) {
            to.extend(from.clone());
        }
    }
    whole["additionalProperties"] = json!(false);
    whole
}

/// The parameters, taken out of the schema of the request.
fn parameters(route: &Route, request: &mut Value) -> Vec<Value> {
    let mut taken = |name: &str, place: &str| {
        let mut schema = request["properties"].as_object_mut()?.shift_remove(name)?;
        // A parameter is there or not; it is never null.
        if let Some(one) = schema["oneOf"].as_array().and_then(|all| all.iter().find(|one| one["type"] != "null")) {
            schema = one.clone();
        }
        let mut about = |what: &str| schema.as_object_mut().and_then(|fields| fields.shift_remove(what));
        let (description, example) = (about("description"), about("example"));
        let mut required = place == "path";
        if let Some(all) = request.get_mut("required").and_then(Value::as_array_mut) {
            let before = all.len();
            all.retain(|one| one != name);
            required |= all.len() < before;
            if all.is_empty() {
                request.as_object_mut()?.shift_remove("required");
            }
        }
        let mut told =
            json!({ "name": name, "in": place, "description": description, "required": required, "schema": schema });
        if let Some(example) = example {
            told["example"] = example;
        }
        Some(told)
    };
    for (name, _) in route.fixed {
        taken(name, "path");
    }
    let mut all: Vec<Value> = route.path_names().filter_map(|name| taken(name, "path")).collect();
    all.extend(route.query.iter().filter_map(|name| taken(name, "query")));
    if route.idempotent {
        all.extend(IdempotencyKey::into_params(|| Some(ParameterIn::Header)).iter().map(|one| json!(one)));
    }
    if route.if_match {
        all.extend(IfMatch::into_params(|| Some(ParameterIn::Header)).iter().map(|one| json!(one)));
    }
    all
}

fn operation(route: &Route, parameters: Vec<Value>, body: Option<&str>, answer: &str) -> Value {
    let schema = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let content = |schema: Value| json!({ "application/json": { "schema": schema } });
    let mut operation = Map::new();
    let mut put = |name: &str, value: Value| drop(operation.insert(name.to_owned(), value));
    put("tags", json!([route.tag]));
    put("summary", json!(route.summary));
    if !route.description.is_empty() {
        put("description", json!(route.description));
    }
    put("operationId", json!(route.id));
    if !parameters.is_empty() {
        put("parameters", json!(parameters));
    }
    if let Some(body) = body {
        put(
            "requestBody",
            if route.optional_body {
                json!({ "content": content(json!({ "oneOf": [schema(body), { "type": "null" }] })) })
            } else {
                json!({ "content": content(schema(body)), "required": true })
            },
        );
    }
    let answers = route.answers.iter().map(|(status, about)| {
        (status.to_string(), json!({ "description": about, "content": content(schema(answer)) }))
    });
    put("responses", answers.collect::<Map<_, _>>().into());
    put("security", json!([{ "operator": [] }]));
    operation.into()
}
