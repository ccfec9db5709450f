use std::fmt;
use std::path::Path;

use p12_keystore::{KeyStore, Pkcs12Archive, Pkcs12ImportPolicy};
use rustls_pki_types::pem::{self, PemObject, SectionKind};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use world::Secret;

use super::jks;

/// A certificate chain of our own and its key.
pub(super) type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// `ssl.truststore.type` and `ssl.keystore.type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StoreType {
    /// JKS or PKCS#12, told apart by the first bytes: Java reads either under either name
    /// (`keystore.type.compat=true`, the JDK's default since 9).
    Java,
    /// PEM.
    Pem,
}

pub(super) const STORE_TYPES: &[(&str, StoreType)] =
    &[("JKS", StoreType::Java), ("PKCS12", StoreType::Java), ("PEM", StoreType::Pem)];

/// What is wrong with a store, as one clause behind the key's name.
#[derive(Debug)]
pub(super) struct StoreError(String);

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for StoreError {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// Reads a store's file. Keystores are small, and read once at the start.
pub(super) fn read_file(path: &str) -> Result<Vec<u8>, StoreError> {
    std::fs::read(Path::new(path)).map_err(|error| StoreError(format!("cannot be read: {error}")))
}

/// The authorities of a truststore.
pub(super) fn authorities(
    data: &[u8],
    kind: StoreType,
    password: Option<&Secret>,
) -> Result<Vec<CertificateDer<'static>>, StoreError> {
    let found = match kind {
        StoreType::Pem => certificates(data)?,
        StoreType::Java if data.starts_with(&jks::MAGIC) => {
            jks::read(data, password.map(Secret::expose), None)?.trusted.into_iter().map(Into::into).collect()
        }
        StoreType::Java => {
            not_pem(data)?;
            let archive = Pkcs12Archive::from_pkcs12(data, password.map_or("", Secret::expose))
                .map_err(|error| not_opened(&error))?;
            archive.certs.iter().map(|bag| CertificateDer::from(bag.cert.as_der().to_vec())).collect()
        }
    };
    if found.is_empty() { Err("holds no certificate".into()) } else { Ok(found) }
}

/// The key and chain of a keystore.
pub(super) fn identity(
    data: &[u8],
    kind: StoreType,
    password: Option<&Secret>,
    key_password: Option<&Secret>,
) -> Result<Identity, StoreError> {
    match kind {
        StoreType::Pem => Ok((certificates(data)?, private_key(data, key_password)?)),
        StoreType::Java if data.starts_with(&jks::MAGIC) => {
            let key_password = key_password.or(password).map(Secret::expose);
            let jks::KeyEntry { key, chain } = jks::read(data, password.map(Secret::expose), key_password)?
                .identity
                .ok_or(StoreError::from("holds no private key"))?;
            let key = PrivatePkcs8KeyDer::from(key.to_vec());
            Ok((chain.into_iter().map(Into::into).collect(), key.into()))
        }
        StoreType::Java => {
            not_pem(data)?;
            if key_password.is_some_and(|key_password| Some(key_password) != password) {
                return Err("is PKCS#12 and has a key password of its own, which Java does not write either".into());
            }
            let store = KeyStore::from_pkcs12(data, password.map_or("", Secret::expose), Pkcs12ImportPolicy::Relaxed)
                .map_err(|error| not_opened(&error))?;
            let (_, chain) = store.private_key_chain().ok_or(StoreError::from("holds no private key"))?;
            let key = PrivatePkcs8KeyDer::from(chain.key().as_der().to_vec());
            Ok((chain.certs().iter().map(|cert| cert.as_der().to_vec().into()).collect(), key.into()))
        }
    }
}

/// The reader knows a wrong password only by the file's checksum.
fn not_opened(error: &p12_keystore::error::Error) -> StoreError {
    StoreError(format!("cannot be opened: the password is wrong or the file damaged ({error})"))
}

fn not_pem(data: &[u8]) -> Result<(), StoreError> {
    if data.trim_ascii_start().starts_with(b"-----BEGIN") {
        return Err("is PEM, but the store type says otherwise: set the type to PEM".into());
    }
    Ok(())
}

/// All certificates of a PEM text.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, StoreError> {
    CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().map_err(|error| not_valid_pem(&error))
}

/// What the PEM reader says, without the bytes that it quotes: the line it stumbles over may be the key itself.
fn not_valid_pem(error: &pem::Error) -> StoreError {
    let why = match error {
        pem::Error::MissingSectionEnd { .. } => "a section has no -----END line",
        pem::Error::IllegalSectionStart { .. } => "a -----BEGIN line is not complete",
        pem::Error::Base64Decode(_) => "what is between -----BEGIN and -----END is not base64",
        _ => "it cannot be read",
    };
    StoreError(format!("is not valid PEM: {why}"))
}

const BEGIN: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
const END: &str = "-----END ENCRYPTED PRIVATE KEY-----";

/// The private key of a PEM text; `password` opens an encrypted one.
pub(super) fn private_key(pem: &[u8], password: Option<&Secret>) -> Result<PrivateKeyDer<'static>, StoreError> {
    let sections = <(SectionKind, Vec<u8>)>::pem_slice_iter(pem);
    for section in sections {
        let (kind, der) = section.map_err(|error| not_valid_pem(&error))?;
        if let Some(key) = PrivateKeyDer::from_pem(kind, der) {
            return Ok(key);
        }
    }
    // rustls knows no encrypted keys; their section is not among its kinds.
    let text = std::str::from_utf8(pem).map_err(|_| StoreError::from("is not text"))?;
    let from = text.find(BEGIN).ok_or("holds no private key in PKCS#8 form")?;
    let to = text[from..].find(END).ok_or("has a private key section without an end")? + from + END.len();
    let password = password.ok_or("holds an encrypted private key, and ssl.key.password is not set")?;
    let sealed = pkcs8::der::Document::from_pem(&text[from..to])
        .map_err(|error| StoreError(format!("is not valid PEM: {error}")))?
        .1;
    let sealed = pkcs8::EncryptedPrivateKeyInfoRef::try_from(sealed.as_bytes())
        .map_err(|error| StoreError(format!("has an encrypted key of an unknown kind: {error}")))?;
    let key = sealed.decrypt(password.expose()).map_err(|_| "has a private key that ssl.key.password does not open")?;
    Ok(PrivatePkcs8KeyDer::from(key.as_bytes().to_vec()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key made for this test alone, twice: under a password (PBES2, AES-256) and bare.
    const SEALED: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAhIukBYEFcgkAICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEIxPg1qpFKfsB0bEyad3WCcEgZA6
QC697fJ6w4TOpg4d8dy6qeOEfRsfqbfbeC1jzNHXlltrLNPrdsXkGihehba+J561
QA/SZjdtAzVbhhM9s6tlJG5Gt1Tx7dlDXQBLN1CkfuE1RZuSfxwv0Z0KbnXVXSnY
k4Sa8IueJMn/b1oumznvl7CgeCXthwyNsOd+DXR2ieLusayUkIcavFfne54t8yE=
-----END ENCRYPTED PRIVATE KEY-----
";
    const BARE: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgLT3tjOJIqW/TQ9Cq
uteYtyIhfU84EdUb3JUzE8EYiKShRANCAAQHIeUzMpbIJFUa39S5ey006mAyMRRS
PKEcDO88IxFyexgGEmx7IVvZWBPmJAxKByXAq6Hr1T14tVwDuSMg1huQ
-----END PRIVATE KEY-----
";

    #[test]
    fn an_encrypted_key_opens_with_its_password_only() {
        let bare = private_key(BARE.as_bytes(), None).unwrap();
        let opened = private_key(SEALED.as_bytes(), Some(&Secret::new("changeit"))).unwrap();
        assert_eq!(opened.secret_der(), bare.secret_der());
        for (password, reason) in [(Some(Secret::new("other")), "does not open"), (None, "ssl.key.password is not set")]
        {
            let error = private_key(SEALED.as_bytes(), password.as_ref()).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn what_is_no_key_is_told_as_such() {
        for (text, reason) in [
            ("", "holds no private key"),
            ("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA", "not valid PEM"),
            ("-----BEGIN PRIVATE KEY-----\n!!!\n-----END PRIVATE KEY-----\n", "not valid PEM"),
        ] {
            let error = private_key(text.as_bytes(), Some(&Secret::new("p"))).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn no_text_of_a_broken_pem_is_repeated() {
        let secret = "c0ffee";
        for text in [
            format!("-----BEGIN PRIVATE KEY-----{secret}"),
            format!("-----BEGIN PRIVATE KEY-----\n{secret}"),
            format!("-----BEGIN PRIVATE KEY-----\n!{secret}!\n-----END PRIVATE KEY-----\n"),
        ] {
            let error = private_key(text.as_bytes(), None).unwrap_err().to_string();
            assert!(!error.contains(secret) && !error.contains('['), "{error}");
            if let Err(error) = certificates(text.as_bytes()) {
                let error = error.to_string();
                assert!(!error.contains(secret) && !error.contains('['), "{error}");
            }
        }
    }

    #[test]
    fn pem_under_another_type_is_told_as_such() {
        let error = authorities(BARE.as_bytes(), StoreType::Java, None).unwrap_err().to_string();
        assert!(error.contains("set the type to PEM"), "{error}");
        let error = authorities(BARE.as_bytes(), StoreType::Pem, None).unwrap_err().to_string();
        assert_eq!(error, "holds no certificate");
    }
}
