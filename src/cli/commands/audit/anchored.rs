//! `audit checkpoint` and `audit prove`: what an outsider can check.

use crate::{
    anchor::Anchor,
    cli::context::Ctx,
    domain::counted,
    ops::{
        Result,
        audit_checkpoint::{MakeCheckpoint, ProveEvent, SignedCheckpoint},
    },
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

/// Sign the trail as it is now, in one small text for outsiders
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  keyward audit checkpoint > cp.txt\n  keyward audit checkpoint --public-key > vault.pub\n  \
    keyward audit checkpoint --to git:anchors --to file:media/keyward.checkpoints\n  \
    keyward audit checkpoint --to 'cmd:tee -a media/copies'"
)]
pub(super) struct CheckpointArgs {
    /// Send it there: file:PATH (appends), git:DIRECTORY (commits), https://URL (posts) or cmd:COMMAND (on its standard
    /// input); may be repeated
    #[arg(long, value_name = "SINK")]
    to: Vec<Anchor>,
    /// Print the key that checks this vault's checkpoints instead
    #[arg(long, conflicts_with = "to")]
    public_key: bool,
}

/// Prove that an event is in the trail
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  keyward -o json audit prove 2 > proof.json")]
pub(super) struct ProveArgs {
    /// The event's number
    seq: u64,
    /// Prove it in the trail as it was with so many events
    #[arg(long, value_name = "N")]
    size: Option<u64>,
}

fn facts(signed: &SignedCheckpoint) -> Value {
    json!({
        "origin": signed.checkpoint.origin, "size": signed.checkpoint.size,
        "root": STANDARD.encode(signed.checkpoint.root), "checkpoint": signed.note.to_string(),
        "public_key": signed.key.to_string(),
    })
}

pub(super) fn checkpoint(cx: &mut Ctx, args: &CheckpointArgs) -> Result<()> {
    cx.may_anchor("--to", &args.to)?;
    // Only where it was sent to is recorded.
    if args.to.is_empty() {
        cx.refuse_reason()?;
    }
    let data = cx.dirs()?.data;
    args.to.iter().try_for_each(|anchor| anchor.check(&data))?;
    let places = args.to.iter().map(ToString::to_string).collect();
    let signed = cx.backend()?.run(&cx.operation(), MakeCheckpoint { places })?;
    if args.public_key && !cx.reply_asked() {
        return cx.raw(format!("{}\n", signed.key).as_bytes());
    }
    let note = signed.note.to_string();
    let name = format!("{}.checkpoints", signed.checkpoint.origin.replace('/', "-"));
    for anchor in &args.to {
        if cx.global.dry_run {
            let events = counted(signed.checkpoint.size, "event");
            cx.note(&format!("would send the checkpoint of {events} to {anchor}"));
            continue;
        }
        anchor.send(&name, &note)?;
        cx.note(&format!("the checkpoint of {} is at {anchor}", counted(signed.checkpoint.size, "event")));
    }
    if cx.reply_asked() {
        let named_by = if args.public_key { "public_key" } else { "checkpoint" };
        return cx.flat("keyward.audit-checkpoint/v1", facts(&signed), named_by);
    }
    if args.to.is_empty() { cx.raw(note.as_bytes()) } else { Ok(()) }
}

pub(super) fn prove(cx: &mut Ctx, args: &ProveArgs) -> Result<()> {
    let proven = cx.backend()?.ask(&cx.operation(), &ProveEvent { seq: args.seq, size: args.size })?;
    let mut reply = json!({
        "seq": proven.seq, "index": proven.seq - 1, "body": proven.body, "leaf": STANDARD.encode(proven.leaf),
        "proof": proven.proof.iter().map(|hash| STANDARD.encode(hash)).collect::<Vec<_>>(),
    });
    if let (Value::Object(reply), Value::Object(facts)) = (&mut reply, facts(&proven.checkpoint)) {
        reply.extend(facts);
    }
    cx.flat("keyward.audit-proof/v1", reply, "leaf")
}
