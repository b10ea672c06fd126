//! Search in words: what a person remembers of a key, found in what people wrote about it.

use super::{
    key::Key,
    scan::holds_token,
    text::{composed, composed_owned},
};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, fmt, str::FromStr};

/// The words that are looked for, each of which must be found; none is looked for unless somebody asks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Search(Vec<String>);

impl Search {
    /// Whether nothing is looked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Looks for the words of another search too.
    pub fn add(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Whether every word stands in the key's name, description, owner or labels.
    #[must_use]
    pub fn finds(&self, key: &Key) -> bool {
        if self.is_empty() {
            return true;
        }
        let written = [Some(key.name.as_str()), key.description.as_deref(), key.owner.as_deref()];
        let labels = key.labels.iter().map(|(label, value)| Cow::Owned(format!("{label}={value}")));
        let texts: Vec<String> =
            written.into_iter().flatten().map(Cow::Borrowed).chain(labels).map(|text| folded(&text)).collect();
        self.0.iter().all(|word| texts.iter().any(|text| text.contains(word)))
    }
}

impl FromStr for Search {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if holds_token(text) {
            return Err("this is a secret, which is not searched for: keyward identify -   names its key".to_owned());
        }
        let words: Vec<String> = text.split_whitespace().map(folded).collect();
        // An empty variable in a script would find every key.
        if words.is_empty() { Err("expected at least one word".to_owned()) } else { Ok(Self(words)) }
    }
}

impl TryFrom<String> for Search {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Search> for String {
    fn from(search: Search) -> Self {
        search.to_string()
    }
}

impl fmt::Display for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

/// A text without its case, in the form in which texts are compared: `Straße` and `STRASSE` are one, and so are the three
/// forms of sigma.
#[must_use]
pub fn folded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    composed_owned(composed(text).chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::key::tests::key;
    use proptest::prelude::*;

    fn described() -> Key {
        Key {
            name: "Web-Frontend".to_owned(),
            description: Some("the shop, Straße 7, cafe\u{301}".to_owned()),
            owner: Some("Zoë@example.com".to_owned()),
            labels: [("team".to_owned(), "Billing EU".to_owned())].into(),
            ..key(None)
        }
    }

    fn finds(words: &str) -> bool {
        words.parse::<Search>().unwrap().finds(&described())
    }

    #[test]
    fn every_word_is_found_somewhere_in_whatever_case_and_form() {
        for words in
            ["web", "FRONT shop", "caf\u{e9}", "CAFE\u{301}", "strasse", "zo\u{eb}@", "ZOE\u{308}", "team", "eu"]
        {
            assert!(finds(words), "{words}");
        }
        assert!(finds("team=billing shop web"));
        for words in ["web nobody", "key_", "development", "shopweb", "frontend shop zoe", "team=eu"] {
            assert!(!finds(words), "{words}");
        }
        assert!(Search::default().finds(&described()));
    }

    #[test]
    fn sigma_has_one_form() {
        assert_eq!(folded("ΟΔΟΣ"), folded("οδος"));
        assert!(folded("ΟΔΟΣ ΣΑΣ").contains(&folded("οδός".replace('ό', "ο").as_str())));
    }

    #[test]
    fn nothing_and_a_secret_are_no_words() {
        assert!(["", " ", "\t\n"].iter().all(|text| text.parse::<Search>().is_err()));
    }

    proptest! {
        #[test]
        fn what_is_folded_stays_so(text in "(?s).{0,20}") {
            let once = folded(&text);
            prop_assert_eq!(folded(&once), once.as_str());
            prop_assert_eq!(folded(&text.to_uppercase()).is_empty(), once.is_empty());
        }

        #[test]
        fn words_survive_being_written(text in "\\PC{0,20}") {
            if let Ok(search) = text.parse::<Search>() {
                prop_assert_eq!(search.to_string().parse::<Search>().unwrap(), search);
            }
        }
    }
}
