//! An allowlist: reads back as it is written, and permits the networks it names.
#![no_main]

use keyward::domain::Allowlist;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let entries: Vec<&str> = text.split(',').collect();
    if let Ok(list) = Allowlist::parse(&entries) {
        assert_eq!(Allowlist::parse(&list.to_strings()).as_ref(), Ok(&list));
        for range in list.iter() {
            assert!(list.permits(range.network()));
        }
    }
});
