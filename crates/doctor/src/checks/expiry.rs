use std::time::Duration;

use ::identity::Base;
use aws::{Provider, SignedWith};

use super::anywhere::step;
use crate::examination::{Examination, Watch};
use crate::{Check, Facts};

/// A certificate that ends within this is to be renewed now.
const SOON: Duration = Duration::from_hours(7 * 24);

/// What everything rests on, and whether somebody knows when it ends. What renews itself has no end here.
pub(crate) fn run(x: &mut Examination<'_>) {
    let Some(connection) = &x.target.connection else {
        x.skip(Check::EXPIRY, "there is no connection to go by");
        return;
    };
    if !x.wants(Check::EXPIRY) {
        return;
    }
    let watch = Watch::start();
    let base = &connection.base;
    let now = x.around.clients.clock().now();
    let ending =
        x.around.clients.certificates().expiries().into_iter().find(|certificate| certificate.left(now) < SOON);
    if let Some(certificate) = ending {
        let days = certificate.left(now).as_secs() / 86_400;
        let text = format!("{} ends in {days} days", certificate.target);
        x.put(watch.warning(Check::EXPIRY, text).past(step(certificate.left(now))));
        return;
    }
    let result = match x.facts.base_signed_with {
        None | Some(SignedWith::Nothing) => watch.passed(Check::EXPIRY, "nothing is signed, and nothing ends"),
        Some(SignedWith::Keys) => watch.passed(Check::EXPIRY, format!("{base}: keys that do not end by themselves")),
        Some(SignedWith::Token) => {
            let text =
                format!("{base}: a session's token that came without its end; it ends all the same, within hours");
            watch.warning(Check::EXPIRY, text)
        }
        Some(SignedWith::Session) => {
            let left = x.facts.base_expires_at.and_then(|end| end.duration_since(now).ok());
            let left = left.map_or_else(String::new, |left| format!(", {} s left", left.as_secs()));
            watch.passed(Check::EXPIRY, format!("{base}: a session that is renewed before it ends{left}"))
        }
    };
    x.put(result);
}

/// Whether the token is read again from where it is kept, as a profile's is.
pub(crate) fn is_read_again(base: &Base, facts: &Facts) -> bool {
    match base {
        Base::Profile(_) => true,
        Base::DefaultChain => facts.provider().is_some_and(|(provider, _)| provider == Provider::Profile),
        _ => false,
    }
}
