//! `audit verify`: the whole trail and every key against it; or an export, with no vault at all.

use crate::{
    backend::VerifyAudit,
    cli::{context::Ctx, input::read_file},
    domain::{checkpoint::VerifierKey, counted},
    ops::{Error, Kind, Result, audit_checkpoint::KeptCheckpoint, audit_offline::verify_export},
};
use serde_json::json;
use std::{fs::File, io::BufReader, path::PathBuf};

/// Check the whole trail, and every key against it; or an export, with no vault at all
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  keyward audit verify\n  keyward audit verify --full --checkpoint media/keyward.checkpoints\n  \
    keyward audit verify --file trail.jsonl --checkpoint cp.txt --public-key \"$(cat vault.pub)\""
)]
pub(super) struct Args {
    /// A file of checkpoints that were kept elsewhere: the trail must continue each of them; may be repeated
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    checkpoint: Vec<PathBuf>,
    /// Also read every sealed detail as the event that it is
    #[arg(long)]
    full: bool,
    /// The key that signed the checkpoints, as `audit checkpoint --public-key` prints it
    #[arg(long, value_name = "KEY")]
    public_key: Option<VerifierKey>,
    /// An export in jsonl to check instead of the vault
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, requires = "checkpoint", requires = "public_key",
        conflicts_with = "full")]
    file: Option<PathBuf>,
    /// An archive whose events are to be checked too; may be repeated
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, conflicts_with = "file")]
    archive: Vec<PathBuf>,
}

pub(super) fn run(cx: &mut Ctx, args: Args) -> Result<()> {
    let mut checkpoints = Vec::new();
    for path in &args.checkpoint {
        checkpoints.extend(KeptCheckpoint::read(&path.display().to_string(), &read_file(path)?)?);
    }
    if let (Some(file), Some(key)) = (&args.file, &args.public_key) {
        if cx.given.vault.is_some() || cx.is_chosen() {
            return Err(Error::usage("--file checks an export with no vault at all, and one is named")
                .hint("leave out --vault, --server and --profile"));
        }
        let opened = File::open(file).map_err(|error| {
            Error::new(Kind::Usage, "input", format!("cannot read {}", file.display())).cause(error.to_string())
        })?;
        let report = verify_export(BufReader::new(opened), &checkpoints, key)?;
        let beyond = report.events - report.proven;
        cx.note(&format!(
            "intact: {} of {} vouched for by a checkpoint",
            report.proven,
            counted(report.events, "event")
        ));
        if beyond > 0 {
            cx.note(&format!("the last {beyond} came after every checkpoint given: nobody vouches for them yet"));
        }
        if !cx.reply_asked() {
            return Ok(());
        }
        let reply = json!({ "ok": true, "events": report.events, "proven": report.proven, "whole": report.whole });
        return cx.flat("keyward.audit-verify/v1", reply, "ok");
    }
    let backend = cx.backend()?;
    // A server counts for itself. How many events there are is a matter of the trail's view, which a plan may not have; that
    // they are intact is none, for it shows no event.
    let size = if cx.is_remote() { 0 } else { backend.audit_size(&cx.operation())? };
    let mut bar = cx.out.progress(size, "checking events");
    let mut progress = |done: u64| bar.inc(done.saturating_sub(bar.done()));
    let request = VerifyAudit {
        full: args.full,
        checkpoints,
        key: args.public_key,
        archives: args.archive,
        progress: Some(&mut progress),
    };
    let report = backend.verify_audit(&cx.operation(), request)?;
    drop(bar);
    let continued = match report.checkpoints {
        0 => String::new(),
        1 => ", which continue the checkpoint".to_owned(),
        more => format!(", which continue {more} checkpoints"),
    };
    cx.note(&format!(
        "intact: {}{continued}; {} in agreement",
        counted(report.events, "event"),
        counted(report.keys, "key")
    ));
    if !cx.reply_asked() {
        return Ok(());
    }
    let reply = json!({
        "ok": true, "events": report.events, "keys": report.keys, "epoch": report.epoch, "root": report.root,
        "checkpoints": report.checkpoints, "archived": report.archived,
    });
    cx.flat("keyward.audit-verify/v1", reply, "ok")
}
