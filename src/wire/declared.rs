//! Keys as a file declares them, and the hygiene of keys.

use super::{keys::CreatedReply, told::Told};
use crate::ops::{
    Applied, Created, Declared, Error, KeyView, Plan,
    check::{Checked, CheckedKey, Finding, RuleAnswer},
};
use serde::{Deserialize, Serialize};

/// Keys as a file would declare them.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = DeclaredKeys))]
pub struct DeclaredReply {
    /// `keyward.declared-list/v1`.
    pub schema: String,
    /// By environment and name.
    pub items: Vec<Declared>,
}

/// What would have to be done to make a workspace like a file.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = PlanOfKeys))]
pub struct PlanReply {
    /// `keyward.plan/v1`.
    pub schema: String,
    /// The plan.
    #[serde(flatten)]
    pub plan: Plan,
}

/// What was done to make a workspace like a file.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = AppliedKeys))]
pub struct AppliedReply {
    /// `keyward.applied/v1`.
    pub schema: String,
    /// What was done, or could not be.
    pub plan: Plan,
    /// The new keys with their secrets, in the order of the plan.
    pub created: Vec<CreatedReply>,
}

/// What keys are found to want.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = HygieneOfKeys))]
pub struct CheckedReply {
    /// `keyward.hygiene/v1`.
    pub schema: String,
    /// The findings: the gravest first, then by rule and name.
    pub findings: Vec<Finding>,
    /// How many keys were looked at.
    pub keys: usize,
    /// What could not be looked at, and why.
    pub unasked: Vec<String>,
}

/// What every rule says of one key.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = HygieneOfKey))]
pub struct CheckedKeyReply {
    /// `keyward.key-hygiene/v1`.
    pub schema: String,
    /// The key.
    pub key: KeyView,
    /// An answer a rule.
    pub answers: Vec<RuleAnswer>,
}

impl Told for Plan {
    type Body = PlanReply;

    fn tell(self) -> PlanReply {
        PlanReply { schema: "keyward.plan/v1".to_owned(), plan: self }
    }

    fn read(reply: PlanReply) -> Result<Self, Error> {
        Ok(reply.plan)
    }
}

impl Told for Applied {
    type Body = AppliedReply;

    fn tell(self) -> AppliedReply {
        let created = self.created.into_iter().map(Told::tell).collect();
        AppliedReply { schema: "keyward.applied/v1".to_owned(), plan: self.plan, created }
    }

    fn read(reply: AppliedReply) -> Result<Self, Error> {
        let created = reply.created.into_iter().map(Created::read).collect::<Result<_, _>>()?;
        Ok(Self { plan: reply.plan, created })
    }
}

impl Told for Checked {
    type Body = CheckedReply;

    fn tell(self) -> CheckedReply {
        let Self { findings, keys, unasked } = self;
        CheckedReply { schema: "keyward.hygiene/v1".to_owned(), findings, keys, unasked }
    }

    fn read(reply: CheckedReply) -> Result<Self, Error> {
        Ok(Self { findings: reply.findings, keys: reply.keys, unasked: reply.unasked })
    }
}

impl Told for CheckedKey {
    type Body = CheckedKeyReply;

    fn tell(self) -> CheckedKeyReply {
        CheckedKeyReply { schema: "keyward.key-hygiene/v1".to_owned(), key: self.key, answers: self.answers }
    }

    fn read(reply: CheckedKeyReply) -> Result<Self, Error> {
        Ok(Self { key: reply.key, answers: reply.answers })
    }
}

impl Told for Vec<Declared> {
    type Body = DeclaredReply;

    fn tell(self) -> DeclaredReply {
        DeclaredReply { schema: "keyward.declared-list/v1".to_owned(), items: self }
    }

    fn read(reply: DeclaredReply) -> Result<Self, Error> {
        Ok(reply.items)
    }
}
