//! Java's own keystore format, JKS, as `sun.security.provider.JavaKeyStore` writes it.

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use zeroize::Zeroizing;

/// What a JKS file begins with.
pub(super) const MAGIC: [u8; 4] = [0xfe, 0xed, 0xfe, 0xed];

/// What stands in a keystore, passwords applied.
#[derive(Default)]
pub(super) struct Contents {
    /// Certificates that stand alone: authorities to trust.
    pub(super) trusted: Vec<Vec<u8>>,
    /// The first private key.
    pub(super) identity: Option<KeyEntry>,
}

/// A private key (PKCS#8) and the certificates for it, its own first.
pub(super) struct KeyEntry {
    pub(super) key: Zeroizing<Vec<u8>>,
    pub(super) chain: Vec<Vec<u8>>,
}

const CUT_SHORT: &str = "ends in the middle of an entry";

/// Reads a keystore. `key_password` opens the private key, `password` proves that the file is whole. Without a password
/// the file is read unproved, as Java does.
pub(super) fn read(data: &[u8], password: Option<&str>, key_password: Option<&str>) -> Result<Contents, &'static str> {
    let body_length = data.len().checked_sub(20).ok_or(CUT_SHORT)?;
    let (body, digest) = data.split_at(body_length);
    if let Some(password) = password {
        let proof = sha1(&[&utf16(password), b"Mighty Aphrodite", body]);
        if proof != digest {
            return Err("cannot be opened: the password is wrong or the file damaged");
        }
    }
    let mut rest = body;
    let mut contents = Contents::default();
    read_all(&mut rest, &mut contents, key_password).ok_or(CUT_SHORT)??;
    Ok(contents)
}

/// `None` for a file that ends early.
fn read_all(rest: &mut &[u8], contents: &mut Contents, key_password: Option<&str>) -> Option<Result<(), &'static str>> {
    take(rest, 4)?;
    let version = number(rest)?;
    if version != 1 && version != 2 {
        return Some(Err("has an unknown version"));
    }
    let entries = number(rest)?;
    for _ in 0..entries {
        let kind = number(rest)?;
        short_text(rest)?; // alias
        take(rest, 8)?; // time of creation
        match kind {
            1 => {
                let length = number(rest)? as usize;
                let protected = take(rest, length)?;
                let count = number(rest)?;
                let mut chain = Vec::new();
                for _ in 0..count {
                    chain.push(certificate(rest, version)?);
                }
                if contents.identity.is_none() {
                    let Some(key_password) = key_password else {
                        return Some(Err("holds a private key, and there is no password for it"));
                    };
                    match unprotect(protected, key_password) {
                        Some(key) => contents.identity = Some(KeyEntry { key, chain }),
                        None => return Some(Err("holds a private key that the password does not open")),
                    }
                }
            }
            2 => contents.trusted.push(certificate(rest, version)?),
            _ => return Some(Err("has an entry that is neither a key nor a certificate")),
        }
    }
    Some(Ok(()))
}

fn certificate(rest: &mut &[u8], version: u32) -> Option<Vec<u8>> {
    if version == 2 {
        short_text(rest)?; // "X.509"
    }
    let length = number(rest)? as usize;
    take(rest, length).map(<[u8]>::to_vec)
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

fn number(rest: &mut &[u8]) -> Option<u32> {
    take(rest, 4)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

fn short_text<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take(rest, 2)?.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))?;
    take(rest, usize::from(length))
}

fn utf16(password: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(password.encode_utf16().flat_map(u16::to_be_bytes).collect())
}

// SHA-1 because the format says so; nothing here relies on it being strong but the file's owner's password.
fn sha1(parts: &[&[u8]]) -> [u8; 20] {
    let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    for part in parts {
        context.update(part);
    }
    context.finish().as_ref().try_into().expect("SHA-1 has 20 bytes")
}

/// Opens a private key: a salt, the key XORed with a stream of chained hashes, and a hash of the key as proof
/// (`sun.security.provider.KeyProtector`).
fn unprotect(protected: &[u8], password: &str) -> Option<Zeroizing<Vec<u8>>> {
    // EncryptedPrivateKeyInfo ::= SEQUENCE { SEQUENCE { OID, NULL }, OCTET STRING }
    let outer = der_value(&mut &*protected, 0x30)?;
    let mut rest = outer;
    der_value(&mut rest, 0x30)?;
    let data = der_value(&mut rest, 0x04)?;
    let (salt, data) = data.split_at_checked(20)?;
    let (sealed, proof) = data.split_at_checked(data.len().checked_sub(20)?)?;
    let password = utf16(password);
    let mut key = Zeroizing::new(sealed.to_vec());
    let mut block: [u8; 20] = salt.try_into().ok()?;
    for piece in key.chunks_mut(20) {
        block = sha1(&[&password, &block]);
        for (byte, mask) in piece.iter_mut().zip(block) {
            *byte ^= mask;
        }
    }
    (sha1(&[&password, &key]) == proof).then_some(key)
}

fn der_value<'a>(rest: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    if take(rest, 1)? != [tag] {
        return None;
    }
    let first = take(rest, 1)?[0];
    let length = if first < 0x80 {
        usize::from(first)
    } else {
        // Keys are far below 2^32 bytes.
        let bytes = take(rest, usize::from(first & 0x7f).min(5))?;
        bytes.iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte))
    };
    take(rest, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_ends_early_or_is_altered_is_refused() {
        assert!(read(&[], None, None).is_err());
        assert!(read(&[0xfe; 30], None, None).is_err());
        let mut file = [&MAGIC[..], &2_u32.to_be_bytes(), &0_u32.to_be_bytes()].concat();
        let proof = sha1(&[&utf16("changeit"), b"Mighty Aphrodite", &file]);
        file.extend(proof);
        assert!(read(&file, Some("changeit"), None).is_ok());
        assert!(read(&file, Some("other"), None).is_err());
        file[9] = 7;
        assert!(read(&file, Some("changeit"), None).is_err());
        assert!(read(&file, None, None).is_err(), "seven entries are claimed and none is there");
    }
}
