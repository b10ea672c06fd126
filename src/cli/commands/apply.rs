//! `apply`: makes the keys as a file declares them, after showing what that means.

use super::applying::{Work, carry_out};
use crate::{
    cli::{context::Ctx, declared, delivery::DeliverArgs, values},
    ops::{Apply, PlanKeys, Result},
};
use std::path::PathBuf;

/// Create, change and switch off keys as a file declares them
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  keyward apply -f keys.toml --dry-run\n  keyward apply -f keys.toml --yes --reason CHG-7\n  \
    keyward apply -f keys.toml --prune team=billing --deliver 'file:/run/keyward/{name}.key' --yes\n\n\
    The plan is shown, and carried out in one transaction after a confirmation. The secrets of new keys go to the sinks\n\
    that stand with them (deliver = [\"file:…\"]), else to --deliver or --deliver-map; a file with sinks must be one that\n\
    others cannot change. What is set at creation, the expiry above all, is told as a difference that cannot be applied.\n\n\
    Exit code 0: done, or nothing to do. 11: differences are left that cannot be applied. 12: a secret was not delivered;\n\
    apply again goes on with it."
)]
pub(crate) struct Args {
    /// The file of keys, TOML or JSON; `-` is standard input
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    file: PathBuf,
    /// Switch off keys with this label that the file does not declare; repeated, all labels must match
    #[arg(long, value_name = "K=V", value_parser = values::label)]
    prune: Vec<(String, String)>,
    #[command(flatten)]
    deliver: DeliverArgs,
}

/// Applies a file.
pub(crate) fn run(cx: &mut Ctx, args: Args) -> Result<u8> {
    let file = declared::read(cx, &args.file)?;
    let targets = args.deliver.targets(cx)?;
    let prune = (!args.prune.is_empty()).then_some(args.prune);
    let request = PlanKeys(Apply { keys: file.keys.clone(), prune, ..Apply::default() });
    let backend = if cx.rehearse_if_new()? { cx.backend()? } else { cx.backend_or_new()? };
    let plan = backend.ask(&cx.operation(), &request)?;
    carry_out(
        cx,
        Work { file: &file, deliver: &args.deliver, targets: &targets, verb: "apply", without_secrets: false },
        request.0,
        plan,
    )
}
