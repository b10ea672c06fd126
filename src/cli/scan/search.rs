//! One stream, of any length, in constant memory: pieces that overlap by a token, so that none is cut in two.

use crate::domain::{PlainToken, scan::TokenFinder};
use std::io::{ErrorKind, Read};
use zeroize::Zeroizing;

/// How much is read at once.
const PIECE: usize = 256 * 1024;
/// A zero byte within so much of the beginning makes a file a binary one.
const LOOKED_AT: usize = 64 * 1024;

/// A token and where it begins: line and column count from 1, the column in bytes.
pub(super) struct Hit {
    pub(super) token: PlainToken,
    pub(super) line: u64,
    pub(super) column: u64,
    pub(super) offset: u64,
    pub(super) length: usize,
}

/// The memory that a thread reads into, again and again.
pub(super) struct Buffer(Zeroizing<Vec<u8>>);

impl Buffer {
    pub(super) fn new(finder: &TokenFinder) -> Self {
        Self(Zeroizing::new(vec![0; PIECE + finder.longest()]))
    }
}

/// Reads to the end and hands over every token; `None` for a binary file, which is not read on.
pub(super) fn search(
    mut source: impl Read,
    finder: &TokenFinder,
    buffer: &mut Buffer,
    binary: bool,
    mut hit: impl FnMut(Hit),
) -> std::io::Result<Option<u64>> {
    let buffer = buffer.0.as_mut_slice();
    // `start` is the offset in the stream of the buffer's first byte; a token that begins before `from` was seen.
    let (mut start, mut kept, mut from) = (0u64, 0usize, 0usize);
    let (mut line, mut line_start, mut counted) = (1u64, 0u64, 0usize);
    loop {
        let read = read_some(&mut source, &mut buffer[kept..])?;
        let held = kept + read;
        if start == 0 && kept == 0 && !binary && memchr::memchr(0, &buffer[..held.min(LOOKED_AT)]).is_some() {
            return Ok(None);
        }
        let piece = &buffer[..held];
        for (at, token) in finder.find(piece) {
            let length = token.expose_plaintext().len();
            if at < from {
                continue;
            }
            (line, line_start) = count_lines(&piece[counted..at], start + counted as u64, line, line_start);
            counted = at;
            let offset = start + at as u64;
            hit(Hit { token, line, column: offset - line_start + 1, offset, length });
            from = at + length;
        }
        if read == 0 {
            return Ok(Some(start + held as u64));
        }
        // The end may hold the beginning of a token: it is looked at again with what follows.
        let keep = (finder.longest() - 1).min(held);
        let drop = held - keep;
        if counted < drop {
            (line, line_start) = count_lines(&piece[counted..drop], start + counted as u64, line, line_start);
            counted = drop;
        }
        buffer.copy_within(drop..held, 0);
        start += drop as u64;
        counted -= drop;
        from = from.saturating_sub(drop);
        kept = keep;
    }
}

fn count_lines(bytes: &[u8], at: u64, line: u64, line_start: u64) -> (u64, u64) {
    match memchr::memrchr(b'\n', bytes) {
        None => (line, line_start),
        Some(last) => {
            let lines = memchr::memchr_iter(b'\n', &bytes[..=last]).count();
            (line + lines as u64, at + last as u64 + 1)
        }
    }
}

/// Fills the buffer as far as the source goes.
fn read_some(source: &mut impl Read, mut buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut total = 0;
    while !buffer.is_empty() {
        match source.read(buffer) {
            Ok(0) => break,
            Ok(read) => {
                total += read;
                buffer = &mut buffer[read..];
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Brand, Environment};
    use proptest::prelude::*;

    /// Gives out its bytes in pieces of any size.
    struct Drip<'a>(&'a [u8], usize);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let size = self.1.min(buffer.len()).min(self.0.len());
            buffer[..size].copy_from_slice(&self.0[..size]);
            self.0 = &self.0[size..];
            Ok(size)
        }
    }

    fn hits(bytes: &[u8], drip: usize) -> Option<Vec<(u64, u64, u64)>> {
        let finder = TokenFinder::new(&Brand::default());
        let mut found = Vec::new();
        let read = search(Drip(bytes, drip), &finder, &mut Buffer::new(&finder), false, |hit| {
            found.push((hit.line, hit.column, hit.offset));
        });
        read.unwrap().map(|_| found)
    }

    fn token() -> String {
        PlainToken::generate(&mut rand::rng(), &Brand::default(), Environment::Staging).expose_plaintext().to_owned()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn every_token_is_found_once_wherever_the_pieces_end(
            gaps in proptest::collection::vec((0usize..3 * PIECE / 2, any::<bool>()), 1..4), drip in 1_000usize..400_000
        ) {
            let (mut text, mut expected) = (String::new(), Vec::new());
            for (gap, new_line) in gaps {
                text.push_str(&"x".repeat(gap));
                if new_line { text.push('\n'); }
                let line = 1 + text.matches('\n').count() as u64;
                let column = (text.len() - text.rfind('\n').map_or(0, |at| at + 1)) as u64 + 1;
                expected.push((line, column, text.len() as u64));
                text.push_str(&token());
            }
            prop_assert_eq!(hits(text.as_bytes(), drip), Some(expected));
        }
    }

    #[test]
    fn a_binary_file_is_skipped_and_an_empty_one_is_empty() {
        let text = format!("\0{}", token());
        assert_eq!(hits(text.as_bytes(), 10), None);
        assert_eq!(hits(b"", 10), Some(Vec::new()));
    }
}
