//! A scope: reads back as it is written, grants itself, and is granted by everything.
#![no_main]

use keyward::domain::{Catalogue, Scope};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(scope) = text.parse::<Scope>() {
        assert_eq!(scope.to_string().parse::<Scope>().as_ref(), Ok(&scope));
        let (catalogue, all) = (Catalogue::default(), "*".parse().expect("the widest scope"));
        assert!(catalogue.grants(&[scope.clone()], &scope));
        assert!(catalogue.grants(&[all], &scope));
    }
});
