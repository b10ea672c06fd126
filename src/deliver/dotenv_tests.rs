//! Dotenv files: what is set, what stays, and what is refused.

use super::*;
use proptest::prelude::*;

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn one_value_is_replaced_in_the_way_it_was_written() {
    let cases = [
        ("T=old", "T=new"),
        ("T=old\n", "T=new\n"),
        ("T=\n", "T=new\n"),
        ("T=", "T=new"),
        ("T=old\r\n", "T=new\r\n"),
        ("A=1\r\nT=old\r\nB=2\r\n", "A=1\r\nT=new\r\nB=2\r\n"),
        ("export T=old", "export T=new"),
        ("  export\tT = old  ", "  export\tT = new  "),
        ("T=\"old\" # the key", "T=\"new\" # the key"),
        ("T='old'", "T='new'"),
        ("T=`old`", "T=`new`"),
        ("T=old # the key", "T=new # the key"),
        ("T= # the key", "T=new # the key"),
        ("T=\"ol\\\"d\"", "T=\"new\""),
        ("T='two\nlines'\nB=1", "T='new'\nB=1"),
        ("T=a#b", "T=new"),
        ("T=$OTHER", "T=new"),
        ("T=a b", "T=new"),
        ("\u{feff}T=old", "\u{feff}T=new"),
        ("#T=1\nT=old", "#T=1\nT=new"),
        ("TT=1\nT=old\nT_=2", "TT=1\nT=new\nT_=2"),
        ("A=it's\nT=old", "A=it's\nT=new"),
        ("A=\"one\ntwo\"\nT=old", "A=\"one\ntwo\"\nT=new"),
        ("junk\n=x\nT=old\n\n", "junk\n=x\nT=new\n\n"),
        ("T=old\nexport T\n", "T=new\nexport T\n"),
    ];
    for (before, after) in cases {
        let set = set(before.as_bytes(), "T", "new").unwrap_or_else(|error| panic!("{before:?}: {error}"));
        assert_eq!(text(&set), after, "{before:?}");
        assert_eq!(get(&set, "T").unwrap().unwrap().as_str(), "new", "{before:?}");
    }
}

#[test]
fn a_missing_name_is_appended_with_the_files_own_line_breaks() {
    let cases = [
        ("", "T=new\n"),
        ("A=1", "A=1\nT=new\n"),
        ("A=1\n", "A=1\nT=new\n"),
        ("A=1\r\nB=2", "A=1\r\nB=2\r\nT=new\r\n"),
        ("A=1\r\n", "A=1\r\nT=new\r\n"),
        ("# T=old\n", "# T=old\nT=new\n"),
        ("\n", "\nT=new\n"),
    ];
    for (before, after) in cases {
        assert!(get(before.as_bytes(), "T").unwrap().is_none(), "{before:?}");
        assert_eq!(text(&set(before.as_bytes(), "T", "new").unwrap()), after, "{before:?}");
    }
}

#[test]
fn what_programs_would_read_in_different_ways_is_refused() {
    for before in [
        "T=1\nT=2",
        "T=1\nexport T=2\n",
        "A=\"\nT=1\n\"\nT=2",
        "A=\"\nT=1\n\"",
        "T='unclosed",
        "T=\"a\"b",
        "T=a'b'",
        "T=\"a\"#b",
        "T=#b",
        "T=two\\\nlines",
        "T: old",
        "A='unclosed\nT=old",
    ] {
        let error = set(before.as_bytes(), "T", "new").unwrap_err();
        assert!(!error.contains("old") && !error.contains("unclosed"), "{before:?}: {error}");
        assert!(get(before.as_bytes(), "T").is_err(), "{before:?}");
    }
}

/// Lines as they occur, and as they do not.
fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[A-C]=[a-z]{0,4}",
        2 => "(export )?T[ ]?=[ ]?[a-z]{0,4}[ ]{0,2}(#[ a-z]{0,4})?",
        2 => "T=[\"'`][a-z ]{0,4}[\"'`]?[ ]{0,1}(#x)?",
        2 => "#[ -~]{0,8}",
        1 => Just(String::new()),
        2 => "[ -~\t]{0,12}",
        1 => "\\PC{0,8}",
    ]
}

proptest! {
    #[test]
    fn every_other_byte_stays(lines in proptest::collection::vec((line(), "\r?\n"), 0..8), last in line()) {
        let before: String = lines.iter().map(|(line, end)| format!("{line}{end}")).chain([last]).collect();
        let held = get(before.as_bytes(), "T");
        match set(before.as_bytes(), "T", "fresh") {
            Err(_) => prop_assert!(held.is_err(), "{:?}", before),
            Ok(after) => {
                let after = text(&after);
                let now = get(after.as_bytes(), "T").unwrap().unwrap();
                prop_assert_eq!(now.as_str(), "fresh");
                // Setting the old value again, or taking the new line away, gives the old file.
                match held.unwrap() {
                    Some(old) => {
                        let back = text(&set(after.as_bytes(), "T", &old).unwrap());
                        prop_assert_eq!(&back, &before);
                        prop_assert_eq!(after.matches("fresh").count(), before.matches("fresh").count() + 1);
                    }
                    None => {
                        let rest = after.strip_prefix(before.as_str()).unwrap();
                        let line = rest.trim_start_matches(['\r', '\n']);
                        prop_assert!(line == "T=fresh\n" || line == "T=fresh\r\n", "{:?}", rest);
                    }
                }
            }
        }
    }

    #[test]
    fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..60), ascii in "[TA=\"'`# \\\\\r\n]{0,30}") {
        let _ = set(&bytes, "T", "x");
        if let Ok(after) = set(ascii.as_bytes(), "T", "x") {
            let now = get(&after, "T").unwrap().unwrap();
            prop_assert_eq!(now.as_str(), "x");
        }
    }
}
