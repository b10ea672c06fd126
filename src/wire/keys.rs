//! Keys: the query parameters of a list, and the replies that carry a secret.

use super::told::{Head, Told};
use crate::{
    domain::{Environment, PlainToken, Status},
    ops::{Change, Created, Deleted, Error, KeyView, Kind, Result, Switched, Updated, rotation_view::RotationView},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// How many keys a page has, when nothing is said, and at most.
pub const PAGE: usize = 100;
/// The most that a page has.
pub const MAX_PAGE: usize = 1_000;

/// How many keys a server makes, or compares with a file, in one request: others wait for as long as that takes.
pub const MAX_BULK: usize = 50_000;

/// Refuses more keys than are made in one request.
///
/// # Errors
/// `Usage`.
pub fn within_bulk(count: usize) -> Result<()> {
    if count <= MAX_BULK {
        return Ok(());
    }
    Err(Error::usage(format!("a server takes at most {MAX_BULK} keys in one request, and these are {count}"))
        .cause("nobody else could change anything for as long as that takes")
        .hint("several files of fewer keys, one after the other"))
}

/// A key with its secret beside it, the only time it is seen.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct CreatedReply {
    /// `keyward.key/v1`.
    pub schema: String,
    /// The key.
    pub key: KeyView,
    /// Its secret; absent when the key existed, and in a dry run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schema(value_type = Option<String>, example = "kw_prod_…"))]
    pub secret: Option<Zeroizing<String>>,
    /// The delivery of the secret to its sinks, which is still to be done and committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<RotationView>,
    /// The key was there before.
    #[serde(default)]
    pub existed: bool,
    /// What the caller should know.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// Many of them.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct CreatedList {
    /// `keyward.minted-list/v1`.
    pub schema: String,
    /// In the order of the request.
    pub items: Vec<CreatedReply>,
}

/// A page of keys.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct KeyPage {
    /// `keyward.key-list/v1`.
    pub schema: String,
    /// The keys, in order.
    pub items: Vec<KeyView>,
    /// Where the page stands.
    pub page: PageInfo,
    /// How many keys the default statuses hide, by status.
    #[serde(default)]
    #[cfg_attr(test, schema(value_type = BTreeMap<String, usize>))]
    pub hidden: BTreeMap<Status, usize>,
}

impl KeyPage {
    /// A page of a list of so many keys.
    #[must_use]
    pub fn of(items: Vec<KeyView>, total: usize, next: Option<String>, hidden: BTreeMap<Status, usize>) -> Self {
        let page = PageInfo { returned: items.len(), total, truncated: next.is_some(), next };
        Self { schema: "keyward.key-list/v1".to_owned(), items, page, hidden }
    }
}

/// Where a page stands in its list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct PageInfo {
    /// Items in this reply.
    pub returned: usize,
    /// Items that match.
    pub total: usize,
    /// Whether there are more.
    pub truncated: bool,
    /// Asks for the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl PageInfo {
    /// The page of a list that is told whole.
    #[must_use]
    pub fn whole(items: usize) -> Self {
        Self { returned: items, total: items, truncated: false, next: None }
    }
}

/// The words of a secret that came over the wire.
///
/// # Errors
/// `Internal` when it is no token.
pub fn token(text: Option<Zeroizing<String>>) -> Result<Option<PlainToken>> {
    text.map(|text| PlainToken::parse(&text))
        .transpose()
        .map_err(|_| Error::new(Kind::Internal, "reply", "the server's reply holds a secret that is none"))
}

/// A secret on its way to the one who asked for it.
#[must_use]
pub fn exposed(token: Option<&PlainToken>) -> Option<Zeroizing<String>> {
    token.map(|token| Zeroizing::new(token.expose_plaintext().to_owned()))
}

impl Told for Created {
    type Body = CreatedReply;

    fn head(&self) -> Head {
        let location = Some(format!("/v1/keys/{}", self.key.id));
        Head { status: self.existed.then_some(200), location, ..Head::of(&self.key) }
    }

    fn tell(self) -> CreatedReply {
        CreatedReply {
            schema: "keyward.key/v1".to_owned(),
            key: self.key,
            secret: exposed(self.secret.as_ref()),
            rotation: self.rotation,
            existed: self.existed,
            notes: self.notes,
        }
    }

    fn read(reply: CreatedReply) -> Result<Self> {
        Ok(Self {
            key: reply.key,
            secret: token(reply.secret)?,
            rotation: reply.rotation,
            existed: reply.existed,
            notes: reply.notes,
        })
    }
}

/// The query parameters of a list of keys, as the OpenAPI document names them;
/// [`crate::ops::key_query::filter_of`] reads them.
#[cfg_attr(test, derive(utoipa::IntoParams))]
#[cfg_attr(test, into_params(parameter_in = Query))]
pub struct ListParameters {
    /// Statuses, separated by commas; active and inactive ones unless told.
    #[cfg_attr(test, param(example = "active,expired"))]
    pub status: Option<String>,
    /// Expired ones only.
    pub expired: Option<bool>,
    /// Those that expire within a time.
    #[cfg_attr(test, param(example = "7d"))]
    pub expires_within: Option<String>,
    /// Those that never expire.
    pub no_expiry: Option<bool>,
    /// Those that were not used for so long.
    #[cfg_attr(test, param(example = "30d"))]
    pub unused_for: Option<String>,
    /// Those that were never used.
    pub never_used: Option<bool>,
    /// With `never_used`: and are older than this.
    #[cfg_attr(test, param(example = "30d"))]
    pub older_than: Option<String>,
    /// Those that were used within so long, or since a time.
    #[cfg_attr(test, param(example = "1d"))]
    pub used_since: Option<String>,
    /// Those of which a request was refused within so long, or since a time, of any status, with the reasons.
    #[cfg_attr(test, param(example = "1h"))]
    pub denied_since: Option<String>,
    /// Those of an environment.
    pub environment: Option<Environment>,
    /// Those of an owner.
    pub owner: Option<String>,
    /// Those of whoever asks: made by it, or owned by it.
    pub mine: Option<bool>,
    /// Those of a project.
    pub project: Option<String>,
    /// Those narrowed to a customer.
    pub customer: Option<String>,
    /// Those that hold a scope.
    #[cfg_attr(test, param(example = "invoices:read"))]
    pub scope: Option<String>,
    /// Those with a label, `name` or `name=value`; several must all be there.
    #[cfg_attr(test, param(example = json!(["team=billing"])))]
    pub label: Option<Vec<String>>,
    /// Those in whose name, description, owner or labels every one of these words is found, in whatever case.
    #[cfg_attr(test, param(example = "billing web"))]
    pub q: Option<String>,
    /// Those whose name fits a pattern.
    #[cfg_attr(test, param(example = "billing-*"))]
    pub name: Option<String>,
    /// Those whose rotation is due within so long; `0` for now.
    #[cfg_attr(test, param(example = "7d"))]
    pub due_within: Option<String>,
    /// The order: a field, with `-` in front for the reverse.
    #[cfg_attr(test, param(example = "-created"))]
    pub sort: Option<String>,
    /// How many keys a page has.
    #[cfg_attr(test, param(minimum = 1, maximum = 1000, default = 100))]
    pub limit: Option<usize>,
    /// The page that `page.next` of the one before asks for.
    #[cfg_attr(test, param(pattern = r"^[0-9]{1,9}\.key_[0-9A-Za-z]+$"))]
    pub cursor: Option<String>,
}

/// A key and what an update changed of it.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct UpdatedReply {
    /// `keyward.key/v1`.
    pub schema: String,
    /// The key afterwards.
    pub key: KeyView,
    /// What changed; empty when everything was so already.
    pub changes: Vec<Change>,
    /// What the caller should know.
    pub notes: Vec<String>,
}

impl Told for Updated {
    type Body = UpdatedReply;

    fn head(&self) -> Head {
        Head::of(&self.key)
    }

    fn tell(self) -> UpdatedReply {
        let Self { key, changes, notes } = self;
        UpdatedReply { schema: "keyward.key/v1".to_owned(), key, changes, notes }
    }

    fn read(reply: UpdatedReply) -> Result<Self> {
        Ok(Self { key: reply.key, changes: reply.changes, notes: reply.notes })
    }
}

/// One key, and whether a switch changed it.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct KeyReply {
    /// `keyward.key/v1`.
    #[serde(default)]
    pub schema: String,
    /// The key.
    pub key: KeyView,
    /// Whether anything changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schema(value_type = bool))]
    pub changed: Option<bool>,
}

impl KeyReply {
    fn of(key: KeyView, changed: Option<bool>) -> Self {
        Self { schema: "keyward.key/v1".to_owned(), key, changed }
    }
}

impl Told for KeyView {
    type Body = KeyReply;

    fn head(&self) -> Head {
        Head::of(self)
    }

    fn tell(self) -> KeyReply {
        KeyReply::of(self, None)
    }

    fn read(reply: KeyReply) -> Result<Self> {
        Ok(reply.key)
    }
}

impl Told for Switched {
    type Body = KeyReply;

    fn head(&self) -> Head {
        Head::of(&self.key)
    }

    fn tell(self) -> KeyReply {
        KeyReply::of(self.key, Some(self.changed))
    }

    fn read(reply: KeyReply) -> Result<Self> {
        Ok(Self { key: reply.key, changed: reply.changed.unwrap_or(false) })
    }
}

impl Told for Deleted {
    type Body = KeyReply;

    fn head(&self) -> Head {
        Head::of(&self.key)
    }

    fn tell(self) -> KeyReply {
        KeyReply::of(self.key, None)
    }

    fn read(reply: KeyReply) -> Result<Self> {
        Ok(Self { key: reply.key })
    }
}

/// The errors of entries of a bulk request.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct RefusedEntries {
    /// The problem of the whole.
    #[serde(flatten)]
    pub problem: super::Problem,
    /// The entries that are wrong: the first hundred.
    pub entries: Vec<RefusedEntry>,
    /// The positions of the other entries that are wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<usize>,
}

/// One entry that is wrong.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct RefusedEntry {
    /// Its position in the request, from 0.
    pub index: usize,
    /// What is wrong with it.
    pub problem: super::Problem,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{KeyFilter, Time},
        ops::key_query::{filter_of, query_of},
    };

    #[test]
    fn the_documented_parameters_are_those_that_are_read() {
        let documented = <ListParameters as utoipa::IntoParams>::into_params(|| None);
        let names: std::collections::BTreeSet<String> =
            documented.into_iter().map(|parameter| parameter.name).collect();
        let unknown = |name: &str| {
            let told = filter_of(&[(name.to_owned(), "!".to_owned())], Time::UNIX_EPOCH);
            told.is_err_and(|error| error.message.starts_with("there is no parameter"))
        };
        assert!(names.iter().all(|name| !unknown(name)), "{names:?}");
        let every = KeyFilter {
            statuses: Some([Status::Active].into()),
            labels: vec![("team".to_owned(), None)],
            name: Some(glob::Pattern::new("a*").unwrap()),
            search: "a".parse().unwrap(),
            environment: Some(Environment::Production),
            ..KeyFilter::default()
        };
        assert!(query_of(&every).into_iter().all(|(name, _)| names.contains(name)));
    }
}
