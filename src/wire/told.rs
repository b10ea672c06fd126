//! The outcome of a use case on its way: the body of the reply, and what its status and headers say.

use crate::ops::Result;
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

/// An outcome that can be told over HTTP.
pub trait Told: Sized {
    /// The reply.
    type Body: Serialize + DeserializeOwned + Described;

    /// What the server answers.
    fn tell(self) -> Self::Body;

    /// What the client reads of it.
    ///
    /// # Errors
    /// `Internal` for what no server of ours answers.
    fn read(body: Self::Body) -> Result<Self>;
}
