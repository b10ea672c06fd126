//! What an operator needs for an operation that has a handler of its own, as the document of the API tells it: the roles of
//! each. The handlers decide; a test asks them with every role and compares. A declared use case says it itself.

use crate::domain::{Permission as P, Role};

/// What lets a role in.
enum Needs {
    /// Any one of these; the second ones for a part of what can be asked.
    Any(&'static [P]),
    /// All of these.
    All(&'static [P]),
}

/// The roles whose operators an operation takes, the widest first.
pub(super) fn roles(operation: &str) -> Vec<&'static str> {
    let needs = needs(operation);
    let may = |role: &Role| match &needs {
        Needs::Any(these) => these.iter().any(|one| role.may(*one)),
        Needs::All(these) => these.iter().all(|one| role.may(*one)),
    };
    Role::ALL.into_iter().filter(may).map(Role::as_str).collect()
}

fn needs(operation: &str) -> Needs {
    match operation {
        "apply_keys" => Needs::All(&[P::ReadKeys, P::CreateKeys, P::UpdateKeys, P::ActivateKeys, P::StopKeys]),
        other => Needs::Any(match other {
            "list_keys" => &[P::ReadKeys, P::ReadOwnKeys],
            "create_keys" => &[P::CreateKeys],
            "list_events" => &[P::ReadAudit, P::ReadHistory],
            "verify_trail" => &[P::ReadAudit],
            "export_trail" => &[P::ExportAudit],
            "verify" => &[P::AskVerdicts, P::ExplainVerdicts],
            "list_projects" => &[P::ReadWorkspace],
            // Whoever has a credential may ask what it is.
            _ => &P::ALL,
        }),
    }
}
