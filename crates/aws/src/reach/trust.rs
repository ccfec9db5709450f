use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::reach::CertificateSeen;

/// Why a certificate is not trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Distrust {
    /// None of the authorities that this machine trusts has issued it.
    UnknownIssuer,
    /// It has ended.
    Expired,
    /// It has not begun.
    NotYetValid,
    /// It is for other names.
    OtherName,
    /// This machine trusts no authority at all.
    NoAuthorities,
    /// Something else.
    Other(String),
}

/// Checks a chain as the SDK's clients do, and keeps what it has seen whatever comes of it.
#[derive(Debug)]
pub(super) struct Recorder {
    checks: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
    seen: Mutex<(Vec<CertificateSeen>, Option<Distrust>)>,
}

/// The longest chain that is kept.
const LONGEST: usize = 8;

impl Recorder {
    /// One that trusts what this machine trusts. Reads files.
    pub(super) fn new() -> Arc<Self> {
        let mut roots = RootCertStore::empty();
        // Some of a platform's store webpki refuses for their age; the others are what counts.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let provider = Arc::new(aws_lc_rs::default_provider());
        let checks = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().ok();
        Arc::new(Self { checks, provider, seen: Mutex::default() })
    }

    /// A TLS client that goes by it.
    pub(super) fn client(self: &Arc<Self>) -> Result<Arc<ClientConfig>, rustls::Error> {
        let builder =
            ClientConfig::builder_with_provider(Arc::clone(&self.provider)).with_safe_default_protocol_versions()?;
        let verifier = Arc::clone(self) as Arc<dyn ServerCertVerifier>;
        let mut config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// The chain, the server's own certificate first, and why it is not trusted.
    pub(super) fn seen(&self) -> (Vec<CertificateSeen>, Option<Distrust>) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn check(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match &self.checks {
            Some(checks) => checks.verify_server_cert(end_entity, intermediates, name, ocsp, now),
            None => Err(rustls::Error::General("no authority is trusted".to_owned())),
        }
    }
}

impl Distrust {
    fn of(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(error) => match error {
                CertificateError::UnknownIssuer => Self::UnknownIssuer,
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::NotYetValid,
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Self::OtherName,
                other => Self::Other(other.to_string()),
            },
            rustls::Error::General(_) => Self::NoAuthorities,
            other => Self::Other(other.to_string()),
        }
    }
}

impl std::fmt::Display for Distrust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::UnknownIssuer => f.write_str("no authority that this machine trusts has issued it"),
            Self::Expired => f.write_str("it has ended"),
            Self::NotYetValid => f.write_str("it has not begun"),
            Self::OtherName => f.write_str("it is for other names"),
            Self::NoAuthorities => f.write_str("this machine trusts no authority at all"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let result = self.check(end_entity, intermediates, server_name, ocsp_response, now);
        let chain = std::iter::once(end_entity).chain(intermediates).take(LONGEST);
        let chain = chain.filter_map(|der| CertificateSeen::read(der)).collect();
        let distrust = result.as_ref().err().map(Distrust::of);
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = (chain, distrust);
        result
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
