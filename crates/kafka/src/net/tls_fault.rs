use std::io;

use rustls::{AlertDescription, CertificateError, InvalidMessage};

use super::Error;

/// What came between our TLS and a broker's, as far as it can be told from this side.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsFault {
    /// The far side does not speak TLS, or hung up at our first message, which plain brokers do.
    NotTls,
    /// The broker's certificate does not lead to an authority that is trusted here.
    UnknownAuthority,
    /// The broker's certificate does not carry the name that was asked for.
    OtherName {
        /// The names that it carries, if they can be read: `DnsName("localhost")`.
        presented: Vec<String>,
    },
    /// The broker's certificate is over, by this machine's clock.
    Expired,
    /// The broker's certificate has not begun, by this machine's clock.
    NotYetValid,
    /// The broker's certificate was revoked.
    Revoked,
    /// The broker wants a certificate from us, and got none.
    CertificateWanted,
    /// The broker does not take the certificate that it got from us.
    CertificateRefused {
        /// The alert that it sent: `CertificateExpired`.
        alert: String,
    },
    /// No version or cipher suite in common.
    NothingInCommon,
    /// Something else; the error's source has it.
    Other,
}

impl Error {
    /// What came between our TLS and the broker's, if that is what failed.
    ///
    /// Under TLS 1.3 a broker judges our certificate when the handshake is over for us, so what it says comes with the end
    /// of the connection.
    pub fn tls_fault(&self) -> Option<TlsFault> {
        match self {
            Self::Tls { source, .. } => Some(tls_error(source).map_or_else(|| of_io(source), of_rustls)),
            Self::Disconnected { source: Some(source), .. } => tls_error(source).map(of_rustls),
            _ => None,
        }
    }
}

fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

fn of_io(error: &io::Error) -> TlsFault {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    match error.kind() {
        UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe => TlsFault::NotTls,
        _ => TlsFault::Other,
    }
}

fn of_rustls(error: &rustls::Error) -> TlsFault {
    use rustls::Error as E;
    match error {
        // What is no TLS record has another first byte or another version.
        E::InvalidMessage(
            InvalidMessage::InvalidContentType
            | InvalidMessage::UnknownProtocolVersion
            | InvalidMessage::MessageTooLarge
            | InvalidMessage::InvalidEmptyPayload,
        ) => TlsFault::NotTls,
        E::InvalidCertificate(error) => of_certificate(error),
        E::PeerIncompatible(_)
        | E::AlertReceived(AlertDescription::ProtocolVersion | AlertDescription::InsufficientSecurity) => {
            TlsFault::NothingInCommon
        }
        E::AlertReceived(AlertDescription::CertificateRequired) => TlsFault::CertificateWanted,
        E::AlertReceived(
            alert @ (AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied),
        ) => TlsFault::CertificateRefused { alert: format!("{alert:?}") },
        _ => TlsFault::Other,
    }
}

fn of_certificate(error: &CertificateError) -> TlsFault {
    use CertificateError as C;
    match error {
        C::Expired | C::ExpiredContext { .. } => TlsFault::Expired,
        C::NotValidYet | C::NotValidYetContext { .. } => TlsFault::NotYetValid,
        C::NotValidForName => TlsFault::OtherName { presented: Vec::new() },
        C::NotValidForNameContext { presented, .. } => TlsFault::OtherName { presented: presented.clone() },
        // One that signed itself with a key that is not trusted has a signature that no trusted authority made.
        C::UnknownIssuer | C::BadSignature => TlsFault::UnknownAuthority,
        C::Revoked => TlsFault::Revoked,
        _ => TlsFault::Other,
    }
}
