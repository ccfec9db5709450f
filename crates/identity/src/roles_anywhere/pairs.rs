use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{Context, SHA256};
use fault::Chain;
use zeroize::Zeroizing;

use super::expiry::within;
use super::pair::Sources;
use super::{CertificateError, CertificateExpiry, ExpiryNotice, Pair, RolesAnywhere};

/// The largest file that is read: a certificate has 16 KiB at most, a store some of them.
const MAX_FILE: u64 = 1024 * 1024;

/// The certificates and keys in use, and what has become of their files since. Cloning shares them.
///
/// The files are read for every exchange, which comes once an hour: a rotation needs no restart, and no watcher that could
/// miss it. What is new takes the old pair's place only if it is whole, matches and is fit; until then the old one goes on,
/// as long as it is valid itself.
#[derive(Debug, Clone, Default)]
pub struct Pairs(Arc<Mutex<HashMap<RolesAnywhere, Kept>>>);

#[derive(Debug)]
struct Kept {
    /// Of the files' bytes, so that an unchanged pair is not opened again.
    digest: [u8; 32],
    pair: Arc<Pair>,
    /// The last notice given of its end.
    told: Option<Duration>,
}

impl Pairs {
    /// The pair to sign with at `now`: what the files hold, or what they held before if that is not fit to be used.
    pub async fn pair(&self, declared: &RolesAnywhere, now: SystemTime) -> Result<Arc<Pair>, CertificateError> {
        let owned = declared.clone();
        let known = self.known(declared);
        let known_digest = known.as_ref().map(|(digest, _)| *digest);
        // Off the runtime: files are read, and a password is stretched for as long as its maker thought right.
        let read = tokio::task::spawn_blocking(move || {
            let sources = sources(&owned)?;
            let digest = digest(&sources);
            if known_digest == Some(digest) {
                return Ok(None);
            }
            Pair::read(&sources).map(|pair| Some((digest, pair)))
        });
        let read = read
            .await
            .unwrap_or_else(|_| Err(CertificateError::Signing { place: place("certificate", &declared.certificate) }));
        let fresh = read.and_then(|read| match read {
            None => Ok(None),
            Some((digest, pair)) => pair.check(now).map(|()| Some((digest, Arc::new(pair)))),
        });
        let pair = match (fresh, known) {
            (Ok(Some((digest, pair))), old) => {
                if let Some((_, old)) = old {
                    let (old, new) = (old.certificate(), pair.certificate());
                    tracing::info!(
                        target = %declared, serial = new.serial(), before = old.serial(),
                        not_after = %super::certificate::Day(new.not_after()), "certificate rotated"
                    );
                }
                self.keep(declared, digest, &pair);
                pair
            }
            // The bytes are the same; time has gone on.
            (Ok(None), Some((_, old))) => {
                old.check(now)?;
                old
            }
            (Err(error), Some((_, old))) if old.check(now).is_ok() => {
                tracing::warn!(
                    target = %declared, error = %Chain(&error), serial = old.certificate().serial(),
                    "the certificate's files have changed and are not fit to be used; the pair from before goes on"
                );
                old
            }
            (Err(error), _) => return Err(error),
            (Ok(None), None) => unreachable!("without a pair from before nothing is unchanged"),
        };
        for notice in self.notices(now) {
            let CertificateExpiry { target, subject, serial, not_after } = &notice.expiry;
            let days = notice.within.as_secs() / 86_400;
            tracing::warn!(
                %target, %subject, %serial, not_after = %super::certificate::Day(*not_after), within_days = days,
                "certificate is near its end: have a new one issued and put it in place of the old"
            );
        }
        Ok(pair)
    }

    /// When each certificate in use ends.
    pub fn expiries(&self) -> Vec<CertificateExpiry> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut expiries: Vec<_> = kept.iter().map(|(declared, kept)| expiry(declared, &kept.pair)).collect();
        expiries.sort_by(|a, b| (a.not_after, &a.target).cmp(&(b.not_after, &b.target)));
        expiries
    }

    /// Certificates that have come nearer to their end than any notice has said so far: within 30, 7 or 1 days, or over.
    pub fn notices(&self, now: SystemTime) -> Vec<ExpiryNotice> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut notices = Vec::new();
        for (declared, kept) in kept.iter_mut() {
            let expiry = expiry(declared, &kept.pair);
            let Some(within) = within(expiry.left(now)) else { continue };
            if kept.told.is_none_or(|told| within < told) {
                kept.told = Some(within);
                notices.push(ExpiryNotice { expiry, within });
            }
        }
        notices
    }

    fn known(&self, declared: &RolesAnywhere) -> Option<([u8; 32], Arc<Pair>)> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(declared).map(|kept| (kept.digest, Arc::clone(&kept.pair)))
    }

    fn keep(&self, declared: &RolesAnywhere, digest: [u8; 32], pair: &Arc<Pair>) {
        let kept = Kept { digest, pair: Arc::clone(pair), told: None };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(declared.clone(), kept);
    }
}

fn expiry(declared: &RolesAnywhere, pair: &Pair) -> CertificateExpiry {
    let certificate = pair.certificate();
    CertificateExpiry {
        target: declared.to_string(),
        subject: certificate.subject().to_owned(),
        serial: certificate.serial().to_owned(),
        not_after: certificate.not_after(),
    }
}

fn sources(declared: &RolesAnywhere) -> Result<Sources, CertificateError> {
    let read = |what: &str, path: &Path| Ok((place(what, path), bytes(what, path)?));
    Ok(Sources {
        certificate: read("certificate", &declared.certificate)?,
        private_key: declared.private_key.as_deref().map(|path| read("private key", path)).transpose()?,
        intermediates: declared.intermediates.as_deref().map(|path| read("intermediates", path)).transpose()?,
        password: declared.passphrase.clone(),
    })
}

/// How messages call a file: `private key file /etc/worker.key`.
fn place(what: &str, path: &Path) -> String {
    format!("{what} file {}", path.display())
}

fn bytes(what: &str, path: &Path) -> Result<Zeroizing<Vec<u8>>, CertificateError> {
    use std::io::Read;

    let mut data = Zeroizing::new(Vec::new());
    let read = std::fs::File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut data));
    match read {
        Ok(length) if length as u64 > MAX_FILE => {
            Err(CertificateError::Damaged { place: place(what, path), reason: "has more than a MiB".to_owned() })
        }
        Ok(_) => Ok(data),
        Err(source) => Err(CertificateError::Unreadable { place: place(what, path), source: Arc::new(source) }),
    }
}

fn digest(sources: &Sources) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for (_, data) in
        [Some(&sources.certificate), sources.private_key.as_ref(), sources.intermediates.as_ref()].into_iter().flatten()
    {
        context.update(&(data.len() as u64).to_be_bytes());
        context.update(data);
    }
    context.finish().as_ref().try_into().expect("SHA-256 has 32 bytes")
}
