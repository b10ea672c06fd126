//! Keys that were issued elsewhere: their digests come in, and their old secrets go on working until the next rotation.

use super::{
    Done, EntryError,
    context::Context,
    create::{Create, Created},
    create_many::create_many,
    error::{Error, Result},
};
use crate::{
    domain::{Digest, Form, Imported, Key, Lookup, Secret},
    store::{Tx, View},
    vault::Capabilities,
};
use rand::CryptoRng;
use std::collections::BTreeSet;

/// Every form costs each foreign secret a hash.
const MOST_FORMS: usize = 16;

/// A key that was issued elsewhere.
pub struct Import {
    /// The key.
    pub key: Create,
    /// The digest of its secret.
    pub digest: Digest,
    /// The last characters of its secret, if they are known.
    pub hint: Option<String>,
}

/// Imports keys, all or none. `progress` hears how many are done.
///
/// # Errors
/// Every entry that cannot be imported, up to a hundred; the caller must then drop the transaction.
pub fn import(
    tx: &mut Tx<'_>,
    caps: &Capabilities,
    rng: &mut impl CryptoRng,
    cx: &Context,
    form: &Form,
    requests: Vec<Import>,
    progress: &mut dyn FnMut(usize),
) -> Result<Done<Vec<Created>>, Vec<EntryError>> {
    let whole = |error| vec![EntryError { index: 0, error }];
    remember(tx, form).map_err(whole)?;
    let requests = requests.into_iter().map(|Import { key, digest, hint }| {
        let (lookup, verifier) = caps.imported(&digest).ok_or_else(super::support_refused)?;
        Ok(Create { imported: Some(Imported { lookup, verifier, hint: hint.unwrap_or_default() }), ..key })
    });
    let requests = requests.collect::<Result<Vec<_>>>().map_err(whole)?;
    create_many(tx, caps, rng, cx, requests, progress)
}

fn remember(tx: &mut Tx<'_>, form: &Form) -> Result<()> {
    let forms: BTreeSet<Form> = tx.import_forms()?.into_iter().collect();
    if forms.contains(form) {
        return Ok(());
    }
    if forms.len() >= MOST_FORMS {
        return Err(Error::conflict(
            "import_forms",
            format!("digests of {MOST_FORMS} forms were imported already: each costs every unknown secret a hash"),
        )
        .hint("import with a salt and prefix that were used before"));
    }
    Ok(tx.put_import_form(form)?)
}

/// The key whose imported secret was presented, with the version it is. The comparison takes the same time whatever
/// differs.
///
/// # Errors
/// Those of the store; `Forbidden` for a support slot, which holds no key to compare with.
pub(super) fn find(tx: &View<'_>, caps: &Capabilities, presented: &str) -> Result<Option<(Key, Lookup)>> {
    for form in tx.import_forms()? {
        let Some(digest) = form.digest_of(presented) else { continue };
        let (lookup, verifier) = caps.imported(&digest).ok_or_else(cannot_tell)?;
        let Some(key) = tx.key_by_lookup(&lookup)? else { continue };
        let is_it = |secret: &Secret| secret.imported && secret.lookup == lookup && secret.verifier.matches(&verifier);
        if key.secrets.iter().any(is_it) {
            return Ok(Some((key, lookup)));
        }
    }
    Ok(None)
}

fn cannot_tell() -> Error {
    Error::forbidden("support_slot", "this slot has the role support: it holds no key to look imported secrets up with")
        .hint("open the vault with a slot of the role admin")
}
