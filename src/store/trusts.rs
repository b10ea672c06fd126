//! Trusts: sealed rows of the table of objects.

use super::{
    error::{Error, Result},
    objects::{Kind, ObjectRecord},
    records::{seconds, time},
    tx::Tx,
    view::View,
};
use crate::domain::{Allowlist, Trust};
use minicbor::{Decode, Encode};

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) struct TrustRecord {
    #[n(0)]
    id: String,
    #[n(1)]
    issuer: String,
    #[n(2)]
    kind: String,
    #[n(3)]
    audience: String,
    #[n(4)]
    claims: Vec<(String, String)>,
    #[n(5)]
    role: String,
    #[n(6)]
    workspace: Option<String>,
    #[n(7)]
    ceiling: Option<Vec<String>>,
    #[n(8)]
    allow_ips: Vec<String>,
    #[n(9)]
    expires_at: Option<i64>,
    #[n(10)]
    token_life: i64,
    #[n(11)]
    keys: Option<String>,
    #[n(12)]
    public_only: bool,
    #[n(13)]
    created_at: i64,
    #[n(14)]
    created_by: String,
}

impl View<'_> {
    /// All trusts, those that have ended included.
    ///
    /// # Errors
    /// `RowTampered` when a row was changed.
    pub fn trusts(&self) -> Result<Vec<Trust>> {
        self.objects(Kind::Trust, "")?.into_iter().map(trust).collect()
    }
}

impl Tx<'_> {
    /// Inserts a trust.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn put_trust(&mut self, trust: &Trust) -> Result<()> {
        let record = TrustRecord {
            id: trust.id.clone(),
            issuer: trust.issuer.clone(),
            kind: trust.kind.to_string(),
            audience: trust.audience.clone(),
            claims: trust.claims.clone().into_iter().collect(),
            role: trust.role.to_string(),
            workspace: trust.workspace.clone(),
            ceiling: trust.ceiling.as_ref().map(|scopes| scopes.iter().map(ToString::to_string).collect()),
            allow_ips: trust.allow_ips.to_strings(),
            expires_at: trust.expires_at.map(|at| at.timestamp()),
            token_life: trust.token_life.num_seconds(),
            keys: trust.keys.clone(),
            public_only: trust.public_only,
            created_at: trust.created_at.timestamp(),
            created_by: trust.created_by.clone(),
        };
        let record = ObjectRecord { name: trust.name.clone(), trust: Some(record), ..ObjectRecord::default() };
        self.put_object(Kind::Trust as i64, &record)
    }

    /// Removes a trust.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn delete_trust(&mut self, trust: &Trust) -> Result<()> {
        self.delete_object(Kind::Trust, "", &trust.name)
    }
}

fn trust(record: ObjectRecord) -> Result<Trust> {
    let damaged = || Error::Damaged(None);
    let sealed = record.trust.ok_or_else(damaged)?;
    let parse = |scopes: Vec<String>| scopes.iter().map(|scope| scope.parse()).collect::<Result<Vec<_>, _>>();
    Ok(Trust {
        id: sealed.id,
        name: record.name,
        issuer: sealed.issuer,
        kind: sealed.kind.parse().map_err(|_| damaged())?,
        audience: sealed.audience,
        claims: sealed.claims.into_iter().collect(),
        role: sealed.role.parse().map_err(|_| damaged())?,
        workspace: sealed.workspace,
        ceiling: sealed.ceiling.map(parse).transpose().map_err(|_: String| damaged())?,
        allow_ips: Allowlist::parse(&sealed.allow_ips).map_err(|_| damaged())?,
        expires_at: sealed.expires_at.map(time).transpose()?,
        token_life: seconds(sealed.token_life)?,
        keys: sealed.keys,
        public_only: sealed.public_only,
        created_at: time(sealed.created_at)?,
        created_by: sealed.created_by,
    })
}
