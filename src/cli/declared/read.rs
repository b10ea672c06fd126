//! Reading a file of keys, TOML or JSON.
//!
//! The file may say where the secrets of new keys go. Sinks run programs and write files, so such a file must be one that
//! only its owner and root can change; one that names no sink may be anybody's.

use super::{Beside, SCHEMA};
use crate::{
    cli::{
        bulk,
        bulk_line::{FIELDS, Line, request},
        context::Ctx,
    },
    deliver::{OwnFile, SinkSpec},
    domain::{
        closest,
        serde_text::toml_problem,
        text::{composed, decode},
        unique_json,
    },
    ops::{Create, Declared, Error, KeyView, Kind, PlanStep, Result},
    rotate::refused,
};
use serde_json::{Map, Value};
use std::{collections::HashMap, path::Path};

/// So many wrong keys are told.
const TOLD: usize = 20;

/// What a file declares.
pub(in crate::cli) struct KeysFile {
    /// The keys.
    pub(in crate::cli) keys: Vec<Declared>,
    /// Where the secret of each goes; in the order of the keys.
    pub(in crate::cli) sinks: Vec<Vec<SinkSpec>>,
    places: HashMap<(String, String), usize>,
}

impl KeysFile {
    /// Keys that come from elsewhere, without sinks of their own.
    pub(in crate::cli) fn of(keys: Vec<Declared>) -> Self {
        let place = |(place, one): (usize, &Declared)| {
            ((one.key.environment.to_string(), composed(&one.key.name).into_owned()), place)
        };
        let places = keys.iter().enumerate().map(place).collect();
        Self { sinks: vec![Vec::new(); keys.len()], keys, places }
    }

    /// Which of the declared keys a key is.
    pub(in crate::cli) fn place(&self, key: &KeyView) -> Option<usize> {
        self.place_of(&key.environment, &key.name)
    }

    /// The sinks that stand with the key of a step whose secret is delivered, as they are written.
    pub(in crate::cli) fn beside(&self, step: &PlanStep) -> Beside {
        let place = self.place_of(&step.environment, &step.name).filter(|_| step.action.delivers());
        let own = place.and_then(|place| self.sinks.get(place)).map_or(&[][..], Vec::as_slice);
        Beside { sinks: own.iter().map(ToString::to_string).collect(), ..Beside::default() }
    }

    fn place_of(&self, environment: &str, name: &str) -> Option<usize> {
        self.places.get(&(environment.to_owned(), composed(name).into_owned())).copied()
    }
}

/// Reads a file, or standard input for `-`.
///
/// # Errors
/// `Usage` when it cannot be read or understood, with every key that is wrong; `Forbidden` when it names sinks and others
/// could change it.
pub(in crate::cli) fn read(cx: &mut Ctx, path: &Path) -> Result<KeysFile> {
    if path == Path::new("-") {
        let (bytes, _) = bulk::read(cx, path)?;
        let unread = |why| Error::usage("cannot read the keys from standard input").cause(why);
        let file = parse(&decode(&bytes).map_err(unread)?, path)?;
        return if file.sinks.iter().all(Vec::is_empty) { Ok(file) } else { Err(unguarded()) };
    }
    let own = OwnFile::open(path, "the file of keys").map_err(|error| refused(&error))?;
    let file = parse(&own.read().map_err(|error| refused(&error))?, path)?;
    if file.sinks.iter().any(|sinks| !sinks.is_empty()) {
        own.guard().map_err(|error| refused(&error))?;
    }
    Ok(file)
}

fn parse(text: &str, path: &Path) -> Result<KeysFile> {
    let unusable = |cause: String| {
        Error::new(Kind::Usage, "keys_file", format!("the file of keys {} is not usable", path.display())).cause(cause)
    };
    let document = if text.trim_start().starts_with('{') {
        unique_json::parse(text).map_err(|error| unusable(error.to_string()))?
    } else {
        let table = toml::from_str::<toml::Table>(text);
        json_of(toml::Value::Table(table.map_err(|error| unusable(toml_problem(text, &error)))?))
    };
    let Value::Object(mut document) = document else { return Err(unusable("it is no table of keys".to_owned())) };
    match document.remove("schema") {
        None => {}
        Some(Value::String(schema)) if schema == SCHEMA => {}
        Some(other) => return Err(unusable(format!("its schema is {other}, and {SCHEMA} is understood"))),
    }
    let entries = match document.remove("keys") {
        Some(Value::Array(entries)) => entries,
        // What a generator that failed leaves behind is empty, and must not mean that no key is wanted.
        None => {
            return Err(unusable(
                "it has no keys: an empty set is written keys = [], or \"keys\": [] in JSON".to_owned(),
            ));
        }
        Some(_) => return Err(unusable("keys is no list: write [[keys]]".to_owned())),
    };
    if let Some(other) = document.keys().next() {
        return Err(unusable(format!("unknown field `{other}`: there are schema and keys")));
    }
    let (mut file, mut wrong) = (KeysFile { keys: Vec::new(), sinks: Vec::new(), places: HashMap::new() }, Vec::new());
    for (index, entry) in entries.into_iter().enumerate() {
        let name = entry.get("name").and_then(Value::as_str).map(|name| format!(" ({name})")).unwrap_or_default();
        match one(entry) {
            Ok((declared, sinks)) => {
                file.places.insert((declared.key.environment.to_string(), declared.key.name.clone()), file.keys.len());
                file.keys.push(declared);
                file.sinks.push(sinks);
            }
            Err(why) => wrong.push(format!("key {}{name}: {why}", index + 1)),
        }
    }
    if wrong.is_empty() {
        return Ok(file);
    }
    let more = wrong.len().saturating_sub(TOLD);
    let mut error = unusable(wrong.remove(0));
    error.causes.extend(wrong.into_iter().take(TOLD - 1));
    if error.causes.iter().any(|cause| cause.contains(": unknown field")) {
        error = error.hint(format!(
            "the fields are {}, `active`, `deliver`",
            FIELDS
                .iter()
                .filter(|field| **field != "idempotency_key")
                .map(|field| format!("`{field}`"))
                .collect::<Vec<_>>()
                .join(", ")
        ));
    }
    Err(if more == 0 { error } else { error.cause(format!("and {more} more")) })
}

fn one(entry: Value) -> std::result::Result<(Declared, Vec<SinkSpec>), String> {
    let Value::Object(mut fields) = entry else { return Err("it is no table".to_owned()) };
    let active = match fields.remove("active") {
        None | Some(Value::Null) => true,
        Some(Value::Bool(active)) => active,
        Some(_) => return Err("active: expected true or false".to_owned()),
    };
    let sinks = sinks(fields.remove("deliver"))?;
    if fields.contains_key("idempotency_key") {
        return Err("unknown field `idempotency_key`: the name says which key is meant".to_owned());
    }
    if let Some(other) = fields.keys().find(|field| !FIELDS.contains(&field.as_str())) {
        let all: Vec<&str> = FIELDS.iter().copied().chain(["active", "deliver"]).collect();
        let near = closest(other, &all).into_iter().next();
        return Err(format!(
            "unknown field `{other}`{}",
            near.map(|near| format!(" (is it `{near}`?)")).unwrap_or_default()
        ));
    }
    let key = request(Line::of(fields)?, &Create::named(String::new()))?;
    Ok((Declared { key, active }, sinks))
}

fn sinks(deliver: Option<Value>) -> std::result::Result<Vec<SinkSpec>, String> {
    let texts = match deliver {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(sink)) => vec![sink],
        Some(Value::Array(sinks)) => sinks
            .into_iter()
            .map(|sink| sink.as_str().map(str::to_owned).ok_or("deliver: expected a list of sinks"))
            .collect::<std::result::Result<_, _>>()?,
        Some(_) => return Err("deliver: expected a list of sinks".to_owned()),
    };
    texts.iter().map(|text| text.parse().map_err(|cause| format!("deliver: {text}: {cause}"))).collect()
}

/// The same values; a date of TOML becomes its text.
fn json_of(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => Value::from(number),
        toml::Value::Float(number) => Value::from(number),
        toml::Value::Boolean(truth) => Value::Bool(truth),
        toml::Value::Datetime(time) => Value::String(time.to_string()),
        toml::Value::Array(items) => items.into_iter().map(json_of).collect(),
        toml::Value::Table(fields) => {
            fields.into_iter().map(|(name, value)| (name, json_of(value))).collect::<Map<_, _>>().into()
        }
    }
}

fn unguarded() -> Error {
    Error::forbidden("sink", "what comes from standard input may name no sinks: nobody knows who wrote it")
        .hint("leave deliver out, and say --deliver or --deliver-map")
}
