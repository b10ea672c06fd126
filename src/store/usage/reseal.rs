//! Sealing the facts of use again, when the vault's keys are replaced.

use super::seen::{Place, Seen, address_index, used_tag};
use crate::store::{
    error::{Error, Result},
    tx::Tx,
    view::View,
};

/// What names a verdict: key, lookup, time and code.
type Verdict = (String, String, i64, String);

/// The sealed facts of use, opened; each with what names its row.
pub(in crate::store) struct OpenFacts {
    keys: Vec<(String, Seen)>,
    secrets: Vec<(String, Seen)>,
    addresses: Vec<(String, Vec<u8>, Seen)>,
    verdicts: Vec<(i64, Verdict, Seen)>,
}

impl View<'_> {
    /// Every sealed fact of use, opened under the keys of this view.
    pub(in crate::store) fn open_facts(&self) -> Result<OpenFacts> {
        let named = |sql: &str, secret: bool| -> Result<Vec<(String, Seen)>> {
            let mut statement = self.connection.prepare_cached(sql)?;
            let rows = statement
                .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?)))?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            rows.into_iter()
                .map(|(id, sealed)| {
                    let place = if secret { Place::Secret(&id) } else { Place::Key(&id) };
                    let seen = place.open(self.caps, &sealed)?;
                    Ok((id, seen))
                })
                .collect()
        };
        let mut statement =
            self.connection.prepare_cached("SELECT key_id, address_index, seen FROM usage_addresses")?;
        let rows = statement
            .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, Vec<u8>>(2)?)))?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        let addresses = rows.into_iter().map(|(key, index, sealed)| {
            let seen = Place::Address { key: &key, index: &index }.open(self.caps, &sealed)?;
            Ok((key, index, seen))
        });
        let mut statement =
            self.connection.prepare_cached("SELECT seq, key_id, lookup, at, code, seen FROM verdicts")?;
        let rows = statement
            .query_map([], |row| {
                let what = (row.get::<_, String>(1)?, row.get::<_, String>(2)?, row.get(3)?, row.get(4)?);
                Ok((row.get(0)?, what, row.get::<_, Vec<u8>>(5)?))
            })?
            .collect::<rusqlite::Result<Vec<(i64, Verdict, Vec<u8>)>>>()?;
        let verdicts = rows.into_iter().map(|(seq, what, sealed)| {
            let (key, lookup, at, code) = &what;
            let seen = Place::Verdict { key, lookup, at: *at, code }.open(self.caps, &sealed)?;
            Ok((seq, what, seen))
        });
        Ok(OpenFacts {
            keys: named("SELECT key_id, seen FROM usage WHERE seen IS NOT NULL", false)?,
            secrets: named("SELECT lookup, seen FROM secret_usage WHERE seen IS NOT NULL", true)?,
            addresses: addresses.collect::<Result<_>>()?,
            verdicts: verdicts.collect::<Result<_>>()?,
        })
    }
}

impl Tx<'_> {
    /// Says under the keys of this transaction which versions of secrets were used.
    pub(in crate::store) fn tag_used(&mut self) -> Result<()> {
        let mut statement = self.connection.prepare("SELECT lookup, key_id FROM secret_usage WHERE uses > 0")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let used = rows.collect::<rusqlite::Result<Vec<(String, String)>>>()?;
        let mut update = self.connection.prepare("UPDATE secret_usage SET used = ?2 WHERE lookup = ?1")?;
        for (lookup, key) in used {
            let tag = used_tag(self.caps, &lookup, &key).ok_or(Error::SupportSlot)?;
            update.execute((lookup, tag.as_slice()))?;
        }
        Ok(())
    }

    /// Seals every fact under the keys of this transaction.
    pub(in crate::store) fn reseal_facts(&mut self, facts: &OpenFacts) -> Result<()> {
        self.tag_used()?;
        let caps = self.caps;
        let mut statement = self.connection.prepare_cached("UPDATE usage SET seen = ?2 WHERE key_id = ?1")?;
        for (id, seen) in &facts.keys {
            statement.execute((id, Place::Key(id).seal(caps, seen)?))?;
        }
        let mut statement = self.connection.prepare_cached("UPDATE secret_usage SET seen = ?2 WHERE lookup = ?1")?;
        for (lookup, seen) in &facts.secrets {
            statement.execute((lookup, Place::Secret(lookup).seal(caps, seen)?))?;
        }
        let mut statement = self.connection.prepare_cached(
            "UPDATE usage_addresses SET address_index = ?3, seen = ?4 WHERE key_id = ?1 AND address_index = ?2",
        )?;
        for (key, index, seen) in &facts.addresses {
            let fresh = address_index(caps, key, seen.address.as_deref().unwrap_or_default());
            let sealed = Place::Address { key, index: &fresh }.seal(caps, seen)?;
            statement.execute((key, index, &fresh, sealed))?;
        }
        let mut statement = self.connection.prepare_cached("UPDATE verdicts SET seen = ?2 WHERE seq = ?1")?;
        for (seq, (key, lookup, at, code), seen) in &facts.verdicts {
            let sealed = Place::Verdict { key, lookup, at: *at, code }.seal(caps, seen)?;
            statement.execute((seq, sealed))?;
        }
        Ok(())
    }
}
