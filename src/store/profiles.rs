//! Profiles: sealed rows of the table of objects. The credential in one is sealed once more, under the key that only an
//! admin holds: whoever may read records may not act as somebody else on a server.

use super::{
    error::{Error, Result},
    objects::{Kind, ObjectRecord},
    records::time,
    tx::Tx,
    view::View,
};
use crate::{
    domain::{Login, Profile},
    vault::{Capabilities, seal_framed},
};
use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) struct ProfileRecord {
    #[n(0)]
    server: String,
    #[n(1)]
    ca_file: Option<String>,
    #[n(2)]
    workspace: Option<String>,
    #[n(3)]
    operator: String,
    #[n(4)]
    role: String,
    #[n(5)]
    expires_at: Option<i64>,
    #[n(6)]
    at: i64,
    /// Bound to the server, so that it is never sent to another one.
    #[cbor(n(7), with = "minicbor::bytes")]
    credential: Vec<u8>,
}

fn bound(caps: &Capabilities, name: &str, server: &str) -> Vec<u8> {
    seal_framed(&[caps.vault_id.as_bytes(), b"profile", name.as_bytes(), server.as_bytes()])
}

impl ProfileRecord {
    fn open(&self, caps: &Capabilities, name: &str) -> Result<Zeroizing<Vec<u8>>> {
        if caps.admin.is_none() {
            return Err(Error::SupportSlot);
        }
        let tampered = |_| Error::RowTampered { table: "objects", id: format!("profile {name}") };
        caps.open_detail(&bound(caps, name, &self.server), &self.credential).map_err(tampered)
    }

    /// Seals the credential again, for the keys that are to come.
    pub(super) fn reseal(&mut self, name: &str, old: &Capabilities, fresh: &Capabilities) -> Result<()> {
        let plain = self.open(old, name)?;
        self.credential = fresh.seal_detail(&mut rand::rng(), &bound(fresh, name, &self.server), &plain)?;
        Ok(())
    }
}

impl View<'_> {
    /// All profiles.
    ///
    /// # Errors
    /// `RowTampered` when a row was changed.
    pub fn profiles(&self) -> Result<Vec<Profile>> {
        self.objects(Kind::Profile, "")?.into_iter().map(|record| profile(record).map(|(found, _)| found)).collect()
    }

    /// A profile with its credential.
    ///
    /// # Errors
    /// `SupportSlot`; `RowTampered` when the row was changed.
    pub fn login(&self, name: &str) -> Result<Option<Login>> {
        let Some(record) = self.object(Kind::Profile, "", name)? else { return Ok(None) };
        let (found, sealed) = profile(record)?;
        let plain = sealed.open(self.caps, name)?;
        let text = std::str::from_utf8(&plain).map_err(|_| Error::Damaged(None))?;
        Ok(Some(Login { profile: found, token: Zeroizing::new(text.to_owned()) }))
    }
}

impl Tx<'_> {
    /// Inserts or replaces a profile.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn put_login(&mut self, login: &Login) -> Result<()> {
        let Login { profile, token } = login;
        let bound = bound(self.caps, &profile.name, &profile.server);
        let record = ProfileRecord {
            server: profile.server.clone(),
            ca_file: profile.ca_file.clone(),
            workspace: profile.workspace.clone(),
            operator: profile.operator.clone(),
            role: profile.role.clone(),
            expires_at: profile.expires_at.map(|at| at.timestamp()),
            at: profile.at.timestamp(),
            credential: self.caps.seal_detail(&mut rand::rng(), &bound, token.as_bytes())?,
        };
        let record = ObjectRecord { name: profile.name.clone(), profile: Some(record), ..ObjectRecord::default() };
        self.put_object(Kind::Profile as i64, &record)
    }

    /// Removes a profile.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn delete_profile(&mut self, name: &str) -> Result<()> {
        self.delete_object(Kind::Profile, "", name)
    }
}

fn profile(record: ObjectRecord) -> Result<(Profile, ProfileRecord)> {
    let sealed = record.profile.ok_or(Error::Damaged(None))?;
    let found = Profile {
        name: record.name,
        server: sealed.server.clone(),
        ca_file: sealed.ca_file.clone(),
        workspace: sealed.workspace.clone(),
        operator: sealed.operator.clone(),
        role: sealed.role.clone(),
        expires_at: sealed.expires_at.map(time).transpose()?,
        at: time(sealed.at)?,
    };
    Ok((found, sealed))
}
