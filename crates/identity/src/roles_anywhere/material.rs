//! From bytes to certificates and a key, whatever form they come in.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use p12_keystore::Pkcs12Archive;
use pkcs8::der::Decode as _;
use pkcs8::{EncryptedPrivateKeyInfoRef, SecretDocument};
use world::Secret;
use zeroize::Zeroizing;

use super::CertificateError;

/// What one text or file holds.
#[derive(Default)]
pub(super) struct Found {
    /// DER, in the order in which they stand there.
    pub(super) certificates: Vec<Vec<u8>>,
    /// Unencrypted DER: PKCS#8, PKCS#1 or SEC1.
    pub(super) key: Option<Zeroizing<Vec<u8>>>,
}

/// What a text or file is given as. A DER certificate and a DER key look alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    Certificates,
    Key,
}

/// Reads PEM, DER or PKCS#12, told apart by what they begin with. `place` names it in errors. A sealed key is opened with
/// `password` only where it is asked for: certificates are read whether or not the password is right.
pub(super) fn read(data: &[u8], slot: Slot, place: &str, password: Option<&Secret>) -> Result<Found, CertificateError> {
    if is_pkcs12(data) {
        return pkcs12(data, place, password);
    }
    if data.first() == Some(&0x30) {
        return match slot {
            Slot::Certificates => Ok(Found { certificates: vec![data.to_vec()], key: None }),
            Slot::Key => {
                let key = match EncryptedPrivateKeyInfoRef::from_der(data) {
                    Ok(sealed) => open(&sealed, place, password)?,
                    Err(_) => Zeroizing::new(data.to_vec()),
                };
                Ok(Found { certificates: Vec::new(), key: Some(key) })
            }
        };
    }
    pem(data, place, password)
}

/// PFX begins with its version, which is 3. A PKCS#8 key begins with 0 or 1.
fn is_pkcs12(data: &[u8]) -> bool {
    let Some((0x30, rest)) = data.split_first().map(|(first, rest)| (*first, rest)) else { return false };
    let body = match rest.first() {
        Some(short) if *short < 0x80 => &rest[1..],
        Some(long) => rest.get(1 + usize::from(long & 0x7f)..).unwrap_or_default(),
        None => return false,
    };
    body.starts_with(&[0x02, 0x01, 0x03])
}

fn pkcs12(data: &[u8], place: &str, password: Option<&Secret>) -> Result<Found, CertificateError> {
    let archive = Pkcs12Archive::from_pkcs12(data, password.map_or("", Secret::expose)).map_err(|_| {
        let reason = match password {
            None => "is PKCS#12 and does not open without a password",
            Some(_) => "is PKCS#12 and does not open: the password is wrong or the file damaged",
        };
        CertificateError::Sealed { place: place.to_owned(), reason }
    })?;
    let key = archive.keys.first().map(|bag| Zeroizing::new(bag.key.as_der().to_vec()));
    Ok(Found { certificates: archive.certs.iter().map(|bag| bag.cert.as_der().to_vec()).collect(), key })
}

/// Opens a key under PBES2: PBKDF2 or scrypt, AES or 3DES.
fn open(
    sealed: &EncryptedPrivateKeyInfoRef<'_>,
    place: &str,
    password: Option<&Secret>,
) -> Result<Zeroizing<Vec<u8>>, CertificateError> {
    let refuse = |reason| CertificateError::Sealed { place: place.to_owned(), reason };
    let password = password.ok_or_else(|| refuse("holds an encrypted private key, and no password is set"))?;
    let key: SecretDocument =
        sealed.decrypt(password.expose()).map_err(|_| refuse("holds a private key that the password does not open"))?;
    Ok(Zeroizing::new(key.as_bytes().to_vec()))
}

fn pem(data: &[u8], place: &str, password: Option<&Secret>) -> Result<Found, CertificateError> {
    let refuse = |reason: &str| CertificateError::Damaged { place: place.to_owned(), reason: reason.to_owned() };
    let text = std::str::from_utf8(data).map_err(|_| refuse("is neither PEM nor DER nor PKCS#12"))?;
    let mut found = Found::default();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("-----BEGIN ") {
        let (label, after) = after.split_once("-----").ok_or_else(|| refuse("has a -----BEGIN line without an end"))?;
        let end = format!("-----END {label}-----");
        let (body, after) =
            after.split_once(&*end).ok_or_else(|| refuse("has a section that does not end as it began"))?;
        rest = after;
        let is_key = label.ends_with("PRIVATE KEY");
        if !is_key && label != "CERTIFICATE" && label != "X509 CERTIFICATE" && label != "TRUSTED CERTIFICATE" {
            continue;
        }
        if body.contains("Proc-Type:") {
            return Err(CertificateError::Sealed {
                place: place.to_owned(),
                reason: "holds a key under OpenSSL's old encryption, which protects it badly: convert it with `openssl pkcs8 -topk8`",
            });
        }
        // Whatever has become of the line breaks on the way: forms and property files make spaces or `\n` of them.
        let mut packed: Zeroizing<String> = Zeroizing::new(body.replace("\\n", ""));
        packed.retain(|c| !c.is_whitespace());
        let der = STANDARD
            .decode(&*packed)
            .map(Zeroizing::new)
            .map_err(|_| refuse("has something between -----BEGIN and -----END that is not base64"))?;
        match label {
            // The first key counts, as it does for OpenSSL.
            _ if is_key && found.key.is_some() => {}
            "ENCRYPTED PRIVATE KEY" => {
                let sealed = EncryptedPrivateKeyInfoRef::from_der(&der)
                    .map_err(|_| refuse("has an encrypted key of a kind other than PBES2"))?;
                found.key = Some(open(&sealed, place, password)?);
            }
            _ if is_key => found.key = Some(der),
            _ => found.certificates.push(der.to_vec()),
        }
    }
    if found.key.is_none() && found.certificates.is_empty() {
        return Err(refuse("holds neither a certificate nor a private key"));
    }
    Ok(found)
}
