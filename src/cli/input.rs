//! Secrets on their way in: from a file, a descriptor or standard input; never from an argument.
//!
//! Exactly one trailing newline is stripped, because editors and `echo` add one; an empty secret is refused.

use super::context::Ctx;
use crate::{
    backend::RecoveryCode,
    domain::{jwt, text::decode},
    files,
    ops::{Error, Kind, Result},
};
use std::{
    ffi::OsStr,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// No secret that keyward reads is longer.
const LONGEST_SECRET: u64 = 64 * 1024;

/// Where a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// A file.
    File(PathBuf),
    /// An open descriptor.
    Fd(u32),
    /// Standard input.
    Stdin,
}

impl Source {
    /// The one source that was given, if any.
    pub(super) fn of(file: Option<&Path>, fd: Option<u32>, stdin: bool) -> Option<Self> {
        match (file, fd, stdin) {
            (Some(file), _, _) if file == Path::new("-") => Some(Self::Stdin),
            (Some(file), _, _) => Some(Self::File(file.to_owned())),
            (None, Some(fd), _) => Some(Self::Fd(fd)),
            (None, None, true) => Some(Self::Stdin),
            (None, None, false) => None,
        }
    }

    /// Reads what opens the vault: a file that others can read is refused, as a key file is.
    ///
    /// # Errors
    /// `Forbidden` for such a file, and those of [`Source::read`].
    pub(super) fn read_private(&self, cx: &mut Ctx, what: &str) -> Result<Zeroizing<String>> {
        if let Self::File(path) = self {
            // The mode of a descriptor under another name is not its owner's to choose.
            let descriptor = ["/dev/fd", "/dev/stdin", "/proc"].iter().any(|place| path.starts_with(place));
            if !descriptor && path.is_file() && files::shared_secret(path) {
                return Err(Error::forbidden("permissions", format!("{} can be read by others", path.display()))
                    .hint(format!("chmod 600 {}", path.display())));
            }
        }
        self.read(cx, what)
    }

    /// Reads the secret.
    ///
    /// # Errors
    /// `Usage` when it cannot be read, is empty, too long or no text.
    pub(super) fn read(&self, cx: &mut Ctx, what: &str) -> Result<Zeroizing<String>> {
        match self {
            Self::File(path) => read_secret(path, what),
            Self::Fd(fd) => secret(limited(File::open(format!("/dev/fd/{fd}"))), what, &format!("descriptor {fd}")),
            Self::Stdin => secret(limited(Ok(&mut *cx.out.streams.stdin)), what, "standard input"),
        }
    }
}

/// Reads the secret of a file.
///
/// # Errors
/// As [`Source::read`].
pub(super) fn read_secret(path: &Path, what: &str) -> Result<Zeroizing<String>> {
    secret(limited(File::open(path)), what, &path.display().to_string())
}

fn secret(bytes: std::io::Result<Zeroizing<Vec<u8>>>, what: &str, place: &str) -> Result<Zeroizing<String>> {
    let refused = |why: String| Error::new(Kind::Usage, "input", format!("no {what} from {place}")).cause(why);
    let bytes = bytes.map_err(|error| refused(error.to_string()))?;
    // A mark and UTF-16 come from Windows; they are no part of a secret.
    let mut bytes = match &**bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            let text = decode(&bytes).map_err(refused)?.into_owned();
            Zeroizing::new(text.into_bytes())
        }
        [0xef, 0xbb, 0xbf, rest @ ..] => Zeroizing::new(rest.to_vec()),
        _ => bytes,
    };
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    if bytes.is_empty() {
        return Err(refused("it is empty".to_owned()));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| refused("it is not text".to_owned()))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Reads a text file that holds no secret, such as checkpoints.
pub(super) fn read_file(path: &Path) -> Result<String> {
    files::read_text(path).map_err(|error| {
        Error::new(Kind::Usage, "input", format!("cannot read {}", path.display())).cause(error.to_string())
    })
}

/// Reads with the buffer allocated once, so that no copy of a secret stays behind in freed memory.
fn limited(source: std::io::Result<impl Read>) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let capacity = usize::try_from(LONGEST_SECRET + 1).unwrap_or(usize::MAX);
    let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
    source?.take(LONGEST_SECRET + 1).read_to_end(&mut bytes)?;
    if bytes.len() == capacity {
        return Err(std::io::Error::other("it is longer than 64 KiB"));
    }
    Ok(bytes)
}

/// Refuses a command line that carries a token: it would stand in the shell's history and in the process list.
/// The token is not repeated in the error, and neither is one that was cut or mistyped.
pub(super) fn refuse_tokens(args: &[impl AsRef<OsStr>]) -> Result<()> {
    let words = args.iter().skip(1).filter_map(|arg| arg.as_ref().to_str());
    let Some(carried) = words.filter_map(carries_secret).next() else { return Ok(()) };
    let error =
        Error::new(Kind::Usage, "secret_argument", "an argument is a secret: it now stands in the shell's history")
            .cause("secrets are read from a file, a descriptor or standard input only")
            .hint("keyward identify -  (and paste it: this names it, with the command that stops it)");
    Err(error.hint(match carried {
        Carried::Key => "rotate the key if others can read that history: keyward rotate KEY --now",
        Carried::Operator => "replace the credential if others can read that history: keyward operators rotate NAME",
        Carried::Token => "a token of a job ends by itself soon; to let such jobs in no more: keyward operators trust remove NAME",
        Carried::Recovery => {
            "replace the code if others can read that history: keyward vault recovery, then keyward vault slots remove SLOT"
        }
    }))
}

/// What an argument carries that it must not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Carried {
    Key,
    Operator,
    Token,
    Recovery,
}

/// The secret that stands anywhere in an argument, a sentence of a reason included.
fn carries_secret(arg: &str) -> Option<Carried> {
    if jwt::find(arg).is_some() {
        return Some(Carried::Token);
    }
    let words = arg.split(|character: char| !(character.is_ascii_alphanumeric() || matches!(character, '_' | '-')));
    words.flat_map(|word| std::iter::once(word).chain(word.split('-'))).find_map(|word| match word {
        word if word.contains('-') => RecoveryCode::parse(word).is_ok().then_some(Carried::Recovery),
        word if looks_like_token(word) => Some(if word.contains("kwop_") { Carried::Operator } else { Carried::Key }),
        _ => None,
    })
}

/// A brand, an environment, and then letters and digits as no name has them in one go.
fn looks_like_token(word: &str) -> bool {
    const RANDOM: usize = 24;
    ["_prod_", "_stg_", "_dev_"].iter().any(|environment| {
        word.match_indices(environment).any(|(at, _)| {
            let branded = word.as_bytes()[..at].last().is_some_and(u8::is_ascii_alphanumeric);
            let mut runs = word[at + environment.len()..].split('_');
            branded && runs.any(|run| run.len() >= RANDOM)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_in_the_arguments_is_refused_and_not_repeated() {
        let token = format!("kw_prod_{}_{}", "a".repeat(16), "B".repeat(49));
        for arg in [token.clone(), format!("--name={token}"), token[..60].to_owned(), format!(" {token}\n")] {
            let error = refuse_tokens(&["keyward".to_owned(), "show".to_owned(), arg]).unwrap_err();
            assert_eq!(error.kind, Kind::Usage);
            assert!(!format!("{error:?}").contains("aaaaaaaa"));
        }
        let job = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UifQ.DtEhU3ljbEg8L38V";
        for arg in [job.to_owned(), format!("--reason=it was {job}"), format!("Bearer:{job}")] {
            let error = refuse_tokens(&["keyward".to_owned(), arg]).unwrap_err();
            assert!(!format!("{error:?}").contains("eyJ"), "{error:?}");
        }
        let code = RecoveryCode::generate(&mut rand::rng()).display();
        let reasons =
            [format!("it was {token}, in a log"), format!("-o{token}"), format!("file:{token}"), (*code).clone()];
        for arg in reasons.into_iter().chain([format!("--key-file={}", *code), format!("the code {} is out", *code)]) {
            assert!(refuse_tokens(&["keyward".to_owned(), arg.clone()]).is_err(), "{arg}");
        }
    }

    const LONG_NAME: &str = "svc_prod_export_of_all_the_things_every_night";

    #[test]
    fn names_and_ids_are_not_taken_for_tokens() {
        for arg in ["billing_prod_eu", "key_0123456789abcdef", "kw_prod_short", "a_b_c", "--label=team=x", LONG_NAME] {
            assert!(refuse_tokens(&["keyward", arg]).is_ok(), "{arg}");
        }
    }
}
