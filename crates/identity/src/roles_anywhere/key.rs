use std::fmt;

use aws_lc_rs::digest::{Digest, SHA256, SHA384, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RsaKeyPair,
};

/// A private key that can sign for a certificate. Its memory belongs to the crypto library, which wipes it.
pub(super) enum PrivateKey {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
}

impl PrivateKey {
    /// Reads PKCS#8, PKCS#1 or SEC1; `None` if it is none of them, or a key that Roles Anywhere does not take.
    pub(super) fn read(der: &[u8]) -> Option<Self> {
        let rsa = || RsaKeyPair::from_pkcs8(der).or_else(|_| RsaKeyPair::from_der(der)).ok();
        let ec = |algorithm| EcdsaKeyPair::from_private_key_der(algorithm, der).ok();
        rsa()
            .map(Self::Rsa)
            .or_else(|| ec(&ECDSA_P256_SHA256_ASN1_SIGNING).map(Self::P256))
            .or_else(|| ec(&ECDSA_P384_SHA384_ASN1_SIGNING).map(Self::P384))
    }

    /// Its public half, in the form in which a certificate holds it.
    pub(super) fn public_key(&self) -> &[u8] {
        match self {
            Self::Rsa(pair) => pair.public_key().as_ref(),
            Self::P256(pair) | Self::P384(pair) => pair.public_key().as_ref(),
        }
    }

    /// The name that AWS gives to its signatures. SHA-256 goes with every key, P-384 too.
    pub(super) fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "AWS4-X509-RSA-SHA256",
            Self::P256(_) | Self::P384(_) => "AWS4-X509-ECDSA-SHA256",
        }
    }

    /// Signs `message`: PKCS#1 v1.5 or ECDSA in DER, over SHA-256. `None` if the crypto library fails.
    pub(super) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).ok()?;
                Some(signature)
            }
            Self::P256(pair) => Some(pair.sign(&SystemRandom::new(), message).ok()?.as_ref().to_vec()),
            Self::P384(pair) => {
                // The library signs SHA-384 alone with this curve. ECDSA takes a hash as one number, so the 32 bytes of
                // SHA-256 with 16 zeros before them are the same number in a SHA-384's length.
                let mut widened = [0; 48];
                widened[16..].copy_from_slice(digest(&SHA256, message).as_ref());
                let digest = Digest::import_less_safe(&widened, &SHA384).ok()?;
                Some(pair.sign_digest(&digest).ok()?.as_ref().to_vec())
            }
        }
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}
