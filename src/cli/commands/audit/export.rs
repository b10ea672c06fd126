//! `audit export`: events for other systems, and for outsiders to check.

use super::{filter::Filter, list::listing};
use crate::{
    cli::context::Ctx,
    domain::counted,
    ops::{
        Error, Result,
        audit_export::Exported,
        audit_format::{cef, event_json, ocsf, syslog},
    },
    output::{Format, Page, Report},
};
use std::path::PathBuf;

/// Export events; the export is itself recorded first, and is its own last line
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  keyward audit export > trail.jsonl\n  keyward audit export --format csv --since 2026-01-01 > trail.csv\n  \
    keyward audit export --key billing-sync --checkpoint-out cp.txt > story.jsonl\n  keyward audit export --format syslog > trail.log"
)]
pub(super) struct Args {
    /// jsonl (which `audit verify --file` checks), csv, cef, ocsf (1.5.0, one JSON object a line) or syslog (RFC 5424)
    /// [default: jsonl; -o csv and -o json are heeded]
    #[arg(long, value_name = "FORMAT", value_parser = ["jsonl", "csv", "cef", "ocsf", "syslog"])]
    format: Option<String>,
    /// Write the checkpoint that covers the export to this new file
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    checkpoint_out: Option<PathBuf>,
    #[command(flatten)]
    filter: Filter,
}

pub(super) fn run(cx: &mut Ctx, args: Args) -> Result<()> {
    let filter = args.filter.resolve(cx);
    let document = cx.format() == Format::Json;
    let format = match (args.format, cx.format()) {
        (Some(lines), Format::Json) => {
            return Err(Error::usage(format!("-o json is one document, and --format {lines} writes lines"))
                .hint("leave one of them out"));
        }
        (Some(lines), format) if cx.given.output.is_some() && lines != format.as_str() => {
            return Err(Error::usage(format!("-o {format} and --format {lines} exclude each other"))
                .hint("leave one of them out"));
        }
        (Some(format), _) => format,
        (None, Format::Csv) => "csv".to_owned(),
        (None, _) => "jsonl".to_owned(),
    };
    if let Some(path) = &args.checkpoint_out {
        cx.may_create("--checkpoint-out", path)?;
    }
    if format != "csv" && !document {
        cx.refuse_layout(&[Format::Jsonl], "an export is written as a line for each event")?;
    }
    let backend = cx.backend()?;
    let operation = cx.operation();
    if args.checkpoint_out.as_ref().is_some_and(|path| path.symlink_metadata().is_ok()) {
        return Err(Error::conflict("exists", "the file for the checkpoint exists").hint("choose a new file"));
    }
    let mut rows = Vec::new();
    let mut read = true;
    let mut take = |exported: &Exported| {
        let line = match format.as_str() {
            "jsonl" if document => {
                rows.push(exported.to_json());
                return Ok(());
            }
            "csv" => {
                rows.push(event_json(&exported.recorded));
                return Ok(());
            }
            "cef" => cef(&exported.recorded),
            "syslog" => syslog(&exported.recorded),
            "ocsf" => ocsf(&exported.recorded, &exported.vault_id()).to_string(),
            _ => exported.to_json().to_string(),
        };
        if read {
            read = cx.stream_line(&line)?;
        }
        Ok(())
    };
    let (events, signed) = backend.export_audit(&operation, &filter, &format, &mut take)?;
    if cx.global.dry_run {
        cx.note(&format!("would export {}, and record it", counted(events, "event")));
        return Ok(());
    }
    if document {
        let page = Page::whole(rows.len());
        cx.emit(&Report::list("keyward.audit-export/v1", rows, page, &[], "seq"))?;
    } else if format == "csv" {
        let total = rows.len();
        cx.out.options.format = Format::Csv;
        cx.emit(&listing(rows, total))?;
    }
    if let Some(path) = args.checkpoint_out {
        crate::files::create_private(&path)
            .and_then(|mut file| std::io::Write::write_all(&mut file, signed.note.to_string().as_bytes()))
            .map_err(|error| Error::cannot_write(&path, &error))?;
    }
    Ok(())
}
