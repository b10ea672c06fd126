//! The way to a file: where it really leads, and who could have laid it.

use std::{
    collections::VecDeque,
    ffi::OsString,
    fmt, fs,
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf, absolute},
};

/// As many links as the system follows.
const MOST_LINKS: usize = 40;

/// The file that a path names: itself when it is there, links followed, else its name in the directory where it will be.
#[must_use]
pub fn real(path: &Path) -> PathBuf {
    if let Ok(real) = fs::canonicalize(path) {
        return real;
    }
    let whole = absolute(path).unwrap_or_else(|_| path.to_owned());
    match (whole.parent().map(fs::canonicalize), whole.file_name()) {
        (Some(Ok(parent)), Some(name)) => parent.join(name),
        _ => whole,
    }
}

/// Something on the way to a file that another user put there, in a directory in which others may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Laid {
    path: PathBuf,
    what: &'static str,
    owner: u32,
}

impl fmt::Display for Laid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, what, owner } = self;
        let user = nix::unistd::User::from_uid((*owner).into()).ok().flatten();
        let user = user.map_or_else(|| format!("the user {owner}"), |user| user.name);
        write!(f, "{} is a {what} of {user}, in a directory that others can write to", path.display())
    }
}

/// Finds what another user put on the way to a file: a link that leads elsewhere, a directory, or the file itself, in a
/// directory that the group or everybody may write to, such as `/tmp`. Whoever writes there would write for that user.
/// What belongs to this user, to root or to the owner of the directory was not smuggled in.
#[must_use]
pub fn laid_by_others(path: &Path) -> Option<Laid> {
    let me = nix::unistd::geteuid().as_raw();
    let mut here = PathBuf::from("/");
    let mut ahead: VecDeque<OsString> = steps(&absolute(path).ok()?);
    let mut links = 0;
    while let Some(step) = ahead.pop_front() {
        if step == ".." {
            here.pop();
            continue;
        }
        let next = here.join(&step);
        // What is not there yet was laid by nobody; what cannot be looked at cannot be written either.
        let (dir, found) = (here.metadata().ok()?, next.symlink_metadata().ok()?);
        let shared = dir.mode() & 0o022 != 0;
        if shared && ![me, 0, dir.uid()].contains(&found.uid()) {
            let what = match (found.is_symlink(), found.is_dir()) {
                (true, _) => "link",
                (_, true) => "directory",
                _ => "file",
            };
            return Some(Laid { path: next, what, owner: found.uid() });
        }
        if found.is_symlink() {
            links += 1;
            if links > MOST_LINKS {
                return None;
            }
            let target = fs::read_link(&next).ok()?;
            if target.is_absolute() {
                here = PathBuf::from("/");
            }
            for step in steps(&target).into_iter().rev() {
                ahead.push_front(step);
            }
        } else {
            here = next;
        }
    }
    None
}

fn steps(path: &Path) -> VecDeque<OsString> {
    let steps = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    });
    steps.collect()
}
