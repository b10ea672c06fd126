//! What stands around a secret that was pasted with more than itself. It says so in fixed words alone, for any part of
//! what was presented may be the secret.

use super::{Brand, Environment, TokenError, token::TOKEN_TAIL};

/// Pairs of quotes, as shells, documents and chats write them.
const QUOTES: [(char, char); 5] = [('"', '"'), ('\'', '\''), ('`', '`'), ('“', '”'), ('‘', '’')];

/// Why something is not a token, and what stands around the secret in it. Never repeats what was presented.
#[must_use]
pub fn why_malformed(error: TokenError, presented: &str) -> String {
    let found = if error == TokenError::Shape { around(presented) } else { Vec::new() };
    if found.is_empty() && error == TokenError::Shape && is_cut_short(presented) {
        return "it begins as a token does, and its end is missing: a token is one word without blanks, and longer"
            .to_owned();
    }
    if found.is_empty() { error.to_string() } else { format!("{error}: {}; paste the secret alone", found.join(", ")) }
}

/// Whether it is the beginning of a token, as a terminal or a field that is too short leaves it.
fn is_cut_short(presented: &str) -> bool {
    let Some((brand, rest)) = presented.split_once('_') else { return false };
    let Some((code, rest)) = rest.split_once('_') else { return false };
    let plain = rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    // The tail is counted from the mark before it.
    Brand::fits(brand) && Environment::from_token_code(code).is_some() && plain && rest.len() + 1 < TOKEN_TAIL
}

/// What stands around the secret, from the outside inwards, each once.
fn around(presented: &str) -> Vec<&'static str> {
    let (mut found, mut rest) = (Vec::new(), presented);
    while let Some((what, within)) = peeled(rest) {
        if !found.contains(&what) {
            found.push(what);
        }
        rest = within;
    }
    if rest.is_empty() {
        found.push("there is no secret in it");
    } else if rest.contains(['\n', '\r']) {
        found.push("a line break stands inside it");
    } else if rest.contains(char::is_whitespace) {
        found.push("blanks stand inside it");
    } else if !rest.bytes().all(|byte| byte.is_ascii_graphic()) {
        found.push("it holds a character that no token has");
    }
    found
}

/// The outermost thing around a secret, and what is within.
fn peeled(text: &str) -> Option<(&'static str, &str)> {
    let trimmed = text.trim();
    if trimmed.len() < text.len() {
        let (start, end) = (text.len() - text.trim_start().len(), text.trim_end().len());
        let breaks = [text.get(..start), text.get(end..)].iter().flatten().any(|blanks| blanks.contains(['\n', '\r']));
        return Some((if breaks { "line breaks stand around it" } else { "blanks stand around it" }, trimmed));
    }
    for (open, close) in QUOTES {
        if let Some(within) = text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close)) {
            return Some(("quotes stand around it", within));
        }
    }
    if text.starts_with(|first| QUOTES.iter().any(|(open, _)| first == *open)) {
        // The other one may stand before a comma or a semicolon.
        if let Some(within) = text.strip_suffix([',', ';']) {
            return Some(("',' or ';' stands behind it", within));
        }
    }
    let words = [("Bearer", "it begins with 'Bearer '"), ("export", "it begins with 'export '")];
    if let Some((first, rest)) = text.split_once([' ', '\t']) {
        let known = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(first));
        if let Some((_, what)) = known {
            return Some((what, rest.trim_start()));
        }
    }
    named(text)
}

/// A secret behind the name of a variable or header.
fn named(text: &str) -> Option<(&'static str, &str)> {
    let end = text.find(|next: char| !(next.is_ascii_alphanumeric() || next == '_' || next == '-'))?;
    let (name, rest) = text.split_at(end);
    let starts = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let behind = rest.get(1..).filter(|behind| starts && !behind.trim_matches('=').is_empty())?;
    match rest.chars().next() {
        Some('=') => Some(("a name and '=' stand before it", behind)),
        Some(':') if name.eq_ignore_ascii_case("X-API-Key") => Some(("it begins with 'X-API-Key: '", behind)),
        Some(':') if name.eq_ignore_ascii_case("Authorization") => Some(("it begins with 'Authorization: '", behind)),
        Some(':') => Some(("a name and ':' stand before it", behind)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_stands_around_a_secret_is_told_from_the_outside() {
        for (presented, told) in [
            ("Bearer SECRET", &["it begins with 'Bearer '"][..]),
            ("bearer  SECRET", &["it begins with 'Bearer '"]),
            ("\"SECRET\"", &["quotes stand around it"]),
            ("'SECRET'", &["quotes stand around it"]),
            ("`SECRET`", &["quotes stand around it"]),
            ("“SECRET”", &["quotes stand around it"]),
            ("\"SECRET\",", &["',' or ';' stands behind it", "quotes stand around it"]),
            (" SECRET\t", &["blanks stand around it"]),
            ("SECRET\u{a0}", &["blanks stand around it"]),
            ("\nSECRET\n", &["line breaks stand around it"]),
            ("API_KEY=SECRET", &["a name and '=' stand before it"]),
            (
                "export X='SECRET'",
                &["it begins with 'export '", "a name and '=' stand before it", "quotes stand around it"],
            ),
            ("X-API-Key: SECRET", &["it begins with 'X-API-Key: '", "blanks stand around it"]),
            (
                "Authorization: Bearer SECRET",
                &["it begins with 'Authorization: '", "blanks stand around it", "it begins with 'Bearer '"],
            ),
            ("api_key: SECRET", &["a name and ':' stand before it", "blanks stand around it"]),
            ("SEC\nRET", &["a line break stands inside it"]),
            ("SEC RET", &["blanks stand inside it"]),
            ("SECRÉT", &["it holds a character that no token has"]),
            ("  ", &["blanks stand around it", "there is no secret in it"]),
            ("SECRET", &[]),
            ("SECRET==", &[]),
        ] {
            assert_eq!(around(presented), told, "{presented:?}");
        }
    }

    #[test]
    fn a_token_whose_end_is_missing_is_called_that() {
        let whole = format!("kw_prod_{}_{}", "a".repeat(16), "b".repeat(49));
        let told = |length: usize| why_malformed(TokenError::Shape, &whole[..length]).contains("its end is missing");
        assert!([8, 12, 24, 30, whole.len() - 1].into_iter().all(told));
        assert!(!told(2) && !told(7) && !told(whole.len()));
        assert!(!why_malformed(TokenError::Shape, "kw_prod_a b").contains("its end is missing"));
    }

    proptest! {
        #[test]
        fn no_part_of_what_was_presented_is_repeated(before in "[\"' =:a-z]{0,8}", secret in "[0-9]{12}", after in "[\"' =]{0,3}") {
            let told = why_malformed(TokenError::Shape, &format!("{before}{secret}{after}"));
            prop_assert!(!told.contains(|next: char| next.is_ascii_digit()), "{}", told);
        }

        #[test]
        fn whatever_is_presented_it_ends(text in any::<String>()) {
            prop_assert!(!why_malformed(TokenError::Shape, &text).is_empty());
        }
    }
}
