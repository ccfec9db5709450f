use fault::Chain;
use kafka::ErrorCode;
use kafka::net::{Error, TlsFault};

use super::super::Case;
use super::super::shell::word;
use super::iam_policy;
use crate::kafka_facts::{Door, KafkaWay};
use crate::{Cause, Check, Diagnosis, Paste, Remedy};

static UNKNOWN_HOST: Cause = Cause {
    row: "K01",
    code: "kafka.unknown-host",
    title: "the broker's name has no address",
    symptom: "could not resolve the name in bootstrap.servers",
    why: "the name is mistyped, or is known to another network's resolver only",
    apart: "look the name up on this machine: getent hosts NAME",
    cure: "correct bootstrap.servers, or let this machine use the resolver that knows the name",
    texts: &["couldn't resolve server", "no resolvable bootstrap urls", "unknownhostexception"],
};

static REFUSED: Cause = Cause {
    row: "K02",
    code: "kafka.cannot-connect",
    title: "nothing listens at the broker's address",
    symptom: "connection refused",
    why: "the port is wrong, the broker is down, or it listens on another interface",
    apart: "the machine itself answered, and said that the port is closed",
    cure: "compare the port with the broker's listeners, and see whether the broker runs",
    texts: &["could not be established. node may not be available", "broker may not be available"],
};

static SILENT: Cause = Cause {
    row: "K03",
    code: "kafka.connect-timeout",
    title: "a firewall or a missing route swallows what is sent to the broker",
    symptom: "no connection within the timeout",
    why: "security groups, network ACLs and firewalls drop packets without a word",
    apart: "a port that is closed is refused at once; what is dropped is answered by nobody",
    cure: "let this machine's address in at the broker's port",
    texts: &["timed out waiting for a node assignment", "timed out while connecting to broker"],
};

static HTTP: Cause = Cause {
    row: "K04",
    code: "kafka.http-port",
    title: "an HTTP server answers at the broker's address",
    symptom: "a response of 1,213,486,160 bytes is announced",
    why: "the port is that of a REST proxy, a schema registry, Kafka Connect or a load balancer; its `HTTP` was read as a length",
    apart: "the four bytes are the letters HTTP",
    cure: "write the port of Kafka's own listener into bootstrap.servers",
    texts: &["invalid receive (size = 1213486160", "invalid receive size 1213486160"],
};

static TLS_WANTED: Cause = Cause {
    row: "K05",
    code: "kafka.tls-wanted",
    title: "the port speaks TLS, and the connector does not",
    symptom: "a response of some 352,518,912 bytes is announced, or the broker hangs up",
    why: "security.protocol is PLAINTEXT (the default) or SASL_PLAINTEXT, and the listener has TLS",
    apart: "the four bytes are a TLS alert",
    cure: "set security.protocol to SSL, or to SASL_SSL if there is a login",
    texts: &["invalid receive (size = 352518912", "invalid receive (size = 352518400", "is ssl enabled in broker"],
};

static NOT_TLS: Cause = Cause {
    row: "K06",
    code: "kafka.tls-not-spoken",
    title: "the connector speaks TLS, and the port does not",
    symptom: "the TLS handshake fails, or the broker hangs up",
    why: "security.protocol is SSL or SASL_SSL, and the listener has no TLS",
    apart: "without TLS the same port answers as Kafka",
    cure: "set security.protocol to PLAINTEXT or SASL_PLAINTEXT, or take the port of the listener with TLS",
    texts: &["unsupported or unrecognized ssl message", "wrong version number"],
};

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

static OTHER_NAME: Cause = Cause {
    row: "K09",
    code: "kafka.certificate-other-name",
    title: "the broker's certificate is for other names than the one that is asked for",
    symptom: "the certificate is not valid for the name",
    why: "the broker is reached by an address or alias that its certificate does not carry",
    apart: "the names that it carries can be read from it",
    cure: "reach the broker by a name that its certificate carries, or have one issued with this name",
    texts: &["no subject alternative", "no name matching", "hostname mismatch"],
};

static OUT_OF_DATE: Cause = Cause {
    row: "K10",
    code: "kafka.certificate-out-of-date",
    title: "the broker's certificate is over, or has not begun",
    symptom: "the certificate has expired",
    why: "it was not renewed in time, the broker was not restarted after it was, or this machine's clock is wrong",
    apart: "compare its dates with this machine's date",
    cure: "renew the certificate on the broker, or set this machine's clock",
    texts: &["certificateexpiredexception", "certificate has expired", "certificatenotyetvalidexception"],
};

static UNKNOWN_AUTHORITY: Cause = Cause {
    row: "K11",
    code: "kafka.certificate-unknown-authority",
    title: "the broker's certificate is of an authority that is not trusted here",
    symptom: "the certificate's issuer is unknown",
    why: "ssl.truststore.location is missing or has another authority, or the broker does not send its intermediates",
    apart: "openssl s_client -connect HOST:PORT -showcerts shows which authority issued it",
    cure: "put the authority that issued it into the truststore",
    texts: &["pkix path building failed", "unable to find valid certification path", "certificate verify failed"],
};

static CERTIFICATE_WANTED: Cause = Cause {
    row: "K12",
    code: "kafka.client-certificate-wanted",
    title: "the broker wants a certificate from its clients, and the connector shows none",
    symptom: "the connection ends with the alert certificate_required or bad_certificate",
    why: "the listener has ssl.client.auth=required",
    apart: "the alert names the certificate, and no keystore is set",
    cure: "set ssl.keystore.location to a certificate and key that the brokers trust",
    texts: &["empty client certificate chain", "certificate_required"],
};

static CERTIFICATE_REFUSED: Cause = Cause {
    row: "K13",
    code: "kafka.client-certificate-refused",
    title: "the broker does not take the certificate that the connector shows",
    symptom: "the connection ends with an alert about our certificate",
    why: "it is over, is revoked, or is of an authority that the brokers' truststore does not have",
    apart: "the alert says which of these: unknown_ca, certificate_expired, certificate_revoked",
    cure: "show a certificate of an authority that the brokers trust",
    texts: &[
        "received fatal alert: unknown_ca",
        "received fatal alert: certificate_unknown",
        "received fatal alert: bad_certificate",
    ],
};

static NOTHING_IN_COMMON: Cause = Cause {
    row: "K14",
    code: "kafka.tls-nothing-in-common",
    title: "the broker has no version or cipher suite of TLS in common with the connector",
    symptom: "the handshake ends with protocol_version or handshake_failure",
    why: "ssl.enabled.protocols or ssl.cipher.suites of either side is too narrow, or the broker is limited to TLS 1.1",
    apart: "openssl s_client -connect HOST:PORT -tls1_2 and -tls1_3 show which versions it takes",
    cure: "let both sides have TLS 1.2 or 1.3, and take ssl.cipher.suites out",
    texts: &["received fatal alert: protocol_version", "no appropriate protocol"],
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

static CREDENTIALS: Cause = Cause {
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

static NO_TOKEN: Cause = Cause {
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

static TOO_OLD: Cause = Cause {
    row: "K21",
    code: "kafka.unsupported-version",
    title: "the broker is older than what Tidegate speaks",
    symptom: "no version of a request is in common",
    why: "the broker is of before Kafka 2.8, or is another product that has only old requests",
    apart: "the error names both sides' versions",
    cure: "use brokers of Kafka 2.8 or later",
    texts: &["unsupportedversionexception"],
};

static DROPPED: Cause = Cause {
    row: "K22",
    code: "kafka.disconnected",
    title: "the broker, or something between, closes the connection",
    symptom: "connection reset, or an end without a word",
    why: "the broker is restarting, has max.connections or max.connections.per.ip reached, or a load balancer has no broker behind it",
    apart: "the broker's log has a line for a connection that it refuses, and none for what never came",
    cure: "see whether the broker is up, and how many connections it has",
    texts: &["too many connections from", "bootstrap broker", "disconnected while requesting apiversion"],
};

static ADVERTISED: Cause = Cause {
    row: "K23",
    code: "kafka.advertised-elsewhere",
    title: "the broker advertises an address at which it cannot be reached from here",
    symptom: "the bootstrap server answers, and reading still never begins",
    why: "clients go to the address in advertised.listeners, which is meant for another network: a container's name, localhost, a private address",
    apart: "the bootstrap address answers, the advertised one does not",
    cure: "give the broker a listener whose advertised address is reached from here, and take its port for bootstrap.servers",
    texts: &["connection to node"],
};

pub(super) static CAUSES: &[&Cause] = &[
    &UNKNOWN_HOST,
    &REFUSED,
    &SILENT,
    &HTTP,
    &TLS_WANTED,
    &NOT_TLS,
    &LOGIN_WANTED,
    &NO_LOGIN,
    &OTHER_NAME,
    &OUT_OF_DATE,
    &UNKNOWN_AUTHORITY,
    &CERTIFICATE_WANTED,
    &CERTIFICATE_REFUSED,
    &NOTHING_IN_COMMON,
    &MECHANISM,
    &CREDENTIALS,
    &OTHER_HASH,
    &TOKEN,
    &NO_TOKEN,
    &IAM_CONNECT,
    &TOO_OLD,
    &DROPPED,
    &ADVERTISED,
];

pub(super) fn explain(case: &mut Case<'_>) {
    let facts = &case.facts.kafka;
    for door in facts.doors.iter().filter(|door| door.error.is_some()) {
        for diagnosis in of_door(case, door) {
            // Where it stands, is where it is explained: one of these is unwell.
            for check in [Check::KAFKA, Check::KAFKA_TLS, Check::KAFKA_AUTH] {
                if case.is_unwell(check) && stands_at(check, door) {
                    case.explain(check, diagnosis.clone());
                }
            }
        }
    }
    for door in facts.brokers.iter().filter(|door| door.error.is_some()) {
        let node = door.node.unwrap_or(-1);
        if is_answered(door) {
            for diagnosis in of_door(case, door) {
                case.explain(Check::ADVERTISED, diagnosis);
            }
            continue;
        }
        let because = format!("{} answered, and broker {node} advertises {}", facts.way.servers, door.address);
        let text = format!("advertised.listeners=NAME://AN-ADDRESS-THAT-IS-REACHED-FROM-HERE:{}", port(&door.address));
        let action = format!("set on broker {node} what the listener of {} advertises", facts.way.servers);
        let remedy = setting(action, text);
        // One broker: it is the one that answered. Of several, this one may be the one that is down.
        if facts.brokers.len() == 1 {
            case.explain(Check::ADVERTISED, Diagnosis::decided(&ADVERTISED, because).cure(remedy));
        } else {
            case.explain(Check::ADVERTISED, Diagnosis::likely(&ADVERTISED, because).cure(remedy));
            let apart = format!("see whether broker {node} runs");
            case.explain(Check::ADVERTISED, Diagnosis::possible(&REFUSED, apart));
        }
    }
    if let Some(kafka::cluster::Error::Net(error) | kafka::cluster::Error::NoServer { source: error, .. }) =
        &facts.letters.connection
    {
        let door = Door {
            address: facts.way.servers.as_str().into(),
            node: None,
            error: Some(error.clone()),
            mechanisms: None,
            plain: None,
            other_scram: None,
        };
        for diagnosis in of_door(case, &door) {
            case.explain(Check::DLQ, diagnosis);
        }
    }
}

fn is_answered(door: &Door) -> bool {
    let is_silent = matches!(door.error, Some(Error::HungUp { .. })) && door.mechanisms.is_none();
    !is_silent
        && !matches!(
            door.error,
            Some(Error::Resolve { .. } | Error::Connect { .. } | Error::SetupTimedOut { .. } | Error::TimedOut { .. })
        )
}

fn stands_at(check: &Check, door: &Door) -> bool {
    let Some(error) = &door.error else { return false };
    let tls = error.tls_fault().is_some();
    let reach = !is_answered(door)
        || !tls && matches!(error, Error::TooLarge { .. } | Error::Malformed { .. } | Error::OutOfStep { .. });
    match check {
        check if *check == *Check::KAFKA => reach,
        check if *check == *Check::KAFKA_TLS => tls,
        _ => !reach && !tls,
    }
}

/// Whether a name in a certificate can be one of a machine: what cannot would begin a setting of its own.
fn is_host(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || ".-_:[]".contains(c))
}

fn port(address: &str) -> &str {
    address.rsplit_once(':').map_or("9092", |(_, port)| port)
}

fn setting(action: impl Into<String>, text: impl Into<String>) -> Remedy {
    Remedy::paste(action, Paste::Setting(text.into()))
}

/// What may be behind the failure of one connection.
fn of_door(case: &Case<'_>, door: &Door) -> Vec<Diagnosis> {
    let (Some(error), way) = (&door.error, &case.facts.kafka.way) else { return Vec::new() };
    let address = &door.address;
    let said = Chain(error).to_string();
    if let Some(fault) = error.tls_fault() {
        return of_tls(case, door, &fault, &said);
    }
    match error {
        Error::Resolve { .. } => vec![Diagnosis::decided(&UNKNOWN_HOST, said)],
        Error::Connect { source, .. } if source.kind() == std::io::ErrorKind::ConnectionRefused => {
            vec![Diagnosis::decided(&REFUSED, format!("the machine at {address} says that nothing listens there"))]
        }
        Error::Connect { .. } | Error::SetupTimedOut { .. } | Error::TimedOut { .. } => {
            let apart =
                format!("see whether a connection to {address} is made at all: nc -vz {}", address.replace(':', " "));
            let remedy = Remedy::to(format!("let this machine in at port {} of the broker", port(address)));
            vec![
                Diagnosis::possible(&SILENT, apart).cure(remedy),
                Diagnosis::possible(&DROPPED, "the port may be open, and the broker behind it too busy to answer"),
            ]
        }
        Error::TooLarge { size, .. } => match size.to_be_bytes() {
            [b'H', b'T', b'T', b'P'] => {
                let because = format!("what {address} sent begins with the letters HTTP");
                vec![
                    Diagnosis::decided(&HTTP, because)
                        .cure(Remedy::to("write Kafka's own port into bootstrap.servers")),
                ]
            }
            [0x15, 0x03, ..] => {
                let because = format!("what {address} sent is a TLS alert");
                let protocol = if way.mechanism.is_some() { "SASL_SSL" } else { "SSL" };
                let remedy = setting("speak TLS", format!("security.protocol={protocol}"));
                vec![Diagnosis::decided(&TLS_WANTED, because).cure(remedy)]
            }
            _ => Vec::new(),
        },
        Error::HungUp { .. } => of_hang_up(door, way),
        Error::Refused { code, message, .. } => of_refusal(case, door, *code, message.as_deref()),
        Error::Authenticate { reason, .. } if reason.contains("there is no token") => {
            vec![Diagnosis::decided(&NO_TOKEN, said)]
        }
        Error::Authenticate { .. } => vec![Diagnosis::possible(&CREDENTIALS, said)],
        Error::NoCommonVersion { .. } => vec![Diagnosis::decided(&TOO_OLD, said)],
        Error::Disconnected { .. } => {
            let mut found =
                vec![Diagnosis::possible(&DROPPED, "look into the broker's log for this machine's address")];
            if !way.tls {
                found.push(Diagnosis::possible(&TLS_WANTED, format!("openssl s_client -connect {address} tells")));
            }
            found
        }
        _ => Vec::new(),
    }
}

fn of_tls(case: &Case<'_>, door: &Door, fault: &TlsFault, said: &str) -> Vec<Diagnosis> {
    let (address, way) = (&door.address, &case.facts.kafka.way);
    let host = address.rsplit_once(':').map_or(&**address, |(host, _)| host);
    match fault {
        TlsFault::NotTls if door.plain == Some(true) => {
            let because = format!("without TLS {address} answers as Kafka");
            let protocol = if way.mechanism.is_some() { "SASL_PLAINTEXT" } else { "PLAINTEXT" };
            let remedy = setting(
                "speak without TLS there, or better take the port of the listener with TLS",
                format!("security.protocol={protocol}"),
            );
            vec![Diagnosis::decided(&NOT_TLS, because).cure(remedy)]
        }
        TlsFault::NotTls => vec![
            Diagnosis::possible(&NOT_TLS, format!("openssl s_client -connect {address} tells whether it speaks TLS")),
            Diagnosis::possible(&NOTHING_IN_COMMON, NOTHING_IN_COMMON.apart),
            Diagnosis::possible(&DROPPED, "look into the broker's log for this machine's address"),
        ],
        TlsFault::OtherName { presented } => {
            let named: Vec<_> = presented.iter().map(|name| unwrapped(name)).collect();
            let because = if named.is_empty() {
                format!("it was asked for {host}, and does not carry that name")
            } else {
                format!("it was asked for {host}, and carries {}", named.join(", "))
            };
            let mut diagnosis = Diagnosis::decided(&OTHER_NAME, because);
            if let Some(name) = named.iter().find(|name| is_host(name)) {
                let text = format!("bootstrap.servers={name}:{}", port(address));
                diagnosis = diagnosis.cure(setting("reach the broker by a name that its certificate carries", text));
            }
            vec![diagnosis.cure(setting(
                "or, inside a network that you trust, leave the name unchecked",
                "ssl.endpoint.identification.algorithm=",
            ))]
        }
        TlsFault::Expired | TlsFault::NotYetValid => {
            let off = case.facts.clock_offset_ms.filter(|offset| offset.abs() > 300_000);
            let because = match off {
                Some(offset) => format!("{said}; this machine's clock is {} s off", offset.abs() / 1000),
                None => said.to_owned(),
            };
            vec![Diagnosis::decided(&OUT_OF_DATE, because)]
        }
        TlsFault::UnknownAuthority => {
            let command =
                format!("openssl s_client -connect {} -servername {} -showcerts </dev/null", word(address), word(host));
            let look = Remedy::paste("see which authority issued it", Paste::Command(command));
            let trust = setting(
                "trust that authority",
                "ssl.truststore.type=PEM\nssl.truststore.location=/path/to/authority.pem",
            );
            vec![Diagnosis::decided(&UNKNOWN_AUTHORITY, said).cure(trust).cure(look)]
        }
        TlsFault::CertificateWanted => vec![wanted(said)],
        // Which alert a broker has for a certificate that is missing depends on its Java and on TLS's version.
        TlsFault::CertificateRefused { .. } if !way.certificate => vec![wanted(said)],
        TlsFault::CertificateRefused { alert } => {
            vec![Diagnosis::decided(&CERTIFICATE_REFUSED, format!("the broker sent the alert {alert}"))]
        }
        TlsFault::NothingInCommon => vec![Diagnosis::decided(&NOTHING_IN_COMMON, said)],
        _ => {
            let mut found = vec![Diagnosis::possible(&NOTHING_IN_COMMON, NOTHING_IN_COMMON.apart)];
            if !way.certificate {
                found.push(Diagnosis::possible(&CERTIFICATE_WANTED, CERTIFICATE_WANTED.apart));
            }
            found
        }
    }
}

fn wanted(said: &str) -> Diagnosis {
    let remedy =
        setting("show a certificate", "ssl.keystore.type=PEM\nssl.keystore.location=/path/to/certificate-and-key.pem");
    Diagnosis::decided(&CERTIFICATE_WANTED, format!("no keystore is set, and: {said}")).cure(remedy)
}

/// `DnsName("localhost")` as rustls writes it.
fn unwrapped(name: &str) -> String {
    name.split_once('"').and_then(|(_, rest)| rest.split_once('"')).map_or(name, |(inner, _)| inner).to_owned()
}

fn of_hang_up(door: &Door, way: &KafkaWay) -> Vec<Diagnosis> {
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

fn of_refusal(case: &Case<'_>, door: &Door, code: ErrorCode, message: Option<&str>) -> Vec<Diagnosis> {
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
