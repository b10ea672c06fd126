//! Operators: sealed rows of the table of objects.

use super::{
    error::{Error, Result},
    objects::{Kind, ObjectRecord},
    records::{SecretRecord, time},
    tx::Tx,
    view::View,
};
use crate::domain::{Allowlist, Operator};
use minicbor::{Decode, Encode};

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) struct OperatorRecord {
    #[n(0)]
    id: String,
    #[n(1)]
    role: String,
    #[n(2)]
    workspace: Option<String>,
    #[n(3)]
    ceiling: Option<Vec<String>>,
    #[n(4)]
    allow_ips: Vec<String>,
    #[n(5)]
    expires_at: Option<i64>,
    #[n(6)]
    revoked_at: Option<i64>,
    #[n(7)]
    created_at: i64,
    #[n(8)]
    created_by: String,
    #[n(9)]
    secrets: Vec<SecretRecord>,
}

impl View<'_> {
    /// All operators, revoked ones included.
    ///
    /// # Errors
    /// `RowTampered` when a row was changed.
    pub fn operators(&self) -> Result<Vec<Operator>> {
        self.objects(Kind::Operator, "")?.into_iter().map(operator).collect()
    }
}

impl Tx<'_> {
    /// Inserts or replaces an operator.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn put_operator(&mut self, operator: &Operator) -> Result<()> {
        let record = OperatorRecord {
            id: operator.id.clone(),
            role: operator.role.to_string(),
            workspace: operator.workspace.clone(),
            ceiling: operator.ceiling.as_ref().map(|scopes| scopes.iter().map(ToString::to_string).collect()),
            allow_ips: operator.allow_ips.to_strings(),
            expires_at: operator.expires_at.map(|at| at.timestamp()),
            revoked_at: operator.revoked_at.map(|at| at.timestamp()),
            created_at: operator.created_at.timestamp(),
            created_by: operator.created_by.clone(),
            secrets: operator.secrets.iter().map(SecretRecord::of).collect(),
        };
        let record = ObjectRecord { name: operator.name.clone(), operator: Some(record), ..ObjectRecord::default() };
        self.put_object(Kind::Operator as i64, &record)
    }
}

fn operator(record: ObjectRecord) -> Result<Operator> {
    let damaged = || Error::Damaged(None);
    let sealed = record.operator.ok_or_else(damaged)?;
    let parse = |scopes: Vec<String>| scopes.iter().map(|scope| scope.parse()).collect::<Result<Vec<_>, _>>();
    Ok(Operator {
        id: sealed.id,
        name: record.name,
        role: sealed.role.parse().map_err(|_| damaged())?,
        workspace: sealed.workspace,
        ceiling: sealed.ceiling.map(parse).transpose().map_err(|_: String| damaged())?,
        allow_ips: Allowlist::parse(&sealed.allow_ips).map_err(|_| damaged())?,
        expires_at: sealed.expires_at.map(time).transpose()?,
        revoked_at: sealed.revoked_at.map(time).transpose()?,
        created_at: time(sealed.created_at)?,
        created_by: sealed.created_by,
        secrets: sealed.secrets.into_iter().map(SecretRecord::into_secret).collect::<Result<_>>()?,
    })
}
