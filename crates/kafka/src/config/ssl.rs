use rustls_pki_types::CertificateDer;

use super::Properties;
use super::client::Tls;
use super::stores::{self, STORE_TYPES, StoreError, StoreType};
use crate::net::tls::{self, Material};

/// Why some properties change nothing.
const JAVA: &str = "it chooses among Java's TLS implementations; here it is rustls";

/// Reads `ssl.*` for a client that speaks TLS. `None` if anything in it is at fault.
pub(super) fn read(properties: &mut Properties<'_>) -> Option<Tls> {
    let authorities = read_authorities(properties);
    let identity = read_identity(properties);
    let verify_name = properties.choice("ssl.endpoint.identification.algorithm", true, &[("https", true), ("", false)]);
    let versions = read_versions(properties);
    let suites = properties.list("ssl.cipher.suites").into_iter().map(str::to_owned).collect();
    if properties.text("ssl.engine.factory.class").is_some() {
        properties.problem("ssl.engine.factory.class", "is Java code, which cannot be run here");
    }
    for key in [
        "ssl.provider",
        "ssl.secure.random.implementation",
        "ssl.trustmanager.algorithm",
        "ssl.keymanager.algorithm",
        "ssl.protocol",
    ] {
        properties.ignore(key, JAVA);
    }
    // What failed has been noted; there is nothing to set up then.
    let (Ok(authorities), Ok(identity), Some(versions)) = (authorities, identity, versions) else { return None };
    match tls::client(Material { authorities, identity, verify_name, versions, suites }) {
        Ok(client) => Some(Tls(client)),
        Err(error) => {
            let key = match error {
                tls::MaterialError::NoPlatformRoots(_) | tls::MaterialError::Authority(_) => "ssl.truststore.location",
                tls::MaterialError::Identity(_) => "ssl.keystore.location",
                tls::MaterialError::NoSuite => "ssl.cipher.suites",
                tls::MaterialError::Other(_) => "security.protocol",
            };
            properties.problem(key, error);
            None
        }
    }
}

/// A fault that has been noted already.
struct Noted;

fn note<T>(properties: &mut Properties<'_>, key: &'static str, result: Result<T, StoreError>) -> Result<T, Noted> {
    result.map_err(|error| {
        properties.problem(key, error);
        Noted
    })
}

fn read_authorities(properties: &mut Properties<'_>) -> Result<Option<Vec<CertificateDer<'static>>>, Noted> {
    let kind = properties.choice("ssl.truststore.type", StoreType::Java, STORE_TYPES);
    let password = properties.secret("ssl.truststore.password");
    let inline = properties.text("ssl.truststore.certificates");
    let location = properties.text("ssl.truststore.location");
    match (inline, location) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => {
            properties.problem("ssl.truststore.certificates", "is set beside ssl.truststore.location; one is enough");
            Err(Noted)
        }
        (Some(pem), None) => {
            let found = stores::authorities(unescape(pem).as_bytes(), StoreType::Pem, None);
            note(properties, "ssl.truststore.certificates", found).map(Some)
        }
        (None, Some(path)) => {
            let found = stores::read_file(path).and_then(|data| stores::authorities(&data, kind, password.as_ref()));
            note(properties, "ssl.truststore.location", found).map(Some)
        }
    }
}

fn read_identity(properties: &mut Properties<'_>) -> Result<Option<stores::Identity>, Noted> {
    let kind = properties.choice("ssl.keystore.type", StoreType::Java, STORE_TYPES);
    let password = properties.secret("ssl.keystore.password");
    let key_password = properties.secret("ssl.key.password");
    let inline_key = properties.secret("ssl.keystore.key").filter(|key| !key.is_empty());
    let inline_chain = properties.text("ssl.keystore.certificate.chain");
    let location = properties.text("ssl.keystore.location");
    match (inline_key, inline_chain, location) {
        (None, None, None) => Ok(None),
        (Some(key), Some(chain), None) => {
            let key = stores::private_key(unescape(key.expose()).as_bytes(), key_password.as_ref());
            let key = note(properties, "ssl.keystore.key", key)?;
            let chain = stores::certificates(unescape(chain).as_bytes());
            Ok(Some((note(properties, "ssl.keystore.certificate.chain", chain)?, key)))
        }
        (None, None, Some(path)) => {
            let found = stores::read_file(path)
                .and_then(|data| stores::identity(&data, kind, password.as_ref(), key_password.as_ref()));
            note(properties, "ssl.keystore.location", found).map(Some)
        }
        (Some(_), None, None) => {
            properties.problem("ssl.keystore.certificate.chain", "is missing beside ssl.keystore.key");
            Err(Noted)
        }
        (None, Some(_), None) => {
            properties.problem("ssl.keystore.key", "is missing beside ssl.keystore.certificate.chain");
            Err(Noted)
        }
        (_, _, Some(_)) => {
            let problem = "is set beside ssl.keystore.key or ssl.keystore.certificate.chain; one way is enough";
            properties.problem("ssl.keystore.location", problem);
            Err(Noted)
        }
    }
}

/// A PEM text that went through a JSON or properties file by hand often has `\n` for its line ends.
fn unescape(pem: &str) -> String {
    pem.replace("\\n", "\n")
}

fn read_versions(properties: &mut Properties<'_>) -> Option<Vec<&'static rustls::SupportedProtocolVersion>> {
    const KEY: &str = "ssl.enabled.protocols";
    let names = properties.list(KEY);
    if names.is_empty() {
        return Some(vec![&rustls::version::TLS13, &rustls::version::TLS12]);
    }
    let known = names.iter().filter_map(|name| match *name {
        "TLSv1.3" => Some(&rustls::version::TLS13),
        "TLSv1.2" => Some(&rustls::version::TLS12),
        // SSLv3 to TLSv1.1 are in many old files beside the good ones; they are not offered.
        _ => None,
    });
    let known: Vec<_> = known.collect();
    if known.is_empty() {
        properties.problem_with(KEY, "has no version that is still safe", Some("TLSv1.3, TLSv1.2".to_owned()));
        return None;
    }
    Some(known)
}
