//! What an upstream is told of whoever calls: headers that every gateway passes on, and that tell names apart.

use axum::http::HeaderName;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use std::borrow::Cow;

/// The longest list that is told whole. nginx keeps all headers of an answer in a page of memory unless told otherwise, and
/// upstreams have limits of their own.
const LONGEST_LIST: usize = 2_048;

/// The percent sign too: without it the names `%C3%9C` and `Ü` would be told alike.
const ENCODED: &AsciiSet = &CONTROLS.add(b'%');
/// In a list the blank too: it parts the entries.
const IN_A_LIST: &AsciiSet = &ENCODED.add(b' ');

/// A text as an upstream is told of it: percent-encoded UTF-8 where it is more than plain ASCII.
pub(in crate::server) fn encoded(text: &str) -> Cow<'_, str> {
    utf8_percent_encode(text, ENCODED).into()
}

/// Headers on their way to an upstream.
#[derive(Default)]
pub(super) struct Told {
    headers: Vec<(HeaderName, Box<[u8]>)>,
    cut_short: Vec<&'static str>,
}

impl Told {
    /// A text, in percent-encoded UTF-8 where it is more than plain ASCII.
    pub(super) fn text(&mut self, name: &'static str, value: &str) {
        self.put(name, encoded(value).into_owned());
    }

    /// As many whole entries as there is room for, parted by blanks. A list that is cut short is named in a header of its
    /// own: an upstream may take less for granted than the key may do, and never more.
    pub(super) fn list(&mut self, name: &'static str, entries: impl IntoIterator<Item = String>) {
        let mut list = String::new();
        for entry in entries {
            let entry = utf8_percent_encode(&entry, IN_A_LIST).to_string();
            if list.len() + 1 + entry.len() > LONGEST_LIST {
                self.cut_short.push(name);
                break;
            }
            if !list.is_empty() {
                list.push(' ');
            }
            list.push_str(&entry);
        }
        self.put(name, list);
    }

    /// All of them.
    pub(super) fn finish(mut self) -> Vec<(HeaderName, Box<[u8]>)> {
        if !self.cut_short.is_empty() {
            let names = self.cut_short.join(" ");
            self.put("x-keyward-cut-short", names);
        }
        self.headers
    }

    fn put(&mut self, name: &'static str, value: String) {
        self.headers.push((HeaderName::from_static(name), value.into_bytes().into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(with: impl FnOnce(&mut Told)) -> Vec<(String, String)> {
        let mut told = Told::default();
        with(&mut told);
        let text = |value: Box<[u8]>| String::from_utf8(value.into()).unwrap();
        told.finish().into_iter().map(|(name, value)| (name.to_string(), text(value))).collect()
    }

    #[test]
    fn names_that_differ_are_told_apart() {
        let of = |name: &str| told(|told| told.text("x-keyward-project", name)).remove(0).1;
        assert_eq!(of("\u{dc}x"), "%C3%9Cx");
        assert_eq!(of("%C3%9Cx"), "%25C3%259Cx");
        assert_eq!(of("plain name"), "plain name");
    }

    #[test]
    fn a_long_list_is_cut_at_a_whole_entry_and_says_so() {
        let scopes =
            |count: usize| told(|told| told.list("x-keyward-scopes", (0..count).map(|at| format!("scope-{at}:read"))));
        assert_eq!(scopes(2), [("x-keyward-scopes".to_owned(), "scope-0:read scope-1:read".to_owned())]);
        let long = scopes(1_000);
        assert!(long[0].1.len() <= LONGEST_LIST && long[0].1.ends_with(":read"), "{long:?}");
        assert_eq!(long[1], ("x-keyward-cut-short".to_owned(), "x-keyward-scopes".to_owned()));
    }
}
