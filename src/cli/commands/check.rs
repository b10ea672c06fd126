//! `check`: which keys are not as a policy wants them, and why; or what every rule says of one key.

use crate::{
    cli::{columns, context::Ctx, exit::Exit, hints::Said, hygiene, values},
    domain::{
        Environment, KeyRef, counted,
        hygiene::{Rule, Severity},
    },
    ops::{Check, CheckKey, Error, Finding, Kind, Result},
    output::{Format, Page, Report, SarifResult, sarif},
};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Find keys that are overdue, unused, unlimited or too wide
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  keyward check\n  keyward check billing-sync\n  keyward check --severity error -o sarif > keyward.sarif\n  \
    keyward check --print-policy > check.toml\n  keyward check --policy check.toml\n\n\
    Exit code 0: nothing was found, or every finding is accepted. 10: something was found.\n\n\
    Without --policy, check.toml in the configuration directory is the policy, and where there is none, the built-in\n\
    one. --print-policy prints the one that is in effect. An exception has a rule, the keys it is about, an end and a\n\
    reason:\n\n  [rules.unused]\n  severity = \"error\"\n  over = \"60d\"\n\n  [[exceptions]]\n  rule = \"no-expiry\"\n  \
    key = \"legacy-*\"\n  until = 2027-01-01\n  reason = \"replaced with the new gateway\""
)]
pub(crate) struct Args {
    /// Explain one key: what every rule says of it
    #[arg(value_name = "KEY", value_parser = values::key_ref, add = values::keys(), conflicts_with_all = ["severity", "accepted"])]
    key: Option<KeyRef>,
    /// Only your own keys: made by you, or owned by you, as `keyward whoami` names you
    #[arg(long, conflicts_with = "key")]
    mine: bool,
    /// Decides between keys of one name
    #[arg(long, alias = "environment", value_name = "ENV", requires = "key", add = values::environments())]
    env: Option<Environment>,
    /// The policy, as TOML [default: check.toml in the configuration directory, else the built-in one]
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    policy: Option<PathBuf>,
    /// Only findings at least this grave
    #[arg(long, value_name = "S", value_parser = severities())]
    severity: Option<Severity>,
    /// Also show findings that an exception covers; they do not count for the exit code
    #[arg(long)]
    accepted: bool,
    /// Print the policy in effect, with every rule and its threshold, and look at nothing
    #[arg(long, conflicts_with_all = ["key", "mine", "severity", "accepted"])]
    print_policy: bool,
}

fn severities() -> impl TypedValueParser<Value = Severity> {
    let words = [Severity::Note, Severity::Warning, Severity::Error].map(Severity::as_str);
    PossibleValuesParser::new(words).try_map(|word| word.parse::<Severity>())
}

/// Checks all keys, or explains one.
pub(crate) fn run(cx: &mut Ctx, args: Args) -> Result<u8> {
    let policy = hygiene::policy(cx, args.policy.as_deref())?;
    if args.print_policy {
        let text = toml::to_string(&policy.in_full())
            .map_err(|error| Error::new(Kind::Internal, "policy", error.to_string()))?;
        cx.text("keyward.policy/v1", "policy", &text)?;
        return Ok(Exit::Ok.code());
    }
    hygiene::note_ended(cx, &policy);
    match args.key {
        Some(key) => one(cx, CheckKey { key, environment: args.env, policy }),
        None => {
            // A key stands in no file: its findings stand at the head of the one that says what is wrong.
            let file = args.policy.as_deref().unwrap_or(Path::new("check.toml"));
            all(cx, Check { policy, mine: args.mine }, args.severity.unwrap_or(Severity::Note), args.accepted, file)
        }
    }
}

fn all(cx: &mut Ctx, request: Check, least: Severity, accepted: bool, file: &Path) -> Result<u8> {
    let checked = cx.backend()?.ask(&cx.operation(), &request)?;
    let grave: Vec<Finding> = checked
        .findings
        .into_iter()
        .filter(|finding| finding.severity >= least && finding.severity != Severity::Off)
        .collect();
    let open = |finding: &&Finding| finding.excepted.is_none();
    let count = |severity| grave.iter().filter(open).filter(|finding| finding.severity == severity).count();
    let (errors, warnings, notes) = (count(Severity::Error), count(Severity::Warning), count(Severity::Note));
    let excepted = grave.iter().filter(|finding| finding.excepted.is_some()).count();
    // SARIF has a place for what was accepted, and readers that expect it there.
    let shown: Vec<Finding> = if accepted || cx.format() == Format::Sarif {
        grave
    } else {
        grave.into_iter().filter(|finding| finding.excepted.is_none()).collect()
    };
    if cx.format() == Format::Sarif {
        let rules = Rule::ALL.map(|rule| (rule.as_str(), rule.title()));
        let workspace = cx.operation().workspace;
        let results: Vec<_> = shown.iter().map(|finding| sarif_result(finding, &workspace, file)).collect();
        cx.raw(format!("{:#}\n", sarif(&rules, &results, &checked.unasked)).as_bytes())?;
    } else {
        let said = Said::of(&cx.given);
        let carried = |finding: &Finding| Finding { fix: said.carried(&finding.fix), ..finding.clone() };
        let rows: Vec<Value> = shown.iter().map(|finding| json!(carried(finding))).collect();
        let page = Page::whole(rows.len());
        cx.emit(&Report::list("keyward.check/v1", rows, page, columns::FINDINGS, "key_id").uncut().noun("findings"))?;
    }
    for unasked in checked.unasked {
        cx.note(&format!("not asked: {unasked}"));
    }
    let accepted = if excepted == 0 { String::new() } else { format!("; {excepted} accepted by exceptions") };
    cx.note(&format!(
        "{}: {}, {}, {}{accepted}",
        counted(checked.keys, "key"),
        counted(errors, "error"),
        counted(warnings, "warning"),
        counted(notes, "note")
    ));
    Ok(if errors + warnings + notes == 0 { Exit::Ok } else { Exit::Changed }.code())
}

fn one(cx: &mut Ctx, request: CheckKey) -> Result<u8> {
    if cx.format() == Format::Sarif {
        return Err(Error::usage("-o sarif is for the findings of all keys").hint("keyward check -o sarif"));
    }
    let checked = cx.backend()?.ask(&cx.operation(), &request)?;
    let breaches =
        checked.answers.iter().filter(|answer| answer.ok == Some(false) && answer.excepted.is_none()).count();
    let people = !cx.program_reads();
    let said = Said::of(&cx.given);
    let rows: Vec<_> = checked
        .answers
        .iter()
        .map(|answer| {
            let mut row = json!(answer);
            if let Some(fix) = row["fix"].as_str() {
                row["fix"] = json!(said.carried(fix));
            }
            if people {
                row["ok"] = json!(match (answer.ok, &answer.excepted) {
                    (Some(true), _) => "ok",
                    (Some(false), None) => "PROBLEM",
                    (Some(false), Some(_)) => "accepted",
                    (None, _) => "-",
                });
            }
            row
        })
        .collect();
    cx.note(&format!("{} ({}), {}, {}", checked.key.name, checked.key.id, checked.key.environment, checked.key.status));
    let page = Page::whole(rows.len());
    cx.emit(&Report::list("keyward.check-key/v1", rows, page, columns::RULE_ANSWERS, "rule").uncut().noun("rules"))?;
    Ok(if breaches == 0 { Exit::Ok } else { Exit::Changed }.code())
}

fn sarif_result(finding: &Finding, workspace: &str, file: &Path) -> SarifResult {
    let (name, environment) = (finding.name.as_deref(), finding.environment.as_deref());
    let about =
        name.zip(environment).map_or_else(|| workspace.to_owned(), |(name, env)| format!("{workspace}/{env}/{name}"));
    let id = finding.key_id.as_deref().unwrap_or("all");
    SarifResult {
        rule: finding.rule.to_string(),
        level: finding.severity.as_str(),
        message: format!("{about}: {}. Mend it: {}", finding.message, finding.fix),
        file: file.to_owned(),
        line: 1,
        column: 1,
        offset: None,
        length: 0,
        fingerprint: format!("{}/{id}", finding.rule),
        thing: Some(about),
        accepted: finding.excepted.as_ref().map(|excepted| excepted.reason.clone()),
    }
}
