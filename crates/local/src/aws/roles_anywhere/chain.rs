use std::time::{SystemTime, UNIX_EPOCH};

use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate};

use super::registry::TrustAnchor;
use super::x509;

/// The most intermediates that a request may bring.
pub(super) const MAX_INTERMEDIATES: usize = 5;

/// Why a certificate is not trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Untrusted {
    /// No way leads from it to the anchor.
    NoPath,
    /// It, or an authority above it, has been revoked.
    Revoked,
}

/// Looks for a way from `leaf` over `intermediates`, in whatever order they come, to one of the anchor's authorities. Names,
/// signatures, dates and the right to issue are checked at each step (RFC 5280, 6.1).
pub(super) fn verify(
    leaf: &X509Certificate<'_>,
    intermediates: &[X509Certificate<'_>],
    anchor: &TrustAnchor,
    now: SystemTime,
) -> Result<(), Untrusted> {
    let authorities: Vec<X509Certificate<'_>> = anchor.authorities.iter().filter_map(|der| x509::read(der)).collect();
    let search = Search { intermediates, authorities: &authorities, anchor, now };
    search.above(leaf, 0)
}

struct Search<'a, 'c> {
    intermediates: &'a [X509Certificate<'c>],
    authorities: &'a [X509Certificate<'c>],
    anchor: &'a TrustAnchor,
    now: SystemTime,
}

impl Search<'_, '_> {
    /// Goes up from `certificate`, which has `below` intermediates below it, itself included.
    fn above(&self, certificate: &X509Certificate<'_>, below: u32) -> Result<(), Untrusted> {
        if !is_current(certificate, self.now) {
            return Err(Untrusted::NoPath);
        }
        let issues = |issuer: &&X509Certificate<'_>| {
            issuer.subject().as_raw() == certificate.issuer().as_raw()
                && x509::may_issue(issuer, below)
                && x509::has_signed(issuer, certificate)
        };
        let mut best = Err(Untrusted::NoPath);
        for authority in self.authorities.iter().filter(issues).filter(|authority| is_current(authority, self.now)) {
            if self.is_revoked(certificate, authority) {
                best = Err(Untrusted::Revoked);
            } else {
                return Ok(());
            }
        }
        // Each step takes one more, so that a circle of intermediates ends too.
        if usize::try_from(below).unwrap_or(usize::MAX) < MAX_INTERMEDIATES {
            for intermediate in self.intermediates.iter().filter(issues) {
                let revoked = self.is_revoked(certificate, intermediate);
                match self.above(intermediate, below + 1) {
                    Ok(()) if !revoked => return Ok(()),
                    Ok(()) | Err(Untrusted::Revoked) => best = Err(Untrusted::Revoked),
                    Err(Untrusted::NoPath) => {}
                }
            }
        }
        best
    }

    /// Whether `issuer` has taken `certificate` back. Lists that somebody else signed do not count.
    fn is_revoked(&self, certificate: &X509Certificate<'_>, issuer: &X509Certificate<'_>) -> bool {
        self.anchor.revocations.iter().any(|der| {
            let Ok((_, list)) = CertificateRevocationList::from_der(der) else { return false };
            let theirs = list.issuer().as_raw() == issuer.subject().as_raw()
                && x509::signed(
                    issuer.public_key(),
                    &list.signature_algorithm.algorithm,
                    list.tbs_cert_list.as_ref(),
                    &list.signature_value.data,
                );
            theirs
                && list
                    .iter_revoked_certificates()
                    .any(|revoked| *revoked.serial() == certificate.tbs_certificate.serial)
        })
    }
}

fn is_current(certificate: &X509Certificate<'_>, now: SystemTime) -> bool {
    let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let now = i64::try_from(seconds).unwrap_or(i64::MAX);
    let validity = certificate.validity();
    (validity.not_before.timestamp()..=validity.not_after.timestamp()).contains(&now)
}
