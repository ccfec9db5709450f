//! Clocks, and how long sessions live.

use std::time::Duration;

use ::identity::{Base, Error};
use aws::SignedWith;

use super::Case;
use crate::checks::clock::{ODD, S3_REFUSES, STS_REFUSES};
use crate::checks::expiry::is_read_again;
use crate::{Cause, Check, Diagnosis, Paste, Remedy, Trial};

static FAR_OFF: Cause = Cause {
    row: "F67",
    code: "time.clock-off-for-s3",
    title: "this machine's clock is off by more than 15 minutes",
    symptom: "403 RequestTimeTooSkewed, MaxAllowedSkewMilliseconds 900000",
    why: "S3 refuses a signature whose hour is more than 15 minutes from its own, and STS one of more than 5",
    apart: "the Date of any answer of AWS's beside this machine's clock",
    cure: "set the clock (NTP)",
    texts: &[
        "requesttimetooskewed",
        "difference between the request time and the current time is too large",
        "maxallowedskewmilliseconds",
    ],
};

static SOON_OFF: Cause = Cause {
    row: "F68",
    code: "time.clock-off-for-sts",
    title: "this machine's clock is off by more than 5 minutes",
    symptom: "SignatureDoesNotMatch: Signature expired, is now earlier than an hour of AWS's",
    why: "STS refuses a signature whose hour is more than 5 minutes from its own, and S3 does not yet",
    apart: "the Date of any answer of AWS's beside this machine's clock",
    cure: "set the clock (NTP)",
    texts: &["signature expired", "signature not yet current", "is now earlier than"],
};

static QUEUED: Cause = Cause {
    row: "F69",
    code: "time.signed-too-early",
    title: "the clock is right, and requests are sent long after they were signed",
    symptom: "RequestTimeTooSkewed under load alone",
    why: "a request was signed, waited for minutes, and was sent when its signature was too old",
    apart: "the clock agrees with AWS's, and the refusal names an hour that is long past",
    cure: "sign last: Tidegate signs each request when it is sent, so look for what holds them back on the way",
    texts: &["requesttimetooskewed", "request has expired"],
};

static SOMEWHAT_OFF: Cause = Cause {
    row: "F70",
    code: "time.clock-off-for-writes",
    title: "this machine's clock is off, by less than what is refused at once",
    symptom: "reads work, and some writes are refused as too late",
    why: "a body that takes minutes to send uses up what the clock has left",
    apart: "the Date of any answer of AWS's beside this machine's clock",
    cure: "set the clock (NTP)",
    texts: &["requesttimetooskewed"],
};

static NOT_REPLAYED: Cause = Cause {
    row: "F71",
    code: "time.body-not-sent-again",
    title: "the clock is off, and what corrects it cannot send a stream a second time",
    symptom: "RequestTimeTooSkewed on uploads, though the SDK corrects the clock",
    why: "the first request shows AWS's hour; a body that was a stream is gone by then",
    apart: "small requests work, and streamed uploads are refused",
    cure: "set the clock; Tidegate keeps what it sends until it is taken, and sends it again with AWS's hour",
    texts: &["requesttimetooskewed", "requestexpired"],
};

static FROZEN: Cause = Cause {
    row: "F72",
    code: "time.token-is-not-renewed",
    title: "a session's token is written down, and nobody renews it",
    symptom: "400 ExpiredToken after an hour or so, in the middle of an upload",
    why: "a session ends; its keys and token were copied to where they are read once",
    apart: "the access key begins with ASIA, and no end came with it",
    cure: "name what gives sessions (an instance's role, a web identity, a certificate) in place of one session",
    texts: &["expiredtoken", "the provided token has expired", "security token included in the request is expired"],
};

static RENEWED_TOO_EARLY: Cause = Cause {
    row: "F73",
    code: "time.session-ended-before-upload",
    title: "the session ended between being looked at and being used",
    symptom: "ExpiredToken on CreateMultipartUpload, after a long preparation",
    why: "whether the session lives was asked first, and a checksum of a large file took the rest of its life",
    apart: "it is the first request of an upload that is refused, and the next session is taken",
    cure: "ask for the session at each signature; Tidegate does, and had another one taken",
    texts: &["expiredtoken", "the provided token has expired"],
};

static NOT_RETRIED: Cause = Cause {
    row: "F74",
    code: "time.session-dropped",
    title: "AWS takes a session no more before its end",
    symptom: "ExpiredToken now and then, with many workers",
    why: "a session was revoked, or ended a moment before its time, and not every tool asks for another one",
    apart: "another session of the same kind is taken at once",
    cure: "drop the session, ask for another one, try once more; Tidegate did; look who revokes sessions of the role",
    texts: &["expiredtoken", "tokenrefreshrequired", "the provided token has expired"],
};

static SHORT: Cause = Cause {
    row: "F75",
    code: "time.shortest-session",
    title: "sessions live for 15 minutes, the least there is",
    symptom: "ExpiredToken after 15 minutes, where sessions are not renewed",
    why: "a duration of 900 s was set, or left, in one of the steps",
    apart: "the session's end",
    cure: "ask for an hour: Tidegate renews either, and with an hour it sits out an outage of STS of 11 minutes, not of 2",
    texts: &["expiredtoken", "durationseconds"],
};

static READ_ONCE: Cause = Cause {
    row: "F76",
    code: "time.token-file-must-be-renewed",
    title: "the token lies in a shared file, and lives by being written anew",
    symptom: "the login was renewed in the file, and a long process died of ExpiredToken all the same",
    why: "the process read the file once; or nobody wrote it anew in time",
    apart: "a profile holds a session's keys and token, without an end",
    cure: "let the profile name what gives sessions (role_arn, credential_process); Tidegate reads the file again every 15 \
           minutes and when AWS refuses the token",
    texts: &["expiredtoken", "error when retrieving token from sso", "token has expired and refresh failed"],
};

pub(super) static CAUSES: &[&Cause] = &[
    &FAR_OFF,
    &SOON_OFF,
    &QUEUED,
    &SOMEWHAT_OFF,
    &NOT_REPLAYED,
    &FROZEN,
    &RENEWED_TOO_EARLY,
    &NOT_RETRIED,
    &SHORT,
    &READ_ONCE,
];

pub(super) fn explain(case: &mut Case<'_>) {
    clock(case);
    skew(case);
    token(case);
    renewals(case);
    length(case);
}

fn ntp() -> Remedy {
    Remedy::paste(
        "let the clock be set",
        Paste::Command("timedatectl set-ntp true   # on EC2: chrony with server 169.254.169.123".to_owned()),
    )
}

fn clock(case: &mut Case<'_>) {
    let Some(ahead) = case.facts.clock_offset_ms else { return };
    let off = Duration::from_millis(ahead.unsigned_abs());
    if off <= ODD {
        return;
    }
    let which = if ahead > 0 { "behind" } else { "ahead of" };
    let because = format!("it is {} s {which} AWS's", off.as_secs());
    let (known, then) = if off > S3_REFUSES {
        (&FAR_OFF, "STS and S3 refuse what is signed by it")
    } else if off > STS_REFUSES {
        (&SOON_OFF, "STS refuses what is signed by it, S3 from 15 minutes on")
    } else {
        (&SOMEWHAT_OFF, "STS refuses from 5 minutes on, S3 from 15")
    };
    case.explain(Check::CLOCK, Diagnosis::decided(known, format!("{because}; {then}")).cure(ntp()));
}

fn is_skewed(trial: &Trial) -> bool {
    matches!(trial.code(), Some("RequestTimeTooSkewed" | "RequestExpired"))
}

/// Refusals for their hour, by what was refused and what was not.
fn skew(case: &mut Case<'_>) {
    let facts = case.facts;
    let skewed = |trial: &Option<Trial>| trial.as_ref().is_some_and(is_skewed);
    let done = |trial: &Option<Trial>| trial.as_ref().is_some_and(Trial::is_done);
    let Some((what, _)) = facts.s3_refusals().find(|(_, trial)| is_skewed(trial)) else { return };
    let off = Duration::from_millis(facts.clock_offset_ms.unwrap_or_default().unsigned_abs());
    let checks = [
        (Check::BUCKET, skewed(&facts.bucket)),
        (Check::LIST, skewed(&facts.list)),
        (Check::PUT, skewed(&facts.put)),
        (Check::MULTIPART, skewed(&facts.multipart)),
    ];
    for check in checks.into_iter().filter(|(_, is)| *is).map(|(check, _)| check) {
        let diagnosis = if facts.clock_offset_ms.is_some() && off <= ODD {
            let because = format!("this machine's clock agrees with AWS's, and S3 refused {what} for its hour");
            let remedy =
                Remedy::to("look for what holds requests back between this machine and AWS (a proxy that queues)");
            Diagnosis::decided(&QUEUED, because).cure(remedy)
        } else if check == Check::MULTIPART
            && matches!(&facts.multipart, Some(Trial::Refused { operation: "UploadPart", .. }))
        {
            let because =
                format!("the clock is {} s off, the upload was begun and its part was refused", off.as_secs());
            Diagnosis::likely(&NOT_REPLAYED, because).cure(ntp())
        } else if done(&facts.bucket) || done(&facts.list) {
            let because = format!("the clock is {} s off, reads were taken and {what} was not", off.as_secs());
            Diagnosis::likely(&SOMEWHAT_OFF, because).cure(ntp())
        } else {
            let because = format!("S3 refused {what} for its hour");
            Diagnosis::likely(&FAR_OFF, because).cure(ntp())
        };
        case.explain(check, diagnosis);
    }
}

/// Tokens that came without an end, and those that have met it.
fn token(case: &mut Case<'_>) {
    let Some(connection) = &case.target.connection else { return };
    let facts = case.facts;
    let (base, read_again) = (&connection.base, is_read_again(&connection.base, facts));
    let ended = matches!(&facts.base_error, Some(Error::Refused(refusal)) if is_ended(&refusal.code));
    let is_written_down = match base {
        Base::Keys(keys) => keys.token.is_some(),
        Base::Environment | Base::Profile(_) => true,
        Base::DefaultChain => !facts.chain.is_empty(),
        _ => false,
    };
    let instead = Remedy::paste(
        "let sessions be given anew, in place of one that was",
        Paste::Setting("kind = \"instance-role\"   # or container, web-identity, roles-anywhere".to_owned()),
    );
    if ended && is_written_down {
        let because = format!("AWS says that the session of {base} has ended");
        let known = if read_again { &READ_ONCE } else { &FROZEN };
        case.explain(Check::BASE, Diagnosis::decided(known, because).cure(instead));
        return;
    }
    if facts.base_signed_with != Some(SignedWith::Token) {
        return;
    }
    if read_again {
        let because = format!(
            "{base} holds a session's token without its end: Tidegate reads it again every 15 minutes and when AWS refuses it, \
             and lives on if it was written anew by then"
        );
        let remedy = Remedy::paste(
            "let the profile name what gives sessions",
            Paste::Setting("credential_process = /path/to/program   # or role_arn and source_profile".to_owned()),
        );
        case.explain(Check::EXPIRY, Diagnosis::decided(&READ_ONCE, because).cure(remedy).cure(instead));
    } else {
        let because = format!(
            "{base} is a session whose token is read once: when it ends (12 hours at most for a role's, 36 for a user's), \
             connectors fail, and go on where they were once the process is started with another one"
        );
        case.explain(Check::EXPIRY, Diagnosis::decided(&FROZEN, because).cure(instead));
    }
}

fn is_ended(code: &str) -> bool {
    ["ExpiredToken", "ExpiredTokenException"].contains(&code)
}

/// Sessions that S3 took no more.
fn renewals(case: &mut Case<'_>) {
    let Some((operation, code)) = case.facts.renewed.first().cloned() else { return };
    let remedy = Remedy::paste(
        "look who revokes sessions of the role",
        Paste::Command(
            "aws iam list-role-policies --role-name ROLE   # AWSRevokeOlderSessions is what revoking writes".to_owned(),
        ),
    );
    let left = "another one was asked for, as every connector does";
    let known = if operation == "CreateMultipartUpload" { &RENEWED_TOO_EARLY } else { &NOT_RETRIED };
    let because = format!("S3 refused the session of {operation} with {code} before its end; {left}");
    case.explain(Check::LIFE, Diagnosis::likely(known, because).cure(remedy));
}

/// Sessions of the least length.
fn length(case: &mut Case<'_>) {
    let Some(connection) = &case.target.connection else { return };
    let shortest = Duration::from_mins(15);
    let Some(hop) = connection.hops.iter().find(|hop| hop.duration.asked().is_some_and(|asked| asked <= shortest))
    else {
        return;
    };
    if case.result(Check::LIFE).is_none_or(|result| result.status == crate::Status::Skipped) {
        return;
    }
    let because = format!(
        "900 s are asked for {}: each session is renewed after 10 to 12 minutes, which leaves 2 to 3 for an STS that is down",
        hop.role_arn
    );
    let remedy = Remedy::paste("ask for an hour", Paste::Setting("duration = \"1h\"".to_owned()));
    case.explain(Check::LIFE, Diagnosis::decided(&SHORT, because).cure(remedy));
}
