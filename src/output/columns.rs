//! Which columns a table or CSV file has: the command's, the wide ones, or the user's choice.

use std::borrow::Cow;

use serde_json::Value;

use super::cell::Cell;
use super::emitter::EmitError;
use super::field::{find, scalar_paths};
use super::report::{Column, ColumnKind, Report};
use super::row::Row;
use crate::domain::field_path;

/// When the secret of a key ends that has no end of its own.
const ENDS_UNLESS_ROTATED: &str = "rotation.ends_at";
/// Objects whose fields are different ones in every row: any name is one of theirs.
const OPEN: [&str; 2] = ["labels", "changes"];

/// A column that was chosen; the path may come from the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Picked {
    pub(super) path: String,
    pub(super) header: String,
    pub(super) kind: ColumnKind,
    /// Goes first where there is little room.
    pub(super) late: bool,
}

impl Picked {
    fn from_path(path: &str) -> Self {
        Self { path: path.to_owned(), header: path.replace(['_', '.'], " "), kind: guess(path), late: false }
    }

    fn of(column: &Column) -> Self {
        let Column { path, header, kind, late, .. } = *column;
        Self { path: path.to_owned(), header: header.to_owned(), kind, late }
    }

    /// The column's field of a row.
    pub(super) fn cell<'a>(&self, row: &'a impl Row) -> Cell<'a> {
        let cell = row.field(&self.path).unwrap_or(Cell::Null);
        match row.field(ENDS_UNLESS_ROTATED).filter(|_| self.kind == ColumnKind::Expiry && cell == Cell::Null) {
            // Neither text nor null, so that it is told from the end of the key.
            Some(Cell::Text(end)) => Cell::Tree(Cow::Owned(Value::String(end.into_owned()))),
            _ => cell,
        }
    }
}

/// The kind of a field nobody declared, by the naming rules of the JSON.
fn guess(path: &str) -> ColumnKind {
    match path.rsplit('.').next().unwrap_or(path) {
        "at" | "valid_until" => ColumnKind::Time,
        "denials" => ColumnKind::Reasons,
        "secrets" => ColumnKind::Secrets,
        "rate_limit" | "max_rate_limit" => ColumnKind::RateLimit,
        name if name.ends_with("_at") => ColumnKind::Time,
        name if name.ends_with("_seconds") => ColumnKind::Duration,
        _ => ColumnKind::Text,
    }
}

/// Picks the columns. `wanted` comes from `--columns`; an unknown one is refused with the list.
pub(super) fn pick<R: Row>(report: &Report<R>, wanted: &[String], wide: bool) -> Result<Vec<Picked>, EmitError> {
    if !wanted.is_empty() {
        return wanted.iter().map(|word| choose(report, word.trim())).collect();
    }
    if report.columns.is_empty() {
        let first = report.rows().first();
        return Ok(first.map_or_else(Vec::new, |row| undeclared(&row.tree())));
    }
    let mut picked: Vec<Picked> = report.columns.iter().filter(|column| wide || !column.wide).map(Picked::of).collect();
    if wide {
        let live = picked.iter_mut().filter(|column| column.kind == ColumnKind::LiveSecrets);
        live.for_each(|column| column.kind = ColumnKind::Secrets);
    } else {
        picked.sort_by_key(|column| column.late);
    }
    Ok(picked)
}

/// One column for every field of an item, objects of scalars spelled out.
fn undeclared(item: &Value) -> Vec<Picked> {
    let Value::Object(fields) = item else {
        return Vec::new();
    };
    let mut picked = Vec::new();
    for (name, value) in fields {
        let nested = matches!(value, Value::Object(inner) if !inner.is_empty())
            && name != "labels"
            && guess(name) != ColumnKind::RateLimit;
        if nested {
            picked.extend(scalar_paths(value).iter().map(|path| Picked::from_path(&format!("{name}.{path}"))));
        } else {
            picked.push(Picked::from_path(name));
        }
    }
    picked
}

fn choose<R: Row>(report: &Report<R>, word: &str) -> Result<Picked, EmitError> {
    let same = |name: &str| {
        name.len() == word.len()
            && name
                .bytes()
                .zip(word.bytes())
                .all(|(a, b)| a.eq_ignore_ascii_case(&b) || (a == b' ' && matches!(b, b'-' | b'_')))
    };
    let declared = report.columns.iter();
    if let Some(column) = declared.clone().find(|column| same(column.path) || same(column.header)) {
        return Ok(Picked { late: false, ..Picked::of(column) });
    }
    let rows = report.rows();
    let path = field_path(word);
    for path in [word, &path] {
        if rows.iter().any(|row| row.field(path).is_some()) {
            return Ok(Picked::from_path(path));
        }
    }
    if let Some(column) = declared.clone().find(|column| column.path == path) {
        return Ok(Picked { path, header: column.header.to_owned(), kind: column.kind, late: false });
    }
    if is_believed(report, &path) {
        return Ok(Picked::from_path(&path));
    }
    let mut valid: Vec<String> = declared.map(|column| column.path.to_owned()).collect();
    for path in rows.first().map(|row| scalar_paths(&row.tree())).unwrap_or_default() {
        if !valid.contains(&path) {
            valid.push(path);
        }
    }
    Err(EmitError::Usage { message: format!("unknown column \"{word}\""), valid })
}

/// Whether a path that no row has is one all the same: which columns there are follows from what was typed, and not from
/// what was found. Lists may have more elements in another row, and some objects other fields.
fn is_believed<R: Row>(report: &Report<R>, path: &str) -> bool {
    let (root, rest) = path.split_once('.').unwrap_or((path, ""));
    if let Some(specimen) = R::specimen() {
        return (OPEN.contains(&root) && !rest.is_empty()) || find(&specimen, &of_the_first(path)).is_some();
    }
    let rows = report.rows();
    let known = report.columns.iter().any(|column| column.path.split('.').next() == Some(root))
        || rows.iter().any(|row| row.field(root).is_some());
    known && !rest.is_empty() && (rows.is_empty() || OPEN.contains(&root) || is_of_an_element(rows, path))
}

/// The same path, with the first element of every list in it.
fn of_the_first(path: &str) -> String {
    let is_index = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    path.split('.').map(|part| if is_index(part) { "0" } else { part }).collect::<Vec<_>>().join(".")
}

/// Whether a path names an element of a list, and what elements have that are there.
fn is_of_an_element<R: Row>(rows: &[R], path: &str) -> bool {
    let parts: Vec<&str> = path.split('.').collect();
    let Some(at) = parts.iter().position(|part| part.parse::<usize>().is_ok()) else { return false };
    let (list, rest) = (parts[..at].join("."), parts[at + 1..].join("."));
    let mut elements = 0;
    let found = rows.iter().any(|row| {
        let tree = row.tree();
        let Some(Value::Array(items)) = find(&tree, &list) else { return false };
        elements += items.len();
        items.iter().any(|item| rest.is_empty() || find(item, &rest).is_some())
    });
    found || elements == 0
}
