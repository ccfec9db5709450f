//! What opens the secrets in the store.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rand::RngExt as _;
use sha2::{Digest as _, Sha256};
use world::Secret;

use crate::Error;

/// A key of AES-256-GCM, in a file of its own beside the store, so that a copy of the store alone has no secret in it.
#[derive(Clone)]
pub(crate) struct Vault(Arc<Inner>);

struct Inner {
    key: RandomizedNonceKey,
    print: String,
}

const BYTES: usize = 32;

impl Vault {
    /// Reads the key of the data directory, or makes one where none may be missing: `is_new` says that the store holds
    /// nothing yet.
    pub(crate) fn open(dir: &Path, is_new: bool) -> Result<Self, Error> {
        let path = dir.join("tidegate.key");
        let file = |source: std::io::Error| Error::File { path: path.clone(), source: Arc::new(source) };
        let refused = |reason| Error::Key { path: path.clone(), reason };
        let mut bytes = zeroize_on_drop();
        match OpenOptions::new().read(true).open(&path) {
            Ok(mut found) => {
                let mode = found.metadata().map_err(file)?.permissions().mode() & 0o777;
                if mode & 0o077 != 0 {
                    return Err(refused("other users of this machine may read it (chmod 600 it)"));
                }
                let mut rest = [0; 1];
                if found.read_exact(&mut bytes[..]).is_err() || found.read(&mut rest).map_err(file)? != 0 {
                    return Err(refused("it does not have 32 bytes"));
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound && is_new => {
                rand::rng().fill(&mut bytes[..]);
                write(&path, &bytes[..]).map_err(file)?;
            }
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(refused("it is not there")),
            Err(error) => return Err(file(error)),
        }
        Self::of(&bytes[..]).ok_or_else(|| refused("it is no key"))
    }

    fn of(bytes: &[u8]) -> Option<Self> {
        let key = RandomizedNonceKey::new(&AES_256_GCM, bytes).ok()?;
        // Of the key and a word, so that it is good for nothing but being compared.
        let print = hex(&Sha256::new().chain_update(b"tidegate.key print").chain_update(bytes).finalize());
        Some(Self(Arc::new(Inner { key, print })))
    }

    /// What tells this key from others, and nothing about it.
    pub(crate) fn print(&self) -> &str {
        &self.0.print
    }

    /// Seals a secret. It can be opened at this place alone: moved to another row, it is worth nothing.
    pub(crate) fn seal(&self, place: &str, secret: &str) -> String {
        let mut text = secret.as_bytes().to_vec();
        let sealed = self.0.key.seal_in_place_append_tag(Aad::from(place.as_bytes()), &mut text);
        let nonce = sealed.expect("a secret is far shorter than 64 GiB");
        let mut all = nonce.as_ref().to_vec();
        all.append(&mut text);
        BASE64_STANDARD.encode(all)
    }

    /// Opens what was sealed at this place; `None` if it was not, or was changed since.
    pub(crate) fn unseal(&self, place: &str, sealed: &str) -> Option<Secret> {
        let mut all = BASE64_STANDARD.decode(sealed).ok()?;
        let text = all.split_off(all.len().min(NONCE_LEN));
        let nonce = Nonce::try_assume_unique_for_key(&all).ok()?;
        let mut text = zeroize_vec(text);
        let opened = self.0.key.open_in_place(nonce, Aad::from(place.as_bytes()), &mut text[..]).ok()?;
        std::str::from_utf8(opened).ok().map(Secret::new)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault")
    }
}

fn zeroize_on_drop() -> zeroize::Zeroizing<[u8; BYTES]> {
    zeroize::Zeroizing::new([0; BYTES])
}

fn zeroize_vec(bytes: Vec<u8>) -> zeroize::Zeroizing<Vec<u8>> {
    zeroize::Zeroizing::new(bytes)
}

/// Whole or not at all, and on the disk before anything is sealed with it.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let part = path.with_extension("key.part");
    std::fs::remove_file(&part)
        .or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&part, path)?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(dir)?.sync_all()
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String does not fail");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_only_with_its_key_at_its_place_and_unchanged() {
        let vault = Vault::of(&[7; 32]).unwrap();
        let sealed = vault.seal("connector/lcc-1/password", "hunter2");
        assert_eq!(vault.unseal("connector/lcc-1/password", &sealed).unwrap().expose(), "hunter2");
        assert_ne!(sealed, vault.seal("connector/lcc-1/password", "hunter2"), "a nonce is never used twice");
        assert!(vault.unseal("connector/lcc-2/password", &sealed).is_none());
        assert!(Vault::of(&[8; 32]).unwrap().unseal("connector/lcc-1/password", &sealed).is_none());
        for broken in ["", "AAAA", "!", &sealed[..sealed.len() - 4]] {
            assert!(vault.unseal("connector/lcc-1/password", broken).is_none(), "{broken}");
        }
    }

    #[test]
    fn a_key_is_made_once_for_this_user_alone_and_never_in_place_of_a_lost_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tidegate.key");
        assert!(matches!(Vault::open(dir.path(), false), Err(Error::Key { .. })));
        let made = Vault::open(dir.path(), true).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Vault::open(dir.path(), false).unwrap().print(), made.print());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Vault::open(dir.path(), false), Err(Error::Key { .. })));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, [0; 33]).unwrap();
        assert!(matches!(Vault::open(dir.path(), false), Err(Error::Key { .. })));
    }
}
