use super::*;
use crate::domain::{
    Allowlist, Environment, Key, RateLimit, Time, Usage,
    key::tests::{at, key},
};
use chrono::TimeDelta;
use proptest::prelude::*;

const DAY: i64 = 86_400;

fn finds(rule: Rule, policy: &str, key: &Key, usage: &Usage, now: Time) -> bool {
    let policy: Policy = toml::from_str(policy).unwrap();
    matches!(examine(rule, &policy, key, usage, now), Answer::Breach(_))
}

fn found(rule: Rule, key: &Key) -> bool {
    finds(rule, "", key, &Usage::default(), at(1))
}

fn with(change: impl FnOnce(&mut Key)) -> Key {
    let mut key =
        Key { owner: Some("alice".to_owned()), rate_limit: Some(RateLimit::default()), ..key(Some(90 * DAY)) };
    change(&mut key);
    key
}

fn ranges(entries: &[&str]) -> Allowlist {
    Allowlist::parse(entries).unwrap()
}

#[test]
fn a_key_as_it_should_be_breaks_no_rule() {
    let fine = with(|key| key.scopes = vec!["audits:read".parse().unwrap()]);
    for rule in Rule::ALL {
        assert!(!found(rule, &fine), "{rule}");
    }
}

#[test]
fn each_rule_finds_what_it_is_about() {
    for (rule, bad) in [
        (Rule::NoExpiry, with(|key| key.expires_at = None)),
        (Rule::LongLifetime, with(|key| key.lifetime = Some(TimeDelta::days(366)))),
        (Rule::WildcardScope, with(|key| key.scopes = vec!["audits:*".parse().unwrap()])),
        (Rule::OpenAllowlist, with(|key| key.scopes = vec!["audits:write".parse().unwrap()])),
        (Rule::WideAllowlist, with(|key| key.allow_ips = ranges(&["10.0.0.0/7"]))),
        (Rule::WideAllowlist, with(|key| key.allow_ips = ranges(&["2000::/16"]))),
        (Rule::WideAllowlist, with(|key| key.allow_ips = ranges(&["0.0.0.0/0"]))),
        (Rule::NoOwner, with(|key| key.owner = None)),
        (Rule::NoOwner, with(|key| key.owner = Some(" ".to_owned()))),
        (Rule::NoRateLimit, with(|key| key.rate_limit = None)),
        (Rule::NoScope, with(|_| {})),
        (Rule::OverdueRotation, with(|key| key.rotation.due_at = Some(at(0)))),
    ] {
        assert!(found(rule, &bad), "{rule}");
    }
}

#[test]
fn an_allowlist_is_asked_for_where_a_key_may_write() {
    let writes = |key: &mut Key| key.scopes = vec!["audits:write".parse().unwrap()];
    let guarded = with(|key| {
        writes(key);
        key.allow_ips = ranges(&["10.0.0.0/8"]);
    });
    assert!(!found(Rule::OpenAllowlist, &guarded) && !found(Rule::WideAllowlist, &guarded));
    let staging = with(|key| {
        writes(key);
        key.environment = Environment::Staging;
    });
    assert!(!found(Rule::OpenAllowlist, &staging));
    let wanted = "[rules.open-allowlist]\nenvironments = ['staging']\nread_levels = ['look']";
    assert!(finds(Rule::OpenAllowlist, wanted, &staging, &Usage::default(), at(1)));
    let everything = with(|key| key.scopes = vec!["*".parse().unwrap()]);
    assert!(found(Rule::OpenAllowlist, &everything));
}

#[test]
fn many_narrow_ranges_are_no_way_round_a_wide_one() {
    let halves = with(|key| key.allow_ips = ranges(&["0.0.0.0/1", "128.0.0.0/1"]));
    assert!(found(Rule::WideAllowlist, &halves));
    let eighths: Vec<String> = (0..=255).map(|n| format!("{n}.0.0.0/8")).collect();
    let eighths = with(|key| key.allow_ips = Allowlist::parse(&eighths).unwrap());
    assert!(found(Rule::WideAllowlist, &eighths));
}

#[test]
fn use_is_asked_for_of_keys_that_are_switched_on() {
    let used = |seconds| Usage { last_used_at: Some(at(seconds)), ..Usage::default() };
    let old = with(|key| key.expires_at = Some(at(1_000 * DAY)));
    let finds = |rule, key: &Key, usage: &Usage, days: i64| finds(rule, "", key, usage, at(days * DAY));
    assert!(!finds(Rule::Unused, &old, &used(0), 90));
    assert!(finds(Rule::Unused, &old, &used(-1), 90));
    assert!(!finds(Rule::NeverUsed, &old, &Usage::default(), 30));
    assert!(finds(Rule::NeverUsed, &old, &Usage::default(), 31));
    assert!(!finds(Rule::NeverUsed, &old, &used(0), 500) && !finds(Rule::Unused, &old, &Usage::default(), 500));
    let off = Key { active: false, ..old };
    assert!(!finds(Rule::Unused, &off, &used(0), 500) && !finds(Rule::NeverUsed, &off, &Usage::default(), 500));
}

#[test]
fn keys_that_are_over_break_no_rule() {
    for over in [with(|key| key.revoked_at = Some(at(0))), with(|key| key.expires_at = Some(at(1)))] {
        let over = Key { owner: None, rate_limit: None, ..over };
        assert!(Rule::ALL.into_iter().all(|rule| !found(rule, &over)));
    }
}

#[test]
fn a_crowd_is_more_keys_on_a_day_than_are_meant_to_expire_on_one() {
    let policy = |text: &str| toml::from_str::<Policy>(text).unwrap();
    let mut keys: Vec<Key> = (0..3).map(|n| Key { name: format!("k{n}"), ..with(|_| {}) }).collect();
    keys.push(with(|key| key.expires_at = Some(at(91 * DAY))));
    let days = |text: &str| -> Vec<usize> {
        crowds(&policy(text), &keys, at(1)).iter().map(|crowd| crowd.keys.len()).collect()
    };
    assert_eq!(days("[rules.expiry-crowd]\nover = 2"), [3]);
    assert_eq!(days("[rules.expiry-crowd]\nover = 3"), [] as [usize; 0]);
    assert_eq!(days("[rules.expiry-crowd]\nover = 2\nseverity = 'off'"), [] as [usize; 0]);
    let excepted = "[rules.expiry-crowd]\nover = 2\n[[exceptions]]\nrule = 'expiry-crowd'\nkey = 'k1'\nuntil = 2027-01-01\nreason = 'r'";
    assert_eq!(days(excepted), [] as [usize; 0]);
}

#[test]
fn an_exception_has_a_rule_keys_an_end_and_a_reason() {
    let text = "[[exceptions]]\nrule = 'no-owner'\nkey = 'bill*'\nenvironment = 'production'\nuntil = 2026-01-02\nreason = 'r'";
    let policy: Policy = toml::from_str(text).unwrap();
    let key = with(|_| {});
    let covers = |rule, key: &Key, now| policy.exception(rule, Some(key), now).is_some();
    assert!(covers(Rule::NoOwner, &key, at(DAY - 1)));
    assert!(!covers(Rule::NoOwner, &key, at(DAY)), "the end is the first moment without it");
    assert!(!covers(Rule::NoExpiry, &key, at(0)));
    assert!(!covers(Rule::NoOwner, &Key { name: "other".to_owned(), ..key.clone() }, at(0)));
    assert!(!covers(Rule::NoOwner, &Key { environment: Environment::Staging, ..key.clone() }, at(0)));
    assert!(policy.exception(Rule::NoOwner, None, at(0)).is_none());
    for bad in [
        "[[exceptions]]\nrule = 'no-owner'\nuntil = 2026-01-02",
        "[[exceptions]]\nrule = 'no-owner'\nuntil = 2026-01-02\nreason = ' '",
        "[[exceptions]]\nrule = 'no-owner'\nreason = 'r'",
        "[[exceptions]]\nrule = 'no-such'\nuntil = 2026-01-02\nreason = 'r'",
        "[[exceptions]]\nrule = 'no-owner'\nkey = 'a***'\nuntil = 2026-01-02\nreason = 'r'",
        "[rules.no-ownr]\nseverity = 'off'",
        "[rules.no-owner]\nover = '1d'",
        "[rules.unused]\nover = '90'",
        "[rules.wide-allowlist]\nipv4_prefix = 33",
        "[rules.no-owner]\nseverity = 'fatal'",
    ] {
        assert!(toml::from_str::<Policy>(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_policy_in_full_is_the_same_policy() {
    let text = "[rules.unused]\nover = '2d'\n[rules.wide-allowlist]\nipv4_prefix = 16\n[rules.open-allowlist]\nseverity = 'note'\n\
                [[exceptions]]\nrule = 'unused'\nuntil = '2026-01-02T03:04:05Z'\nreason = 'r'";
    for text in ["", text] {
        let policy: Policy = toml::from_str(text).unwrap();
        let written = toml::to_string(&policy.in_full()).unwrap();
        let again: Policy = toml::from_str(&written).unwrap();
        assert_eq!(again, policy.in_full(), "{written}");
        assert_eq!(again.in_full(), again);
        let json: Policy = serde_json::from_str(&serde_json::to_string(&policy).unwrap()).unwrap();
        assert_eq!(json, policy);
    }
}

proptest! {
    /// A longer threshold never finds more, whatever the key is like.
    #[test]
    fn a_milder_policy_finds_no_more(
        days in 1i64..2_000, more in 0i64..2_000, lifetime in proptest::option::of(1i64..4_000), used in proptest::option::of(0i64..3_000),
        now in 0i64..4_000,
    ) {
        let key = with(|key| {
            key.expires_at = lifetime.map(|days| at(days * DAY));
            key.lifetime = lifetime.map(TimeDelta::days);
        });
        let usage = Usage { last_used_at: used.map(|day| at(day * DAY)), ..Usage::default() };
        for rule in [Rule::LongLifetime, Rule::Unused, Rule::NeverUsed] {
            let policy = |days: i64| format!("[rules.{rule}]\nover = '{days}d'");
            let mild = finds(rule, &policy(days + more), &key, &usage, at(now * DAY));
            prop_assert!(!mild || finds(rule, &policy(days), &key, &usage, at(now * DAY)));
        }
    }

    /// One wide range is found, however finely it is cut into touching pieces.
    #[test]
    fn a_wide_range_is_found_in_pieces(first in 0u8..=127, pieces in 1u8..6) {
        let whole = ipnet::Ipv4Net::new(std::net::Ipv4Addr::new(first * 2, 0, 0, 0), 7).unwrap();
        let cut: Vec<String> = whole.subnets(7 + pieces).unwrap().map(|range| range.to_string()).collect();
        let key = with(|key| key.allow_ips = Allowlist::parse(&cut).unwrap());
        prop_assert!(found(Rule::WideAllowlist, &key));
    }

    #[test]
    fn nothing_panics(text in ".{0,60}") {
        let _ = (text.parse::<Rule>(), text.parse::<Severity>(), text.parse::<KeyGlob>());
    }
}
