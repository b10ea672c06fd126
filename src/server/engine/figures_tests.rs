//! Figures of verdicts in process, for benches/README.md. Not a test: run it by name, in release.

use super::{
    tests::{Vault, stranger},
    *,
};
use crate::domain::{Key, RotationPolicy, Secret};
use chrono::Utc;
use rand::seq::SliceRandom;
use std::{sync::Mutex, time::Instant};

const KEYS: usize = 1_000_000;
/// Uses wait until they are written, and what cannot wait is dropped: they are taken out as often, outside of the clock.
const A_ROUND: usize = 100_000;

/// Resident memory, in bytes.
fn resident() -> usize {
    let told = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = told.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<usize>().unwrap() * 1_024
}

/// A key like another one, with an id and one secret of its own.
fn like(key: &Key, number: usize, token: &PlainToken, hasher: &TokenHasher) -> Key {
    let verifier = hasher.verifier_of(token).unwrap();
    let secret = Secret { lookup: token.lookup(), verifier, ..key.secrets[0].clone() };
    let rotation = RotationPolicy::default();
    Key { id: format!("key_{number:016}").parse().unwrap(), secrets: vec![secret], rotation, ..key.clone() }
}

#[test]
#[ignore = "takes a minute: cargo test --release --lib verdict_figures -- --ignored; cat target/verdict-figures.txt"]
fn verdict_figures() {
    let vault = Vault::new();
    vault.create("100000000/h");
    let first = Mutex::new(None);
    vault.refresher.borrow().source.all(Utc::now(), |_| {}, &|key| *first.lock().unwrap() = Some(key)).unwrap();
    let first = first.into_inner().unwrap().unwrap();
    let engine = &vault.engine;
    let mut tokens: Vec<PlainToken> = (0..KEYS).map(|_| stranger()).collect();
    let before = resident();
    engine.index.reserve(KEYS);
    for (number, token) in tokens.iter().enumerate() {
        engine.index.put_key(like(&first, number, token, &engine.hasher));
    }
    let mut figures = format!("{} bytes a key, before its first use\n", (resident() - before) / KEYS);
    // Neighbours in memory must not be asked in turn.
    tokens.shuffle(&mut rand::rng());
    let request = Request::default();
    let mut judge = |name: &str, which: &dyn Fn(usize) -> usize| {
        let mut spent = std::time::Duration::ZERO;
        for round in 0..KEYS / A_ROUND {
            let now = Utc::now();
            engine.seen_ms.store(now.timestamp_millis(), Ordering::Relaxed);
            let began = Instant::now();
            for number in round * A_ROUND..(round + 1) * A_ROUND {
                let token = tokens[which(number)].expose_plaintext();
                let asked = Asked {
                    token,
                    request: &request,
                    cost: 1,
                    within: None,
                    user_agent: Some("bench/1"),
                    operator: None,
                    facts: &|_| RequestFacts::default(),
                    now,
                };
                assert_eq!(engine.judge(&asked).unwrap().code, Code::Valid);
            }
            spent += began.elapsed();
            engine.usage.take();
        }
        figures += &format!("{name}: {:.2} µs a verdict\n", spent.as_secs_f64() * 1e6 / KEYS as f64);
    };
    judge("uniform, each key for the first time", &|number| number);
    judge("uniform, each key again", &|number| number);
    judge("hot: 100 keys", &|number| number % 100);
    judge("hot: one key", &|_| 7);
    figures += &format!("{} bytes a key, after its uses\n", (resident() - before) / KEYS);
    std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/target/verdict-figures.txt"), figures).unwrap();
}
