//! `identify`: which keys are these, what do they open, and how are they stopped? Nothing is sent anywhere.

use crate::{
    cli::{
        columns,
        context::Ctx,
        exit::Exit,
        input::Source,
        prompt,
        scan::{self, Finder, Found, Scanned},
    },
    domain::{Action, Brand, Jwt, KeyRef, PlainToken, SlotRole, counted, time::format_time, trust, why_malformed},
    ops::{
        Error, Kind, Result, Switch, SwitchKey,
        identify::{Identified, Identify, Leaked, hint_of, left_out},
        support_refused,
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
    Exit code 0: one key. 3: none, or --revoke and no secret is proven to be its key's own. 6: several. 11: something\n\
    could not be read or looked at, or --revoke left keys whose secret is not proven."
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
    if args.scan.is_empty() && (args.no_ignore || args.binary) {
        return Err(Error::usage("--no-ignore and --binary are for --scan").hint("keyward identify --scan PATH"));
    }
    let (mut other, mut none) = (None, None);
    let mut scanned = look(cx, &args, &mut other, &mut none)?;
    let secrets = std::mem::take(&mut scanned.found);
    let (places, secrets): (Vec<_>, Vec<_>) = secrets.into_iter().map(split).unzip();
    let hint = args.hint.as_deref().map(hint_of).transpose()?;
    let mut missed = other.as_deref().map_or(0, |text| left_out(text)) > 0;
    if missed {
        cx.note("not looked at: the last words of a long text; give imported secrets in pieces, or one at a time");
    }
    let (backend, mut request) = (cx.backend()?, Identify { secrets, other, hint });
    let vault = backend.vault("identify")?;
    let found = match vault.identify(&cx.operation(), &request) {
        // Whoever may not look for imported secrets still learns whose the others are.
        Err(error) if error.kind == Kind::Forbidden && !request.secrets.is_empty() && request.other.is_some() => {
            cx.note(&format!("not looked at: the words beside the secrets: {}", error.message));
            (missed, request.other) = (true, None);
            vault.identify(&cx.operation(), &request)
        }
        found => found,
    }?;
    if args.revoke && args.hint.is_none() {
        may_stop(cx, &found)?;
    }
    if let (Some(why), true) = (none, found.is_empty()) {
        cx.note(&why);
    }
    tell(cx, &found, &places, &scanned, !args.scan.is_empty())?;
    for unread in scanned.unread.iter().take(TOLD) {
        cx.note(&format!("not read: {unread}"));
    }
    if scanned.unread.len() > TOLD {
        cx.note(&format!("not read: {} more", scanned.unread.len() - TOLD));
    }
    if !args.scan.is_empty() {
        let skipped = match scanned.skipped {
            0 => String::new(),
            skipped => format!("; {} passed over: --binary reads them too", counted(many(skipped), "binary file")),
        };
        let ignored = match scanned.ignored {
            0 => String::new(),
            1 => "; 1 file that ignore files name passed over: --no-ignore reads it too".to_owned(),
            ignored => format!("; {ignored} files that ignore files name passed over: --no-ignore reads them too"),
        };
        let (files, bytes) = (counted(many(scanned.files), "file"), counted(many(scanned.bytes), "byte"));
        cx.note(&format!("scanned {files}, {bytes}{skipped}{ignored}"));
    }
    let revoked = if args.revoke { revoke(cx, &found)? } else { Revoked::default() };
    let named =
        |one: &Identified| one.key_id.clone().or_else(|| one.name.as_ref().map(|name| format!("{} {name}", one.kind)));
    let keys: BTreeSet<String> = found.iter().filter_map(named).collect();
    Ok(match keys.len() {
        _ if missed || !scanned.unread.is_empty() => Exit::Partial,
        0 => Exit::NotFound,
        _ if revoked.unproven && revoked.any => Exit::Partial,
        _ if revoked.unproven => Exit::NotFound,
        1 => Exit::Ok,
        _ => Exit::Conflict,
    }
    .code())
}

fn many(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// A slot that changes nothing stops no key; that it tried is an event.
fn may_stop(cx: &mut Ctx, found: &[Identified]) -> Result<()> {
    let Some(id) = found.iter().find_map(|one| one.key_id.as_ref()) else { return Ok(()) };
    let (backend, operation) = (cx.backend()?, cx.operation());
    if backend.vault("the state of the vault")?.status(&operation)?.role == SlotRole::Admin.as_str() {
        return Ok(());
    }
    let error = support_refused().hint("keyward identify, without --revoke, names the key");
    backend.refuse(&operation, Action::KeyRevoke, id, &error)?;
    Err(error)
}

/// Where a secret was found.
struct Place {
    file: PathBuf,
    line: u64,
    column: u64,
    character: u64,
    offset: Option<u64>,
    length: usize,
}

fn split(found: Found) -> (Place, Leaked) {
    let Found { secret, file, line, column, character, offset, length } = found;
    (Place { file, line, column, character, offset, length }, secret)
}

/// What was given. What stands beside the tokens may be a secret that was issued elsewhere; if there is no token either,
/// `none` says why.
fn look(
    cx: &mut Ctx,
    args: &Args,
    other: &mut Option<Zeroizing<String>>,
    none: &mut Option<String>,
) -> Result<Scanned> {
    let vault = cx.vault()?;
    let brand = if vault.exists()? { vault.brand()? } else { Brand::default() };
    let finder = Finder::new(&brand)?;
    if !args.scan.is_empty() {
        let options = scan::Options { no_ignore: args.no_ignore, binary: args.binary };
        let _at_work = cx.at_work("looking for secrets");
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
    let found = finder.find(text.as_bytes()).into_iter().map(|seen| {
        let (offset, length, secret) = (Some(seen.at as u64), seen.length, seen.secret);
        Found { secret, file: PathBuf::new(), line: 0, column: 0, character: 0, offset, length }
    });
    let scanned = Scanned { found: found.collect(), ..Scanned::default() };
    if scanned.found.is_empty() {
        let why = PlainToken::parse(&text).err().map(|error| format!(": {}", why_malformed(error, &text)));
        let none_of_ours = || format!("no secret of this vault's brand '{brand}' in it{}", why.unwrap_or_default());
        *none = Some(of_a_job(text.trim()).unwrap_or_else(none_of_ours));
        *other = Some(text);
    } else {
        let rest = without(&text, &scanned.found);
        *other = (!rest.trim().is_empty()).then_some(rest);
    }
    Ok(scanned)
}

/// What the token of a job says of itself. Whether it is genuine is for a server to say, which asks its issuer.
fn of_a_job(text: &str) -> Option<String> {
    let claims = Jwt::parse(text).ok()?.claims;
    let (issuer, job) = (trust::shown(claims.issuer().unwrap_or("nobody")), trust::actor(&claims));
    let ends = claims.expires_at().map_or_else(|| "never".to_owned(), format_time);
    Some(format!(
        "no key: it is a token of a job, of {issuer} as it says, for {job}, and ends {ends}; keyward operators trust list shows whom such tokens let in"
    ))
}

/// A text with a space in the place of each token.
fn without(text: &str, tokens: &[Found]) -> Zeroizing<String> {
    let mut rest = Zeroizing::new(String::with_capacity(text.len()));
    let mut from = 0;
    for found in tokens {
        let at = found.offset.map_or(0, |at| usize::try_from(at).unwrap_or(usize::MAX));
        rest.push_str(text.get(from..at).unwrap_or_default());
        rest.push(' ');
        from = at.saturating_add(found.length);
    }
    rest.push_str(text.get(from..).unwrap_or_default());
    rest
}

fn tell(cx: &mut Ctx, found: &[Identified], places: &[Place], read: &Scanned, scanned: bool) -> Result<()> {
    let rows: Vec<Value> = found
        .iter()
        .enumerate()
        .map(|(at, one)| {
            let mut row = json!(one);
            let place = places.get(at).filter(|_| scanned);
            if let Some(fields) = row.as_object_mut() {
                let file = place.map(|place| place.file.display().to_string());
                fields.insert("file".to_owned(), json!(file));
                fields.insert("line".to_owned(), json!(place.map(|place| place.line)));
                fields.insert("column".to_owned(), json!(place.map(|place| place.column)));
            }
            row
        })
        .collect();
    if cx.format() == Format::Sarif {
        let results: Vec<_> = found.iter().zip(places).map(|(one, place)| sarif_result(one, place)).collect();
        let document = sarif(&[("keyward-secret", "an API key in a file")], &results, &read.unread);
        return cx.raw(format!("{document:#}\n").as_bytes());
    }
    let columns = if scanned { columns::FOUND } else { columns::IDENTIFIED };
    let page = Page::whole(rows.len());
    cx.emit(&Report::list("keyward.identify/v1", rows, page, columns, "key_id").without_page().noun("keys"))?;
    let commands: BTreeSet<&String> = found.iter().filter_map(|one| one.revoke.as_ref()).collect();
    if commands.is_empty() {
        return Ok(());
    }
    // Whoever may only look hands it on.
    let (backend, operation) = (cx.backend()?, cx.operation());
    let stops = backend.vault("the state of the vault")?.status(&operation)?.role == SlotRole::Admin.as_str();
    let whose = if stops { "" } else { "   (for an administrator: this slot changes nothing)" };
    for command in commands {
        cx.note(&format!("hint: {command}{whose}"));
    }
    Ok(())
}

fn sarif_result(one: &Identified, place: &Place) -> SarifResult {
    let mut message = match (one.kind, one.name.as_deref()) {
        ("operator", name) => format!("credential of the operator {}, {}", name.unwrap_or("unknown"), one.status),
        ("recovery", Some(slot)) => format!("recovery code of this vault, {slot}"),
        ("recovery", None) => "recovery code of another vault, or one that opens nothing any more".to_owned(),
        (_, name) => {
            let name = name.unwrap_or("a key that this vault does not know");
            let id = one.key_id.as_deref().unwrap_or("unknown");
            let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "unknown".to_owned());
            let (environment, lookup) = (known(&one.environment), known(&one.lookup));
            format!("API key {name} ({id}, {environment}), {}, secret {lookup}", one.status)
        }
    };
    if let Some(command) = &one.revoke {
        message.push_str(&format!("; stop it with: {command}"));
    }
    SarifResult {
        rule: "keyward-secret".to_owned(),
        level: if one.works { "error" } else { "warning" },
        message,
        file: place.file.clone(),
        line: place.line,
        column: place.character,
        offset: place.offset,
        length: place.length,
        fingerprint: one.lookup.clone().or_else(|| one.name.clone()).unwrap_or_default(),
        thing: None,
        accepted: None,
    }
}

/// What came of the revocations.
#[derive(Debug, Clone, Copy, Default)]
struct Revoked {
    /// A key was stopped.
    any: bool,
    /// A key was not, for nothing proves that the secret is its own.
    unproven: bool,
}

/// Revokes what is proven: an id can be copied from a log, and must not be enough to stop somebody's key. A key whose secret
/// was replaced since goes on: what leaked opens nothing.
fn revoke(cx: &mut Ctx, found: &[Identified]) -> Result<Revoked> {
    let mut done = BTreeSet::new();
    let mut revoked = Revoked::default();
    for one in found {
        if let ("operator" | "recovery", Some(command)) = (one.kind, &one.revoke) {
            cx.note(&format!("not stopped: it is no key; hint: {command}"));
            revoked.unproven = true;
            continue;
        }
        let (Some(id), Some(name)) = (&one.key_id, &one.name) else { continue };
        if one.revoke.is_none() {
            let what = if matches!(one.status, "active" | "inactive") { "this secret of it" } else { "it" };
            cx.note(&format!("not revoked: {name} ({id}): {what} opens nothing any more"));
            continue;
        }
        let elsewhere =
            one.workspace.as_ref().filter(|own| cx.given.workspace.as_ref().is_some_and(|named| named != *own));
        if let Some(own) = elsewhere {
            cx.note(&format!("not revoked: {name} ({id}): it is of the workspace '{own}'"));
            revoked.unproven = true;
            continue;
        }
        if one.genuine != Some(true) {
            cx.note(&format!("not revoked: {name} ({id}): it is not proven that this is its own secret"));
            revoked.unproven = true;
            continue;
        }
        if !done.insert(id.clone()) {
            continue;
        }
        let environment = one.environment.as_deref().unwrap_or("unknown");
        prompt::confirm(cx, &format!("revoke {id} '{name}' of {environment}?"))?;
        let key: KeyRef = id.parse().map_err(|_| Error::usage("the id of the key found is no id"))?;
        let mut operation = cx.operation();
        operation.workspace = one.workspace.clone().unwrap_or(operation.workspace);
        operation.reason.get_or_insert_with(|| "leaked".to_owned());
        cx.backend()?.switch(&operation, SwitchKey::of(key, Switch::Revoke))?;
        let verb = if cx.global.dry_run { "would be revoked" } else { "revoked" };
        cx.note(&format!("{verb}: {name} ({id})"));
        revoked.any = true;
    }
    Ok(revoked)
}
