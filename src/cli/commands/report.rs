//! `report`: what expires, what nobody uses, what should be rotated, who owns it; as a table or as a page.

use crate::{
    cli::{columns, context::Ctx, exit::Exit, hygiene, operand::KeysOf, values},
    domain::{KeyFilter, Status, counted, hygiene::Policy},
    files::{self, Obstacle},
    ops::{
        Check, Error, Finding, KeyView, Kind, List, Result,
        report::{self, Overview, STALE_AFTER},
    },
    output::{Column, Page, Report, page},
};
use chrono::TimeDelta;
use serde::Serialize;
use serde_json::{Value, json};
use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

/// Report on all keys: what expires, is stale, or should be rotated, and who owns it
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  keyward report\n  keyward report --html keys.html\n  keyward report stale -o markdown"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    of: KeysOf,
    /// Write everything, and what `check` finds, into one page that needs nothing else: no script, no network; `-` is
    /// standard output
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    html: Option<PathBuf>,
    /// The policy of the findings, as of `check` [default: check.toml in the configuration directory, else the built-in one]
    #[arg(long, value_name = "FILE", requires = "html", value_hint = clap::ValueHint::FilePath)]
    policy: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Working keys that nobody uses, the longest idle first
    #[command(after_help = "Example:\n  keyward report stale --unused-for 30d -o csv")]
    Stale {
        #[command(flatten)]
        of: KeysOf,
        /// Not used for this time [default: 90d]
        #[arg(long, value_name = "D", value_parser = values::duration)]
        unused_for: Option<TimeDelta>,
    },
    /// Keys that will expire, the soonest first
    #[command(after_help = "Example:\n  keyward report expiry --within 30d -o markdown")]
    Expiry {
        #[command(flatten)]
        of: KeysOf,
        /// Within this time [default: 90d]
        #[arg(long, value_name = "D", value_parser = values::duration)]
        within: Option<TimeDelta>,
    },
    /// Keys that are rotated from time to time, the first due first
    #[command(after_help = "Example:\n  keyward report rotation --env production")]
    Rotation {
        #[command(flatten)]
        of: KeysOf,
    },
    /// How many keys each owner has, and of what kind
    #[command(after_help = "Example:\n  keyward report owners -o csv")]
    Owners {
        #[command(flatten)]
        of: KeysOf,
    },
}

/// Writes a report.
pub(crate) fn run(cx: &mut Ctx, args: Args) -> Result<u8> {
    match args.command {
        None => match args.html {
            Some(file) => write_page(cx, args.of, args.policy.as_deref(), &file)?,
            None => summary(cx, args.of)?,
        },
        Some(Command::Stale { of, unused_for }) => {
            let keys = keys(cx, of)?;
            let rows = report::stale(&keys, cx.now, unused_for.unwrap_or(STALE_AFTER));
            list(cx, "keyward.stale-report/v1", &rows, columns::STALE)?;
        }
        Some(Command::Expiry { of, within }) => {
            let keys = keys(cx, of)?;
            let rows = report::expiring(&keys, cx.now, within.unwrap_or(STALE_AFTER));
            list(cx, "keyward.expiry-report/v1", &rows, columns::EXPIRING)?;
            let never = report::counts(&keys, cx.now).no_expiry;
            if never > 0 {
                cx.note(&format!("never expire: {never} (keyward list --no-expiry shows them)"));
            }
        }
        Some(Command::Rotation { of }) => {
            let keys = keys(cx, of)?;
            let rows = report::rotation(&keys);
            list(cx, "keyward.rotation-report/v1", &rows, columns::ROTATED)?;
        }
        Some(Command::Owners { of }) => {
            let keys = keys(cx, of)?;
            let rows = tree(&report::owners(&keys, cx.now));
            let page = Page::whole(rows.len());
            cx.emit(&Report::list("keyward.owner-report/v1", rows, page, columns::OWNERS, "owner").noun("owners"))?;
        }
    }
    Ok(Exit::Ok.code())
}

/// Whether a report is of the whole workspace.
fn is_of_all(of: &KeysOf) -> bool {
    of.env.is_none() && of.owner.is_none() && of.project.is_none() && !of.mine
}

/// The keys of all statuses.
fn keys(cx: &mut Ctx, of: KeysOf) -> Result<Vec<KeyView>> {
    let filter = KeyFilter {
        statuses: Some(Status::ALL.into()),
        environment: of.env,
        owner: of.owner,
        mine: of.mine,
        project: of.project,
        ..KeyFilter::default()
    };
    Ok(cx.backend()?.list(&cx.operation(), &List { filter })?.items)
}

fn tree<R: Serialize>(rows: &[R]) -> Vec<Value> {
    rows.iter().map(|row| json!(row)).collect()
}

fn list<R: Serialize>(cx: &mut Ctx, schema: &'static str, rows: &[R], columns: &[Column]) -> Result<()> {
    let page = Page::whole(rows.len());
    cx.emit(&Report::list(schema, tree(rows), page, columns, "name").noun("keys"))
}

fn summary(cx: &mut Ctx, of: KeysOf) -> Result<()> {
    let all = is_of_all(&of);
    let keys = keys(cx, of)?;
    if all {
        // A review that the workspace prescribes, and that is late.
        for finding in findings(cx, Policy::of_prescribed_reviews(), &[], true)?.0 {
            cx.note(&format!("{} ({})", finding.message, finding.fix));
        }
    }
    let counts = json!(report::counts(&keys, cx.now));
    cx.emit(&Report::flat("keyward.report/v1", counts).with_columns(columns::COUNTS).named_by("keys"))
}

/// What `check` finds in these keys. Where it may not be asked, the page says so: the rest of it is worth having.
fn findings(cx: &mut Ctx, policy: Policy, keys: &[KeyView], all: bool) -> Result<(Vec<Finding>, Vec<String>)> {
    let checked = match cx.backend()?.ask(&cx.operation(), &Check { policy, mine: false }) {
        Ok(checked) => checked,
        Err(error) if matches!(error.kind, Kind::Usage | Kind::Forbidden) => {
            return Ok((Vec::new(), vec![error.message]));
        }
        Err(error) => return Err(error),
    };
    let these: HashSet<&str> = keys.iter().map(|key| key.id.as_str()).collect();
    let mut findings = checked.findings;
    findings.retain(|finding| finding.key_id.as_deref().map_or(all, |id| these.contains(id)));
    Ok((findings, checked.unasked))
}

/// The file that a page replaces; a pipe, a device or a link into nowhere is not replaced by one.
fn place(file: &Path) -> Result<PathBuf> {
    files::regular(file).map(|(real, _)| real).map_err(|obstacle| {
        let refused = Error::new(Kind::Usage, "report", format!("cannot write {}", file.display()));
        let hint = if matches!(obstacle, Obstacle::Special) { "keyward report --html - > FILE" } else { "name a file" };
        refused.cause(obstacle.to_string()).hint(hint)
    })
}

/// Writes the page, whole or not at all; only its owner can read it.
fn write_page(cx: &mut Ctx, of: KeysOf, policy: Option<&Path>, file: &Path) -> Result<()> {
    let place = if file == Path::new("-") {
        None
    } else {
        cx.may_write("--html", file)?;
        Some(place(file)?)
    };
    if place.is_none() && cx.reply_asked() {
        return Err(Error::usage("standard output holds the page or a reply about it, not both")
            .hint("keyward report --html FILE -o json")
            .hint("leave out -o, --field and -q"));
    }
    let policy = hygiene::policy(cx, policy)?;
    hygiene::note_ended(cx, &policy);
    let workspace = cx.operation().workspace;
    let all = is_of_all(&of);
    let keys = keys(cx, of)?;
    let (findings, unasked) = findings(cx, policy, &keys, all)?;
    let text = page::html(&Overview { findings, unasked, ..report::overview(&keys, &workspace, cx.now) });
    let Some(place) = place else { return cx.raw(text.as_bytes()) };
    let (path, bytes) = (file.display(), text.len());
    if cx.global.dry_run {
        cx.note(&format!("would be written: {path} ({})", counted(keys.len(), "key")));
    } else {
        files::write_private_atomic(&place, text.as_bytes()).map_err(|error| {
            Error::new(Kind::of_io(&error), "report", format!("cannot write {path}")).cause(error.to_string())
        })?;
        cx.note(&format!("written: {path} ({})", counted(keys.len(), "key")));
    }
    if cx.reply_asked() {
        let reply = json!({ "file": path.to_string(), "bytes": bytes, "keys": keys.len() });
        cx.flat("keyward.report-page/v1", reply, "file")?;
    }
    Ok(())
}
