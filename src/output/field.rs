//! Dotted paths into a reply: `--field`, and the cells of columns.
//!
//! A path is read against the whole document first and then relative to the item, so that
//! `key.rotation.due_at` and `rotation.due_at` mean the same.

use serde_json::Value;

/// Objects that may be null as a whole: their fields are valid paths even then.
const OPTIONAL: [(&str, &[&str]); 3] = [
    ("rate_limit", &["limit", "window_seconds"]),
    ("max_rate_limit", &["limit", "window_seconds"]),
    ("excepted", &["until", "reason"]),
];

/// Why a path names no scalar.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PathError {
    /// Nothing has that path.
    Unknown,
    /// It names an array or object with these scalars in it.
    NotScalar(Vec<String>),
}

/// Finds a value. Map keys may themselves contain dots; the shortest key that leads on wins.
pub(super) fn find<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    match value {
        Value::Object(fields) => {
            if let Some(found) = fields.get(path) {
                return Some(found);
            }
            path.match_indices('.').find_map(|(at, _)| {
                let (head, rest) = (&path[..at], &path[at + 1..]);
                match fields.get(head)? {
                    Value::Null if is_optional(head, rest) => Some(&Value::Null),
                    inner => find(inner, rest),
                }
            })
        }
        Value::Array(items) => {
            let (head, rest) = path.split_once('.').unwrap_or((path, ""));
            let item = items.get(head.parse::<usize>().ok()?)?;
            if rest.is_empty() { Some(item) } else { find(item, rest) }
        }
        _ => None,
    }
}

fn is_optional(name: &str, field: &str) -> bool {
    OPTIONAL.iter().any(|(object, fields)| *object == name && fields.contains(&field))
}

/// The raw text of a scalar; null is the empty string.
pub(super) fn scalar(value: &Value, path: &str) -> Result<String, PathError> {
    match find(value, path).ok_or(PathError::Unknown)? {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.clone()),
        inner @ (Value::Array(_) | Value::Object(_)) => {
            Err(PathError::NotScalar(scalar_paths(inner).into_iter().map(|rest| format!("{path}.{rest}")).collect()))
        }
        other => Ok(other.to_string()),
    }
}

/// The paths of all scalars in a value, in its order.
pub(super) fn scalar_paths(value: &Value) -> Vec<String> {
    let mut paths = Vec::new();
    collect(value, "", &mut paths);
    paths
}

fn collect(value: &Value, prefix: &str, paths: &mut Vec<String>) {
    let join = |name: &str| {
        if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
    };
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                let optional = OPTIONAL.iter().find(|(object, _)| object == name);
                match (inner, optional) {
                    (Value::Null, Some((_, fields))) => {
                        paths.push(join(name));
                        paths.extend(fields.iter().map(|field| join(&format!("{name}.{field}"))));
                    }
                    _ => collect(inner, &join(name), paths),
                }
            }
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                collect(inner, &join(&index.to_string()), paths);
            }
        }
        _ => paths.push(prefix.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn key() -> Value {
        json!({"id": "key_1", "uses": 3, "rate_limit": null, "scopes": [],
               "labels": {"a.b": "c"}, "rotation": {"due_at": null, "state": "idle"},
               "secrets": [{"lookup": "L0"}]})
    }

    #[test]
    fn scalars_are_raw_and_null_is_empty() {
        assert_eq!(scalar(&key(), "id"), Ok("key_1".to_owned()));
        assert_eq!(scalar(&key(), "uses"), Ok("3".to_owned()));
        assert_eq!(scalar(&key(), "rotation.due_at"), Ok(String::new()));
        assert_eq!(scalar(&key(), "secrets.0.lookup"), Ok("L0".to_owned()));
        assert_eq!(scalar(&key(), "labels.a.b"), Ok("c".to_owned()));
        assert_eq!(scalar(&key(), "rate_limit.limit"), Ok(String::new()));
    }

    #[test]
    fn other_paths_are_refused() {
        for path in ["nope", "id.x", "rotation.", "secrets.1.lookup", "rate_limit.x", "", "rotation.due_at.x"] {
            assert_eq!(scalar(&key(), path), Err(PathError::Unknown), "{path}");
        }
        let paths = vec!["rotation.due_at".to_owned(), "rotation.state".to_owned()];
        assert_eq!(scalar(&key(), "rotation"), Err(PathError::NotScalar(paths)));
        assert_eq!(scalar(&key(), "scopes"), Err(PathError::NotScalar(Vec::new())));
    }

    #[test]
    fn every_listed_path_is_a_scalar() {
        let paths = scalar_paths(&key());
        assert!(paths.contains(&"secrets.0.lookup".to_owned()));
        for path in paths {
            assert!(scalar(&key(), &path).is_ok(), "{path}");
        }
    }
}
