//! `--field`: one scalar of a reply, raw, or the fields that there are.

use super::super::cell::Cell;
use super::super::field::{PathError, scalar, scalar_paths};
use super::super::report::{Body, Report};
use super::super::row::Row;
use super::{EmitError, Emitter, shown};
use crate::domain::field_path;

impl Emitter {
    pub(super) fn field<R: Row>(&mut self, report: &Report<R>, path: &str) -> Result<(), EmitError> {
        if let Some((name, secret)) = &report.secret {
            if *name == path {
                return self.write_line(secret, true);
            }
            return Err(EmitError::Usage {
                message: format!("--field {path} would lose the secret, which is shown only once"),
                valid: vec![(*name).to_owned()],
            });
        }
        if report.minting && path == "secret" {
            return self.write_line("", false);
        }
        let mut out = String::new();
        let document = document(report, path);
        let terminal = self.streams.stdout_terminal;
        let mut line = |value: &str| {
            out.push_str(&shown(value, terminal));
            out.push('\n');
        };
        if let Some(value) = document {
            line(&value);
        } else {
            let mut outcome = Ok(());
            for row in report.rows() {
                match row_scalar(row, relative(report, path)) {
                    Ok(value) => line(&value),
                    Err(error) => outcome = outcome.and(Err(error)),
                }
            }
            if report.rows().is_empty() && !report.columns.iter().any(|column| column.path == path) {
                outcome = Err(PathError::Unknown);
            }
            outcome.map_err(|error| wrong_path(report, path, error))?;
        }
        self.write(out.as_bytes(), false)
    }
}

/// The raw text of a single value of a row; null is the empty string.
fn row_scalar(row: &impl Row, path: &str) -> Result<String, PathError> {
    match row.known(path) {
        Some(Cell::Text(text)) => Ok(text.into_owned()),
        Some(Cell::Number(number)) => Ok(number.to_string()),
        Some(Cell::Null) => Ok(String::new()),
        _ => match scalar(&row.tree(), path) {
            Err(PathError::Unknown) => match field_path(path) {
                other if other != path => scalar(&row.tree(), &other),
                _ => Err(PathError::Unknown),
            },
            found => found,
        },
    }
}

/// A path that starts at the document: `schema`, `page.total`, `items.0.id`.
fn document<R: Row>(report: &Report<R>, path: &str) -> Option<String> {
    if path == "schema" {
        return Some(report.schema.to_owned());
    }
    if let (Some(existed), "existed") = (report.existed, path) {
        return Some(existed.to_string());
    }
    if report.dry_run && path == "dry_run" {
        return Some(true.to_string());
    }
    let Body::List { items, page } = &report.body else {
        return None;
    };
    if let (Some(name), Some(page)) = (path.strip_prefix("page."), page) {
        return match name {
            "returned" => Some(page.returned.to_string()),
            "total" => Some(page.total.to_string()),
            "truncated" => Some(page.truncated.to_string()),
            _ => None,
        };
    }
    let (index, rest) = path.strip_prefix("items.")?.split_once('.')?;
    row_scalar(items.get(index.parse::<usize>().ok()?)?, rest).ok()
}

/// Drops the item's own name from the front of a path.
fn relative<'a, R: Row>(report: &Report<R>, path: &'a str) -> &'a str {
    match &report.body {
        Body::Item { name, .. } => path.strip_prefix(name).and_then(|rest| rest.strip_prefix('.')).unwrap_or(path),
        _ => path,
    }
}

fn wrong_path<R: Row>(report: &Report<R>, path: &str, error: PathError) -> EmitError {
    match error {
        PathError::NotScalar(valid) => EmitError::Usage { message: format!("\"{path}\" is not a single value"), valid },
        PathError::Unknown => {
            let mut valid = report.rows().first().map(|row| scalar_paths(&row.tree())).unwrap_or_default();
            if valid.is_empty() {
                valid = report.columns.iter().map(|column| column.path.to_owned()).collect();
            }
            EmitError::Usage { message: format!("unknown field \"{path}\""), valid }
        }
    }
}
