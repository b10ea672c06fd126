//! A key to be created.

use super::{
    Done,
    case::{Method, Route, UseCase},
    context::Context,
    error::Result,
    existing::existing,
    free_text,
    new_key::{Standing, accept, keep, make},
    rotation_view::RotationView,
    view::KeyView,
};
use crate::{
    domain::{
        Allowlist, Environment, Expiry, Imported, KeyId, Permission, PlainToken, RateLimit, Scope, SelfService,
        serde_text,
    },
    store::Tx,
    vault::Capabilities,
};
use chrono::TimeDelta;
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A key to be created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(example = json!({"name": "billing-sync-prod", "environment": "production", "scopes": ["invoices:read"], "expiry": {"in": 7_776_000}})))]
pub struct Create {
    /// Names the one system that uses the key; unique per workspace and environment.
    #[serde(deserialize_with = "serde_text::name")]
    #[cfg_attr(test, schema(value_type = crate::domain::ObjectName))]
    pub name: String,
    /// Where the key works, and nowhere else.
    #[serde(default)]
    pub environment: Environment,
    /// Who answers for the key.
    #[serde(default)]
    pub owner: Option<String>,
    /// Free text.
    #[serde(default)]
    pub description: Option<String>,
    /// The one project of a project-level key.
    #[serde(default)]
    pub project: Option<String>,
    /// The customers the key is narrowed to.
    #[serde(default)]
    pub customers: Vec<String>,
    /// What the key may do.
    #[serde(default)]
    pub scopes: Vec<Scope>,
    /// Requests a window; `Some(None)`, which must be spelled out, is no limit, and `None` is the usual one: 100 an hour, or
    /// less where the plan allows no more.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_text::change_limit")]
    #[cfg_attr(test, schema(value_type = Option<crate::domain::SaidLimit>))]
    pub rate_limit: Option<Option<RateLimit>>,
    /// Where the key may be used from; empty means anywhere.
    #[serde(default)]
    pub allow_ips: Allowlist,
    /// Free labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// When the key ends, never edited afterwards. When not given: 90 days, or less where the workspace says so; never for a key
    /// that is to be rotated, whose secrets end instead unless they are, and as late as the workspace allows where it says.
    #[serde(default)]
    pub expiry: Option<Expiry>,
    /// The same said otherwise: so many days, or a duration such as `90d`. Only one of the two.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_text::lifetime")]
    #[cfg_attr(test, schema(value_type = Option<serde_text::lifetime::Lifetime>))]
    pub expires_in: Option<TimeDelta>,
    /// How often the secret is to be rotated; `Some(None)` is never, `None` leaves it to the workspace.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_text::change_seconds")]
    #[cfg_attr(test, schema(value_type = Option<i64>, minimum = 1, maximum = 3_162_240_000_i64))]
    pub rotate_every: Option<Option<TimeDelta>>,
    /// How long the old secret goes on working after a rotation.
    #[serde(default, with = "serde_text::optional_seconds")]
    #[cfg_attr(test, schema(value_type = Option<i64>, minimum = 1, maximum = 3_162_240_000_i64))]
    pub overlap: Option<TimeDelta>,
    /// Whether a rotation starts the key's lifetime again; null leaves it to the workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renew_on_rotation: Option<bool>,
    /// What the holder of the key may do with it, with its secret alone; null leaves it to the workspace, else show and revoke.
    #[serde(default, rename = "self", skip_serializing_if = "Option::is_none")]
    pub self_service: Option<SelfService>,
    /// An existing key of that name is an answer, not a conflict.
    #[serde(default)]
    pub if_not_exists: bool,
    /// The same idempotency key within 24 hours names the same key.
    #[serde(default)]
    pub idempotency_key: Option<String>,
    /// The secret it has already; one is drawn when not given.
    #[serde(skip)]
    pub imported: Option<Imported>,
    /// The id a preview gave it; drawn when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schema(value_type = Option<String>, pattern = "^key_[0-9A-Za-z]{16}$"))]
    pub id: Option<KeyId>,
    /// Where its secret goes: then the key is there in earnest only with the commit of its first rotation.
    #[serde(default)]
    pub sinks: Vec<String>,
    /// The hand-over follows at once: the intent is recorded with the creation.
    #[serde(default)]
    pub intend: bool,
    /// It is declared without a secret: it lets nobody in before its first rotation gives it one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_secret: bool,
    /// A file declares it whole: what it leaves out is meant to be nothing.
    #[serde(skip)]
    pub declared: bool,
}

/// What came of a [`Create`].
pub struct Created {
    /// The key.
    pub key: KeyView,
    /// Its secret, the only time it is seen; absent when the key existed and in a dry run.
    pub secret: Option<PlainToken>,
    /// The delivery of the secret to its sinks, which is still to be done and committed.
    pub rotation: Option<RotationView>,
    /// The key was there before.
    pub existed: bool,
    /// What the caller should know, such as a scope declared by its first use.
    pub notes: Vec<String>,
}

impl UseCase for Create {
    type Outcome = Created;
    const PERMISSION: Permission = Permission::CreateKeys;
    const ROUTE: Route = Route {
        idempotent: true,
        summary: "Create a key",
        description: "The answer is the only one that ever holds its secret.",
        answers: &[
            (201, "The key with its secret."),
            (200, "The key was there before, and the request says that this is an answer."),
        ],
        ..Route::new(Method::Post, "/v1/keys", "create_key", "keys")
    };

    fn idempotency_key(&mut self) -> Option<&mut Option<String>> {
        Some(&mut self.idempotency_key)
    }

    fn target(&self) -> String {
        self.name.clone()
    }
}

/// Creates one key.
///
/// # Errors
/// `Conflict` when the name is taken, `Forbidden` when the plan does not allow it, `NotFound` for an unknown
/// project or customer, `Usage` for an expiry in the past.
pub fn create(
    tx: &mut Tx<'_>,
    caps: &Capabilities,
    rng: &mut impl CryptoRng,
    cx: &Context,
    mut request: Create,
) -> Result<Done<Created>> {
    free_text::of_key(&mut request)?;
    let mut workspace = Standing::of(tx, cx)?;
    if let Some(existing) = existing(tx, cx, &request)? {
        return Ok(Done::unchanged(existing));
    }
    let accepted = accept(tx, cx, &mut workspace, request, 0)?;
    let made = make(caps, rng, cx, &workspace, &tx.sealer(), accepted)?;
    keep(tx, made)
}

impl Create {
    /// A key with the defaults of the command line: development, 90 days, 100 requests an hour, no scope.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            environment: Environment::default(),
            owner: None,
            description: None,
            project: None,
            customers: Vec::new(),
            scopes: Vec::new(),
            rate_limit: None,
            allow_ips: Allowlist::default(),
            labels: BTreeMap::new(),
            expiry: None,
            expires_in: None,
            rotate_every: None,
            overlap: None,
            renew_on_rotation: None,
            self_service: None,
            if_not_exists: false,
            idempotency_key: None,
            imported: None,
            id: None,
            sinks: Vec::new(),
            intend: false,
            without_secret: false,
            declared: false,
        }
    }

    /// When the key is to end, in whichever way it was said.
    #[must_use]
    pub fn expiry(&self) -> Option<Expiry> {
        self.expiry.or(self.expires_in.map(Expiry::In))
    }
}
