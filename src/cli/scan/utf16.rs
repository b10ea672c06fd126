//! UTF-16 on its way to UTF-8: what Windows writes into files is text like any other.

use std::{
    char::{REPLACEMENT_CHARACTER, decode_utf16},
    io::{Read, Result},
};
use zeroize::Zeroizing;

/// How much is decoded at once.
const PIECE: usize = 64 * 1024;

/// Whether bytes begin a text in UTF-16, and then whether its low byte comes first. A mark alone is not enough: what a
/// secret is made of has a zero byte in every character.
pub(super) fn order(beginning: &[u8]) -> Option<bool> {
    let low_first = match beginning {
        [0xff, 0xfe, ..] => true,
        [0xfe, 0xff, ..] => false,
        _ => return None,
    };
    memchr::memchr(0, beginning).map(|_| low_first)
}

/// Reads UTF-16 as UTF-8; what is no text becomes a replacement character.
pub(super) struct Utf16<R> {
    source: R,
    low_first: bool,
    raw: Zeroizing<Vec<u8>>,
    /// The bytes of a character that is not whole yet.
    kept: usize,
    text: Zeroizing<Vec<u8>>,
    given: usize,
    ended: bool,
}

impl<R: Read> Utf16<R> {
    pub(super) fn new(source: R, low_first: bool) -> Self {
        let (raw, text) = (Zeroizing::new(vec![0; PIECE]), Zeroizing::new(Vec::with_capacity(2 * PIECE)));
        Self { source, low_first, raw, kept: 0, text, given: 0, ended: false }
    }

    /// Decodes the next piece; half a character at the end is none.
    fn fill(&mut self) -> Result<()> {
        let read = self.source.read(&mut self.raw[self.kept..])?;
        let held = self.kept + read;
        let unit = |pair: &[u8]| {
            let pair = [pair[0], pair[1]];
            if self.low_first { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) }
        };
        let mut whole = held - held % 2;
        // The first half of a pair waits for the second.
        if read > 0 && whole >= 2 && (0xd800..0xdc00).contains(&unit(&self.raw[whole - 2..whole])) {
            whole -= 2;
        }
        self.text.clear();
        self.given = 0;
        for character in decode_utf16(self.raw[..whole].chunks_exact(2).map(unit)) {
            let mut bytes = [0; 4];
            let character = character.unwrap_or(REPLACEMENT_CHARACTER);
            self.text.extend_from_slice(character.encode_utf8(&mut bytes).as_bytes());
        }
        self.raw.copy_within(whole..held, 0);
        (self.kept, self.ended) = (held - whole, read == 0);
        Ok(())
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        while self.given == self.text.len() {
            if self.ended {
                return Ok(0);
            }
            self.fill()?;
        }
        let size = buffer.len().min(self.text.len() - self.given);
        buffer[..size].copy_from_slice(&self.text[self.given..self.given + size]);
        self.given += size;
        Ok(size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Gives out so many bytes at a time.
    struct Drip<'a>(&'a [u8], usize);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
            let size = self.1.min(buffer.len()).min(self.0.len());
            buffer[..size].copy_from_slice(&self.0[..size]);
            self.0 = &self.0[size..];
            Ok(size)
        }
    }

    fn read(bytes: &[u8], drip: usize, low_first: bool) -> String {
        let mut text = String::new();
        Utf16::new(Drip(bytes, drip), low_first).read_to_string(&mut text).unwrap();
        text
    }

    proptest! {
        #[test]
        fn every_text_is_read_wherever_the_pieces_end(text in "\\PC{0,60}", drip in 1usize..9, low_first: bool) {
            let bytes: Vec<u8> = text
                .encode_utf16()
                .flat_map(|unit| if low_first { unit.to_le_bytes() } else { unit.to_be_bytes() })
                .collect();
            prop_assert_eq!(read(&bytes, drip, low_first), text);
        }

        #[test]
        fn any_bytes_are_some_text(bytes: Vec<u8>, drip in 1usize..9) {
            read(&bytes, drip, true);
        }
    }

    #[test]
    fn a_mark_and_zero_bytes_make_it_utf_16() {
        assert_eq!(order(b"\xff\xfea\0"), Some(true));
        assert_eq!(order(b"\xfe\xff\0a"), Some(false));
        assert_eq!(order(b"\xff\xfe key=kw_"), None, "somebody's bytes before a text in ASCII");
        assert_eq!(order(b"a\0b\0"), None);
    }
}
