use std::net::IpAddr;

use world::Environment;

/// What the environment says of proxies. Nothing here goes by it: requests to AWS, and to metadata services all the more,
/// go straight. It is told because other programs of the machine do, and because a network may let nothing else out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProxyVariables {
    /// The variables that name a proxy, each with its host and port (what else is in it may be a password).
    pub proxies: Vec<(String, String)>,
    /// What goes past it, as it is written down.
    pub exceptions: Vec<String>,
}

const NAMES: [&str; 6] = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

impl ProxyVariables {
    /// Where metadata services are: instances', ECS's, instances' by IPv6.
    pub const METADATA: [&'static str; 3] = ["169.254.169.254", "169.254.170.2", "fd00:ec2::254"];

    /// Reads the variables.
    pub fn read(environment: &Environment) -> Self {
        let proxies = NAMES.iter().filter_map(|name| Some(((*name).to_owned(), host_of(&environment.get(name)?))));
        let exceptions = ["NO_PROXY", "no_proxy"].iter().find_map(|name| environment.get(name)).unwrap_or_default();
        let exceptions = exceptions.split([',', ' ']).map(str::trim).filter(|one| !one.is_empty()).map(str::to_owned);
        Self { proxies: proxies.collect(), exceptions: exceptions.collect() }
    }

    /// Whether a program that goes by them asks `host` past the proxy: a name or its domain, an address or its network, `*`.
    pub fn is_excepted(&self, host: &str) -> bool {
        let address = host.parse::<IpAddr>().ok();
        self.exceptions.iter().any(|one| {
            let domain = one.trim_start_matches('.');
            one == "*"
                || one.trim_matches(['[', ']']).eq_ignore_ascii_case(host)
                || address.is_some_and(|address| is_in(address, one))
                || (address.is_none() && host.len() > domain.len() && {
                    let (rest, end) = host.split_at(host.len() - domain.len());
                    end.eq_ignore_ascii_case(domain) && rest.ends_with('.')
                })
        })
    }

    /// The metadata services that a program which goes by them would ask through the proxy.
    pub fn metadata_through_proxy(&self) -> Vec<&'static str> {
        if self.proxies.is_empty() {
            return Vec::new();
        }
        Self::METADATA.into_iter().filter(|host| !self.is_excepted(host)).collect()
    }
}

/// `host:port` of `http://user:password@host:port/`.
fn host_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    // A password may hold what elsewhere ends an authority.
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    host.split(['/', '?', '#']).next().unwrap_or_default().to_owned()
}

fn is_in(address: IpAddr, network: &str) -> bool {
    let Some((base, bits)) = network.split_once('/') else { return false };
    match (address, base.parse(), bits.parse::<u32>()) {
        (IpAddr::V4(address), Ok(IpAddr::V4(base)), Ok(bits @ 0..=32)) => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            address.to_bits() & mask == base.to_bits() & mask
        }
        (IpAddr::V6(address), Ok(IpAddr::V6(base)), Ok(bits @ 0..=128)) => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            address.to_bits() & mask == base.to_bits() & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(no_proxy: &str) -> ProxyVariables {
        ProxyVariables::read(&Environment::of([
            ("HTTPS_PROXY", "http://me:secret@proxy.example:3128/"),
            ("NO_PROXY", no_proxy),
        ]))
    }

    #[test]
    fn of_a_proxy_nothing_but_host_and_port_is_shown() {
        for url in ["http://proxy:3128/", "proxy:3128", "http://me:se@proxy:3128", "http://me:se/cr?e#t@proxy:3128/x"] {
            assert_eq!(host_of(url), "proxy:3128", "{url}");
        }
    }

    #[test]
    fn what_goes_past_a_proxy_is_known_by_name_domain_address_and_network() {
        let some = variables("localhost, .amazonaws.com,169.254.0.0/16");
        assert_eq!(some.proxies, [("HTTPS_PROXY".to_owned(), "proxy.example:3128".to_owned())]);
        assert!(some.is_excepted("sts.eu-central-1.amazonaws.com") && !some.is_excepted("notamazonaws.com"));
        assert_eq!(some.metadata_through_proxy(), ["fd00:ec2::254"]);
        assert_eq!(variables("169.254.169.254").metadata_through_proxy(), ["169.254.170.2", "fd00:ec2::254"]);
        assert!(variables("*").metadata_through_proxy().is_empty());
        assert!(variables("169.254.169.254,169.254.170.2,fd00:ec2::/32").metadata_through_proxy().is_empty());
        assert!(ProxyVariables::default().metadata_through_proxy().is_empty());
    }
}
