//! Words as they stand on a command line that is still being typed, without the quotes that a shell takes off them.
//!
//! Shells hand their completion functions what was typed, quotes and backslashes included; a name is looked for without.

use std::ffi::OsString;

/// The words without their quotes; fish hands over all but the last one without.
pub(super) fn plain(shell: &str, words: Vec<OsString>) -> Vec<OsString> {
    let quoted_from = match shell {
        "bash" | "zsh" => 0,
        "fish" => words.len().saturating_sub(1),
        _ => return words,
    };
    let plain = |(at, word): (usize, OsString)| match word.to_str().filter(|_| at >= quoted_from) {
        Some(text) => unquoted(text, shell == "fish").into(),
        None => word,
    };
    words.into_iter().enumerate().map(plain).collect()
}

/// A word without its quotes and backslashes; a quote that is still open is closed by the end.
fn unquoted(word: &str, fish: bool) -> String {
    let mut plain = String::with_capacity(word.len());
    let (mut quote, mut characters) = (None, word.chars().peekable());
    while let Some(c) = characters.next() {
        // What a backslash stands before is taken as it is; within quotes only what would end them or mean something.
        let protects = match quote {
            None => c == '\\',
            Some('"') => c == '\\' && characters.peek().is_some_and(|next| "$`\"\\".contains(*next)),
            Some(_) => fish && c == '\\' && characters.peek().is_some_and(|next| "'\\".contains(*next)),
        };
        match c {
            _ if protects => plain.extend(characters.next()),
            '\'' | '"' if quote.is_none() => quote = Some(c),
            _ if quote == Some(c) => quote = None,
            _ => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_read_as_the_shell_will_read_it() {
        for (typed, bash, fish) in [
            ("plain", "plain", "plain"),
            (r"two\ words", "two words", "two words"),
            ("\"two wo", "two wo", "two wo"),
            (r"'it'\''s", "it's", "it's"),
            (r"it\'s", "it's", "it's"),
            (r"'it\'s", "it\\s", "it's"),
            (r#""\$(x)""#, "$(x)", "$(x)"),
            (r#""a\b""#, r"a\b", r"a\b"),
            ("", "", ""),
        ] {
            assert_eq!((unquoted(typed, false).as_str(), unquoted(typed, true).as_str()), (bash, fish), "{typed}");
        }
        let words = |shell| plain(shell, ["a\\ b", "c\\ d"].map(OsString::from).to_vec());
        assert_eq!(words("bash"), ["a b", "c d"]);
        assert_eq!(words("fish"), ["a\\ b", "c d"]);
        assert_eq!(words("elvish"), ["a\\ b", "c\\ d"]);
    }
}
