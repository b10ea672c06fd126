//! The tree over the trail: proofs at every size, and damage to its stored hashes.

use super::*;
use crate::{
    domain::merkle::{verify_consistency, verify_inclusion},
    store::Walk,
};

fn grown(events: u64) -> Vault {
    let vault = Vault::new();
    let more = (4..events).map(|_| event(Action::AuditExport, "default")).collect();
    vault.admin().begin(now()).unwrap().commit_all(more).unwrap();
    vault
}

#[test]
fn every_event_is_proven_at_every_size() {
    let vault = grown(300);
    let store = vault.admin();
    let view = store.read(now()).unwrap();
    let (size, root) = view.tree();
    assert_eq!(size, 300);
    for seq in [1, 2, 15, 16, 17, 255, 256, 257, 299, 300] {
        for at in [seq, seq + 1, 256, 272, 300] {
            if at < seq || at > 300 {
                continue;
            }
            let proven = view.prove(seq, at).unwrap().unwrap();
            assert!(verify_inclusion(&proven.leaf, seq - 1, at, &proven.proof, &proven.root), "{seq} at {at}");
            assert!(proven.proof.len() <= 9);
        }
    }
    assert_eq!(view.prove(0, 300).unwrap(), None);
    assert_eq!(view.prove(301, 301).unwrap(), None);
    for earlier in 0..=300 {
        let old = view.root_at(earlier).unwrap();
        let proof = view.consistency((earlier, &old)).unwrap();
        assert!(verify_consistency((earlier, &old), (size, &root), &proof), "{earlier}");
    }
    let sizes = [4, 5, 17, 256, 300];
    let expected = sizes.map(|size| (size, view.root_at(size).unwrap()));
    drop(view);
    let walk = Walk { full: true, roots_at: &sizes, progress: None };
    let report = store.verify_with(now(), walk).unwrap();
    assert_eq!(report.root, root);
    assert_eq!(report.roots, expected);
}

#[test]
fn a_damaged_hash_of_the_tree_is_no_proof_of_anything() {
    let vault = grown(300);
    for (sql, damaged) in [
        ("UPDATE tree SET hash = zeroblob(32) WHERE level = 4 AND place = 3", 100),
        ("DELETE FROM tree WHERE level = 8", 290),
        ("INSERT INTO tree VALUES (4, 18, zeroblob(32))", 0),
    ] {
        let copy = vault.dir.path().join("copy.db");
        vault.admin().backup(&copy).unwrap();
        vault.vandalise(sql);
        assert!(vault.verify_error().contains("the stored hashes"), "{sql}");
        if damaged > 0 {
            let store = vault.admin();
            assert!(matches!(store.read(now()).unwrap().prove(damaged, 300), Err(Error::TreeDamaged)), "{sql}");
        }
        for suffix in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(vault.dir.path().join(format!("keystore.db{suffix}")));
        }
        std::fs::rename(&copy, vault.path()).unwrap();
    }
    vault.admin().verify_all(now()).unwrap();
}
