//! A sealed row: bound to its place, tagged for the head's digest.

use super::{error::Result, head::Table};
use crate::vault::Capabilities;

/// The tag of a row, over all that is bound and all that is sealed.
///
/// Only an admin can make it: a support slot, which holds the record key, can forge a row's seal but not its tag.
pub(super) fn tag(caps: &Capabilities, table: Table, bound: &[u8], sealed: &[u8]) -> Option<[u8; 32]> {
    caps.row_tag(&[b"row", table.name().as_bytes(), bound, sealed])
}

/// A row ready to be written.
pub(super) struct SealedRow {
    pub(super) sealed: Vec<u8>,
    pub(super) tag: [u8; 32],
}

/// Seals a row's facts to its place.
pub(super) fn seal(caps: &Capabilities, table: Table, bound: &[u8], plain: &[u8]) -> Result<SealedRow> {
    let sealed = caps.seal_record(&mut rand::rng(), bound, plain)?;
    let tag = tag(caps, table, bound, &sealed).ok_or(super::Error::SupportSlot)?;
    Ok(SealedRow { sealed, tag })
}
