//! What a scan looks for: keys of the vault's brand, credentials of operators, and recovery codes.

use crate::{
    backend::RecoveryCode,
    domain::{Brand, scan::TokenFinder},
    ops::{Error, Kind, Result, identify::Leaked},
};
use memchr::memmem;

/// How a recovery code begins as it is printed, and its whole length.
const CODE: (&str, usize) = ("KWR-", 45);

/// Finds secrets in bytes.
pub(in crate::cli) struct Finder {
    tokens: TokenFinder,
    codes: memmem::Finder<'static>,
}

/// A secret that was found, and where.
pub(in crate::cli) struct Seen {
    /// Its first byte.
    pub(in crate::cli) at: usize,
    /// The bytes it takes there.
    pub(in crate::cli) length: usize,
    /// The secret.
    pub(in crate::cli) secret: Leaked,
}

impl Finder {
    /// A finder for the keys of a brand, and for what opens any vault or server.
    pub(in crate::cli) fn new(brand: &Brand) -> Result<Self> {
        let mut brands = vec![brand.clone(), Brand::of_operators()];
        brands.dedup();
        let tokens = TokenFinder::new(&brands).map_err(|error| {
            Error::new(Kind::Internal, "brand", "the brand cannot be looked for").cause(error.to_string())
        })?;
        Ok(Self { tokens, codes: memmem::Finder::new(CODE.0).into_owned() })
    }

    /// The most bytes that a secret takes.
    pub(super) fn longest(&self) -> usize {
        self.tokens.longest().max(CODE.1)
    }

    /// Every whole secret, by its place.
    pub(in crate::cli) fn find(&self, haystack: &[u8]) -> Vec<Seen> {
        let tokens = self.tokens.find(haystack).into_iter();
        let mut seen: Vec<Seen> =
            tokens.map(|seen| Seen { at: seen.at, length: seen.length, secret: Leaked::Token(seen.token) }).collect();
        seen.extend(self.codes.find_iter(haystack).filter_map(|at| {
            let text = std::str::from_utf8(haystack.get(at..at + CODE.1)?).ok()?;
            let code = RecoveryCode::parse(text).ok()?;
            Some(Seen { at, length: CODE.1, secret: Leaked::Recovery(code) })
        }));
        seen.sort_by_key(|seen| seen.at);
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recovery_code_is_found_where_it_is_whole() {
        let code = RecoveryCode::generate(&mut rand::rng()).display();
        let finder = Finder::new(&Brand::default()).unwrap();
        let places =
            |text: &str| finder.find(text.as_bytes()).iter().map(|seen| (seen.at, seen.length)).collect::<Vec<_>>();
        assert_eq!(places(&format!("é: {}.", *code)), [(4, code.len())]);
        assert_eq!(places(&code[..code.len() - 1]), []);
        assert_eq!(places(&format!("{}{}", &code[..44], if code.ends_with('0') { '1' } else { '0' })), []);
    }
}
