//! Finding tokens in bytes: by how they begin, then by shape and checksum, so that random text never matches.
//!
//! What stands before and after a token does not matter: a token in an address or glued to a word is as leaked as one
//! that stands alone. One that is written in base64 is found too, as in a manifest of Kubernetes or in a Basic header.

use super::{
    environment::Environment,
    jwt,
    token::{Brand, MAX_BRAND, PlainToken, TOKEN_TAIL},
};
use aho_corasick::{AhoCorasick, BuildError, Input};
use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use std::{borrow::Cow, ops::Range};
use zeroize::Zeroizing;

/// What stands in the place of a token that is not shown.
const MASK: &str = "(a secret)";

/// Blanks and line breaks between the characters of one token in base64 that are passed over.
const WRAPPED: usize = 160;

/// A token that was found, and where.
pub struct Seen {
    /// Its first byte.
    pub at: usize,
    /// The bytes it takes there.
    pub length: usize,
    /// The token.
    pub token: PlainToken,
}

/// Finds the tokens of some brands.
pub struct TokenFinder {
    beginnings: AhoCorasick,
    ways: Vec<Way>,
    longest: usize,
}

/// One way in which a token may begin.
struct Way {
    /// What the token begins with: brand and environment.
    start: String,
    /// How many bytes share the first group of base64 with it; none where it is written as it is.
    base64: Option<usize>,
}

impl Way {
    /// The characters of base64 before the first that is the token's alone.
    fn shared(before: usize) -> usize {
        (before * 8).div_ceil(6)
    }

    /// The characters that the token begins with, whatever stands before and after it.
    fn beginning(&self) -> String {
        let Some(before) = self.base64 else { return self.start.clone() };
        let encoded = self.encoded(before);
        encoded[Self::shared(before)..(before + self.start.len()) * 8 / 6].to_owned()
    }

    fn encoded(&self, before: usize) -> String {
        BASE64_STANDARD_NO_PAD.encode([vec![0; before], self.start.clone().into_bytes()].concat())
    }
}

impl TokenFinder {
    /// A finder for some brands.
    ///
    /// # Errors
    /// Never for brands as they are, which are short.
    pub fn new(brands: &[Brand]) -> Result<Self, BuildError> {
        let starts = brands.iter().flat_map(|brand| {
            Environment::ALL.into_iter().map(move |environment| format!("{brand}_{}_", environment.token_code()))
        });
        let forms = [None, Some(0), Some(1), Some(2)];
        let ways: Vec<Way> =
            starts.flat_map(|start| forms.map(|base64| Way { start: start.clone(), base64 })).collect();
        let longest = ways.iter().map(|way| way.start.len()).max().unwrap_or(0) + TOKEN_TAIL - 1;
        Ok(Self { beginnings: AhoCorasick::new(ways.iter().map(Way::beginning))?, ways, longest })
    }

    /// The most bytes that a token takes: what a reader in pieces must keep of one piece for the next.
    #[must_use]
    pub fn longest(&self) -> usize {
        (self.longest + 2) * 8 / 6 + WRAPPED
    }

    /// Every whole token, by its place.
    #[must_use]
    pub fn find(&self, haystack: &[u8]) -> Vec<Seen> {
        let (mut seen, mut from) = (Vec::new(), 0);
        while let Some(begun) = self.beginnings.find(Input::new(haystack).range(from..)) {
            let way = &self.ways[begun.pattern().as_usize()];
            let whole = match way.base64 {
                None => {
                    whole(&haystack[begun.start()..], &way.start).map(|token| (token.expose_plaintext().len(), token))
                }
                Some(before) => self.decoded(&haystack[begun.start()..], way, before),
            };
            from = begun.start() + 1;
            if let Some((length, token)) = whole {
                from = begun.start() + length;
                seen.push(Seen { at: begun.start(), length, token });
            }
        }
        seen
    }

    /// The token that base64 holds from here on, and how many bytes that takes.
    fn decoded(&self, bytes: &[u8], way: &Way, before: usize) -> Option<(usize, PlainToken)> {
        let length = before + way.start.len() + TOKEN_TAIL - 1;
        let wanted = (length * 8).div_ceil(6);
        let mut encoded = Zeroizing::new(String::with_capacity(wanted));
        // What shares the first group is not the token's, and may be missing: the finder begins after it.
        encoded.push_str(&way.encoded(before)[..Way::shared(before)]);
        let (mut taken, most) = (0, wanted + WRAPPED);
        for byte in bytes.iter().take(most) {
            if encoded.len() == wanted {
                break;
            }
            taken += 1;
            match byte {
                b'\r' | b'\n' | b' ' | b'\t' => {}
                b'-' => encoded.push('+'),
                b'_' => encoded.push('/'),
                byte if byte.is_ascii_alphanumeric() || b"+/".contains(byte) => encoded.push(char::from(*byte)),
                _ => return None,
            }
        }
        if encoded.len() < wanted {
            return None;
        }
        // The last character may hold bits of what follows; they are cut off with it.
        let mut decoded = Zeroizing::new(vec![0; wanted.div_ceil(4) * 3]);
        let padded = Zeroizing::new(format!("{:A<width$}", *encoded, width = wanted.div_ceil(4) * 4));
        BASE64_STANDARD_NO_PAD.decode_slice(padded.as_bytes(), &mut decoded).ok()?;
        Some((taken, whole(decoded.get(before..)?, &way.start)?))
    }
}

/// The whole token at the beginning of bytes that begin as one does.
fn whole(bytes: &[u8], start: &str) -> Option<PlainToken> {
    // The tail counts the separator that the beginning ends with.
    let whole = bytes.get(..start.len() - 1 + TOKEN_TAIL)?;
    PlainToken::parse(std::str::from_utf8(whole).ok()?).ok()
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
    let mut from = 0;
    // Tokens of jobs are no keys, and let whoever sees them in as well.
    let jobs = std::iter::from_fn(move || {
        let found = jwt::find(text.get(from..)?)?;
        let found = from + found.start..from + found.end;
        from = found.end;
        Some(found)
    });
    let tokens = Environment::ALL.into_iter().flat_map(move |environment| {
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
    });
    jobs.chain(tokens)
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
        let job = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UifQ.DtEhU3ljbEg8L38V";
        assert_eq!(masked(&format!("{a} and {job}, {job}é")), format!("{MASK} and {MASK}, {MASK}é"));
        assert!(holds_token(job) && !holds_token(&job[..20]) && !holds_token("eyJ.eyJ.eyJ"));
    }

    fn token(environment: Environment) -> PlainToken {
        PlainToken::generate(&mut rand::rng(), &Brand::default(), environment)
    }

    fn finder() -> TokenFinder {
        TokenFinder::new(&[Brand::default(), "kwop".parse().unwrap()]).unwrap()
    }

    fn places(haystack: &str) -> Vec<usize> {
        finder().find(haystack.as_bytes()).iter().map(|seen| seen.at).collect()
    }

    #[test]
    fn a_token_in_base64_is_found_whatever_stands_before_it_and_however_it_is_wrapped() {
        for (environment, brand) in Environment::ALL.into_iter().zip(["kw", "kwop", "kw"]) {
            let token = PlainToken::generate(&mut rand::rng(), &brand.parse().unwrap(), environment);
            for before in ["", "u", "u:", "user:", "a longer user:"] {
                for after in ["", "x", "yz"] {
                    let plain = format!("{before}{}{after}", token.expose_plaintext());
                    let encoded = base64::prelude::BASE64_STANDARD.encode(&plain);
                    let wrapped: Vec<&str> =
                        (0..encoded.len()).step_by(64).map(|at| &encoded[at..encoded.len().min(at + 64)]).collect();
                    for text in [encoded.clone(), wrapped.join("\r\n    "), encoded.replace('=', "")] {
                        let text = format!("data: {text}\nnext: {text}");
                        let seen = finder().find(text.as_bytes());
                        let lookups: Vec<_> = seen.iter().map(|seen| seen.token.lookup()).collect();
                        assert_eq!(lookups, [token.lookup(), token.lookup()], "{text}");
                        assert!(seen.iter().all(|seen| seen.length < finder().longest()));
                    }
                }
            }
        }
    }

    #[test]
    fn several_in_one_line_and_one_glued_to_another_are_found() {
        let [a, b, c] = Environment::ALL.map(token);
        let (a, b, c) = (a.expose_plaintext(), b.expose_plaintext(), c.expose_plaintext());
        assert_eq!(places(&format!("x={a}&y={b}{c}!")), [2, 2 + a.len() + 3, 2 + a.len() + 3 + b.len()]);
        assert_eq!(places(&format!("akw_{a}")), [4]);
        assert_eq!(places(&a[..a.len() - 1]), [] as [usize; 0]);
        assert!(finder().longest() > a.len());
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
