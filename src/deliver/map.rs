//! The deliver map: a TOML file that says which keys go where. The first rule that matches a key is its rule.
//!
//! It decides which commands are run, so that only its owner and root may be able to change it.

use super::{KeyFacts, SinkError, SinkSpec, own_file::OwnFile};
use crate::domain::{
    Environment,
    serde_text::toml_problem,
    text::{composed, same},
    time::parse_duration,
};
use chrono::TimeDelta;
use glob::Pattern;
use serde::Deserialize;
use std::path::Path;

/// Which keys go where.
#[derive(Debug, Clone)]
pub struct DeliverMap {
    rules: Vec<Rule>,
}

/// Where some keys go.
#[derive(Debug, Clone)]
pub struct Rule {
    keys: Keys,
    env: Option<Environment>,
    /// The sinks, at least one.
    pub deliver: Vec<SinkSpec>,
    /// What is asked whether the new secret works.
    pub probe: Option<String>,
    /// How long the old secret goes on working.
    pub overlap: Option<TimeDelta>,
}

#[derive(Debug, Clone)]
enum Keys {
    Name(String),
    Glob(Pattern),
    Label(String, String),
}

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MapFile {
    #[serde(default)]
    rule: Vec<RuleText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleText {
    name: Option<String>,
    glob: Option<String>,
    label: Option<String>,
    env: Option<String>,
    deliver: OneOrMany,
    probe: Option<String>,
    overlap: Option<String>,
}

/// `deliver = "file:x"`, or a list of them.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a sink, or a list of sinks")]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl DeliverMap {
    /// Reads a map.
    ///
    /// # Errors
    /// When it cannot be read or understood, and when others could change it.
    pub fn load(path: &Path) -> Result<Self, SinkError> {
        let file = OwnFile::open(path, "the deliver map")?;
        file.guard()?;
        let text = file.read()?;
        Self::parse(&text)
            .map_err(|cause| SinkError::usage(format!("the deliver map {} is not usable", path.display())).cause(cause))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let file: MapFile = toml::from_str(text).map_err(|error| toml_problem(text, &error))?;
        if file.rule.is_empty() {
            return Err("it has no [[rule]]".to_owned());
        }
        let rules = file.rule.into_iter().enumerate();
        let rules = rules.map(|(at, text)| Rule::read(text).map_err(|cause| format!("rule {}: {cause}", at + 1)));
        Ok(Self { rules: rules.collect::<Result<_, _>>()? })
    }

    /// The rule of a key: the first that matches.
    #[must_use]
    pub fn rule_for(&self, key: &KeyFacts<'_>) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.matches(key))
    }
}

impl Rule {
    fn read(text: RuleText) -> Result<Self, String> {
        let keys = match (text.name, text.glob, text.label) {
            (Some(name), None, None) => Keys::Name(name),
            (None, Some(glob), None) => {
                Keys::Glob(Pattern::new(&composed(&glob)).map_err(|error| format!("glob: {error}"))?)
            }
            (None, None, Some(label)) => {
                let (name, value) = label.split_once('=').ok_or("label is written \"team=billing\"")?;
                Keys::Label(name.to_owned(), value.to_owned())
            }
            _ => return Err("it needs exactly one of name, glob and label".to_owned()),
        };
        let sinks = match text.deliver {
            OneOrMany::One(sink) => vec![sink],
            OneOrMany::Many(sinks) => sinks,
        };
        let deliver = sinks.iter().map(|sink| sink.parse().map_err(|cause| format!("{sink}: {cause}")));
        let deliver = deliver.collect::<Result<Vec<_>, _>>()?;
        if deliver.is_empty() {
            return Err("deliver names no sink".to_owned());
        }
        if text.probe.as_ref().is_some_and(|probe| probe.trim().is_empty()) {
            return Err("probe is empty".to_owned());
        }
        let env = text.env.map(|env| env.parse()).transpose().map_err(|cause| format!("env: {cause}"))?;
        let overlap = text.overlap.map(|overlap| parse_duration(&overlap)).transpose();
        Ok(Self {
            keys,
            env,
            deliver,
            probe: text.probe,
            overlap: overlap.map_err(|cause| format!("overlap: {cause}"))?,
        })
    }

    fn matches(&self, key: &KeyFacts<'_>) -> bool {
        let named = match &self.keys {
            Keys::Name(name) => same(name, key.name),
            Keys::Glob(pattern) => pattern.matches(&composed(key.name)),
            Keys::Label(name, value) => key.labels.iter().any(|(own, held)| same(own, name) && same(held, value)),
        };
        named && self.env.is_none_or(|env| env.as_str() == key.env)
    }
}

#[cfg(test)]
#[path = "map_tests.rs"]
mod tests;
