//! The outcome of a use case on its way: the body of the reply, and what its status and headers say.

use crate::ops::{KeyView, Result};
use serde::{Serialize, de::DeserializeOwned};

/// What the OpenAPI document has a schema of. The document is made by a test, and no other build carries the schemas.
#[cfg(test)]
pub trait Described: utoipa::ToSchema {}
#[cfg(test)]
impl<T: utoipa::ToSchema> Described for T {}
/// What the OpenAPI document has a schema of.
#[cfg(not(test))]
pub trait Described {}
#[cfg(not(test))]
impl<T> Described for T {}

/// What a reply says beside its body.
#[derive(Debug, Clone, Default)]
pub struct Head {
    /// Its status, where it is not the first that the route names.
    pub status: Option<u16>,
    /// The version of the key that it tells, for `If-Match`.
    pub version: Option<u64>,
    /// The path of what was made.
    pub location: Option<String>,
}

impl Head {
    /// That of a reply with one key.
    #[must_use]
    pub fn of(key: &KeyView) -> Self {
        Self { version: Some(key.version), ..Self::default() }
    }
}

/// An outcome that is its own reply.
pub trait Plain: Serialize + DeserializeOwned + Described {}

impl<T: Plain> Told for T {
    type Body = Self;

    fn tell(self) -> Self {
        self
    }

    fn read(body: Self) -> Result<Self> {
        Ok(body)
    }
}

/// An outcome that can be told over HTTP.
pub trait Told: Sized {
    /// The reply.
    type Body: Serialize + DeserializeOwned + Described;

    /// What the status and the headers say.
    fn head(&self) -> Head {
        Head::default()
    }

    /// What the server answers.
    fn tell(self) -> Self::Body;

    /// What the client reads of it.
    ///
    /// # Errors
    /// `Internal` for what no server of ours answers.
    fn read(body: Self::Body) -> Result<Self>;
}
