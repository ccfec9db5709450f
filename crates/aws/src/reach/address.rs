use http::{Method, Uri};
use iam::Partition;
use identity::{StsEndpoint, domain_of};

use crate::s3::S3Options;

/// A service that is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// STS.
    Sts,
    /// S3.
    S3,
    /// KMS.
    Kms,
}

impl Service {
    /// As AWS calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sts => "STS",
            Self::S3 => "S3",
            Self::Kms => "KMS",
        }
    }

    /// Something that needs no signature to be answered and changes nothing: method, path, and what makes it that service's.
    pub(super) fn question(self) -> Question {
        let question = |method, path| Question { method, path, headers: &[], body: "" };
        match self {
            // `MissingAuthenticationToken`, in STS's XML.
            Self::Sts => question(Method::GET, "/?Action=GetCallerIdentity&Version=2011-06-15"),
            // A redirect or a no, with S3's own headers.
            Self::S3 => question(Method::HEAD, "/"),
            // `MissingAuthenticationTokenException`, in KMS's JSON.
            Self::Kms => Question {
                method: Method::POST,
                path: "/",
                headers: &[("x-amz-target", "TrentService.ListKeys"), ("content-type", "application/x-amz-json-1.1")],
                body: "{}",
            },
        }
    }
}

pub(super) struct Question {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) headers: &'static [(&'static str, &'static str)],
    pub(super) body: &'static str,
}

/// Where a service is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) tls: bool,
    /// A name, or an address; without the brackets of IPv6.
    pub(super) host: String,
    pub(super) port: u16,
}

impl Address {
    /// Of a URL; `None` if it is none with a host.
    pub(super) fn of(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let tls = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let host = uri.host()?.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        (!host.is_empty()).then_some(Self { tls, host, port })
    }

    /// `host`, or `host:port` where that is not the usual one: as it stands in a request.
    pub(super) fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (self.tls, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

/// The URL at which STS is asked.
pub(crate) fn sts(sts: &StsEndpoint) -> String {
    sts.endpoint.clone().unwrap_or_else(|| url("sts", &sts.region, sts.fips, sts.dual_stack, false))
}

/// The URL at which KMS is.
pub(crate) fn kms(region: &str, endpoint: Option<&str>, fips: bool) -> String {
    endpoint.map_or_else(|| url("kms", region, fips, false, false), str::to_owned)
}

/// The URL at which a bucket is asked for: its own host where it has one, as for the SDK.
pub(crate) fn s3(options: &S3Options) -> String {
    if let Some(endpoint) = &options.endpoint {
        return endpoint.clone();
    }
    let url = url("s3", &options.region, options.fips, options.dual_stack, true);
    // A certificate for *.s3... is none for a name with two dots more, so the SDK lets such buckets stand in the path.
    if options.path_style || options.bucket.contains('.') || options.bucket.starts_with("arn:") {
        return url;
    }
    url.replacen("https://", &format!("https://{}.", options.bucket), 1)
}

/// As the SDK's rules have it: `https://sts-fips.us-east-1.amazonaws.com`, `https://s3.dualstack.eu-central-1..`.
fn url(service: &str, region: &str, fips: bool, dual_stack: bool, s3: bool) -> String {
    let partition = Partition::of_region(region);
    let domain = domain_of(partition);
    let fips = if fips { "-fips" } else { "" };
    match (dual_stack, s3, partition.name()) {
        (true, true, _) => format!("https://{service}{fips}.dualstack.{region}.{domain}"),
        (true, false, "aws-cn") => format!("https://{service}{fips}.{region}.api.amazonwebservices.com.cn"),
        (true, false, _) => format!("https://{service}{fips}.{region}.api.aws"),
        // Its STS has FIPS 140 cryptography, and no host of another name.
        (false, false, "aws-us-gov") if service == "sts" => format!("https://sts.{region}.{domain}"),
        (false, _, _) => format!("https://{service}{fips}.{region}.{domain}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_looked_for_where_the_sdk_asks_them() {
        let at = |region: &str, fips, dual_stack| sts(&StsEndpoint { fips, dual_stack, ..StsEndpoint::new(region) });
        assert_eq!(at("eu-central-1", false, false), "https://sts.eu-central-1.amazonaws.com");
        assert_eq!(at("us-east-1", true, false), "https://sts-fips.us-east-1.amazonaws.com");
        assert_eq!(at("us-gov-west-1", true, false), "https://sts.us-gov-west-1.amazonaws.com");
        assert_eq!(at("eu-central-1", false, true), "https://sts.eu-central-1.api.aws");
        assert_eq!(at("cn-north-1", false, false), "https://sts.cn-north-1.amazonaws.com.cn");
        let bucket = |name: &str| s3(&S3Options::new(name, "eu-central-1"));
        assert_eq!(bucket("lake"), "https://lake.s3.eu-central-1.amazonaws.com");
        assert_eq!(bucket("a.b"), "https://s3.eu-central-1.amazonaws.com");
        let dual = S3Options { dual_stack: true, fips: true, ..S3Options::new("lake", "us-east-1") };
        assert_eq!(s3(&dual), "https://lake.s3-fips.dualstack.us-east-1.amazonaws.com");
        assert_eq!(kms("eu-west-1", None, false), "https://kms.eu-west-1.amazonaws.com");
    }

    #[test]
    fn an_authority_has_its_port_where_it_is_not_the_usual_one() {
        for (url, host, port, authority) in [
            ("https://a.example", "a.example", 443, "a.example"),
            ("http://a.example:9000", "a.example", 9000, "a.example:9000"),
            ("http://[::1]:9000", "::1", 9000, "[::1]:9000"),
            ("https://[fd00::1]", "fd00::1", 443, "[fd00::1]"),
        ] {
            let address = Address::of(url).unwrap();
            assert_eq!((&*address.host, address.port, &*address.authority()), (host, port, authority));
        }
        assert_eq!(Address::of("nonsense"), None);
    }
}
