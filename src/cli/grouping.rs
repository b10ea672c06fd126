//! Keys in groups of those that have something in common: sections of a table, nested lists in JSON.

use super::{columns, commands::list::SCHEMA, context::Ctx};
use crate::{
    ops::{KeyView, Listed, Result},
    output::{Column, Format, Page, Report, Row, Section},
};
use serde::Serialize;

const GROUPS: &str = "keyward.key-group-list/v1";

/// What keys may have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum GroupBy {
    /// Who answers for them.
    Owner,
    /// Their environment.
    #[value(alias = "environment")]
    Env,
    /// Their status.
    Status,
    /// Their project.
    Project,
}

impl GroupBy {
    /// The field of a key.
    fn path(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Env => "environment",
            Self::Status => "status",
            Self::Project => "project",
        }
    }

    fn of(self, key: &KeyView) -> Option<&str> {
        match self {
            Self::Owner => key.owner.as_deref(),
            Self::Env => Some(&key.environment),
            Self::Status => Some(&key.status),
            Self::Project => key.project.as_deref(),
        }
    }
}

/// Keys with one value in common, null for those that have none.
#[derive(Serialize)]
struct Group {
    by: &'static str,
    group: Option<String>,
    keys: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    items: Option<Vec<KeyView>>,
}

impl Row for Group {}

/// Writes keys in groups, by name, those without a value last; the order within a group is the list's.
pub(super) fn tell(cx: &mut Ctx, by: GroupBy, listed: Listed, count: bool, shown: &[Column]) -> Result<()> {
    let (mut keys, total) = (listed.items, listed.total);
    keys.sort_by(|a, b| {
        let (a, b) = (by.of(a), by.of(b));
        a.is_none().cmp(&b.is_none()).then_with(|| a.cmp(&b))
    });
    let human = matches!(cx.format(), Format::Table | Format::Wide | Format::Markdown) && !cx.out.options.quiet;
    if count || cx.format().is_json() || cx.out.options.field.is_some() {
        let whole = cx.format().is_json() && !count;
        let groups = keys.chunk_by(|a, b| by.of(a) == by.of(b)).map(|group| Group {
            by: by.path(),
            group: by.of(&group[0]).map(str::to_owned),
            keys: group.len(),
            items: whole.then(|| group.to_vec()),
        });
        let groups: Vec<Group> = groups.collect();
        let cut = keys.len() < total;
        let page = Page { returned: groups.len(), total: groups.len(), truncated: cut && cx.format() == Format::Json };
        if cut && !page.truncated {
            cx.note(&format!("showing {} of {total} keys", keys.len()));
        }
        return cx.emit(&Report::list(GROUPS, groups, page, columns::KEY_GROUPS, "group").noun("groups"));
    }
    let mut sections = Vec::new();
    for group in keys.chunk_by(|a, b| by.of(a) == by.of(b)) {
        let first = sections.last().map_or(0, |(first, group): &(usize, usize)| first + group);
        sections.push((first, group.len()));
    }
    let sections = sections.into_iter().map(|(first, count)| Section {
        heading: format!("{}: {} ({count})", by.path(), by.of(&keys[first]).unwrap_or("none")),
        first,
    });
    let sections: Vec<Section> = sections.collect();
    let (mut columns, mut rest): (Vec<Column>, Vec<Column>) = shown.iter().partition(|column| column.path == by.path());
    if human {
        // The headings say it.
        columns.clear();
    }
    columns.append(&mut rest);
    let page = Page { returned: keys.len(), total, truncated: keys.len() < total };
    cx.emit(&Report::list(SCHEMA, keys, page, &columns, "name").in_sections(sections))
}
