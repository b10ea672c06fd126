use super::{export::declaration, plan::update_of, *};
use crate::domain::{
    Allowlist, Environment, Expiry, RateLimit, Scope, Time,
    key::tests::{at, key},
};
use chrono::TimeDelta;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn named(number: u8, change: impl FnOnce(&mut Key)) -> Key {
    let mut key = Key {
        id: format!("key_{number:016}").parse().unwrap(),
        name: format!("k{number}"),
        rate_limit: Some(RateLimit::default()),
        ..key(Some(1_000))
    };
    change(&mut key);
    key
}

fn declared(key: &Key) -> Declared {
    declaration(key, None)
}

fn verbs(plan: &Plan) -> Vec<(Verb, String)> {
    plan.steps.iter().map(|step| (step.action, step.name.clone())).collect()
}

fn step(verb: Verb, name: &str) -> (Verb, String) {
    (verb, name.to_owned())
}

#[test]
fn each_difference_is_a_step_and_what_cannot_be_done_says_why() {
    let keys = [
        named(1, |key| key.owner = Some("alice".to_owned())),
        named(2, |_| {}),
        named(3, |key| key.active = false),
        named(4, |key| key.revoked_at = Some(at(0))),
        named(5, |key| key.allow_ips = Allowlist::parse(&["10.0.0.0/8"]).unwrap()),
        named(6, |key| key.expires_at = None),
    ];
    let mut file: Vec<Declared> = keys.iter().map(declared).collect();
    file[0].key.owner = Some("bob".to_owned());
    file[1].active = false;
    file[2].active = true;
    file[4].key.allow_ips = Allowlist::default();
    file[5].key.expiry = Some(Expiry::At(at(5_000)));
    file.push(Declared { key: Create::named("new"), active: true });
    let plan = plan(&keys, &file, None, &Rules::default(), at(1));
    let expected = [
        step(Verb::Update, "k1"),
        step(Verb::Deactivate, "k2"),
        step(Verb::Activate, "k3"),
        step(Verb::Blocked, "k4"),
        step(Verb::Blocked, "k5"),
        step(Verb::Blocked, "k6"),
        step(Verb::Create, "new"),
    ];
    assert_eq!(verbs(&plan), expected);
    assert_eq!(plan.feasible(), 4);
    let why = |place: usize| plan.steps[place].why.clone().unwrap();
    assert!(why(3).contains("revoked") && why(4).contains("from anywhere") && why(5).contains("set at creation"));
    assert_eq!(plan.steps[0].changes[0].field, "owner");
}

#[test]
fn pruning_never_reaches_beyond_its_labels() {
    let labelled =
        |number, team: &str| named(number, |key| key.labels = BTreeMap::from([("team".to_owned(), team.to_owned())]));
    let off = Key { active: false, ..labelled(4, "a") };
    let keys = [labelled(1, "a"), labelled(2, "a"), labelled(3, "b"), off, named(5, |_| {})];
    let file = [declared(&keys[0])];
    let selector = [("team".to_owned(), "a".to_owned())];
    assert_eq!(verbs(&plan(&keys, &file, Some(&selector), &Rules::default(), at(1))), [step(Verb::Deactivate, "k2")]);
    assert!(plan(&keys, &file, None, &Rules::default(), at(1)).is_empty());
}

#[test]
fn what_a_file_does_not_say_of_expiry_and_rotation_is_left() {
    let key = named(1, |key| key.rotation.every = Some(TimeDelta::days(30)));
    let mut file = declared(&key);
    (file.key.expiry, file.key.rotate_every) = (None, None);
    assert!(plan(std::slice::from_ref(&key), &[file.clone()], None, &Rules::default(), at(1)).is_empty());
    file.key.expiry = Some(Expiry::In(TimeDelta::seconds(1_000)));
    assert!(
        plan(std::slice::from_ref(&key), &[file.clone()], None, &Rules::default(), at(1)).is_empty(),
        "the lifetime is the same"
    );
    file.key.rotate_every = Some(None);
    assert_eq!(verbs(&plan(&[key], &[file], None, &Rules::default(), at(1))), [step(Verb::Update, "k1")]);
}

fn texts() -> impl Strategy<Value = Option<String>> {
    proptest::option::of("[a-z<>\u{202e}]{1,5}")
}

fn scopes() -> impl Strategy<Value = Vec<Scope>> {
    proptest::collection::vec("[a-c]:(read|write)", 0..4)
        .prop_map(|texts| texts.iter().map(|text| text.parse().unwrap()).collect())
}

fn some_key(number: u8) -> impl Strategy<Value = Key> {
    let ranges = proptest::collection::vec((0u8..4).prop_map(|n| format!("10.{n}.0.0/16")), 0..3);
    let labels = proptest::collection::btree_map("[ab]", "[xy]", 0..2);
    let periods = (proptest::option::of(100i64..1_000), proptest::option::of(1i64..50));
    (texts(), texts(), scopes(), ranges, labels, periods, any::<bool>(), proptest::option::of(2i64..9)).prop_map(
        move |(owner, description, scopes, ranges, labels, (every, overlap), active, expires)| {
            named(number, |key| {
                (key.owner, key.description, key.scopes, key.labels, key.active) =
                    (owner, description, scopes, labels, active);
                key.allow_ips = Allowlist::parse(&ranges).unwrap();
                key.rotation.every = every.map(TimeDelta::seconds);
                key.rotation.overlap = overlap.map(TimeDelta::seconds);
                key.expires_at = expires.map(at);
                key.rate_limit = if number.is_multiple_of(2) { None } else { Some(RateLimit::default()) };
            })
        },
    )
}

fn some_keys() -> impl Strategy<Value = Vec<Key>> {
    (some_key(1), some_key(2), some_key(3), 0usize..=3).prop_map(|(a, b, c, count)| [a, b, c][..count].to_vec())
}

/// What `apply` does to one key, with the rules of an update.
fn updated(key: &Key, declared: &Declared) -> Key {
    let update = update_of(key, declared);
    let mut after = key.clone();
    after.scopes.retain(|scope| !update.remove_scopes.contains(scope));
    after.scopes.extend(update.add_scopes);
    after.owner = update.owner.unwrap_or(after.owner);
    after.description = update.description.unwrap_or(after.description);
    after.rate_limit = update.rate_limit.unwrap_or(after.rate_limit);
    for range in update.remove_ips.iter() {
        assert!(after.allow_ips.remove(range), "what is removed is there");
    }
    after.allow_ips.extend(update.add_ips);
    after.labels.extend(update.set_labels);
    update.unset_labels.iter().for_each(|label| drop(after.labels.remove(label)));
    after.rotation.every = update.rotate_every.unwrap_or(after.rotation.every);
    after.rotation.overlap = update.overlap.unwrap_or(after.rotation.overlap);
    after.active = declared.active;
    after
}

proptest! {
    #[test]
    fn a_set_does_not_differ_from_itself(keys in some_keys(), now in 0i64..12) {
        let now: Time = at(now);
        let living: Vec<Key> = keys.into_iter().filter(|key| key.expires_at.is_none_or(|at| at > now)).collect();
        let file: Vec<Declared> = living.iter().map(declared).collect();
        let plan = plan(&living, &file, Some(&[]), &Rules::default(), now);
        prop_assert!(plan.is_empty(), "{plan:?}");
        prop_assert_eq!(plan.unchanged, living.len());
    }

    /// Whatever can be applied is applied at once: afterwards only what is set at creation is left.
    #[test]
    fn an_update_leaves_nothing_to_update(before in some_key(1), wanted in some_key(1)) {
        let file = [declared(&wanted)];
        let after = updated(&before, &file[0]);
        let left = plan(&[after], &file, None, &Rules::default(), at(0));
        prop_assert_eq!(left.feasible(), 0, "{:?}", left);
        let first = plan(&[before], &file, None, &Rules::default(), at(0));
        prop_assert_eq!(left.count(Verb::Blocked), first.count(Verb::Blocked));
    }

    #[test]
    fn only_selected_keys_are_pruned(keys in some_keys(), declared_ones in any::<[bool; 3]>(), label in "[ab]", value in "[xy]") {
        let chosen = keys.iter().zip(declared_ones).filter(|(_, is)| *is);
        let file: Vec<Declared> = chosen.map(|(key, _)| declared(key)).collect();
        let plan = plan(&keys, &file, Some(&[(label.clone(), value.clone())]), &Rules::default(), at(0));
        for step in &plan.steps {
            let key = keys.iter().find(|key| key.name == step.name).unwrap();
            prop_assert_eq!(step.action, Verb::Deactivate);
            prop_assert_eq!(key.labels.get(&label), Some(&value));
            prop_assert!(!file.iter().any(|one| one.key.name == key.name));
        }
    }
}

#[test]
fn environments_are_apart() {
    let key = named(1, |key| key.environment = Environment::Staging);
    let mut file = declared(&key);
    file.key.environment = Environment::Production;
    assert_eq!(verbs(&plan(&[key], &[file], None, &Rules::default(), at(0))), [step(Verb::Create, "k1")]);
}
