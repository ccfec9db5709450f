use std::time::Duration;

use identity::roles_anywhere::CertificateError;

/// What was learnt of the certificate that IAM Roles Anywhere is shown.
#[derive(Debug, Clone, Default)]
pub struct CertificateFacts {
    /// Why it is not used.
    pub error: Option<CertificateError>,
    /// Its subject.
    pub subject: String,
    /// Its serial number, in decimal.
    pub serial: String,
    /// Its common name.
    pub common_name: Option<String>,
    /// Who issued it.
    pub issuer: String,
    /// Who issued the last of what is sent with it: the trust anchor must hold that authority.
    pub last_issuer: String,
    /// How many intermediates are sent with it.
    pub intermediates: usize,
    /// Intermediates that are sent and do not lead from it to anywhere: their subjects.
    pub astray: Vec<String>,
    /// What is left of its life.
    pub left: Duration,
}
