//! A rate limit: lets something through, reads back as it is written, and is within itself.
#![no_main]

use keyward::domain::RateLimit;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(Some(limit)) = RateLimit::parse_or_none(text) {
        assert!(limit.limit > 0 && limit.window_seconds > 0);
        assert_eq!(limit.to_string().parse(), Ok(limit));
        assert!(limit.within(limit));
    }
});
