//! `update`: changes the metadata of keys, their scopes, customers, limits and policy; never its expiry.

use crate::{
    cli::{
        change_words::in_words,
        columns,
        context::Ctx,
        exit::Exit,
        in_slices,
        operand::reply,
        selection::{Caution, What, WhichOld},
        values,
    },
    domain::{KeyRef, Scope},
    ops::{
        Error, Result, Update,
        many::{KeyChange, KeyChanged},
    },
};
use serde_json::json;

/// Change metadata, scopes, limits and rotation of keys
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  keyward update billing-sync --owner ops@example.com --reason handover\n  \
    keyward update billing-sync --add-scope invoices:write --remove-scope invoices:read\n  \
    keyward update billing-sync --add-customer contoso\n  \
    keyward update billing-sync --rotate-every none\n  \
    keyward update --of-owner alice@example.com --owner ops@example.com --reason 'has left' --yes --max 50")]
pub(crate) struct Args {
    #[command(flatten)]
    which: WhichOld,
    #[command(flatten)]
    to: Changes,
    /// Taken only to say why not
    #[arg(long, hide = true, value_name = "D", aliases = ["expires-at"])]
    expires_in: Option<String>,
}

/// What is to change.
#[derive(Debug, clap::Args)]
struct Changes {
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
    /// What the holder may do with the key, with its secret alone: show, rotate, revoke, with commas; none; or default, which is
    /// what its workspace says
    #[arg(long = "self", value_name = "LIST", value_parser = values::self_or_default)]
    self_service: Option<values::SelfArg>,
}

/// Updates keys and tells what changed.
pub(crate) fn run(cx: &mut Ctx, args: Args) -> Result<u8> {
    refuse_fixed(&args)?;
    let Args { which, to, .. } = args;
    let meant = which.meant(cx)?;
    let environment = meant.environment();
    let only_named = environment.is_some();
    if let Some(key) = meant.one().cloned() {
        return update_one(cx, Update { environment, ..request(to, key, only_named)? });
    }
    if to.name.is_some() {
        return Err(Error::usage("a name is for one key").hint("keyward update KEY --name NAME"));
    }
    // What cannot be asked for is told before anybody has to confirm; then each key gets its own.
    let like = Update { environment, ..request(to, KeyRef::Name(String::new()), only_named)? };
    let chosen = meant.decide(cx, &What { asked: "Change", caution: Caution::None })?;
    let change = |key: &KeyRef| KeyChange::Update(Box::new(Update { key: key.clone(), ..like.clone() }));
    let (updated, code) = in_slices::change(cx, &chosen, "changing keys", change, tell)?;
    if cx.reply_asked() {
        let written = reply(cx, chosen.single, updated);
        cx.after_change(written)?;
    }
    Ok(code)
}

/// Says why not, where somebody wants to change what never changes. Beside a key that is named, what would be a filter is such a
/// wish.
fn refuse_fixed(args: &Args) -> Result<()> {
    let (named, by) = (!args.which.named.is_empty(), &args.which.by);
    if args.expires_in.is_some() || (named && by.state.no_expiry) {
        return Err(Error::usage("a key's expiry is set at creation and never edited afterwards")
            .cause("a life that can be lengthened later is no limit")
            .hint("keyward rotate KEY --renew   starts the original lifetime again, with a new secret")
            .hint("keyward create NAME --expires-in D   makes a key with another lifetime"));
    }
    if named && by.project.is_some() {
        return Err(Error::usage("a key's project never changes")
            .hint("keyward create NAME: a key's project is set when it is made"));
    }
    if named && by.state.scope.is_some() {
        return Err(Error::usage("--scope finds keys, and one is named").hint("--add-scope or --remove-scope"));
    }
    if named && by.state.customer.is_some() {
        return Err(Error::usage("--customer finds keys, and one is named").hint("--add-customer or --remove-customer"));
    }
    Ok(())
}

/// One of many: a line names it, and what changed.
fn tell(cx: &mut Ctx, one: &KeyChanged) {
    let named = format!("{} ({})", one.key.name, one.key.id);
    for note in &one.notes {
        cx.note(&format!("{named}: {note}"));
    }
    if !one.changed {
        cx.note(&format!("already so: {named}"));
        return;
    }
    let verb = if cx.global.dry_run { "would change" } else { "changed" };
    let changes: Vec<String> = one.changes.iter().map(in_words).collect();
    cx.note(&format!("{verb} {named}: {}", changes.join("; ")));
}

fn update_one(cx: &mut Ctx, request: Update) -> Result<u8> {
    let updated = cx.backend()?.change(&cx.operation(), request)?;
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

/// What is asked for; `in_environment` where one was said, which narrows and changes nothing.
fn request(to: Changes, key: KeyRef, in_environment: bool) -> Result<Update> {
    let nothing = Update::of(key);
    let update = Update {
        name: to.name,
        owner: to.owner.map(values::clearable),
        description: to.description.map(values::clearable),
        add_scopes: values::sorted(to.add_scope),
        remove_scopes: values::sorted(to.remove_scope),
        rate_limit: to.rate_limit.map(|limit| limit.0),
        add_customers: values::sorted(to.add_customer),
        remove_customers: values::sorted(to.remove_customer),
        all_customers: to.all_customers,
        add_ips: values::allowlist("--add-ip", &to.add_ip)?,
        remove_ips: values::allowlist("--remove-ip", &to.remove_ip)?,
        set_labels: to.label,
        unset_labels: to.unset_label,
        rotate_every: to.rotate_every.map(|every| every.0),
        overlap: to.overlap.map(|overlap| overlap.0),
        renew_on_rotation: to.renew_on_rotation,
        self_service: to.self_service.map(|deeds| deeds.0),
        ..nothing.clone()
    };
    if update == nothing {
        let nothing = Error::usage("nothing to change was given");
        let nothing = if in_environment {
            nothing.cause("--env says which key is meant: the environment of a key never changes")
        } else {
            nothing
        };
        return Err(nothing.hint("keyward update --help"));
    }
    Ok(update)
}
