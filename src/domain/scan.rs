//! Finding tokens in bytes: by the brand, then by shape and checksum, so that random text never matches.
//!
//! What stands before and after a token does not matter: a token in an address or glued to a word is as leaked as one
//! that stands alone.

use super::{
    environment::Environment,
    token::{Brand, MAX_BRAND, PlainToken, TOKEN_TAIL},
};
use memchr::memmem::Finder;
use std::{borrow::Cow, ops::Range};

/// What stands in the place of a token that is not shown.
const MASK: &str = "(a secret)";

/// Finds the tokens of one brand.
pub struct TokenFinder {
    prefix: Finder<'static>,
    longest: usize,
}

impl TokenFinder {
    /// A finder for a brand.
    #[must_use]
    pub fn new(brand: &Brand) -> Self {
        let prefix = format!("{brand}_");
        let code = Environment::ALL.iter().map(|environment| environment.token_code().len()).max().unwrap_or(0);
        let longest = prefix.len() + code + TOKEN_TAIL;
        Self { prefix: Finder::new(prefix.as_bytes()).into_owned(), longest }
    }

    /// The length of the longest token: what a reader in pieces must keep of one piece for the next.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// Every whole token, with the place of its first byte.
    pub fn find<'h>(&'h self, haystack: &'h [u8]) -> impl Iterator<Item = (usize, PlainToken)> + 'h {
        self.prefix.find_iter(haystack).filter_map(|at| Some((at, self.token_at(&haystack[at..])?)))
    }

    fn token_at(&self, bytes: &[u8]) -> Option<PlainToken> {
        let after_brand = bytes.get(self.prefix.needle().len()..)?;
        let code = Environment::ALL
            .into_iter()
            .map(Environment::token_code)
            .find(|code| after_brand.strip_prefix(code.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'_')))?;
        let whole = bytes.get(..self.prefix.needle().len() + code.len() + TOKEN_TAIL)?;
        PlainToken::parse(std::str::from_utf8(whole).ok()?).ok()
    }
}

/// Whether a whole token stands in a text, of whichever brand: by shape and checksum.
#[must_use]
pub fn holds_token(text: &str) -> bool {
    tokens(text).next().is_some()
}

/// A text with every whole token in it replaced, of whichever brand.
#[must_use]
pub fn masked(text: &str) -> Cow<'_, str> {
    let mut found: Vec<Range<usize>> = tokens(text).collect();
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    found.sort_by_key(|range| range.start);
    let (mut told, mut from) = (String::with_capacity(text.len()), 0);
    for range in found {
        told.push_str(text.get(from..range.start).unwrap_or_default());
        // One that overlaps with the one before is behind the same mask.
        if range.start >= from {
            told.push_str(MASK);
        }
        from = from.max(range.end);
    }
    told.push_str(text.get(from..).unwrap_or_default());
    Cow::Owned(told)
}

/// Where whole tokens stand in a text, whatever their brand.
fn tokens(text: &str) -> impl Iterator<Item = Range<usize>> {
    Environment::ALL.into_iter().flat_map(move |environment| {
        let code = format!("_{}_", environment.token_code());
        let places: Vec<usize> = text.match_indices(&code).map(|(at, _)| at).collect();
        places.into_iter().filter_map(move |at| {
            // The code has the separator before the lookup id in it, which the tail counts, too.
            let end = (at + code.len() - 1).checked_add(TOKEN_TAIL).filter(|end| text.is_char_boundary(*end))?;
            // What stands before the brand may be glued to it.
            let brands = (1..=MAX_BRAND).map_while(|length| at.checked_sub(length));
            let is_token = |from: &usize| text.get(*from..end).is_some_and(|whole| PlainToken::parse(whole).is_ok());
            brands.filter(is_token).min().map(|from| from..end)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_token_of_any_brand_is_seen_wherever_it_stands() {
        for brand in ["kw", "k", "kwop", "acme1acme2ac"] {
            let brand: Brand = brand.parse().unwrap();
            for environment in Environment::ALL {
                let token = PlainToken::generate(&mut rand::rng(), &brand, environment);
                let token = token.expose_plaintext();
                for text in [token.to_owned(), format!("é{token}é"), format!("x_prod_ {token}"), format!("9A{token}Z")]
                {
                    assert!(holds_token(&text), "{text}");
                }
                assert!(!holds_token(&token[..token.len() - 1]) && !holds_token(&token[brand.as_str().len()..]));
            }
        }
        assert!(!holds_token("billing_prod_eu, rotated by hand") && !holds_token("_prod_é"));
    }

    #[test]
    fn a_masked_text_holds_no_part_of_a_token() {
        let [a, b] = [Environment::Production, Environment::Staging].map(token);
        let (a, b) = (a.expose_plaintext(), b.expose_plaintext());
        assert_eq!(masked(&format!("curl/8 {a}")), format!("curl/8 {MASK}"));
        assert_eq!(masked(&format!("é{b}{a}é")), format!("é{MASK}{MASK}é"));
        assert_eq!(masked("plain_prod_text"), "plain_prod_text");
    }

    fn token(environment: Environment) -> PlainToken {
        PlainToken::generate(&mut rand::rng(), &Brand::default(), environment)
    }

    fn places(haystack: &str) -> Vec<usize> {
        TokenFinder::new(&Brand::default()).find(haystack.as_bytes()).map(|(at, _)| at).collect()
    }

    #[test]
    fn several_in_one_line_and_one_glued_to_another_are_found() {
        let [a, b, c] = Environment::ALL.map(token);
        let (a, b, c) = (a.expose_plaintext(), b.expose_plaintext(), c.expose_plaintext());
        assert_eq!(places(&format!("x={a}&y={b}{c}!")), [2, 2 + a.len() + 3, 2 + a.len() + 3 + b.len()]);
        assert_eq!(places(&format!("akw_{a}")), [4]);
        assert_eq!(places(&a[..a.len() - 1]), [] as [usize; 0]);
        assert_eq!(TokenFinder::new(&Brand::default()).longest(), a.len());
    }

    proptest! {
        #[test]
        fn a_damaged_token_is_not_found(position in 0usize..73, with in "[0-9A-Za-z]") {
            let token = token(Environment::Development);
            let mut text = token.expose_plaintext().to_owned();
            text.replace_range(position..=position, &with);
            prop_assert_eq!(places(&format!("a {text} b")).len(), usize::from(text == token.expose_plaintext()));
        }

        #[test]
        fn random_text_never_matches(text in "(kw_|prod_|dev_|[0-9A-Za-z_]){0,200}") {
            prop_assert!(places(&text).is_empty());
        }
    }
}
