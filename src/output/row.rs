//! A row of a reply: serialized whole for JSON, and asked for single fields by columns.
//!
//! A table shows a third of a key's fields, and most of them are text that is there already. Building every row as a
//! tree of values first would cost several times what opening the key costs; so a row may tell fields by itself, and
//! the tree is only for paths it does not know.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

use super::cell::Cell;
use super::field::find;
use crate::ops::{KeyName, KeyView};

/// Something that a reply lists or shows.
pub trait Row: Serialize {
    /// The whole row as a tree; null for what cannot be one.
    fn tree(&self) -> Cow<'_, Value> {
        Cow::Owned(serde_json::to_value(self).unwrap_or(Value::Null))
    }

    /// A field that the row tells without its tree; `None` for every other path, right or wrong.
    fn known(&self, _path: &str) -> Option<Cell<'_>> {
        None
    }

    /// A row with everything that one may have, where the fields are known beforehand: an element in every list.
    fn specimen() -> Option<Value>
    where
        Self: Sized,
    {
        None
    }

    /// The field at a dotted path.
    fn field(&self, path: &str) -> Option<Cell<'_>> {
        self.known(path).or_else(|| match self.tree() {
            Cow::Borrowed(tree) => find(tree, path).map(Cell::from),
            Cow::Owned(tree) => find(&tree, path).map(|value| Cell::from(value).into_owned()),
        })
    }
}

impl Row for Value {
    fn tree(&self) -> Cow<'_, Value> {
        Cow::Borrowed(self)
    }
}

impl<R: Row> Row for &R {
    fn specimen() -> Option<Value> {
        R::specimen()
    }

    fn tree(&self) -> Cow<'_, Value> {
        (**self).tree()
    }

    fn known(&self, path: &str) -> Option<Cell<'_>> {
        (**self).known(path)
    }
}

impl Row for KeyName {
    fn known(&self, path: &str) -> Option<Cell<'_>> {
        match path {
            "id" => Some(Cell::text(&self.id)),
            "name" => Some(Cell::text(&self.name)),
            _ => None,
        }
    }
}

/// The fields of the lists of keys.
impl Row for KeyView {
    fn specimen() -> Option<Value> {
        serde_json::to_value(Self::specimen_of_all()).ok()
    }

    fn known(&self, path: &str) -> Option<Cell<'_>> {
        Some(match path {
            "name" => Cell::text(&self.name),
            "id" => Cell::text(&self.id),
            "environment" => Cell::text(&self.environment),
            "status" => Cell::text(&self.status),
            "scopes" => Cell::Texts(&self.scopes),
            "expires_at" => Cell::optional(self.expires_at.as_deref()),
            "last_used_at" => Cell::optional(self.last_used_at.as_deref()),
            "hint" => Cell::optional(self.hint.as_deref()),
            "owner" => Cell::optional(self.owner.as_deref()),
            "project" => Cell::optional(self.project.as_deref()),
            "customers" => Cell::Texts(&self.customers),
            "allow_ips" => Cell::Texts(&self.allow_ips),
            "uses" => Cell::Number(self.uses),
            "created_at" => Cell::text(&self.created_at),
            "created_by" => Cell::text(&self.created_by),
            "rotation.due_at" => Cell::optional(self.rotation.due_at.as_deref()),
            "rotation.ends_at" => Cell::optional(self.rotation.ends_at.as_deref()),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::cell::{CellStyle, render};
    use super::super::format::TimeStyle;
    use super::super::report::ColumnKind;
    use super::*;
    use crate::ops::view::RotationView;
    use proptest::prelude::*;

    fn any_view() -> impl Strategy<Value = KeyView> {
        let texts = || proptest::collection::vec("\\PC{0,6}", 0..3);
        let text = || proptest::option::of("\\PC{0,6}");
        let time = || proptest::option::of(Just("2026-03-04T00:00:00Z".to_owned()));
        let lists = (texts(), texts(), texts());
        (lists, (time(), time(), time()), (text(), text(), text()), any::<u64>()).prop_map(
            |(lists, times, texts, uses)| {
                let (expires_at, last_used_at, due_at) = times;
                let (hint, owner, project) = texts;
                let (scopes, customers, allow_ips) = lists;
                KeyView {
                    id: "key_0123456789abcdef".to_owned(),
                    name: "a\u{1b}b".to_owned(),
                    owner,
                    environment: "staging".to_owned(),
                    project,
                    customers,
                    scopes,
                    allow_ips,
                    labels: [("team".to_owned(), "a.b".to_owned())].into(),
                    status: "active".into(),
                    created_at: "2026-03-04T00:00:01Z".to_owned(),
                    created_by: "someone".to_owned(),
                    expires_at,
                    last_used_at,
                    uses,
                    hint,
                    rotation: RotationView { due_at, ..RotationView::default() },
                    ..KeyView::default()
                }
            },
        )
    }

    proptest! {
        #[test]
        fn a_known_field_is_the_field_of_the_tree(view in any_view(), human in any::<bool>()) {
            let tree = view.tree();
            let style = CellStyle { time: TimeStyle::Utc, now: chrono::DateTime::UNIX_EPOCH, human };
            for path in super::super::field::scalar_paths(&tree).iter().map(String::as_str).chain(["scopes", "customers", "allow_ips"]) {
                let Some(known) = view.known(path) else { continue };
                let found = Cell::from(find(&tree, path).unwrap());
                for kind in [ColumnKind::Text, ColumnKind::Time, ColumnKind::List, ColumnKind::Number, ColumnKind::Duration] {
                    prop_assert_eq!(render(&known, kind, style), render(&found, kind, style), "{}", path);
                }
                prop_assert_eq!(known.is_number(), found.is_number());
            }
        }
    }
}
