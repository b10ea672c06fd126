//! Recovery codes: 160 random bits on paper, in groups, with a checksum against slips of the pen.

use super::slots::SlotSecret;
use rand::CryptoRng;
use zeroize::Zeroizing;

/// Crockford's base32: no I, L, O or U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const RANDOM_CHARS: usize = 32;
const CHECK_CHARS: usize = 4;
const GROUP: usize = 6;
const PREFIX: &str = "KWR";

/// A code that opens a recovery slot, wiped when dropped.
pub struct RecoveryCode(Zeroizing<String>);

/// A text that is no code as it was printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotARecoveryCode {
    /// It begins like one or has the length of one.
    #[error("a character of the recovery code is wrong or missing")]
    Mistyped,
    /// It is something else.
    #[error("this is not a recovery code")]
    Other,
}

impl RecoveryCode {
    /// Draws a new code.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = Zeroizing::new([0u8; RANDOM_CHARS]);
        rng.fill_bytes(bytes.as_mut());
        let mut text = Zeroizing::new(String::with_capacity(RANDOM_CHARS + CHECK_CHARS));
        // 32 letters divide a byte's 256 values evenly: the remainder is uniform.
        text.extend(bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])));
        let check = check_of(&text);
        text.push_str(&check);
        Self(text)
    }

    /// Reads a code as a person types it: any case, dashes or spaces anywhere, O for 0 and I or L for 1.
    ///
    /// # Errors
    /// When its shape or checksum is wrong.
    pub fn parse(typed: &str) -> Result<Self, NotARecoveryCode> {
        let mut joined = Zeroizing::new(String::with_capacity(typed.len()));
        joined.extend(typed.trim().chars().filter(|character| !matches!(character, '-' | ' ')));
        joined.make_ascii_uppercase();
        let wrong = if joined.starts_with(PREFIX) || joined.len() == RANDOM_CHARS + CHECK_CHARS {
            NotARecoveryCode::Mistyped
        } else {
            NotARecoveryCode::Other
        };
        // A code may begin with the same letters: then it is too short to have lost them.
        let body = joined.strip_prefix(PREFIX).filter(|body| body.chars().count() >= RANDOM_CHARS + CHECK_CHARS);
        let mut text = Zeroizing::new(String::with_capacity(RANDOM_CHARS + CHECK_CHARS));
        for character in body.unwrap_or(&joined).chars() {
            let character = match character {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            };
            if !character.is_ascii()
                || !ALPHABET.contains(&(character as u8))
                || text.len() == RANDOM_CHARS + CHECK_CHARS
            {
                return Err(wrong);
            }
            text.push(character);
        }
        if text.len() != RANDOM_CHARS + CHECK_CHARS || check_of(&text[..RANDOM_CHARS]) != text[RANDOM_CHARS..] {
            return Err(wrong);
        }
        Ok(Self(text))
    }

    /// The code as it is printed once: `KWR-` and groups of six.
    #[must_use]
    pub fn display(&self) -> Zeroizing<String> {
        let mut out = Zeroizing::new(PREFIX.to_owned());
        for (position, character) in self.0.chars().enumerate() {
            if position % GROUP == 0 {
                out.push('-');
            }
            out.push(character);
        }
        out
    }

    /// The secret of the slot it opens.
    #[must_use]
    pub fn secret(&self) -> SlotSecret {
        SlotSecret::from_random(self.0.as_bytes())
    }
}

/// Twenty bits of CRC-32.
fn check_of(body: &str) -> String {
    let crc = crc32fast::hash(body.as_bytes());
    (0..CHECK_CHARS).map(|digit| char::from(ALPHABET[((crc >> (5 * digit)) % 32) as usize])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_reads_back_however_it_is_typed() {
        let code = RecoveryCode::generate(&mut rand::rng());
        let printed = code.display();
        for typed in [
            printed.to_string(),
            printed.to_lowercase(),
            printed.replacen('-', " ", 3),
            printed.replace('-', ""),
            code.0.to_string(),
        ] {
            assert!(RecoveryCode::parse(&typed).is_ok_and(|again| *again.0 == *code.0), "not read back");
        }
        let alike = RecoveryCode({
            let body = format!("{PREFIX}{}", "0".repeat(RANDOM_CHARS - PREFIX.len()));
            Zeroizing::new(format!("{body}{}", check_of(&body)))
        });
        for typed in [alike.0.to_string(), alike.display().to_string(), alike.display().replace('-', "")] {
            assert!(RecoveryCode::parse(&typed).is_ok_and(|again| *again.0 == *alike.0), "begins like the prefix");
        }
        let last = printed.pop_and_change();
        let of = |typed: &str| RecoveryCode::parse(typed).err();
        let shorter = &printed[..printed.len() - 1];
        let odd = format!("{}U{}", &printed[..4], &printed[5..]);
        for typed in [&last, shorter, &odd, &last[PREFIX.len() + 1..]] {
            assert_eq!(of(typed), Some(NotARecoveryCode::Mistyped), "of the right shape");
        }
        for typed in ["", "keyward", "correct horse battery"] {
            assert_eq!(of(typed), Some(NotARecoveryCode::Other), "{typed}");
        }
    }

    trait Spoil {
        fn pop_and_change(&self) -> String;
    }

    impl Spoil for String {
        fn pop_and_change(&self) -> String {
            let mut text = self.clone();
            let last = text.pop().unwrap();
            text.push(if last == 'Z' { 'Y' } else { 'Z' });
            text
        }
    }
}
