//! The Merkle tree over the trail, kept as it grows.
//!
//! The right edge stands in the signed head, so that an append touches nothing else and the root is signed with every
//! commit. Of the inner nodes, every fourth level is stored when it is completed: one row for 16 events, from which a
//! proof reads a few dozen hashes whatever the size. What is stored here is only a cache of what the events hash to: a
//! proof is checked against the signed root before it is handed out, and a whole check computes every node again.

use super::{
    audit::leaf,
    error::{Error, Result},
    tx::Tx,
    view::View,
};
use crate::domain::merkle::{
    CompactRange, Hash, Node, consistency_proof, inclusion_proof, node_hash, verify_consistency, verify_inclusion,
};
use rusqlite::OptionalExtension;

/// Which levels are stored: its multiples, but not the leaves, which stand with their events.
const STRIDE: u32 = 4;

/// Whether a node is one of those that are stored.
pub(super) fn is_stored(node: Node) -> bool {
    node.level > 0 && node.level.is_multiple_of(STRIDE)
}

/// The right edge as the head encodes it: the size, and the hashes one after the other.
pub(super) mod edge {
    use crate::domain::merkle::CompactRange;
    use minicbor::{Decoder, Encoder, decode::Error, encode::Write};

    /// Encodes a right edge.
    pub(in crate::store) fn encode<C, W: Write>(
        range: &CompactRange,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        encoder.array(2)?.u64(range.size())?.bytes(range.nodes().as_flattened())?.ok()
    }

    /// Decodes a right edge.
    pub(in crate::store) fn decode<'b, C>(decoder: &mut Decoder<'b>, _: &mut C) -> Result<CompactRange, Error> {
        let malformed = || Error::message("malformed right edge");
        decoder.array()?.filter(|length| *length == 2).ok_or_else(malformed)?;
        let size = decoder.u64()?;
        let (hashes, rest) = decoder.bytes()?.as_chunks::<32>();
        CompactRange::from_parts(size, hashes.to_vec()).filter(|_| rest.is_empty()).ok_or_else(malformed)
    }
}

/// That an event is in the tree of a size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inclusion {
    /// The event, from 1.
    pub seq: u64,
    /// The bytes that were hashed.
    pub body: Vec<u8>,
    /// Their leaf hash.
    pub leaf: Hash,
    /// The size of the tree.
    pub size: u64,
    /// Its root.
    pub root: Hash,
    /// The hashes beside the path from the leaf to the root.
    pub proof: Vec<Hash>,
}

impl Tx<'_> {
    /// Takes a leaf into the tree.
    pub(super) fn grow(&mut self, leaf: Hash) -> Result<()> {
        let mut completed = Vec::new();
        self.view.head.tree.push(leaf, |node, hash| {
            if is_stored(node) {
                completed.push((node, *hash));
            }
        });
        for (node, hash) in completed {
            self.put_node(node, &hash)?;
        }
        Ok(())
    }

    pub(super) fn put_node(&self, node: Node, hash: &Hash) -> Result<()> {
        self.view.connection.prepare_cached("INSERT INTO tree (level, place, hash) VALUES (?1, ?2, ?3)")?.execute((
            node.level,
            i64::try_from(node.index).map_err(|_| Error::Full)?,
            hash.as_slice(),
        ))?;
        Ok(())
    }
}

impl View<'_> {
    /// The size and the root of the tree, as signed.
    #[must_use]
    pub fn tree(&self) -> (u64, Hash) {
        (self.head.tree.size(), self.head.tree.root())
    }

    /// Proves that an event is in the tree of a size; `None` when there is no such event, or it was archived.
    ///
    /// # Errors
    /// `TreeDamaged` when the stored hashes do not lead to the signed root.
    pub fn prove(&self, seq: u64, size: u64) -> Result<Option<Inclusion>> {
        if seq == 0 || seq > size || size > self.head.size {
            return Ok(None);
        }
        let Some(body) = self.body_of(seq)? else { return Ok(None) };
        let root = self.root_at(size)?;
        let proof = inclusion_proof(seq - 1, size, |node| self.node(node))?;
        let leaf = leaf(&body);
        if verify_inclusion(&leaf, seq - 1, size, &proof, &root) {
            Ok(Some(Inclusion { seq, body, leaf, size, root, proof }))
        } else {
            Err(Error::TreeDamaged)
        }
    }

    /// The root at an earlier size, proven to be the beginning of the tree that is signed.
    ///
    /// # Errors
    /// `TreeDamaged` when the stored hashes do not lead to the signed root.
    pub fn root_at(&self, size: u64) -> Result<Hash> {
        let (now, root) = self.tree();
        if size == now {
            return Ok(root);
        }
        let earlier = self.edge_at(size)?.root();
        self.consistency((size, &earlier)).map(|_| earlier)
    }

    /// The hashes of the right edge at an earlier size.
    ///
    /// # Errors
    /// `TreeDamaged`.
    pub fn edge(&self, size: u64) -> Result<Vec<Hash>> {
        Ok(self.edge_at(size)?.nodes().to_vec())
    }

    /// The right edge at an earlier size, as far as the stored hashes say.
    pub(super) fn edge_at(&self, size: u64) -> Result<CompactRange> {
        // The roots of its perfect subtrees were the right edge of the earlier tree, and never change.
        let mut nodes = Vec::new();
        let mut start = 0;
        for level in (0..64).rev().filter(|level| size >> level & 1 == 1) {
            nodes.push(self.node(Node { level, index: start >> level })?);
            start += 1 << level;
        }
        CompactRange::from_parts(size, nodes).ok_or(Error::TreeDamaged)
    }

    /// Proves that a tree of a size and a root is the beginning of this one.
    ///
    /// # Errors
    /// `TreeDamaged` when it is not, or when the stored hashes do not lead to the signed root.
    pub fn consistency(&self, first: (u64, &Hash)) -> Result<Vec<Hash>> {
        let (size, root) = self.tree();
        let proof = consistency_proof(first.0, size, |node| self.node(node))?;
        if verify_consistency(first, (size, &root), &proof) { Ok(proof) } else { Err(Error::TreeDamaged) }
    }

    /// The leaves from a place on, of archived events too.
    pub(super) fn leaves(&self, first: u64, count: u64) -> Result<Vec<Hash>> {
        self.row_of(0, first, count)
    }

    /// A stored inner node.
    pub(super) fn stored_node(&self, node: Node) -> Result<Option<Hash>> {
        let place = i64::try_from(node.index).map_err(|_| Error::TreeDamaged)?;
        Ok(self
            .connection
            .prepare_cached("SELECT hash FROM tree WHERE level = ?1 AND place = ?2")?
            .query_row((node.level, place), |row| row.get(0))
            .optional()?)
    }

    /// How many inner nodes are stored.
    pub(super) fn stored_nodes(&self) -> Result<u64> {
        let count: i64 =
            self.connection.query_row("SELECT count(*) FROM tree WHERE level > 0", [], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    fn node(&self, node: Node) -> Result<Hash> {
        let base = node.level / STRIDE * STRIDE;
        let above = node.level - base;
        let first = node.index << above;
        let mut hashes = self.row_of(base, first, 1 << above)?;
        while hashes.len() > 1 {
            hashes = hashes.chunks_exact(2).map(|pair| node_hash(&pair[0], &pair[1])).collect();
        }
        hashes.pop().ok_or(Error::TreeDamaged)
    }

    /// Neighbours at a stored level, or leaves.
    fn row_of(&self, level: u32, first: u64, count: u64) -> Result<Vec<Hash>> {
        let number = |place: u64| i64::try_from(place).map_err(|_| Error::TreeDamaged);
        let sql = if level == 0 {
            "SELECT hash FROM (SELECT seq - 1 AS place, hash FROM audit WHERE seq > ?2 AND seq <= ?3 UNION
             SELECT place, hash FROM tree WHERE level = ?1 AND place >= ?2 AND place < ?3) ORDER BY place"
        } else {
            "SELECT hash FROM tree WHERE level = ?1 AND place >= ?2 AND place < ?3 ORDER BY place"
        };
        let hashes = self
            .connection
            .prepare_cached(sql)?
            .query_map((level, number(first)?, number(first + count)?), |row| row.get::<_, [u8; 32]>(0))?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        if hashes.len() as u64 == count { Ok(hashes) } else { Err(Error::TreeDamaged) }
    }
}
