//! The headers of a request: what is found is one plain word that was sent.
#![no_main]

use keyward::domain::key_from_headers;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|sent: (Vec<Vec<u8>>, Vec<Vec<u8>>)| {
    let (authorization, api_key) = &sent;
    if let Ok(key) = key_from_headers(authorization.iter().map(Vec::as_slice), api_key.iter().map(Vec::as_slice)) {
        assert!(!key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic()));
        let holds = |value: &Vec<u8>| value.windows(key.len()).any(|part| part == key.as_bytes());
        assert!(authorization.iter().chain(api_key).any(holds));
    }
});
