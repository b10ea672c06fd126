//! A request on its way: the fields that the path and the query name as text, the others as a JSON body.

use super::json_objects::Objects;
use crate::ops::{
    Error, Kind, Result,
    case::{Route, UseCase},
};
use serde::{
    Deserializer, Serialize,
    de::{self, DeserializeOwned, DeserializeSeed, Error as _, IntoDeserializer, MapAccess, Visitor},
    forward_to_deserialize_any,
};
use serde_json::value::RawValue;
use std::{cell::RefCell, collections::BTreeMap, fmt, io, vec};
use zeroize::Zeroizing;

/// A request as it is sent.
pub struct Packed {
    /// The segments of the path.
    pub path: Vec<String>,
    /// The parameters.
    pub query: Vec<(&'static str, String)>,
    /// What is left, as JSON; it may hold a secret.
    pub body: Zeroizing<Vec<u8>>,
}

impl Packed {
    /// Takes a request apart.
    ///
    /// # Errors
    /// `Internal` for one that is no object.
    pub fn of<Q: UseCase>(request: &Q) -> Result<Self> {
        Self::with(request, |_| true)
    }

    /// The same for who can say less of it: what says nothing is left out.
    ///
    /// # Errors
    /// As [`Packed::of`].
    pub fn short<Q: UseCase>(request: &Q) -> Result<Self> {
        Self::with(request, |raw| !matches!(raw, "null" | "false" | "[]"))
    }

    fn with<Q: UseCase>(request: &Q, is_said: impl Fn(&str) -> bool) -> Result<Self> {
        let whole = written(request)?;
        // Not as values: of many keys they would take many times the room, and of a secret they would leave copies.
        let mut fields: BTreeMap<&str, &RawValue> =
            serde_json::from_slice(&whole).map_err(|error| unusable(&error.to_string()))?;
        let route = Q::ROUTE;
        let mut path = Vec::new();
        for segment in route.path.split('/').skip(1) {
            let named = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
            path.push(match named {
                Some(name) => fields.remove(name).map(text).unwrap_or_default(),
                None => segment.to_owned(),
            });
        }
        let named = route.query.iter().filter_map(|name| Some((*name, fields.remove(*name)?)));
        let query = named.filter(|(_, raw)| raw.get() != "null").map(|(name, raw)| (name, text(raw))).collect();
        fields.retain(|_, raw| is_said(raw.get()));
        let body = written(&fields)?;
        Ok(Self { path, query, body })
    }
}

/// The text of a body, which may hold a secret: in memory of its whole size from the beginning, for a buffer that grows leaves
/// copies behind that nobody wipes.
///
/// # Errors
/// `Internal` for what cannot be written.
pub fn written(body: &impl Serialize) -> Result<Zeroizing<Vec<u8>>> {
    let mut length = Length(0);
    let mut text = Zeroizing::new(Vec::new());
    serde_json::to_writer(&mut length, body)
        .and_then(|()| {
            text.reserve_exact(length.0);
            serde_json::to_writer(&mut *text, body)
        })
        .map_err(|error| unusable(&error.to_string()))?;
    Ok(text)
}

/// Counts what is written.
struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn unusable(cause: &str) -> Error {
    Error::new(Kind::Internal, "request", "the request cannot be written").cause(cause)
}

/// A value as the path or the query has it.
fn text(raw: &RawValue) -> String {
    serde_json::from_str(raw.get()).unwrap_or_else(|_| raw.get().to_owned())
}

/// Puts a request together again. `env` is understood for `environment`.
///
/// # Errors
/// `Usage`, naming the part of it that is not usable.
pub fn unpack<Q: DeserializeOwned>(
    route: &Route,
    path: Vec<(String, String)>,
    query: Vec<(String, String)>,
    body: &[u8],
) -> Result<Q> {
    let whole_name = |name: String| if name == "env" { "environment".to_owned() } else { name };
    let query: Vec<_> = query.into_iter().map(|(name, text)| (whole_name(name), text)).collect();
    if let Some((name, _)) = query.iter().find(|(name, _)| !route.query.contains(&name.as_str())) {
        let known = route.query.join(", ");
        return Err(Error::usage("the query is not usable").cause(format!("unknown field `{name}`, expected {known}")));
    }
    let fixed = route.fixed.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let told = path.into_iter().chain(fixed).map(|(name, text)| (Part::Path, name, text));
    let told: Vec<_> = told.chain(query.into_iter().map(|(name, text)| (Part::Query, name, text))).collect();
    let fixed = route.fixed.iter().map(|(name, _)| *name);
    let elsewhere = route.path_names().chain(fixed).chain(route.query.iter().copied()).collect();
    let refused = RefCell::new(None);
    let mut body = serde_json::Deserializer::from_slice(body);
    let read = Q::deserialize(Whole { body: Objects(&mut body), told, elsewhere, refused: &refused });
    read.and_then(|read| body.end().map(|()| read)).map_err(|error| {
        refused.take().unwrap_or_else(|| Error::usage("the body is not usable").cause(error.to_string()))
    })
}

/// Which part of a request a text is from.
#[derive(Clone, Copy)]
enum Part {
    Path,
    Query,
}

impl Part {
    fn refuses(self, name: &str, why: &Unread) -> Error {
        match (self, why) {
            (Self::Path, Unread::Unknown(_)) => Error::not_found("there is nothing at this path"),
            // What is wrong with the name of a key says all.
            (Self::Path, Unread::Unusable(why)) => Error::usage(why.clone()),
            (Self::Query, why) => Error::usage("the query is not usable").cause(format!("'{name}': {why}")),
        }
    }
}

/// A JSON object, read as if what was told outside it stood at its beginning.
struct Whole<'r, D> {
    body: D,
    told: Vec<(Part, String, String)>,
    /// The fields that a body does not have.
    elsewhere: Vec<&'static str>,
    /// Why one of those texts is not usable: an error of the body would name a place in the body.
    refused: &'r RefCell<Option<Error>>,
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Whole<'_, D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, D::Error> {
        let Self { body, told, elsewhere, refused } = self;
        body.deserialize_map(Before { visitor, told, elsewhere, refused })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct Before<'r, V> {
    visitor: V,
    told: Vec<(Part, String, String)>,
    elsewhere: Vec<&'static str>,
    refused: &'r RefCell<Option<Error>>,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Before<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, body: A) -> std::result::Result<V::Value, A::Error> {
        let Self { visitor, told, elsewhere, refused } = self;
        visitor.visit_map(Fields { told: told.into_iter(), at: None, body, elsewhere, refused })
    }
}

/// First the fields that were told, then those of the body.
struct Fields<'r, A> {
    told: vec::IntoIter<(Part, String, String)>,
    at: Option<(Part, String, String)>,
    body: A,
    elsewhere: Vec<&'static str>,
    refused: &'r RefCell<Option<Error>>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Fields<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> std::result::Result<Option<K::Value>, A::Error> {
        self.at = self.told.next();
        if let Some((_, name, _)) = &self.at {
            return seed.deserialize(name.as_str().into_deserializer()).map(Some);
        }
        let Some(name) = self.body.next_key::<String>()? else { return Ok(None) };
        if self.elsewhere.contains(&name.as_str()) {
            return Err(A::Error::custom(format!("unknown field `{name}`: the path and the query have it")));
        }
        seed.deserialize(name.into_deserializer()).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> std::result::Result<S::Value, A::Error> {
        let Some((part, name, text)) = self.at.take() else { return self.body.next_value_seed(seed) };
        seed.deserialize(Text(text)).map_err(|error| {
            self.refused.replace(Some(part.refuses(&name, &error)));
            A::Error::custom(error)
        })
    }
}

/// A text that is read as what its field is.
struct Text(String);

/// Why it cannot be.
#[derive(Debug)]
enum Unread {
    /// It is none of the few words that its field may be.
    Unknown(String),
    /// Anything else.
    Unusable(String),
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Unknown(why) | Self::Unusable(why)) = self;
        f.write_str(why)
    }
}

impl std::error::Error for Unread {}

impl de::Error for Unread {
    fn custom<T: fmt::Display>(why: T) -> Self {
        Self::Unusable(why.to_string())
    }

    fn unknown_variant(word: &str, known: &'static [&'static str]) -> Self {
        Self::Unknown(format!("'{word}' is none of {}", known.join(", ")))
    }
}

macro_rules! parsed {
    ($($method:ident $visit:ident $what:literal;)*) => { $(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, Unread> {
            match self.0.parse() {
                Ok(value) => visitor.$visit(value),
                Err(_) => Err(Unread::custom(concat!("expected ", $what))),
            }
        }
    )* };
}

impl<'de> Deserializer<'de> for Text {
    type Error = Unread;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, Unread> {
        visitor.visit_string(self.0)
    }

    parsed! {
        deserialize_bool visit_bool "true or false";
        deserialize_u16 visit_u16 "a whole number";
        deserialize_u32 visit_u32 "a whole number";
        deserialize_u64 visit_u64 "a whole number";
        deserialize_i64 visit_i64 "a whole number";
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _words: &'static [&'static str],
        visitor: V,
    ) -> std::result::Result<V::Value, Unread> {
        visitor.visit_enum(self.0.into_deserializer())
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, Unread> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> std::result::Result<V::Value, Unread> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
        identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{CreateObject, ObjectKind, case::Method};
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Asked {
        key: String,
        #[serde(default)]
        environment: Option<String>,
        #[serde(default)]
        force: bool,
        #[serde(default)]
        after: Option<i64>,
    }

    fn read(query: &[(&str, &str)], body: &str) -> Result<Asked> {
        let route =
            Route { query: &["environment", "after"], ..Route::new(Method::Post, "/v1/keys/{key}", "id", "keys") };
        let pairs =
            |all: &[(&str, &str)]| all.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        unpack(&route, pairs(&[("key", "7")]), pairs(query), body.as_bytes())
    }

    #[test]
    fn the_parts_of_a_request_are_put_together() {
        let asked = read(&[("env", "staging"), ("after", "-3")], r#"{"force":true}"#).unwrap();
        let environment = Some("staging".to_owned());
        assert_eq!(asked, Asked { key: "7".to_owned(), environment, force: true, after: Some(-3) });
    }

    #[test]
    fn a_body_is_written_into_memory_of_its_size() {
        let body = serde_json::json!({ "key": "x".repeat(10_000), "list": [1, 2] });
        let text = written(&body).unwrap();
        assert_eq!(*text, serde_json::to_vec(&body).unwrap());
        assert_eq!(text.capacity(), text.len());
    }

    #[test]
    fn what_no_part_of_the_request_takes_is_refused_and_the_part_is_named() {
        let refused = |query: &[(&str, &str)], body: &str| {
            let error = read(query, body).unwrap_err();
            format!("{}: {}", error.message, error.causes.join("; "))
        };
        assert_eq!(
            refused(&[("force", "true")], "{}"),
            "the query is not usable: unknown field `force`, expected environment, after"
        );
        assert_eq!(refused(&[("after", "x")], "{}"), "the query is not usable: 'after': expected a whole number");
        assert!(refused(&[], r#"{"forse":true}"#).starts_with("the body is not usable: unknown field `forse`"));
        assert!(refused(&[], r#"{"key":"8"}"#).starts_with("the body is not usable: unknown field `key`"));
        assert!(
            refused(&[], r#"{"environment":"a"}"#).starts_with("the body is not usable: unknown field `environment`")
        );
        assert!(refused(&[("env", "a"), ("environment", "b")], "{}").contains("duplicate field `environment`"));
        assert!(refused(&[], r#"{"force":1}"#).starts_with("the body is not usable"));
        assert!(refused(&[], "{} {}").starts_with("the body is not usable"));
        assert!(refused(&[], "[]").starts_with("the body is not usable"));
    }

    #[test]
    fn a_struct_flattened_into_a_request_refuses_what_it_does_not_know() {
        let create = |path: &str, body: &str| {
            let path = vec![("kind".to_owned(), path.to_owned())];
            unpack::<CreateObject>(&CreateObject::ROUTE, path, Vec::new(), body.as_bytes())
        };
        let made = create("plans", r#"{"name":"p","api_access":false,"max_keys":null}"#).unwrap();
        assert_eq!(
            (made.kind, made.change.api_access, made.change.max_keys),
            (ObjectKind::Plan, Some(false), Some(None))
        );
        // A slip that passed would give access.
        assert!(create("plans", r#"{"name":"p","api_acces":false}"#).unwrap_err().causes[0].contains("api_acces"));
        assert_eq!(create("planes", r#"{"name":"p"}"#).unwrap_err().kind, Kind::NotFound);
    }
}
