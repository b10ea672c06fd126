//! A JSONL file of keys to create: every line is a request or an error with its number.
#![no_main]

use keyward::{cli::bulk_requests, ops::Create};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|lines: &[u8]| {
    let mut text = b"{\"name\":\"a\"}\n".to_vec();
    text.extend_from_slice(lines);
    if let Ok(parsed) = bulk_requests(&text, &Create::named("")) {
        assert_eq!(parsed.requests.len(), parsed.lines.len());
    }
});
