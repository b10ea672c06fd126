//! `identify`: which keys are these, what do they open, and how are they stopped? Nothing is sent anywhere.

use crate::{
    cli::{
        columns,
        context::Ctx,
        exit::Exit,
        input::Source,
        prompt,
        scan::{self, Found, Scanned},
    },
    domain::{Brand, KeyRef, PlainToken, scan::TokenFinder},
    ops::{
        Error, Result, Switch,
        identify::{Identified, Identify, hint_of},
    },
    output::{Format, Page, Report, SarifResult, sarif},
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, path::PathBuf};
use zeroize::Zeroizing;

/// How many unreadable files are told by name.
const TOLD: usize = 10;

/// Name the keys behind secrets, or find secrets in files
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  keyward identify - < key.txt\n  keyward identify --secret-file key.txt -o json\n  \
    keyward identify --scan . -o sarif > keyward.sarif\n  keyward identify --scan - --revoke --yes < key.txt\n\n\
    Exit code 0: one key. 3: none. 6: several. 11: something could not be read."
)]
pub(crate) struct Args {
    /// `-` reads the secret, or a text that holds it, from standard input
    #[arg(value_name = "-", value_parser = ["-"], conflicts_with_all = ["secret_file", "hint", "scan"])]
    stdin: Option<String>,
    /// Read the secret from a file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["hint", "scan"], value_hint = clap::ValueHint::FilePath)]
    secret_file: Option<PathBuf>,
    /// The four characters that `list` shows, or the last ten or more of a secret
    #[arg(long, value_name = "XXXX", conflicts_with = "scan")]
    hint: Option<String>,
    /// Look for secrets in files and directories; `-` is standard input
    #[arg(long, value_name = "PATH", num_args = 1.., value_hint = clap::ValueHint::AnyPath)]
    scan: Vec<PathBuf>,
    /// Also look at what ignore files name
    #[arg(long, requires = "scan")]
    no_ignore: bool,
    /// Also look at binary files in directories
    #[arg(long, requires = "scan")]
    binary: bool,
    /// Revoke the keys whose own secret was found, after a confirmation
    #[arg(long)]
    revoke: bool,
}

/// Names keys.
pub(crate) fn run(cx: &mut Ctx, args: Args) -> Result<u8> {
    if cx.format() == Format::Sarif && args.scan.is_empty() {
        return Err(Error::usage("-o sarif needs --scan").hint("keyward identify --scan . -o sarif"));
    }
    let (mut other, mut none) = (None, None);
    let mut scanned = look(cx, &args, &mut other, &mut none)?;
    let tokens = std::mem::take(&mut scanned.found);
    let (places, tokens): (Vec<_>, Vec<_>) = tokens.into_iter().map(split).unzip();
    let hint = args.hint.as_deref().map(hint_of).transpose()?;
    let backend = cx.backend()?;
    let found = backend.identify(&cx.operation(), &Identify { tokens, other, hint })?;
    if let (Some(why), true) = (none, found.is_empty()) {
        cx.note(&why);
    }
    tell(cx, &found, &places, !args.scan.is_empty())?;
    for unread in scanned.unread.iter().take(TOLD) {
        cx.note(&format!("not read: {unread}"));
    }
    if scanned.unread.len() > TOLD {
        cx.note(&format!("not read: {} more", scanned.unread.len() - TOLD));
    }
    if args.revoke {
        revoke(cx, &found)?;
    }
    let keys: BTreeSet<&str> = found.iter().filter_map(|one| one.key_id.as_deref()).collect();
    Ok(match keys.len() {
        _ if !scanned.unread.is_empty() => Exit::Partial,
        0 => Exit::NotFound,
        1 => Exit::Ok,
        _ => Exit::Conflict,
    }
    .code())
}

/// Where a secret was found.
struct Place {
    file: Option<PathBuf>,
    line: u64,
    column: u64,
    offset: u64,
    length: usize,
}

fn split(found: Found) -> (Place, PlainToken) {
    let Found { token, file, line, column, offset, length } = found;
    (Place { file: Some(file), line, column, offset, length }, token)
}

/// What was given. A text without a token may be a secret that was issued elsewhere; if it is none, `none` says why.
fn look(
    cx: &mut Ctx,
    args: &Args,
    other: &mut Option<Zeroizing<String>>,
    none: &mut Option<String>,
) -> Result<Scanned> {
    let vault = cx.vault()?;
    let brand = if vault.exists() { vault.brand()? } else { Brand::default() };
    let finder = TokenFinder::new(&brand);
    if !args.scan.is_empty() {
        let options = scan::Options { no_ignore: args.no_ignore, binary: args.binary };
        return Ok(scan::scan(&finder, &args.scan, options, &mut *cx.out.streams.stdin));
    }
    if args.hint.is_some() {
        return Ok(Scanned::default());
    }
    let text = match Source::of(args.secret_file.as_deref(), None, args.stdin.is_some()) {
        Some(source) => source.read(cx, "secret").map_err(|error| {
            error.hint("keyward identify --scan PATH   finds secrets in anything, of any length; - is standard input")
        })?,
        None => prompt::secret(cx, "Secret")?,
    };
    let found = finder.find(text.as_bytes()).map(|(at, token)| {
        let length = token.expose_plaintext().len();
        Found { token, file: PathBuf::new(), line: 0, column: 0, offset: at as u64, length }
    });
    let scanned = Scanned { found: found.collect(), ..Scanned::default() };
    if scanned.found.is_empty() {
        let why = PlainToken::parse(&text).err().map_or_else(String::new, |error| format!(": {error}"));
        *none = Some(format!("no secret of this vault's brand '{brand}' in it{why}"));
        *other = Some(text);
    }
    Ok(scanned)
}

fn tell(cx: &mut Ctx, found: &[Identified], places: &[Place], scanned: bool) -> Result<()> {
    let rows: Vec<Value> = found
        .iter()
        .enumerate()
        .map(|(at, one)| {
            let mut row = json!(one);
            let place = places.get(at).filter(|_| scanned);
            if let Some(fields) = row.as_object_mut() {
                let file = place.and_then(|place| place.file.as_ref()).map(|file| file.display().to_string());
                fields.insert("file".to_owned(), json!(file));
                fields.insert("line".to_owned(), json!(place.map(|place| place.line)));
                fields.insert("column".to_owned(), json!(place.map(|place| place.column)));
            }
            row
        })
        .collect();
    if cx.format() == Format::Sarif {
        let results: Vec<_> = found.iter().zip(places).map(|(one, place)| sarif_result(one, place)).collect();
        let document = sarif(&[("keyward-secret", "an API key in a file")], &results);
        return cx.raw(format!("{document:#}\n").as_bytes());
    }
    let columns = if scanned { columns::FOUND } else { columns::IDENTIFIED };
    let page = Page::whole(rows.len());
    cx.emit(&Report::list("keyward.identify/v1", rows, page, columns, "key_id").without_page().noun("keys"))?;
    let commands: BTreeSet<&String> = found.iter().filter_map(|one| one.revoke.as_ref()).collect();
    for command in commands {
        cx.note(&format!("hint: {command}"));
    }
    Ok(())
}

fn sarif_result(one: &Identified, place: &Place) -> SarifResult {
    let name = one.name.as_deref().unwrap_or("a key that this vault does not know");
    let id = one.key_id.as_deref().unwrap_or("unknown");
    let mut message = format!("API key {name} ({id}, {}), {}, secret {}", one.environment, one.status, one.lookup);
    if let Some(command) = &one.revoke {
        message.push_str(&format!("; stop it with: {command}"));
    }
    SarifResult {
        rule: "keyward-secret".to_owned(),
        level: if one.works { "error" } else { "warning" },
        message,
        file: place.file.clone(),
        line: place.line,
        column: place.column,
        offset: place.offset,
        length: place.length,
        fingerprint: one.lookup.clone(),
        thing: None,
        accepted: None,
    }
}

/// Revokes what is proven: an id can be copied from a log, and must not be enough to stop somebody's key.
fn revoke(cx: &mut Ctx, found: &[Identified]) -> Result<()> {
    let mut done = BTreeSet::new();
    for one in found.iter().filter(|one| one.revoke.is_some()) {
        let (Some(id), Some(name)) = (&one.key_id, &one.name) else { continue };
        if one.genuine != Some(true) {
            cx.note(&format!("not revoked: {name} ({id}): it is not proven that this is its own secret"));
            continue;
        }
        if !done.insert(id.clone()) {
            continue;
        }
        prompt::confirm(cx, &format!("revoke {id} '{name}' of {}?", one.environment))?;
        let key: KeyRef = id.parse().map_err(|_| Error::usage("the id of the key found is no id"))?;
        let mut operation = cx.operation();
        operation.workspace = one.workspace.clone().unwrap_or(operation.workspace);
        operation.reason.get_or_insert_with(|| "leaked".to_owned());
        cx.backend()?.switch(&operation, &key, None, Switch::Revoke)?;
        let verb = if cx.global.dry_run { "would be revoked" } else { "revoked" };
        cx.note(&format!("{verb}: {name} ({id})"));
    }
    Ok(())
}
