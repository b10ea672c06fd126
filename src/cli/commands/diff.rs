//! `diff`: what `apply` would do.

use crate::{
    cli::{context::Ctx, declared, exit::Exit, values},
    ops::{Apply, PlanKeys, Result},
};
use std::path::PathBuf;

/// Show what `apply` would do
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  keyward diff -f keys.toml\n  keyward diff -f keys.toml --prune team=billing -o json\n\n\
    Exit code 0: no difference. 10: differences, also ones that cannot be applied."
)]
pub(crate) struct Args {
    /// The file of keys, TOML or JSON; `-` is standard input
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    file: PathBuf,
    /// Also keys with this label that the file does not declare; repeated, all labels must match
    #[arg(long, value_name = "K=V", value_parser = values::label)]
    prune: Vec<(String, String)>,
}

/// Shows the plan.
pub(crate) fn run(cx: &mut Ctx, args: Args) -> Result<u8> {
    let file = declared::read(cx, &args.file)?;
    let prune = (!args.prune.is_empty()).then_some(args.prune);
    let request = PlanKeys(Apply { keys: file.keys.clone(), prune, ..Apply::default() });
    let plan = cx.backend()?.ask(&cx.operation(), &request)?;
    declared::show(cx, &plan, |step| file.beside(step))?;
    cx.note(&declared::summary(&plan));
    Ok(if plan.is_empty() { Exit::Ok } else { Exit::Changed }.code())
}
