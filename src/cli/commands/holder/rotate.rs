//! `self rotate`: a new secret for the key, handed to a sink on this side.

use super::SecretOperand;
use crate::{
    backend::{Backend, remote::Turn},
    cli::{columns, context::Ctx, delivery::DeliverArgs, exit::Exit, rotating::old_secret, signals::Stop},
    deliver::SinkSpec,
    domain::{KeyRef, PlainToken},
    ops::{Abort, Error, KeyView, Kind, Result, RotationRef, SelfView, ShowSelf, Stage, holder::VersionState},
    rotate::{Bounds, Delivered, Driver, Failure, Target, refused},
};
use clap::builder::NonEmptyStringValueParser;
use serde_json::json;
use std::rc::Rc;
use zeroize::Zeroizing;

/// Give the key a new secret and hand it to a sink on this side; the one that is shown works on for the overlap of the key
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  keyward self rotate --server https://keys.example.com --secret-file key.txt --deliver file:key.txt\n  \
    keyward self rotate --secret-file key.txt --deliver dotenv:.env#API_KEY\n\n\
    The same command goes on with what was interrupted, and mints nothing where the new secret has arrived."
)]
pub(super) struct Args {
    #[command(flatten)]
    secret: SecretOperand,
    /// Hand the new secret to this sink: file:PATH[,mode=0600], dotenv:PATH#NAME, json:PATH#/POINTER, exec:COMMAND, or any other
    /// of `keyward rotate`
    #[arg(long, value_name = "SINK", required = true)]
    deliver: SinkSpec,
    /// Repeating the call with this key within 24 hours makes no second secret [default: one that is kept until the rotation is
    /// done]
    #[arg(long, value_name = "K", value_parser = NonEmptyStringValueParser::new())]
    idempotency_key: Option<String>,
    /// Begin again although an earlier run may have left a new secret in a sink that cannot be asked: that one ends
    #[arg(long)]
    anew: bool,
}

/// Rotates the key.
pub(super) fn run(cx: &mut Ctx, args: &Args) -> Result<u8> {
    cx.operation().writable()?;
    let server = super::server(cx)?;
    let turn = Turn::take(&cx.dirs()?, &server, &args.deliver.to_string())?;
    let secret = args.secret.read(cx)?;
    let shown_lookup = PlainToken::parse(&secret).ok().map(|token| token.lookup());
    let backend: Rc<dyn Backend> = Rc::from(super::door(cx, server, secret, Some(turn.name()))?);
    let key = backend.ask(&cx.operation(), &ShowSelf {})?;
    let deliver = DeliverArgs { deliver: vec![args.deliver.clone()], ..DeliverArgs::default() };
    let (targets, stop) = (deliver.targets(cx)?, Stop::listen()?);
    let Some(target) = targets.for_key(&facts(&key))? else {
        return Err(Error::new(Kind::Internal, "sink", "a delivery without a sink"));
    };
    if let (true, Some(rotation)) = (args.anew, &key.rotation) {
        let because = Some("its holder begins anew".to_owned());
        let abort = Abort { rotation: RotationRef::Id(rotation.clone()), environment: None, force: true, because };
        backend.change(&cx.operation(), abort)?;
    }
    let idempotency_key = args.idempotency_key.clone().unwrap_or_else(|| format!("self-{}", turn.name()));
    let request = Stage { idempotency_key: Some(idempotency_key), ..Stage::of(KeyRef::Id(key.key_id.clone())) };
    let operation = cx.operation();
    let bounds = Bounds { deadline: None, stop: stop.flag() };
    let driver = Driver { backend: &*backend, cx: &operation, targets: &targets, bounds };
    let rotated = driver.rotate(&target, request, cx).map_err(|failure| worded(cx, &failure));
    let ended = rotated.and_then(|delivered| {
        let was_replaced = !delivered.acted && key.version.state == VersionState::Retiring;
        if was_replaced && shown_lookup.is_some_and(|lookup| holds(&target, lookup.as_str())) {
            return Err(Error::conflict("delivered_elsewhere", "the new secret of this key went somewhere else")
                .cause(format!("{} still holds the one that was shown", args.deliver)));
        }
        if !cx.global.dry_run {
            turn.done();
        }
        tell(cx, &key, &target, &delivered)
    });
    stop.outcome(cx, ended.map(|()| Exit::Ok.code()))
}

/// What placeholders of a sink are made of.
fn facts(key: &SelfView) -> KeyView {
    KeyView {
        id: key.key_id.to_string(),
        name: key.name.clone(),
        workspace: key.workspace.clone(),
        environment: key.environment.to_string(),
        project: key.project.clone(),
        ..KeyView::default()
    }
}

/// Whether the sink holds this version of the secret.
fn holds(target: &Target, lookup: &str) -> bool {
    let held = |text: Zeroizing<String>| PlainToken::parse(&text).is_ok_and(|token| token.lookup().as_str() == lookup);
    target
        .sinks
        .iter()
        .filter(|sink| sink.can_read_back())
        .any(|sink| sink.read_back().ok().flatten().is_some_and(held))
}

fn tell(cx: &mut Ctx, key: &SelfView, target: &Target, delivered: &Delivered) -> Result<()> {
    if let Some(note) = &delivered.note {
        cx.out.warn(note);
    }
    let (named, sink) = (format!("{} ({})", key.name, key.key_id), target.names().join(", "));
    let old = format!("the old secret {}", old_secret(delivered.old_valid_until));
    match (delivered.acted, cx.global.dry_run) {
        (false, _) => {}
        (true, true) => cx.note(&format!("would rotate {named} to {sink}: {old}")),
        (true, false) => cx.note(&format!("rotated {named} to {sink}: {old}")),
    }
    match &delivered.rotation {
        Some(rotation) => cx.item_if_asked("keyward.rotation/v1", "rotation", json!(rotation), columns::ROTATION),
        None => Ok(()),
    }
}

/// What became of the secret, with what a holder can do about it.
fn worded(cx: &Ctx, failure: &Failure) -> Error {
    match failure {
        Failure::Refused(error) => match &*error.reason {
            "in_doubt" => Error::clone(error)
                .hint("--secret-file FILE, with the new secret, if it is there")
                .hint(format!("{} --anew   (if it is not: that one ends, and another is made)", cx.invocation())),
            "replaced" => Error::clone(error).hint("--secret-file FILE, with the current secret"),
            _ => error.clone(),
        },
        Failure::Undelivered { error, beside, .. } => {
            let message = "the new secret was minted, and may not have arrived; the old one works";
            let mut told = Error::new(Kind::Undelivered, "undelivered", message).cause(error.what.clone());
            told.causes.extend(error.cause.iter().chain(beside).cloned());
            told.hints.extend(error.hint.clone());
            told.hint(format!("{}   (goes on with the same rotation)", cx.invocation()))
        }
        Failure::Uncommitted { error, .. } => Error::clone(error)
            .cause("the new secret has arrived, and works")
            .hint(format!("{}   (goes on with the same rotation)", cx.invocation())),
        Failure::ThrownAway { error, .. } | Failure::NotMade { error, .. } | Failure::Unproven { error, .. } => {
            refused(error).cause("the new secret was thrown away; the old one works").hint(cx.invocation())
        }
    }
}
