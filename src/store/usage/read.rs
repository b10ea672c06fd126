//! Reading the facts of use.

use super::seen::{OPERATORS, Place, Seen, used_tag};
use crate::{
    domain::{
        AddressUse, Code, KeyId, LoggedRequest, LoggedVerdict, Lookup, OperatorRequest, SecretUse, Time, Usage,
        UsageCount, UsageRecord,
    },
    store::{
        error::{Error, Result},
        records::time,
        view::View,
    },
};
use rusqlite::{OptionalExtension, Row};
use std::collections::HashMap;

/// Which recent verdicts to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerdictFilter {
    /// Only those on this key.
    pub key: Option<KeyId>,
    /// Only refusals.
    pub denied: bool,
    /// Only those at or after this time.
    pub since: Option<Time>,
    /// Only those after this place in the log.
    pub after: Option<i64>,
}

/// The columns of a total: uses, last use, denied, last denial, who was seen.
type Total = (i64, Option<i64>, i64, Option<i64>, Option<Vec<u8>>);

const TOTAL: &str = "uses, last_used_at, denied, last_denied_at, seen";

fn total(row: &Row<'_>, first: usize) -> rusqlite::Result<Total> {
    Ok((row.get(first)?, row.get(first + 1)?, row.get(first + 2)?, row.get(first + 3)?, row.get(first + 4)?))
}

impl View<'_> {
    /// How a key was used.
    ///
    /// # Errors
    /// `RowTampered` when the facts do not open.
    pub fn usage(&self, id: &KeyId) -> Result<Usage> {
        let mut statement = self.connection.prepare_cached(&format!("SELECT {TOTAL} FROM usage WHERE key_id = ?1"))?;
        let found = statement.query_row((id.as_str(),), |row| total(row, 0)).optional()?;
        found.map_or_else(|| Ok(Usage::default()), |total| open_usage(self, id.as_str(), total))
    }

    /// How each version of a key's secret was used, dead ones included; versions never presented have no entry.
    ///
    /// # Errors
    /// As [`View::usage`].
    pub fn secret_uses(&self, id: &KeyId) -> Result<Vec<SecretUse>> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT lookup, {TOTAL}, used FROM secret_usage WHERE key_id = ?1 ORDER BY lookup"
        ))?;
        let rows = statement
            .query_map((id.as_str(),), |row| Ok((row.get::<_, String>(0)?, total(row, 1)?, row.get(6)?)))?
            .collect::<rusqlite::Result<Vec<(_, _, Option<Vec<u8>>)>>>()?;
        rows.into_iter()
            .map(|(lookup, (uses, last_used, denied, last_denied, sealed), used)| {
                let place = Place::Secret(&lookup);
                // A support slot cannot tell, and nobody tagged it before.
                let tag = used_tag(self.caps, &lookup, id.as_str()).filter(|_| uses > 0 && self.counts_everything());
                if tag.is_some_and(|tag| used.as_deref() != Some(&tag)) {
                    return Err(place.tampered());
                }
                Ok(SecretUse {
                    uses: number(uses, &place)?,
                    last_used_at: last_used.map(time).transpose()?,
                    last_ip: opened(self, &place, sealed)?.ip(),
                    denied: number(denied, &place)?,
                    last_denied_at: last_denied.map(time).transpose()?,
                    lookup: lookup.parse::<Lookup>().map_err(|_| place.tampered())?,
                })
            })
            .collect()
    }

    /// Counts by key, hour and verdict, oldest first; of one key, or of all and of credentials that no key has.
    ///
    /// # Errors
    /// As [`View::usage`].
    pub fn usage_counts(&self, key: Option<&KeyId>, since: Option<Time>) -> Result<Vec<UsageCount>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT key_id, hour, code, count FROM usage_hours
             WHERE (?1 IS NULL OR key_id = ?1) AND hour >= ?2 ORDER BY hour, key_id, code",
        )?;
        let since = since.map_or(i64::MIN, |since| since.timestamp().div_euclid(3_600) * 3_600);
        let rows = statement
            .query_map((key.map(KeyId::as_str), since), |row| {
                Ok((row.get::<_, String>(0)?, row.get(1)?, row.get::<_, String>(2)?, row.get(3)?))
            })?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        rows.into_iter()
            .map(|(key, hour, code, count)| {
                let place = Place::Key(&key);
                Ok(UsageCount {
                    hour: time(hour)?,
                    code: code.parse::<Code>().map_err(|_| place.tampered())?,
                    count: number(count, &place)?,
                    key: key_of(&key, &place)?,
                })
            })
            .collect()
    }

    /// The last distinct addresses of one key, or of all and of credentials that no key has, newest first.
    ///
    /// # Errors
    /// As [`View::usage`].
    pub fn usage_addresses(&self, key: Option<&KeyId>, since: Option<Time>) -> Result<Vec<AddressUse>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT key_id, address_index, uses, denied, first_at, last_at, seen FROM usage_addresses
             WHERE (?1 IS NULL OR key_id = ?1) AND last_at >= ?2 ORDER BY last_at DESC, key_id, address_index",
        )?;
        let since = since.map_or(i64::MIN, |since| since.timestamp());
        let rows = statement
            .query_map((key.map(KeyId::as_str), since), |row| {
                let whose = (row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?);
                Ok((whose, (row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get::<_, Vec<u8>>(6)?)))
            })?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        rows.into_iter()
            .map(|((key, index), (uses, denied, first, last, sealed))| {
                let place = Place::Address { key: &key, index: &index };
                Ok(AddressUse {
                    key: key_of(&key, &place)?,
                    address: place.open(self.caps, &sealed)?.ip().ok_or_else(|| place.tampered())?,
                    uses: number(uses, &place)?,
                    denied: number(denied, &place)?,
                    first_at: time(first)?,
                    last_at: time(last)?,
                })
            })
            .collect()
    }

    /// Recent verdicts, oldest first.
    ///
    /// # Errors
    /// As [`View::usage`].
    pub fn recent_verdicts(&self, filter: &VerdictFilter) -> Result<Vec<LoggedVerdict>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT seq, at, key_id, lookup, code, count, seen FROM verdicts
             WHERE (?1 IS NULL OR key_id = ?1) AND (NOT ?2 OR NOT allowed) AND at >= ?3 AND seq > ?4
                AND substr(key_id, 1, 3) NOT IN ('op_', 'tr_') ORDER BY seq",
        )?;
        let since = filter.since.map_or(i64::MIN, |since| since.timestamp());
        let (key, after) = (filter.key.as_ref().map(KeyId::as_str), filter.after.unwrap_or(i64::MIN));
        let rows = statement
            .query_map((key, filter.denied, since, after), |row| {
                let what = (row.get::<_, String>(2)?, row.get::<_, String>(3)?, row.get::<_, String>(4)?);
                Ok((row.get(0)?, row.get(1)?, what, row.get(5)?, row.get::<_, Vec<u8>>(6)?))
            })?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        rows.into_iter()
            .map(|(seq, at, (key, lookup, code), count, sealed)| {
                let place = Place::Verdict { key: &key, lookup: &lookup, at, code: &code };
                let mut seen = place.open(self.caps, &sealed)?;
                let record = UsageRecord {
                    request: seen.request(),
                    operator: seen.operator.take(),
                    at: time(at)?,
                    count: number(count, &place)?,
                    key: key_of(&key, &place)?,
                    lookup: match lookup.as_str() {
                        "" => None,
                        lookup => Some(lookup.parse().map_err(|_| place.tampered())?),
                    },
                    code: code.parse().map_err(|_| place.tampered())?,
                    address: seen.ip(),
                    user_agent: seen.user_agent,
                    detail: seen.detail,
                };
                Ok(LoggedVerdict { seq, record })
            })
            .collect()
    }
}

impl View<'_> {
    /// Reads every fact of use there is: what a list or a report would stumble over is found by a whole check, too.
    pub(in crate::store) fn check_facts_of_use(&self) -> Result<()> {
        all_usage(self)?;
        self.usage_counts(None, None)?;
        self.usage_addresses(None, None)?;
        self.recent_verdicts(&VerdictFilter::default())?;
        self.recent_requests(&VerdictFilter::default())?;
        self.spent_limits()?;
        let mut statement = self.connection.prepare("SELECT DISTINCT key_id FROM secret_usage")?;
        for id in statement.query_map([], |row| row.get::<_, String>(0))? {
            let id = id?;
            self.secret_uses(&id.parse().map_err(|_| Place::Key(&id).tampered())?)?;
        }
        Ok(())
    }

    /// Recent requests of operators, oldest first; of a filter everything but the key counts.
    ///
    /// # Errors
    /// As [`View::usage`].
    pub fn recent_requests(&self, filter: &VerdictFilter) -> Result<Vec<LoggedRequest>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT seq, at, key_id, code, seen FROM verdicts
             WHERE (NOT ?1 OR NOT allowed) AND at >= ?2 AND seq > ?3 AND substr(key_id, 1, 3) IN ('op_', 'tr_') ORDER BY seq",
        )?;
        let since = filter.since.map_or(i64::MIN, |since| since.timestamp());
        let rows = statement
            .query_map((filter.denied, since, filter.after.unwrap_or(i64::MIN)), |row| {
                let what = (row.get::<_, String>(2)?, row.get::<_, String>(3)?);
                Ok((row.get(0)?, row.get(1)?, what, row.get::<_, Vec<u8>>(4)?))
            })?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        rows.into_iter()
            .map(|(seq, at, (id, code), sealed)| {
                let place = Place::Verdict { key: &id, lookup: "", at, code: &code };
                let mut seen = place.open(self.caps, &sealed)?;
                let request = seen.request().ok_or_else(|| place.tampered())?;
                let address = seen.ip();
                let request = OperatorRequest {
                    at: time(at)?,
                    operator: (id != OPERATORS).then(|| id.clone()),
                    name: seen.operator,
                    code: code.clone(),
                    address,
                    user_agent: seen.user_agent,
                    request,
                };
                Ok(LoggedRequest { seq, request })
            })
            .collect()
    }
}

/// The totals of every key that was ever presented.
pub(in crate::store) fn all_usage(view: &View<'_>) -> Result<HashMap<String, Usage>> {
    let mut statement = view.connection.prepare_cached(&format!("SELECT key_id, {TOTAL} FROM usage"))?;
    let rows = statement
        .query_map([], |row| Ok((row.get::<_, String>(0)?, total(row, 1)?)))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    rows.into_iter()
        .map(|(id, total)| {
            let usage = open_usage(view, &id, total)?;
            Ok((id, usage))
        })
        .collect()
}

fn open_usage(view: &View<'_>, id: &str, (uses, used, denied, last_denied, sealed): Total) -> Result<Usage> {
    let place = Place::Key(id);
    let seen = opened(view, &place, sealed)?;
    Ok(Usage {
        last_used_at: used.map(time).transpose()?,
        last_used_ip: seen.ip(),
        last_user_agent: seen.user_agent,
        uses: number(uses, &place)?,
        denied: number(denied, &place)?,
        last_denied_at: last_denied.map(time).transpose()?,
    })
}

fn opened(view: &View<'_>, place: &Place<'_>, sealed: Option<Vec<u8>>) -> Result<Seen> {
    sealed.map_or_else(|| Ok(Seen::default()), |sealed| place.open(view.caps, &sealed))
}

fn key_of(id: &str, place: &Place<'_>) -> Result<Option<KeyId>> {
    if id.is_empty() { Ok(None) } else { id.parse().map(Some).map_err(|_| place.tampered()) }
}

fn number(count: i64, place: &Place<'_>) -> Result<u64, Error> {
    u64::try_from(count).map_err(|_| place.tampered())
}
