//! What use leaves behind, and what somebody with the file learns from it.

use super::*;
use crate::domain::{Code, Retention, UsageRecord};

fn record(number: u8, at: &str, code: Code) -> UsageRecord {
    UsageRecord {
        request: None,
        operator: None,
        at: parse_time(at).unwrap(),
        count: 1,
        key: Some(key(number).id),
        lookup: Some(key(number).secrets[0].lookup.clone()),
        code,
        address: Some("198.51.100.7".parse().unwrap()),
        user_agent: Some("canary-agent/1".to_owned()),
        detail: None,
    }
}

fn unknown(at: &str) -> UsageRecord {
    UsageRecord { key: None, lookup: None, ..record(1, at, Code::Unknown) }
}

#[test]
fn uses_and_denials_are_counted_apart_and_the_trail_stays_as_it_is() {
    let vault = Vault::new();
    let store = vault.admin();
    let before = store.verify_all(now()).unwrap();
    let mut late = record(1, "2026-01-01T09:00:00Z", Code::Valid);
    late.address = Some("192.0.2.1".parse().unwrap());
    store
        .record_usage(&[record(1, "2026-01-01T10:30:00Z", Code::Valid), unknown("2026-01-01T10:31:00Z")], &[], now())
        .unwrap();
    store.record_usage(&[late, record(1, "2026-01-01T10:40:00Z", Code::IpNotAllowed)], &[], now()).unwrap();
    assert_eq!(store.verify_all(now()).unwrap(), before);

    let view = store.read(now()).unwrap();
    let usage = view.usage(&key(1).id).unwrap();
    assert_eq!((usage.uses, usage.denied), (2, 1));
    assert_eq!(usage.last_used_at, Some(parse_time("2026-01-01T10:30:00Z").unwrap()), "a late batch is older news");
    assert_eq!(usage.last_used_ip, Some("198.51.100.7".parse().unwrap()));
    assert_eq!(usage.last_user_agent.as_deref(), Some("canary-agent/1"));
    assert_eq!(view.usage(&key(2).id).unwrap(), crate::domain::Usage::default());
    let listed = view.keys("default", None).unwrap();
    assert!(listed.iter().any(|(one, used)| one.id == key(1).id && *used == usage));

    let counts = view.usage_counts(Some(&key(1).id), None).unwrap();
    let shown: Vec<_> = counts.iter().map(|c| (c.hour.format("%H").to_string(), c.code, c.count)).collect();
    let expected = [("09", Code::Valid, 1), ("10", Code::IpNotAllowed, 1), ("10", Code::Valid, 1)];
    assert_eq!(shown, expected.map(|(hour, code, count)| (hour.to_owned(), code, count)));
    assert_eq!(view.usage_counts(None, None).unwrap().iter().filter(|count| count.key.is_none()).count(), 1);
    let addresses = view.usage_addresses(Some(&key(1).id), None).unwrap();
    let shown: Vec<_> = addresses.iter().map(|a| (a.address.to_string(), a.uses, a.denied)).collect();
    assert_eq!(shown, [("198.51.100.7".to_owned(), 1, 1), ("192.0.2.1".to_owned(), 1, 0)]);
    let denied = view.recent_verdicts(&VerdictFilter { denied: true, ..VerdictFilter::default() }).unwrap();
    let codes: Vec<_> = denied.iter().map(|one| (one.record.key.is_some(), one.record.code)).collect();
    assert_eq!(codes, [(false, Code::Unknown), (true, Code::IpNotAllowed)]);
}

#[test]
fn each_version_of_a_secret_has_its_own_uses() {
    let vault = Vault::new();
    let mut rotated = key(7);
    let old = rotated.secrets[0].lookup.clone();
    rotated.secrets[0].state = SecretState::Dead { since: now() };
    let mut fresh = rotated.secrets[0].clone();
    fresh.lookup = "newer00000000000".parse().unwrap();
    fresh.state = SecretState::Current { until: None };
    rotated.secrets.push(fresh.clone());
    vault.put(rotated);
    let store = vault.admin();
    let of = |lookup: &Lookup, code| UsageRecord { lookup: Some(lookup.clone()), ..record(7, "2026-01-02", code) };
    let stranger: Lookup = "stranger00000000".parse().unwrap();
    let batch =
        [of(&old, Code::Revoked), of(&old, Code::Revoked), of(&fresh.lookup, Code::Valid), of(&stranger, Code::Valid)];
    store.record_usage(&batch, &[], now()).unwrap();
    let uses = store.read(now()).unwrap().secret_uses(&key(7).id).unwrap();
    let shown: Vec<_> = uses.iter().map(|one| (one.lookup.clone(), one.uses, one.denied)).collect();
    assert_eq!(shown, [(old, 0, 2), (fresh.lookup, 1, 0)], "a version the key never had leaves nothing");
    assert!(uses[0].last_used_at.is_none() && uses[0].last_denied_at.is_some() && uses[0].last_ip.is_some());
}

#[test]
fn floods_and_time_leave_only_what_is_kept() {
    let vault = Vault::new();
    let store = vault.admin();
    let mut tx = store.begin(now()).unwrap();
    let kept = Retention { verdicts_per_key: 5, addresses_per_key: 3, ..Retention::default() };
    tx.put_retention(&kept).unwrap();
    tx.commit_all(vec![event(Action::UsageRetention, "usage")]).unwrap();
    for batch in 0u8..4 {
        let flood: Vec<_> = (0u8..50)
            .map(|n| UsageRecord {
                address: Some(std::net::IpAddr::from([10, 0, batch, n])),
                ..unknown(&format!("2026-01-01T1{batch}:00:{n:02}Z"))
            })
            .collect();
        store.record_usage(&flood, &[], now()).unwrap();
    }
    store.record_usage(&[record(1, "2026-01-01T12:00:00Z", Code::Expired)], &[], now()).unwrap();
    let view = store.read(now()).unwrap();
    let all = view.recent_verdicts(&VerdictFilter::default()).unwrap();
    assert_eq!(all.len(), 6, "strangers do not push a key's own refusals out");
    let addresses: Vec<_> = view.usage_addresses(None, None).unwrap().iter().map(|a| a.address.to_string()).collect();
    assert_eq!(addresses[..3], ["10.0.3.49", "10.0.3.48", "10.0.3.47"]);
    assert_eq!(view.usage_counts(None, None).unwrap().iter().map(|count| count.count).sum::<u64>(), 201);
    drop(view);

    let later = now() + chrono::TimeDelta::days(400);
    store.record_usage(&[UsageRecord { at: later, ..record(2, "2026-01-01", Code::Valid) }], &[], later).unwrap();
    let view = store.read(later).unwrap();
    assert_eq!(view.usage_counts(None, None).unwrap().len(), 1);
    assert_eq!(view.recent_verdicts(&VerdictFilter::default()).unwrap().len(), 1);
    assert_eq!(view.usage(&key(1).id).unwrap().denied, 1, "totals stay as long as their key");
}

#[test]
fn a_deleted_key_leaves_no_facts_and_takes_none() {
    let vault = Vault::new();
    let store = vault.admin();
    store.record_usage(&[record(1, "2026-01-01", Code::Valid)], &[], now()).unwrap();
    let mut tx = store.begin(now()).unwrap();
    let gone = tx.key(&key(1).id).unwrap().unwrap();
    tx.delete_key(&gone).unwrap();
    tx.commit_all(vec![event(Action::KeyDelete, gone.id.as_str())]).unwrap();
    store.record_usage(&[record(1, "2026-01-01", Code::Valid)], &[], now()).unwrap();
    drop(store);
    let connection = Connection::open(vault.path()).unwrap();
    for table in ["usage", "secret_usage", "usage_hours", "usage_addresses", "verdicts"] {
        let rows: i64 = connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 0, "{table}");
    }
}

#[test]
fn who_used_a_key_is_sealed_and_bound_to_its_row() {
    let vault = Vault::new();
    let store = vault.admin();
    let mut denied = record(2, "2026-01-01", Code::IpNotAllowed);
    denied.detail = Some("canary-detail".to_owned());
    store
        .record_usage(&[record(1, "2026-01-01", Code::Valid), record(2, "2026-01-01", Code::Valid), denied], &[], now())
        .unwrap();
    for name in ["keystore.db", "keystore.db-wal"] {
        let bytes = std::fs::read(vault.dir.path().join(name)).unwrap();
        for canary in ["canary", "198.51.100.7"] {
            assert!(!bytes.windows(canary.len()).any(|window| window == canary.as_bytes()), "{canary} is in {name}");
        }
    }
    drop(store);
    vault.vandalise(
        "CREATE TEMP TABLE t AS SELECT seen FROM usage WHERE key_id LIKE '%2';
         UPDATE usage SET seen = (SELECT seen FROM t) WHERE key_id LIKE '%1'",
    );
    assert_eq!(vault.list_error(), "row key_0000000000000001 of usage was changed outside keyward");
}

#[test]
fn a_support_slot_reads_usage_and_records_none() {
    let vault = Vault::new();
    vault.admin().record_usage(&[record(1, "2026-01-01", Code::Valid)], &[], now()).unwrap();
    let support = vault.open(&vault.support).unwrap();
    assert!(matches!(
        support.record_usage(&[record(1, "2026-01-02", Code::Valid)], &[], now()),
        Err(Error::SupportSlot)
    ));
    assert_eq!(support.read(now()).unwrap().usage(&key(1).id).unwrap().uses, 1);
}

#[test]
fn usage_survives_a_rekey_under_the_new_keys_alone() {
    let vault = Vault::new();
    let store = vault.admin();
    store
        .record_usage(&[record(1, "2026-01-01", Code::Valid), record(1, "2026-01-01", Code::Expired)], &[], now())
        .unwrap();
    let fresh = store.capabilities().regenerate(&mut rand::rng()).unwrap();
    let plan = SlotPlan { kind: SlotKind::Device, role: SlotRole::Admin, label: None };
    let slot = Slot::create(&mut rand::rng(), &fresh, plan, &secret(), now()).unwrap();
    store.rekey(&fresh, now(), |_| Ok::<_, Error>((vec![slot.clone()], event(Action::VaultRekey, "vault_1")))).unwrap();
    drop(store);
    let store = vault.open(&slot).unwrap();
    store.record_usage(&[record(1, "2026-01-03", Code::Valid)], &[], now()).unwrap();
    let view = store.read(now()).unwrap();
    assert_eq!(view.usage(&key(1).id).unwrap().uses, 2);
    assert_eq!(view.secret_uses(&key(1).id).unwrap()[0].last_ip, Some("198.51.100.7".parse().unwrap()));
    assert_eq!(view.usage_addresses(None, None).unwrap().len(), 1, "the address is known again");
    assert_eq!(view.recent_verdicts(&VerdictFilter::default()).unwrap().len(), 3);
}

#[test]
fn a_keystore_of_the_first_format_is_brought_up_to_date() {
    let vault = Vault::new();
    vault.vandalise(
        "DROP TABLE usage; DROP TABLE secret_usage; DROP TABLE usage_hours; DROP TABLE usage_addresses;
         DROP TABLE verdicts; DROP TABLE usage_pruned;
         CREATE TABLE usage (key_id TEXT PRIMARY KEY, uses INTEGER NOT NULL, last_used_at INTEGER, address BLOB) STRICT;
         DROP TABLE spent_limits; DROP TABLE stream_cursors;
         DROP TABLE outbox; DROP TABLE webhook_deliveries; DROP TABLE told_once;
         PRAGMA user_version = 1;",
    );
    let store = vault.admin();
    store.verify_all(now()).unwrap();
    store.record_usage(&[record(1, "2026-01-01", Code::Valid)], &[], now()).unwrap();
    assert_eq!(store.read(now()).unwrap().usage(&key(1).id).unwrap().uses, 1);
    drop(store);
    vault.vandalise("PRAGMA user_version = 99");
    assert!(matches!(vault.open(&vault.slot), Err(Error::Newer { found: 99, .. })));
}

/// A rotation whose delivery is in doubt goes on with a secret that was used.
#[test]
fn a_use_that_nobody_made_is_no_evidence() {
    let vault = Vault::new();
    let store = vault.admin();
    store.record_usage(&[record(1, "2026-01-01", Code::Expired)], &[], now()).unwrap();
    assert_eq!(store.read(now()).unwrap().secret_uses(&key(1).id).unwrap()[0].uses, 0);
    vault.vandalise("UPDATE secret_usage SET uses = 1, last_used_at = last_denied_at");
    assert!(store.read(now()).unwrap().secret_uses(&key(1).id).is_err());
    store.record_usage(&[record(1, "2026-01-01", Code::Valid)], &[], now()).unwrap();
    assert_eq!(store.read(now()).unwrap().secret_uses(&key(1).id).unwrap()[0].uses, 2);
}
