//! Masking: no piece of a secret that is long enough to matter is shown, however it arrives.

use super::{
    super::testing::{leaks, token},
    *,
};
use base64ct::Base64;
use proptest::prelude::*;

fn shown(mask: &Mask, pieces: &[&[u8]]) -> Vec<String> {
    let mut lines = Lines::new(Some(mask));
    let mut shown = Vec::new();
    for piece in pieces {
        lines.push(piece, &mut |line| shown.push(line.to_owned()));
    }
    lines.end(&mut |line| shown.push(line.to_owned()));
    shown
}

#[test]
fn the_token_is_masked_and_its_public_part_alone_is_not() {
    let token = token();
    let mask = Mask::of(&token);
    let text = token.expose_plaintext();
    let line = format!("a {text} b\nlookup {}\r\n\nkw_prod_\n", token.lookup());
    let public = format!("lookup {}", token.lookup());
    assert_eq!(shown(&mask, &[line.as_bytes()]), ["a *** b", &public, "", "kw_prod_"]);
}

#[test]
fn an_endless_line_is_shown_in_parts_and_masked() {
    let token = token();
    let mask = Mask::of(&token);
    for before in [0, 1, 7_900, 8_000, 8_100, 8_150, 8_192, 9_000] {
        let line = format!("{}{}{}", "x".repeat(before), token.expose_plaintext(), "y".repeat(20_000));
        for size in [1_000, 4_096, 8_192, 50_000] {
            let pieces: Vec<&[u8]> = line.as_bytes().chunks(size).collect();
            let shown = shown(&mask, &pieces).concat();
            assert!(!leaks(&shown, &token), "{before} {size}");
            assert_eq!(shown.matches('x').count(), before, "{before} {size}");
            assert_eq!(shown.matches('y').count(), 20_000, "{before} {size}");
        }
    }
    let only_secrets = token.expose_plaintext().repeat(500);
    assert!(!leaks(&shown(&mask, &[only_secrets.as_bytes()]).concat(), &token));
}

proptest! {
    #[test]
    fn no_cut_of_the_output_and_no_encoding_shows_it(
        before in "[ -~]{0,30}", after in "[ -~]{0,30}", cuts in proptest::collection::vec(1usize..40, 1..20), form in 0usize..4,
    ) {
        let token = token();
        let mask = Mask::of(&token);
        let text = token.expose_plaintext();
        let form = match form {
            0 => text.to_owned(),
            1 => Base64::encode_string(text.as_bytes()),
            2 => Base64::encode_string(format!("{before}{text}{after}").as_bytes()),
            _ => text[20..].to_owned(),
        };
        let line = format!("{before}{form}{after}\n");
        let mut rest = line.as_bytes();
        let mut pieces = Vec::new();
        for cut in cuts {
            let (piece, left) = rest.split_at(cut.min(rest.len()));
            pieces.push(piece);
            rest = left;
        }
        pieces.push(rest);
        let shown = shown(&mask, &pieces).concat();
        prop_assert!(!leaks(&shown, &token), "{}", shown);
        for shift in ["", "x", "xx"] {
            let encoded = Base64::encode_string(format!("{shift}{text}").as_bytes());
            prop_assert!(!(8..encoded.len() - 24).any(|at| shown.contains(&encoded[at..at + 16])), "{}", shown);
        }
    }

    #[test]
    fn other_output_is_left_alone(lines in proptest::collection::vec("[a-z0-9 .,_-]{0,60}", 0..6)) {
        let mask = Mask::of(&token());
        let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        prop_assert_eq!(shown(&mask, &[text.as_bytes()]), lines);
    }
}
