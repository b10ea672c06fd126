//! The published vectors of certificate-transparency, and the definitions of RFC 6962 taken word for word.

use super::*;
use proptest::prelude::*;
use std::convert::Infallible;

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn hashes(texts: &[&str]) -> Vec<Hash> {
    texts.iter().map(|text| hex(text).try_into().unwrap()).collect()
}

/// The leaves of certificate-transparency's tests (`merkletree/merkle_tree_test.cc`, also in transparency-dev/merkle).
fn published_leaves() -> Vec<Hash> {
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
        .map(|leaf| leaf_hash(&hex(leaf)))
        .to_vec()
}

const PUBLISHED_ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

/// MTH of RFC 6962, section 2.1.
fn mth(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Sha256::digest(b"").into(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&mth(left), &mth(right))
        }
    }
}

fn range_of(leaves: &[Hash]) -> CompactRange {
    let mut range = CompactRange::default();
    leaves.iter().for_each(|leaf| range.push(*leaf, |_, _| {}));
    range
}

fn lookup(leaves: &[Hash]) -> impl FnMut(Node) -> Result<Hash, Infallible> {
    move |node| {
        let start = (node.index << node.level) as usize;
        Ok(mth(&leaves[start..start + (1 << node.level)]))
    }
}

#[test]
fn the_published_roots_and_proofs_come_out() {
    let leaves = published_leaves();
    assert_eq!(hashes(&["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"])[0], range_of(&[]).root());
    for (size, root) in (1..).zip(hashes(&PUBLISHED_ROOTS)) {
        assert_eq!(range_of(&leaves[..size]).root(), root, "{size} leaves");
    }
    let Ok(path) = inclusion_proof(5, 8, lookup(&leaves));
    assert_eq!(
        path,
        hashes(&[
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ])
    );
    let Ok(proof) = consistency_proof(6, 8, lookup(&leaves));
    assert_eq!(
        proof,
        hashes(&[
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ])
    );
}

#[test]
fn every_proof_of_every_small_tree_holds_and_no_other() {
    let leaves: Vec<Hash> = (0u8..40).map(|n| leaf_hash(&[n])).collect();
    for size in 1..=40u64 {
        let root = mth(&leaves[..size as usize]);
        for index in 0..size {
            let Ok(proof) = inclusion_proof(index, size, lookup(&leaves));
            let leaf = &leaves[index as usize];
            assert!(verify_inclusion(leaf, index, size, &proof, &root), "{index} of {size}");
            assert!(!verify_inclusion(leaf, index + 1, size, &proof, &root));
            assert!(!verify_inclusion(&root, index, size, &proof, &root) || size == 1);
            let mut longer = proof.clone();
            longer.push(root);
            assert!(!verify_inclusion(leaf, index, size, &longer, &root));
        }
        for first in 0..=size {
            let Ok(proof) = consistency_proof(first, size, lookup(&leaves));
            let old = mth(&leaves[..first as usize]);
            assert!(verify_consistency((first, &old), (size, &root), &proof), "{first} of {size}");
            assert!(!verify_consistency((first, &leaf_hash(b"other")), (size, &root), &proof));
            assert!(first == size || first == 0 || !verify_consistency((first, &old), (size, &old), &proof));
            for damaged in 0..proof.len() {
                let mut proof = proof.clone();
                proof[damaged][0] ^= 1;
                assert!(!verify_consistency((first, &old), (size, &root), &proof));
            }
        }
    }
}

proptest! {
    #[test]
    fn a_range_is_the_tree_of_the_definition(leaves in prop::collection::vec(any::<Hash>(), 0..300)) {
        let mut range = CompactRange::default();
        let mut seen = Vec::new();
        for leaf in &leaves {
            range.push(*leaf, |node, hash| seen.push((node, *hash)));
        }
        prop_assert_eq!(range.root(), mth(&leaves));
        for (node, hash) in seen {
            let start = (node.index << node.level) as usize;
            prop_assert_eq!(hash, mth(&leaves[start..start + (1 << node.level)]));
        }
        prop_assert_eq!(CompactRange::from_parts(range.size(), range.nodes().to_vec()), Some(range));
    }

    #[test]
    fn a_leaf_that_was_changed_is_not_proven(
        leaves in prop::collection::vec(any::<Hash>(), 2..200), at in any::<prop::sample::Index>(), bit in 0usize..256,
    ) {
        let index = at.index(leaves.len());
        let Ok(proof) = inclusion_proof(index as u64, leaves.len() as u64, lookup(&leaves));
        let mut leaf = leaves[index];
        leaf[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(!verify_inclusion(&leaf, index as u64, leaves.len() as u64, &proof, &mth(&leaves)));
    }
}
