//! `unlock`: opens the vault for a while, so that a loop of commands pays for the passphrase once.

use crate::{
    backend::LONGEST_SESSION,
    cli::{context::Ctx, exit::Exit, values},
    domain::time::format_time,
    ops::{Error, Result},
    output::{Format, Report},
};
use chrono::TimeDelta;
use serde_json::json;

/// Open the vault for a while: eval "$(keyward unlock --for 15m)"
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  eval \"$(keyward unlock --for 15m)\"")]
pub(crate) struct Args {
    /// For how long, at most 7d
    #[arg(long = "for", value_name = "D", value_parser = period, default_value = "15m")]
    period: TimeDelta,
}

/// A copy of the vault's keys that is open for longer is one that nobody remembers.
fn period(text: &str) -> Result<TimeDelta, String> {
    let period = values::duration(text)?;
    if period > LONGEST_SESSION { Err("a session lasts 7d at most".to_owned()) } else { Ok(period) }
}

/// Prints the shell line that sets the session.
pub(crate) fn run(cx: &mut Ctx, args: &Args) -> Result<u8> {
    let until =
        cx.now.checked_add_signed(args.period).ok_or_else(|| Error::usage("--for reaches past the calendar"))?;
    cx.local_only("unlock")?;
    if cx.given.field.is_none() {
        cx.refuse_layout(&[Format::Json, Format::Jsonl], "a line for the shell is printed, or JSON")?;
    }
    // A session opens no further session: it would never have to end.
    let backend = cx.unlock(false)?;
    if cx.global.dry_run {
        cx.note(&format!("would open until {}", format_time(until)));
        return Ok(Exit::Ok.code());
    }
    let token = backend.vault("unlocking")?.open_session(&cx.operation(), until)?;
    cx.note(&format!("open until {}; `keyward lock` ends it", format_time(until)));
    if cx.format().is_json() || cx.out.options.field.is_some() {
        let session = json!({ "expires_at": format_time(until) });
        cx.emit(&Report::item("keyward.session/v1", "session", session, Some(("secret", token))))?;
        return Ok(Exit::Ok.code());
    }
    let line = zeroize::Zeroizing::new(format!("export KEYWARD_SESSION={}\n", token.as_str()));
    cx.raw(line.as_bytes())?;
    Ok(Exit::Ok.code())
}
