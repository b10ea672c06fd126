//! Keys that were issued elsewhere: their digests come in, and their old secrets go on working until the next rotation.

use super::{
    Done,
    context::Context,
    create::{Create, Created},
    create_many::{EntryErrors, create_many},
    error::{Error, Result},
};
use crate::{
    domain::{Digest, Form, Imported, Key, Lookup, Secret, Verifier},
    store::{Tx, View},
    vault::Capabilities,
};
use rand::CryptoRng;
use std::collections::BTreeSet;

/// Every form costs each foreign secret a hash.
const MOST_FORMS: usize = 16;

/// A key that was issued elsewhere.
#[derive(Clone)]
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
/// Every entry that cannot be imported; the caller must then drop the transaction.
pub fn import(
    tx: &mut Tx<'_>,
    caps: &Capabilities,
    rng: &mut impl CryptoRng,
    cx: &Context,
    form: &Form,
    requests: Vec<Import>,
    progress: &mut dyn FnMut(usize),
) -> Result<Done<Vec<Created>>, EntryErrors> {
    remember(tx, form).map_err(EntryErrors::of_all)?;
    let forms = tx.import_forms().map_err(|error| EntryErrors::of_all(error.into()))?;
    let (mut keys, mut wrong) = (Vec::with_capacity(requests.len()), EntryErrors::default());
    for (index, Import { key, digest, hint }) in requests.into_iter().enumerate() {
        match fresh(tx, caps, form, &forms, digest) {
            Ok((lookup, verifier)) => {
                let imported = Imported { lookup, verifier, hint: hint.unwrap_or_default() };
                keys.push(Create { imported: Some(imported), ..key });
            }
            Err(error) => wrong.push(index, error),
        }
    }
    if !wrong.is_empty() {
        wrong.cut();
        return Err(wrong);
    }
    create_many(tx, caps, rng, cx, keys.into(), progress)
}

/// What is kept of a digest that may come in.
fn fresh(
    tx: &View<'_>,
    caps: &Capabilities,
    form: &Form,
    forms: &[Form],
    digest: Digest,
) -> Result<(Lookup, Verifier)> {
    if form.is_of_nothing(&digest) {
        return Err(Error::usage("digest: it is that of no secret, but of nothing, the salt or the prefix alone")
            .hint("leave the line out: the old system had no secret there"));
    }
    let kept = |form: &Form| caps.imported(&form.bind(digest.clone())).ok_or_else(super::support_refused);
    for other in forms.iter().filter(|other| *other != form) {
        if let Some(key) = tx.key_by_lookup(&kept(other)?.0)? {
            let message =
                format!("its secret was imported before, with another prefix, with {} ({})", key.id, key.name);
            return Err(Error::conflict("secret_known", message).hint(format!("keyward show {}", key.id)));
        }
    }
    kept(form)
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
/// Those of the store; `Forbidden` for a support slot of an earlier version, which holds no key to compare with.
pub(super) fn find(tx: &View<'_>, caps: &Capabilities, presented: &str) -> Result<Option<(Key, Lookup)>> {
    for form in tx.import_forms()? {
        let Some(digest) = form.digest_of(presented) else { continue };
        let (lookup, verifier) = caps.imported(&digest).ok_or_else(super::support_of_before)?;
        let Some(key) = tx.key_by_lookup(&lookup)? else { continue };
        let is_it = |secret: &Secret| secret.imported && secret.lookup == lookup && secret.verifier.matches(&verifier);
        if key.secrets.iter().any(is_it) {
            return Ok(Some((key, lookup)));
        }
    }
    Ok(None)
}
