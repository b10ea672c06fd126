//! `import`: keys that were issued elsewhere, as digests; their old secrets go on working.

use crate::{
    backend::{Backend, BulkError},
    cli::{bulk, bulk_file, bulk_line::request, columns, context::Ctx, exit::Exit, input::Source},
    domain::{Form, counted},
    ops::{Context, Create, Created, Error, Import, Result},
};
use std::path::PathBuf;

/// Import keys that were issued elsewhere, as SHA-256 digests of their secrets
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  keyward import old-keys.csv --dry-run\n  keyward import old-keys.csv --reason \"moving in\"\n  \
    keyward import old-keys.csv --prefix acme_live_ --salt-file salt.txt --salt-last\n\n\
    The file is CSV or JSONL with the fields of `create --from`, and beside them:\n  digest   SHA-256 of the secret: 64 \
    hexadecimal digits, or base64 with either alphabet; sha256: may stand before it\n  hint     the last characters of the \
    secret, to tell keys apart (optional)\n\n\
    With --salt-file the digest is that of the salt followed by the secret, with --salt-last of the secret followed by the\n\
    salt. The old secrets go on working through `verify` and the server until the next rotation, which mints a secret of\n\
    keyward's own. What has the shape of such a secret is never looked up as an imported one."
)]
pub(crate) struct Args {
    /// The file, CSV or JSONL; `-` is standard input
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    file: PathBuf,
    /// What every secret of the file begins with; others are never tried against it
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,
    /// A file with the salt that was hashed together with each secret
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    salt_file: Option<PathBuf>,
    /// The salt came after the secret, not before it
    #[arg(long, requires = "salt_file")]
    salt_last: bool,
}

/// Imports a file, all or nothing.
pub(crate) fn run(cx: &mut Ctx, args: Args) -> Result<u8> {
    let salt = match Source::of(args.salt_file.as_deref(), None, false) {
        Some(source) => Some((*source.read(cx, "salt")?).clone()),
        None => None,
    };
    let form = Form { prefix: args.prefix.filter(|prefix| !prefix.is_empty()), salt, salt_last: args.salt_last };
    let (text, place) = bulk::read(cx, &args.file)?;
    let (mut requests, mut numbers, mut wrong) = (Vec::new(), Vec::new(), Vec::new());
    let defaults = Create::named(String::new());
    let read =
        bulk_file::lines(&text, ["digest", "hint"], |number, line| match line.and_then(|line| one(line, &defaults)) {
            Ok(request) => {
                requests.push(request);
                numbers.push(number);
            }
            Err(why) => wrong.push((number, Error::usage(why))),
        });
    read.map_err(|(line, why)| bulk::unusable(&place, line, why))?;
    let import = |backend: &dyn Backend, cx: &Context, requests, heard: &mut dyn FnMut(usize)| {
        let vault = backend.vault("importing keys").map_err(BulkError::Whole)?;
        vault.import(cx, &form, requests, heard)
    };
    if !wrong.is_empty() {
        let judge = |backend: &dyn Backend, dry: &Context| import(backend, dry, requests, &mut |_| ()).err();
        return Err(bulk::all_refused(cx, &place, "imported", wrong, &numbers, judge));
    }
    if cx.rehearse_if_new()? {
        let dry = Context { dry_run: true, ..cx.operation() };
        let tried = import(&*cx.backend()?, &dry, requests.clone(), &mut |_| ());
        tried.map(drop).map_err(|error| bulk::failed(cx, &place, "imported", error, &numbers))?;
    }
    let backend = cx.backend_or_new()?;
    let imported = {
        let mut progress = cx.out.progress(requests.len() as u64, "importing keys");
        let mut told = 0;
        let mut heard = |done: usize| {
            progress.inc(done.saturating_sub(told) as u64);
            told = done;
        };
        import(&*backend, &cx.operation(), requests, &mut heard)
    };
    let imported = imported.map_err(|error| bulk::failed(cx, &place, "imported", error, &numbers))?;
    tell(cx, imported)
}

fn one((line, [digest, hint]): bulk_file::Read<2>, defaults: &Create) -> std::result::Result<Import, String> {
    let key = request(line, defaults)?;
    if key.idempotency_key.is_some() {
        return Err("idempotency_key: the secret itself says which key is meant".to_owned());
    }
    let digest = digest.ok_or("digest is missing: the SHA-256 of the secret")?;
    let digest = digest.parse().map_err(|why| format!("digest: {why}"))?;
    let short = |hint: &String| hint.len() <= 8 && hint.bytes().all(|byte| byte.is_ascii_graphic());
    if hint.as_ref().is_some_and(|hint| !short(hint)) {
        return Err("hint: at most the last 8 characters of the secret".to_owned());
    }
    Ok(Import { key, digest, hint })
}

fn tell(cx: &mut Ctx, imported: Vec<Created>) -> Result<u8> {
    let mut notes: Vec<&String> = imported.iter().flat_map(|one| &one.notes).collect();
    notes.dedup();
    for note in notes {
        cx.note(note);
    }
    let verb = if cx.global.dry_run { "would import" } else { "imported" };
    cx.note(&format!("{verb} {}; each gets a secret of its own at its next rotation", counted(imported.len(), "key")));
    if cx.reply_asked() {
        let total = imported.len();
        let keys: Vec<_> = imported.into_iter().map(|one| one.key).collect();
        let written = cx.list("keyward.key-list/v1", keys, total, columns::KEYS);
        cx.after_change(written)?;
    }
    Ok(Exit::Ok.code())
}
