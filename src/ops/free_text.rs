//! Text that people write and others read: reasons, names, descriptions. It is kept in one form, and what is not seen or
//! turns the reader's line round is refused. A secret in it would stand in the audit trail, in plans and in exports for ever,
//! so it is refused at every door, and never repeated.

use super::{
    context::Context,
    create::Create,
    error::{Error, Kind, Result},
};
use crate::domain::{Event, scan, text};
use serde_json::Value;
use std::borrow::Cow;

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

/// A text of one line as it is kept; `what` names it.
///
/// # Errors
/// `Usage` for a character that is not seen, and for a secret.
pub fn one_line(what: &str, text: &mut String) -> Result<()> {
    kept(what, text, text::one_line)
}

/// A text of any number of lines as it is kept; `what` names it.
///
/// # Errors
/// As [`one_line`].
pub fn lines(what: &str, text: &mut String) -> Result<()> {
    kept(what, text, text::lines)
}

fn kept(what: &str, text: &mut String, form: impl Fn(&str) -> Result<Cow<'_, str>, String>) -> Result<()> {
    let unseen =
        |why| Error::new(Kind::Usage, "hidden_character", format!("the {what} {why}")).hint("write it without");
    if let Cow::Owned(composed) = form(text).map_err(unseen)? {
        *text = composed;
    }
    refuse(what, text)
}

impl Context {
    /// Refuses a reason or a ticket that could not be recorded.
    ///
    /// # Errors
    /// `Usage` when it holds a secret or a character that is not seen, or is too long.
    pub fn recordable(&self) -> Result<()> {
        lines("reason", &mut self.reason.clone().unwrap_or_default())?;
        one_line("ticket", &mut self.ticket.clone().unwrap_or_default())?;
        refuse_why("reason", self.reason.as_deref())?;
        refuse_why("ticket", self.ticket.as_deref())
    }
}

/// What is said of a key, as it is kept; its name is in that form already.
///
/// # Errors
/// `Usage`, with the field.
pub(super) fn of_key(key: &mut Create) -> Result<()> {
    key.owner.iter_mut().try_for_each(|owner| one_line("owner", owner))?;
    key.description.iter_mut().try_for_each(|description| lines("description", description))?;
    key.project.iter_mut().try_for_each(|project| one_line("project", project))?;
    key.customers.iter_mut().try_for_each(|customer| one_line("customer", customer))?;
    key.labels = labels(std::mem::take(&mut key.labels))?;
    Ok(())
}

/// Refuses a key with a secret in what is said of it.
///
/// # Errors
/// `Usage`, with the field.
pub(super) fn refuse_in_key(key: &Create) -> Result<()> {
    let told = [("owner", &key.owner), ("description", &key.description), ("project", &key.project)];
    told.into_iter().try_for_each(|(what, text)| refuse(what, text.as_deref().unwrap_or_default()))?;
    key.customers.iter().try_for_each(|customer| refuse("customer", customer))?;
    key.labels.iter().try_for_each(|(label, value)| refuse("label", label).and_then(|()| refuse("label", value)))
}

/// Labels as they are kept.
///
/// # Errors
/// `Usage` for a text that is refused.
pub(super) fn labels<T: FromIterator<(String, String)>>(
    given: impl IntoIterator<Item = (String, String)>,
) -> Result<T> {
    let told = given.into_iter().map(|(mut label, mut value)| {
        one_line("label", &mut label)?;
        one_line("label", &mut value)?;
        Ok((label, value))
    });
    told.collect()
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
