//! What is drawn at random and kept as a hash.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use world::Secret;

/// Drawn bits as letters, digits, `-` and `_`.
pub(crate) fn drawn<const BYTES: usize>() -> String {
    let mut bytes = zeroize::Zeroizing::new([0; BYTES]);
    rand::fill(&mut bytes[..]);
    BASE64_URL_SAFE_NO_PAD.encode(&bytes[..])
}

/// What is kept of a drawn secret: 256 bits and more cannot be guessed, so that a slow hash would only be slow.
pub(crate) fn print_of(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// Whether two are the same, in a time that does not tell where they differ.
pub(crate) fn is_same(one: &[u8], other: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(one, other).is_ok()
}

/// A text in the form of a JWT, which clients read `exp` from. It says nothing that we believe: its last part is drawn, and
/// the whole is looked up.
pub(crate) fn login_token(user: &str, issued_at: i64, expires_at: i64) -> Secret {
    let part = |value: serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let header = part(json!({ "alg": "HS256", "typ": "JWT" }));
    let payload = part(json!({ "iss": "tidegate", "sub": user, "iat": issued_at / 1000, "exp": expires_at / 1000 }));
    Secret::new(format!("{header}.{payload}.{}", drawn::<32>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_the_form_of_a_jwt_and_no_two_are_alike() {
        let token = login_token("u-abc", 1_000, 3_601_000);
        let parts: Vec<_> = token.expose().split('.').collect();
        assert_eq!(parts.len(), 3);
        let payload: serde_json::Value =
            serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
        assert_eq!((payload["exp"].as_i64(), payload["sub"].as_str()), (Some(3601), Some("u-abc")));
        assert_ne!(token, login_token("u-abc", 1_000, 3_601_000));
        assert_eq!(drawn::<48>().len(), 64);
        assert!(is_same(&print_of("a"), &print_of("a")) && !is_same(&print_of("a"), &print_of("b")));
    }
}
