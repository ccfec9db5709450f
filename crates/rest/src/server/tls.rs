use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::{Duration, SystemTime};

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

/// Files of PEM that make a listener speak TLS. They are read again when they change, so that certificates are renewed
/// without a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and those between it and a root.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Who signs the certificates that clients must show; `None`: clients show none.
    pub client_ca: Option<PathBuf>,
}

/// Files of TLS that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{path} {what}", path = path.display())]
pub struct TlsError {
    path: PathBuf,
    what: &'static str,
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// What the files hold now.
#[derive(Debug, Clone)]
pub(super) struct Tls(Arc<Loaded>);

struct Loaded {
    files: TlsFiles,
    acceptor: RwLock<TlsAcceptor>,
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.files.fmt(f)
    }
}

impl Tls {
    pub(super) fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let acceptor = RwLock::new(read(&files)?);
        Ok(Self(Arc::new(Loaded { files, acceptor })))
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.0.acceptor.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Looks for changed files for ever. What cannot be used is said once, and what was there before goes on: half of a
    /// renewal is written at that moment, or a person will see the warning.
    pub(super) async fn keep_current(self, interval: Duration) {
        let mut seen = self.stamps().await;
        loop {
            tokio::time::sleep(interval).await;
            let now = self.stamps().await;
            if now == seen {
                continue;
            }
            seen = now;
            let files = self.0.files.clone();
            let loaded = tokio::task::spawn_blocking(move || read(&files)).await;
            match loaded {
                Ok(Ok(acceptor)) => {
                    *self.0.acceptor.write().unwrap_or_else(std::sync::PoisonError::into_inner) = acceptor;
                    tracing::info!(certificate = %self.0.files.certificate.display(), "read the changed TLS files");
                }
                Ok(Err(error)) => {
                    tracing::warn!(error = %fault::Chain(&error), "changed TLS files cannot be used; those before them go on");
                }
                Err(error) => tracing::warn!(%error, "could not read the changed TLS files"),
            }
        }
    }

    async fn stamps(&self) -> Vec<Option<(SystemTime, u64)>> {
        let files = &self.0.files;
        let mut stamps = Vec::with_capacity(3);
        for path in [Some(&files.certificate), Some(&files.key), files.client_ca.as_ref()].into_iter().flatten() {
            let seen = tokio::fs::metadata(path).await.ok();
            stamps.push(seen.and_then(|seen| Some((seen.modified().ok()?, seen.len()))));
        }
        stamps
    }
}

fn refuse<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
    path: &Path,
    what: &'static str,
) -> impl FnOnce(E) -> TlsError {
    let path = path.to_owned();
    move |source| TlsError { path, what, source: source.into() }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = read.map_err(refuse(path, "holds no PEM certificates that can be read"))?;
    if found.is_empty() {
        return Err(refuse(path, "cannot be used")("there is no certificate in it"));
    }
    Ok(found)
}

fn read(files: &TlsFiles) -> Result<TlsAcceptor, TlsError> {
    let chain = certificates(&files.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(refuse(&files.key, "holds no PEM private key that can be read"))?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(refuse(&files.certificate, "cannot be served"))?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for root in certificates(path)? {
                roots.add(root).map_err(refuse(path, "holds a certificate that cannot sign others"))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(refuse(path, "cannot be used to check clients"))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(refuse(&files.certificate, "and the key do not belong together, or cannot be used"))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
