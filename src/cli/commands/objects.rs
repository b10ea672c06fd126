//! What `workspaces`, `projects`, `customers` and `plans` share: list, create, show, update, delete.

use crate::{
    cli::{context::Ctx, exit::Exit, prompt},
    ops::{ObjectChange, ObjectKind, Result},
    output::Column,
};

/// The names that the replies of a kind carry.
pub(super) struct Words {
    /// Which kind.
    pub(super) kind: ObjectKind,
    /// The schema of one.
    pub(super) schema: &'static str,
    /// The schema of a list.
    pub(super) list_schema: &'static str,
    /// The columns.
    pub(super) columns: &'static [Column],
}

/// What to do with objects of a kind.
pub(super) enum Verb {
    List,
    Show(String),
    Create(String, ObjectChange),
    Update(String, ObjectChange),
    Delete(String),
}

/// Does it, and tells.
pub(super) fn run(cx: &mut Ctx, words: &Words, verb: Verb) -> Result<u8> {
    let (backend, operation, kind) = (cx.backend()?, cx.operation(), words.kind);
    match verb {
        Verb::List => {
            let rows: Vec<_> = backend.objects(&operation, kind)?.into_iter().map(|object| object.fields).collect();
            let total = rows.len();
            cx.list(words.list_schema, rows, total, words.columns)?;
        }
        Verb::Show(name) => {
            let object = backend.object(&operation, kind, &name)?;
            cx.item(words.schema, kind.noun(), object.fields, words.columns)?;
        }
        Verb::Create(name, change) => {
            let object = backend.create_object(&operation, kind, &name, change)?;
            told(cx, words, "created", "would create", object)?;
        }
        Verb::Update(name, change) => {
            let object = backend.update_object(&operation, kind, &name, change)?;
            told(cx, words, "updated", "would update", object)?;
        }
        Verb::Delete(name) => {
            backend.object(&operation, kind, &name)?;
            prompt::confirm(cx, &format!("Delete the {} '{name}'?", kind.noun()))?;
            let object = backend.delete_object(&operation, kind, &name)?;
            told(cx, words, "deleted", "would delete", object)?;
        }
    }
    Ok(Exit::Ok.code())
}

fn told(cx: &mut Ctx, words: &Words, did: &str, would: &str, object: crate::ops::ObjectView) -> Result<()> {
    let verb = if cx.global.dry_run { would } else { did };
    cx.note(&format!("{verb} the {} '{}'", words.kind.noun(), object.name));
    cx.item_if_asked(words.schema, words.kind.noun(), object.fields, words.columns)
}
