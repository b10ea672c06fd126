//! The rules of the door, one test each, over buffers instead of a terminal.

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::{Value, json};

use super::*;
use crate::output::{Column, ColumnKind, Page};

const TOKEN: &str = "kw_dev_canary";

/// A stream that remembers, or fails in a given way.
#[derive(Clone, Default)]
struct Tape {
    bytes: Rc<RefCell<Vec<u8>>>,
    fails: Option<io::ErrorKind>,
}

impl Tape {
    fn text(&self) -> String {
        String::from_utf8(self.bytes.borrow().clone()).unwrap()
    }
}

impl Write for Tape {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(kind) = self.fails {
            return Err(kind.into());
        }
        self.bytes.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Desk {
    emitter: Emitter,
    out: Tape,
    err: Tape,
}

fn desk_failing(format: Format, fails: Option<io::ErrorKind>) -> Desk {
    let out = Tape { fails, ..Tape::default() };
    let err = Tape::default();
    let streams = Streams::new(Box::new(io::empty()), Box::new(out.clone()), Box::new(err.clone()));
    let options = Options {
        format,
        field: None,
        columns: Vec::new(),
        time: None,
        quiet: false,
        color: ColorPolicy::default(),
        now: "2026-03-01T00:00:00Z".parse().unwrap(),
    };
    Desk { emitter: Emitter::new(streams, options), out, err }
}

fn desk(format: Format) -> Desk {
    desk_failing(format, None)
}

fn key(name: &str) -> Value {
    json!({"id": format!("key_{name}"), "name": name, "owner": null, "uses": 3,
           "rotation": {"due_at": null, "state": "idle"}, "secrets": [{"lookup": "L0"}],
           "expires_at": "2026-03-04T00:00:00Z"})
}

fn keys(names: &[&str]) -> Report {
    let columns = [
        Column::new("name", "name", ColumnKind::Text),
        Column::new("expires_at", "expires", ColumnKind::Time),
        Column::new("rotation.due_at", "rotation due", ColumnKind::Time).wide(),
    ];
    let items: Vec<_> = names.iter().map(|name| key(name)).collect();
    let page = Page::whole(items.len());
    Report::list("keyward.key-list/v1", items, page, &columns, "name")
}

fn minted(name: &str) -> Report {
    let secret = Zeroizing::new(TOKEN.to_owned());
    Report::item("keyward.key/v1", "key", key(name), Some(("secret", secret)))
}

fn shown(name: &str) -> Report {
    Report::item("keyward.key/v1", "key", key(name), None)
}

fn usage(outcome: Result<(), EmitError>) -> (String, Vec<String>) {
    match outcome {
        Err(EmitError::Usage { message, valid }) => (message, valid),
        other => panic!("expected a usage error, got {other:?}"),
    }
}

#[test]
fn every_format_shows_a_list() {
    for (format, expected) in [
        (Format::Table, "NAME  EXPIRES\na     2026-03-04T00:00:00Z\nb     2026-03-04T00:00:00Z\n"),
        (
            Format::Wide,
            "NAME  EXPIRES               ROTATION DUE\na     2026-03-04T00:00:00Z  never\n\
             b     2026-03-04T00:00:00Z  never\n",
        ),
        (Format::Csv, "name,expires_at,rotation.due_at\r\na,2026-03-04T00:00:00Z,\r\nb,2026-03-04T00:00:00Z,\r\n"),
        (
            Format::Markdown,
            "| name | expires |\n| --- | --- |\n| a | 2026-03-04T00:00:00Z |\n| b | 2026-03-04T00:00:00Z |\n",
        ),
        (Format::Name, "a\nb\n"),
    ] {
        let mut desk = desk(format);
        desk.emitter.emit(&keys(&["a", "b"])).unwrap();
        assert_eq!(desk.out.text(), expected);
        assert_eq!(desk.err.text(), "");
    }
}

#[test]
fn json_is_one_document_and_jsonl_one_object_a_line() {
    let mut json_desk = desk(Format::Json);
    json_desk.emitter.emit(&keys(&["a", "b"])).unwrap();
    let text = json_desk.out.text();
    assert!(text.starts_with("{\n  \"schema\": \"keyward.key-list/v1\",\n  \"items\": ["));
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["page"], json!({"returned": 2, "total": 2, "truncated": false}));
    assert_eq!(value["items"][1], key("b"));

    let mut lines_desk = desk(Format::Jsonl);
    lines_desk.emitter.emit(&keys(&["a", "b"])).unwrap();
    let lines: Vec<Value> = lines_desk.out.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, [key("a"), key("b")]);
}

#[test]
fn a_flat_reply_stands_beside_its_schema() {
    let mut desk = desk(Format::Jsonl);
    let report = Report::flat("keyward.verdict/v1", json!({"valid": false}));
    desk.emitter.emit(&report).unwrap();
    assert_eq!(desk.out.text(), "{\"schema\":\"keyward.verdict/v1\",\"valid\":false}\n");
}

#[test]
fn an_empty_list_prints_no_table_and_says_so() {
    let mut table = desk(Format::Table);
    table.emitter.emit(&keys(&[])).unwrap();
    assert_eq!((table.out.text(), table.err.text()), (String::new(), "no keys\n".to_owned()));
    let mut quiet = desk(Format::Table);
    quiet.emitter.options.quiet = true;
    quiet.emitter.emit(&keys(&[])).unwrap();
    assert_eq!((quiet.out.text(), quiet.err.text()), (String::new(), String::new()));
    let mut csv = desk(Format::Csv);
    csv.emitter.emit(&keys(&[])).unwrap();
    assert_eq!(csv.out.text(), "name,expires_at,rotation.due_at\r\n");
}

#[test]
fn a_cut_list_says_so() {
    for (format, note) in [(Format::Table, "showing 1 of 9 keys\n"), (Format::Json, "")] {
        let mut desk = desk(format);
        let mut report = keys(&["a"]);
        if let Body::List { page, .. } = &mut report.body {
            *page = Some(Page { returned: 1, total: 9, truncated: true });
        }
        desk.emitter.emit(&report).unwrap();
        assert_eq!(desk.err.text(), note);
    }
}

#[test]
fn quiet_prints_ids_and_an_explicit_format_beats_it() {
    let mut human = desk(Format::Table);
    human.emitter.options.quiet = true;
    human.emitter.emit(&keys(&["a", "b"])).unwrap();
    assert_eq!(human.out.text(), "key_a\nkey_b\n");
    let mut json = desk(Format::Json);
    json.emitter.options.quiet = true;
    json.emitter.emit(&shown("a")).unwrap();
    assert!(json.out.text().starts_with('{'));
}

#[test]
fn times_are_relative_on_a_terminal_only_unless_asked() {
    let mut desk = desk(Format::Table);
    desk.emitter.streams.stdout_terminal = true;
    desk.emitter.options.columns = vec!["expires".to_owned()];
    desk.emitter.emit(&keys(&["a"])).unwrap();
    desk.emitter.options.time = Some(TimeStyle::Utc);
    desk.emitter.emit(&keys(&["a"])).unwrap();
    let text = desk.out.text().replace("\u{1b}[1m", "").replace("\u{1b}[0m", "");
    assert_eq!(text, "EXPIRES\nin 3d\nEXPIRES\n2026-03-04T00:00:00Z\n");
}

#[test]
fn chosen_columns_come_in_order_by_path_or_header() {
    let mut desk = desk(Format::Csv);
    desk.emitter.options.columns = ["uses", "Rotation-Due", "NAME"].map(str::to_owned).to_vec();
    desk.emitter.emit(&keys(&["a"])).unwrap();
    assert_eq!(desk.out.text(), "uses,rotation.due_at,name\r\n3,,a\r\n");
    desk.emitter.options.columns = vec!["nmae".to_owned()];
    for names in [&["a"][..], &[]] {
        let (message, valid) = usage(desk.emitter.emit(&keys(names)));
        assert_eq!(message, "unknown column \"nmae\"");
        assert!(valid.contains(&"name".to_owned()));
    }
}

#[test]
fn field_prints_one_raw_scalar() {
    for (path, expected) in [
        ("id", "key_a\n"),
        ("key.id", "key_a\n"),
        ("key.rotation.due_at", "\n"),
        ("rotation.state", "idle\n"),
        ("secrets.0.lookup", "L0\n"),
        ("owner", "\n"),
        ("uses", "3\n"),
        ("schema", "keyward.key/v1\n"),
    ] {
        let mut desk = desk(Format::Json);
        desk.emitter.options.field = Some(path.to_owned());
        desk.emitter.emit(&shown("a")).unwrap();
        assert_eq!(desk.out.text(), expected, "{path}");
    }
}

#[test]
fn a_wrong_field_prints_nothing_and_lists_the_valid_ones() {
    for (path, message) in [("nope", "unknown field \"nope\""), ("rotation", "\"rotation\" is not a single value")] {
        let mut desk = desk(Format::Table);
        desk.emitter.options.field = Some(path.to_owned());
        let (found, valid) = usage(desk.emitter.emit(&shown("a")));
        assert_eq!(found, message);
        assert!(valid.contains(&"rotation.due_at".to_owned()));
        assert_eq!(desk.out.text(), "");
    }
}

#[test]
fn field_of_a_list_is_a_line_an_item_or_part_of_the_document() {
    for (path, expected) in [("name", "a\nb\n"), ("page.total", "2\n"), ("items.1.id", "key_b\n")] {
        let mut desk = desk(Format::Table);
        desk.emitter.options.field = Some(path.to_owned());
        desk.emitter.emit(&keys(&["a", "b"])).unwrap();
        assert_eq!(desk.out.text(), expected);
    }
    let mut desk = desk(Format::Table);
    desk.emitter.options.field = Some("nope".to_owned());
    usage(desk.emitter.emit(&keys(&[])));
}

#[test]
fn a_secret_is_alone_on_stdout_and_its_key_is_talk() {
    let mut desk = desk(Format::Table);
    desk.emitter.emit(&minted("a")).unwrap();
    assert_eq!(desk.out.text(), "kw_dev_canary\n");
    assert!(desk.err.text().contains("key_a"));
    assert!(!desk.err.text().contains(TOKEN));
}

#[test]
fn a_quiet_secret_comes_without_talk() {
    let mut desk = desk(Format::Table);
    desk.emitter.options.quiet = true;
    desk.emitter.emit(&minted("a")).unwrap();
    desk.emitter.note("kept to itself");
    desk.emitter.warn("said");
    assert_eq!(desk.out.text(), "kw_dev_canary\n");
    assert_eq!(desk.err.text(), "warning: said\n");
}

#[test]
fn in_json_the_secret_is_a_field_and_nowhere_else() {
    for format in [Format::Json, Format::Jsonl] {
        let mut desk = desk(format);
        desk.emitter.emit(&minted("a")).unwrap();
        let text = desk.out.text();
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["secret"], TOKEN);
        assert_eq!(value["key"], key("a"));
        assert_eq!(text.matches(TOKEN).count(), 1);
        assert_eq!(desk.err.text(), "");
    }
}

#[test]
fn a_batch_is_one_document_in_json_and_a_line_each_otherwise() {
    let reports = [minted("a"), minted("b")];
    let mut json_desk = desk(Format::Json);
    json_desk.emitter.emit_batch("keyward.key-list/v1", &reports).unwrap();
    let value: Value = serde_json::from_str(&json_desk.out.text()).unwrap();
    assert_eq!(value["items"][1]["key"]["name"], "b");
    assert_eq!(value["items"][1]["secret"], TOKEN);
    assert_eq!(value["page"]["total"], 2);
    let mut table = desk(Format::Table);
    table.emitter.emit_batch("keyward.key-list/v1", &reports).unwrap();
    assert_eq!(table.out.text(), "kw_dev_canary\nkw_dev_canary\n");
}

#[test]
fn a_closed_pipe_is_fine_for_data_and_an_error_for_a_secret() {
    let mut closed = desk_failing(Format::Json, Some(io::ErrorKind::BrokenPipe));
    closed.emitter.emit(&keys(&["a"])).unwrap();
    closed.emitter.raw(b"x").unwrap();
    assert!(matches!(closed.emitter.secret(TOKEN), Err(EmitError::Write(_))));
    assert!(matches!(closed.emitter.emit(&minted("a")), Err(EmitError::Write(_))));
    closed.emitter.options.format = Format::Table;
    assert!(matches!(closed.emitter.emit(&minted("a")), Err(EmitError::Write(_))));
    let mut full = desk_failing(Format::Json, Some(io::ErrorKind::StorageFull));
    assert!(matches!(full.emitter.emit(&keys(&["a"])), Err(EmitError::Write(_))));
}

#[test]
fn a_format_without_a_place_for_the_secret_is_known_before_minting() {
    for format in Format::ALL {
        let refused = matches!(format, Format::Csv | Format::Markdown | Format::Name);
        assert_eq!(desk(format).emitter.check_secret_output().is_err(), refused, "{format}");
    }
    let mut desk = desk(Format::Table);
    desk.emitter.options.field = Some("id".to_owned());
    usage(desk.emitter.check_secret_output());
    usage(desk.emitter.emit(&minted("a")));
    assert_eq!(desk.out.text(), "");
    desk.emitter.options.field = Some("secret".to_owned());
    desk.emitter.check_secret_output().unwrap();
    desk.emitter.emit(&minted("a")).unwrap();
    assert_eq!(desk.out.text(), "kw_dev_canary\n");
}

#[test]
fn a_wrong_column_does_not_cost_the_secret() {
    let mut desk = desk(Format::Table);
    desk.emitter.options.columns = vec!["nope".to_owned()];
    desk.emitter.emit(&minted("a")).unwrap();
    assert_eq!(desk.out.text(), "kw_dev_canary\n");
    assert_eq!(desk.err.text(), "warning: unknown column \"nope\"\n");
}

#[test]
fn raw_values_are_escaped_for_a_terminal_only() {
    for (terminal, expected) in [(true, "a\\x1b[2J\n"), (false, "a\u{1b}[2J\n")] {
        let mut desk = desk(Format::Table);
        desk.emitter.streams.stdout_terminal = terminal;
        desk.emitter.options.field = Some("name".to_owned());
        desk.emitter.emit(&shown("a\u{1b}[2J")).unwrap();
        assert_eq!(desk.out.text(), expected);
    }
}

#[test]
fn where_nothing_was_minted_nothing_stands_in_the_place_of_the_secret() {
    let report = || Report::item("keyward.key/v1", "key", json!({"id": "key_1", "name": "a"}), None).minting();
    let run = |format, quiet, field: Option<&str>| {
        let mut desk = desk_failing(format, None);
        (desk.emitter.options.quiet, desk.emitter.options.field) = (quiet, field.map(str::to_owned));
        desk.emitter.emit(&report()).unwrap();
        (desk.out.text(), desk.err.text())
    };
    let (out, err) = run(Format::Table, false, None);
    assert!(out.is_empty() && err.contains("key_1"), "{out}{err}");
    assert_eq!(run(Format::Table, true, None).0, "\n");
    assert_eq!(run(Format::Table, false, Some("secret")).0, "\n");
    assert_eq!(run(Format::Json, false, Some("key.id")).0, "key_1\n");
    assert!(run(Format::Json, false, None).0.contains("key_1"));
}
