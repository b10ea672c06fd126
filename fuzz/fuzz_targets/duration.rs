//! A duration: positive, and reads back as it is written.
#![no_main]

use keyward::domain::time::{format_duration, parse_duration};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(duration) = parse_duration(text) {
        assert!(duration.num_seconds() > 0);
        assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
    }
});
