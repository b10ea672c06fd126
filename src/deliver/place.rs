//! Where a sink writes, told in one way however it was written: two secrets that meet there cannot both stay.

use crate::files;
use std::{
    cmp::Ordering,
    path::{Path, PathBuf},
};

/// A destination as it is now: links followed, for they may be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    holder: Holder,
    part: Part,
}

/// What holds the secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Holder {
    File(PathBuf),
    /// A service or a command, by the words that name it.
    Named(String),
}

/// Which part of it is the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    /// One variable of a file.
    Variable(String),
    /// The names on the way to one string of a document.
    Path(Vec<String>),
}

impl Place {
    pub(super) fn in_file(path: &str, part: Part) -> Self {
        Self { holder: Holder::File(files::real(Path::new(path))), part }
    }

    pub(super) fn named(words: impl Into<String>) -> Self {
        Self { holder: Holder::Named(words.into()), part: Part::Whole }
    }

    /// The file, links followed; `None` for a service or a command.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match &self.holder {
            Holder::File(path) => Some(path),
            Holder::Named(_) => None,
        }
    }

    /// Whether two places share a holder; only then can they meet.
    #[must_use]
    pub fn is_beside(&self, other: &Self) -> bool {
        self.holder == other.holder
    }

    /// An order in which places that share a holder stand together.
    #[must_use]
    pub fn cmp_holder(&self, other: &Self) -> Ordering {
        self.holder.cmp(&other.holder)
    }

    /// Whether a secret that is written here takes the place of one that was written there.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        self.is_beside(other)
            && match (&self.part, &other.part) {
                (Part::Variable(one), Part::Variable(other)) => one == other,
                (Part::Path(one), Part::Path(other)) => one.starts_with(other) || other.starts_with(one),
                // One format does not know what another keeps in the same file.
                _ => true,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Options, testing::sink};
    use std::fs;

    fn meet(one: &str, other: &str) -> bool {
        let options = Options::default();
        sink(one, &options).place().meets(sink(other, &options).place())
    }

    #[test]
    fn one_destination_is_known_by_all_its_names() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| format!("{}/{path}", dir.path().display());
        fs::create_dir_all(at("real/deep")).unwrap();
        fs::write(at("real/there"), "").unwrap();
        std::os::unix::fs::symlink("real", at("link")).unwrap();
        std::os::unix::fs::symlink("real/there", at("pointer")).unwrap();
        for path in ["real/key", "real/./key", "real/deep/../key", "link/key", "link//deep/../key"] {
            assert!(meet(&format!("file:{}", at("real/key")), &format!("file:{}", at(path))), "{path}");
            assert!(meet(&format!("dotenv:{}#A", at("real/key")), &format!("file:{},mode=0640", at(path))), "{path}");
        }
        assert!(meet(&format!("file:{}", at("pointer")), &format!("file:{}", at("link/there"))));
        assert!(!meet(&format!("file:{}", at("real/key")), &format!("file:{}", at("real/deep/key"))));
        assert!(meet("file:no/such/dir/a", "file:./no/such/dir/a"));
    }

    #[test]
    fn parts_of_a_file_stand_beside_each_other() {
        for (one, other, met) in [
            ("dotenv:f#A", "dotenv:f#B", false),
            ("dotenv:f#A", "dotenv:./f#A", true),
            ("dotenv:f#A", "json:f#/A", true),
            ("json:f#/a", "json:f#/b", false),
            ("json:f#/a", "json:f#/a/b", true),
            ("json:f#/a~1b", "json:f#/a/b", false),
            ("exec:cat > x", "exec:cat > x", true),
            ("exec:cat > x", "exec:cat > y", false),
            ("github-secret:Acme/App#a_b", "github-secret:acme/app#A_B", true),
            ("github-secret:acme/app#A", "github-secret:acme/app/prod#A", false),
            ("gitlab-variable:acme/app#A,protected", "gitlab-variable:acme/app#A", true),
            ("k8s-secret:a/b#c", "k8s-secret:a/b#d", false),
            ("vault:secret/a#b", "vault:secret/a/#b", true),
            ("github-env:A", "github-output:A", false),
            ("github-env:A", "github-env:A", true),
        ] {
            assert_eq!(meet(one, other), met, "{one} {other}");
        }
    }
}
