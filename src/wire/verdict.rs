//! Asking for a verdict: the body of `POST /v1/verify`.

use crate::{
    domain::{Code, Environment, RateLimit, Request, Scope},
    ops::{Error, Result},
};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A credential to be judged, and what is asked of it; what is absent is not asked.
#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct VerifyRequest {
    /// The credential, as it was presented.
    #[cfg_attr(test, schema(example = "kw_prod_…"))]
    pub key: String,
    /// The environment of the service that asks; the server's own unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schema(value_type = Option<Environment>))]
    pub environment: Option<String>,
    /// The scopes the request needs, all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, schema(value_type = Vec<Scope>))]
    pub scopes: Vec<String>,
    /// The project the request is about; a workspace-level key needs one where its workspace has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The customer the request is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// The address the request comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// What the client calls itself, for the facts of use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// What the request takes from the key's limit; 1 unless told, and 0 takes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schema(value_type = Option<i64>, minimum = 0, maximum = 4_294_967_295_i64))]
    pub cost: Option<u32>,
    /// Judge as of this time, or so long ago, instead of now; only with `explain`. What has ended since then had not; everything else is as it
    /// is now. A time before the key was made is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Answer with every check; takes nothing from any limit, and is no use of the key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub explain: bool,
    /// With `explain`: count it as a use of the key all the same, or as denied; not with `at`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub record: bool,
}

impl VerifyRequest {
    /// What is asked of the credential.
    ///
    /// # Errors
    /// `Usage` for a value that is not one; what was given is not repeated.
    pub fn request(&self) -> Result<Request> {
        let scopes = self.scopes.iter().map(|scope| scope.parse::<Scope>()).collect::<std::result::Result<_, _>>();
        let bad = |field: &str, cause: String| Error::usage(format!("'{field}' is not usable")).cause(cause);
        Ok(Request {
            environment: self
                .environment
                .as_ref()
                .map(|name| name.parse().map_err(|cause| bad("environment", cause)))
                .transpose()?,
            scopes: scopes.map_err(|cause| bad("scopes", cause))?,
            project: self.project.clone(),
            customer: self.customer.clone(),
            ip: self
                .ip
                .as_ref()
                .map(|ip| ip.parse().map_err(|_| bad("ip", "expected an IPv4 or IPv6 address".to_owned())))
                .transpose()?,
            needs_project: true,
            ..Request::default()
        })
    }
}

/// A verdict, as `POST /v1/verify` answers with.
#[derive(Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = Verdict))]
pub struct VerdictReply {
    /// `keyward.verdict/v1`.
    pub schema: String,
    /// Whether it may.
    pub valid: bool,
    /// Why not.
    pub code: Code,
    /// The status that a gateway would answer with.
    #[cfg_attr(test, schema(example = 200))]
    pub http_status: u16,
    /// The key, when it is known.
    pub key_id: Option<String>,
    /// Every check with its own verdict, where an explanation was asked for.
    #[serde(default)]
    pub checks: Vec<CheckReply>,
    /// What whoever asks should know although no check failed, such as a project that nobody knows; with `explain`, and
    /// absent when there is nothing.
    #[serde(default)]
    pub notes: Vec<String>,
    /// What the key is bound to and the question left out: `environment`, `ip`, `customer`, `project`. It was not judged. A
    /// server refuses with `NOT_ASKED` instead, unless it is lenient or an explanation was asked for. Absent when everything
    /// was asked.
    #[serde(default)]
    pub not_asked: Vec<String>,
}

/// One check and how it went.
#[derive(Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = Check))]
pub struct CheckReply {
    /// What was checked.
    pub check: String,
    /// How it went; null when it was not asked or could not be reached.
    pub ok: Option<bool>,
    /// What was found.
    pub detail: String,
}

/// What a key is good for, told to whoever holds it.
#[derive(Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = Validation))]
pub struct ValidationReply {
    /// `keyward.validation/v1`.
    pub schema: String,
    /// True.
    pub valid: bool,
    /// The key.
    pub key_id: String,
    /// Its name.
    pub name: String,
    /// Its workspace.
    pub workspace: String,
    /// Where it works.
    pub environment: Environment,
    /// `project`, or `workspace`: then requests name a project, where there are several.
    #[cfg_attr(test, schema(example = "workspace"))]
    pub level: String,
    /// The one project of a project-level key.
    pub project: Option<String>,
    /// The customers it is narrowed to.
    pub customers: Vec<String>,
    /// What it may do.
    pub scopes: Vec<String>,
    /// How often it may be used; null for no limit.
    pub rate_limit: Option<RateLimit>,
    /// When it ends.
    pub expires_at: Option<String>,
}
