use std::time::Duration;

use ::identity::Base;
use ::identity::roles_anywhere::{Certificate, Pair, RolesAnywhere};
use fault::Diagnose as _;

use crate::examination::{Examination, Watch};
use crate::{CertificateFacts, Check};

/// How long before its end a certificate is warned of: time to have a new one issued.
const AHEAD: Duration = Duration::from_hours(30 * 24);

/// The steps in which its end is warned of, the last first.
const STEPS: [(Duration, &str); 3] =
    [(Duration::from_hours(24), "1 day"), (Duration::from_hours(7 * 24), "7 days"), (AHEAD, "30 days")];

/// The last step that who has so much left is past.
pub(crate) fn step(left: Duration) -> Option<&'static str> {
    STEPS.iter().find(|(from, _)| left <= *from).map(|(_, name)| *name)
}

/// The certificate, by everything that AWS would refuse it for; nobody is asked.
pub(crate) async fn run(x: &mut Examination<'_>) {
    let base = x.target.connection.as_ref().map(|connection| connection.base.clone());
    let Some(Base::RolesAnywhere(declared)) = base else {
        if x.target.connection.is_some() {
            x.skip(Check::CERTIFICATE, "the connection shows no certificate");
        }
        return;
    };
    if !x.wants(Check::CERTIFICATE) {
        return;
    }
    let watch = Watch::start();
    let now = x.around.clients.clock().now();
    let result = match x.around.clients.certificates().pair(&declared, now).await {
        Ok(pair) => {
            let facts = of_pair(&pair, now);
            let days = facts.left.as_secs() / 86_400;
            let text = format!("certificate {} (serial {}) is good for {days} days", facts.subject, facts.serial);
            let result = if facts.left <= AHEAD {
                watch.warning(Check::CERTIFICATE, text).past(step(facts.left))
            } else {
                watch.passed(Check::CERTIFICATE, text)
            };
            x.facts.certificate = Some(facts);
            result
        }
        Err(error) => {
            let result = watch.failed(Check::CERTIFICATE, fault::Chain(&error).to_string());
            let result = result.code(Some(error.code().to_owned()));
            x.facts.certificate = Some(CertificateFacts { error: Some(error), ..CertificateFacts::default() });
            result
        }
    };
    x.put(result.identity(Some(subject(x, &declared))));
}

fn subject(x: &Examination<'_>, declared: &RolesAnywhere) -> String {
    let known = x.facts.certificate.as_ref().map(|facts| facts.subject.clone()).filter(|subject| !subject.is_empty());
    known.unwrap_or_else(|| declared.certificate.display().to_string())
}

fn of_pair(pair: &Pair, now: std::time::SystemTime) -> CertificateFacts {
    let certificate = pair.certificate();
    // From the certificate upwards, as far as what is sent leads. By names: whether the signatures hold, AWS says.
    let mut left: Vec<&Certificate> = pair.chain().iter().collect();
    let mut last = certificate;
    while let Some(at) = left.iter().position(|above| above.subject() == last.issuer()) {
        last = left.remove(at);
    }
    CertificateFacts {
        error: None,
        subject: certificate.subject().to_owned(),
        serial: certificate.serial().to_owned(),
        common_name: certificate.common_name().map(str::to_owned),
        issuer: certificate.issuer().to_owned(),
        last_issuer: last.issuer().to_owned(),
        intermediates: pair.chain().len(),
        astray: left.into_iter().map(|one| one.subject().to_owned()).collect(),
        left: certificate.not_after().duration_since(now).unwrap_or_default(),
    }
}
