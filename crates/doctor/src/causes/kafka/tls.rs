//! What a TLS handshake with a broker fails of.

use kafka::net::TlsFault;

use super::super::Case;
use super::super::shell::word;
use super::reach::{DROPPED, port, setting};
use crate::kafka_facts::Door;
use crate::{Cause, Diagnosis, Paste, Remedy};

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

pub(super) static CAUSES: &[&Cause] = &[
    &NOT_TLS,
    &OTHER_NAME,
    &OUT_OF_DATE,
    &UNKNOWN_AUTHORITY,
    &CERTIFICATE_WANTED,
    &CERTIFICATE_REFUSED,
    &NOTHING_IN_COMMON,
];

/// What may be behind a handshake that failed.
pub(super) fn of_tls(case: &Case<'_>, door: &Door, fault: &TlsFault, said: &str) -> Vec<Diagnosis> {
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
            Diagnosis::possible(
                &NOT_TLS,
                format!("openssl s_client -connect {} tells whether it speaks TLS", word(address)),
            ),
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

/// Whether a name in a certificate can be one of a machine: what cannot would begin a setting of its own.
fn is_host(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || ".-_:[]".contains(c))
}
