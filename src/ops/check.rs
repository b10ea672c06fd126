//! The hygiene of a workspace: what its keys, and the reviews of its trail, are found to want.

use super::{
    audit_review,
    case::{Ask, Method, Route, UseCase},
    context::Context,
    entitlement,
    error::Result,
    lookup,
    view::KeyView,
};
use crate::{
    domain::{
        Environment, Feature, Key, KeyRef, Permission, Status, Usage, counted,
        hygiene::{Answer, Crowd, Policy, Rule, Severity, crowds, examine},
        time::format_time,
    },
    store::View,
    vault::Capabilities,
};
use serde::{Deserialize, Serialize};

/// So many keys of a crowd are named.
const NAMED: usize = 5;

/// By which rules keys are looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = CheckBody))]
pub struct Check {
    /// The policy, as `keyward help` has it in TOML; the built-in one unless told.
    #[cfg_attr(test, schema(value_type = Object))]
    pub policy: Policy,
    /// Only the keys of whoever asks, made by it or owned by it, and nothing about all of them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(test, schema(required = false))]
    pub mine: bool,
}

/// What came of a [`Check`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// The findings: the gravest first, then by rule and name.
    pub findings: Vec<Finding>,
    /// How many keys were looked at.
    pub keys: usize,
    /// What could not be looked at, and why.
    pub unasked: Vec<String>,
}

/// One finding, about a key or about none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Finding {
    /// The rule that is broken.
    #[cfg_attr(test, schema(value_type = String))]
    pub rule: Rule,
    /// How bad that is.
    #[cfg_attr(test, schema(value_type = String))]
    pub severity: Severity,
    /// The key that it is about; null where it is about none.
    pub key_id: Option<String>,
    /// The name of that key.
    pub name: Option<String>,
    /// Its environment.
    pub environment: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// What is wrong, in a sentence.
    pub message: String,
    /// What mends it.
    pub fix: String,
    /// The exception that covers it, for now.
    pub excepted: Option<Excepted>,
}

/// An exception as it is shown with a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Excepted {
    /// Until when the exception holds.
    pub until: String,
    /// Why there is one.
    pub reason: String,
}

/// By which rules keys are looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = CheckBody))]
pub struct CheckKey {
    /// The id of the key, its name, or a prefix of its id.
    #[cfg_attr(test, schema(value_type = String))]
    pub key: KeyRef,
    /// The environment, where keys of several have the name.
    #[serde(default)]
    pub environment: Option<Environment>,
    /// The policy, as `keyward help` has it in TOML; the built-in one unless told.
    #[serde(default)]
    #[cfg_attr(test, schema(value_type = Object, required = false))]
    pub policy: Policy,
}

/// What every rule says of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedKey {
    /// The key.
    pub key: KeyView,
    /// An answer a rule.
    pub answers: Vec<RuleAnswer>,
}

/// What one rule says of one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct RuleAnswer {
    /// The rule.
    #[cfg_attr(test, schema(value_type = String))]
    pub rule: Rule,
    /// How bad it is to break it.
    #[cfg_attr(test, schema(value_type = String))]
    pub severity: Severity,
    /// Null where the rule is not about such a key.
    pub ok: Option<bool>,
    /// What was found, in a sentence.
    pub detail: String,
    /// What mends it; null when nothing is wrong.
    pub fix: Option<String>,
    /// The exception that covers it, for now.
    pub excepted: Option<Excepted>,
}

impl UseCase for Check {
    type Outcome = Checked;
    const PERMISSION: Permission = Permission::ReadKeys;
    const OR: Option<Permission> = Some(Permission::ReadOwnKeys);

    fn of_own(&self) -> Option<bool> {
        Some(self.mine)
    }

    const ROUTE: Route = Route {
        query: &["mine"],
        optional_body: true,
        long: true,
        summary: "What do the keys of the workspace want?",
        description: "Owners, ends, limits, rotations and reviews, by a policy; it changes nothing.",
        answers: &[(200, "The findings.")],
        ..Route::new(Method::Post, "/v1/keys/check", "check_keys", "keys")
    };
}

impl Ask for Check {
    fn ask(&self, view: &View<'_>, caps: &Capabilities, cx: &Context) -> Result<Checked> {
        check(view, caps, cx, self)
    }
}

impl UseCase for CheckKey {
    type Outcome = CheckedKey;
    const PERMISSION: Permission = Permission::ReadKeys;
    const ROUTE: Route = Route {
        query: &["environment"],
        optional_body: true,
        summary: "What does every rule say of one key?",
        answers: &[(200, "The answers.")],
        ..Route::new(Method::Post, "/v1/keys/{key}/check", "check_key", "keys")
    };

    fn target(&self) -> String {
        self.key.to_string()
    }
}

impl Ask for CheckKey {
    fn ask(&self, view: &View<'_>, _caps: &Capabilities, cx: &Context) -> Result<CheckedKey> {
        check_key(view, cx, self)
    }
}

/// Looks at all keys of the workspace, and at the reviews of the trail.
///
/// # Errors
/// `Integrity` when a row, or the set of rows, is not what the head signs.
fn check(tx: &View<'_>, caps: &Capabilities, cx: &Context, request: &Check) -> Result<Checked> {
    entitlement::workspace(tx, &cx.workspace)?;
    let policy = &request.policy;
    let keys = tx.keys(&cx.workspace, None)?;
    let living = |key: &Key| matches!(key.status_at(cx.now), Status::Active | Status::Inactive);
    let mut findings = Vec::new();
    let asked = Rule::ALL.into_iter().filter(|rule| rule.is_about_keys() && policy.severity(*rule) != Severity::Off);
    let asked: Vec<Rule> = asked.collect();
    let lost = |key: &Key| key.status_at(cx.now) == Status::Expired && key.rotation.every.is_some();
    let meant = |key: &Key| !request.mine || cx.has(key);
    for (key, usage) in keys.iter().filter(|(key, _)| meant(key) && (living(key) || lost(key))) {
        findings.extend(asked.iter().filter_map(|rule| of_key(*rule, policy, cx, key, usage)));
    }
    // Others are in a crowd, too: it is one's own where a key of one's own is in it.
    let crowds = crowds(policy, keys.iter().map(|(key, _)| key), cx.now);
    for crowd in crowds.into_iter().filter(|crowd| crowd.keys.iter().any(|key| meant(key))) {
        findings.push(of_crowd(policy, cx, &crowd));
    }
    let mut unasked = Vec::new();
    if !request.mine {
        match of_trail(tx, caps, cx, policy)? {
            Ok(finding) => findings.extend(finding),
            Err(why) => unasked.push(format!("{}: {why}", Rule::UnreviewedTrail)),
        }
    }
    findings.sort_by(|a, b| {
        (b.severity.cmp(&a.severity)).then_with(|| (a.rule, &a.name, &a.key_id).cmp(&(b.rule, &b.name, &b.key_id)))
    });
    let keys = keys.iter().filter(|(key, _)| meant(key) && living(key)).count();
    Ok(Checked { findings, keys, unasked })
}

/// Says of one key what every rule says of it.
///
/// # Errors
/// `NotFound` or `Conflict` when the reference names none or several.
fn check_key(tx: &View<'_>, cx: &Context, request: &CheckKey) -> Result<CheckedKey> {
    let policy = &request.policy;
    let key = lookup::key(tx, &cx.workspace, &request.key, request.environment)?;
    let usage = tx.usage(&key.id)?;
    let mut answers = Vec::new();
    for rule in Rule::ALL.into_iter().filter(|rule| rule.is_about_keys() || *rule == Rule::ExpiryCrowd) {
        let severity = policy.severity(rule);
        let answer = match (severity, rule) {
            (Severity::Off, _) => Answer::NotAsked("the policy has it off"),
            (_, Rule::ExpiryCrowd) => in_crowd(tx, cx, policy, &key)?,
            _ => examine(rule, policy, &key, &usage, cx.now),
        };
        let (ok, detail) = match answer {
            Answer::Fine(why) => (Some(true), why.to_owned()),
            Answer::NotAsked(why) => (None, why.to_owned()),
            Answer::Breach(why) => (Some(false), why),
        };
        let breach = ok == Some(false);
        answers.push(RuleAnswer {
            rule,
            severity,
            ok,
            detail,
            fix: breach.then(|| fix(rule, Some((&key, cx)))),
            excepted: if breach { excepted(policy, rule, Some(&key), cx) } else { None },
        });
    }
    Ok(CheckedKey { key: KeyView::of(key, &usage, cx.now), answers })
}

fn of_key(rule: Rule, policy: &Policy, cx: &Context, key: &Key, usage: &Usage) -> Option<Finding> {
    let Answer::Breach(message) = examine(rule, policy, key, usage, cx.now) else { return None };
    Some(Finding {
        rule,
        severity: policy.severity(rule),
        key_id: Some(key.id.to_string()),
        name: Some(key.name.clone()),
        environment: Some(key.environment.to_string()),
        owner: key.owner.clone(),
        message,
        fix: fix(rule, Some((key, cx))),
        excepted: excepted(policy, rule, Some(key), cx),
    })
}

fn of_crowd(policy: &Policy, cx: &Context, crowd: &Crowd<'_>) -> Finding {
    let mut names: Vec<&str> = crowd.keys.iter().take(NAMED).map(|key| key.name.as_str()).collect();
    if crowd.keys.len() > NAMED {
        names.push("…");
    }
    general(
        policy,
        cx,
        Rule::ExpiryCrowd,
        format!("{} keys expire on {}: {}", crowd.keys.len(), crowd.day, names.join(", ")),
    )
}

fn in_crowd(tx: &View<'_>, cx: &Context, policy: &Policy, key: &Key) -> Result<Answer> {
    let all = tx.all_keys(&cx.workspace)?;
    let crowd = crowds(policy, &all, cx.now).into_iter().find(|crowd| crowd.keys.iter().any(|one| one.id == key.id));
    Ok(crowd.map_or(Answer::Fine("it does not expire in a crowd"), |crowd| {
        Answer::Breach(format!("it expires on {} with {} others", crowd.day, crowd.keys.len() - 1))
    }))
}

/// Whether the trail is reviewed; why not asked, where this opening or the plan does not let it be seen.
fn of_trail(
    tx: &View<'_>,
    caps: &Capabilities,
    cx: &Context,
    policy: &Policy,
) -> Result<std::result::Result<Option<Finding>, &'static str>> {
    let workspace = entitlement::workspace(tx, &cx.workspace)?;
    let severity = policy.severity(Rule::UnreviewedTrail);
    // What the workspace prescribes, a file on somebody's machine does not switch off: an exception has an end and a reason.
    if severity == Severity::Off && workspace.review.every.is_none() {
        return Ok(Ok(None));
    }
    // A support slot cannot read what reviewers noted.
    if caps.admin.is_none() {
        return Ok(Err("this slot does not read the reviews"));
    }
    let plan = entitlement::plan(tx, &workspace.plan)?;
    if plan.permits(Feature::AuditView).is_err() {
        return Ok(Err("the plan of the workspace has no view of the trail"));
    }
    let state = audit_review::state(tx, cx)?;
    let (since, last) = match state.at {
        Some(at) => (at, format!("the trail was last reviewed {}", format_time(at))),
        None => (tx.meta().created_at, "the trail was never reviewed".to_owned()),
    };
    if state.unreviewed == 0 || cx.now - since <= state.every.unwrap_or_else(|| policy.review_every()) {
        return Ok(Ok(None));
    }
    let message = format!("{last}: nobody has looked at {}{}", counted(state.unreviewed, "event"), state.demanded());
    let severity = if severity == Severity::Off { Severity::Warning } else { severity };
    Ok(Ok(Some(Finding { severity, ..general(policy, cx, Rule::UnreviewedTrail, message) })))
}

fn general(policy: &Policy, cx: &Context, rule: Rule, message: String) -> Finding {
    Finding {
        rule,
        severity: policy.severity(rule),
        key_id: None,
        name: None,
        environment: None,
        owner: None,
        message,
        fix: fix(rule, None),
        excepted: excepted(policy, rule, None, cx),
    }
}

fn fix(rule: Rule, key: Option<(&Key, &Context)>) -> String {
    match key {
        Some((key, cx)) if rule == Rule::OverdueRotation && key.status_at(cx.now) == Status::Expired => {
            format!("keyward rotate {} --renew", key.id)
        }
        Some((key, _)) => rule.remedy().replace("KEY", key.id.as_str()),
        None => rule.remedy().to_owned(),
    }
}

fn excepted(policy: &Policy, rule: Rule, key: Option<&Key>, cx: &Context) -> Option<Excepted> {
    let exception = policy.exception(rule, key, cx.now)?;
    Some(Excepted { until: format_time(exception.until), reason: exception.reason.clone() })
}
