//! The end of an invocation that writes JSON: what was held back is said, and a failure is one object on stderr, with the
//! exit code that the caller sees.

use super::exit;
use crate::output::{Emitter, ErrorReport, Held};

/// Says what was held back.
pub(super) fn close(out: &mut Emitter, code: u8) {
    let Held { talk, failures } = out.let_go();
    match one(failures) {
        Some(report) => out.emit_error(&ErrorReport { notes: talk, ..seen_as(report, code) }),
        None => talk.iter().for_each(|text| out.tell(text)),
    }
}

/// Several failures as one.
fn one(mut failures: Vec<ErrorReport>) -> Option<ErrorReport> {
    if failures.len() < 2 {
        return failures.pop();
    }
    let first = failures.first()?.clone();
    let mut hints: Vec<String> = Vec::new();
    for hint in failures.iter().flat_map(|failure| &failure.hints) {
        if !hints.contains(hint) {
            hints.push(hint.clone());
        }
    }
    let causes = failures.iter().map(|one| match one.causes.first() {
        Some(cause) => format!("{}: {cause}", one.message),
        None => one.message.clone(),
    });
    Some(ErrorReport {
        message: format!("{} failures", failures.len()),
        causes: causes.collect(),
        hints,
        reason: "several".into(),
        retryable: failures.iter().all(|failure| failure.retryable),
        ..first
    })
}

fn seen_as(report: ErrorReport, code: u8) -> ErrorReport {
    ErrorReport { exit: code, code: exit::name(code).unwrap_or(report.code), ..report }
}
