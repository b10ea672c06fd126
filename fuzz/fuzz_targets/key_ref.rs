//! A reference to a key: reads back as it is written, and is never a token.
#![no_main]

use keyward::domain::{KeyRef, PlainToken};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(key) = text.parse::<KeyRef>() {
        assert_eq!(key.to_string(), text);
        assert!(PlainToken::parse(text).is_err());
    }
});
