//! `help`: a command's help, or one of the topics that belong to no command.

use crate::{
    cli::{columns, command, context::Ctx, exit, help_text, recipes},
    domain::{Code, Door, closest},
    ops::{Error, Kind, Result},
    output::{Page, Report},
};
use serde_json::json;
use std::ffi::OsString;

const TOPICS: [&str; 6] = ["recipes", "exit-codes", "verdicts", "environment", "output", "ci"];

const SCHEMA: &str = "keyward.help/v1";

const ENVIRONMENT: &str = "\
Environment variables. An option on the command line beats its variable, a variable beats config.toml.

  KEYWARD_OUTPUT      -o, --output: table, wide, json, jsonl, csv, markdown or name
  KEYWARD_TIME        --time: relative, local or utc
  KEYWARD_WORKSPACE   --workspace
  KEYWARD_VAULT       --vault: the directory of the vault
  KEYWARD_SERVER      --server: the server to work through, in place of a vault
  KEYWARD_PROFILE     --profile: a server that you have logged in to
  KEYWARD_TOKEN_FILE  --token-file: the file with the credential for it
  KEYWARD_SECRET_FILE --secret-file of `self`: the file with the key that you hold
  KEYWARD_TOKEN       the credential itself, where there is no place for a file
  KEYWARD_OIDC        github: a job of GitHub Actions asks its host for a token, and shows it to the server
  KEYWARD_OIDC_AUDIENCE  whom that token is for; the address of the server when it is not set
  KEYWARD_CA_FILE     --ca-file: certificates to trust besides the system's
  KEYWARD_KEY_FILE    --key-file: what opens the vault, a device key or a recovery code
  KEYWARD_PASSPHRASE_FILE  --passphrase-file: the file with the passphrase of the vault
  KEYWARD_REQUIRE_STATE    refuse a change that this machine cannot remember outside the keystore
  KEYWARD_NO_INPUT    --no-input: never prompt
  KEYWARD_READ_ONLY   --read-only: refuse every change
  KEYWARD_REASON      --reason, for the audit trail
  KEYWARD_TICKET      --ticket, for the audit trail
  KEYWARD_LOG         filters for the log on stderr, such as keyward=debug
  KEYWARD_SESSION     set by: eval \"$(keyward unlock --for 15m)\"
  CREDENTIALS_DIRECTORY  its file keyward.key opens the vault (systemd's LoadCredential)
  CI                  no prompts; a secret is printed only with -q or -o
  COLUMNS             the width of tables on a terminal
  PAGER               shows tables that are longer than the terminal, as in PAGER=less
  NO_COLOR, CLICOLOR_FORCE  colour off, colour on
  XDG_DATA_HOME, XDG_CONFIG_HOME, XDG_STATE_HOME, XDG_RUNTIME_DIR  where files are

The file config.toml in the configuration directory may set: output, time, no_input, workspace,
audit_review_days (30: doctor says when nobody looked at the trail for so long; 0 for never) and
audit_retention_days (365, at least 90: what `audit archive` leaves in the vault).
";

const OUTPUT: &str = "\
stdout is data, stderr is everything else: notes, hints, errors, progress.

  -o table   columns that fit the terminal     -o wide    all columns
  -o json    one document                      -o jsonl   one object a line
  -o csv     comma-separated values            -o name    names only
  -o markdown  a table for issues and wikis
  --field PATH   one value, raw; null is an empty line
  --columns A,B  the columns of a table or CSV: paths, or short names (env, expires, due, labels.team)
  --items        of commands on keys: a list, also for one key
  -q             the essential value alone: the secret, or the ids; with -o json, jsonl and name: no notes

The shape follows from what was typed: one key is an object; several, a filter, or keys from standard input (-) are a
list. An option that would have no effect here is refused.

create and rotate print the secret once, alone, on stdout; with -o json it is the field `secret`.
Errors are lines `error:`, `cause:` and `hint:`; with -o json or jsonl one object on stderr:
  {\"schema\":\"keyward.error/v1\",\"error\":{\"code\":\"NOT_FOUND\",\"message\":\"...\",\"exit\":3,\"retryable\":false,\"hints\":[],\"notes\":[]}}
";

const CI: &str = "\
keyward in a CI job. Nothing is asked: without a terminal, with CI set or with --no-input a question is an error.

  Open the vault with one of
    --key-file FILE           a device key or a recovery code, mode 600
    $CREDENTIALS_DIRECTORY    systemd's LoadCredential=keyward.key
    --passphrase-file FILE    or --passphrase-fd N
  A slot of its own for the job:  keyward vault slots add --device-file ci.key --label ci

  Or work through a server, with no vault at all
    KEYWARD_SERVER=https://keys.example.com KEYWARD_TOKEN_FILE=/run/secrets/keyward keyward list
    Nothing is stored for a job that its host gives a token (GitHub, GitLab, Kubernetes):  keyward operators trust add --help
    A credential of its own for any other:  keyward operators create ci --role rotator --expires-in 90d

  Take the secret with one of   (anything else is refused while CI is set: it would end in the log)
    SECRET=$(keyward -q create nightly-export --env production)
    keyward create nightly-export --deliver file:/run/keys/nightly-export   a file for its owner alone, and nothing printed
    -o json has it in the field `secret`; a `>` empties its file before keyward runs, also on the second run

  Make a retry harmless
    --if-not-exists           accepts the key that is there
    --idempotency-key K       the same call within 24 hours makes no second key; another call with K is refused
    The secret of a key that was there is not shown again: 15 with -q; 0 and \"existed\":true with -o json; a sink of
    --deliver keeps what it holds

  Rotate on a schedule
    keyward rotate --due --yes --max 50 --deliver-map deliver.toml -o jsonl
    keyward rotate nightly-export --deliver file:/run/keys/nightly-export
    0 nothing due or all well; 11 some failed; 12 in doubt, and the next run goes on; --detailed-exitcode adds 10
    --stage and `rotation commit|abort` put a decision in between; `rotation resume` goes on by hand

  Decide by exit code           keyward help exit-codes
    keyward list --expires-within 14d --exit-code      10 when there are any
    printf %s \"$API_KEY\" | keyward verify -          13 when it is not valid
  8 (BUSY) and 9 (UNAVAILABLE) are worth another try; no other failure is.
";

/// Help on a command, or on recipes, exit-codes, verdicts, environment, output or ci
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  keyward help rotate\n  keyward help recipes\n  keyward help exit-codes\n  \
    keyward help verdicts")]
pub(crate) struct Args {
    /// A command, or recipes, exit-codes, verdicts, environment, output or ci
    #[arg(value_name = "COMMAND|TOPIC")]
    words: Vec<String>,
}

/// Prints help.
pub(crate) fn run(cx: &mut Ctx, args: &Args) -> Result<u8> {
    match args.words.first().map(String::as_str) {
        Some("recipes") => cx.text(SCHEMA, "text", &recipes::text())?,
        Some("exit-codes") => exit_codes(cx)?,
        Some("verdicts") => verdicts(cx)?,
        Some("environment") => cx.text(SCHEMA, "text", ENVIRONMENT)?,
        Some("output") => cx.text(SCHEMA, "text", OUTPUT)?,
        Some("ci") => cx.text(SCHEMA, "text", CI)?,
        _ => of_command(cx, &args.words)?,
    }
    Ok(exit::Exit::Ok.code())
}

fn exit_codes(cx: &mut Ctx) -> Result<()> {
    let rows: Vec<_> = exit::TABLE
        .iter()
        .map(|(code, name, meaning)| json!({ "code": code, "name": name, "meaning": meaning }))
        .collect();
    let page = Page::whole(rows.len());
    cx.emit(&Report::list("keyward.exit-code-list/v1", rows, page, columns::EXIT_CODES, "code").uncut())
}

/// What is true of each verdict: `docs/verdicts.md` is made of it.
fn verdicts(cx: &mut Ctx) -> Result<()> {
    let row = |code: Code| {
        let (decided_by, when) = code.about();
        let doors: Vec<&str> = Door::ALL.into_iter().filter(|door| code.is_said_at(*door)).map(Door::as_str).collect();
        json!({
            "code": code.as_str(), "http_status": code.http_status(), "decided_by": decided_by, "when": when,
            "doors": doors, "takes": code.takes(), "counts_as": code.counts_as(),
        })
    };
    let page = Page::whole(Code::ALL.len());
    let rows = Code::ALL.map(row).into();
    cx.emit(&Report::list("keyward.verdict-code-list/v1", rows, page, columns::VERDICT_CODES, "code").uncut())
}

fn of_command(cx: &mut Ctx, words: &[String]) -> Result<()> {
    let mut root = command();
    root.build();
    let mut found = &root;
    for word in words {
        found = found.find_subcommand(word).ok_or_else(|| {
            let mut known: Vec<&str> = found.get_subcommands().map(clap::Command::get_name).collect();
            known.extend(TOPICS);
            Error::new(Kind::Usage, "usage", format!("no command or topic '{word}'"))
                .suggest(&closest(word, &known))
                .hint("keyward --help")
        })?;
    }
    let path = std::iter::once("keyward").chain(words.iter().map(String::as_str)).map(OsString::from);
    let help = help_text::of(&path.collect::<Vec<_>>());
    let colored = !cx.format().is_json() && cx.out.options.color.applies(cx.out.streams.stdout_terminal);
    let text = if colored { help.ansi().to_string() } else { help.to_string() };
    cx.text(SCHEMA, "text", &text)
}
