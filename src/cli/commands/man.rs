//! `man`: the manual page, or all of them into a directory.

use crate::{
    artifacts,
    cli::{context::Ctx, exit::Exit},
    domain::counted,
    ops::{Error, Kind, Result},
};
use std::path::{Path, PathBuf};

/// Print the manual page, or write all of them
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  keyward man | man -l -\n  keyward man --out ~/.local/share/man/man1")]
pub(crate) struct Args {
    /// Write the page of every command into this directory
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    out: Option<PathBuf>,
}

/// Prints or writes the pages.
pub(crate) fn run(cx: &mut Ctx, args: &Args) -> Result<u8> {
    let failed = |error: std::io::Error| {
        Error::new(Kind::of_io(&error), "io", "cannot write the manual").cause(error.to_string())
    };
    let pages = artifacts::man_pages().map_err(failed)?;
    match &args.out {
        None => {
            let page = pages.into_iter().next().map(|(_, page)| page).unwrap_or_default();
            cx.raw(&page)?;
        }
        Some(directory) if directory == Path::new("-") => {
            return Err(Error::usage("--out takes a directory, and - is standard output")
                .hint("keyward man   prints the page of keyward"));
        }
        Some(directory) if cx.global.dry_run => {
            cx.note(&format!("would write {} to {}", counted(pages.len(), "page"), directory.display()));
        }
        Some(directory) => {
            std::fs::create_dir_all(directory).map_err(failed)?;
            let count = pages.len();
            for (name, page) in pages {
                std::fs::write(directory.join(name), page).map_err(failed)?;
            }
            cx.note(&format!("wrote {} to {}", counted(count, "page"), directory.display()));
        }
    }
    Ok(Exit::Ok.code())
}
