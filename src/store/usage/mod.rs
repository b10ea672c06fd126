//! Facts of use: totals, each secret's own, counts by the hour, the last addresses, and recent verdicts.
//!
//! Written in batches by [`Store::record_usage`], in one transaction and without an audit event: use is no administrative
//! action, and no row of a key changes. Addresses and user agents are sealed and bound to their row; ids, codes, counts
//! and times stand in the clear. None of it is covered by the signed head: whoever can write the file can drop, invent or
//! put back counters and times unnoticed (not read or forge an address), so a decision that rests on them, such as
//! retiring a secret that seems idle, is as good as the protection of the file. That a version of a secret was used at all is
//! tagged, for a rotation in doubt may be ended by it. What a key may do never rests on them.

mod read;
mod reseal;
mod retention;
mod seen;
mod spent;
mod write;

pub use read::VerdictFilter;
pub(super) use read::all_usage;
pub(super) use spent::SCHEMA as SPENT_SCHEMA;

/// Removes what is known of a key that is deleted.
pub(super) const FORGET: [&str; 6] = [
    "DELETE FROM usage WHERE key_id = ?1",
    "DELETE FROM secret_usage WHERE key_id = ?1",
    "DELETE FROM usage_hours WHERE key_id = ?1",
    "DELETE FROM usage_addresses WHERE key_id = ?1",
    "DELETE FROM verdicts WHERE key_id = ?1",
    "DELETE FROM spent_limits WHERE key_id = ?1",
];

/// The tables. A key id of '' stands for credentials that no key has.
pub(super) const SCHEMA: &str = "
DROP TABLE usage;
CREATE TABLE usage (
    key_id TEXT PRIMARY KEY, uses INTEGER NOT NULL, last_used_at INTEGER, denied INTEGER NOT NULL,
    last_denied_at INTEGER, seen BLOB
) STRICT, WITHOUT ROWID;
CREATE TABLE secret_usage (
    lookup TEXT PRIMARY KEY, key_id TEXT NOT NULL, uses INTEGER NOT NULL, last_used_at INTEGER,
    denied INTEGER NOT NULL, last_denied_at INTEGER, seen BLOB
) STRICT, WITHOUT ROWID;
CREATE INDEX secret_usage_by_key ON secret_usage (key_id);
CREATE TABLE usage_hours (
    key_id TEXT NOT NULL, hour INTEGER NOT NULL, code TEXT NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (key_id, hour, code)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_hours_by_hour ON usage_hours (hour);
CREATE TABLE usage_addresses (
    key_id TEXT NOT NULL, address_index BLOB NOT NULL, uses INTEGER NOT NULL, denied INTEGER NOT NULL,
    first_at INTEGER NOT NULL, last_at INTEGER NOT NULL, seen BLOB NOT NULL, PRIMARY KEY (key_id, address_index)
) STRICT, WITHOUT ROWID;
CREATE TABLE verdicts (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, key_id TEXT NOT NULL, lookup TEXT NOT NULL,
    code TEXT NOT NULL, allowed INTEGER NOT NULL, count INTEGER NOT NULL, seen BLOB NOT NULL
) STRICT;
CREATE INDEX verdicts_by_key ON verdicts (key_id, allowed, seq);
CREATE INDEX verdicts_by_time ON verdicts (at);
CREATE TABLE usage_pruned (one INTEGER PRIMARY KEY CHECK (one = 1), at INTEGER NOT NULL) STRICT;
";
