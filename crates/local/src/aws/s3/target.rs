use http::request::Parts;

use crate::aws::api_error::ApiError;
use crate::aws::uri::decode;

/// The longest key, in bytes of UTF-8.
const MAX_KEY: usize = 1024;

/// The bucket and key that a request names; empty where it names none.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::aws) struct Target {
    pub(in crate::aws) bucket: String,
    pub(in crate::aws) key: String,
    /// The region whose endpoint the host names, if it names one.
    pub(in crate::aws) region: Option<String>,
}

impl Target {
    /// Whether the request names its bucket in the host.
    pub(in crate::aws) fn is_in_host(parts: &Parts) -> bool {
        bucket_of_host(host(parts)).is_some()
    }

    /// Reads them from the path, and the bucket from the host where it stands there.
    pub(in crate::aws) fn read(parts: &Parts) -> Result<Self, ApiError> {
        let path = parts.uri.path().strip_prefix('/').unwrap_or_default();
        let (bucket, key) = if let Some(bucket) = bucket_of_host(host(parts)) {
            (bucket.to_owned(), path)
        } else {
            let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
            (decode(bucket, false)?, key)
        };
        let key = decode(key, false)?;
        if key.len() > MAX_KEY {
            return Err(ApiError::of("KeyTooLongError")
                .field("Size", key.len().to_string())
                .field("MaxSizeAllowed", MAX_KEY.to_string()));
        }
        Ok(Self { bucket, key, region: region_of_host(host(parts)).map(str::to_owned) })
    }
}

fn host(parts: &Parts) -> &str {
    parts.headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default()
}

/// The region behind `s3.` or `s3-`, as in `lake.s3.eu-west-1.amazonaws.com`; none in `s3.localhost`.
fn region_of_host(host: &str) -> Option<&str> {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let (_, rest) = name.rsplit_once("s3.").or_else(|| name.rsplit_once("s3-"))?;
    let region = rest.split('.').next()?;
    let ends_with_number =
        region.rsplit('-').next().is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    Some(region).filter(|_| ends_with_number && region.split('-').count() >= 3)
}

/// The bucket before `.s3.` (as at AWS) or before `.localhost` (as clients make of a local endpoint).
fn bucket_of_host(host: &str) -> Option<&str> {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if let Some((bucket, rest)) = name.split_once(".s3.").or_else(|| name.split_once(".s3-")) {
        return Some(bucket).filter(|bucket| !bucket.is_empty() && !rest.is_empty());
    }
    name.strip_suffix(".localhost").filter(|bucket| !bucket.is_empty() && *bucket != "s3")
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::{Target, region_of_host};

    fn target(host: &str, path: &str) -> (String, String) {
        let request = Request::builder().uri(path).header("host", host).body(()).unwrap();
        let Target { bucket, key, .. } = Target::read(&request.into_parts().0).unwrap();
        (bucket, key)
    }

    #[test]
    fn the_region_stands_behind_s3_or_nowhere() {
        for (host, region) in [
            ("lake.s3.eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("s3.us-gov-west-1.localhost:4566", Some("us-gov-west-1")),
            ("s3-eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("s3.amazonaws.com", None),
            ("my-1.s3.localhost:4566", None),
            ("127.0.0.1:4566", None),
        ] {
            assert_eq!(region_of_host(host), region, "{host}");
        }
    }

    #[test]
    fn the_bucket_stands_in_the_path_or_in_the_host() {
        for (host, path, bucket, key) in [
            ("127.0.0.1:9000", "/", "", ""),
            ("127.0.0.1:9000", "/lake", "lake", ""),
            ("127.0.0.1:9000", "/lake/", "lake", ""),
            ("127.0.0.1:9000", "/lake/a//b%20c+d", "lake", "a//b c+d"),
            ("localhost:9000", "/lake/a", "lake", "a"),
            ("lake.localhost:9000", "/a/b", "lake", "a/b"),
            ("my.lake.s3.localhost:9000", "/a", "my.lake", "a"),
            ("s3.localhost:9000", "/lake/a", "lake", "a"),
            ("lake.s3.eu-west-1.amazonaws.com", "/", "lake", ""),
            ("s3.eu-west-1.amazonaws.com", "/lake/a", "lake", "a"),
        ] {
            assert_eq!(target(host, path), (bucket.to_owned(), key.to_owned()), "{host} {path}");
        }
    }
}
