//! One line of a bulk file: the fields of `create`, as text, and what they mean.

use crate::{
    domain::{Allowlist, Expiry, ObjectName, RateLimit, SelfService, time},
    ops::Create,
};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, str::FromStr};

/// A line as it is written, whose fields all are known; an absent or empty one takes the default. Values are looked at one by
/// one, by the name of their field: an error of a library would say what type it wanted, and not of what.
pub(super) struct Line(Map<String, Value>);

/// Fields that have a second name.
const ALIASES: [(&str, &str); 5] = [
    ("env", "environment"),
    ("customer", "customers"),
    ("scope", "scopes"),
    ("allow_ip", "allow_ips"),
    ("label", "labels"),
];

/// The fields of a line, and their other names.
pub(super) const FIELDS: [&str; 23] = [
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
    "self",
    "idempotency_key",
];

impl Line {
    /// The fields of a line by their first names.
    ///
    /// # Errors
    /// When one is unknown, or there under both of its names.
    pub(super) fn of(mut fields: Map<String, Value>) -> Result<Self, String> {
        if let Some(other) = fields.keys().find(|field| !FIELDS.contains(&field.as_str())) {
            return Err(format!("unknown field `{other}`"));
        }
        for (alias, name) in ALIASES {
            let Some(value) = fields.remove(alias) else { continue };
            if fields.insert(name.to_owned(), value).is_some() {
                return Err(format!("`{alias}` and `{name}` are the same field: say one of them"));
            }
        }
        Ok(Self(fields))
    }

    fn take(&mut self, field: &str) -> Option<Value> {
        self.0.remove(field).filter(|value| !value.is_null())
    }

    /// A text that is not empty.
    fn text(&mut self, field: &str) -> Result<Option<String>, String> {
        match self.take(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
            Some(_) => Err(format!("{field}: expected text, in quotes")),
        }
    }

    /// A text that is not empty, or a number where the unit is plain.
    fn text_or_number(&mut self, field: &str, form: &str) -> Result<Option<String>, String> {
        match self.take(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
            Some(Value::Number(number)) if number.is_u64() => Ok(Some(number.to_string())),
            Some(_) => Err(format!("{field}: expected {form}")),
        }
    }

    /// The items of a list that is not empty: an array in JSON, text separated by `;` in CSV.
    fn many(&mut self, field: &str, example: &str) -> Result<Option<Vec<String>>, String> {
        let expected = || format!("{field}: expected a list of texts, such as [\"{example}\"]");
        let items: Vec<String> = match self.take(field) {
            None => return Ok(None),
            Some(Value::String(text)) => {
                text.split(';').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
            }
            Some(Value::Array(items)) => {
                let text = |item: Value| item.as_str().map(str::to_owned).ok_or_else(expected);
                items.into_iter().map(text).collect::<Result<_, _>>()?
            }
            Some(_) => return Err(expected()),
        };
        Ok(Some(items).filter(|items| !items.is_empty()))
    }

    /// Labels: an object in JSON, `key=value` separated by `;` in CSV.
    fn labels(&mut self) -> Result<Option<BTreeMap<String, String>>, String> {
        match self.take("labels") {
            None => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) => {
                let labels: Result<_, String> =
                    text.split(';').map(|label| super::values::label(label.trim())).collect();
                labels.map(Some).map_err(|why| format!("labels: {why}"))
            }
            Some(Value::Object(labels)) => {
                let one = |(name, value): (String, Value)| match value {
                    Value::String(text) => Ok((name, text)),
                    Value::Number(number) if number.is_i64() || number.is_u64() => Ok((name, number.to_string())),
                    _ => Err(format!("labels: the value of `{name}` is no text, in quotes")),
                };
                labels.into_iter().map(one).collect::<Result<_, _>>().map(Some)
            }
            Some(_) => {
                Err("labels: expected an object such as {\"team\": \"billing\"}, or text such as \"team=billing\""
                    .to_owned())
            }
        }
    }

    /// A truth value, or the word for one. Spreadsheets shout theirs.
    fn truth(&mut self, field: &str) -> Result<Option<bool>, String> {
        let word = match self.take(field) {
            None => return Ok(None),
            Some(Value::Bool(truth)) => return Ok(Some(truth)),
            Some(Value::String(word)) => word.to_ascii_lowercase(),
            Some(other) => other.to_string(),
        };
        match &*word {
            "" => Ok(None),
            "false" | "no" | "0" => Ok(Some(false)),
            "true" | "yes" | "1" => Ok(Some(true)),
            _ => Err(format!("{field}: expected true or false")),
        }
    }
}

/// The request of a line.
pub(super) fn request(mut line: Line, defaults: &Create) -> Result<Create, String> {
    let mut create = defaults.clone();
    let name = match line.take("name") {
        Some(Value::String(name)) => name,
        None => return Err("missing field `name`".to_owned()),
        Some(_) => return Err("name: expected text, in quotes".to_owned()),
    };
    create.name = name.parse::<ObjectName>().map_err(|why| format!("name: {why}"))?.into_string();
    set(&mut create.environment, line.text("environment")?, "environment", parse)?;
    create.owner = line.text("owner")?.or(create.owner);
    create.description = line.text("description")?.or(create.description);
    create.project = line.text("project")?.or(create.project);
    if let Some(customers) = line.many("customers", "contoso")? {
        create.customers = super::values::sorted(customers);
    }
    if let Some(scopes) = line.many("scopes", "invoices:read")? {
        let scopes: Result<Vec<_>, String> = scopes.iter().map(|scope| parse(scope)).collect();
        create.scopes = super::values::sorted(scopes.map_err(|why| format!("scopes: {why}"))?);
    }
    let limit = |text: &str| RateLimit::parse_hourly_or_none(text).map(Some);
    let form = "requests in a time, such as \"100/h\", a number of requests an hour, or \"none\"";
    set(&mut create.rate_limit, line.text_or_number("rate_limit", form)?, "rate_limit", limit)?;
    if let Some(ranges) = line.many("allow_ips", "10.0.0.0/8")? {
        create.allow_ips = Allowlist::parse(&ranges).map_err(|why| format!("allow_ips: {why}"))?;
    }
    create.labels = line.labels()?.unwrap_or(create.labels);
    create.expiry = expiry(&mut line)?.or(create.expiry);
    let period = |text: &str| time::parse_duration(text).map(Some);
    let every = |text: &str| super::values::duration_or_none(text).map(|every| Some(every.0));
    set(
        &mut create.rotate_every,
        line.text_or_number("rotate_every", "a duration such as \"30d\", or \"none\"")?,
        "rotate_every",
        every,
    )?;
    set(&mut create.overlap, line.text_or_number("overlap", "a duration such as \"24h\"")?, "overlap", period)?;
    create.renew_on_rotation = line.truth("renew_on_rotation")?.or(create.renew_on_rotation);
    if let Some(words) = line.many("self", "show")? {
        let words = words.iter().flat_map(|word| word.split(','));
        create.self_service = Some(SelfService::of_words(words).map_err(|why| format!("self: {why}"))?);
    }
    create.idempotency_key = line.text("idempotency_key")?;
    Ok(create)
}

fn expiry(line: &mut Line) -> Result<Option<Expiry>, String> {
    let never = line.truth("no_expiry")?.unwrap_or(false);
    let lifetime = line.text_or_number("expires_in", "a number of days, or a duration such as \"90d\"")?;
    match (lifetime, line.text("expires_at")?, never) {
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
        request(Line::of(serde_json::from_str(text).unwrap())?, &Create::named(""))
    }

    #[test]
    fn csv_and_json_mean_the_same() {
        let csv = [("name", "a"), ("env", "prod"), ("scopes", "x:read;y:write"), ("labels", "team=t;tier=1")];
        let cells = csv.into_iter().chain([("expires_in", "7d"), ("no_expiry", "0")]);
        let cells = cells.map(|(name, cell)| (name.to_owned(), Value::from(cell))).collect();
        let of_csv = request(Line::of(cells).unwrap(), &Create::named("")).unwrap();
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
            assert!(of_json(&format!(r#"{{"name":"a","{field}":""}}"#)).is_ok(), "{field}");
            // What no field holds is refused by the field's name: each is looked at.
            let name = ALIASES.iter().find(|(alias, _)| alias == field).map_or(*field, |(_, name)| name);
            let refused = of_json(&format!(r#"{{"name":"a","{field}":[[5]]}}"#)).unwrap_err();
            assert!(refused.starts_with(&format!("{name}: expected")), "{field}: {refused}");
        }
    }

    #[test]
    fn the_book_lists_the_fields_that_are_read() {
        let book = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/import.md"));
        let rows = book.lines().filter(|line| line.starts_with("| `"));
        let cells = rows.flat_map(|row| row.split('|').skip(1).take(2).map(|cell| cell.trim().trim_matches('`')));
        let mut told: Vec<&str> = cells.filter(|cell| !cell.is_empty()).collect();
        let mut read = FIELDS.to_vec();
        told.sort_unstable();
        read.sort_unstable();
        assert_eq!(told, read);
    }

    #[test]
    fn numbers_are_taken_where_the_unit_is_plain() {
        let line = r#"{"name":"a","expires_in":30,"rate_limit":100,"labels":{"tier":1},"no_expiry":0}"#;
        let text = r#"{"name":"a","expires_in":"30d","rate_limit":"100/h","labels":{"tier":"1"}}"#;
        assert_eq!(of_json(line).unwrap(), of_json(text).unwrap());
        for (line, wanted) in [
            (r#"{"name":5}"#, "name: expected text"),
            (r#"{"name":"a","expires_in":1.5}"#, "expires_in: expected a number of days"),
            (r#"{"name":"a","rate_limit":-1}"#, "rate_limit: expected requests in a time"),
            (r#"{"name":"a","rotate_every":30}"#, "rotate_every: expected a number with a unit"),
            (r#"{"name":"a","labels":["a=b"]}"#, "labels: expected an object"),
            (r#"{"name":"a","labels":{"a":[]}}"#, "labels: the value of `a`"),
            (r#"{"name":"a","scopes":5}"#, "scopes: expected a list of texts, such as [\"invoices:read\"]"),
            (r#"{"name":"a","env":"dev","environment":"dev"}"#, "`env` and `environment` are the same field"),
        ] {
            let refused = of_json(line).unwrap_err();
            assert!(refused.starts_with(wanted), "{line}: {refused}");
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
