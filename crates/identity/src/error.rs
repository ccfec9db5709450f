use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use fault::{Blame, Code, Diagnose, Retry};

use crate::Flaw;
use crate::roles_anywhere::{self, CertificateError};

/// Why there is no session. Cloning is cheap: one exchange's failure is told to everyone who waited for it.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// AWS would refuse the request as it is written; it was not sent.
    #[error("{}", Listed(.0))]
    Flawed(Arc<[Flaw]>),
    /// AWS answered and said no.
    #[error("{0}")]
    Refused(Arc<Refusal>),
    /// No answer came: name not found, connection refused or broken, or it took too long.
    #[error("no answer to {operation} for {target} from {endpoint}")]
    Unreachable {
        /// `sts:AssumeRole`.
        operation: &'static str,
        /// What was asked for.
        target: String,
        /// Who was asked.
        endpoint: String,
        /// What happened.
        #[source]
        source: Arc<dyn StdError + Send + Sync>,
    },
    /// An exchange did not end in time.
    #[error("the exchange for {target} did not end within {} s", after.as_secs())]
    TimedOut {
        /// What was asked for.
        target: String,
        /// How long it was given.
        after: Duration,
    },
    /// A base has nothing to give.
    #[error("{base} has no credentials; tried: {tried}")]
    NoCredentials {
        /// Which base.
        base: String,
        /// What was looked at, and why it was not that.
        tried: String,
    },
    /// A base did not give what it should have, and it is known why.
    #[error("{base}: {problem}")]
    Base {
        /// Which base.
        base: String,
        /// What happened, with the cause.
        problem: String,
        /// What to do about it.
        hint: String,
        /// Whether it may mend itself: a place that does not answer now.
        passing: bool,
    },
    /// Keys that never end, where none are to be used.
    #[error("{base} gives keys that never end, which are switched off here")]
    StaticKeys {
        /// Which base.
        base: String,
    },
    /// AWS answered with a session that is over, or nearly.
    #[error("the session for {target} came with {} s of life, less than the {} s that are kept free", left.as_secs(), floor.as_secs())]
    TooShort {
        /// What was asked for.
        target: String,
        /// What it came with.
        left: Duration,
        /// What it must have.
        floor: Duration,
    },
    /// AWS gave sessions, and took none of them.
    #[error("the last sessions for {target} were not accepted, one after the other")]
    NeverAccepted {
        /// What was asked for.
        target: String,
    },
    /// An answer that lacks what every answer has.
    #[error("the answer to {operation} for {target} lacks {missing}")]
    Malformed {
        /// `sts:AssumeRole`.
        operation: &'static str,
        /// What was asked for.
        target: String,
        /// Which part.
        missing: &'static str,
    },
    /// A certificate and its key are not used; nothing was sent.
    #[error(transparent)]
    Certificate(CertificateError),
    /// The exchange's task ended without a result: it panicked, or the runtime is shutting down.
    #[error("the exchange for {target} was abandoned")]
    Abandoned {
        /// What was asked for.
        target: String,
    },
}

/// AWS's no: what was tried, as whom, and what came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// `sts:AssumeRole`.
    pub operation: &'static str,
    /// What was asked for: `role arn:aws:iam::111111111111:role/orders`.
    pub target: String,
    /// Who asked: an ARN, or an access key id where the ARN could not be learnt.
    pub as_whom: String,
    /// Who was asked: a host or URL.
    pub endpoint: String,
    /// HTTP status.
    pub status: u16,
    /// AWS's code: `AccessDenied`.
    pub code: String,
    /// AWS's text.
    pub message: String,
    /// What AWS support, and the account's logs, know the request by.
    pub request_id: Option<String>,
    /// Whether an external ID was sent. Not which: it may be meant to be known to few.
    pub with_external_id: bool,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} for {} as {} was refused by {} with {} ({}): {}",
            self.operation, self.target, self.as_whom, self.endpoint, self.code, self.status, self.message
        )?;
        if let Some(id) = &self.request_id {
            write!(f, " (request {id})")?;
        }
        Ok(())
    }
}

/// What kind of no it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Not allowed, or no such role: AWS does not tell the two apart.
    Denied,
    /// The session that signed is over or unknown: a fresh one may do.
    Signer,
    /// The signature's hour is wrong.
    Clock,
    /// Too many requests.
    Throttled,
    /// AWS is unwell.
    Unwell,
    /// STS is switched off in this region for the account.
    RegionOff,
    /// The request itself is wrong.
    Request,
}

impl Refusal {
    /// The permission that a role's session needs beside `sts:AssumeRole`, where that is what AWS did not find.
    fn also_needs(&self) -> Option<&'static str> {
        let needs = |action: &&str| self.message.contains(&format!("to perform: {action}"));
        ["sts:SetSourceIdentity", "sts:TagSession"].into_iter().find(needs)
    }

    /// Whether AWS complains about the hour of the signature.
    pub fn blames_clock(&self) -> bool {
        self.kind() == Kind::Clock
    }

    pub(crate) fn kind(&self) -> Kind {
        match self.code.as_str() {
            "ExpiredToken" | "ExpiredTokenException" | "InvalidClientTokenId" | "UnrecognizedClientException" => {
                Kind::Signer
            }
            "RequestExpired" | "RequestTimeTooSkewed" => Kind::Clock,
            "SignatureDoesNotMatch" if self.message.starts_with("Signature expired") => Kind::Clock,
            "SignatureDoesNotMatch" if self.message.starts_with("Signature not yet current") => Kind::Clock,
            "Throttling" | "ThrottlingException" | "RequestLimitExceeded" | "TooManyRequestsException" => {
                Kind::Throttled
            }
            "IDPCommunicationError" => Kind::Unwell,
            "RegionDisabledException" => Kind::RegionOff,
            "AccessDenied" | "AccessDeniedException" => Kind::Denied,
            _ if self.status >= 500 || self.status == 429 => Kind::Unwell,
            _ => Kind::Request,
        }
    }
}

/// Which limit a session's length has met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DurationLimit {
    /// The hour of a role that is taken on by a role.
    Chained,
    /// The role's own maximum.
    Role,
}

impl Error {
    /// Which limit the asked length has met, if the exchange was refused for that. By AWS's very words, because the code,
    /// `ValidationError`, stands for everything that can be wrong with a request.
    pub(crate) fn duration_limit(&self) -> Option<DurationLimit> {
        const EXCEEDS: &str = "The requested DurationSeconds exceeds the ";
        let Self::Refused(refusal) = self else { return None };
        let limit = refusal.message.strip_prefix(EXCEEDS).filter(|_| refusal.code == "ValidationError")?;
        match limit {
            _ if limit.starts_with("1 hour session limit for roles assumed by role chaining") => {
                Some(DurationLimit::Chained)
            }
            _ if limit.starts_with("MaxSessionDuration set for this role") => Some(DurationLimit::Role),
            _ => None,
        }
    }

    /// Whether the session that signed the exchange is what AWS did not accept.
    pub fn blames_signer(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.kind() == Kind::Signer)
    }
}

impl Diagnose for Error {
    fn code(&self) -> Code {
        match self {
            Self::Flawed(_) => "identity.flawed-request",
            Self::Refused(refusal) => match refusal.kind() {
                Kind::Denied => "identity.access-denied",
                Kind::Signer => "identity.signer-not-accepted",
                Kind::Clock => "identity.clock-skewed",
                Kind::Throttled => "identity.throttled",
                Kind::Unwell => "identity.service-unavailable",
                Kind::RegionOff => "identity.region-disabled",
                Kind::Request => "identity.request-refused",
            },
            Self::Unreachable { .. } => "identity.unreachable",
            Self::TimedOut { .. } => "identity.timed-out",
            Self::NoCredentials { .. } => "identity.no-credentials",
            Self::Base { .. } => "identity.base-failed",
            Self::StaticKeys { .. } => "identity.static-keys",
            Self::TooShort { .. } => "identity.session-too-short",
            Self::NeverAccepted { .. } => "identity.never-accepted",
            Self::Malformed { .. } => "identity.malformed-answer",
            Self::Certificate(error) => error.code(),
            Self::Abandoned { .. } => "identity.abandoned",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Flawed(_)
            | Self::NoCredentials { .. }
            | Self::Base { .. }
            | Self::StaticKeys { .. }
            | Self::NeverAccepted { .. } => Blame::Operator,
            Self::Refused(refusal) => match refusal.kind() {
                Kind::Denied | Kind::Signer | Kind::Clock | Kind::RegionOff | Kind::Request => Blame::Operator,
                Kind::Throttled | Kind::Unwell => Blame::Remote,
            },
            Self::Unreachable { .. } | Self::TimedOut { .. } | Self::TooShort { .. } | Self::Malformed { .. } => {
                Blame::Remote
            }
            Self::Certificate(error) => error.blame(),
            Self::Abandoned { .. } => Blame::Bug,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            // A panic is to be seen, not tried on in silence.
            Self::Flawed(_)
            | Self::NoCredentials { .. }
            | Self::StaticKeys { .. }
            | Self::Base { passing: false, .. }
            | Self::Abandoned { .. } => Retry::Never,
            Self::Certificate(error) => error.retry(),
            Self::Refused(refusal) => match refusal.kind() {
                Kind::Denied | Kind::Signer | Kind::RegionOff | Kind::Request => Retry::Never,
                Kind::Clock | Kind::Unwell => Retry::Backoff,
                Kind::Throttled => Retry::Throttled,
            },
            Self::Base { passing: true, .. }
            | Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::TooShort { .. }
            | Self::NeverAccepted { .. }
            | Self::Malformed { .. } => Retry::Backoff,
        }
    }

    fn hint(&self) -> Option<Cow<'static, str>> {
        match self {
            Self::Flawed(_) | Self::Abandoned { .. } | Self::Malformed { .. } => None,
            Self::Certificate(error) => error.hint(),
            Self::Refused(refusal) => refusal_hint(refusal),
            Self::Unreachable { endpoint, .. } => {
                Some(format!("check that {endpoint} can be reached from here (DNS, firewall, VPC endpoint)").into())
            }
            Self::TimedOut { .. } => Some("check the network path to STS and to the metadata endpoints".into()),
            Self::NoCredentials { .. } => {
                Some("name the base explicitly: give keys, a profile, a web identity, or run where an instance or container role is attached".into())
            }
            Self::Base { hint, .. } => Some(hint.clone().into()),
            Self::StaticKeys { .. } => Some(
                "use a role: name another kind of connection (instance-role, container, web-identity, roles-anywhere); \
                 or leave --no-static-keys out"
                    .into(),
            ),
            Self::NeverAccepted { .. } => Some(
                "compare the endpoints: what gives sessions (sts) and what takes them (s3) must be of the same AWS; and see \
                 whether the role's account has to opt in to the region"
                    .into(),
            ),
            Self::TooShort { .. } => {
                Some("compare this machine's clock with AWS's; a clock that runs ahead makes fresh sessions look old".into())
            }
        }
    }
}

fn refusal_hint(refusal: &Refusal) -> Option<Cow<'static, str>> {
    let Refusal { target, as_whom, .. } = refusal;
    if refusal.operation == roles_anywhere::OPERATION
        && let Some(hint) = roles_anywhere::hint(refusal)
    {
        return Some(hint);
    }
    if refusal.operation == "sts:AssumeRoleWithWebIdentity"
        && let Some(hint) = web_identity_hint(refusal)
    {
        return Some(hint.into());
    }
    match refusal.kind() {
        // The session before it carries a source identity (a certificate's subject) or tags, which go on.
        Kind::Denied if refusal.operation == "sts:AssumeRole" && refusal.also_needs().is_some() => {
            let action = refusal.also_needs().unwrap_or_default();
            Some(
                format!(
                    "allow {action} beside sts:AssumeRole, in the trust policy of {target} and in the policies of {as_whom}"
                )
                .into(),
            )
        }
        // AWS gives one answer for all of these, so the hint ranks them rather than guess one.
        Kind::Denied if refusal.operation == "sts:AssumeRole" => {
            let external_id = if refusal.with_external_id {
                "that it asks for the same external ID as is configured here"
            } else {
                "whether it asks for an external ID, which is not configured here"
            };
            Some(
                format!(
                    "check in the trust policy of {target} that it names {as_whom} as principal, and {external_id}; \
                     then that the policies of {as_whom} allow sts:AssumeRole on it"
                )
                .into(),
            )
        }
        Kind::Denied => Some(format!("allow {} for {as_whom}", refusal.operation).into()),
        Kind::Signer => Some(format!("renew the keys of {as_whom}: AWS does not know them (any more)").into()),
        Kind::Clock => Some("set this machine's clock (NTP)".into()),
        Kind::RegionOff => Some(
            format!(
                "activate STS in this region for the account of {target}, or configure another region's STS endpoint"
            )
            .into(),
        ),
        Kind::Request if refusal.message.contains("role chaining") => {
            Some("ask for at most 3600 seconds: the caller is itself a role's session".into())
        }
        Kind::Request if refusal.message.contains("MaxSessionDuration") => {
            Some(format!("ask for a shorter session, or raise the maximum session duration of {target}").into())
        }
        Kind::Request if refusal.code == "PackedPolicyTooLarge" => {
            Some("send fewer session tags or a shorter session policy; tags inherited from the caller count too".into())
        }
        Kind::Request if refusal.code == "SignatureDoesNotMatch" => {
            Some(format!("correct the secret access key: it is not that of {as_whom}").into())
        }
        Kind::Request if refusal.code == "MalformedPolicyDocument" => Some("mend the session policy".into()),
        Kind::Throttled | Kind::Unwell | Kind::Request => None,
    }
}

/// A token is not a key: what is wrong with it, its issuer and the role's trust policy decide.
fn web_identity_hint(refusal: &Refusal) -> Option<String> {
    let Refusal { target, as_whom, code, .. } = refusal;
    match code.as_str() {
        "InvalidIdentityToken" => Some(format!(
            "look into the token of {as_whom}: it must be a JWT, whose issuer (iss) and audience (aud) the account of {target} \
             has as an OIDC provider"
        )),
        "ExpiredToken" | "ExpiredTokenException" => {
            Some(format!("have a new token written for {as_whom}: the one that is there has ended"))
        }
        _ if refusal.kind() == Kind::Denied => Some(format!(
            "check in the trust policy of {target} that it allows sts:AssumeRoleWithWebIdentity for the token's issuer, with \
             the audience (aud) and subject (sub) that the token of {as_whom} has"
        )),
        _ => None,
    }
}

struct Listed<'a>(&'a [Flaw]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, flaw) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{flaw}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(code: &str, status: u16, message: &str) -> Error {
        refusal_of("sts:AssumeRole", code, status, message)
    }

    fn refusal_of(operation: &'static str, code: &str, status: u16, message: &str) -> Error {
        Error::Refused(Arc::new(Refusal {
            operation,
            target: "role arn:aws:iam::111111111111:role/orders".into(),
            as_whom: "arn:aws:iam::222222222222:user/vendor".into(),
            endpoint: "sts.eu-central-1.amazonaws.com".into(),
            status,
            code: code.into(),
            message: message.into(),
            request_id: Some("r-1".into()),
            with_external_id: true,
        }))
    }

    #[test]
    fn a_refusal_says_what_was_tried_as_whom_and_what_came_back() {
        let error = refusal("AccessDenied", 403, "User: x is not authorized");
        assert_eq!(
            error.to_string(),
            "sts:AssumeRole for role arn:aws:iam::111111111111:role/orders as arn:aws:iam::222222222222:user/vendor was \
             refused by sts.eu-central-1.amazonaws.com with AccessDenied (403): User: x is not authorized (request r-1)"
        );
        assert_eq!((error.code(), error.retry()), ("identity.access-denied", Retry::Never));
        assert!(error.hint().unwrap().contains("the same external ID as is configured here"));
    }

    #[test]
    fn what_a_session_hands_on_is_named_where_it_is_not_allowed() {
        let error =
            refusal("AccessDenied", 403, "User: x is not authorized to perform: sts:SetSourceIdentity on resource: y");
        assert!(error.hint().unwrap().contains("allow sts:SetSourceIdentity beside sts:AssumeRole"));
        let error = refusal("AccessDenied", 403, "User: x is not authorized to perform: sts:AssumeRole on resource: y");
        assert!(error.hint().unwrap().contains("external ID"));
    }

    #[test]
    fn what_waiting_can_mend_is_told_from_what_it_cannot() {
        assert_eq!(refusal("ServiceUnavailable", 503, "").retry(), Retry::Backoff);
        assert_eq!(refusal("Throttling", 400, "Rate exceeded").retry(), Retry::Throttled);
        assert_eq!(refusal("ValidationError", 400, "").retry(), Retry::Never);
        assert_eq!(refusal("SignatureDoesNotMatch", 403, "The request signature we calculated").retry(), Retry::Never);
        assert_eq!(refusal("SignatureDoesNotMatch", 403, "Signature expired: 1 is now").retry(), Retry::Backoff);
        assert!(refusal("ExpiredToken", 403, "").blames_signer());
        assert!(!refusal("AccessDenied", 403, "").blames_signer());
    }

    #[test]
    fn a_refused_token_is_mended_at_the_token_or_the_trust_policy() {
        let hint = |code| refusal_of("sts:AssumeRoleWithWebIdentity", code, 400, "").hint().unwrap().into_owned();
        assert!(hint("InvalidIdentityToken").contains("issuer (iss) and audience (aud)"));
        assert!(hint("ExpiredTokenException").starts_with("have a new token written"));
        assert!(
            hint("AccessDenied").starts_with("check in the trust policy of role arn:aws:iam::111111111111:role/orders")
        );
    }

    #[test]
    fn a_certificate_that_cannot_be_read_is_told_with_the_reason() {
        let source = Arc::new(std::io::Error::other("no such file"));
        let error = CertificateError::Unreadable { place: "certificate file /c.pem".to_owned(), source };
        let told = fault::Chain(&Error::Certificate(error)).to_string();
        assert_eq!(told, "certificate file /c.pem cannot be read: no such file");
    }

    #[test]
    fn the_two_duration_limits_are_told_apart() {
        let chained =
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.";
        assert!(refusal("ValidationError", 400, chained).hint().unwrap().contains("at most 3600"));
        let role = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
        assert!(refusal("ValidationError", 400, role).hint().unwrap().contains("maximum session duration"));
    }
}
