use super::*;
use crate::domain::key::tests::{at, key};

/// Keys of every status, in an order that no status has.
fn mixed() -> Vec<(Key, Usage)> {
    let named = |name: &str, ends: Option<i64>| (Key { name: name.to_owned(), ..key(ends) }, Usage::default());
    let mut keys = vec![
        named("off-late", Some(90)),
        named("over", Some(5)),
        named("on", None),
        named("cut", Some(5)),
        named("off", None),
        named("on-early", Some(20)),
        named("over-first", Some(1)),
    ];
    for off in [0, 4] {
        keys[off].0.active = false;
    }
    keys[3].0.revoke(at(2));
    keys
}

fn names(filter: &KeyFilter) -> Vec<String> {
    let mut keys = mixed();
    keys.retain(|(key, usage)| filter.matches(key, usage, &Catalogue::default(), at(10)));
    keys.sort_by(|a, b| filter.compare(a, b, at(10)));
    keys.into_iter().map(|(key, _)| key.name).collect()
}

fn sorted(sort: &str) -> KeyFilter {
    KeyFilter { sort: sort.parse().unwrap(), statuses: Some(Status::ALL.into()), ..KeyFilter::default() }
}

#[test]
fn by_status_means_the_status_of_now_and_then_the_name() {
    assert_eq!(names(&sorted("status")), ["on", "on-early", "off", "off-late", "over", "over-first", "cut"]);
    assert_eq!(names(&sorted("-status")), ["cut", "over", "over-first", "off", "off-late", "on", "on-early"]);
}

#[test]
fn expired_and_a_status_must_both_hold() {
    let expired = |statuses: Option<&[Status]>| {
        let statuses = statuses.map(|statuses| statuses.iter().copied().collect());
        names(&KeyFilter { expired: true, statuses, ..sorted("name") })
    };
    assert_eq!(expired(None), ["over", "over-first"]);
    assert_eq!(expired(Some(&Status::ALL)), ["over", "over-first"]);
    assert!(expired(Some(&[Status::Active, Status::Revoked])).is_empty());
    // A revoked key is no expired one that a default hides.
    let filter = KeyFilter { expired: true, ..KeyFilter::default() };
    assert!(!filter.hides_only_by_default(&mixed()[3].0, &Usage::default(), &Catalogue::default(), at(10)));
}
