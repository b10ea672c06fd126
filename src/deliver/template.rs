//! Placeholders: `{name}` and its like in a path, a name or a command, filled with facts of the key.
//!
//! The structure of a sink is read before anything is filled in, and a value that could change it (a `/` in a path, a
//! leading `-` of an operand, anything a shell reads) is refused: what is written in a keystore must not become a command.

use super::{KeyFacts, SinkError};

/// Text with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Fact(Fact),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Fact {
    Id,
    Name,
    Env,
    Workspace,
    Owner,
    Project,
    Label(String),
}

/// What the filled text is for, and so what a value may contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// One component of a path, or a part of one.
    Path,
    /// A part of an operand or a name.
    Word,
    /// Text that a shell reads.
    Command,
}

const KNOWN: &str = "{id}, {name}, {env}, {workspace}, {owner}, {project} and {label.NAME}";

impl Fact {
    fn named(word: &str) -> Option<Self> {
        Some(match word {
            "id" => Self::Id,
            "name" => Self::Name,
            "env" => Self::Env,
            "workspace" => Self::Workspace,
            "owner" => Self::Owner,
            "project" => Self::Project,
            label => Self::Label(label.strip_prefix("label.").filter(|name| !name.is_empty())?.to_owned()),
        })
    }

    fn of<'k>(&self, key: &KeyFacts<'k>) -> Option<&'k str> {
        match self {
            Self::Id => Some(key.id),
            Self::Name => Some(key.name),
            Self::Env => Some(key.env),
            Self::Workspace => Some(key.workspace),
            Self::Owner => key.owner,
            Self::Project => key.project,
            Self::Label(name) => key.labels.get(name).map(String::as_str),
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Id => "{id}".to_owned(),
            Self::Name => "{name}".to_owned(),
            Self::Env => "{env}".to_owned(),
            Self::Workspace => "{workspace}".to_owned(),
            Self::Owner => "{owner}".to_owned(),
            Self::Project => "{project}".to_owned(),
            Self::Label(name) => format!("{{label.{name}}}"),
        }
    }
}

impl Template {
    /// Reads text in which every brace is a placeholder; `{{` and `}}` stand for a brace.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if let Some(bad) = text.chars().find(|character| character.is_control()) {
            return Err(format!("it contains a control character ({})", bad.escape_default()));
        }
        let mut parts = Vec::new();
        let (mut plain, mut rest) = (String::new(), text);
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let brace = &rest[at..];
            if let Some(after) = brace.strip_prefix("{{") {
                plain.push('{');
                rest = after;
            } else if let Some(after) = brace.strip_prefix("}}") {
                plain.push('}');
                rest = after;
            } else if let Some((word, after)) = brace.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
                let fact = Fact::named(word).ok_or_else(|| {
                    format!("{{{word}}} is no placeholder; known are {KNOWN}; a brace is written {{{{")
                })?;
                parts.push(Part::Text(std::mem::take(&mut plain)));
                parts.push(Part::Fact(fact));
                rest = after;
            } else {
                return Err("a brace stands alone; a brace of its own is written {{ or }}".to_owned());
            }
        }
        plain.push_str(rest);
        parts.push(Part::Text(plain));
        Ok(Self::of(parts))
    }

    /// Reads a command: braces mean much to shells and their programs, so that only known placeholders that no `$`
    /// precedes are read as such.
    pub(super) fn command(text: &str) -> Self {
        let mut parts = Vec::new();
        let (mut plain, mut rest) = (String::new(), text);
        while let Some(at) = rest.find('{') {
            let (before, brace) = rest.split_at(at);
            plain.push_str(before);
            let found = brace[1..].split_once('}').and_then(|(word, after)| Some((Fact::named(word)?, after)));
            match found {
                Some((fact, after)) if !plain.ends_with('$') => {
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                    parts.push(Part::Fact(fact));
                    rest = after;
                }
                _ => {
                    plain.push('{');
                    rest = &brace[1..];
                }
            }
        }
        plain.push_str(rest);
        parts.push(Part::Text(plain));
        Self::of(parts)
    }

    fn of(parts: Vec<Part>) -> Self {
        Self(parts.into_iter().filter(|part| !matches!(part, Part::Text(text) if text.is_empty())).collect())
    }

    /// The text, when nothing is to be filled in.
    pub(super) fn literal(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Fills in the facts of a key.
    pub(super) fn fill(&self, key: &KeyFacts<'_>, purpose: Purpose) -> Result<String, SinkError> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Fact(fact) => {
                    let value = fact.of(key).ok_or_else(|| {
                        SinkError::usage(format!("the key {} has nothing to fill {} with", key.name, fact.shown()))
                    })?;
                    check(value, purpose).map_err(|cause| {
                        SinkError::usage(format!("{} of the key {} cannot be filled in here", fact.shown(), key.id))
                            .cause(cause)
                            .hint("write the destination of this key out, for example in a rule of its own in the deliver map")
                    })?;
                    text.push_str(value);
                }
            }
        }
        Ok(text)
    }
}

/// Whether a value keeps the structure around it as it is.
fn check(value: &str, purpose: Purpose) -> Result<(), String> {
    if value.is_empty() {
        return Err("it is empty".to_owned());
    }
    if value.starts_with('-') {
        return Err("it begins with -, which could be read as an option".to_owned());
    }
    if value.bytes().all(|byte| byte == b'.') {
        return Err("it is made of dots, which name another directory".to_owned());
    }
    let fits = |character: char| match purpose {
        Purpose::Path => character != '/' && !character.is_control(),
        Purpose::Word => !"/~".contains(character) && !character.is_control() && !character.is_whitespace(),
        Purpose::Command => character.is_ascii_alphanumeric() || "._-@:+%".contains(character),
    };
    match value.chars().find(|&character| !fits(character)) {
        Some(bad) => Err(format!("it contains {:?}", bad)),
        None => Ok(()),
    }
}
