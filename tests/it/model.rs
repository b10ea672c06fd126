//! Random sequences of actions on a real keystore, compared after every step with a model of thirty lines.

use crate::support::library;
use chrono::TimeDelta;
use keyward::{
    backend::{Backend, Dirs, InitOptions, LocalVault},
    domain::{KeyFilter, KeyRef, Overlap, Request, Status, Time, time::parse_time},
    ops::{Commit, Context, Create, Delete, Kind, List, Stage, Switch, SwitchKey, Verify},
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use zeroize::Zeroizing;

const LIFETIME: i64 = 5_000;

#[derive(Debug, Clone)]
enum Step {
    Create(u8),
    Rotate { key: u8, overlap: i64, renew: bool, supersede: bool, reinstate: bool },
    Activate(u8),
    Deactivate(u8),
    Revoke(u8),
    Delete(u8),
    Wait(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = 0u8..3;
    let step = prop_oneof![
        3 => key.clone().prop_map(Step::Create),
        4 => (key.clone(), 0i64..2_000, any::<[bool; 3]>()).prop_map(|(key, overlap, [renew, supersede, reinstate])| {
            Step::Rotate { key, overlap, renew, supersede, reinstate }
        }),
        1 => key.clone().prop_map(Step::Activate),
        1 => key.clone().prop_map(Step::Deactivate),
        1 => key.clone().prop_map(Step::Revoke),
        1 => key.prop_map(Step::Delete),
        3 => (1i64..1_500).prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 1..25)
}

/// A key as the rules describe it: which tokens work until when.
#[derive(Debug, Default)]
struct ModelKey {
    inactive: bool,
    revoked: bool,
    expires: i64,
    /// Tokens, oldest first, and when each stops; the last one has no end of its own.
    tokens: Vec<(String, i64)>,
}

impl ModelKey {
    fn status(&self, now: i64) -> Status {
        match () {
            () if self.revoked => Status::Revoked,
            () if self.expires <= now => Status::Expired,
            () if self.inactive => Status::Inactive,
            () => Status::Active,
        }
    }

    fn works(&self, until: i64, now: i64) -> bool {
        self.status(now) == Status::Active && now < until
    }
}

fn vault(dir: &std::path::Path, cx: &Context) -> Box<dyn Backend> {
    let at = |name: &str| dir.join(name);
    let dirs =
        Dirs { data: at("data"), config: at("config"), state: at("state"), runtime: at("run"), require_state: false };
    let vault = LocalVault::locate(dirs);
    vault.init(cx, InitOptions::default()).unwrap();
    library::open(&vault, cx)
}

fn context(now: Time) -> Context {
    Context { reason: Some("it is meant".to_owned()), ..library::at(now) }
}

/// A whole rotation, delivered at once.
fn rotate(
    backend: &dyn Backend,
    cx: &Context,
    key: u8,
    overlap: Overlap,
    [renew, supersede, reinstate]: [bool; 3],
) -> Result<String, keyward::ops::Error> {
    let sinks = vec!["stdout".to_owned()];
    let request = Stage {
        overlap: Some(overlap),
        renew,
        supersede,
        reinstate,
        sinks: sinks.clone(),
        intend: true,
        ..Stage::of(key_ref(key))
    };
    let staged = backend.run(cx, request)?;
    let id = staged.rotation.unwrap().id.parse().unwrap();
    backend.change(cx, Commit::of(id, sinks))?;
    Ok(staged.secret.unwrap().expose_plaintext().to_owned())
}

fn key_ref(key: u8) -> KeyRef {
    KeyRef::Name(format!("key-{key}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_keystore_behaves_as_the_model(steps in steps()) {
        let dir = tempfile::tempdir().unwrap();
        let begin = parse_time("2026-01-01").unwrap();
        let backend = vault(dir.path(), &context(begin));
        let mut model: BTreeMap<u8, ModelKey> = BTreeMap::new();
        let mut dead: Vec<String> = Vec::new();
        let mut now = 0i64;
        for step in steps {
            let cx = context(begin + TimeDelta::seconds(now));
            match step {
                Step::Wait(seconds) => now += seconds,
                Step::Create(key) => {
                    let mut request = Create::named(format!("key-{key}"));
                    request.expiry = Some(keyward::domain::Expiry::In(TimeDelta::seconds(LIFETIME)));
                    let made = backend.run(&cx, request);
                    match model.contains_key(&key) {
                        true => prop_assert_eq!(made.err().map(|error| error.kind), Some(Kind::Conflict)),
                        false => {
                            let token = made.unwrap().secret.unwrap().expose_plaintext().to_owned();
                            let fresh = ModelKey { expires: now + LIFETIME, tokens: vec![(token, i64::MAX)], ..ModelKey::default() };
                            model.insert(key, fresh);
                        }
                    }
                }
                Step::Rotate { key, overlap, renew, supersede, reinstate } => {
                    let overlap_wanted = Overlap::For(TimeDelta::seconds(overlap));
                    let rotated = rotate(backend.as_ref(), &cx, key, overlap_wanted, [renew, supersede, reinstate]);
                    let Some(expected) = model.get_mut(&key) else {
                        prop_assert_eq!(rotated.err().map(|error| error.kind), Some(Kind::NotFound));
                        continue;
                    };
                    let expired = expected.expires <= now;
                    let last = expected.tokens.len() - 1;
                    let running = !expected.revoked && expected.tokens[..last].iter().any(|(_, until)| now < *until);
                    if (expected.revoked != reinstate) || (expired && !renew) || (running && !supersede) {
                        prop_assert_eq!(rotated.err().map(|error| error.kind), Some(Kind::Conflict));
                        continue;
                    }
                    let stops_now = expired || expected.revoked;
                    for (_, until) in &mut expected.tokens[..last] {
                        *until = (*until).min(now);
                    }
                    expected.tokens[last].1 = if stops_now { now } else { (now + overlap).min(expected.expires) };
                    if renew {
                        expected.expires = now + LIFETIME;
                    }
                    expected.revoked = false;
                    let token = rotated.unwrap();
                    expected.tokens.push((token, i64::MAX));
                }
                Step::Activate(key) | Step::Deactivate(key) | Step::Revoke(key) => {
                    let switch = match step {
                        Step::Activate(_) => Switch::Activate,
                        Step::Deactivate(_) => Switch::Deactivate,
                        _ => Switch::Revoke,
                    };
                    let switched = backend.switch(&cx, SwitchKey::of(key_ref(key), switch)).map_err(|error| error.kind);
                    match model.get_mut(&key) {
                        None => prop_assert_eq!(switched.err(), Some(Kind::NotFound)),
                        Some(expected) if switch == Switch::Revoke => expected.revoked = true,
                        Some(expected) if expected.revoked => prop_assert_eq!(switched.err(), Some(Kind::Conflict)),
                        Some(expected) => expected.inactive = switch == Switch::Deactivate,
                    }
                }
                Step::Delete(key) => {
                    let deleted = backend.change(&cx, Delete { key: key_ref(key), environment: None, only_if_idle: None });
                    match model.remove(&key) {
                        None => prop_assert_eq!(deleted.err().map(|error| error.kind), Some(Kind::NotFound)),
                        Some(gone) => dead.extend(gone.tokens.into_iter().map(|(token, _)| token)),
                    }
                }
            }
            agree(backend.as_ref(), &context(begin + TimeDelta::seconds(now)), &model, &dead, now)?;
        }
        prop_assert!(backend.verify_audit(&context(begin), keyward::backend::VerifyAudit::default()).is_ok());
    }
}

/// Lists, statuses and the verdict on every token there ever was.
fn agree(
    backend: &dyn Backend,
    cx: &Context,
    model: &BTreeMap<u8, ModelKey>,
    dead: &[String],
    now: i64,
) -> Result<(), TestCaseError> {
    for status in Status::ALL {
        let filter = KeyFilter { statuses: Some(BTreeSet::from([status])), ..KeyFilter::default() };
        let listed = backend.list(cx, &List { filter }).unwrap();
        let names: BTreeSet<String> = listed.items.into_iter().map(|key| key.name).collect();
        let expected = model.iter().filter(|(_, key)| key.status(now) == status);
        prop_assert_eq!(names, expected.map(|(key, _)| format!("key-{key}")).collect::<BTreeSet<_>>());
    }
    let valid = |token: &str| {
        let request =
            Verify { token: Zeroizing::new(token.to_owned()), request: Request::default(), at: None, record: None };
        backend.verify(cx, &request).unwrap().valid
    };
    for key in model.values() {
        for (token, until) in &key.tokens {
            prop_assert_eq!(valid(token), key.works(*until, now), "{:?} at {}", key.status(now), now);
        }
    }
    prop_assert!(!dead.iter().any(|token| valid(token)));
    Ok(())
}
