//! Whether the file has the tables, indexes and triggers of its format, and nothing else.
//!
//! This process runs no trigger and reads no view (see [`super::schema::configure`]), so a planted one does nothing
//! here; it would in the next program that opens the file, and it shows that somebody had a hand in it.

use super::{
    error::{Error, Result},
    schema,
};
use rusqlite::Connection;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// The digest of what a new keystore has: comparing it costs microseconds, making a keystore to compare with does not.
const DIGEST: &str = "5b388affafdc5351d20526dc3f62c8bbdeb9e72a23933d7d6cfa0bca5df29443";

/// Type, name, table and text of an object, as `sqlite_schema` has them.
type Object = (String, String, String, Option<String>);

/// Refuses a file whose objects are not those of this version.
///
/// # Errors
/// `Shape`, naming one of them.
pub(super) fn check(connection: &Connection) -> Result<()> {
    let found = objects(connection)?;
    if digest(&found) == DIGEST {
        return Ok(());
    }
    let fresh = Connection::open_in_memory()?;
    schema::create(&fresh)?;
    let expected = objects(&fresh)?;
    let named = |all: &BTreeSet<Object>, one: &Object| all.iter().any(|other| (&other.0, &other.1) == (&one.0, &one.1));
    let wrong = |what, (kind, name, table, _): &Object| {
        let of = if table == name { String::new() } else { format!(" on {table}") };
        Err(Error::Shape { object: format!("{kind} {name}{of}"), what })
    };
    match (found.difference(&expected).next(), expected.difference(&found).next()) {
        (Some(one), _) if named(&expected, one) => wrong("was changed", one),
        (Some(one), _) => wrong("is none of keyward's", one),
        (None, Some(one)) => wrong("is missing", one),
        (None, None) => Ok(()),
    }
}

fn objects(connection: &Connection) -> Result<BTreeSet<Object>> {
    let mut statement = connection.prepare_cached("SELECT type, name, tbl_name, sql FROM sqlite_schema")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn digest(objects: &BTreeSet<Object>) -> String {
    let mut digest = Sha256::new();
    for (kind, name, table, text) in objects {
        for part in [kind, name, table, text.as_ref().unwrap_or(&String::new())] {
            digest.update(part.len().to_le_bytes());
            digest.update(part);
        }
    }
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> Connection {
        let fresh = Connection::open_in_memory().unwrap();
        schema::create(&fresh).unwrap();
        fresh
    }

    #[test]
    fn the_digest_is_that_of_a_new_keystore() {
        assert_eq!(digest(&objects(&made()).unwrap()), DIGEST, "the schema has changed: put this digest in");
    }

    #[test]
    fn what_is_foreign_changed_or_missing_is_named() {
        for (sql, told) in [
            (
                "CREATE TRIGGER evil BEFORE INSERT ON keys BEGIN SELECT raise(IGNORE); END",
                "the trigger evil on keys is none of keyward's",
            ),
            ("CREATE VIEW everything AS SELECT * FROM keys", "the view everything is none of keyward's"),
            ("CREATE TABLE notes (x)", "the table notes is none of keyward's"),
            ("DROP TRIGGER audit_keeps", "the trigger audit_keeps on audit is missing"),
            ("DROP INDEX keys_by_due", "the index keys_by_due on keys is missing"),
            (
                "DROP INDEX keys_by_due; CREATE INDEX keys_by_due ON keys (due_at)",
                "the index keys_by_due on keys was changed",
            ),
            ("ALTER TABLE lookups ADD COLUMN note TEXT", "the table lookups was changed"),
        ] {
            let connection = made();
            check(&connection).unwrap();
            connection.execute_batch(sql).unwrap();
            assert!(check(&connection).unwrap_err().to_string().ends_with(told), "{sql}");
        }
    }
}
