//! The keys of the list: a row each, in an order, of which a filter shows some.
//!
//! A keystroke must stay quick among 100,000 keys. What a filter looks through is put together once, the order is
//! worked out again only when it changes, and a filter that grows looks only at what the shorter one let through.

use crate::{domain::search::folded, ops::KeyView};
use memchr::memmem::Finder;
use std::cmp::Ordering;

/// What the list shows of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyRow {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) environment: String,
    pub(super) status: String,
    pub(super) owner: Option<String>,
    pub(super) expires_at: Option<String>,
    pub(super) last_used_at: Option<String>,
    pub(super) uses: u64,
    pub(super) denied: u64,
    /// What filters look through, without case and in one form, as every search has it.
    words: String,
}

impl KeyRow {
    /// Of a key, and whether it is of whoever looks.
    pub(super) fn of(key: KeyView, mine: bool) -> Self {
        let mut words = format!("{} {} env:{} status:{}", key.name, key.id, key.environment, key.status);
        if mine {
            words.push_str(" is:mine");
        }
        let named = [("owner", &key.owner), ("project", &key.project), ("hint", &key.hint)];
        for (name, value) in named {
            if let Some(value) = value {
                words.push_str(&format!(" {name}:{value}"));
            }
        }
        for scope in &key.scopes {
            words.push_str(&format!(" scope:{scope}"));
        }
        for customer in &key.customers {
            words.push_str(&format!(" customer:{customer}"));
        }
        for (label, value) in &key.labels {
            words.push_str(&format!(" {label}={value}"));
        }
        if let Some(description) = &key.description {
            words.push_str(&format!(" {description}"));
        }
        Self {
            words: folded(&words),
            id: key.id,
            name: key.name,
            environment: key.environment,
            status: key.status.into_owned(),
            owner: key.owner,
            // What ends unless it is rotated says so in its details.
            expires_at: key.expires_at.or(key.rotation.ends_at),
            last_used_at: key.last_used_at,
            uses: key.uses,
            denied: key.denied,
        }
    }
}

/// What the list is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Expiry,
    Name,
    LastUse,
    Uses,
    Denied,
    Status,
    Environment,
    Owner,
}

impl Order {
    pub(super) const ALL: [Self; 8] = [
        Self::Expiry,
        Self::Name,
        Self::LastUse,
        Self::Uses,
        Self::Denied,
        Self::Status,
        Self::Environment,
        Self::Owner,
    ];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Expiry => "expiry",
            Self::Name => "name",
            Self::LastUse => "last use",
            Self::Uses => "uses",
            Self::Denied => "denied",
            Self::Status => "status",
            Self::Environment => "env",
            Self::Owner => "owner",
        }
    }

    fn next(self) -> Self {
        let at = Self::ALL.iter().position(|order| *order == self).unwrap_or_default();
        Self::ALL[(at + 1) % Self::ALL.len()]
    }

    /// Two rows in this order; what is missing comes last either way round. Times are written in one width, so that
    /// their order is that of their texts.
    fn compare(self, a: &KeyRow, b: &KeyRow, descending: bool) -> Ordering {
        let turned = |order: Ordering| if descending { order.reverse() } else { order };
        let missing_last =
            |a: Option<&str>, b: Option<&str>| a.is_none().cmp(&b.is_none()).then_with(|| turned(a.cmp(&b)));
        let order = match self {
            Self::Expiry => missing_last(a.expires_at.as_deref(), b.expires_at.as_deref()),
            Self::Name => turned(a.name.cmp(&b.name)),
            Self::LastUse => missing_last(a.last_used_at.as_deref(), b.last_used_at.as_deref()),
            Self::Uses => turned(a.uses.cmp(&b.uses)),
            Self::Denied => turned(a.denied.cmp(&b.denied)),
            Self::Status => turned(a.status.cmp(&b.status)),
            Self::Environment => turned(a.environment.cmp(&b.environment)),
            Self::Owner => missing_last(a.owner.as_deref(), b.owner.as_deref()),
        };
        order.then_with(|| a.name.cmp(&b.name)).then_with(|| a.id.cmp(&b.id))
    }
}

/// The keys, and what of them is shown in which order.
pub(super) struct Keys {
    rows: Vec<KeyRow>,
    /// All rows, in order.
    order: Vec<usize>,
    /// Those that the filter shows, in the same order.
    shown: Vec<usize>,
    filter: String,
    by: Order,
    descending: bool,
}

impl Keys {
    pub(super) fn new() -> Self {
        Self {
            rows: Vec::new(),
            order: Vec::new(),
            shown: Vec::new(),
            filter: String::new(),
            by: Order::Expiry,
            descending: false,
        }
    }

    /// Replaces the rows; filter and order stay.
    pub(super) fn replace(&mut self, rows: Vec<KeyRow>) {
        self.rows = rows;
        self.order = (0..self.rows.len()).collect();
        self.sort();
    }

    pub(super) fn total(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn len(&self) -> usize {
        self.shown.len()
    }

    pub(super) fn get(&self, at: usize) -> Option<&KeyRow> {
        self.shown.get(at).map(|row| &self.rows[*row])
    }

    /// So many rows from a place on.
    pub(super) fn page(&self, first: usize, many: usize) -> impl Iterator<Item = &KeyRow> {
        self.shown.iter().skip(first).take(many).map(|row| &self.rows[*row])
    }

    /// Where a key is shown.
    pub(super) fn place(&self, id: &str) -> Option<usize> {
        self.shown.iter().position(|row| self.rows[*row].id == id)
    }

    pub(super) fn filter(&self) -> &str {
        &self.filter
    }

    pub(super) fn order(&self) -> (Order, bool) {
        (self.by, self.descending)
    }

    /// Shows the rows that have every word of the filter somewhere.
    pub(super) fn set_filter(&mut self, filter: String) {
        let grows = folded(&filter).starts_with(&folded(&self.filter));
        self.filter = filter;
        self.sift(grows);
    }

    pub(super) fn sort_by_next(&mut self) {
        self.by = self.by.next();
        self.descending = matches!(self.by, Order::Uses | Order::Denied | Order::LastUse);
        self.sort();
    }

    pub(super) fn reverse(&mut self) {
        self.descending = !self.descending;
        self.sort();
    }

    fn sort(&mut self) {
        let Self { rows, order, by, descending, .. } = self;
        order.sort_by(|a, b| by.compare(&rows[*a], &rows[*b], *descending));
        self.sift(false);
    }

    fn sift(&mut self, among_shown: bool) {
        let filter = folded(&self.filter);
        let words: Vec<Finder<'_>> = filter.split_whitespace().map(Finder::new).collect();
        let fits = |row: &usize| words.iter().all(|word| word.find(self.rows[*row].words.as_bytes()).is_some());
        if among_shown {
            self.shown.retain(fits);
        } else {
            self.shown = self.order.iter().copied().filter(fits).collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row(name: &str, at: usize) -> KeyRow {
        let key = KeyView {
            id: format!("key_{at:016}"),
            name: name.to_owned(),
            environment: ["production", "staging"][at % 2].to_owned(),
            status: ["active", "expired", "revoked"][at % 3].into(),
            owner: (!at.is_multiple_of(4)).then(|| format!("team-{}@Example.com", at % 4)),
            expires_at: (!at.is_multiple_of(5)).then(|| format!("2026-03-{:02}T00:00:00Z", 1 + at % 28)),
            scopes: vec!["invoices:read".to_owned()],
            description: Some("for the café".to_owned()),
            uses: at as u64 % 7,
            ..KeyView::default()
        };
        KeyRow::of(key, at == 7)
    }

    fn names(keys: &Keys) -> Vec<&str> {
        keys.page(0, usize::MAX).map(|row| row.name.as_str()).collect()
    }

    #[test]
    fn every_word_must_be_found_somewhere_in_any_case() {
        let mut keys = Keys::new();
        keys.replace((0..12).map(|at| row(&format!("svc-{at}"), at)).collect());
        for (filter, shown) in [
            ("", 12),
            ("svc-1", 3),
            ("status:expired", 4),
            ("is:mine", 1),
            ("env:prod TEAM-2", 3),
            ("invoices:read", 12),
            ("FOR THE Cafe\u{301}", 12),
            ("nobody", 0),
        ] {
            keys.set_filter(filter.to_owned());
            assert_eq!(keys.len(), shown, "{filter}");
        }
        assert_eq!(keys.total(), 12);
    }

    #[test]
    fn what_is_missing_comes_last_either_way_round() {
        let mut keys = Keys::new();
        keys.replace((0..12).map(|at| row(&format!("svc-{at:02}"), at)).collect());
        assert_eq!(names(&keys)[9..], ["svc-00", "svc-05", "svc-10"]);
        keys.reverse();
        assert_eq!((names(&keys)[0], &names(&keys)[9..]), ("svc-11", &["svc-00", "svc-05", "svc-10"][..]));
        keys.sort_by_next();
        assert_eq!(keys.order(), (Order::Name, false));
        assert_eq!(names(&keys)[..2], ["svc-00", "svc-01"]);
    }

    proptest! {
        #[test]
        fn typing_letter_by_letter_shows_what_the_whole_filter_shows(
            names in proptest::collection::vec("[abcé ß\u{301}]{0,5}", 0..40), filter in "[abceß \u{301}]{0,4}", sorts in 0usize..9,
        ) {
            let rows: Vec<KeyRow> = names.iter().enumerate().map(|(at, name)| row(name, at)).collect();
            let mut typed = Keys::new();
            typed.replace(rows.clone());
            for at in 0..=filter.chars().count() {
                typed.set_filter(filter.chars().take(at).collect());
            }
            let mut pasted = Keys::new();
            pasted.set_filter(filter.clone());
            pasted.replace(rows);
            for _ in 0..sorts {
                typed.sort_by_next();
                pasted.sort_by_next();
            }
            prop_assert_eq!(super::tests::names(&typed), super::tests::names(&pasted));
            let folded = super::folded(&filter);
            let words: Vec<&str> = folded.split_whitespace().collect();
            let expected = pasted.rows.iter().filter(|row| words.iter().all(|word| row.words.contains(word))).count();
            prop_assert_eq!(typed.len(), expected);
            let (by, descending) = typed.order();
            let sorted: Vec<&KeyRow> = typed.page(0, usize::MAX).collect();
            prop_assert!(sorted.windows(2).all(|two| by.compare(two[0], two[1], descending).is_lt()));
        }
    }
}
