//! The page of the mission: its rows have tests, its commands and endpoints exist.

use crate::support::{Home, book};
use serde_json::Value;
use std::{collections::BTreeSet, path::Path};

/// The tests of the rows.
const TESTS: [&str; 7] = [
    include_str!("facts.rs"),
    include_str!("life.rs"),
    include_str!("verification.rs"),
    include_str!("roles.rs"),
    include_str!("around.rs"),
    include_str!("symptoms.rs"),
    include_str!("screen.rs"),
];

/// The cells of the rows.
fn rows() -> Vec<Vec<String>> {
    let page = book::page("mission");
    let rows = page
        .lines()
        .filter(|line| line.strip_prefix("| ").is_some_and(|row| row.starts_with(|c: char| c.is_ascii_digit())));
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// What stands between backticks.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn every_row_of_the_page_has_a_test_and_every_test_a_row() {
    let named = |row: &Vec<String>| {
        let (number, name) = row[0].split_once(' ').unwrap();
        let name: String = name.to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
        let words: Vec<&str> = name.split_whitespace().collect();
        format!("row_{:02}_{}", number.parse::<u8>().unwrap(), words.join("_"))
    };
    let rows: Vec<String> = rows().iter().map(named).collect();
    assert_eq!(rows.len(), rows.iter().collect::<BTreeSet<_>>().len());
    let tests: Vec<String> = TESTS
        .iter()
        .flat_map(|text| text.split("#[test]\nfn ").skip(1))
        .map(|rest| rest.split('(').next().unwrap().to_owned())
        .filter(|name| name.starts_with("row_"))
        .collect();
    assert_eq!(rows, tests);
}

#[test]
fn every_command_of_the_page_exists() {
    let home = Home::new();
    for row in rows() {
        assert!(!row[1].is_empty() && !row[2].is_empty(), "{row:?}");
        for command in quoted(&row[2]) {
            let words: Vec<&str> = command.split(' ').skip(1).collect();
            let named: Vec<&str> =
                words.iter().copied().filter(|word| word.bytes().all(|c| c.is_ascii_lowercase())).collect();
            let help = home.ok(&[&["help"], &named[..]].concat());
            let globals = home.ok(&["--help"]);
            for option in words.iter().filter(|word| word.starts_with("--")) {
                let is_there = help.contains(&format!("{option} ")) || help.contains(&format!("{option}\n"));
                assert!(is_there || globals.contains(&format!("{option} ")), "{command}: {help}");
            }
        }
    }
}

#[test]
fn every_endpoint_of_the_page_exists() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let document: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    for row in rows() {
        for endpoint in quoted(&row[3]) {
            let (method, path) = endpoint.split_once(' ').unwrap();
            assert!(document["paths"][path][method.to_lowercase()].is_object(), "{endpoint}");
        }
    }
}
