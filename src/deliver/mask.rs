//! Masks a secret in what programs print: the whole token, long pieces of it, and its base64 forms.
//!
//! Output is handled line by line. Pieces matter because programs wrap lines and cut messages short: any run of
//! [`WINDOW`] characters of the secret, or of one of its base64 forms, is masked. The public part of a token (brand,
//! environment, lookup id) is masked only together with the secret.

use crate::domain::PlainToken;
use base64ct::{Base64Unpadded, Base64UrlUnpadded, Encoding};
use zeroize::{Zeroize, Zeroizing};

/// The shortest piece that is masked. Shorter ones tell too little and would mask words.
const WINDOW: usize = 10;
/// How long a line without an end may become before a part of it is shown.
const MOST_LINE: usize = 8192;
/// Longer than any form of a token: so much of an endless line is kept back, lest a form be cut in two.
const KEPT_BACK: usize = 256;
const STARS: &str = "***";

/// Knows the forms of one secret.
pub(super) struct Mask {
    whole: Zeroizing<Vec<u8>>,
    forms: Vec<Zeroizing<Vec<u8>>>,
    /// Which pairs of bytes occur in the forms: most of what is printed is passed over by this look-up.
    pairs: Zeroizing<Vec<bool>>,
}

impl Mask {
    pub(super) fn of(token: &PlainToken) -> Self {
        let text = token.expose_plaintext();
        let secret = text.rsplit('_').next().unwrap_or(text);
        let mut forms = vec![Zeroizing::new(secret.as_bytes().to_vec())];
        // In base64 a text looks different by its place in a group of three: a login before it moves it.
        for before in ["", "x", "xx"] {
            let shifted = Zeroizing::new(format!("{before}{text}"));
            for encoded in [
                Base64Unpadded::encode_string(shifted.as_bytes()),
                Base64UrlUnpadded::encode_string(shifted.as_bytes()),
            ] {
                let encoded = Zeroizing::new(encoded);
                // The edges depend on the neighbours.
                let inner = encoded.as_bytes().get(4..encoded.len().saturating_sub(4)).unwrap_or_default();
                forms.push(Zeroizing::new(inner.to_vec()));
            }
        }
        let mut pairs = Zeroizing::new(vec![false; 1 << 16]);
        for pair in forms.iter().flat_map(|form| form.windows(2)) {
            pairs[index_of(pair)] = true;
        }
        Self { whole: Zeroizing::new(text.as_bytes().to_vec()), forms, pairs }
    }

    /// Which bytes belong to a form of the secret.
    fn marks(&self, bytes: &[u8]) -> Vec<bool> {
        let mut marks = vec![false; bytes.len()];
        for (at, window) in bytes.windows(WINDOW).enumerate() {
            let possible = self.pairs[index_of(&window[..2])] && self.pairs[index_of(&window[WINDOW - 2..])];
            if possible && self.forms.iter().any(|form| form.windows(WINDOW).any(|part| part == window)) {
                marks[at..at + WINDOW].fill(true);
            }
        }
        if bytes.len() >= self.whole.len() && marks.contains(&true) {
            for (at, window) in bytes.windows(self.whole.len()).enumerate() {
                if window == self.whole.as_slice() {
                    marks[at..at + self.whole.len()].fill(true);
                }
            }
        }
        marks
    }
}

fn index_of(pair: &[u8]) -> usize {
    usize::from(pair[0]) << 8 | usize::from(pair[1])
}

/// Writes marked bytes as stars, one group a run.
fn apply(bytes: &[u8], marks: &[bool]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let run = marks[at..].iter().take_while(|&&mark| mark == marks[at]).count();
        if marks[at] {
            shown.push_str(STARS);
        } else {
            shown.push_str(&String::from_utf8_lossy(&bytes[at..at + run]));
        }
        at += run;
    }
    shown
}

/// Cuts a stream into lines and masks them.
pub(super) struct Lines<'m> {
    mask: Option<&'m Mask>,
    rest: Vec<u8>,
}

impl<'m> Lines<'m> {
    pub(super) fn new(mask: Option<&'m Mask>) -> Self {
        Self { mask, rest: Vec::new() }
    }

    /// Takes bytes and hands on the lines that are complete.
    pub(super) fn push(&mut self, bytes: &[u8], show: &mut dyn FnMut(&str)) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.rest.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                self.end(show);
            } else if self.rest.len() > MOST_LINE {
                self.cut(show);
            }
        }
    }

    /// Hands on what is left.
    pub(super) fn end(&mut self, show: &mut dyn FnMut(&str)) {
        if self.rest.is_empty() {
            return;
        }
        let line = self.rest.strip_suffix(b"\n").unwrap_or(&self.rest);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        show(&apply(line, &self.marks(line)));
        self.rest.zeroize();
    }

    /// Hands on the beginning of a line that does not end.
    fn cut(&mut self, show: &mut dyn FnMut(&str)) {
        let marks = self.marks(&self.rest);
        let mut at = self.rest.len() - KEPT_BACK;
        while at > 0 && marks[at] && marks[at - 1] {
            at -= 1;
        }
        if at == 0 {
            at = self.rest.len();
        }
        show(&apply(&self.rest[..at], &marks[..at]));
        let kept = self.rest.split_off(at);
        self.rest.zeroize();
        self.rest = kept;
    }

    fn marks(&self, bytes: &[u8]) -> Vec<bool> {
        self.mask.map_or_else(|| vec![false; bytes.len()], |mask| mask.marks(bytes))
    }
}

impl Drop for Lines<'_> {
    fn drop(&mut self) {
        self.rest.zeroize();
    }
}

#[cfg(test)]
#[path = "mask_tests.rs"]
mod tests;
