//! The log on stderr: silent unless `-v` or `KEYWARD_LOG` asks for it. No event carries a secret or an argument.

use super::args::Global;
use crate::{
    config::Env,
    ops::{Error, Result},
};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::{EnvFilter, fmt};

/// Starts the log for as long as the guard lives.
///
/// # Errors
/// `Usage` for a filter that is not one.
pub(super) fn start(global: &Global, env: &Env) -> Result<Option<DefaultGuard>> {
    let filter = match (env.text("KEYWARD_LOG"), global.verbose) {
        (Some(filter), 0) => filter,
        (None, 0) => return Ok(None),
        (_, 1) => "keyward=info".to_owned(),
        (_, 2) => "keyward=debug".to_owned(),
        _ => "keyward=trace".to_owned(),
    };
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| Error::usage("KEYWARD_LOG is not a log filter").cause(error.to_string()))?;
    let subscriber = fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).finish();
    Ok(Some(tracing::subscriber::set_default(subscriber)))
}
