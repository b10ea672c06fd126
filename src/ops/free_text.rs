//! Text that people write and others read: reasons, names, descriptions. A secret in it would stand in the audit trail, in
//! plans and in exports for ever, so it is refused at every door, and never repeated.

use super::{
    context::Context,
    create::Create,
    error::{Error, Kind, Result},
};
use crate::domain::{Event, scan};
use serde_json::Value;

/// Refuses a text that holds a whole secret; `what` names it.
///
/// # Errors
/// `Usage`, without the secret.
pub fn refuse(what: &str, text: &str) -> Result<()> {
    if !scan::holds_token(text) {
        return Ok(());
    }
    Err(Error::new(Kind::Usage, "secret_in_text", format!("the {what} holds a secret"))
        .cause("it would stand in the audit trail and in what is shown, and cannot be taken out again")
        .hint("keyward identify -   names its key, from standard input; write the id of the key instead"))
}

/// The most that is recorded of a reason or a ticket, in characters: both stand in every line about their event.
const LONGEST_REASON: usize = 1_000;

/// Refuses a reason or a ticket that could not be recorded.
fn refuse_why(what: &str, text: Option<&str>) -> Result<()> {
    let text = text.unwrap_or_default();
    let length = text.chars().count();
    if length > LONGEST_REASON {
        let told = format!("the {what} has {length} characters; {LONGEST_REASON} are the most");
        return Err(Error::usage(told).hint("--ticket, with where the rest can be read"));
    }
    refuse(what, text)
}

impl Context {
    /// Refuses a reason or a ticket that could not be recorded.
    ///
    /// # Errors
    /// `Usage` when it holds a secret, or is too long.
    pub fn recordable(&self) -> Result<()> {
        refuse_why("reason", self.reason.as_deref())?;
        refuse_why("ticket", self.ticket.as_deref())
    }
}

/// Refuses a key with a secret in what is said of it; its name is none already.
///
/// # Errors
/// `Usage`, with the field.
pub(super) fn of_key(key: &Create) -> Result<()> {
    let some = |text: &Option<String>| text.clone().unwrap_or_default();
    refuse("owner", &some(&key.owner))?;
    refuse("description", &some(&key.description))?;
    refuse("project", &some(&key.project))?;
    key.customers.iter().try_for_each(|customer| refuse("customer", customer))?;
    key.labels.iter().try_for_each(|(label, value)| refuse("label", label).and_then(|()| refuse("label", value)))
}

/// Refuses to record an event with a secret in it, whatever field of whatever it came from.
///
/// # Errors
/// `Usage`, with the field.
pub fn of_events(events: &[Event]) -> Result<()> {
    events.iter().try_for_each(|event| {
        refuse_why("reason", event.reason.as_deref())?;
        refuse_why("ticket", event.ticket.as_deref())?;
        refuse("name", &event.target)?;
        of_value("text", &event.changes)
    })
}

fn of_value(field: &str, value: &Value) -> Result<()> {
    match value {
        Value::String(text) => refuse(field, text),
        Value::Array(items) => items.iter().try_for_each(|item| of_value(field, item)),
        Value::Object(fields) => fields.iter().try_for_each(|(name, value)| {
            refuse("text", name)?;
            // What a field was and is stands one level below its name.
            of_value(if matches!(name.as_str(), "from" | "to") { field } else { name }, value)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}
