//! One line of a bulk file: the fields of `create`, as text, and what they mean.

use crate::{
    domain::{Allowlist, Expiry, ObjectName, RateLimit, time},
    ops::Create,
};
use serde::Deserialize;
use std::{collections::BTreeMap, str::FromStr};

/// A line as it is written; an absent or empty field takes the default.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    name: String,
    #[serde(default, alias = "env")]
    environment: Option<String>,
    #[serde(default)]
    owner: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    project: Option<String>,
    #[serde(default, alias = "customer")]
    customers: Option<Many>,
    #[serde(default, alias = "scope")]
    scopes: Option<Many>,
    #[serde(default)]
    rate_limit: Option<String>,
    #[serde(default, alias = "allow_ip")]
    allow_ips: Option<Many>,
    #[serde(default, alias = "label")]
    labels: Option<Labels>,
    #[serde(default)]
    expires_in: Option<String>,
    #[serde(default)]
    expires_at: Option<String>,
    #[serde(default)]
    no_expiry: Option<Switch>,
    #[serde(default)]
    rotate_every: Option<String>,
    #[serde(default)]
    overlap: Option<String>,
    #[serde(default)]
    renew_on_rotation: Option<Switch>,
    #[serde(default)]
    idempotency_key: Option<String>,
}

/// The fields of a line, and their other names.
pub(super) const FIELDS: [&str; 22] = [
    "name",
    "environment",
    "env",
    "owner",
    "description",
    "project",
    "customers",
    "customer",
    "scopes",
    "scope",
    "rate_limit",
    "allow_ips",
    "allow_ip",
    "labels",
    "label",
    "expires_in",
    "expires_at",
    "no_expiry",
    "rotate_every",
    "overlap",
    "renew_on_rotation",
    "idempotency_key",
];

/// A list in JSON; text separated by `;` in CSV.
#[derive(Deserialize)]
#[serde(untagged)]
enum Many {
    Text(String),
    List(Vec<String>),
}

impl Many {
    fn into_vec(self) -> Vec<String> {
        match self {
            Self::List(list) => list,
            Self::Text(text) => {
                text.split(';').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
            }
        }
    }
}

/// A map in JSON; `key=value` separated by `;` in CSV.
#[derive(Deserialize)]
#[serde(untagged)]
enum Labels {
    Text(String),
    Map(BTreeMap<String, String>),
}

/// A truth value, or the word for one.
#[derive(Deserialize)]
#[serde(untagged)]
enum Switch {
    Bool(bool),
    Text(String),
}

/// The request of a line.
pub(super) fn request(line: Line, defaults: &Create) -> Result<Create, String> {
    let mut create = defaults.clone();
    create.name = line.name.parse::<ObjectName>().map_err(|why| format!("name: {why}"))?.into_string();
    set(&mut create.environment, given(line.environment), "environment", parse)?;
    create.owner = given(line.owner).or(create.owner);
    create.description = given(line.description).or(create.description);
    create.project = given(line.project).or(create.project);
    if let Some(customers) = many(line.customers) {
        create.customers = super::values::sorted(customers);
    }
    if let Some(scopes) = many(line.scopes) {
        let scopes: Result<Vec<_>, String> = scopes.iter().map(|scope| parse(scope)).collect();
        create.scopes = super::values::sorted(scopes.map_err(|why| format!("scopes: {why}"))?);
    }
    let limit = |text: &str| RateLimit::parse_hourly_or_none(text).map(Some);
    set(&mut create.rate_limit, given(line.rate_limit), "rate_limit", limit)?;
    if let Some(ranges) = many(line.allow_ips) {
        create.allow_ips = Allowlist::parse(&ranges).map_err(|why| format!("allow_ips: {why}"))?;
    }
    match line.labels {
        Some(Labels::Map(labels)) => create.labels = labels,
        Some(Labels::Text(text)) if !text.is_empty() => {
            let labels: Result<_, String> = text.split(';').map(|label| super::values::label(label.trim())).collect();
            create.labels = labels.map_err(|why| format!("labels: {why}"))?;
        }
        _ => {}
    }
    if let Some(expiry) = expiry(line.expires_in, line.expires_at, line.no_expiry)? {
        create.expiry = Some(expiry);
    }
    let period = |text: &str| time::parse_duration(text).map(Some);
    let every = |text: &str| super::values::duration_or_none(text).map(|every| Some(every.0));
    set(&mut create.rotate_every, given(line.rotate_every), "rotate_every", every)?;
    set(&mut create.overlap, given(line.overlap), "overlap", period)?;
    create.renew_on_rotation = truth(line.renew_on_rotation, "renew_on_rotation")?.or(create.renew_on_rotation);
    create.idempotency_key = given(line.idempotency_key);
    Ok(create)
}

fn expiry(lifetime: Option<String>, at: Option<String>, never: Option<Switch>) -> Result<Option<Expiry>, String> {
    let never = truth(never, "no_expiry")?.unwrap_or(false);
    match (given(lifetime), given(at), never) {
        (None, None, false) => Ok(None),
        (Some(text), None, false) => time::parse_days(&text)
            .map(|lifetime| Some(Expiry::In(lifetime)))
            .map_err(|why| format!("expires_in: {why}")),
        (None, Some(text), false) => {
            time::parse_end(&text).map(|at| Some(Expiry::At(at))).map_err(|why| format!("expires_at: {why}"))
        }
        (None, None, true) => Ok(Some(Expiry::Never)),
        _ => Err("expires_in, expires_at and no_expiry exclude each other".to_owned()),
    }
}

fn truth(switch: Option<Switch>, field: &str) -> Result<Option<bool>, String> {
    match switch {
        None => Ok(None),
        Some(Switch::Bool(truth)) => Ok(Some(truth)),
        // Spreadsheets shout their truth values.
        Some(Switch::Text(word)) => match word.to_ascii_lowercase().as_str() {
            "" => Ok(None),
            "false" | "no" | "0" => Ok(Some(false)),
            "true" | "yes" | "1" => Ok(Some(true)),
            _ => Err(format!("{field}: expected true or false")),
        },
    }
}

fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

fn many(values: Option<Many>) -> Option<Vec<String>> {
    values.map(Many::into_vec).filter(|values| !values.is_empty())
}

fn parse<T: FromStr<Err: ToString>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

fn set<T>(
    field: &mut T,
    text: Option<String>,
    name: &str,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<(), String> {
    if let Some(text) = text {
        *field = parse(&text).map_err(|why| format!("{name}: {why}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Environment;
    use chrono::TimeDelta;

    fn of_json(text: &str) -> Result<Create, String> {
        let line = serde_json::from_str(text).map_err(|error: serde_json::Error| error.to_string())?;
        request(line, &Create::named(""))
    }

    #[test]
    fn csv_and_json_mean_the_same() {
        let text = "name,env,scopes,labels,expires_in\na,prod,x:read;y:write,team=t;tier=1,7d\n";
        let line: Line = csv::Reader::from_reader(text.as_bytes()).deserialize().next().unwrap().unwrap();
        let of_csv = request(line, &Create::named("")).unwrap();
        let json = r#"{"name":"a","environment":"production","scopes":["x:read","y:write"],
            "labels":{"team":"t","tier":"1"},"expires_in":"7d"}"#;
        assert_eq!(of_csv, of_json(json).unwrap());
        assert_eq!(
            (of_csv.environment, of_csv.expiry),
            (Environment::Production, Some(Expiry::In(TimeDelta::days(7))))
        );
    }

    #[test]
    fn every_field_that_is_named_is_known() {
        for field in FIELDS.iter().filter(|field| **field != "name") {
            let read = serde_json::from_str::<Line>(&format!(r#"{{"name":"a","{field}":""}}"#));
            assert!(read.is_ok(), "{field}");
        }
    }

    #[test]
    fn a_wrong_field_is_named() {
        for (line, wanted) in [
            (r#"{"name":""}"#, "name"),
            (r#"{"name":"a","env":"moon"}"#, "environment"),
            (r#"{"name":"a","allow_ips":["10.0.0.1/8"]}"#, "allow_ips"),
            (r#"{"name":"a","expires_in":"1d","no_expiry":true}"#, "exclude"),
            (r#"{"name":"a","colour":"red"}"#, "colour"),
        ] {
            let error = of_json(line).unwrap_err();
            assert!(error.contains(wanted), "{line}: {error}");
        }
    }
}
