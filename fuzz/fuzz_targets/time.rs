//! A time: whole seconds, and reads back as it is written.
#![no_main]

use keyward::domain::time::{format_time, parse_time};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(time) = parse_time(text) {
        let written = format_time(time);
        // RFC 3339 knows years of four digits; a date may name others.
        if written.len() == "2026-01-02T03:04:05Z".len() {
            assert_eq!(parse_time(&written), Ok(time));
        }
    }
});
