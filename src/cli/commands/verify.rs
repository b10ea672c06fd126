//! `verify`: would this key be let in, and if not, why? Changes nothing, unless `--record` asks to count it as a use.

use crate::{
    cli::{columns, context::Ctx, exit::Exit, input::Source, prompt, values},
    domain::{Environment, Request, Scope, Time, Verdict},
    ops::{Error, Result, Verify, verify::Recording},
    output::{Page, Report},
};
use serde_json::{Value, json};
use std::{net::IpAddr, path::PathBuf};

/// Judge a key: is it valid, and for this request?
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  printf %s \"$API_KEY\" | keyward verify - --scope invoices:read\n  \
    keyward verify --secret-file key.txt --env production --ip 203.0.113.9 --explain\n\n\
    Exit code 0: valid. 13: not valid for this request.")]
pub(crate) struct Args {
    /// `-` reads the key from standard input
    #[arg(value_name = "-", value_parser = ["-"], conflicts_with_all = ["secret_file", "secret_fd"])]
    stdin: Option<String>,
    /// Read the key from a file
    #[arg(long, value_name = "FILE", conflicts_with = "secret_fd", value_hint = clap::ValueHint::FilePath)]
    secret_file: Option<PathBuf>,
    /// Read the key from an open file descriptor
    #[arg(long, value_name = "N")]
    secret_fd: Option<u32>,
    /// The environment of the service that asks
    #[arg(long, alias = "environment", value_name = "ENV", add = values::environments())]
    env: Option<Environment>,
    /// A scope the request needs; may be repeated
    #[arg(long, value_name = "SCOPE", add = values::scopes())]
    scope: Vec<Scope>,
    /// The project the request is about
    #[arg(long, value_name = "P")]
    project: Option<String>,
    /// The customer the request is about
    #[arg(long, value_name = "C")]
    customer: Option<String>,
    /// The address the request comes from
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<IpAddr>,
    /// Judge as of this time, or so long ago, instead of now: what has ended since then had not; everything else is as it
    /// is now
    #[arg(long, value_name = "T", value_parser = values::past)]
    at: Option<Time>,
    /// Show every check with its own verdict
    #[arg(long)]
    explain: bool,
    /// Count it: as a use of the key, or as denied
    #[arg(long, conflicts_with = "at")]
    record: bool,
    /// What the client calls itself, for --record
    #[arg(long, value_name = "TEXT", requires = "record")]
    user_agent: Option<String>,
}

/// Judges a key.
pub(crate) fn run(cx: &mut Ctx, args: Args) -> Result<u8> {
    if args.explain && cx.names_suffice() {
        return Err(Error::usage("--explain shows every check, and the code alone is asked for")
            .hint("leave out -q, or say -o json"));
    }
    let source = Source::of(args.secret_file.as_deref(), args.secret_fd, args.stdin.is_some());
    let token = match source {
        Some(source) => source.read(cx, "key")?,
        None => prompt::secret(cx, "API key")?,
    };
    let request = Request {
        environment: args.env,
        scopes: values::sorted(args.scope),
        project: args.project,
        customer: args.customer,
        ip: args.ip,
        needs_project: true,
        ..Request::default()
    };
    let record = args.record.then_some(Recording { user_agent: args.user_agent });
    let verdict = cx.backend()?.verify(&cx.operation(), &Verify { token, request, at: args.at, record })?;
    tell(cx, &verdict, args.explain)?;
    Ok(if verdict.valid { Exit::Ok } else { Exit::Denied }.code())
}

fn tell(cx: &mut Ctx, verdict: &Verdict, explain: bool) -> Result<()> {
    for note in &verdict.notes {
        cx.out.warn(note);
    }
    let mut reply = json!(verdict);
    let checks = match reply.as_object_mut().and_then(|fields| fields.remove("checks")) {
        Some(Value::Array(checks)) => checks,
        _ => return Err(Error::new(crate::ops::Kind::Internal, "verdict", "the verdict has no checks")),
    };
    if cx.program_reads() || (!explain && !cx.given.columns.is_empty()) {
        if let (true, Some(fields)) = (explain, reply.as_object_mut()) {
            fields.insert("checks".to_owned(), Value::Array(checks));
        }
        return cx.flat("keyward.verdict/v1", reply, "code");
    }
    let code = reply["code"].as_str().unwrap_or_default().to_owned();
    let key = verdict.key_id.as_deref().unwrap_or("no key that is known");
    cx.raw(format!("{code}  {key}\n").as_bytes())?;
    if explain {
        let page = Page::whole(checks.len());
        cx.emit(&Report::list("keyward.check-list/v1", shown(checks), page, columns::CHECKS, "check").uncut())?;
    } else if let Some(failed) = verdict.checks.iter().find(|check| check.ok == Some(false)) {
        cx.note(&format!("{}: {} (--explain shows every check)", failed.check, failed.detail));
    }
    if !verdict.not_asked.is_empty() {
        let options: Vec<&str> = verdict.not_asked.iter().filter_map(|what| option(what)).collect();
        cx.note(&format!(
            "the key is bound to what was not asked, and so not judged: {} ({})",
            verdict.not_asked.join(", "),
            options.join(", ")
        ));
    }
    Ok(())
}

/// The option that asks.
fn option(what: &str) -> Option<&'static str> {
    match what {
        "environment" => Some("--env"),
        "ip" => Some("--ip"),
        "customer" => Some("--customer"),
        "project" => Some("--project"),
        _ => None,
    }
}

/// Words for people: a check that was not asked or could not be reached did neither pass nor fail.
fn shown(checks: Vec<Value>) -> Vec<Value> {
    let word = |ok: &Value| match ok.as_bool() {
        Some(true) => "ok",
        Some(false) => "FAILED",
        None => "-",
    };
    checks
        .into_iter()
        .map(|check| json!({ "check": check["check"], "ok": word(&check["ok"]), "detail": check["detail"] }))
        .collect()
}
