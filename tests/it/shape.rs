//! The shape of a reply follows from what was typed and not from what was found: one operand is one object; several, a filter
//! or standard input are a list, whatever the number. Every combination, on a local vault and through a server.

use crate::support::{
    Home, Ran,
    door::{Door, Doors},
};
use serde_json::Value;
use std::collections::BTreeSet;

/// What names keys, what stands on standard input, and whether it means one key.
const OPERANDS: [(&str, &str, bool); 8] = [
    ("a", "", true),
    ("a --items", "", false),
    ("a b", "", false),
    ("a a", "", false),
    ("a nobody", "", false),
    ("-", "a\n", false),
    ("-", "a\nb\n", false),
    ("-", "", false),
];

const COMMANDS: [&str; 6] =
    ["show", "activate", "deactivate", "revoke", "rotate --now", "rotate --now --deliver file:{name}.key"];

fn run(door: &Door<'_>, command: &str, operands: &str, stdin: &str, format: &str) -> Ran {
    let line = format!("{command} {operands} -o {format}");
    door.run(&line.split(' ').collect::<Vec<_>>(), stdin)
}

/// The names of the fields of an object.
fn fields(value: &Value) -> BTreeSet<String> {
    value.as_object().unwrap_or_else(|| panic!("{value}")).keys().cloned().collect()
}

fn furnish(home: &Home) {
    for name in ["a", "b"] {
        home.ok(&["create", name, "--label", "team=x"]);
    }
}

#[test]
fn one_operand_is_an_object_and_anything_else_a_list() {
    let doors = Doors::new();
    furnish(&doors.local);
    furnish(&doors.behind);
    for door in [doors.here(), doors.there()] {
        // A revoked key gets no other secret: the end of the commands' list goes on with new ones.
        for command in COMMANDS.iter().filter(|command| **command != "revoke").chain(["revoke"].iter()) {
            for (operands, stdin, single) in OPERANDS {
                let what = format!("{command} {operands} < {stdin:?}");
                let ran = run(&door, command, operands, stdin, "json");
                let partial = operands.contains("nobody");
                assert_eq!(ran.code, Some(if partial { 11 } else { 0 }), "{what}: {ran:?}");
                if command.starts_with("rotate") && stdin.is_empty() && operands == "-" {
                    continue;
                }
                let reply: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{what}: {ran:?}"));
                assert_eq!(reply["key"].is_object(), single, "{what}: {reply:#}");
                assert_eq!(reply["items"].is_array(), !single, "{what}: {reply:#}");
                if !single {
                    let schema = if command.starts_with("rotate") { "minted-list" } else { "key-list" };
                    assert_eq!(reply["schema"], format!("keyward.{schema}/v1"), "{what}");
                    assert_eq!(reply["page"]["returned"], reply["items"].as_array().unwrap().len(), "{what}");
                }
            }
        }
    }
}

#[test]
fn lines_and_rows_have_one_form_however_many_there_are() {
    let doors = Doors::new();
    furnish(&doors.local);
    furnish(&doors.behind);
    for door in [doors.here(), doors.there()] {
        for command in COMMANDS.iter().filter(|command| **command != "revoke").chain(["revoke"].iter()) {
            let (mut lines, mut headers) = (BTreeSet::new(), BTreeSet::new());
            for (operands, stdin, _) in OPERANDS {
                let ran = run(&door, command, operands, stdin, "jsonl");
                for line in ran.stdout.lines() {
                    lines.insert(fields(&serde_json::from_str(line).unwrap_or_else(|_| panic!("{command}: {ran:?}"))));
                }
                let ran = run(&door, command, operands, stdin, "csv");
                // A secret has no place in CSV.
                if command.starts_with("rotate") && !command.contains("--deliver") {
                    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{command}");
                    continue;
                }
                let mut reader = csv::Reader::from_reader(ran.stdout.as_bytes());
                headers.insert(reader.headers().unwrap().iter().collect::<Vec<_>>().join(","));
                assert!(reader.records().all(|row| row.is_ok()), "one header: {command} {operands}: {ran:?}");
            }
            assert_eq!(lines.len(), 1, "{command}: {lines:#?}");
            assert!(headers.len() <= 1, "{command}: {headers:#?}");
        }
    }
}

#[test]
fn a_list_is_a_list_also_of_one_and_of_none() {
    let doors = Doors::new();
    furnish(&doors.local);
    furnish(&doors.behind);
    for door in [doors.here(), doors.there()] {
        let mut headers = BTreeSet::new();
        for filter in ["", "--name a", "--name nobody", "--label team=y"] {
            let args: Vec<&str> = ["list"].into_iter().chain(filter.split_whitespace()).collect();
            let json = door.run(&[&args[..], &["-o", "json"]].concat(), "");
            let reply: Value = serde_json::from_str(&json.stdout).unwrap();
            assert!(reply["items"].is_array() && reply["page"].is_object(), "{args:?}: {reply:#}");
            let csv = door.run(&[&args[..], &["-o", "csv"]].concat(), "").stdout;
            headers.insert(csv.lines().next().unwrap().to_owned());
            // Whether a key has a label says nothing of whether there is a column for it.
            let labels =
                door.run(&[&args[..], &["-o", "csv", "--columns", "name,labels.team,label.nosuch"]].concat(), "");
            assert!(labels.stdout.starts_with("name,labels.team,labels.nosuch\r\n"), "{args:?}: {labels:?}");
        }
        assert_eq!(headers.len(), 1, "{headers:#?}");
    }
}

#[test]
fn the_lines_of_a_run_are_results_and_its_summary_is_talk() {
    let doors = Doors::new();
    for (door, vault) in [(doors.here(), &doors.local), (doors.there(), &doors.behind)] {
        for name in ["a", "b"] {
            vault.ok(&["create", name, "--rotate-every", "30d"]);
        }
        let run = |within: &str, format: &str| {
            let line =
                format!("rotate --due --due-within {within} --yes --max 9 --deliver file:{{name}}.key -n -o {format}");
            door.run(&line.split(' ').collect::<Vec<_>>(), "")
        };
        let ran = run("31d", "jsonl");
        let schemas: Vec<Value> =
            ran.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["schema"].clone()).collect();
        assert_eq!(schemas, ["keyward.rotation-result/v1", "keyward.rotation-result/v1"], "{ran:?}");
        assert!(ran.stderr.contains("\"schema\":\"keyward.rotation-run/v1\""), "{ran:?}");
        let (some, none) = (run("31d", "csv"), run("1s", "csv"));
        assert_eq!(some.stdout.lines().next(), none.stdout.lines().next(), "{none:?}");
        assert!(run("1s", "jsonl").stdout.is_empty());
    }
}

#[test]
fn several_keys_decide_alike_about_one_that_is_not_there() {
    let doors = Doors::new();
    furnish(&doors.local);
    furnish(&doors.behind);
    for door in [doors.here(), doors.there()] {
        for command in ["show", "activate", "deactivate", "rotate --now -q", "rotate --now --deliver file:{name}.key"] {
            let run = |operands: &str| {
                let line = format!("{command} {operands}");
                let ran = door.run(&line.split(' ').collect::<Vec<_>>(), "");
                (ran.code, ran.stderr.contains("no key 'nobody'"))
            };
            assert_eq!(run("a nobody"), (Some(11), true), "{command}");
            assert_eq!(run("nobody b"), (Some(11), true), "{command}");
            assert_eq!(run("nobody nowhere"), (Some(3), true), "{command}");
            assert_eq!(run("nobody"), (Some(3), true), "{command}");
        }
    }
}

#[test]
fn what_stands_on_standard_input_is_judged_like_an_operand() {
    let home = Home::new();
    furnish(&home);
    assert_eq!(home.run_with(&["show", "-", "-o", "name"], "a\r\n\nb\n").stdout, "a\nb\n");
    assert_eq!(home.run_with(&["show", "-", "b"], "a\n").code, Some(2));
    let short = home.run_with(&["show", "-"], "a\nkey_1\n");
    assert!(short.code == Some(2) && short.stderr.contains("stdin:2:"), "{short:?}");
    let secret = home.ok(&["-q", "create", "c"]);
    let told = home.run_with(&["revoke", "-"], &secret);
    assert!(told.code == Some(2) && !told.stderr.contains(&secret[10..]), "{told:?}");
    let piped = home.shell("keyward list --name '[ab]' -o name | keyward deactivate - --reason tidy && keyward list -o csv --columns name,status");
    assert!(piped.stdout.contains("a,inactive") && piped.stdout.contains("b,inactive"), "{piped:?}");
}

/// Which columns there are follows from what was typed: a list in which no key has what a column shows has it empty.
#[test]
fn a_column_is_one_whatever_was_found() {
    let doors = Doors::new();
    for door in [doors.here(), doors.there()] {
        door.run(&["-q", "create", "plain"], "");
        door.run(&["-q", "create", "full", "--scope", "a:read", "--label", "team=x", "--allow-ip", "10.0.0.0/8"], "");
        door.run(&["-q", "rotate", "full"], "");
        let full: Value = serde_json::from_str(&door.run(&["-o", "json", "show", "full"], "").stdout).unwrap();
        let mut paths = Vec::new();
        paths_of(&full["key"], "", &mut paths);
        paths.extend(["secrets.5.hint", "denials.0.code", "customers.0", "labels.other", "secrets"].map(str::to_owned));
        let listed = |name: &str, path: &str| {
            let ran = door.run(&["list", "--name", name, "-o", "csv", "--columns", path], "");
            (ran.code, ran.stdout.lines().next().map(str::to_owned))
        };
        for path in paths {
            for name in ["full", "plain", "none-of-them"] {
                assert_eq!(listed(name, &path), (Some(0), Some(path.clone())), "{name}");
            }
        }
        for wrong in ["secrets.0.nope", "secrets.1.nope", "nope", "rotation.nope", "nope.0"] {
            for name in ["full", "plain", "none-of-them"] {
                assert_eq!(listed(name, wrong), (Some(2), None), "{wrong} {name}");
            }
        }
        for action in ["key.create", "key.rotate", "key.delete"] {
            for path in ["changes.scope", "changes.key.name"] {
                let ran = door.run(&["audit", "list", "--action", action, "-o", "csv", "--columns", path], "");
                assert_eq!((ran.code, ran.stdout.lines().next()), (Some(0), Some(path)), "{action}: {ran:?}");
            }
        }
    }
}

/// The paths of all scalars.
fn paths_of(value: &Value, before: &str, paths: &mut Vec<String>) {
    let at = |part: &str| if before.is_empty() { part.to_owned() } else { format!("{before}.{part}") };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, inner)| paths_of(inner, &at(name), paths)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, inner)| paths_of(inner, &at(&index.to_string()), paths));
        }
        _ => paths.push(before.to_owned()),
    }
}
