use std::fmt;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme, SupportedProtocolVersion,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

/// What a TLS client is made of.
#[derive(Debug)]
pub(crate) struct Material {
    /// The authorities trusted; the platform's if `None`.
    pub(crate) authorities: Option<Vec<CertificateDer<'static>>>,
    /// Our own certificate chain and key, for brokers that ask for one.
    pub(crate) identity: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    /// Whether the broker's certificate must carry the name that we connect to.
    pub(crate) verify_name: bool,
    /// The versions offered.
    pub(crate) versions: Vec<&'static SupportedProtocolVersion>,
    /// The cipher suites offered, by IANA's names; all that rustls has if empty.
    pub(crate) suites: Vec<String>,
}

/// Why there can be no TLS client. Each variant is a clause about the property in question.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MaterialError {
    #[error("the platform's trusted certificates cannot be read: {0}")]
    NoPlatformRoots(String),
    #[error("has a certificate that cannot be used as an authority: {0}")]
    Authority(rustls::Error),
    #[error("has a certificate or key that cannot be used: {0}")]
    Identity(rustls::Error),
    #[error("leaves no cipher suite that is supported")]
    NoSuite,
    #[error("cannot be set up: {0}")]
    Other(rustls::Error),
}

/// A TLS client of this material.
pub(crate) fn client(material: Material) -> Result<Arc<ClientConfig>, MaterialError> {
    let mut provider = aws_lc_rs::default_provider();
    if !material.suites.is_empty() {
        provider.cipher_suites.retain(|suite| {
            // rustls says TLS13_AES_128_GCM_SHA256 where IANA and Java say TLS_AES_128_GCM_SHA256.
            let name = format!("{:?}", suite.suite()).replace("TLS13_", "TLS_");
            material.suites.contains(&name)
        });
        if provider.cipher_suites.is_empty() {
            return Err(MaterialError::NoSuite);
        }
    }
    let provider = Arc::new(provider);
    let roots = Arc::new(match material.authorities {
        Some(authorities) => {
            let mut roots = RootCertStore::empty();
            for authority in authorities {
                roots.add(authority).map_err(MaterialError::Authority)?;
            }
            roots
        }
        None => platform_roots()?,
    });
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&material.versions)
        .map_err(MaterialError::Other)?;
    let builder = if material.verify_name {
        builder.with_root_certificates(roots)
    } else {
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider)
            .build()
            .map_err(|error| MaterialError::Other(rustls::Error::General(error.to_string())))?;
        builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyName(verifier)))
    };
    let config = match material.identity {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).map_err(MaterialError::Identity)?,
    };
    Ok(Arc::new(config))
}

fn platform_roots() -> Result<RootCertStore, MaterialError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // A platform's store has certificates that webpki refuses for their age; the others are what counts.
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let reasons: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
        let reasons = if reasons.is_empty() { "there are none".to_owned() } else { reasons.join("; ") };
        return Err(MaterialError::NoPlatformRoots(reasons));
    }
    Ok(roots)
}

/// Checks everything about a broker's certificate but the name: `ssl.endpoint.identification.algorithm=` (empty), for
/// brokers that are reached by a name that their certificates do not carry.
struct AnyName(Arc<WebPkiServerVerifier>);

impl fmt::Debug for AnyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyName")
    }
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.0.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // The name is looked at last, when the chain has been found good.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            result => result,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
