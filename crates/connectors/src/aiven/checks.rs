//! What single keys must be: upstream's validators, in its words.

use format::Codec;

use crate::define::{Check, Complaint, Value};
use crate::naming::{TimestampSource, Zone};

/// The output types that upstream has.
pub(super) const TYPES: &[&str] = &["avro", "csv", "json", "jsonl", "parquet"];
/// Those of them that this release has.
pub(super) const SUPPORTED_TYPES: &[&str] = &["csv", "json", "jsonl"];
/// The fields of a record.
pub(super) const FIELDS: &[&str] = &["key", "value", "offset", "timestamp", "headers"];
/// How csv values are written.
pub(super) const ENCODINGS: &[&str] = &["none", "base64"];
/// The compressions.
pub(super) const CODECS: &[&str] = &["none", "gzip", "snappy", "zstd"];

fn quoted(values: &[&str]) -> String {
    values.iter().map(|value| format!("'{value}'")).collect::<Vec<_>>().join(", ")
}

pub(super) fn password(value: Option<&Value>) -> Result<(), Complaint> {
    match value {
        Some(Value::Password(secret)) if secret.is_empty() => Err(Complaint::why("Password must be non-empty")),
        _ => Ok(()),
    }
}

/// The providers of the AWS SDK for Java that stand for something here; see `access.rs`. Aiven's connector has version 1,
/// and connectors that use version 2 the others.
pub(super) const PROVIDERS: &[&str] = &[
    "com.amazonaws.auth.DefaultAWSCredentialsProviderChain",
    "com.amazonaws.auth.EC2ContainerCredentialsProviderWrapper",
    "com.amazonaws.auth.ContainerCredentialsProvider",
    "com.amazonaws.auth.EnvironmentVariableCredentialsProvider",
    "com.amazonaws.auth.InstanceProfileCredentialsProvider",
    "com.amazonaws.auth.WebIdentityTokenCredentialsProvider",
    "com.amazonaws.auth.profile.ProfileCredentialsProvider",
    "software.amazon.awssdk.auth.credentials.AnonymousCredentialsProvider",
    "software.amazon.awssdk.auth.credentials.ContainerCredentialsProvider",
    "software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider",
    "software.amazon.awssdk.auth.credentials.EnvironmentVariableCredentialsProvider",
    "software.amazon.awssdk.auth.credentials.InstanceProfileCredentialsProvider",
    "software.amazon.awssdk.auth.credentials.ProfileCredentialsProvider",
    "software.amazon.awssdk.auth.credentials.WebIdentityTokenFileCredentialsProvider",
];

pub(super) fn provider(value: Option<&Value>) -> Result<(), Complaint> {
    match value {
        Some(Value::Text(class)) if !PROVIDERS.contains(&class.as_str()) => {
            Err(Complaint::why(format!("Class {class} could not be found.")))
        }
        _ => Ok(()),
    }
}

/// Upstream hands the text to `java.net.URL`, with `https://` before it if it has no scheme. Of the schemes that Java
/// knows only two can be S3.
pub(super) fn endpoint(value: Option<&Value>) -> Result<(), Complaint> {
    let Some(Value::Text(text)) = value else { return Ok(()) };
    if text.is_empty() {
        return Err(Complaint::why("String must be non-empty"));
    }
    match with_scheme(text) {
        // Upstream sends requests that no store answers. Ours would show the password in every error.
        url if has_user(&url) => Err(Complaint::why("must not hold a user or a password")),
        url if is_url(&url) => Ok(()),
        _ => Err(Complaint::why("should be valid URL")),
    }
}

/// An endpoint without a scheme is asked by https, as the AWS SDK for Java 1 does.
pub(super) fn with_scheme(endpoint: &str) -> String {
    if endpoint.contains("://") { endpoint.to_owned() } else { format!("https://{endpoint}") }
}

fn has_user(url: &str) -> bool {
    url.split_once("://")
        .is_some_and(|(_, rest)| rest.split(['/', '?', '#']).next().is_some_and(|host| host.contains('@')))
}

fn is_url(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (name, port) = match authority.strip_prefix('[') {
        Some(v6) => match v6.split_once(']') {
            Some((name, port)) => (name, port.strip_prefix(':').unwrap_or(port)),
            None => return false,
        },
        None => authority.split_once(':').unwrap_or((authority, "")),
    };
    let is_scheme = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    is_scheme
        && !name.is_empty()
        && !url.contains(char::is_whitespace)
        && (port.is_empty() || port.parse::<u16>().is_ok())
}

pub(super) fn part_size(value: Option<&Value>) -> Result<(), Complaint> {
    match value {
        Some(Value::Number(size)) if *size <= 0 => Err(Complaint::why("Part size must be greater than 0")),
        Some(Value::Number(size)) if *size > 2_000_000_000 => {
            Err(Complaint::why("Part size must be no more: 2000000000 bytes (2GB)"))
        }
        Some(Value::Number(_)) => Ok(()),
        _ => Err(Complaint::why("Part size must be non-null")),
    }
}

/// A delay of retries. That it must fit 32 bits upstream finds in a dead task (`integer overflow`).
pub(super) fn delay(value: Option<&Value>) -> Result<(), Complaint> {
    Check::Range(Some(1), Some(i32::MAX.into())).run(value)
}

pub(super) fn retry_backoff(value: Option<&Value>) -> Result<(), Complaint> {
    match value {
        Some(Value::Number(millis)) if *millis < 0 => Err(Complaint::why("Value must be at least 0")),
        Some(Value::Number(millis)) if *millis > 86_400_000 => {
            Err(Complaint::why("Value must be no more than 86400000 (24 hours)"))
        }
        _ => Ok(()),
    }
}

pub(super) fn compression(value: Option<&Value>) -> Result<(), Complaint> {
    match value {
        Some(Value::Text(text)) if text.parse::<Codec>().is_err() => {
            Err(Complaint::WhyShowing(text.to_lowercase(), quoted(CODECS)))
        }
        _ => Ok(()),
    }
}

pub(super) fn zone(value: Option<&Value>) -> Result<(), Complaint> {
    match value {
        Some(Value::Text(id)) => match Zone::parse(id) {
            Ok(_) => Ok(()),
            Err(error) => Err(Complaint::why(error.to_string())),
        },
        _ => Ok(()),
    }
}

pub(super) fn timestamp_source(value: Option<&Value>) -> Result<(), Complaint> {
    match value {
        Some(Value::Text(text)) if TimestampSource::of(text).is_none() => {
            Err(Complaint::why(format!("Unknown timestamp source: {text}")))
        }
        _ => Ok(()),
    }
}

pub(super) fn output_type(value: Option<&Value>) -> Result<(), Complaint> {
    let Some(Value::Text(text)) = value else { return Ok(()) };
    if text.is_empty() {
        // Upstream's slip: the name comes where the value belongs.
        return Err(Complaint::Whole(
            "Invalid value must not be empty or not set for configuration format.output.type".to_owned(),
        ));
    }
    let is = |kind: &&&str| kind.eq_ignore_ascii_case(text);
    match TYPES.iter().find(is) {
        None => Err(Complaint::why(format!("Supported values are: {}", quoted(TYPES)))),
        Some(kind) if !SUPPORTED_TYPES.contains(kind) => Err(Complaint::why(format!(
            "output type {kind} is not supported by this release; supported are: {}",
            quoted(SUPPORTED_TYPES)
        ))),
        Some(_) => Ok(()),
    }
}

pub(super) fn output_fields(value: Option<&Value>) -> Result<(), Complaint> {
    let Some(Value::List(fields)) = value else { return Ok(()) };
    if fields.is_empty() {
        return Err(Complaint::why("cannot be empty"));
    }
    if fields.iter().all(|field| FIELDS.iter().any(|known| known.eq_ignore_ascii_case(field))) {
        Ok(())
    } else {
        Err(Complaint::why(format!("supported values are: {}", quoted(FIELDS))))
    }
}

pub(super) fn value_encoding(value: Option<&Value>) -> Result<(), Complaint> {
    match value {
        Some(Value::Text(text)) if !ENCODINGS.contains(&text.as_str()) => {
            Err(Complaint::why(format!("supported values are: {}", quoted(ENCODINGS))))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_urls_of_the_web() {
        let check = |text: &str| endpoint(Some(&Value::Text(text.to_owned())));
        for text in
            ["http://localhost:9000", "https://s3.example.com/x", "minio:9000", "s3.example.com", "http://[::1]:80"]
        {
            assert_eq!(check(text), Ok(()), "{text}");
        }
        for text in ["ffff://asdsadas", "http://", "http://a b", "http://a:99999", "://x", "http://[::1"] {
            assert_eq!(check(text), Err(Complaint::why("should be valid URL")), "{text}");
        }
        assert_eq!(check(""), Err(Complaint::why("String must be non-empty")));
        let user = Err(Complaint::why("must not hold a user or a password"));
        assert_eq!(check("http://user:password@host:9000"), user);
        assert_eq!(check("http://host:9000/a@b"), Ok(()));
    }
}
