//! Profiles: servers that somebody has logged in to, by names of their own.

use super::time::Time;
use zeroize::Zeroizing;

/// The name that means no server: the local vault.
pub const LOCAL_PROFILE: &str = "local";

/// A server, without the credential for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its unique name.
    pub name: String,
    /// The address of the server.
    pub server: String,
    /// The file with certificates to trust besides the system's.
    pub ca_file: Option<String>,
    /// The workspace to work in; the operator's own when not given.
    pub workspace: Option<String>,
    /// The operator that the server knew the credential as.
    pub operator: String,
    /// The role it had.
    pub role: String,
    /// When its credential ends, as far as was known.
    pub expires_at: Option<Time>,
    /// When somebody logged in.
    pub at: Time,
}

/// A profile with the credential for its server.
pub struct Login {
    /// The server.
    pub profile: Profile,
    /// The credential.
    pub token: Zeroizing<String>,
}
