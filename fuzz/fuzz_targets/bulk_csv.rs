//! A CSV file of keys to create: every line is a request or an error with its number.
#![no_main]

use keyward::{cli::bulk_requests, ops::Create};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|lines: &[u8]| {
    let mut text = b"name,env,owner,scopes,rate_limit,allow_ips,labels,expires_in,expires_at,no_expiry\n".to_vec();
    text.extend_from_slice(lines);
    if let Ok(parsed) = bulk_requests(&text, &Create::named("")) {
        assert_eq!(parsed.requests.len(), parsed.lines.len());
    }
    // A file with headers of its own.
    let _ = bulk_requests(lines, &Create::named(""));
});
