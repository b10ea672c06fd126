//! Showing a plan: a table for people, the same as a document for programs.

use crate::{
    cli::{columns, context::Ctx},
    domain::{RateLimit, time::format_duration},
    ops::{Change, Plan, PlanStep, Result, Verb},
    output::{Page, Report},
};
use chrono::TimeDelta;
use serde_json::{Value, json};

/// Writes a plan.
///
/// # Errors
/// When standard output cannot be written.
pub(in crate::cli) fn show(cx: &mut Ctx, plan: &Plan) -> Result<()> {
    let rows: Vec<Value> = plan.steps.iter().map(row).collect();
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
        (count(Verb::Blocked), "cannot be applied"),
        (plan.unchanged, "unchanged"),
    ];
    let told = told.iter().filter(|(count, what)| *count > 0 || *what == "unchanged");
    told.map(|(count, what)| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
}

fn row(step: &PlanStep) -> Value {
    let mut row = json!(step);
    row["what"] = json!(what(step));
    row
}

fn what(step: &PlanStep) -> String {
    let mut told: Vec<String> = step.changes.iter().map(|change| one(change, step.action == Verb::Create)).collect();
    told.extend(step.why.clone());
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
