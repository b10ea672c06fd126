use super::*;
use crate::domain::{Environment, time::parse_time};

pub(crate) fn at(seconds: i64) -> Time {
    parse_time("2026-01-01").unwrap() + TimeDelta::seconds(seconds)
}

pub(in crate::domain) fn secret(number: u8, now: Time) -> Secret {
    Secret {
        lookup: format!("{number:016}").parse().unwrap(),
        hint: "abcd".to_owned(),
        verifier: Verifier([number; 32]),
        state: SecretState::Current { until: None },
        created_at: now,
        imported: false,
    }
}

pub(crate) fn key(lifetime: Option<i64>) -> Key {
    Key {
        id: "key_0123456789abcdef".parse().unwrap(),
        workspace: "default".to_owned(),
        name: "billing".to_owned(),
        description: None,
        owner: None,
        environment: Environment::Production,
        project: None,
        customers: Vec::new(),
        scopes: Vec::new(),
        rate_limit: None,
        allow_ips: Allowlist::default(),
        labels: BTreeMap::new(),
        active: true,
        revoked_at: None,
        created_at: at(0),
        created_by: "alice@host".to_owned(),
        expires_at: lifetime.map(at),
        lifetime: lifetime.map(TimeDelta::seconds),
        rotation: RotationPolicy::default(),
        secrets: vec![secret(1, at(0))],
        self_service: None,
        run: None,
        version: 0,
    }
}

#[test]
fn status_is_revoked_before_expired_before_inactive() {
    let mut key = key(Some(100));
    assert_eq!(key.status_at(at(99)), Status::Active);
    assert_eq!(key.status_at(at(100)), Status::Expired);
    assert_eq!(key.deactivate(), Ok(true));
    assert_eq!(key.deactivate(), Ok(false));
    assert_eq!(key.status_at(at(3)), Status::Inactive);
    assert_eq!(key.status_at(at(100)), Status::Expired);
    assert!(key.revoke(at(4)));
    assert_eq!(key.status_at(at(100)), Status::Revoked);
    assert_eq!(key.activate(), Err(Illegal::Revoked { since: at(4) }));
}

#[test]
fn of_an_earlier_time_what_has_ended_since_had_not() {
    let mut key = key(Some(100));
    key.secrets.push(secret(2, at(0)));
    key.secrets[1].kill(at(4));
    key.revoke(at(10));
    let stands = |time: i64| {
        let then = key.clone().as_of(at(time));
        (then.status_at(at(time)), then.secrets[0].works_at(at(time)), then.secrets[1].works_at(at(time)))
    };
    assert_eq!(stands(3), (Status::Active, true, true));
    assert_eq!(stands(4), (Status::Active, true, false));
    assert_eq!(stands(9), (Status::Active, true, false));
    assert_eq!(stands(10), (Status::Revoked, false, false));
    // Asked about now, a clock that was put back brings nothing to life.
    assert_eq!((key.status_at(at(3)), key.secrets[0].works_at(at(3))), (Status::Revoked, false));
}

#[test]
fn a_secret_that_its_holder_ends_is_the_end_of_the_key_only_where_it_was_the_last() {
    let mut key = key(None);
    let (old, new) = (key.secrets[0].lookup.clone(), secret(2, at(10)));
    key.secrets[0].state = SecretState::Retiring { until: at(100) };
    let lookup = new.lookup.clone();
    key.secrets.push(new);
    assert!(!key.revoke_secret(&old, at(20)));
    assert_eq!(key.secrets[0].state, SecretState::Dead { since: at(20) });
    assert_eq!(key.status_at(at(20)), Status::Active);
    assert!(key.revoke_secret(&lookup, at(30)));
    assert_eq!(key.status_at(at(30)), Status::Revoked);
    assert!(key.secrets.iter().all(|secret| !secret.works_at(at(30))));
}
