//! The log on stderr: silent unless `-v` or `KEYWARD_LOG` asks for it. No event carries a secret or an argument.

use super::args::Global;
use crate::{
    config::Env,
    ops::{Error, Result},
};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::{EnvFilter, fmt};

/// Starts the log of a server, one JSON object a line, for all of its threads.
///
/// # Errors
/// `Usage` for a filter that is not one.
#[cfg(feature = "server")]
pub(super) fn start_for_server(global: &Global, env: &Env) -> Result<()> {
    let filter = match (env.text("KEYWARD_LOG"), global.verbose) {
        (Some(filter), 0) => filter,
        (_, 0) => "keyward=info".to_owned(),
        (_, 1) => "keyward=debug".to_owned(),
        _ => "keyward=trace".to_owned(),
    };
    let subscriber = fmt().json().flatten_event(true).with_current_span(false).with_span_list(false);
    let subscriber = subscriber.with_env_filter(parse(filter)?).with_writer(std::io::stderr).finish();
    // Only a second server in one process would find a log in place; it then writes to that one.
    let _ = tracing::subscriber::set_global_default(subscriber);
    Ok(())
}

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
    let subscriber = fmt().with_env_filter(parse(filter)?).with_writer(std::io::stderr).with_ansi(false).finish();
    Ok(Some(tracing::subscriber::set_default(subscriber)))
}

fn parse(filter: String) -> Result<EnvFilter> {
    EnvFilter::try_new(filter).map_err(|error| Error::usage("KEYWARD_LOG is not a log filter").cause(error.to_string()))
}
