//! What the holder of a key may do with it, with nothing but its secret.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fmt, str::FromStr};

/// One thing that the holder of a key may do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub enum SelfDeed {
    /// See what it is good for, and until when.
    Show,
    /// Replace its secret.
    Rotate,
    /// End the secret, and the key with its last one.
    Revoke,
}

/// All that the holder of a key may do with it; nothing when empty. Who may rotate a key may see it, too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "BTreeSet<SelfDeed>")]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(value_type = Vec<SelfDeed>, example = json!(["show", "revoke"])))]
pub struct SelfService(BTreeSet<SelfDeed>);

/// The word for nothing at all.
const NONE: &str = "none";

impl SelfDeed {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Show, Self::Rotate, Self::Revoke];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Show => "show",
            Self::Rotate => "rotate",
            Self::Revoke => "revoke",
        }
    }
}

impl FromStr for SelfDeed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|deed| deed.as_str() == text);
        found.ok_or_else(|| "expected show, rotate or revoke, with commas between them, or none".to_owned())
    }
}

impl From<BTreeSet<SelfDeed>> for SelfService {
    fn from(mut deeds: BTreeSet<SelfDeed>) -> Self {
        if deeds.contains(&SelfDeed::Rotate) {
            deeds.insert(SelfDeed::Show);
        }
        Self(deeds)
    }
}

impl Default for SelfService {
    /// To see a secret and to end it harms nobody but who holds it.
    fn default() -> Self {
        Self([SelfDeed::Show, SelfDeed::Revoke].into())
    }
}

impl SelfService {
    /// What a key and its workspace allow together: neither goes beyond the other, and what neither says is the usual.
    #[must_use]
    pub fn of(key: Option<&Self>, workspace: Option<&Self>) -> Self {
        match (key, workspace) {
            (Some(own), Some(all)) => Self(own.0.intersection(&all.0).copied().collect()),
            (Some(one), None) | (None, Some(one)) => one.clone(),
            (None, None) => Self::default(),
        }
    }

    /// Whether this is among it.
    #[must_use]
    pub fn allows(&self, deed: SelfDeed) -> bool {
        self.0.contains(&deed)
    }

    /// Whether it allows nothing that the other one does not.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.0.is_subset(&other.0)
    }

    /// The words; the one for nothing where there is nothing.
    #[must_use]
    pub fn words(&self) -> Vec<&'static str> {
        if self.0.is_empty() { vec![NONE] } else { self.0.iter().map(|deed| deed.as_str()).collect() }
    }

    /// Of words, as they are typed one by one.
    ///
    /// # Errors
    /// For a word that is none, and for the word for nothing beside others.
    pub fn of_words<'w>(words: impl IntoIterator<Item = &'w str>) -> Result<Self, String> {
        let words: Vec<&str> = words.into_iter().map(str::trim).collect();
        if words == [NONE] {
            return Ok(Self(BTreeSet::new()));
        }
        Ok(words.into_iter().map(str::parse).collect::<Result<BTreeSet<SelfDeed>, String>>()?.into())
    }
}

impl FromStr for SelfService {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::of_words(text.split([',', ';']))
    }
}

impl fmt::Display for SelfService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> SelfService {
        text.parse().unwrap()
    }

    #[test]
    fn words_are_read_as_they_are_written() {
        for text in ["none", "show", "show,revoke", "show,rotate,revoke"] {
            assert_eq!(of(text).to_string(), text);
        }
        assert_eq!(of("revoke, show"), SelfService::default());
        assert_eq!(of("rotate").to_string(), "show,rotate", "who may rotate sees what it rotates");
        for wrong in ["", "none,show", "read", "show,"] {
            assert!(wrong.parse::<SelfService>().is_err(), "{wrong:?}");
        }
        let read: SelfService = serde_json::from_str(r#"["rotate"]"#).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), r#"["show","rotate"]"#);
    }

    #[test]
    fn a_key_is_bounded_by_its_workspace() {
        let together = |key: Option<&str>, workspace: Option<&str>| {
            SelfService::of(key.map(of).as_ref(), workspace.map(of).as_ref()).to_string()
        };
        assert_eq!(together(None, None), "show,revoke");
        assert_eq!(together(Some("rotate"), None), "show,rotate", "where a workspace says nothing, its keys do");
        assert_eq!(together(None, Some("rotate")), "show,rotate");
        assert_eq!(together(Some("show,rotate"), Some("show,revoke")), "show");
        assert_eq!(together(Some("rotate"), Some("none")), "none");
    }
}
