//! A token: whatever is accepted is a whole one, and every part of it is where it says.
#![no_main]

use keyward::domain::PlainToken;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(token) = PlainToken::parse(text) {
        assert_eq!(token.expose_plaintext(), text);
        assert!(text.contains(token.lookup().as_str()));
        assert!(text[..text.len() - 6].ends_with(&token.hint()));
        assert!(text.contains(token.environment().token_code()));
    }
});
