//! `update`: changes a key's metadata, scopes, customers, limits and policy; never its expiry.

use crate::{
    cli::{change_words::in_words, columns, context::Ctx, exit::Exit, operand::KeyOperand, values},
    domain::Scope,
    ops::{Error, Result, Update},
};
use serde_json::json;

/// Change a key's metadata, scopes, customers, limits and rotation policy
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  keyward update billing-sync --owner ops@example.com --reason handover\n  \
    keyward update billing-sync --add-scope invoices:write --remove-scope invoices:read\n  \
    keyward update billing-sync --add-customer contoso\n  \
    keyward update billing-sync --rotate-every none")]
pub(crate) struct Args {
    #[command(flatten)]
    key: KeyOperand,
    /// The new name
    #[arg(long, value_parser = values::name)]
    name: Option<String>,
    /// The new owner; empty clears it
    #[arg(long)]
    owner: Option<String>,
    /// The new description; empty clears it
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// A scope to add; may be repeated
    #[arg(long, value_name = "SCOPE", add = values::scopes())]
    add_scope: Vec<Scope>,
    /// A scope to take away; may be repeated
    #[arg(long, value_name = "SCOPE", add = values::scopes())]
    remove_scope: Vec<Scope>,
    /// A customer to narrow the key to; may be repeated
    #[arg(long, value_name = "C")]
    add_customer: Vec<String>,
    /// A customer that the key is to reach no more; may be repeated
    #[arg(long, value_name = "C")]
    remove_customer: Vec<String>,
    /// Let a key that is narrowed to some customers reach every customer
    #[arg(long, conflicts_with_all = ["add_customer", "remove_customer"])]
    all_customers: bool,
    /// The new rate limit, such as 100/h, or none; a bare number is requests an hour
    #[arg(long, value_name = "N/UNIT", value_parser = values::key_rate_limit)]
    rate_limit: Option<values::RateLimitArg>,
    /// An address or CIDR range to add to the allowlist; may be repeated
    #[arg(long, value_name = "CIDR")]
    add_ip: Vec<String>,
    /// An address or CIDR range to take off the allowlist; may be repeated
    #[arg(long, value_name = "CIDR")]
    remove_ip: Vec<String>,
    /// A label to set, as key=value; may be repeated
    #[arg(long, value_name = "K=V", value_parser = values::label)]
    label: Vec<(String, String)>,
    /// A label to take off; may be repeated
    #[arg(long, value_name = "K")]
    unset_label: Vec<String>,
    /// How often the secret is to be rotated, or none
    #[arg(long, value_name = "D", value_parser = values::duration_or_none)]
    rotate_every: Option<values::DurationArg>,
    /// How long an old secret goes on working after a rotation, or none for the default
    #[arg(long, value_name = "D", value_parser = values::duration_or_none)]
    overlap: Option<values::DurationArg>,
    /// Whether a rotation starts the lifetime of the key again
    #[arg(long, value_name = "yes|no", value_parser = values::yes_or_no)]
    renew_on_rotation: Option<bool>,
    /// Taken only to say why not
    #[arg(long, hide = true, value_name = "D", aliases = ["expires-at"])]
    expires_in: Option<String>,
    /// Taken only to say why not
    #[arg(long, hide = true)]
    no_expiry: bool,
}

/// Updates a key and tells what changed.
pub(crate) fn run(cx: &mut Ctx, args: Args) -> Result<u8> {
    if args.expires_in.is_some() || args.no_expiry {
        return Err(Error::usage("a key's expiry is set at creation and never edited afterwards")
            .cause("a life that can be lengthened later is no limit")
            .hint("keyward rotate KEY --renew   starts the original lifetime again, with a new secret")
            .hint("keyward create NAME --expires-in D   makes a key with another lifetime"));
    }
    let updated = cx.backend()?.change(&cx.operation(), request(args)?)?;
    for note in &updated.notes {
        cx.note(note);
    }
    if updated.changes.is_empty() {
        cx.note(&format!("already so: {} ({})", updated.key.name, updated.key.id));
    }
    let verb = if cx.global.dry_run { "would change" } else { "changed" };
    for change in &updated.changes {
        cx.note(&format!("{verb} {}", in_words(change)));
    }
    cx.item_if_asked("keyward.key/v1", "key", json!(updated.key), columns::KEY)?;
    Ok(Exit::Ok.code())
}

fn request(args: Args) -> Result<Update> {
    let nothing = Update { environment: args.key.env, ..Update::of(args.key.key) };
    let update = Update {
        name: args.name,
        owner: args.owner.map(values::clearable),
        description: args.description.map(values::clearable),
        add_scopes: values::sorted(args.add_scope),
        remove_scopes: values::sorted(args.remove_scope),
        rate_limit: args.rate_limit.map(|limit| limit.0),
        add_customers: values::sorted(args.add_customer),
        remove_customers: values::sorted(args.remove_customer),
        all_customers: args.all_customers,
        add_ips: values::allowlist("--add-ip", &args.add_ip)?,
        remove_ips: values::allowlist("--remove-ip", &args.remove_ip)?,
        set_labels: args.label,
        unset_labels: args.unset_label,
        rotate_every: args.rotate_every.map(|every| every.0),
        overlap: args.overlap.map(|overlap| overlap.0),
        renew_on_rotation: args.renew_on_rotation,
        ..nothing.clone()
    };
    if update == nothing {
        return Err(Error::usage("nothing to change was given").hint("keyward update --help"));
    }
    Ok(update)
}
