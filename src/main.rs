//! The `keyward` binary: the process around [`keyward::cli::run`], and nothing else.

use keyward::{backend::harden, cli, config::Env, output::Streams};
use std::process::ExitCode;

fn main() -> ExitCode {
    harden();
    ExitCode::from(cli::run(std::env::args_os(), Env::of_process(), Streams::real()))
}
