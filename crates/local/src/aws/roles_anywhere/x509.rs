use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P256_SHA512_ASN1, ECDSA_P384_SHA256_ASN1,
    ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA512_ASN1, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, UnparsedPublicKey, VerificationAlgorithm,
};
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_PKCS1_RSAENCRYPTION, OID_PKCS1_SHA256WITHRSA,
    OID_PKCS1_SHA384WITHRSA, OID_PKCS1_SHA512WITHRSA, OID_SIG_ECDSA_WITH_SHA256, OID_SIG_ECDSA_WITH_SHA384,
    OID_SIG_ECDSA_WITH_SHA512, Oid,
};
use x509_parser::prelude::{FromDer, ParsedExtension, X509Certificate, X509Version};
use x509_parser::x509::SubjectPublicKeyInfo;

/// The shortest RSA key.
const MIN_RSA_BITS: usize = 2048;

/// What kind of key a certificate is for; others are not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Rsa,
    P256,
    P384,
}

impl Kind {
    pub(super) fn of(info: &SubjectPublicKeyInfo<'_>) -> Option<Self> {
        if info.algorithm.algorithm == OID_PKCS1_RSAENCRYPTION {
            let bits = info.parsed().ok()?.key_size();
            return (bits >= MIN_RSA_BITS).then_some(Self::Rsa);
        }
        let curve = info.algorithm.parameters.as_ref()?.as_oid().ok()?;
        match info.algorithm.algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY {
            true if curve == OID_EC_P256 => Some(Self::P256),
            true if curve == OID_NIST_EC_P384 => Some(Self::P384),
            _ => None,
        }
    }
}

/// Reads one certificate and nothing behind it.
pub(super) fn read(der: &[u8]) -> Option<X509Certificate<'_>> {
    X509Certificate::from_der(der).ok().filter(|(rest, _)| rest.is_empty()).map(|(_, certificate)| certificate)
}

/// Whether a certificate may be a trust anchor's.
pub(super) fn is_authority(der: &[u8]) -> bool {
    read(der).is_some_and(|certificate| may_issue(&certificate, 0))
}

/// Whether a certificate may issue others, with so many intermediates below it.
pub(super) fn may_issue(certificate: &X509Certificate<'_>, below: u32) -> bool {
    let (Ok(Some(basic)), Ok(usage)) = (certificate.basic_constraints(), certificate.key_usage()) else { return false };
    certificate.version() == X509Version::V3
        && basic.value.ca
        && basic.value.path_len_constraint.is_none_or(|most| below <= most)
        && usage.is_none_or(|usage| usage.value.key_cert_sign())
        && understood(certificate)
}

/// Whether each critical extension is one whose meaning is kept to here. Constraints on names are not.
fn understood(certificate: &X509Certificate<'_>) -> bool {
    certificate.extensions().iter().filter(|extension| extension.critical).all(|extension| {
        matches!(
            extension.parsed_extension(),
            ParsedExtension::BasicConstraints(_)
                | ParsedExtension::KeyUsage(_)
                | ParsedExtension::ExtendedKeyUsage(_)
                | ParsedExtension::SubjectAlternativeName(_)
        )
    })
}

/// What keeps a certificate from being an end entity's of Roles Anywhere, whoever has issued it. How AWS words it is not
/// known.
pub(super) fn unfit(certificate: &X509Certificate<'_>) -> Option<&'static str> {
    if certificate.version() != X509Version::V3 {
        return Some("The certificate is not an X.509v3 certificate");
    }
    match certificate.basic_constraints() {
        Ok(basic) if basic.as_ref().is_none_or(|basic| !basic.value.ca) => {}
        _ => return Some("The certificate is a certificate authority's"),
    }
    match certificate.key_usage() {
        Ok(Some(usage)) if usage.value.digital_signature() => {}
        _ => return Some("The key usage of the certificate does not include digitalSignature"),
    }
    if Kind::of(certificate.public_key()).is_none() {
        return Some("The key of the certificate is not supported");
    }
    if hash_bits(&certificate.signature_algorithm.algorithm).is_none() {
        return Some("The signature algorithm of the certificate is not supported");
    }
    (!understood(certificate)).then_some("The certificate has a critical extension that is not supported")
}

/// Whether `issuer`'s key has signed `certificate`. SHA-1 and MD5 are among what no key signs here.
pub(super) fn has_signed(issuer: &X509Certificate<'_>, certificate: &X509Certificate<'_>) -> bool {
    let info = issuer.public_key();
    let algorithm = &certificate.signature_algorithm;
    // The certificate says twice how it is signed, and only one of them is.
    if *algorithm != certificate.tbs_certificate.signature {
        return false;
    }
    signed(info, &algorithm.algorithm, certificate.tbs_certificate.as_ref(), &certificate.signature_value.data)
}

/// Whether `key` has made `signature` of `message`, as `algorithm` says.
pub(super) fn signed(key: &SubjectPublicKeyInfo<'_>, algorithm: &Oid<'_>, message: &[u8], signature: &[u8]) -> bool {
    let is_rsa = [OID_PKCS1_SHA256WITHRSA, OID_PKCS1_SHA384WITHRSA, OID_PKCS1_SHA512WITHRSA].contains(algorithm);
    let Some(bits) = hash_bits(algorithm) else { return false };
    let Some(kind) = Kind::of(key).filter(|kind| is_rsa == (*kind == Kind::Rsa)) else { return false };
    verifies(key, kind, bits, message, signature)
}

/// The same for a kind of key and a length of SHA-2.
pub(super) fn verifies(
    key: &SubjectPublicKeyInfo<'_>,
    kind: Kind,
    bits: u16,
    message: &[u8],
    signature: &[u8],
) -> bool {
    let algorithm: &dyn VerificationAlgorithm = match (kind, bits) {
        (Kind::Rsa, 256) => &RSA_PKCS1_2048_8192_SHA256,
        (Kind::Rsa, 384) => &RSA_PKCS1_2048_8192_SHA384,
        (Kind::Rsa, _) => &RSA_PKCS1_2048_8192_SHA512,
        (Kind::P256, 256) => &ECDSA_P256_SHA256_ASN1,
        (Kind::P256, 384) => &ECDSA_P256_SHA384_ASN1,
        (Kind::P256, _) => &ECDSA_P256_SHA512_ASN1,
        (Kind::P384, 256) => &ECDSA_P384_SHA256_ASN1,
        (Kind::P384, 384) => &ECDSA_P384_SHA384_ASN1,
        (Kind::P384, _) => &ECDSA_P384_SHA512_ASN1,
    };
    UnparsedPublicKey::new(algorithm, &key.subject_public_key.data).verify(message, signature).is_ok()
}

fn hash_bits(algorithm: &Oid<'_>) -> Option<u16> {
    let is = |oids: [&Oid<'_>; 2]| oids.contains(&algorithm);
    if is([&OID_PKCS1_SHA256WITHRSA, &OID_SIG_ECDSA_WITH_SHA256]) {
        Some(256)
    } else if is([&OID_PKCS1_SHA384WITHRSA, &OID_SIG_ECDSA_WITH_SHA384]) {
        Some(384)
    } else if is([&OID_PKCS1_SHA512WITHRSA, &OID_SIG_ECDSA_WITH_SHA512]) {
        Some(512)
    } else {
        None
    }
}
