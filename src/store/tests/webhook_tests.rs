//! The outbox: messages wait, are tried again, die, and are read by nobody who merely has the file.

use super::*;
use crate::domain::{Message, webhook::retry_after};
use chrono::TimeDelta;

fn message(number: u8) -> Message {
    Message {
        seq: None,
        id: format!("msg_{number}"),
        webhook: "wh_1".to_owned(),
        event: "key.revoke".to_owned(),
        at: now(),
        attempts: 0,
        payload: "{\"canary\":\"canary-payload\"}".to_owned(),
    }
}

fn with_message() -> Vault {
    let vault = Vault::new();
    let store = vault.admin();
    let mut tx = store.begin(now()).unwrap();
    tx.enqueue(&message(1)).unwrap();
    tx.commit_all(vec![event(Action::KeyRevoke, key(1).id.as_str())]).unwrap();
    vault
}

#[test]
fn a_message_is_in_the_outbox_with_its_action_or_not_at_all() {
    let vault = with_message();
    let store = vault.admin();
    let mut tx = store.begin(now()).unwrap();
    tx.enqueue(&message(2)).unwrap();
    drop(tx);
    assert_eq!(store.due_messages("wh_1", now(), 9).unwrap(), [Message { seq: Some(1), ..message(1) }]);
    let file = std::fs::read(vault.path()).unwrap();
    assert!(!file.windows(14).any(|window| window == b"canary-payload"), "a payload is sealed");
}

#[test]
fn a_message_in_vain_waits_longer_each_time_and_dies() {
    let vault = with_message();
    let store = vault.admin();
    let mut time = now();
    for attempt in 1..=9 {
        let due = store.due_messages("wh_1", time, 9).unwrap();
        assert_eq!(due.len(), 1, "attempt {attempt}");
        store.sent(&[(due[0].clone(), Err("status 500".to_owned()))], time).unwrap();
        assert!(store.due_messages("wh_1", time, 9).unwrap().is_empty(), "attempt {attempt}");
        time += retry_after(attempt).unwrap();
    }
    let last = store.due_messages("wh_1", time, 9).unwrap();
    assert_eq!(last[0].attempts, 9);
    store.sent(&[(last[0].clone(), Err("status 500".to_owned()))], time).unwrap();
    time += TimeDelta::days(29);
    assert!(store.due_messages("wh_1", time, 9).unwrap().is_empty(), "a dead letter is not sent");
    let view = store.read(time).unwrap();
    assert_eq!(view.waiting_counts("wh_1").unwrap(), (0, 1));
    let waiting = view.waiting("wh_1", 9).unwrap();
    assert_eq!((waiting[0].next_at, waiting[0].error.as_deref()), (None, Some("status 500")));
    drop(view);
    store.tell_once(&[], time).unwrap();
    assert_eq!(store.read(time).unwrap().waiting_counts("wh_1").unwrap(), (0, 1));
    time += TimeDelta::days(2);
    store.tell_once(&[], time).unwrap();
    assert_eq!(store.read(time).unwrap().waiting_counts("wh_1").unwrap(), (0, 0), "nor kept for ever");
}

/// What happened within a second went out in the order of random ids, and a receiver ended with the state before the last.
#[test]
fn messages_go_out_in_the_order_in_which_things_happened() {
    let vault = Vault::new();
    let store = vault.admin();
    let numbers: Vec<u8> = (1..=40).map(|number| number * 6 % 41).collect();
    let mut tx = store.begin(now()).unwrap();
    for number in &numbers {
        let webhook = format!("wh_{}", number % 2);
        tx.enqueue(&Message { webhook, ..message(*number) }).unwrap();
    }
    tx.commit_all(vec![event(Action::KeyRevoke, key(1).id.as_str())]).unwrap();
    let due = |limit| store.due_messages("wh_1", now(), limit).unwrap();
    let ids: Vec<String> = due(99).into_iter().map(|message| message.id).collect();
    let expected = numbers.iter().filter(|number| **number % 2 == 1).map(|number| format!("msg_{number}"));
    assert_eq!(ids, expected.collect::<Vec<_>>());
    assert!(due(99).is_sorted_by_key(|message| message.seq) && due(99).iter().all(|message| message.seq.is_some()));
    // One that is tried again keeps its place, and a number is never given twice.
    store.sent(&[(due(1)[0].clone(), Err("status 500".to_owned()))], now()).unwrap();
    let last = due(99).pop().unwrap();
    store.sent(&[(last.clone(), Ok(()))], now()).unwrap();
    store
        .tell_once(&[(vec!["mark".to_owned()], Message { webhook: "wh_1".to_owned(), ..message(99) })], now())
        .unwrap();
    assert_eq!(due(99).pop().unwrap().seq, Some(41));
    let later = now() + retry_after(1).unwrap();
    assert_eq!(store.due_messages("wh_1", later, 1).unwrap()[0].id, ids[0]);
}

/// While a receiver takes nothing, few of the messages to it are tried: the others must end all the same.
#[test]
fn what_waited_behind_a_message_in_vain_dies_with_it() {
    let vault = with_message();
    let store = vault.admin();
    let late = now() + TimeDelta::days(5);
    let told = Message { at: late, ..message(2) };
    store.tell_once(&[(vec!["mark".to_owned()], told)], late).unwrap();
    let mut due = store.due_messages("wh_1", late, 9).unwrap();
    store.sent(&[(due.remove(1), Err("status 500".to_owned()))], late).unwrap();
    assert_eq!(store.read(late).unwrap().waiting_counts("wh_1").unwrap(), (1, 1));
}

#[test]
fn what_arrived_is_counted_and_gone() {
    let vault = with_message();
    let store = vault.admin();
    store.sent(&[(message(1), Ok(()))], now()).unwrap();
    let view = store.read(now()).unwrap();
    assert_eq!(view.waiting_counts("wh_1").unwrap(), (0, 0));
    assert_eq!((view.arrived("wh_1").unwrap().count, view.arrived("wh_1").unwrap().last_at), (1, Some(now())));
}

#[test]
fn what_is_told_once_is_told_at_the_shortest_lead() {
    let vault = Vault::new();
    let store = vault.admin();
    let marks = |leads: &[&str]| leads.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(store.tell_once(&[(marks(&["7d"]), message(1))], now()).unwrap(), 1);
    assert_eq!(store.tell_once(&[(marks(&["7d"]), message(2))], now()).unwrap(), 0);
    assert_eq!(store.tell_once(&[(marks(&["1d", "7d"]), message(3))], now()).unwrap(), 1);
    // Added when the end was near already: the long lead is told with the short one.
    assert_eq!(store.tell_once(&[(marks(&["other 1d", "other 7d"]), message(4))], now()).unwrap(), 1);
    assert_eq!(store.tell_once(&[(marks(&["other 7d"]), message(5))], now()).unwrap(), 0);
}

#[test]
fn a_message_that_was_moved_to_another_webhook_does_not_open() {
    let vault = with_message();
    Connection::open(vault.path()).unwrap().execute("UPDATE outbox SET webhook = 'wh_2'", []).unwrap();
    assert!(vault.admin().due_messages("wh_2", now(), 9).is_err());
}

/// The server signs what it sends: nobody but an admin puts a message into the outbox.
#[test]
fn a_message_that_a_support_slot_sealed_is_not_sent() {
    let vault = with_message();
    let support = vault.open(&vault.support).unwrap();
    let connection = Connection::open(vault.path()).unwrap();
    for old in [true, false] {
        let (name, at) = (if old { &b"outbox"[..] } else { b"message" }, now().timestamp().to_le_bytes());
        let mut fields: Vec<&[u8]> = vec![b"vault_1", name, b"msg_9", b"wh_9", b"key.revoke"];
        if !old {
            fields.push(&at);
        }
        let bound = crate::vault::seal_framed(&fields);
        let sealed = support.capabilities().seal_record(&mut rand::rng(), &bound, b"{}").unwrap();
        connection
            .execute(
                "INSERT OR REPLACE INTO outbox (id, webhook, event, at, next_at, attempts, sealed)
                 VALUES ('msg_9', 'wh_9', 'key.revoke', ?1, ?1, 0, ?2)",
                (now().timestamp(), sealed),
            )
            .unwrap();
        let store = vault.admin();
        assert!(matches!(store.due_messages("wh_9", now(), 9), Err(Error::RowTampered { table: "outbox", .. })));
        assert_eq!(store.due_messages("wh_1", now(), 9).unwrap().len(), 1);
        assert!(store.verify_all(now()).is_err());
    }
}

#[test]
fn a_mark_that_somebody_else_put_there_keeps_nobody_from_being_told() {
    let vault = Vault::new();
    vault.vandalise("INSERT INTO told_once (mark, at) VALUES ('7d', 0)");
    let store = vault.admin();
    assert_eq!(store.tell_once(&[(vec!["7d".to_owned()], message(1))], now()).unwrap(), 1);
    assert_eq!(store.tell_once(&[(vec!["7d".to_owned()], message(2))], now()).unwrap(), 0);
    store.verify_all(now()).unwrap();
}

#[test]
fn a_cursor_that_was_raised_leaves_no_event_out() {
    let vault = Vault::new();
    let store = vault.admin();
    store.put_stream_cursor("file:x", 2).unwrap();
    assert_eq!(store.read(now()).unwrap().stream_cursor("file:x").unwrap(), 2);
    assert_eq!(store.read(now()).unwrap().stream_cursor("file:y").unwrap(), 0);
    vault.vandalise("UPDATE stream_cursors SET seq = 3");
    let found = store.read(now()).unwrap().stream_cursor("file:x");
    assert!(matches!(found, Err(Error::RowTampered { table: "stream_cursors", .. })));
    assert!(store.verify_all(now()).is_err());
}
