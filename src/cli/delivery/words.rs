//! What became of a secret that did not arrive, in words, with the command that goes on.

use super::run::Deliveries;
use crate::{
    cli::context::Ctx,
    deliver::{Fault, SinkError},
    domain::RotationId,
    ops::{Error, Kind},
    rotate::{Failure, is_away, refused},
};

impl Deliveries<'_> {
    /// A failure as the error of the command.
    pub(in crate::cli) fn worded(&self, cx: &Ctx, failure: &Failure) -> Error {
        match failure {
            Failure::Refused(error) => error.clone(),
            Failure::ThrownAway { error, holding } => over(cx, error, "the new secret was thrown away", holding),
            Failure::NotMade { error, holding } => over(cx, error, "no key was made", holding),
            Failure::Undelivered { rotation, error, beside } => {
                let told = undelivered(rotation, error, self.args.resume_command(cx, rotation));
                beside.iter().fold(told, |told, beside| told.cause(beside.clone()))
            }
            Failure::Unproven { rotation, error } => unproven(rotation, error),
            Failure::Uncommitted { rotation, error } => {
                let error = Error::clone(error);
                let error = if is_away(&error) {
                    error.undelivered(
                        "the new secret has arrived, and could not be made the current one; the old one works",
                    )
                } else {
                    error
                };
                error.hint(format!("the secret has arrived: keyward rotation commit {rotation}"))
            }
        }
    }
}

/// The secret is dead, and nothing goes on.
fn over(cx: &Ctx, error: &SinkError, gone: &str, holding: &[String]) -> Error {
    let mut ended = refused(error).cause(gone);
    if !holding.is_empty() {
        ended = ended.cause(format!("the dead secret is still in {}", holding.join(", ")));
    }
    if error.fault == Fault::Interrupted { ended.hint(cx.invocation()) } else { ended }
}

/// A sink may hold a secret that is not yet the current one: nothing is lost, and the next run goes on.
fn undelivered(rotation: &RotationId, error: &SinkError, resume: String) -> Error {
    let what = match error.fault {
        Fault::Interrupted => "the delivery was interrupted",
        _ => "the new secret was minted, and may not have arrived everywhere",
    };
    let mut told =
        Error::new(Kind::Undelivered, "undelivered", format!("{what}; the old one works")).cause(error.what.clone());
    told.causes.extend(error.cause.clone());
    told.hints.extend(error.hint.clone());
    told.hint(resume).hint(format!("keyward rotation show {rotation}"))
}

/// The probe did not say yes to a secret that waits for somebody's decision: it goes on waiting.
fn unproven(rotation: &RotationId, error: &SinkError) -> Error {
    let message =
        "the new secret was delivered and stays staged: the probe does not say that it works; the old one does";
    let mut told = Error::new(Kind::Undelivered, "probe", message).cause(error.what.clone());
    told.causes.extend(error.cause.clone());
    told.hint(format!("keyward rotation commit {rotation}   (it works all the same)"))
        .hint(format!("keyward rotation abort {rotation} --force   (the old secret stays)"))
}
