use std::sync::Arc;

use super::client::Tls;
use super::{Properties, sasl, ssl};
use crate::net::{Sasl, TokenProvider};

pub(super) struct Security {
    pub(super) tls: Option<Tls>,
    pub(super) sasl: Option<Sasl>,
}

/// Reads `security.protocol`, `ssl.*` and `sasl.*`.
pub(super) fn read(properties: &mut Properties<'_>, tokens: Option<Arc<dyn TokenProvider>>) -> Security {
    let (with_tls, with_sasl) = properties.choice(
        "security.protocol",
        (false, false),
        &[
            ("PLAINTEXT", (false, false)),
            ("SSL", (true, false)),
            ("SASL_PLAINTEXT", (false, true)),
            ("SASL_SSL", (true, true)),
        ],
    );
    let tls = if with_tls { ssl::read(properties) } else { None };
    let sasl = if with_sasl { sasl::read(properties, tokens) } else { None };
    if !with_tls {
        properties.ignore_prefix("ssl.", "security.protocol is not SSL or SASL_SSL");
    }
    if !with_sasl {
        properties.ignore_prefix("sasl.", "security.protocol is not SASL_PLAINTEXT or SASL_SSL");
    }
    properties.ignore("security.providers", "there are no Java security providers here");
    Security { tls, sasl }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::config::{Checked, ClientConfig, Problems};

    fn read(pairs: &[(&str, &str)]) -> Result<Checked, Problems> {
        let pairs = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        ClientConfig::from_properties(&pairs.collect::<BTreeMap<_, _>>(), None)
    }

    /// The faults, as `key: problem`.
    fn faults(pairs: &[(&str, &str)]) -> Vec<String> {
        read(pairs).unwrap_err().0.into_iter().map(|fault| format!("{}: {}", fault.key, fault.problem)).collect()
    }

    #[test]
    fn kerberos_is_refused_with_a_reason_even_as_java_s_default() {
        for pairs in [
            &[("security.protocol", "SASL_SSL")][..],
            &[("security.protocol", "SASL_PLAINTEXT"), ("sasl.mechanism", "GSSAPI")],
        ] {
            let faults = faults(pairs);
            assert!(faults[0].starts_with("sasl.mechanism: Kerberos is not supported"), "{faults:?}");
        }
    }

    #[test]
    fn every_fault_of_a_login_is_told_and_no_secret() {
        let login = "org.apache.kafka.common.security.plain.PlainLoginModule required password=\"\" x=\"hunter2\";";
        let pairs = [
            ("security.protocol", "SASL_SSL"),
            ("sasl.mechanism", "PLAIN"),
            ("sasl.jaas.config", login),
            ("sasl.login.class", "com.example.Login"),
            ("ssl.truststore.location", "/no/such/file"),
            ("ssl.enabled.protocols", "TLSv1"),
            ("ssl.engine.factory.class", "com.example.Engine"),
            ("request.timeout.ms", "soon"),
        ];
        let found = faults(&pairs);
        for expected in [
            "ssl.truststore.location: cannot be read: ",
            "ssl.enabled.protocols: has no version that is still safe",
            "ssl.engine.factory.class: is Java code, which cannot be run here",
            "sasl.login.class: is Java code, which cannot be run here",
            "sasl.jaas.config: has no username",
            "sasl.jaas.config: has no password",
            "request.timeout.ms: not a whole number",
        ] {
            assert!(found.iter().any(|fault| fault.starts_with(expected)), "{expected} is not in {found:?}");
        }
        assert_eq!(found.len(), 7, "{found:?}");
        assert!(!read(&pairs).unwrap_err().to_string().contains("hunter2"));
    }

    #[test]
    fn a_login_module_of_another_mechanism_is_named() {
        let login = "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"a\" password=\"b\";";
        let pairs = [("security.protocol", "SASL_PLAINTEXT"), ("sasl.mechanism", "PLAIN"), ("sasl.jaas.config", login)];
        assert_eq!(
            faults(&pairs),
            ["sasl.jaas.config: has the login module org.apache.kafka.common.security.scram.ScramLoginModule"]
        );
    }

    #[test]
    fn each_mechanism_is_read_from_its_login() {
        const COMMON: &str = "org.apache.kafka.common.security";
        let user = "username=\"a\" password=\"b\"";
        for (mechanism, login, expected) in [
            ("PLAIN", format!("{COMMON}.plain.PlainLoginModule required {user};"), "PLAIN"),
            ("SCRAM-SHA-256", format!("{COMMON}.scram.ScramLoginModule required {user};"), "SCRAM-SHA-256"),
            ("SCRAM-SHA-512", format!("{COMMON}.scram.ScramLoginModule required {user};"), "SCRAM-SHA-512"),
            (
                "OAUTHBEARER",
                format!(
                    "{COMMON}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=\"a\" \
                     unsecuredLoginNumberClaim_n=\"1.5\" unsecuredLoginListClaim_l=\",x,y\";"
                ),
                "OAUTHBEARER",
            ),
        ] {
            let pairs =
                [("security.protocol", "SASL_PLAINTEXT"), ("sasl.mechanism", mechanism), ("sasl.jaas.config", &login)];
            let sasl = read(&pairs).unwrap().config.sasl.unwrap();
            assert_eq!(sasl.mechanism(), expected);
            assert!(!format!("{sasl:?}").contains("\"b\""), "{sasl:?}");
        }
    }

    #[test]
    fn a_token_endpoint_needs_an_id_and_a_secret() {
        let login = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;";
        let pairs = [
            ("security.protocol", "SASL_PLAINTEXT"),
            ("sasl.mechanism", "OAUTHBEARER"),
            ("sasl.jaas.config", login),
            ("sasl.oauthbearer.token.endpoint.url", "ftp://example.com"),
        ];
        assert_eq!(
            faults(&pairs),
            [
                "sasl.oauthbearer.token.endpoint.url: is not the address of a token endpoint",
                "sasl.jaas.config: has no clientId",
                "sasl.jaas.config: has no clientSecret",
            ]
        );
    }

    #[test]
    fn msk_s_mechanism_needs_somebody_who_has_aws_credentials() {
        let pairs = [
            ("security.protocol", "SASL_SSL"),
            ("sasl.mechanism", "AWS_MSK_IAM"),
            ("sasl.jaas.config", "software.amazon.msk.auth.iam.IAMLoginModule required;"),
            ("sasl.client.callback.handler.class", "software.amazon.msk.auth.iam.IAMClientCallbackHandler"),
        ];
        assert_eq!(faults(&pairs), ["sasl.mechanism: needs AWS credentials, and there are none in this place"]);
    }

    #[test]
    fn security_keys_without_their_protocol_are_named() {
        let warnings = read(&[("ssl.truststore.location", "/a"), ("sasl.mechanism", "PLAIN")]).unwrap().warnings;
        let keys: Vec<_> = warnings.iter().map(|warning| &*warning.key).collect();
        assert_eq!(keys, ["ssl.truststore.location", "sasl.mechanism"]);
    }
}
