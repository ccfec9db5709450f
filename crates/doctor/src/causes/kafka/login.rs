//! What a login at a broker fails of.

use kafka::ErrorCode;

use super::super::Case;
use super::super::shell::word;
use super::iam_policy;
use super::reach::{DROPPED, setting};
use crate::kafka_facts::{Door, KafkaWay};
use crate::{Cause, Diagnosis, Paste, Remedy};

static LOGIN_WANTED: Cause = Cause {
    row: "K07",
    code: "kafka.login-wanted",
    title: "the broker wants a login, and the connector has none",
    symptom: "the broker hangs up on the first request",
    why: "the listener has SASL, and security.protocol is PLAINTEXT or SSL",
    apart: "the listener names SASL mechanisms when it is asked",
    cure: "set security.protocol to SASL_SSL (or SASL_PLAINTEXT), sasl.mechanism and sasl.jaas.config",
    texts: &["unexpected kafka request of type metadata during sasl handshake"],
};

static NO_LOGIN: Cause = Cause {
    row: "K08",
    code: "kafka.login-not-expected",
    title: "the connector logs in, and the listener takes no login",
    symptom: "ILLEGAL_SASL_STATE",
    why: "the listener is PLAINTEXT or SSL, and security.protocol is SASL_PLAINTEXT or SASL_SSL",
    apart: "the listener names no SASL mechanism when it is asked",
    cure: "take the port of the listener with SASL, or leave SASL_ out of security.protocol",
    texts: &[
        "illegal_sasl_state",
        "saslhandshakerequest received on a non-sasl port",
        "unexpected handshake request with client mechanism",
    ],
};

static MECHANISM: Cause = Cause {
    row: "K15",
    code: "kafka.mechanism-not-offered",
    title: "the listener does not have the SASL mechanism that is set",
    symptom: "UNSUPPORTED_SASL_MECHANISM",
    why: "sasl.mechanism names another one than those of the broker's sasl.enabled.mechanisms",
    apart: "the broker lists those that it has",
    cure: "set sasl.mechanism to one that the listener has, with the login module that goes with it",
    texts: &["unsupported_sasl_mechanism", "client sasl mechanism", "unsupported sasl mechanism"],
};

pub(super) static CREDENTIALS: Cause = Cause {
    row: "K16",
    code: "kafka.credentials-refused",
    title: "the broker does not know this user with this password",
    symptom: "SASL_AUTHENTICATION_FAILED",
    why: "the password is wrong or was changed, the user does not exist, or has no credential for this mechanism",
    apart: "brokers do not say which, so that nobody can find out who has a login",
    cure: "correct the user and password in sasl.jaas.config",
    texts: &["authentication failed: invalid username or password", "due to invalid credentials with sasl mechanism"],
};

static OTHER_HASH: Cause = Cause {
    row: "K17",
    code: "kafka.scram-other-hash",
    title: "the user has a password for the other of the two SCRAM mechanisms only",
    symptom: "SASL_AUTHENTICATION_FAILED with a password that is right",
    why: "SCRAM-SHA-256 and SCRAM-SHA-512 keep credentials of their own, and a user may have either",
    apart: "with the other mechanism the same password is accepted",
    cure: "set sasl.mechanism to the other one, or give the user credentials for both",
    texts: &[],
};

static TOKEN: Cause = Cause {
    row: "K18",
    code: "kafka.token-refused",
    title: "the broker does not accept the token",
    symptom: "SASL_AUTHENTICATION_FAILED under OAUTHBEARER",
    why: "the token is over, is for another audience or scope, is of another issuer, or its signing key is not known to the brokers",
    apart: "the broker's answer may say which; its log does",
    cure: "compare the token's exp, aud and iss with what the broker's sasl.oauthbearer.expected.* say",
    texts: &["invalid_token", "jwt (claims", "the token expired"],
};

pub(super) static NO_TOKEN: Cause = Cause {
    row: "K19",
    code: "kafka.no-token",
    title: "there is no token to log in with",
    symptom: "authentication fails before anything is sent to the broker",
    why: "the token endpoint does not answer or refuses the client's id and secret, or the file of the token cannot be read",
    apart: "the error says who was asked and what came back",
    cure: "correct sasl.oauthbearer.token.endpoint.url and the clientId and clientSecret in sasl.jaas.config",
    texts: &["invalid_client", "could not read a token", "token endpoint"],
};

static IAM_CONNECT: Cause = Cause {
    row: "K20",
    code: "kafka.iam-connect-denied",
    title: "IAM does not let this identity connect to the MSK cluster",
    symptom: "SASL_AUTHENTICATION_FAILED: Access denied",
    why: "kafka-cluster:Connect is missing, the policy names another cluster, or the cluster policy does not let another account in",
    apart: "a session that is over is refused with other words, and fails for S3 too",
    cure: "allow kafka-cluster:Connect on the cluster's ARN",
    texts: &["not authorized to perform: kafka-cluster:connect", "saslauthenticationexception: [", "]: access denied"],
};

pub(super) static CAUSES: &[&Cause] =
    &[&LOGIN_WANTED, &NO_LOGIN, &MECHANISM, &CREDENTIALS, &OTHER_HASH, &TOKEN, &NO_TOKEN, &IAM_CONNECT];

/// What may be behind a broker that hangs up on the first request.
pub(super) fn of_hang_up(door: &Door, way: &KafkaWay) -> Vec<Diagnosis> {
    match &door.mechanisms {
        Some(offered) if !offered.is_empty() => {
            let because = format!("{} offers {}", door.address, offered.join(", "));
            let protocol = if way.tls { "SASL_SSL" } else { "SASL_PLAINTEXT" };
            let mechanism = offered.iter().find(|name| name.starts_with("SCRAM")).unwrap_or(&offered[0]);
            let module = module_of(mechanism);
            let text = format!(
                "security.protocol={protocol}\nsasl.mechanism={mechanism}\nsasl.jaas.config={module} required username=\"USER\" password=\"PASSWORD\";"
            );
            vec![Diagnosis::decided(&LOGIN_WANTED, because).cure(setting("log in", text))]
        }
        // It has one, and would be asked for nothing else.
        _ if way.mechanism.is_some() => {
            vec![
                Diagnosis::possible(
                    &NO_LOGIN,
                    "look whether the listener's protocol in the broker's settings has SASL",
                ),
                Diagnosis::possible(&DROPPED, "look into the broker's log for this machine's address"),
            ]
        }
        _ => vec![
            Diagnosis::possible(
                &LOGIN_WANTED,
                "look whether the listener's protocol in the broker's settings has SASL",
            ),
            Diagnosis::possible(&DROPPED, "look into the broker's log for this machine's address"),
        ],
    }
}

fn module_of(mechanism: &str) -> &'static str {
    match mechanism {
        "PLAIN" => "org.apache.kafka.common.security.plain.PlainLoginModule",
        "OAUTHBEARER" => "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule",
        _ => "org.apache.kafka.common.security.scram.ScramLoginModule",
    }
}

/// What may be behind a login that is refused.
pub(super) fn of_refusal(case: &Case<'_>, door: &Door, code: ErrorCode, message: Option<&str>) -> Vec<Diagnosis> {
    let (address, way) = (&door.address, &case.facts.kafka.way);
    let mechanism = way.mechanism.unwrap_or_default();
    let offered = door.mechanisms.as_deref();
    let said = message
        .filter(|message| !message.is_empty())
        .map_or_else(|| code.to_string(), |message| format!("{code}: {message}"));
    if code == ErrorCode::ILLEGAL_SASL_STATE || offered.is_some_and(<[String]>::is_empty) {
        let protocol = if way.tls { "SSL" } else { "PLAINTEXT" };
        let because = format!("{address} names no SASL mechanism");
        let remedy = setting(
            "take the port of the listener with SASL, or do not log in",
            format!("security.protocol={protocol}"),
        );
        return vec![Diagnosis::decided(&NO_LOGIN, because).cure(remedy)];
    }
    if code == ErrorCode::UNSUPPORTED_SASL_MECHANISM {
        let because = match offered {
            Some(offered) => format!("{mechanism} is set, and {address} has {}", offered.join(", ")),
            None => format!("{mechanism} is set; {said}"),
        };
        let mut diagnosis = Diagnosis::decided(&MECHANISM, because);
        for name in offered.unwrap_or_default().iter().take(3) {
            let text = format!("sasl.mechanism={name}\nsasl.jaas.config={} required ...;", module_of(name));
            diagnosis = diagnosis.cure(setting("set one that it has", text));
        }
        return vec![diagnosis];
    }
    if way.iam {
        let denied = said.to_lowercase().contains("access denied");
        let connect = if denied {
            Diagnosis::likely(&IAM_CONNECT, said.clone())
        } else {
            Diagnosis::possible(&IAM_CONNECT, said.clone())
        };
        let over = "a session that is over, or a clock that is minutes off, is refused too";
        return vec![connect.cure(iam_policy(case)), Diagnosis::possible(&TOKEN, over)];
    }
    if mechanism == "OAUTHBEARER" {
        let remedy = Remedy::to(TOKEN.cure);
        return vec![Diagnosis::decided(&TOKEN, said).cure(remedy)];
    }
    if door.other_scram == Some(true) {
        let other = if mechanism == "SCRAM-SHA-256" { "SCRAM-SHA-512" } else { "SCRAM-SHA-256" };
        let because = format!("with {other} the same password is accepted");
        return vec![
            Diagnosis::decided(&OTHER_HASH, because)
                .cure(setting("set the other mechanism", format!("sasl.mechanism={other}"))),
        ];
    }
    let mut diagnosis = Diagnosis::decided(&CREDENTIALS, said);
    if let (Some(user), true) =
        (way.principal.as_deref().and_then(|who| who.strip_prefix("User:")), mechanism.starts_with("SCRAM"))
    {
        let command = format!(
            "kafka-configs.sh --bootstrap-server {} --command-config admin.properties --describe --entity-type users --entity-name {}",
            word(&way.servers),
            word(user)
        );
        diagnosis = diagnosis.cure(Remedy::paste("see which credentials the user has", Paste::Command(command)));
    }
    vec![diagnosis.cure(Remedy::to("correct username and password in sasl.jaas.config"))]
}
