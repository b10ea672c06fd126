use super::*;
use crate::domain::{Environment, time::parse_time};
use proptest::prelude::*;

fn at(seconds: i64) -> Time {
    parse_time("2026-01-01").unwrap() + TimeDelta::seconds(seconds)
}

fn secret(number: u8, now: Time) -> Secret {
    Secret {
        lookup: format!("{number:016}").parse().unwrap(),
        hint: "abcd".to_owned(),
        verifier: Verifier([number; 32]),
        state: SecretState::Current,
        created_at: now,
    }
}

fn key(lifetime: Option<i64>) -> Key {
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
        version: 0,
    }
}

#[test]
fn status_is_revoked_before_expired_before_inactive() {
    let mut key = key(Some(100));
    assert_eq!(key.status_at(at(99)), Status::Active);
    assert_eq!(key.status_at(at(100)), Status::Expired);
    assert_eq!(key.deactivate(at(1)), Ok(true));
    assert_eq!(key.deactivate(at(2)), Ok(false));
    assert_eq!(key.status_at(at(3)), Status::Inactive);
    assert_eq!(key.status_at(at(100)), Status::Expired);
    assert_eq!(key.revoke(at(4)), Ok(true));
    assert_eq!(key.status_at(at(100)), Status::Revoked);
    assert_eq!(key.activate(at(5)), Err(Illegal::Revoked { since: at(4) }));
}

#[test]
fn an_overlap_never_outlives_the_expiry() {
    let mut key = key(Some(100));
    let effect = key.rotate(secret(2, at(10)), Overlap::For(TimeDelta::seconds(500)), at(10), false, false).unwrap();
    assert_eq!(effect.old_until, Some(at(100)));
    assert_eq!(key.expires_at, Some(at(100)));
}

#[test]
fn an_expired_key_needs_a_renewal_and_its_old_secret_stays_dead() {
    let mut key = key(Some(100));
    let overlap = Overlap::For(TimeDelta::seconds(50));
    assert_eq!(key.rotate(secret(2, at(200)), overlap, at(200), false, false), Err(Illegal::Expired { at: at(100) }));
    let effect = key.rotate(secret(2, at(200)), overlap, at(200), true, false).unwrap();
    assert_eq!(effect.old_until, None);
    assert_eq!(key.expires_at, Some(at(300)));
    assert!(!key.secrets[0].works_at(at(200)));
    assert!(key.secrets[1].works_at(at(200)));
}

#[test]
fn a_running_overlap_refuses_another_rotation_unless_superseded() {
    let mut key = key(None);
    key.rotate(secret(2, at(10)), Overlap::For(TimeDelta::seconds(100)), at(10), false, false).unwrap();
    let again = key.clone().rotate(secret(3, at(20)), Overlap::Now, at(20), false, false);
    assert_eq!(again, Err(Illegal::RotationRunning { until: Some(at(110)) }));
    key.rotate(secret(3, at(20)), Overlap::For(TimeDelta::seconds(100)), at(20), false, true).unwrap();
    assert!(!key.secrets[0].works_at(at(20)));
    assert!(key.secrets[1].works_at(at(20)));
}

#[test]
fn a_revoked_secret_never_works_again_and_a_rotation_revives_the_key() {
    let mut key = key(None);
    key.revoke(at(5)).unwrap();
    key.rotate(secret(2, at(10)), Overlap::For(TimeDelta::seconds(100)), at(10), false, false).unwrap();
    assert_eq!(key.status_at(at(10)), Status::Active);
    assert!(!key.secrets[0].works_at(at(10)));
    assert!(key.secrets[1].works_at(at(10)));
}

#[test]
fn due_dates_do_not_drift() {
    let mut key = key(None);
    key.rotation = RotationPolicy { every: Some(TimeDelta::seconds(100)), overlap: None, due_at: Some(at(100)) };
    key.rotate(secret(2, at(130)), Overlap::Now, at(130), false, false).unwrap();
    assert_eq!(key.rotation.due_at, Some(at(200)));
    key.rotate(secret(3, at(455)), Overlap::Now, at(455), false, false).unwrap();
    assert_eq!(key.rotation.due_at, Some(at(500)));
}

proptest! {
    #[test]
    fn at_most_two_secrets_work_and_none_beyond_the_expiry(
        steps in proptest::collection::vec((1i64..200, 0i64..300, any::<bool>(), any::<bool>(), 0u8..6), 1..30)
    ) {
        let mut key = key(Some(1_000));
        let mut now = 0;
        for (number, (wait, overlap, renew, supersede, what)) in steps.into_iter().enumerate() {
            now += wait;
            let dead: Vec<_> = key.secrets.iter().filter(|s| !s.works_at(at(now))).map(|s| s.lookup.clone()).collect();
            match what {
                0 => assert!(key.revoke(at(now)).is_ok()),
                1 => _ = key.deactivate(at(now)),
                2 => _ = key.activate(at(now)),
                _ => {
                    let new = secret(u8::try_from(number).unwrap() + 2, at(now));
                    let _ = key.rotate(new, Overlap::For(TimeDelta::seconds(overlap)), at(now), renew, supersede);
                }
            }
            prop_assert!(key.secrets.iter().filter(|secret| secret.works_at(at(now))).count() <= 2);
            prop_assert!(key.secrets.iter().all(|secret| !dead.contains(&secret.lookup) || !secret.works_at(at(now))));
            for secret in &key.secrets {
                if let SecretState::Retiring { until } = secret.state {
                    prop_assert!(renew || key.expires_at.is_none_or(|expiry| until <= expiry));
                }
            }
        }
    }
}
