//! What a command has to say: one item or a list of rows with named columns.
//!
//! The JSON document is the contract; every other rendering shows fields of it. A secret is
//! kept beside the rows, in memory that is wiped, and never becomes part of one.

use serde_json::Value;
use zeroize::Zeroizing;

use super::row::Row;

/// How the cells of a column are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// As it is.
    Text,
    /// RFC 3339, shown in the chosen time style; null is "never".
    Time,
    /// When a key ends; for one that ends unless it is rotated, people see when its secret does.
    Expiry,
    /// An array or a map, joined by commas.
    List,
    /// An array, joined by commas where there is room, and else its first item and how many more there are.
    Summary,
    /// An environment, by its short word where there is little room.
    Environment,
    /// An array of `{sink, state}`, shown as "file:/run/key (delivered)".
    Deliveries,
    /// A number, right-aligned.
    Number,
    /// `{limit, window_seconds}`, shown as "100/h"; null is "none".
    RateLimit,
    /// Seconds, shown as "90d".
    Duration,
    /// `[{code, count, detail}]`, shown as "EXPIRED (3): expired 2026-01-02".
    Reasons,
    /// `[{hint, state, valid_until}]`, shown as "…a1B2 (current), …c3D4 (retiring, until 2026-01-02T03:04:05Z)".
    Secrets,
    /// The same without those that are dead, which are counted; all of them with `-o wide`.
    LiveSecrets,
}

/// One column of a table or CSV file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Dotted path into an item; also the CSV header and the name for `--columns`.
    pub path: &'static str,
    /// The table's header, shown in upper case.
    pub header: &'static str,
    /// How cells are read.
    pub kind: ColumnKind,
    /// Shown only by `-o wide` (and in CSV).
    pub wide: bool,
    /// Comes after all others in a table, and is the first to go where there is little room.
    pub late: bool,
}

impl Column {
    /// A column of every table.
    pub const fn new(path: &'static str, header: &'static str, kind: ColumnKind) -> Self {
        Self { path, header, kind, wide: false, late: false }
    }

    /// The same column, kept for `-o wide`.
    pub const fn wide(self) -> Self {
        Self { wide: true, ..self }
    }

    /// The same column, which stands last and goes first.
    pub const fn late(self) -> Self {
        Self { late: true, ..self }
    }
}

/// How much of a list is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Page {
    /// Items in this reply.
    pub returned: usize,
    /// Items that match.
    pub total: usize,
    /// Whether a limit cut the list.
    pub truncated: bool,
}

impl Page {
    /// A whole list of `total` items.
    pub fn whole(total: usize) -> Self {
        Self { returned: total, total, truncated: false }
    }
}

/// Where a part of a list begins, and what stands above it in a table or in Markdown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// What the rows have in common.
    pub heading: String,
    /// The place of its first row in the list.
    pub first: usize,
}

/// The shape of the JSON document around the value.
#[derive(Debug)]
pub(super) enum Body<R> {
    /// `{"schema":…, NAME: value}`
    Item { name: &'static str, value: R },
    /// `{"schema":…, …fields of value}`
    Flat { value: R },
    /// `{"schema":…, "items":[…], "page":{…}}`
    List { items: Vec<R>, page: Option<Page> },
}

/// One reply of a command. It has no `Debug`, for it may hold a secret.
pub struct Report<R = Value> {
    pub(super) schema: &'static str,
    pub(super) body: Body<R>,
    pub(super) secret: Option<(&'static str, Zeroizing<String>)>,
    /// Whether what was to be created was there before; of creations alone.
    pub(super) existed: Option<bool>,
    /// Nothing was changed: it is what would be.
    pub(super) dry_run: bool,
    pub(super) columns: Vec<Column>,
    pub(super) name_path: &'static str,
    pub(super) noun: Option<&'static str>,
    /// The reply of a command that mints, although this one may have minted nothing.
    pub(super) minting: bool,
    /// Its cells are sentences, which are no use cut.
    pub(super) uncut: bool,
    /// The parts of a list, in order; none for most.
    pub(super) sections: Vec<Section>,
}

impl<R: Row> Report<R> {
    /// One thing under its own name, with a secret beside it in the replies of create and rotate.
    pub fn item(
        schema: &'static str,
        name: &'static str,
        value: R,
        secret: Option<(&'static str, Zeroizing<String>)>,
    ) -> Self {
        Self::of(schema, Body::Item { name, value }, secret, "name")
    }

    /// One thing whose fields stand directly beside `schema`, such as a verdict.
    pub fn flat(schema: &'static str, value: R) -> Self {
        Self::of(schema, Body::Flat { value }, None, "name")
    }

    /// A list. `name_path` is what `-o name` prints of each item; `-q` prints `id` where items
    /// have one and `name_path` where not.
    pub fn list(schema: &'static str, items: Vec<R>, page: Page, columns: &[Column], name_path: &'static str) -> Self {
        Self::of(schema, Body::List { items, page: Some(page) }, None, name_path).with_columns(columns)
    }

    fn of(
        schema: &'static str,
        body: Body<R>,
        secret: Option<(&'static str, Zeroizing<String>)>,
        name_path: &'static str,
    ) -> Self {
        let (columns, sections) = (Vec::new(), Vec::new());
        Self {
            schema,
            body,
            secret,
            existed: None,
            dry_run: false,
            columns,
            name_path,
            noun: None,
            minting: false,
            uncut: false,
            sections,
        }
    }

    /// The columns of a table, or the lines of an item. Without them an item shows every field.
    #[must_use]
    pub fn with_columns(mut self, columns: &[Column]) -> Self {
        self.columns = columns.to_vec();
        self
    }

    /// What `-o name` prints of an item (default `name`).
    #[must_use]
    pub fn named_by(mut self, path: &'static str) -> Self {
        self.name_path = path;
        self
    }

    /// What the note about an empty list calls the things (default: from the schema's name).
    #[must_use]
    pub fn noun(mut self, plural: &'static str) -> Self {
        self.noun = Some(plural);
        self
    }

    /// Marks the reply of a command that mints: where a secret would stand there is nothing, or null, when none was
    /// minted, so that no script takes something else for the secret.
    #[must_use]
    pub fn minting(mut self) -> Self {
        self.minting = true;
        self
    }

    /// The reply of a creation: whether what was asked for was there before.
    #[must_use]
    pub fn existed(mut self, existed: bool) -> Self {
        self.existed = Some(existed);
        self
    }

    /// The reply of a change that was only tried, where it was.
    #[must_use]
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// A list of sentences: the lines of its table may be longer than the terminal is wide.
    #[must_use]
    pub fn uncut(mut self) -> Self {
        self.uncut = true;
        self
    }

    /// A list in parts, each under a heading where people read it.
    #[must_use]
    pub fn in_sections(mut self, sections: Vec<Section>) -> Self {
        self.sections = sections;
        self
    }

    /// A list whose document has no `page`.
    #[must_use]
    pub fn without_page(mut self) -> Self {
        if let Body::List { page, .. } = &mut self.body {
            *page = None;
        }
        self
    }

    /// The items of a list, or the one item.
    pub(super) fn rows(&self) -> &[R] {
        match &self.body {
            Body::Item { value, .. } | Body::Flat { value } => std::slice::from_ref(value),
            Body::List { items, .. } => items,
        }
    }

    pub(super) fn plural(&self) -> String {
        if let Some(noun) = self.noun {
            return noun.to_owned();
        }
        let word = self.schema.split('/').next().unwrap_or_default();
        let word = word.strip_prefix("keyward.").unwrap_or(word);
        format!("{}s", word.strip_suffix("-list").unwrap_or(word).replace('-', " "))
    }
}
