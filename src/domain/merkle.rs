//! The Merkle tree of RFC 6962 and RFC 9162 over SHA-256: roots, proofs, and their verification.
//!
//! Leaves are hashed with the prefix 0x00 and nodes with 0x01, so that neither can be taken for the other. A
//! [`CompactRange`] is the right edge of a growing tree: the roots of its perfect subtrees, at most 64, which is all
//! that an append needs. Proofs are made from whatever can answer with the hash of a perfect subtree ([`Node`]).

use sha2::{Digest, Sha256};

/// A hash of the tree.
pub type Hash = [u8; 32];

/// A perfect subtree: `2^level` leaves, from the leaf `index * 2^level` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Node {
    /// Its height; a leaf has 0.
    pub level: u32,
    /// Its place among those of its height.
    pub index: u64,
}

/// The hash of a leaf's bytes.
#[must_use]
pub fn leaf_hash(bytes: &[u8]) -> Hash {
    Sha256::new().chain_update([0u8]).chain_update(bytes).finalize().into()
}

/// The hash of two neighbours' parent.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1u8]).chain_update(left).chain_update(right).finalize().into()
}

/// The right edge of a tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CompactRange {
    size: u64,
    /// The largest subtree first.
    nodes: Vec<Hash>,
}

impl CompactRange {
    /// A range of so many leaves from the roots of its perfect subtrees, the largest first.
    #[must_use]
    pub fn from_parts(size: u64, nodes: Vec<Hash>) -> Option<Self> {
        (nodes.len() == size.count_ones() as usize).then_some(Self { size, nodes })
    }

    /// How many leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the perfect subtrees, the largest first.
    #[must_use]
    pub fn nodes(&self) -> &[Hash] {
        &self.nodes
    }

    /// Appends a leaf; `completed` hears of every inner node that this completes, the lowest first.
    pub fn push(&mut self, leaf: Hash, mut completed: impl FnMut(Node, &Hash)) {
        let mut hash = leaf;
        let mut node = Node { level: 0, index: self.size };
        while node.index & 1 == 1 {
            let Some(left) = self.nodes.pop() else { break };
            hash = node_hash(&left, &hash);
            node = Node { level: node.level + 1, index: node.index >> 1 };
            completed(node, &hash);
        }
        self.nodes.push(hash);
        self.size += 1;
    }

    /// The root of the tree; that of an empty one is the hash of nothing.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut nodes = self.nodes.iter().rev();
        let Some(last) = nodes.next() else { return Sha256::digest(b"").into() };
        nodes.fold(*last, |right, left| node_hash(left, &right))
    }
}

/// The largest power of two below a number of at least two.
fn split(count: u64) -> u64 {
    1 << (63 - (count - 1).leading_zeros())
}

/// The root of the leaves from `start` to before `end`, where `start` is a multiple of the power of two above their number.
fn range_root<E>(start: u64, end: u64, node: &mut impl FnMut(Node) -> Result<Hash, E>) -> Result<Hash, E> {
    let count = end - start;
    if count.is_power_of_two() {
        let level = count.trailing_zeros();
        return node(Node { level, index: start >> level });
    }
    let middle = start + split(count);
    let left = range_root(start, middle, node)?;
    Ok(node_hash(&left, &range_root(middle, end, node)?))
}

/// Proves that the leaf `index` is in the tree of `size` leaves: PATH of RFC 6962, section 2.1.1. Nothing for a leaf
/// that is not in it.
///
/// # Errors
/// Those of `node`.
pub fn inclusion_proof<E>(
    index: u64,
    size: u64,
    mut node: impl FnMut(Node) -> Result<Hash, E>,
) -> Result<Vec<Hash>, E> {
    let mut proof = Vec::new();
    let (mut start, mut end) = (0, size);
    while index < size && end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            proof.push(range_root(middle, end, &mut node)?);
            end = middle;
        } else {
            proof.push(range_root(start, middle, &mut node)?);
            start = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// Proves that the tree of `first` leaves is the beginning of the tree of `second`: PROOF of RFC 6962, section 2.1.2.
///
/// # Errors
/// Those of `node`.
pub fn consistency_proof<E>(
    first: u64,
    second: u64,
    mut node: impl FnMut(Node) -> Result<Hash, E>,
) -> Result<Vec<Hash>, E> {
    let mut proof = Vec::new();
    if first == 0 || first >= second {
        return Ok(proof);
    }
    let (mut start, mut end, mut whole) = (0, second, true);
    while first != end {
        let middle = start + split(end - start);
        if first <= middle {
            proof.push(range_root(middle, end, &mut node)?);
            end = middle;
        } else {
            proof.push(range_root(start, middle, &mut node)?);
            (start, whole) = (middle, false);
        }
    }
    if !whole {
        proof.push(range_root(start, end, &mut node)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Checks an inclusion proof: RFC 9162, section 2.1.3.2.
#[must_use]
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(sibling, &hash);
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && hash == *root
}

/// Checks a consistency proof: RFC 9162, section 2.1.4.2. Equal sizes need equal roots and no proof; everything is
/// consistent with the empty tree.
#[must_use]
pub fn verify_consistency(first: (u64, &Hash), second: (u64, &Hash), proof: &[Hash]) -> bool {
    let ((first, first_root), (second, second_root)) = (first, second);
    if first >= second {
        return first == second && proof.is_empty() && first_root == second_root;
    }
    if first == 0 {
        return proof.is_empty() && *first_root == CompactRange::default().root();
    }
    let mut path = proof.iter();
    let (mut at, mut last) = (first - 1, second - 1);
    while at & 1 == 1 {
        (at, last) = (at >> 1, last >> 1);
    }
    let seed = if first.is_power_of_two() { Some(first_root) } else { path.next() };
    let Some(seed) = seed else { return false };
    let (mut old, mut new) = (*seed, *seed);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            old = node_hash(sibling, &old);
            new = node_hash(sibling, &new);
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            new = node_hash(&new, sibling);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && old == *first_root && new == *second_root
}

#[cfg(test)]
#[path = "merkle_tests.rs"]
mod tests;
