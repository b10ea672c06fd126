//! A verifier that shares no code with keyward's: the definitions of RFC 6962 as they are written, the signed note of
//! C2SP taken apart by hand, and the signature checked by the `openssl` program where there is one.

use sha2::{Digest, Sha256};
use std::io::Write;

fn decode(text: &str) -> Option<Vec<u8>> {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut out, mut bits, mut held) = (Vec::new(), 0u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        bits = bits << 6 | alphabet.iter().position(|letter| *letter == byte)? as u32;
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    Some(out)
}

fn hash(prefix: u8, left: &[u8], right: &[u8]) -> [u8; 32] {
    Sha256::digest([&[prefix], left, right].concat()).into()
}

/// MTH of RFC 6962, section 2.1.
pub(crate) fn root(leaves: &[String]) -> [u8; 32] {
    match leaves.len() {
        0 => Sha256::digest(b"").into(),
        1 => hash(0, leaves[0].as_bytes(), b""),
        count => {
            let mut split = 1;
            while split * 2 < count {
                split *= 2;
            }
            hash(1, &root(&leaves[..split]), &root(&leaves[split..]))
        }
    }
}

/// The root that PATH of RFC 6962, section 2.1.1, leads to.
pub(crate) fn root_of_path(leaf: &str, index: u64, size: u64, path: &[&str]) -> Option<[u8; 32]> {
    let Some((last, rest)) = path.split_last() else {
        return (size == 1).then(|| hash(0, leaf.as_bytes(), b""));
    };
    let mut split = 1;
    while split * 2 < size {
        split *= 2;
    }
    let sibling = decode(last)?;
    Some(if index < split {
        hash(1, &root_of_path(leaf, index, split, rest)?, &sibling)
    } else {
        hash(1, &sibling, &root_of_path(leaf, index - split, size - split, rest)?)
    })
}

/// The origin, size and root of a checkpoint whose signature holds.
pub(crate) fn open_note(note: &str, key: &str) -> Option<(String, u64, [u8; 32])> {
    let (text, signatures) = note.split_once("\n\n")?;
    let text = format!("{text}\n");
    let mut parts = key.splitn(3, '+');
    let (name, id, public) = (parts.next()?, parts.next()?, decode(parts.next()?)?);
    let expected = Sha256::digest([name.as_bytes(), b"\n", &public].concat());
    let id_bytes: Vec<u8> = (0..8).step_by(2).map(|at| u8::from_str_radix(&id[at..at + 2], 16).unwrap()).collect();
    let line = signatures.lines().find_map(|line| line.strip_prefix(&format!("\u{2014} {name} ")))?;
    let signed = decode(line)?;
    let holds = expected[..4] == id_bytes[..] && signed[..4] == id_bytes[..] && public[0] == 1;
    if !holds || !signature_holds(text.as_bytes(), &signed[4..], &public[1..]) {
        return None;
    }
    let mut lines = text.lines();
    Some((lines.next()?.to_owned(), lines.next()?.parse().ok()?, decode(lines.next()?)?.try_into().ok()?))
}

/// Whether an Ed25519 signature of a text holds.
pub(crate) fn signature_holds(text: &[u8], signature: &[u8], public: &[u8]) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::File::create(&path).unwrap().write_all(bytes).unwrap();
        path
    };
    // SubjectPublicKeyInfo of RFC 8410: a fixed head, then the key.
    let head = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    let checked = std::process::Command::new("openssl")
        .args(["pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-rawin", "-inkey"])
        .arg(file("key", &[&head, public].concat()))
        .arg("-sigfile")
        .arg(file("signature", signature))
        .arg("-in")
        .arg(file("text", text))
        .output();
    if let Ok(output) = checked {
        return output.status.success();
    }
    eprintln!("no openssl: the signature is checked by a crate that keyward uses too");
    let key = ed25519_dalek::VerifyingKey::from_bytes(public.try_into().unwrap()).unwrap();
    key.verify_strict(text, &ed25519_dalek::Signature::from_slice(signature).unwrap()).is_ok()
}
