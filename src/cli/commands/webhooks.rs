//! `webhooks`: who is told what happens to keys.

use crate::{
    cli::{columns, context::Ctx, exit::Exit, prompt, values},
    domain::{Notice, RateLimit},
    ops::{
        Error, Kind, Result,
        webhooks::{AddWebhook, ListWebhooks, RemoveWebhook, TestWebhook},
    },
    output::Report,
};
use chrono::TimeDelta;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::json;

/// Webhooks: messages about keys, signed and sent by `serve`
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  keyward webhooks add chat https://hooks.example.com/keyward --event key.expiring --lead 14d\n  \
    keyward webhooks list"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the webhooks, what has arrived there, and what has not
    #[command(after_help = "Example:\n  keyward webhooks list -o json")]
    List,
    /// Add a webhook; the secret that its messages are signed with is printed once, alone, on stdout
    #[command(after_help = "Examples:\n  keyward webhooks add audit https://hooks.example.com/keyward\n  \
        keyward webhooks add pager https://hooks.example.com/pager --event key.overdue --event key.denied_burst --denied-burst 50/5m\n  \
        keyward webhooks add intern http://10.0.0.7:8080/keyward --allow-private")]
    Add(Add),
    /// Send a message that tells nothing, to see whether it arrives
    #[command(after_help = "Example:\n  keyward webhooks test chat")]
    Test {
        /// Its name or id
        name: String,
    },
    /// Remove a webhook, and what was on its way to it
    #[command(after_help = "Example:\n  keyward webhooks remove chat --yes")]
    Remove {
        /// Its name or id
        name: String,
    },
}

#[derive(Debug, clap::Args)]
struct Add {
    /// Its unique name
    #[arg(value_parser = values::name)]
    name: String,
    /// Where messages are posted, over HTTPS
    url: String,
    /// An event it is told of; all of them when not given; may be repeated
    #[arg(long, value_name = "EVENT", value_parser = PossibleValuesParser::new(Notice::ALL.map(Notice::as_str)).try_map(|word| word.parse::<Notice>()))]
    event: Vec<Notice>,
    /// How long before the end of a key it is told; may be repeated [default: 7d and 1d]
    #[arg(long, value_name = "D", value_parser = values::duration)]
    lead: Vec<TimeDelta>,
    /// How many refused requests within how long are a burst [default: 20/5m]
    #[arg(long, value_name = "N/WINDOW")]
    denied_burst: Option<RateLimit>,
    /// Messages may go to private, loopback and link-local addresses, and over plain HTTP
    #[arg(long)]
    allow_private: bool,
}

/// Reads or changes webhooks.
pub(crate) fn run(cx: &mut Ctx, args: Args) -> Result<u8> {
    match args.command {
        Command::List => {
            let items: Vec<_> =
                cx.backend()?.ask(&cx.operation(), &ListWebhooks {})?.into_iter().map(|one| json!(one)).collect();
            let total = items.len();
            cx.list("keyward.webhook-list/v1", items, total, columns::WEBHOOKS)?;
        }
        Command::Add(args) => add(cx, args)?,
        Command::Test { name } => {
            let message = cx.backend()?.run(&cx.operation(), TestWebhook { name: name.clone() })?.message;
            let verb = if cx.global.dry_run { "would send" } else { "arrived:" };
            cx.note(&format!("{verb} the message {message} at '{name}'"));
            let sent = json!({ "webhook": name, "message": message, "arrived": !cx.global.dry_run });
            cx.item_if_asked("keyward.webhook-test/v1", "test", sent, columns::WEBHOOK_TEST)?;
        }
        Command::Remove { name } => {
            prompt::confirm(cx, &format!("Remove the webhook '{name}', and what is on its way to it?"))?;
            let removed = cx.backend()?.change(&cx.operation(), RemoveWebhook { name: name.clone() })?;
            let verb = if cx.global.dry_run { "would remove" } else { "removed" };
            cx.note(&format!("{verb} the webhook '{}' ({})", removed.name, removed.id));
            cx.item_if_asked("keyward.webhook/v1", "webhook", json!(removed), columns::WEBHOOKS)?;
        }
    }
    Ok(Exit::Ok.code())
}

fn add(cx: &mut Ctx, args: Add) -> Result<()> {
    cx.refuse_secret_in_ci()?;
    cx.preflight_secret()?;
    let request = AddWebhook {
        name: args.name,
        url: args.url,
        events: args.event,
        lead_seconds: args.lead.iter().map(TimeDelta::num_seconds).collect(),
        denied_burst: args.denied_burst,
        allow_private: args.allow_private,
    };
    cx.try_if_new(|backend, dry| backend.run(dry, request.clone()).map(drop))?;
    let added = cx.backend_or_new()?.run(&cx.operation(), request)?;
    let (name, id) = (added.webhook.name.clone(), added.webhook.id.clone());
    let verb = if cx.global.dry_run { "would add" } else { "added" };
    cx.note(&format!("{verb} the webhook '{name}' ({id}); a running `keyward serve` sends its messages"));
    let secret = added.secret.map(|secret| ("secret", secret));
    let report = Report::item("keyward.webhook/v1", "webhook", json!(added.webhook), secret);
    cx.emit(&report.with_columns(columns::WEBHOOKS).named_by("id")).map_err(|error| {
        Error {
            kind: Kind::Undelivered,
            reason: "undelivered".into(),
            message: format!("the webhook '{name}' was added, and its secret could not be printed"),
            ..error.clone()
        }
        .cause(error.message)
        .hint(format!("keyward webhooks remove {name}"))
    })
}
