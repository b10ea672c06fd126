use super::*;
use crate::domain::Request;

fn note(buffer: &Buffer, number: u32, code: Code, agent: &str) {
    let request = Request { ip: Some(IpAddr::from(number.to_be_bytes())), ..Request::default() };
    let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
    let asked = Asked { token: "", request: &request, cost: 1, within: None, user_agent: Some(agent), now };
    buffer.note(&Judged { code, key: None, secret: None, standing: None }, &asked);
}

fn total(batch: &Batch) -> u64 {
    batch.0.iter().map(|(record, _)| record.count).sum()
}

#[test]
fn equal_verdicts_are_added_up_and_taken_once() {
    let buffer = Buffer::default();
    for (number, code, agent) in
        [(1, Code::Unknown, "a"), (1, Code::Unknown, "b"), (1, Code::Malformed, "a"), (2, Code::Unknown, "a")]
    {
        note(&buffer, number, code, agent);
    }
    assert_eq!(buffer.waiting(), 3);
    let batch = buffer.take();
    let mut counts: Vec<_> =
        batch.0.iter().map(|(record, _)| (record.address.unwrap(), record.code, record.count)).collect();
    counts.sort();
    let ip = |number: u32| IpAddr::from(number.to_be_bytes());
    assert_eq!(counts, [(ip(1), Code::Malformed, 1), (ip(1), Code::Unknown, 2), (ip(2), Code::Unknown, 1)]);
    let twice = batch.0.iter().find(|(record, _)| record.count == 2).map(|(record, _)| record.clone()).unwrap();
    assert_eq!((twice.user_agent.as_deref(), twice.detail.as_deref()), (Some("b"), Some("no key has this secret")));
    assert_eq!((buffer.waiting(), buffer.take().len()), (0, 0));
}

#[test]
fn a_flood_of_addresses_stays_within_bounds_and_every_verdict_is_counted() {
    let buffer = Buffer::default();
    for number in 0..400_000 {
        note(&buffer, number, Code::Unknown, "flood");
    }
    assert!(buffer.is_pressing());
    assert!(buffer.waiting() <= SHARDS * (MAX_IN_SHARD + MORE_IN_SHARD), "{}", buffer.waiting());
    let batch = buffer.take();
    assert_eq!(total(&batch) + buffer.told().dropped, 400_000);
    assert_eq!(buffer.told().dropped, 0, "verdicts of strangers can always be counted without an address");
}

#[test]
fn what_a_stranger_calls_itself_is_cut_at_a_character() {
    let buffer = Buffer::default();
    note(&buffer, 1, Code::Unknown, &"é".repeat(1_000));
    let batch = buffer.take();
    assert_eq!(batch.0[0].0.user_agent.as_ref().map(String::len), Some(LONGEST_AGENT));
}

#[test]
fn what_was_written_is_dropped_from_the_end() {
    let buffer = Buffer::default();
    (0..10).for_each(|number| note(&buffer, number, Code::Unknown, "a"));
    let mut batch = buffer.take();
    let (last, _) = batch.last(4, 0);
    batch.written(last.len());
    let (rest, _) = batch.last(100, 0);
    assert_eq!((last.len(), rest.len(), batch.len()), (4, 6, 6));
    assert!(rest.iter().all(|record| !last.contains(record)));
}
