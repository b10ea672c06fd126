use super::*;
use crate::domain::{
    RotationPolicy, Status,
    key::tests::{at, key, secret as current},
};
use proptest::prelude::*;

pub(crate) const SINK: &str = "file:/run/key";

fn secret(number: u8, now: i64) -> Secret {
    Secret { state: SecretState::Staged, ..current(number, at(now)) }
}

fn lease(until: i64) -> Lease {
    Lease { id: "mine".to_owned(), until: at(until), remote: false }
}

pub(crate) fn begin(sinks: &[&str]) -> Begin {
    Begin {
        id: "rot_0123456789abcdef".parse().unwrap(),
        actor: "ci@host".to_owned(),
        sinks: sinks.iter().map(|sink| (*sink).to_owned()).collect(),
        lease: lease(0),
        overlap: Overlap::For(TimeDelta::seconds(100)),
        renew: false,
        reinstate: false,
        parked: false,
        for_due: false,
        idempotency_key: None,
        asked: Vec::new(),
        held: Vec::new(),
    }
}

/// A whole rotation at one moment.
pub(crate) fn rotate(key: &mut Key, number: u8, now: i64, with: Begin, supersede: bool) -> Result<Committed, Illegal> {
    let sinks = with.sinks.clone();
    key.stage(secret(number, now), with, at(now), supersede)?;
    for sink in sinks {
        key.intend(&sink, at(now))?;
        key.receive(&sink, at(now))?;
    }
    key.commit_rotation(at(now), false)
}

fn working(key: &Key, now: i64) -> Vec<String> {
    let works = key.secrets.iter().filter(|secret| secret.works_at(at(now)));
    works.map(|secret| secret.lookup.as_str().trim_start_matches('0').to_owned()).collect()
}

#[test]
fn an_overlap_never_outlives_the_expiry() {
    let mut key = key(Some(100));
    let with = Begin { overlap: Overlap::For(TimeDelta::seconds(500)), ..begin(&[SINK]) };
    assert_eq!(rotate(&mut key, 2, 10, with, false), Ok(Committed { old_until: Some(at(100)) }));
    assert_eq!(key.expires_at, Some(at(100)));
}

#[test]
fn an_expired_key_needs_a_renewal_and_its_old_secret_stays_dead() {
    let mut key = key(Some(100));
    assert_eq!(rotate(&mut key, 2, 200, begin(&[SINK]), false), Err(Illegal::Expired { at: at(100) }));
    let with = Begin { renew: true, ..begin(&[SINK]) };
    assert_eq!(rotate(&mut key, 2, 200, with, false), Ok(Committed { old_until: None }));
    assert_eq!(key.expires_at, Some(at(300)));
    assert_eq!(working(&key, 200), ["2"]);
}

#[test]
fn a_running_overlap_refuses_another_rotation_unless_superseded() {
    let mut key = key(None);
    rotate(&mut key, 2, 10, begin(&[SINK]), false).unwrap();
    let again = rotate(&mut key.clone(), 3, 20, begin(&[SINK]), false);
    assert_eq!(again, Err(Illegal::RotationRunning { until: Some(at(110)) }));
    let mut given_up = key.clone();
    rotate(&mut key, 3, 20, begin(&[SINK]), true).unwrap();
    assert_eq!(working(&key, 20), ["2", "3"]);
    // Until the new one has arrived everything that was promised works, also when it never does.
    given_up.stage(secret(3, 20), begin(&[SINK]), at(20), true).unwrap();
    assert_eq!(working(&given_up, 20), ["1", "2", "3"]);
    given_up.abort_rotation(at(21)).unwrap();
    assert_eq!(working(&given_up, 109), ["1", "2"]);
    assert_eq!(working(&given_up, 110), ["2"]);
}

#[test]
fn superseding_ends_no_secret_that_a_sink_was_seen_to_hold() {
    const OTHER: &str = "exec:store";
    let lookup = |number: u8| secret(number, 0).lookup.as_str().to_owned();
    let seen = |number: u8| Begin { asked: vec![SINK.to_owned()], held: vec![lookup(number)], ..begin(&[SINK, OTHER]) };
    let mut key = key(None);
    key.stage(secret(2, 1), begin(&[SINK, OTHER]), at(1), false).unwrap();
    key.receive(SINK, at(1)).unwrap();
    key.intend(OTHER, at(1)).unwrap();
    // The file holds 2, and nobody knows what the program stored: 3 was handed to neither.
    key.stage(secret(3, 2), seen(2), at(2), true).unwrap();
    assert_eq!(working(&key, 2), ["1", "2", "3"]);
    key.stage(secret(4, 3), seen(2), at(3), true).unwrap();
    assert_eq!(working(&key, 3), ["1", "2", "4"], "3 is held by nobody");
    key.intend(OTHER, at(3)).unwrap();
    key.stage(secret(5, 4), seen(2), at(4), true).unwrap();
    assert_eq!(working(&key, 4), ["1", "2", "5"], "what is known to be held stands before what may be");
    key.receive(OTHER, at(4)).unwrap();
    assert_eq!(key.stage(secret(6, 5), seen(2), at(5), true), Err(Illegal::TwoInDoubt), "each holds another one");
    key.stage(secret(6, 5), seen(5), at(5), true).unwrap();
    assert_eq!(working(&key, 5), ["1", "5", "6"], "nobody was seen to hold 2 any more");
}

#[test]
fn a_revoked_secret_never_works_again_and_only_a_reinstatement_revives_the_key() {
    let mut key = key(None);
    let reinstating = || Begin { reinstate: true, ..begin(&[SINK]) };
    assert_eq!(rotate(&mut key.clone(), 2, 4, reinstating(), false), Err(Illegal::NotRevoked));
    key.revoke(at(5));
    for with in [begin(&[SINK]), Begin { renew: true, ..begin(&[SINK]) }] {
        assert_eq!(rotate(&mut key.clone(), 2, 10, with, false), Err(Illegal::Revoked { since: at(5) }));
    }
    rotate(&mut key, 2, 10, reinstating(), false).unwrap();
    assert_eq!(key.status_at(at(10)), Status::Active);
    assert_eq!(working(&key, 10), ["2"]);
}

#[test]
fn a_revocation_ends_the_rotation_that_runs() {
    let mut key = key(None);
    key.stage(secret(2, 1), begin(&[SINK]), at(1), false).unwrap();
    key.revoke(at(2));
    assert_eq!(key.commit_rotation(at(3), true), Err(Illegal::NoRotation));
    assert!(working(&key, 3).is_empty());
}

#[test]
fn a_commit_needs_a_receipt_of_every_sink_or_proof() {
    let mut key = key(None);
    key.stage(secret(2, 1), begin(&["a", "b"]), at(1), false).unwrap();
    assert_eq!(key.commit_rotation(at(1), false), Err(Illegal::Undelivered));
    key.receive("a", at(1)).unwrap();
    assert_eq!(key.commit_rotation(at(1), false), Err(Illegal::Undelivered));
    assert_eq!(key.receive("c", at(1)), Err(Illegal::UnknownSink));
    let mut proven = key.clone();
    assert_eq!(proven.commit_rotation(at(1), true), Ok(Committed { old_until: Some(at(101)) }));
    key.receive("b", at(1)).unwrap();
    assert_eq!(key.commit_rotation(at(1), false), Ok(Committed { old_until: Some(at(101)) }));
}

#[test]
fn a_secret_that_nobody_was_handed_dies_when_it_is_minted_again() {
    let mut key = key(None);
    key.stage(secret(2, 1), begin(&[SINK]), at(1), false).unwrap();
    key.restage(secret(3, 2), &[SINK.to_owned()], lease(2), at(2)).unwrap();
    assert_eq!(working(&key, 2), ["1", "3"]);
}

#[test]
fn a_secret_in_doubt_works_until_the_next_one_has_arrived() {
    let mut key = key(None);
    let sinks = [SINK.to_owned()];
    key.stage(secret(2, 1), begin(&[SINK]), at(1), false).unwrap();
    key.intend(SINK, at(1)).unwrap();
    assert_eq!(key.clone().restage(secret(3, 2), &["exec:x".to_owned()], lease(2), at(2)), Err(Illegal::OtherSinks));
    key.restage(secret(3, 2), &sinks, lease(2), at(2)).unwrap();
    assert_eq!(working(&key, 2), ["1", "2", "3"]);
    key.intend(SINK, at(2)).unwrap();
    assert_eq!(key.clone().restage(secret(4, 3), &sinks, lease(3), at(3)), Err(Illegal::TwoInDoubt));
    let a_day_later = 86_400 + 3;
    let mut later = key.clone();
    later.restage(secret(4, a_day_later), &sinks, lease(0), at(a_day_later)).unwrap();
    assert_eq!(working(&later, a_day_later), ["1", "3", "4"]);
    key.receive(SINK, at(2)).unwrap();
    assert_eq!(working(&key, 2), ["1", "3"]);
    key.commit_rotation(at(3), false).unwrap();
    assert_eq!(working(&key, 102), ["1", "3"]);
    assert_eq!(working(&key, 103), ["3"]);
}

#[test]
fn an_abort_kills_the_new_and_leaves_the_old() {
    let mut key = key(None);
    key.stage(secret(2, 1), begin(&[SINK]), at(1), false).unwrap();
    key.abort_rotation(at(2)).unwrap();
    assert_eq!(working(&key, 2), ["1"]);
    assert_eq!(key.secrets[0].state, SecretState::Current { until: None });
    assert!(key.stage(secret(3, 3), begin(&[SINK]), at(3), false).is_ok());
}

#[test]
fn due_dates_stay_on_their_grid() {
    let policy = |due| RotationPolicy {
        every: Some(TimeDelta::seconds(100)),
        overlap: None,
        due_at: Some(at(due)),
        renew: None,
    };
    for (due, rotated, next) in [(100, 100, 200), (100, 130, 200), (100, 455, 500), (100, 60, 200), (100, 40, 100)] {
        let mut key = key(None);
        key.rotation = policy(due);
        rotate(&mut key, 2, rotated, begin(&[SINK]), false).unwrap();
        assert_eq!(key.rotation.due_at, Some(at(next)), "rotated at {rotated}");
    }
}

/// A key that is to be rotated and has no end of its own lives as long as it is rotated.
#[test]
fn a_secret_ends_by_its_rhythm_and_a_rotation_begins_another() {
    let day = 86_400;
    let mut key = key(None);
    let policy = |every, due| RotationPolicy {
        every: Some(TimeDelta::days(every)),
        overlap: None,
        due_at: Some(at(due)),
        renew: None,
    };
    key.rotation = policy(30, 30 * day);
    key.end_current_secret();
    assert_eq!(key.ends_at(), Some(at(60 * day)));
    let for_due = || Begin { for_due: true, ..begin(&[SINK]) };
    rotate(&mut key, 2, 31 * day, for_due(), false).unwrap();
    assert_eq!((key.ends_at(), key.expires_at), (Some(at(90 * day)), None));
    assert_eq!(key.status_at(at(90 * day - 1)), Status::Active);
    assert_eq!((key.status_at(at(90 * day)), key.is_overdue(at(90 * day))), (Status::Expired, true));
    assert!(working(&key, 90 * day).is_empty());
    // No schedule saves it any more; a renewal does, and begins another secret with another end.
    assert_eq!(rotate(&mut key.clone(), 3, 90 * day, for_due(), false), Err(Illegal::Expired { at: at(90 * day) }));
    rotate(&mut key, 3, 91 * day, Begin { renew: true, ..for_due() }, false).unwrap();
    assert_eq!((key.ends_at(), key.expires_at), (Some(at(150 * day)), None));
    // A rhythm of minutes leaves a schedule that runs once a day its day.
    key.rotation = RotationPolicy { every: Some(TimeDelta::minutes(5)), ..policy(1, 200 * day) };
    key.end_current_secret();
    assert_eq!(key.ends_at(), Some(at(201 * day)));
    // What has an end of its own has that alone.
    key.expires_at = Some(at(300 * day));
    key.end_current_secret();
    assert_eq!(key.ends_at(), Some(at(300 * day)));
}

#[test]
fn an_overlap_never_outlives_the_end_of_its_secret() {
    let mut key = key(None);
    key.rotation =
        RotationPolicy { every: Some(TimeDelta::days(1)), overlap: None, due_at: Some(at(86_400)), renew: None };
    key.end_current_secret();
    let with = Begin { overlap: Overlap::For(TimeDelta::days(9)), ..begin(&[SINK]) };
    let committed = rotate(&mut key, 2, 100_000, with, false);
    assert_eq!(committed, Ok(Committed { old_until: Some(at(172_800)) }));
}

#[test]
fn a_rotation_for_the_due_date_counts_for_it_however_early() {
    let mut key = key(None);
    key.rotation =
        RotationPolicy { every: Some(TimeDelta::seconds(100)), overlap: None, due_at: Some(at(100)), renew: None };
    rotate(&mut key, 2, 10, Begin { for_due: true, ..begin(&[SINK]) }, false).unwrap();
    assert_eq!(key.rotation.due_at, Some(at(200)));
}

#[test]
fn a_year_of_late_early_and_missed_runs_does_not_move_the_grid() {
    let mut key = key(None);
    let day = 86_400;
    key.rotation =
        RotationPolicy { every: Some(TimeDelta::days(7)), overlap: None, due_at: Some(at(7 * day)), renew: None };
    let mut random = 12_345_u64;
    let mut now = 0;
    let mut rotations = 0;
    while now < 365 * day {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        now += i64::try_from(random >> 40).unwrap() % (3 * day);
        let outage = random.is_multiple_of(7);
        if key.rotation.due_at.is_some_and(|due| due <= at(now + day)) && !outage {
            let number = u8::try_from(rotations % 200 + 2).unwrap();
            rotate(&mut key, number, now, begin(&[SINK]), true).unwrap();
            rotations += 1;
            let due = key.rotation.due_at.unwrap();
            assert_eq!((due - at(0)).num_seconds() % (7 * day), 0, "the due date left its grid");
            assert!(due > at(now) && due <= at(now + 8 * day));
        }
    }
    assert!(rotations > 40, "{rotations} rotations in a year of weeks");
}

proptest! {
    /// Whatever is called in whatever order: beside two secrets a third works only while a delivery is in doubt, and another
    /// only while an overlap that was superseded waits for a receipt; what died stays dead, and what the sink holds always
    /// works.
    #[test]
    fn random_steps_keep_the_promises(
        steps in proptest::collection::vec((0i64..60, 0i64..100, any::<bool>(), any::<bool>(), 0u8..10), 1..40)
    ) {
        let mut key = key(Some(5_000));
        let mut now = 0;
        let mut holds = Some(key.secrets[0].lookup.clone());
        for (number, (wait, overlap, renew, supersede, what)) in steps.into_iter().enumerate() {
            now += wait;
            let dead: Vec<_> = key.secrets.iter().filter(|s| !s.works_at(at(now))).map(|s| s.lookup.clone()).collect();
            let new = secret(u8::try_from(number).unwrap() + 2, now);
            let with = Begin { overlap: Overlap::For(TimeDelta::seconds(overlap)), renew, ..begin(&[SINK]) };
            match what {
                0 => { key.deactivate().ok(); }
                1 | 2 => { let supersede = supersede && key.running().is_none(); key.stage(new, with, at(now), supersede).ok(); }
                3 => { key.restage(new, &[SINK.to_owned()], lease(now), at(now)).ok(); }
                4 | 5 => { key.intend(SINK, at(now)).ok(); }
                6 => if key.intend(SINK, at(now)).is_ok() { holds = key.run.as_ref().map(|run| run.secret.clone()); },
                7 => if key.run.as_ref().is_some_and(|run| holds.as_ref() == Some(&run.secret)) {
                    key.receive(SINK, at(now)).ok();
                },
                8 => {
                    let staged = |secret: &Secret| secret.state == SecretState::Staged && holds.as_ref() == Some(&secret.lookup);
                    if !key.secrets.iter().any(staged) {
                        key.abort_rotation(at(now)).ok();
                    }
                }
                _ => { key.commit_rotation(at(now), false).ok(); }
            }
            let alive = key.secrets.iter().filter(|secret| secret.works_at(at(now))).count();
            let doubt = key.running().is_some_and(|run| run.in_doubt.is_some());
            let promised = |secret: &Secret| matches!(secret.state, SecretState::Retiring { until } if at(now) < until);
            let superseded = key.running().is_some() && key.secrets.iter().any(promised);
            prop_assert!(alive <= 2 + usize::from(doubt) + usize::from(superseded));
            prop_assert!(key.secrets.iter().all(|secret| !dead.contains(&secret.lookup) || !secret.works_at(at(now))));
            let current = |secret: &&Secret| matches!(secret.state, SecretState::Current { .. });
            prop_assert!(key.secrets.iter().filter(current).count() == 1);
            prop_assert!(key.secrets.iter().any(|s| holds.as_ref() == Some(&s.lookup) && s.works_at(at(now))));
        }
    }
}
