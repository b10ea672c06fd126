//! What a key may do: `resource:level`, wildcards, and levels that imply others.

use serde::{Serialize, Serializer};
use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

const MAX_PART: usize = 64;
const ANY: &str = "*";

/// One permission, `resource:level`; either part may be `*`, and a bare `*` means both.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    /// As it is written: of both wildcards a single `*`.
    text: String,
    /// Where the resource ends.
    colon: usize,
}

impl Scope {
    fn new(resource: &str, level: &str) -> Self {
        let text = if resource == ANY && level == ANY { ANY.to_owned() } else { [resource, level].join(":") };
        Self { text, colon: resource.len() }
    }

    /// The scope as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it means more than one permission.
    #[must_use]
    pub fn has_wildcard(&self) -> bool {
        self.resource() == ANY || self.level() == ANY
    }

    fn resource(&self) -> &str {
        &self.text[..self.colon]
    }

    /// What may be done with the resource; `*` is everything.
    #[must_use]
    pub fn level(&self) -> &str {
        self.text.get(self.colon + 1..).unwrap_or(ANY)
    }

    /// Whether this scope covers another one by its wildcards alone.
    #[must_use]
    pub fn covers(&self, wanted: &Self) -> bool {
        let (resource, level) = (self.resource(), self.level());
        (resource == ANY || resource == wanted.resource()) && (level == ANY || level == wanted.level())
    }
}

/// By resource, then by level, whatever sorts between them.
impl Ord for Scope {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.resource(), self.level()).cmp(&(other.resource(), other.level()))
    }
}

impl PartialOrd for Scope {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (resource, level) = if text == ANY {
            (ANY, ANY)
        } else {
            text.split_once(':').ok_or_else(|| match as_part(text) {
                Some(part) => format!("expected resource:level, such as {part}:read, {part}:* or *"),
                None => "expected resource:level, such as audits:read, audits:* or *".to_owned(),
            })?
        };
        if is_part(resource) && is_part(level) {
            return Ok(Self::new(resource, level));
        }
        let rule = "a part of a scope is 1 to 64 of a-z 0-9 _ . - beginning with a letter or digit, or *";
        match as_part(resource).zip(as_part(level)) {
            Some((resource, level)) => Err(format!("{rule}: did you mean {resource}:{level}?")),
            None => Err(rule.to_owned()),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// A part as it would be written here, of one that is written as in other systems: `SecurityScans`, `Security Scans`.
fn as_part(text: &str) -> Option<String> {
    let (mut part, mut after_lower) = (String::new(), false);
    for character in text.chars() {
        if (character.is_ascii_uppercase() && after_lower) || character == ' ' {
            part.push('-');
        }
        after_lower = character.is_ascii_lowercase() || character.is_ascii_digit();
        part.extend((character != ' ').then(|| character.to_ascii_lowercase()));
    }
    Some(part).filter(|part| is_part(part))
}

fn is_part(part: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    part == ANY
        || (part.len() <= MAX_PART
            && part.bytes().next().is_some_and(plain)
            && part.bytes().all(|byte| plain(byte) || b"_.-".contains(&byte)))
}

/// What the catalogue knows of a scope.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScopeEntry {
    /// What it allows, in words.
    pub description: Option<String>,
    /// The scopes it includes. `*:operate` implying `*:read` holds for each resource on its own.
    pub implies: BTreeSet<Scope>,
}

/// The declared scopes of a workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// The scopes and what is known of them.
    pub entries: BTreeMap<Scope, ScopeEntry>,
    /// Scopes that are not declared are refused.
    pub closed: bool,
}

impl Catalogue {
    /// Whether the granted scopes include the wanted one, by wildcards and implications.
    #[must_use]
    pub fn grants(&self, granted: &[Scope], wanted: &Scope) -> bool {
        self.walk(granted, |scope| scope.covers(wanted)).is_none()
    }

    /// The granted scopes with all that they imply, step by step; not what their wildcards cover.
    #[must_use]
    pub fn reach(&self, granted: &[Scope]) -> BTreeSet<Scope> {
        self.walk(granted, |_| false).unwrap_or_default()
    }

    /// Goes through what is granted and implied until it is enough; answers with all of it where it never is.
    fn walk(&self, granted: &[Scope], enough: impl Fn(&Scope) -> bool) -> Option<BTreeSet<Scope>> {
        let mut open: Vec<Scope> = granted.to_vec();
        let mut seen = BTreeSet::new();
        while let Some(scope) = open.pop() {
            if enough(&scope) {
                return None;
            }
            if seen.insert(scope.clone()) {
                open.extend(self.implied_by(&scope));
            }
        }
        Some(seen)
    }

    /// Declared scopes that look like the one given.
    #[must_use]
    pub fn suggest(&self, text: &str) -> Vec<String> {
        let names: Vec<String> = self.entries.keys().map(ToString::to_string).collect();
        super::closest(text, &names.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// What a scope implies in one step. A held wildcard implies what every scope it covers implies; an entry for a
    /// wildcard resource carries the held resource over to what it implies.
    fn implied_by(&self, held: &Scope) -> Vec<Scope> {
        let mut implied = Vec::new();
        for (declared, entry) in &self.entries {
            if held.covers(declared) {
                implied.extend(entry.implies.iter().cloned());
            } else if declared.covers(held) {
                implied.extend(entry.implies.iter().map(|scope| {
                    let resource = if scope.resource() == ANY { held.resource() } else { scope.resource() };
                    Scope::new(resource, scope.level())
                }));
            }
        }
        implied
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scope(text: &str) -> Scope {
        text.parse().unwrap()
    }

    fn grants(catalogue: &Catalogue, held: &[&str], wanted: &str) -> bool {
        let held: Vec<Scope> = held.iter().map(|text| scope(text)).collect();
        catalogue.grants(&held, &scope(wanted))
    }

    fn implying(rules: &[(&str, &str)]) -> Catalogue {
        let mut catalogue = Catalogue::default();
        for (scope_text, implied) in rules {
            catalogue.entries.entry(scope(scope_text)).or_default().implies.insert(scope(implied));
        }
        catalogue
    }

    #[test]
    fn wildcards_cover() {
        let none = Catalogue::default();
        assert!(grants(&none, &["audits:*"], "audits:read"));
        assert!(grants(&none, &["*:read"], "audits:read"));
        assert!(grants(&none, &["*"], "audits:read"));
        assert!(!grants(&none, &["audits:*"], "billing:read"));
        assert!(!grants(&none, &["*:read"], "audits:write"));
        assert!(!grants(&none, &["audits:read"], "audits:*"));
        assert!(!grants(&none, &[], "audits:read"));
    }

    #[test]
    fn levels_imply_others_along_a_chain_and_round_a_circle() {
        let catalogue = implying(&[("a:admin", "a:operate"), ("a:operate", "a:read"), ("a:read", "a:admin")]);
        assert!(grants(&catalogue, &["a:admin"], "a:read"));
        assert!(!grants(&catalogue, &["a:admin"], "b:read"));
        let general = implying(&[("*:operate", "*:read")]);
        assert!(grants(&general, &["audits:operate"], "audits:read"));
        assert!(!grants(&general, &["audits:operate"], "billing:read"));
    }

    #[test]
    fn a_bad_scope_is_refused() {
        for bad in ["", "audits", ":read", "audits:", "Audits:read", "a b:read", "a:b:c", "-a:read", "audits:r*"] {
            assert!(bad.parse::<Scope>().is_err(), "{bad} was accepted");
        }
    }

    #[test]
    fn a_scope_as_other_systems_write_it_is_told_the_form() {
        for (written, told) in [
            ("SecurityScans", "such as security-scans:read"),
            ("audits", "such as audits:read"),
            ("Audits:Read", "did you mean audits:read?"),
            ("Security Scans:operate", "did you mean security-scans:operate?"),
            ("ab!:read", "a part of a scope is"),
        ] {
            let why = written.parse::<Scope>().unwrap_err();
            assert!(why.contains(told), "{written}: {why}");
        }
    }

    #[test]
    fn scopes_sort_by_their_resource_first() {
        let mut scopes = ["a.b:x", "a:z", "*", "a:*", "a-b:x", "*:z"].map(scope);
        scopes.sort();
        assert_eq!(scopes.each_ref().map(Scope::as_str), ["*", "*:z", "a:*", "a:z", "a-b:x", "a.b:x"]);
    }

    proptest! {
        #[test]
        fn a_scope_reads_as_it_is_written(text in "[a-z0-9][a-z0-9_.-]{0,20}:[a-z0-9][a-z0-9_.-]{0,20}") {
            prop_assert_eq!(scope(&text).to_string(), text);
        }

        #[test]
        fn what_is_accepted_reads_back_and_grants_itself(text in "(?s).{0,80}|[a-z*]{1,2}:[a-z*]{1,2}") {
            if let Ok(scope) = text.parse::<Scope>() {
                prop_assert_eq!(scope.to_string().parse(), Ok(scope.clone()));
                prop_assert_eq!(Scope::new(scope.resource(), scope.level()), scope.clone());
                prop_assert!(Catalogue::default().grants(std::slice::from_ref(&scope), &scope));
            }
        }
    }
}
