use crate::failure::{Answer, Failure};
use crate::s3::operation::Operation;

/// What an attempt's failure asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Try again after a pause.
    Retry,
    /// Fewer requests, then try again.
    Throttled,
    /// AWS does not accept the session: drop it and ask again at once. `for_ever` if a fresh one is sure to help in the
    /// end; otherwise it is tried once.
    Renew { for_ever: bool },
    /// The signature's hour is wrong: take AWS's and ask again at once.
    Clock,
    /// Waiting does not help.
    Refused,
}

/// Codes that mean "later" ("Error responses", S3 API reference), besides every status of 500 and above.
const LATER: &[&str] = &[
    "InternalError",
    "OperationAborted",
    CONFLICT,
    "RequestTimeout",
    "BadDigest",
    "XAmzContentSHA256Mismatch",
    "XAmzContentChecksumMismatch",
    "IncompleteBody",
    "TemporaryRedirect",
    "KMS.KMSInternalException",
    "KMS.DependencyTimeoutException",
];

/// Two conditional writes met. A PutObject is tried again; an upload is over by it.
pub(crate) const CONFLICT: &str = "ConditionalRequestConflict";

/// Codes that mean "fewer".
const FEWER: &[&str] = &[
    "SlowDown",
    "ServiceUnavailable",
    "Throttling",
    "ThrottlingException",
    "TooManyRequests",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "BandwidthLimitExceeded",
    "KMS.ThrottlingException",
];

/// What `failure` of `operation` asks for.
pub(crate) fn verdict(operation: Operation, failure: &Failure) -> Verdict {
    match failure {
        Failure::Lost(_) => Verdict::Retry,
        Failure::Unsent(_) => Verdict::Refused,
        Failure::Answered(answer) => of_answer(operation, answer),
    }
}

fn of_answer(operation: Operation, answer: &Answer) -> Verdict {
    match answer.code.as_str() {
        "ExpiredToken" => return Verdict::Renew { for_ever: true },
        "InvalidToken" | "InvalidAccessKeyId" | "TokenRefreshRequired" => return Verdict::Renew { for_ever: false },
        "RequestTimeTooSkewed" | "RequestExpired" => return Verdict::Clock,
        CONFLICT if operation == Operation::CompleteMultipartUpload => return Verdict::Refused,
        code if LATER.contains(&code) => return Verdict::Retry,
        code if FEWER.contains(&code) => return Verdict::Throttled,
        _ => {}
    }
    match answer.status {
        503 | 429 => Verdict::Throttled,
        // Not 501 and 505: what a store has not built it will not have built by the next attempt.
        408 | 500 | 502 | 504 | 506.. => Verdict::Retry,
        // Without a body an expired session is a plain 400.
        400 if operation.is_bodiless() => Verdict::Renew { for_ever: false },
        _ => Verdict::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(operation: Operation, status: u16, code: &str) -> Verdict {
        verdict(operation, &Failure::Answered(Answer { status, code: code.into(), ..Answer::default() }))
    }

    #[test]
    fn what_each_answer_of_s3_asks_for() {
        let part = |status, code| of(Operation::UploadPart, status, code);
        assert_eq!(part(503, "SlowDown"), Verdict::Throttled);
        assert_eq!(part(503, ""), Verdict::Throttled);
        assert_eq!(part(500, "InternalError"), Verdict::Retry);
        // A 200 that turns out to be an error in its body keeps its status.
        assert_eq!(part(200, "InternalError"), Verdict::Retry);
        assert_eq!(part(502, ""), Verdict::Retry);
        assert_eq!(part(400, "RequestTimeout"), Verdict::Retry);
        assert_eq!(part(400, "BadDigest"), Verdict::Retry);
        assert_eq!(part(409, "OperationAborted"), Verdict::Retry);
        assert_eq!(part(400, "ExpiredToken"), Verdict::Renew { for_ever: true });
        assert_eq!(part(403, "InvalidAccessKeyId"), Verdict::Renew { for_ever: false });
        assert_eq!(part(403, "RequestTimeTooSkewed"), Verdict::Clock);
        for (status, code) in [
            (403, "AccessDenied"),
            (403, "SignatureDoesNotMatch"),
            (404, "NoSuchBucket"),
            (404, "NoSuchUpload"),
            (301, "PermanentRedirect"),
            (400, "AuthorizationHeaderMalformed"),
            (400, "EntityTooSmall"),
            (412, "PreconditionFailed"),
            (501, "NotImplemented"),
            (400, "KMS.DisabledException"),
        ] {
            assert_eq!(part(status, code), Verdict::Refused, "{code}");
        }
    }

    #[test]
    fn a_conflict_ends_an_upload_and_not_a_put() {
        assert_eq!(of(Operation::PutObject, 409, CONFLICT), Verdict::Retry);
        assert_eq!(of(Operation::CompleteMultipartUpload, 409, CONFLICT), Verdict::Refused);
    }

    #[test]
    fn an_answer_without_a_body_may_hide_an_expired_session() {
        assert_eq!(of(Operation::HeadObject, 400, ""), Verdict::Renew { for_ever: false });
        assert_eq!(of(Operation::HeadObject, 404, ""), Verdict::Refused);
        assert_eq!(of(Operation::UploadPart, 400, ""), Verdict::Refused);
    }
}
