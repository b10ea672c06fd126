//! The roles whose operators an operation takes that has a handler of its own, as the document of the API tells them. The
//! handlers decide; a test asks them with every role and compares. A declared use case says it itself.

use crate::domain::{Permission as P, Role};

/// The roles, the widest first.
pub(super) fn roles(operation: &str) -> Vec<&'static str> {
    // Any one of these is enough; the second ones for a part of what can be asked.
    let these: &[P] = match operation {
        "list_keys" => &[P::ReadKeys, P::ReadOwnKeys],
        "create_keys" => &[P::CreateKeys],
        "list_events" => &[P::ReadAudit, P::ReadHistory],
        "verify_trail" => &[P::ReadAudit],
        "export_trail" => &[P::ExportAudit],
        "verify" => &[P::AskVerdicts, P::ExplainVerdicts],
        "list_projects" => &[P::ReadWorkspace],
        // Whoever has a credential may ask what it is.
        _ => &P::ALL,
    };
    Role::ALL.into_iter().filter(|role| these.iter().any(|one| role.may(*one))).map(Role::as_str).collect()
}
