//! Which of clap's suggestions are kept: only words a slip of the finger away from the one that was typed.
//!
//! clap suggests whatever shares enough letters, such as `rotate` for `frobnicate`; that reads like a guess at what
//! was meant. The suggestions here are those that keyward makes for names and scopes too.

use crate::domain::closest;
use clap::error::{ContextKind, ContextValue, Error};

/// What clap suggests, and what it suggests it for.
const SUGGESTIONS: [(ContextKind, ContextKind); 3] = [
    (ContextKind::SuggestedSubcommand, ContextKind::InvalidSubcommand),
    (ContextKind::SuggestedArg, ContextKind::InvalidArg),
    (ContextKind::SuggestedValue, ContextKind::InvalidValue),
];

/// Takes the far-fetched suggestions out of an error; the nearest of the others comes first.
pub(super) fn keep_close(mut error: Error) -> Error {
    for (suggested, typed) in SUGGESTIONS {
        let Some(ContextValue::String(word)) = error.get(typed).cloned() else { continue };
        let near = |words: &[&str]| closest(&word, words);
        let kept = match error.remove(suggested) {
            Some(ContextValue::String(one)) => near(&[&one]).pop().map(ContextValue::String),
            Some(ContextValue::Strings(many)) => {
                let words = near(&many.iter().map(String::as_str).collect::<Vec<_>>());
                (!words.is_empty()).then_some(ContextValue::Strings(words))
            }
            other => other,
        };
        if let Some(kept) = kept {
            error.insert(suggested, kept);
        }
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(args: &[&str]) -> String {
        let parsed = crate::cli::command().try_get_matches_from(args);
        keep_close(parsed.err().unwrap()).render().to_string()
    }

    #[test]
    fn only_slips_are_suggested_and_the_nearest_comes_first() {
        for (args, tip) in [
            (&["keyward", "frobnicate"][..], None),
            (&["keyward", "roate"], Some("some similar subcommands exist: 'rotate', 'create'")),
            (&["keyward", "craete"], Some("a similar subcommand exists: 'create'")),
            (&["keyward", "lst"], Some("a similar subcommand exists: 'list'")),
            (&["keyward", "vault", "statsu"], Some("some similar subcommands exist: 'status', 'slots'")),
            (&["keyward", "list", "--expird"], Some("a similar argument exists: '--expired'")),
            (&["keyward", "list", "--owned-here"], None),
            (&["keyward", "-o", "jsno", "list"], Some("a similar value exists: 'json'")),
        ] {
            let text = told(args);
            match tip {
                Some(tip) => assert!(text.contains(tip), "{args:?}: {text}"),
                None => assert!(!text.contains("similar"), "{args:?}: {text}"),
            }
        }
    }
}
