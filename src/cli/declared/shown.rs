//! Showing a plan: a table for people, the same as a document for programs.

use crate::{
    cli::{columns, context::Ctx, hints::Said},
    domain::{RateLimit, time::format_duration},
    ops::{Change, Plan, PlanStep, Result, Verb},
    output::{Page, Report},
};
use chrono::TimeDelta;
use serde_json::{Value, json};

/// What is to be said of a step beside what the plan knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::cli) struct Beside {
    /// Where the secret of its key goes.
    pub(in crate::cli) sinks: Vec<String>,
    /// The id of the key that it made.
    pub(in crate::cli) key_id: Option<String>,
    /// What came of it: `done`, `undelivered`, or `left` when it cannot be applied; nothing yet of a mere plan.
    pub(in crate::cli) outcome: Option<&'static str>,
}

/// Writes a plan, and what is known beside it of each step.
///
/// # Errors
/// When standard output cannot be written.
pub(in crate::cli) fn show(cx: &mut Ctx, plan: &Plan, beside: impl Fn(&PlanStep) -> Beside) -> Result<()> {
    let said = Said::of(&cx.given);
    let carried = |step: &PlanStep| PlanStep { why: step.why.as_deref().map(|why| said.carried(why)), ..step.clone() };
    let rows: Vec<Value> = plan.steps.iter().map(|step| row(&carried(step), beside(step))).collect();
    let page = Page::whole(rows.len());
    cx.emit(&Report::list("keyward.plan/v1", rows, page, columns::PLAN, "name").uncut().noun("differences"))
}

/// A plan in one line.
pub(in crate::cli) fn summary(plan: &Plan) -> String {
    let count = |verb| plan.count(verb);
    let told = [
        (count(Verb::Create), "to create"),
        (count(Verb::Deliver), "to deliver"),
        (count(Verb::Update), "to update"),
        (count(Verb::Activate), "to activate"),
        (count(Verb::Deactivate), "to deactivate"),
        (count(Verb::Revoke), "to revoke"),
        (count(Verb::Blocked), "cannot be applied"),
        (count(Verb::Conflict), "in conflict"),
        (plan.unchanged, "unchanged"),
    ];
    let told = told.iter().filter(|(count, what)| *count > 0 || *what == "unchanged");
    told.map(|(count, what)| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
}

fn row(step: &PlanStep, beside: Beside) -> Value {
    let mut row = json!(step);
    row["what"] = json!(what(step, &beside));
    row["key_id"] = json!(step.key_id.as_ref().or(beside.key_id.as_ref()));
    row["deliver"] = json!(beside.sinks);
    row["outcome"] = json!(beside.outcome);
    row
}

fn what(step: &PlanStep, beside: &Beside) -> String {
    let new = step.action == Verb::Create || step.key_id.is_none();
    let mut told: Vec<String> = step.changes.iter().map(|change| one(change, new)).collect();
    if !beside.sinks.is_empty() {
        told.push(format!("deliver to {}", beside.sinks.join(", ")));
    }
    told.extend(step.why.clone());
    told.extend((beside.outcome == Some("undelivered")).then(|| "its secret was not delivered".to_owned()));
    told.join("; ")
}

fn one(change: &Change, new: bool) -> String {
    let (field, to) = (&change.field, text(&change.field, &change.to));
    let field = field.strip_prefix("rotation.").unwrap_or(field);
    let field = match field.strip_suffix("_seconds") {
        Some("every") => "rotate every",
        Some(field) => field,
        None => field,
    };
    if new { format!("{field} {to}") } else { format!("{field} {} → {to}", text(&change.field, &change.from)) }
}

fn text(field: &str, value: &Value) -> String {
    match value {
        Value::Null if field == "expires_at" => "never".to_owned(),
        Value::Null => "none".to_owned(),
        Value::String(text) if text.is_empty() => "none".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => items.iter().map(|item| text("", item)).collect::<Vec<_>>().join(","),
        Value::Number(seconds) if field.ends_with("_seconds") => {
            format_duration(TimeDelta::seconds(seconds.as_i64().unwrap_or_default()))
        }
        Value::Object(_) if field == "rate_limit" => serde_json::from_value::<RateLimit>(value.clone())
            .map_or_else(|_| value.to_string(), |rate| rate.to_string()),
        Value::Object(fields) if fields.is_empty() => "none".to_owned(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| format!("{name}={}", text("", value))).collect::<Vec<_>>().join(",")
        }
        other => other.to_string(),
    }
}
