use super::*;
use crate::domain::Request;

fn note(buffer: &Buffer, number: u32, code: Code, agent: &str) {
    let request = Request { ip: Some(IpAddr::from(number.to_be_bytes())), ..Request::default() };
    let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
    let facts =
        |code: Code| RequestFacts { status: code.http_status(), path: format!("/{number}"), ..RequestFacts::default() };
    let asked = Asked {
        token: "",
        request: &request,
        cost: 1,
        within: None,
        user_agent: Some(agent),
        operator: Some("gateway"),
        facts: &facts,
        now,
    };
    buffer.note(&Judged { code, key: None, secret: None, standing: None }, &asked);
}

/// A buffer that keeps nothing by itself any more until the next write.
fn pressed() -> Buffer {
    let buffer = Buffer::default();
    buffer.kept.iter().for_each(|kept| kept.store(ONE_BY_ONE, Ordering::Relaxed));
    buffer
}

fn total(batch: &Batch) -> u64 {
    batch.verdicts.iter().map(|(record, _)| record.count).sum()
}

#[test]
fn requests_are_kept_one_by_one_while_there_is_room_and_refused_ones_have_their_own() {
    let buffer = Buffer::default();
    for number in 0..ONE_BY_ONE + 500 {
        note(&buffer, number % 7, Code::Valid, "a");
    }
    for _ in 0..20 {
        note(&buffer, 1, Code::Unknown, "a");
    }
    let batch = buffer.take();
    let single =
        |code| batch.verdicts.iter().filter(|(record, _)| record.request.is_some() && record.code == code).count();
    assert_eq!(
        (single(Code::Valid), single(Code::Unknown)),
        (ONE_BY_ONE as usize, 20),
        "a flood of one leaves the other room"
    );
    assert_eq!(total(&batch), u64::from(ONE_BY_ONE) + 520, "the rest is added up");
    let (refused, _) = batch.verdicts.iter().find(|(record, _)| record.code == Code::Unknown).unwrap();
    let request = refused.request.as_ref().unwrap();
    assert_eq!((request.status, request.path.as_str(), refused.operator.as_deref()), (401, "/1", Some("gateway")));
    // There is room again after a write.
    note(&buffer, 1, Code::Valid, "a");
    assert!(buffer.take().verdicts[0].0.request.is_some());
}

#[test]
fn requests_of_operators_are_kept_while_there_is_room() {
    let buffer = Buffer::default();
    let request = |code: &str| OperatorRequest {
        at: DateTime::from_timestamp(1_700_000_000, 0).unwrap(),
        operator: None,
        name: None,
        code: code.to_owned(),
        address: None,
        user_agent: None,
        request: RequestFacts::default(),
    };
    for _ in 0..ONE_BY_ONE + 5 {
        buffer.note_request(request("AUTH"));
    }
    buffer.note_request(request(OperatorRequest::OK));
    let mut batch = buffer.take();
    assert_eq!(batch.requests.len(), ONE_BY_ONE as usize + 1);
    let written = batch.oldest(600, 0).2.len();
    batch.written(0, written);
    assert_eq!((written, batch.requests.len(), batch.is_empty()), (600, 401, false));
}

#[test]
fn equal_verdicts_are_added_up_and_taken_once() {
    let buffer = pressed();
    for (number, code, agent) in
        [(1, Code::Unknown, "a"), (1, Code::Unknown, "b"), (1, Code::Malformed, "a"), (2, Code::Unknown, "a")]
    {
        note(&buffer, number, code, agent);
    }
    assert_eq!(buffer.waiting(), 3);
    let batch = buffer.take();
    let mut counts: Vec<_> =
        batch.verdicts.iter().map(|(record, _)| (record.address.unwrap(), record.code, record.count)).collect();
    counts.sort();
    let ip = |number: u32| IpAddr::from(number.to_be_bytes());
    assert_eq!(counts, [(ip(1), Code::Malformed, 1), (ip(1), Code::Unknown, 2), (ip(2), Code::Unknown, 1)]);
    let twice = batch.verdicts.iter().find(|(record, _)| record.count == 2).map(|(record, _)| record.clone()).unwrap();
    assert_eq!((twice.user_agent.as_deref(), twice.detail.as_deref()), (Some("b"), Some("no key has this secret")));
    assert_eq!((buffer.waiting(), buffer.take().is_empty()), (0, true));
}

#[test]
fn a_flood_of_addresses_stays_within_bounds_and_every_verdict_is_counted() {
    let buffer = Buffer::default();
    for number in 0..400_000 {
        note(&buffer, number, Code::Unknown, "flood");
    }
    assert!(buffer.is_pressing());
    let most = SHARDS * (MAX_IN_SHARD + MORE_IN_SHARD) + ONE_BY_ONE as usize;
    assert!(buffer.waiting() <= most, "{}", buffer.waiting());
    let batch = buffer.take();
    assert_eq!(total(&batch) + buffer.told().dropped, 400_000);
    assert_eq!(buffer.told().dropped, 0, "verdicts of strangers can always be counted without an address");
}

#[test]
fn what_a_stranger_calls_itself_is_cut_at_a_character() {
    let buffer = Buffer::default();
    note(&buffer, 1, Code::Unknown, &"é".repeat(1_000));
    let batch = buffer.take();
    assert_eq!(batch.verdicts[0].0.user_agent.as_ref().map(String::len), Some(LONGEST_AGENT));
}

#[test]
fn what_was_written_is_dropped_from_the_end() {
    let buffer = pressed();
    (0..10).for_each(|number| note(&buffer, number, Code::Unknown, "a"));
    let mut batch = buffer.take();
    let last = batch.oldest(4, 0).0;
    batch.written(last.len(), 0);
    let rest = batch.oldest(100, 0).0;
    assert_eq!((last.len(), rest.len(), batch.verdicts.len()), (4, 6, 6));
    assert!(rest.iter().all(|record| !last.contains(record)));
}
