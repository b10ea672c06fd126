//! Writing a batch of verdicts: added up first, so that a busy key costs a batch one row of each table.

use super::{
    seen::{OPERATORS, Place, Seen, address_index, used_tag},
    spent,
};
use crate::{
    domain::{KeyId, OperatorRequest, Retention, Spent, Time, UsageRecord},
    store::{
        error::{Error, Result},
        open::Store,
        view::View,
    },
    vault::Capabilities,
};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
};

/// What is too old is looked for this often, in seconds.
const PRUNE_EVERY: i64 = 3_600;
const HOUR: i64 = 3_600;

impl Store {
    /// Adds verdicts to the facts of use and replaces what keys have spent of their limits, in one transaction; what is
    /// about keys that are gone meanwhile is dropped.
    ///
    /// # Errors
    /// `SupportSlot`; `Busy`, `Full` and the others of a write, after which nothing of the batch is kept.
    pub fn record_usage(&self, records: &[UsageRecord], spent: &[Spent], now: Time) -> Result<()> {
        self.record_all(records, &[], spent, now)
    }

    /// The same, with requests of operators, which are no use of a key.
    ///
    /// # Errors
    /// As [`Store::record_usage`].
    pub fn record_all(
        &self,
        records: &[UsageRecord],
        requests: &[OperatorRequest],
        spent: &[Spent],
        now: Time,
    ) -> Result<()> {
        if self.caps.admin.is_none() {
            return Err(Error::SupportSlot);
        }
        if records.is_empty() && requests.is_empty() {
            return Ok(());
        }
        let transaction = Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)?;
        let retention = View::of(self, now)?.retention()?;
        let writer = Writer { connection: &self.connection, caps: &self.caps, retention };
        let mut by_key: BTreeMap<Option<&KeyId>, Vec<&UsageRecord>> = BTreeMap::new();
        for record in records {
            by_key.entry(record.key.as_ref()).or_default().push(record);
        }
        let mut rows = Vec::new();
        for (key, records) in &mut by_key {
            records.sort_by_key(|record| record.at);
            rows.extend(writer.add(*key, records)?);
        }
        rows.extend(writer.requests(requests));
        writer.add_rows(rows)?;
        spent::put(&self.connection, spent)?;
        writer.prune(now)?;
        Ok(transaction.commit()?)
    }
}

/// A row that is kept by itself.
struct Row<'r> {
    at: Time,
    /// The key or the operator; with this it says of what only so many are kept.
    id: &'r str,
    allowed: bool,
    lookup: &'r str,
    code: &'r str,
    count: i64,
    /// What is sealed: worked out for what is kept alone.
    seen: Box<dyn Fn() -> Seen + 'r>,
}

struct Writer<'s> {
    connection: &'s Connection,
    caps: &'s Capabilities,
    retention: Retention,
}

/// The sum of some verdicts, oldest first.
#[derive(Default)]
struct Sum<'r> {
    uses: i64,
    denied: i64,
    last_use: Option<&'r UsageRecord>,
    last_denial: Option<&'r UsageRecord>,
    /// Who was seen at its uses.
    uses_seen: Seen,
}

impl<'r> Sum<'r> {
    fn add(&mut self, record: &'r UsageRecord) {
        let (count, last) = if record.is_use() {
            (&mut self.uses, &mut self.last_use)
        } else {
            (&mut self.denied, &mut self.last_denial)
        };
        *count = count.saturating_add(counted(record));
        *last = Some(record);
    }

    fn of(records: &[&'r UsageRecord]) -> Self {
        let mut sum = Self::default();
        records.iter().for_each(|record| sum.add(record));
        sum.uses_seen = last_seen(records.iter().rev().copied().filter(|record| record.is_use()));
        sum
    }

    fn last_used_at(&self) -> Option<i64> {
        self.last_use.map(|record| record.at.timestamp())
    }

    fn last_denied_at(&self) -> Option<i64> {
        self.last_denial.map(|record| record.at.timestamp())
    }
}

impl Writer<'_> {
    /// Adds the verdicts on a key to its sums; answers with those that are kept by themselves.
    fn add<'r>(&self, key: Option<&'r KeyId>, records: &[&'r UsageRecord]) -> Result<Vec<Row<'r>>> {
        let id = key.map_or("", KeyId::as_str);
        if key.is_some() {
            let mut known = self.connection.prepare_cached("SELECT 1 FROM keys WHERE id = ?1")?;
            if known.query_row((id,), |_| Ok(())).optional()?.is_none() {
                return Ok(Vec::new());
            }
            self.add_totals(id, &Sum::of(records))?;
            self.add_secrets(id, records)?;
        }
        self.add_hours(id, records)?;
        self.add_addresses(id, records)?;
        let row = |record: &'r UsageRecord| Row {
            at: record.at,
            id,
            allowed: record.is_use(),
            lookup: record.lookup.as_ref().map_or("", |lookup| lookup.as_str()),
            code: record.code.as_str(),
            count: counted(record),
            seen: Box::new(|| seen(record)),
        };
        Ok(records.iter().copied().map(row).collect())
    }

    fn add_totals(&self, id: &str, sum: &Sum<'_>) -> Result<()> {
        let kept = "SELECT seen FROM usage WHERE key_id = ?1";
        let seen = match sum.last_use {
            Some(_) => Some(self.seal_last(&Place::Key(id), kept, id, &sum.uses_seen)?),
            None => None,
        };
        self.connection
            .prepare_cached(
                "INSERT INTO usage (key_id, uses, last_used_at, denied, last_denied_at, seen)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (key_id) DO UPDATE SET
                    uses = uses + excluded.uses, denied = denied + excluded.denied,
                    seen = CASE WHEN excluded.last_used_at >= coalesce(last_used_at, excluded.last_used_at)
                           THEN excluded.seen ELSE seen END,
                    last_used_at = max(coalesce(last_used_at, excluded.last_used_at),
                                       coalesce(excluded.last_used_at, last_used_at)),
                    last_denied_at = max(coalesce(last_denied_at, excluded.last_denied_at),
                                         coalesce(excluded.last_denied_at, last_denied_at))",
            )?
            .execute((id, sum.uses, sum.last_used_at(), sum.denied, sum.last_denied_at(), seen))?;
        Ok(())
    }

    /// Seals who was seen last. What these verdicts do not say stays as it was kept: a verification without an address must
    /// not wipe the one that was known.
    fn seal_last(&self, place: &Place<'_>, kept: &str, id: &str, last: &Seen) -> Result<Vec<u8>> {
        if last.address.is_some() && last.user_agent.is_some() {
            return place.seal(self.caps, last);
        }
        let kept: Option<Option<Vec<u8>>> =
            self.connection.prepare_cached(kept)?.query_row((id,), |row| row.get(0)).optional()?;
        // What does not open is found by whoever reads it; here it is written anew, as by a use that says all.
        let before = kept.flatten().and_then(|sealed| place.open(self.caps, &sealed).ok()).unwrap_or_default();
        let last = last.clone();
        let seen = Seen {
            address: last.address.or(before.address),
            user_agent: last.user_agent.or(before.user_agent),
            detail: last.detail,
            ..Seen::default()
        };
        place.seal(self.caps, &seen)
    }

    fn add_secrets(&self, id: &str, records: &[&UsageRecord]) -> Result<()> {
        let mut by_secret: HashMap<&str, Vec<&UsageRecord>> = HashMap::new();
        for record in records {
            if let Some(lookup) = &record.lookup {
                by_secret.entry(lookup.as_str()).or_default().push(record);
            }
        }
        let mut statement = self.connection.prepare_cached(
            "INSERT INTO secret_usage (lookup, key_id, uses, last_used_at, denied, last_denied_at, seen, used)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE EXISTS (
                SELECT 1 FROM lookups INDEXED BY lookups_by_key WHERE key_id = ?2 AND lookup = ?1)
             ON CONFLICT (lookup) DO UPDATE SET
                uses = uses + excluded.uses, denied = denied + excluded.denied,
                used = coalesce(excluded.used, used),
                seen = CASE WHEN max(coalesce(excluded.last_used_at, 0), coalesce(excluded.last_denied_at, 0))
                              >= max(coalesce(last_used_at, 0), coalesce(last_denied_at, 0))
                       THEN excluded.seen ELSE seen END,
                last_used_at = max(coalesce(last_used_at, excluded.last_used_at),
                                   coalesce(excluded.last_used_at, last_used_at)),
                last_denied_at = max(coalesce(last_denied_at, excluded.last_denied_at),
                                     coalesce(excluded.last_denied_at, last_denied_at))",
        )?;
        for (lookup, records) in by_secret {
            let sum = Sum::of(&records);
            let kept = "SELECT seen FROM secret_usage WHERE lookup = ?1";
            let seen =
                self.seal_last(&Place::Secret(lookup), kept, lookup, &last_seen(records.iter().rev().copied()))?;
            let used = used_tag(self.caps, lookup, id).filter(|_| sum.uses > 0);
            let (last_used, last_denied) = (sum.last_used_at(), sum.last_denied_at());
            statement.execute((lookup, id, sum.uses, last_used, sum.denied, last_denied, seen, used))?;
        }
        Ok(())
    }

    fn add_hours(&self, id: &str, records: &[&UsageRecord]) -> Result<()> {
        let mut counts: BTreeMap<(i64, &str), i64> = BTreeMap::new();
        for record in records {
            let hour = record.at.timestamp().div_euclid(HOUR) * HOUR;
            let count = counts.entry((hour, record.code.as_str())).or_default();
            *count = count.saturating_add(counted(record));
        }
        let mut statement = self.connection.prepare_cached(
            "INSERT INTO usage_hours (key_id, hour, code, count) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (key_id, hour, code) DO UPDATE SET count = count + excluded.count",
        )?;
        for ((hour, code), count) in counts {
            statement.execute((id, hour, code, count))?;
        }
        Ok(())
    }

    fn add_addresses(&self, id: &str, records: &[&UsageRecord]) -> Result<()> {
        let keep = self.retention.addresses_per_key as usize;
        let mut by_address: HashMap<String, Vec<&UsageRecord>> = HashMap::new();
        // Newest first: a flood of addresses costs no more rows than are kept.
        for record in records.iter().rev() {
            let Some(address) = record.address.map(|address| address.to_string()) else { continue };
            if by_address.len() < keep || by_address.contains_key(&address) {
                by_address.entry(address).or_default().push(record);
            }
        }
        if by_address.is_empty() {
            return Ok(());
        }
        // Mostly the same addresses again: those need no new seal, and push no other one out.
        let mut known = self.connection.prepare_cached(
            "UPDATE usage_addresses SET uses = uses + ?3, denied = denied + ?4, last_at = max(last_at, ?5)
             WHERE key_id = ?1 AND address_index = ?2",
        )?;
        let mut new = self.connection.prepare_cached(
            "INSERT INTO usage_addresses (key_id, address_index, uses, denied, first_at, last_at, seen)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        let mut is_one_new = false;
        for (address, records) in by_address {
            let (Some(newest), Some(oldest)) = (records.first(), records.last()) else { continue };
            let index = address_index(self.caps, id, &address);
            let sum = Sum::of(&records);
            let (first, last) = (oldest.at.timestamp(), newest.at.timestamp());
            if known.execute((id, &index, sum.uses, sum.denied, last))? == 0 {
                let place = Place::Address { key: id, index: &index };
                let seen = place.seal(self.caps, &Seen { address: Some(address), ..Seen::default() })?;
                new.execute((id, &index, sum.uses, sum.denied, first, last, seen))?;
                is_one_new = true;
            }
        }
        let held = || -> Result<i64> {
            let mut count = self.connection.prepare_cached("SELECT count(*) FROM usage_addresses WHERE key_id = ?1")?;
            Ok(count.query_row((id,), |row| row.get(0))?)
        };
        // More than are kept, although none is new: fewer are to be kept than before.
        if !is_one_new && held()? <= i64::from(self.retention.addresses_per_key) {
            return Ok(());
        }
        self.connection
            .prepare_cached(
                "DELETE FROM usage_addresses WHERE key_id = ?1 AND address_index NOT IN (
                    SELECT address_index FROM usage_addresses WHERE key_id = ?1
                    ORDER BY last_at DESC, address_index LIMIT ?2)",
            )?
            .execute((id, self.retention.addresses_per_key))?;
        Ok(())
    }

    /// Requests of operators, as they are kept.
    fn requests<'r>(&self, requests: &'r [OperatorRequest]) -> impl Iterator<Item = Row<'r>> {
        requests.iter().map(|request| Row {
            at: request.at,
            id: request.operator.as_deref().unwrap_or(OPERATORS),
            allowed: request.is_ok(),
            lookup: "",
            code: &request.code,
            count: 1,
            seen: Box::new(|| {
                let OperatorRequest { name, address, user_agent, request, .. } = request.clone().bounded();
                let address = address.map(|address| address.to_string());
                Seen { address, user_agent, operator: name, ..Seen::default() }.of_request(Some(request))
            }),
        })
    }

    /// Adds what is kept one by one, in the order of time whoever it is about, and removes what is beyond the bounds.
    fn add_rows(&self, mut rows: Vec<Row<'_>>) -> Result<()> {
        rows.sort_by_key(|row| Reverse(row.at));
        let mut kinds: BTreeMap<(&str, bool), u32> = BTreeMap::new();
        // What would be removed at once is not written.
        rows.retain(|row| {
            let held = kinds.entry((row.id, row.allowed)).or_default();
            *held += 1;
            *held <= self.retention.verdicts_per_key
        });
        let mut statement = self.connection.prepare_cached(
            "INSERT INTO verdicts (at, key_id, lookup, code, allowed, count, seen) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        for Row { at, id, allowed, lookup, code, count, seen } in rows.iter().rev() {
            let at = at.timestamp();
            let sealed = Place::Verdict { key: id, lookup, at, code }.seal(self.caps, &seen())?;
            statement.execute((at, id, lookup, code, allowed, count, sealed))?;
        }
        kinds.into_keys().try_for_each(|(id, allowed)| self.remove_beyond(id, allowed))
    }

    /// Removes the oldest of one kind beyond so many as are kept.
    fn remove_beyond(&self, id: &str, allowed: bool) -> Result<()> {
        let keep = self.retention.verdicts_per_key;
        // Asked first: mostly there are fewer, and a DELETE that finds nothing costs several times as much.
        let mut beyond = self.connection.prepare_cached(
            "SELECT seq FROM verdicts WHERE key_id = ?1 AND allowed = ?2 ORDER BY seq DESC LIMIT 1 OFFSET ?3",
        )?;
        let oldest: Option<i64> = beyond.query_row((id, allowed, keep), |row| row.get(0)).optional()?;
        if let Some(oldest) = oldest {
            self.connection
                .prepare_cached("DELETE FROM verdicts WHERE key_id = ?1 AND allowed = ?2 AND seq <= ?3")?
                .execute((id, allowed, oldest))?;
        }
        Ok(())
    }

    /// Removes what is older than it is kept for.
    fn prune(&self, now: Time) -> Result<()> {
        let at = now.timestamp();
        let due = self
            .connection
            .prepare_cached(
                "INSERT INTO usage_pruned (one, at) VALUES (1, ?1)
                 ON CONFLICT (one) DO UPDATE SET at = ?1 WHERE at <= ?1 - ?2 OR at > ?1",
            )?
            .execute((at, PRUNE_EVERY))?;
        if due == 0 {
            return Ok(());
        }
        let before = |period: chrono::TimeDelta| at.saturating_sub(period.num_seconds());
        self.connection
            .prepare_cached("DELETE FROM usage_hours WHERE hour < ?1")?
            .execute((before(self.retention.counts),))?;
        self.connection
            .prepare_cached("DELETE FROM verdicts WHERE at < ?1")?
            .execute((before(self.retention.verdicts),))?;
        spent::prune(self.connection, now)
    }
}

/// Who was seen last by these verdicts, newest first: what the last does not say, the one before it does.
fn last_seen<'r>(mut records: impl Iterator<Item = &'r UsageRecord>) -> Seen {
    let mut last = records.next().map(seen).unwrap_or_default();
    for record in records {
        if last.address.is_some() && last.user_agent.is_some() {
            break;
        }
        let before = seen(record);
        last.address = last.address.or(before.address);
        last.user_agent = last.user_agent.or(before.user_agent);
    }
    last
}

fn seen(record: &UsageRecord) -> Seen {
    let record = record.clone().bounded();
    Seen {
        address: record.address.map(|address| address.to_string()),
        user_agent: record.user_agent,
        detail: record.detail,
        operator: record.operator,
        ..Seen::default()
    }
    .of_request(record.request)
}

/// Far beyond any count, and far from where adding two of them would overflow.
fn counted(record: &UsageRecord) -> i64 {
    i64::from(u32::try_from(record.count).unwrap_or(u32::MAX))
}
