//! Files that say which commands are run and where secrets go: only their owner and root may be able to change them.

use super::{Fault, SinkError};
use crate::{domain::text::decode, files};
use nix::sys::statvfs::{FsFlags, fstatvfs};
use std::{
    borrow::Cow,
    fs::{File, Metadata},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

const MOST_BYTES: u64 = 64 << 20;

/// An opened file, so that what is judged is what is read.
pub struct OwnFile {
    path: PathBuf,
    what: &'static str,
    file: File,
    dir: File,
}

impl OwnFile {
    /// Opens a file, which messages call `what`. Links are followed once.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path, what: &'static str) -> Result<Self, SinkError> {
        let failed = |error: std::io::Error| unreadable(what, path, &error);
        let real = path.canonicalize().map_err(failed)?;
        let file = File::open(&real).map_err(failed)?;
        let dir = File::open(real.parent().unwrap_or(&real)).map_err(failed)?;
        Ok(Self { path: path.to_owned(), what, file, dir })
    }

    /// Reads it.
    ///
    /// # Errors
    /// When it cannot be read, is no text or is far too long.
    pub fn read(&self) -> Result<String, SinkError> {
        let failed = |error: std::io::Error| unreadable(self.what, &self.path, &error);
        let bytes = files::read_all(&self.file, MOST_BYTES).map_err(failed)?;
        decode(&bytes).map(Cow::into_owned).map_err(|why| failed(std::io::Error::other(why)))
    }

    /// Refuses it when others than root and the caller could change it.
    ///
    /// # Errors
    /// `Forbidden`, with what mends it.
    pub fn guard(&self) -> Result<(), SinkError> {
        self.judge(&self.file, "")?;
        self.judge(&self.dir, "its directory ")
    }

    fn judge(&self, what: &File, which: &str) -> Result<(), SinkError> {
        let path = &self.path;
        let refused = |cause: String, hint: String| {
            SinkError::new(Fault::Forbidden, format!("{} {} is refused", self.what, path.display()))
                .cause(cause)
                .hint(hint)
        };
        let metadata = what.metadata().map_err(|error| refused(error.to_string(), String::new()))?;
        let me = nix::unistd::geteuid().as_raw();
        if metadata.uid() != me && metadata.uid() != 0 {
            let cause = format!("{which}belongs to another user, who could change which commands are run");
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            return Err(refused(
                cause,
                format!("use a file of your own: cp {0} ~/ && chmod 600 ~/{name}", path.display()),
            ));
        }
        if writable_by_others(&metadata) && !read_only(what) {
            let cause = format!("others can write to {}", if which.is_empty() { "it" } else { which.trim_end() });
            let place = if which.is_empty() {
                path
            } else {
                path.parent().filter(|dir| *dir != Path::new("")).unwrap_or(Path::new("."))
            };
            return Err(refused(cause, format!("chmod go-w {}", place.display())));
        }
        Ok(())
    }
}

fn unreadable(what: &str, path: &Path, error: &std::io::Error) -> SinkError {
    SinkError::usage(format!("{what} {} cannot be read", path.display())).cause(error.to_string())
}

/// In a directory with the sticky bit nobody replaces the files of others.
fn writable_by_others(metadata: &Metadata) -> bool {
    let sticky = metadata.is_dir() && metadata.mode() & 0o1000 != 0;
    metadata.mode() & 0o022 != 0 && !sticky
}

/// Nobody writes to a file system that is mounted for reading, whatever its modes say: a Kubernetes volume, for one.
fn read_only(file: &File) -> bool {
    fstatvfs(file).is_ok_and(|system| system.flags().contains(FsFlags::ST_RDONLY))
}
