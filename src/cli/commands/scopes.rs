//! `scopes`: the catalogue, declared by hand, by a file or by first use, and closed against typos.

use crate::{
    cli::{bulk_file, columns, context::Ctx, csv_text::misquoted, exit::Exit, values},
    domain::{Scope, text::decode},
    ops::{
        ChangeScopes, Error, Kind, ListScopes, ObjectChange, ObjectKind, Result, ScopeChange, ScopesChanged,
        ShowObject, ShowScope, UpdateObject,
    },
};
use serde::Deserialize;
use serde_json::json;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// The catalogue of scopes
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  keyward scopes add invoices:operate --implies invoices:read --description 'change invoices'\n  \
    keyward scopes import scopes.csv\n  keyward scopes close"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the scopes and how many keys hold each
    #[command(after_help = "Example:\n  keyward scopes list -o name")]
    List,
    /// Declare a scope, or change what is told of it; an option that is left out leaves it as it is
    #[command(after_help = "Examples:\n  keyward scopes add '*:operate' --implies '*:read'\n  \
        keyward scopes add '*:operate' --description 'change things'   implies '*:read' as before\n  \
        keyward scopes add '*:operate' --implies ''                    implies nothing any more")]
    Add {
        /// The scope, as resource:level
        name: Scope,
        /// What it allows, in words; empty clears it
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        /// A scope it includes, in place of those it included; may be repeated; empty clears them
        #[arg(long, value_name = "SCOPE", value_parser = values::scope_or_empty)]
        implies: Vec<values::ScopeArg>,
    },
    /// Take a scope out of the catalogue that no key holds, by itself or by implication
    #[command(after_help = "Example:\n  keyward scopes remove invoices:operate")]
    Remove {
        /// The scope
        #[arg(add = values::scopes())]
        name: Scope,
    },
    /// Show a scope
    #[command(after_help = "Example:\n  keyward scopes show invoices:operate")]
    Show {
        /// The scope
        #[arg(add = values::scopes())]
        name: Scope,
    },
    /// Declare the scopes of a file: CSV with name,description,implies or JSONL with the same fields; what is empty stays
    #[command(after_help = "Example:\n  keyward scopes import scopes.csv")]
    Import {
        /// The file
        #[arg(value_hint = clap::ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Show or set what a new key may do that is given no scope, in this workspace
    #[command(
        after_help = "Examples:\n  keyward scopes default invoices:read     for every new key that says nothing else\n  \
        keyward scopes default                   shows them\n  keyward scopes default --none            a new key has none again"
    )]
    Default {
        /// The scopes, in place of those before
        #[arg(add = values::scopes())]
        scopes: Vec<Scope>,
        /// None: a new key that is given no scope has none
        #[arg(long, conflicts_with = "scopes")]
        none: bool,
    },
    /// Refuse scopes that are not declared
    #[command(after_help = "Example:\n  keyward scopes close")]
    Close,
    /// Declare scopes by their first use again
    #[command(after_help = "Example:\n  keyward scopes open")]
    Open,
}

/// Reads or changes the catalogue.
pub(crate) fn run(cx: &mut Ctx, args: Args) -> Result<u8> {
    match args.command {
        Command::List => list(cx)?,
        Command::Show { name } => {
            let scope = cx.backend()?.ask(&cx.operation(), &ShowScope { scope: name })?;
            cx.item("keyward.scope/v1", "scope", json!(scope), columns::SCOPES)?;
        }
        Command::Add { name, description, implies } => {
            let told = name.to_string();
            let description = description.map(values::clearable);
            change(cx, vec![ScopeChange::Add { scope: name, description, implies: implied(implies)? }], &told)?;
        }
        Command::Remove { name } => {
            let told = name.to_string();
            change(cx, vec![ScopeChange::Remove(name)], &told)?;
        }
        Command::Import { file } => {
            let changes = read(&file)?;
            change(cx, changes, &file.display().to_string())?;
        }
        Command::Default { scopes, none } => default(cx, scopes, none)?,
        Command::Close => change(cx, vec![ScopeChange::Close], "the catalogue is closed")?,
        Command::Open => change(cx, vec![ScopeChange::Open], "the catalogue is open")?,
    }
    Ok(Exit::Ok.code())
}

fn list(cx: &mut Ctx) -> Result<()> {
    let listed = cx.backend()?.ask(&cx.operation(), &ListScopes {})?;
    if listed.closed {
        cx.note("the catalogue is closed: a scope that is not in it is refused");
    }
    let rows: Vec<_> = listed.items.iter().map(|scope| json!(scope)).collect();
    let total = rows.len();
    cx.list("keyward.scope-list/v1", rows, total, columns::SCOPES)
}

/// What is to be implied; `None` where the option was left out.
fn implied(given: Vec<values::ScopeArg>) -> Result<Option<BTreeSet<Scope>>> {
    let given: Vec<Option<Scope>> = given.into_iter().map(|scope| scope.0).collect();
    if given.len() > 1 && given.contains(&None) {
        return Err(Error::usage("--implies '' takes all implications away, and another --implies names one"));
    }
    Ok((!given.is_empty()).then(|| given.into_iter().flatten().collect()))
}

fn change(cx: &mut Ctx, changes: Vec<ScopeChange>, what: &str) -> Result<()> {
    let adds = changes.iter().any(|change| matches!(change, ScopeChange::Add { .. }));
    if adds {
        cx.try_if_new(|backend, dry| backend.change(dry, ChangeScopes { changes: changes.clone() }).map(drop))?;
    }
    let backend = if adds { cx.backend_or_new()? } else { cx.backend()? };
    let ScopesChanged { changed, notes } = backend.change(&cx.operation(), ChangeScopes { changes })?;
    for note in &notes {
        cx.note(note);
    }
    let told = match (changed, cx.global.dry_run) {
        (0, _) => format!("{what}: already so"),
        (n, true) => format!("{what}: would change {n}"),
        (n, false) => format!("{what}: changed {n}"),
    };
    cx.note(&told);
    if !cx.reply_asked() {
        return Ok(());
    }
    let reply = json!({ "changed": changed, "notes": notes, "dry_run": cx.global.dry_run });
    let written = cx.flat("keyward.scope-change/v1", reply, "changed");
    cx.after_change(written)
}

/// The scopes that new keys of the workspace have when they are given none.
fn default(cx: &mut Ctx, scopes: Vec<Scope>, none: bool) -> Result<()> {
    let (backend, operation) = (cx.backend()?, cx.operation());
    let name = operation.workspace.clone();
    let asks = scopes.is_empty() && !none;
    let show = ShowObject { kind: ObjectKind::Workspace, name: name.clone() };
    let workspace = if asks {
        cx.refuse_reason()?;
        backend.ask(&operation, &show)?
    } else {
        let before = backend.ask(&operation, &show)?;
        let change = ObjectChange { default_scopes: Some(scopes), ..ObjectChange::default() };
        let request = UpdateObject { kind: show.kind, name: show.name, change };
        let changed = backend.change(&operation, request)?;
        let verb = if cx.global.dry_run { "would have" } else { "have" };
        let already = if changed == before { "already so: " } else { "" };
        let told = match changed.fields["default_scopes"].as_array().map(Vec::as_slice) {
            Some([]) | None => "no scope".to_owned(),
            Some(scopes) => scopes.iter().filter_map(|scope| scope.as_str()).collect::<Vec<_>>().join(" "),
        };
        cx.note(&format!("{already}new keys of '{name}' that are given no scope {verb} {told}"));
        if !cx.reply_asked() {
            return Ok(());
        }
        changed
    };
    let scopes = workspace.fields["default_scopes"].as_array().cloned().unwrap_or_default();
    let rows: Vec<_> = scopes.into_iter().map(|scope| json!({ "name": scope })).collect();
    let total = rows.len();
    let written = cx.list("keyward.default-scope-list/v1", rows, total, columns::DEFAULT_SCOPES);
    if asks { written } else { cx.after_change(written) }
}

/// One line of an import file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    name: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    implies: Implies,
}

/// A list in JSON; words separated by blanks or semicolons in CSV.
#[derive(Deserialize)]
#[serde(untagged)]
enum Implies {
    Words(String),
    List(Vec<String>),
}

impl Default for Implies {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

fn read(file: &Path) -> Result<Vec<ScopeChange>> {
    let bytes = std::fs::read(file).map_err(|error| {
        Error::new(Kind::Usage, "input", format!("cannot read {}", file.display())).cause(error.to_string())
    })?;
    let at = |line: u64, why: String| Error::usage(format!("{}:{line}: {why}", file.display()));
    let text = decode(&bytes).map_err(|why| at(1, why))?;
    let mut changes = Vec::new();
    if text.trim_start().starts_with('{') {
        for (line, text) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
            let read = serde_json::from_str(text).map_err(|error| at(line, error.to_string()))?;
            changes.push(declared(read).map_err(|why| at(line, why))?);
        }
        return Ok(changes);
    }
    if let Some(found) = misquoted(&text) {
        return Err(at(found.line, found.why));
    }
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let headers = reader.headers().map_err(|error| at(1, error.to_string()))?.clone();
    bulk_file::are_columns(&headers, &["name", "description", "implies"], &[]).map_err(|why| at(1, why))?;
    for record in reader.into_records() {
        let record = record.map_err(|error| at(error.position().map_or(1, csv::Position::line), error.to_string()))?;
        let line = record.position().map_or(1, csv::Position::line);
        let read = record.deserialize(Some(&headers)).map_err(|error| at(line, error.to_string()))?;
        changes.push(declared(read).map_err(|why| at(line, why))?);
    }
    Ok(changes)
}

fn declared(line: Line) -> std::result::Result<ScopeChange, String> {
    let words: Vec<String> = match line.implies {
        Implies::Words(words) => words.split([' ', ';']).filter(|word| !word.is_empty()).map(str::to_owned).collect(),
        Implies::List(list) => list,
    };
    let parse = |word: &str| word.parse::<Scope>().map_err(|error| error.to_string());
    Ok(ScopeChange::Add {
        scope: parse(&line.name)?,
        // What a line leaves empty stays as it is: a file without a column must take nothing away.
        description: line.description.filter(|text| !text.is_empty()).map(Some),
        implies: Some(words.iter().map(|word| parse(word)).collect::<std::result::Result<BTreeSet<_>, _>>()?)
            .filter(|scopes| !scopes.is_empty()),
    })
}
