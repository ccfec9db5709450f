use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use x509_parser::der_parser::parse_der;

/// How a token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256, as most issuers do.
    Rs256,
    /// ECDSA over P-256 with SHA-256.
    Es256,
}

impl Algorithm {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
        }
    }
}

/// An issuer's keys of one time, one for each algorithm.
pub(in crate::aws) struct Keys {
    id: String,
    rsa: RsaKeyPair,
    ec: EcdsaKeyPair,
}

impl Keys {
    /// New ones. `None` if the crypto library makes none.
    pub(super) fn generate() -> Option<Self> {
        Some(Self {
            id: hex::encode(rand::random::<[u8; 8]>()),
            rsa: RsaKeyPair::generate(KeySize::Rsa2048).ok()?,
            ec: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).ok()?,
        })
    }

    /// The id of the key of an algorithm.
    pub(super) fn id(&self, algorithm: Algorithm) -> String {
        format!("{}-{}", algorithm.name().to_ascii_lowercase(), self.id)
    }

    pub(super) fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Option<Vec<u8>> {
        match algorithm {
            Algorithm::Rs256 => {
                let mut signature = vec![0; self.rsa.public_modulus_len()];
                self.rsa.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).ok()?;
                Some(signature)
            }
            Algorithm::Es256 => Some(self.ec.sign(&SystemRandom::new(), message).ok()?.as_ref().to_vec()),
        }
    }

    pub(super) fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let verified = match algorithm {
            Algorithm::Rs256 => UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, self.rsa.public_key().as_ref())
                .verify(message, signature),
            Algorithm::Es256 => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.ec.public_key().as_ref())
                .verify(message, signature),
        };
        verified.is_ok()
    }

    /// The public halves, as a JSON Web Key Set (RFC 7517, RFC 7518).
    pub(super) fn as_jwks(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut keys = Vec::new();
        // RSAPublicKey is a sequence of modulus and exponent; a leading zero keeps the modulus positive.
        if let Ok((_, parsed)) = parse_der(self.rsa.public_key().as_ref())
            && let Ok([modulus, exponent]) = parsed.as_sequence().map(Vec::as_slice)
            && let (Ok(modulus), Ok(exponent)) = (modulus.as_slice(), exponent.as_slice())
        {
            let modulus = modulus.strip_prefix(&[0]).unwrap_or(modulus);
            keys.push(json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.id(Algorithm::Rs256),
                "n": text(modulus), "e": text(exponent)}));
        }
        // An uncompressed point: 4, then both coordinates.
        let point = self.ec.public_key().as_ref();
        let (x, y) = point[1..].split_at((point.len() - 1) / 2);
        keys.push(json!({"kty": "EC", "use": "sig", "alg": "ES256", "crv": "P-256", "kid": self.id(Algorithm::Es256),
            "x": text(x), "y": text(y)}));
        json!({"keys": keys})
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("id", &self.id).finish_non_exhaustive()
    }
}
