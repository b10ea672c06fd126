//! Figures of the audit trail, for benches/README.md. Not a test: run it by name, in release.

use super::*;
use crate::domain::merkle::{CompactRange, leaf_hash, verify_inclusion};
use std::time::Instant;

const EVENTS: u64 = 1_000_000;
const A_COMMIT: u64 = 10_000;
const PROOFS: u64 = 2_000;

fn per_second(count: u64, since: Instant) -> f64 {
    count as f64 / since.elapsed().as_secs_f64()
}

#[test]
#[ignore = "takes a minute: cargo test --release --lib audit_figures -- --ignored; cat target/audit-figures.txt"]
fn audit_figures() {
    let mut figures = String::new();
    let mut say = |line: String| {
        figures += &line;
        figures.push('\n');
    };
    let vault = Vault::new();
    let store = vault.admin();
    let start = Instant::now();
    for _ in 0..EVENTS / A_COMMIT {
        let events = (0..A_COMMIT).map(|_| event(Action::KeyUpdate, "key_0000000000000009")).collect();
        store.begin(now()).unwrap().commit_all(events).unwrap();
    }
    say(format!("appended, {A_COMMIT} a commit: {:.0} events/s", per_second(EVENTS, start)));
    store.truncate_log().unwrap();
    let size = vault.path().metadata().unwrap().len();
    say(format!("bytes an event: {}", size / EVENTS));

    let start = Instant::now();
    for _ in 0..1_000 {
        store.begin(now()).unwrap().commit_all(vec![event(Action::KeyUpdate, "key_0000000000000009")]).unwrap();
    }
    say(format!("appended, one a commit: {:.0} events/s", per_second(1_000, start)));

    // What the tree adds: the hashing of nodes, and one row for 16 events.
    let body = [b'x'; 300];
    let start = Instant::now();
    let leaves: Vec<_> = (0..EVENTS).map(|_| leaf_hash(&body)).collect();
    say(format!("hashing {EVENTS} bodies of 300 bytes: {:.2} s", start.elapsed().as_secs_f64()));
    let start = Instant::now();
    let mut range = CompactRange::default();
    leaves.iter().for_each(|leaf| range.push(*leaf, |_, _| {}));
    say(format!("tree: {:.2} µs an append", start.elapsed().as_secs_f64() * 1e6 / EVENTS as f64));
    let start = Instant::now();
    let mut range = CompactRange::default();
    let mut roots = 0u8;
    for leaf in &leaves {
        range.push(*leaf, |_, _| {});
        roots ^= range.root()[0];
    }
    say(format!(
        "tree: {:.2} µs an append with a root after each ({roots})",
        start.elapsed().as_secs_f64() * 1e6 / EVENTS as f64
    ));
    let aside = Connection::open(vault.dir.path().join("aside.db")).unwrap();
    aside.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE tree (level INTEGER NOT NULL, place INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (level, place)) STRICT, WITHOUT ROWID; BEGIN").unwrap();
    let start = Instant::now();
    let mut range = CompactRange::default();
    for leaf in &leaves {
        range.push(*leaf, |node, hash| {
            if node.level.is_multiple_of(4) {
                let mut insert = aside.prepare_cached("INSERT INTO tree VALUES (?1, ?2, ?3)").unwrap();
                insert.execute((node.level, node.index as i64, hash.as_slice())).unwrap();
            }
        });
    }
    aside.execute_batch("COMMIT").unwrap();
    say(format!("tree: {:.2} µs an append with its rows stored", start.elapsed().as_secs_f64() * 1e6 / EVENTS as f64));

    let start = Instant::now();
    let report = store.verify_all(now()).unwrap();
    say(format!("verification of {} events: {:.2} s", report.events, start.elapsed().as_secs_f64()));

    let view = store.read(now()).unwrap();
    let (size, root) = view.tree();
    let start = Instant::now();
    let proofs: Vec<_> = (0..PROOFS).map(|n| view.prove(1 + n * 499, size).unwrap().unwrap()).collect();
    say(format!("proof made from the file and checked: {:.0} µs", start.elapsed().as_secs_f64() * 1e6 / PROOFS as f64));
    let longest = proofs.iter().map(|proof| proof.proof.len() * 32).max().unwrap();
    let start = Instant::now();
    assert!(proofs.iter().all(|proof| verify_inclusion(&proof.leaf, proof.seq - 1, size, &proof.proof, &root)));
    say(format!(
        "proof checked: {:.1} µs; at most {longest} bytes",
        start.elapsed().as_secs_f64() * 1e6 / PROOFS as f64
    ));
    std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/target/audit-figures.txt"), figures).unwrap();
}
