//! One stream, of any length, in constant memory: pieces that overlap by a token, so that none is cut in two.

use super::{
    secrets::{Finder, Seen},
    utf16::{self, Utf16},
};
use crate::ops::identify::Leaked;
use std::io::{ErrorKind, Read};
use zeroize::Zeroizing;

/// How much is read at once.
const PIECE: usize = 256 * 1024;
/// A zero byte within so much of the beginning makes a file a binary one.
const LOOKED_AT: usize = 64 * 1024;
/// Within so much of the beginning a text in UTF-16 shows what it is.
const MARKED: usize = 4 * 1024;

/// A secret and where it begins: line and column count from 1, the column in bytes of UTF-8 and in characters.
pub(super) struct Hit {
    pub(super) secret: Leaked,
    pub(super) line: u64,
    pub(super) column: u64,
    pub(super) character: u64,
    /// In bytes; unknown of what had to be decoded.
    pub(super) offset: Option<u64>,
    pub(super) length: usize,
}

/// The memory that a thread reads into, again and again.
pub(super) struct Buffer(Zeroizing<Vec<u8>>);

impl Buffer {
    pub(super) fn new(finder: &Finder) -> Self {
        Self(Zeroizing::new(vec![0; PIECE + finder.longest()]))
    }
}

/// A source that counts what is read of it.
struct Counted<R> {
    source: R,
    bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.bytes += read as u64;
        Ok(read)
    }
}

/// Where in a text a reader is.
struct Cursor {
    line: u64,
    /// Of the line, before it.
    bytes: u64,
    characters: u64,
}

impl Cursor {
    fn pass(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        if let Some(last) = memchr::memrchr(b'\n', bytes) {
            self.line += memchr::memchr_iter(b'\n', &bytes[..=last]).count() as u64;
            (self.bytes, self.characters) = (0, 0);
            rest = &bytes[last + 1..];
        }
        self.bytes += rest.len() as u64;
        // Every byte but those that continue a character begins one.
        self.characters += rest.iter().filter(|byte| **byte & 0b1100_0000 != 0b1000_0000).count() as u64;
    }
}

/// Reads to the end and hands over every token; answers with the bytes that were read, `None` for a binary file, which is
/// not read on.
pub(super) fn search(
    source: impl Read,
    finder: &Finder,
    buffer: &mut Buffer,
    binary: bool,
    mut hit: impl FnMut(Hit),
) -> std::io::Result<Option<u64>> {
    let mut source = Counted { source, bytes: 0 };
    let mut beginning = Zeroizing::new([0; MARKED]);
    let read = read_some(&mut source, &mut *beginning)?;
    let beginning = &beginning[..read];
    let whole = match utf16::order(beginning) {
        Some(low_first) => {
            let decoded = Utf16::new(beginning[2..].chain(&mut source), low_first);
            text(decoded, finder, buffer, binary, |found| hit(Hit { offset: None, ..found }))
        }
        None => text(beginning.chain(&mut source), finder, buffer, binary, hit),
    };
    Ok(whole?.then_some(source.bytes))
}

/// The same for a text in UTF-8, or what can be taken for it; whether it was read to its end.
fn text(
    mut source: impl Read,
    finder: &Finder,
    buffer: &mut Buffer,
    binary: bool,
    mut hit: impl FnMut(Hit),
) -> std::io::Result<bool> {
    let buffer = buffer.0.as_mut_slice();
    // `start` is the offset in the stream of the buffer's first byte; a token that begins before `from` was seen.
    let (mut start, mut kept, mut from) = (0u64, 0usize, 0usize);
    let (mut cursor, mut counted) = (Cursor { line: 1, bytes: 0, characters: 0 }, 0usize);
    loop {
        let read = read_some(&mut source, &mut buffer[kept..])?;
        let held = kept + read;
        if start == 0 && kept == 0 && !binary && memchr::memchr(0, &buffer[..held.min(LOOKED_AT)]).is_some() {
            return Ok(false);
        }
        let piece = &buffer[..held];
        for Seen { at, length, secret } in finder.find(piece) {
            if at < from {
                continue;
            }
            cursor.pass(&piece[counted..at]);
            counted = at;
            let (line, column, character) = (cursor.line, cursor.bytes + 1, cursor.characters + 1);
            hit(Hit { secret, line, column, character, offset: Some(start + at as u64), length });
            from = at + length;
        }
        if read == 0 {
            return Ok(true);
        }
        // The end may hold the beginning of a token: it is looked at again with what follows.
        let keep = (finder.longest() - 1).min(held);
        let drop = held - keep;
        if counted < drop {
            cursor.pass(&piece[counted..drop]);
            counted = drop;
        }
        buffer.copy_within(drop..held, 0);
        start += drop as u64;
        counted -= drop;
        from = from.saturating_sub(drop);
        kept = keep;
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
    use crate::domain::{Brand, Environment, PlainToken};
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
        let finder = Finder::new(&Brand::default()).unwrap();
        let mut found = Vec::new();
        let read = search(Drip(bytes, drip), &finder, &mut Buffer::new(&finder), false, |hit| {
            found.push((hit.line, hit.column, hit.offset.unwrap()));
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
    fn columns_are_bytes_and_characters_and_texts_of_windows_are_read() {
        let finder = Finder::new(&Brand::default()).unwrap();
        let text = format!("é\n🔑 é {}\n", token());
        let windows: Vec<u8> = format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (bytes, offset) in [(text.as_bytes(), Some(3 + 8)), (&windows, None)] {
            let mut found = Vec::new();
            let read = search(Drip(bytes, 7), &finder, &mut Buffer::new(&finder), false, |hit| {
                found.push((hit.line, hit.column, hit.character, hit.offset));
            });
            assert_eq!(read.unwrap(), Some(bytes.len() as u64));
            assert_eq!(found, [(2, 9, 5, offset)]);
        }
    }

    #[test]
    fn a_binary_file_is_skipped_and_an_empty_one_is_empty() {
        let text = format!("\0{}", token());
        assert_eq!(hits(text.as_bytes(), 10), None);
        assert_eq!(hits(b"", 10), Some(Vec::new()));
    }
}
