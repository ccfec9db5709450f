//! Resource names as Confluent's clients write them (CRN), and patterns of them.

use std::fmt;

use crate::{ClusterId, EnvironmentId};

/// The authority of every resource name: clients check for it, and it says nothing about whose program this is.
const START: &str = "crn://confluent.cloud/";

/// A thing that rights are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource<'a> {
    /// All there is.
    Organization,
    Environment(&'a EnvironmentId),
    Cluster(&'a EnvironmentId, &'a ClusterId),
    /// By its name.
    Connector(&'a EnvironmentId, &'a ClusterId, &'a str),
    Integration(&'a EnvironmentId, &'a str),
    Connection(&'a EnvironmentId, &'a str),
}

/// What sort of thing a pattern matches at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Level {
    Organization,
    Environment,
    Cluster,
    Connector,
    Integration,
    Connection,
}

impl Level {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Organization => "an organization",
            Self::Environment => "an environment",
            Self::Cluster => "a cloud-cluster",
            Self::Connector => "a connector",
            Self::Integration => "a provider-integration",
            Self::Connection => "a connection",
        }
    }
}

/// One value of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// `*`
    Any,
    /// `orders-*`
    Prefix(String),
    /// `orders`
    Exactly(String),
}

/// A pattern of resource names. It matches what it names, and all below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    level: Level,
    /// Of an environment and below.
    environment: Part,
    /// Of a cluster and below.
    cluster: Part,
    /// The name at the end.
    leaf: Part,
}

impl Part {
    fn read(text: &str) -> Result<Self, String> {
        match text.strip_suffix('*') {
            Some("") => Ok(Self::Any),
            Some(prefix) => Ok(Self::Prefix(decode(prefix)?)),
            None if text.is_empty() => Err("has an empty value".to_owned()),
            None => Ok(Self::Exactly(decode(text)?)),
        }
    }

    fn matches(&self, value: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Prefix(prefix) => value.starts_with(prefix.as_str()),
            Self::Exactly(exactly) => value == exactly,
        }
    }

    /// Whether all that `other` matches is matched by this, too.
    fn contains(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (Self::Prefix(prefix), Self::Prefix(text) | Self::Exactly(text)) => text.starts_with(prefix.as_str()),
            (Self::Exactly(one), Self::Exactly(other)) => one == other,
            (Self::Prefix(_), Self::Any) | (Self::Exactly(_), Self::Any | Self::Prefix(_)) => false,
        }
    }
}

impl Pattern {
    /// Reads a pattern about `organization`: another one's is refused.
    pub(crate) fn read(text: &str, organization: &str) -> Result<Self, String> {
        if text.len() > 1024 || text.chars().any(char::is_control) {
            return Err("must be 1024 characters at most, none of them a control character".to_owned());
        }
        let rest = text.strip_prefix(START).ok_or_else(|| format!("must begin with {START}organization="))?;
        let (first, rest) = split(rest);
        let of = first.strip_prefix("organization=").ok_or("must name an organization first")?;
        if of != "*" && !of.eq_ignore_ascii_case(organization) {
            return Err("names another organization".to_owned());
        }
        let mut pattern =
            Self { level: Level::Organization, environment: Part::Any, cluster: Part::Any, leaf: Part::Any };
        let Some(rest) = rest else { return Ok(pattern) };
        let (next, rest) = split(rest);
        let environment = next.strip_prefix("environment=").ok_or("must name an environment after the organization")?;
        pattern.environment = id::<EnvironmentId>(environment)?;
        pattern.level = Level::Environment;
        let Some(rest) = rest else { return Ok(pattern) };
        // A name may hold slashes: it is the last thing there is.
        for (key, level) in [("provider-integration=", Level::Integration), ("connection=", Level::Connection)] {
            if let Some(name) = rest.strip_prefix(key) {
                (pattern.level, pattern.leaf) = (level, Part::read(name)?);
                return Ok(pattern);
            }
        }
        let (next, rest) = split(rest);
        let cluster = next.strip_prefix("cloud-cluster=").ok_or_else(|| {
            "must name a cloud-cluster, a provider-integration or a connection after the environment".to_owned()
        })?;
        pattern.cluster = id::<ClusterId>(cluster)?;
        pattern.level = Level::Cluster;
        // Confluent names what is in a cluster beside the cluster itself.
        let rest = match rest {
            Some(rest) if rest == format!("kafka={cluster}") => None,
            rest => rest,
        };
        let Some(rest) = rest else { return Ok(pattern) };
        let name = rest.strip_prefix("connector=").ok_or("must name a connector after the cloud-cluster")?;
        (pattern.level, pattern.leaf) = (Level::Connector, Part::read(name)?);
        Ok(pattern)
    }

    /// What it matches at its end.
    pub(crate) fn level(&self) -> Level {
        self.level
    }

    /// Whether `resource` is matched, or below what is.
    pub(crate) fn covers(&self, resource: &Resource<'_>) -> bool {
        let (environment, cluster, leaf) = match resource {
            Resource::Organization => return self.level == Level::Organization,
            Resource::Environment(environment) => (*environment, None, None),
            Resource::Cluster(environment, cluster) => (*environment, Some(*cluster), None),
            Resource::Connector(environment, cluster, name) => (*environment, Some(*cluster), Some(*name)),
            Resource::Integration(environment, name) | Resource::Connection(environment, name) => {
                (*environment, None, Some(*name))
            }
        };
        let in_environment = || self.environment.matches(environment.as_str());
        let in_cluster = || in_environment() && cluster.is_some_and(|cluster| self.cluster.matches(cluster.as_str()));
        let is_leaf = || leaf.is_some_and(|name| self.leaf.matches(name));
        match self.level {
            Level::Organization => true,
            Level::Environment => in_environment(),
            Level::Cluster => in_cluster(),
            Level::Connector => matches!(resource, Resource::Connector(..)) && in_cluster() && is_leaf(),
            Level::Integration => matches!(resource, Resource::Integration(..)) && in_environment() && is_leaf(),
            Level::Connection => matches!(resource, Resource::Connection(..)) && in_environment() && is_leaf(),
        }
    }

    /// Whether it matches anything at or below `resource`: who has a right there may know that the place is there.
    pub(crate) fn reaches_into(&self, resource: &Resource<'_>) -> bool {
        if self.covers(resource) {
            return true;
        }
        match resource {
            Resource::Organization => true,
            Resource::Environment(environment) => {
                self.level != Level::Organization && self.environment.matches(environment.as_str())
            }
            Resource::Cluster(environment, cluster) => {
                self.level == Level::Connector
                    && self.environment.matches(environment.as_str())
                    && self.cluster.matches(cluster.as_str())
            }
            Resource::Connector(..) | Resource::Integration(..) | Resource::Connection(..) => false,
        }
    }

    /// Whether all that `other` matches is matched by this, too.
    pub(crate) fn contains(&self, other: &Self) -> bool {
        let environment = || other.level != Level::Organization && self.environment.contains(&other.environment);
        let cluster = || environment() && self.cluster.contains(&other.cluster);
        match self.level {
            Level::Organization => true,
            Level::Environment => environment(),
            Level::Cluster => matches!(other.level, Level::Cluster | Level::Connector) && cluster(),
            Level::Connector => other.level == self.level && cluster() && self.leaf.contains(&other.leaf),
            Level::Integration | Level::Connection => {
                other.level == self.level && environment() && self.leaf.contains(&other.leaf)
            }
        }
    }

    /// The one environment that it is about, if it is about one.
    pub(crate) fn environment(&self) -> Option<EnvironmentId> {
        match (&self.environment, self.level) {
            (Part::Exactly(id), level) if level != Level::Organization => id.parse().ok(),
            _ => None,
        }
    }
}

fn split(text: &str) -> (&str, Option<&str>) {
    text.split_once('/').map_or((text, None), |(first, rest)| (first, Some(rest)))
}

/// `*`, or an id. Ids are drawn: that two of them begin alike means nothing.
fn id<T: std::str::FromStr<Err = crate::InvalidId>>(text: &str) -> Result<Part, String> {
    match text {
        "*" => Ok(Part::Any),
        text => text.parse::<T>().map(|_| Part::Exactly(text.to_owned())).map_err(|error| error.to_string()),
    }
}

fn decode(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'*' {
            return Err("has a * that is not at the end of a value".to_owned());
        }
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |at: usize| rest.get(at).and_then(|&byte| char::from(byte).to_digit(16));
        let (Some(high), Some(low)) = (digit(0), digit(1)) else {
            return Err("has a % without two hexadecimal digits behind it".to_owned());
        };
        bytes.push((high * 16 + low) as u8);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).map_err(|_| "is no UTF-8 once it is decoded".to_owned())
}

/// The name of `resource` in `organization`.
pub(crate) fn crn(organization: &str, resource: &Resource<'_>) -> String {
    let start = format!("{START}organization={organization}");
    match resource {
        Resource::Organization => start,
        Resource::Environment(environment) => format!("{start}/environment={environment}"),
        Resource::Cluster(environment, cluster) => format!("{start}/environment={environment}/cloud-cluster={cluster}"),
        Resource::Connector(environment, cluster, name) => {
            format!("{start}/environment={environment}/cloud-cluster={cluster}/connector={}", Encoded(name))
        }
        Resource::Integration(environment, id) => {
            format!("{start}/environment={environment}/provider-integration={}", Encoded(id))
        }
        Resource::Connection(environment, name) => {
            format!("{start}/environment={environment}/connection={}", Encoded(name))
        }
    }
}

/// A name with what means something in a pattern written as `%2A`.
struct Encoded<'a>(&'a str);

impl fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '%' | '*' | '/' | '?' | '#' => write!(f, "%{:02X}", u32::from(c)),
            c if c.is_control() => c.to_string().bytes().try_for_each(|byte| write!(f, "%{byte:02X}")),
            c => write!(f, "{c}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORGANIZATION: &str = "9bb441c4-edef-46ac-8a41-c49e44a3fd9a";

    fn read(tail: &str) -> Result<Pattern, String> {
        Pattern::read(&format!("crn://confluent.cloud/organization={ORGANIZATION}{tail}"), ORGANIZATION)
    }

    #[test]
    fn names_that_are_printed_match_themselves_and_nothing_else() {
        let (env, lkc): (EnvironmentId, ClusterId) = ("env-a".parse().unwrap(), "lkc-a".parse().unwrap());
        let (other, there): (EnvironmentId, ClusterId) = ("env-b".parse().unwrap(), "lkc-b".parse().unwrap());
        for name in ["orders", "a/b=c", "50%*", "caf\u{e9}\n", "x/environment=env-b"] {
            let of = |env, lkc| Resource::Connector(env, lkc, name);
            let pattern = Pattern::read(&crn(ORGANIZATION, &of(&env, &lkc)), ORGANIZATION).unwrap();
            assert!(pattern.covers(&of(&env, &lkc)), "{name}");
            assert!(!pattern.covers(&of(&other, &lkc)) && !pattern.covers(&of(&env, &there)));
            assert!(!pattern.covers(&Resource::Connector(&env, &lkc, &format!("{name}x"))));
            assert!(
                !pattern.covers(&Resource::Cluster(&env, &lkc)) && pattern.reaches_into(&Resource::Cluster(&env, &lkc))
            );
        }
    }

    #[test]
    fn patterns_match_what_is_below_and_prefixes_only_at_the_end() {
        let (env, lkc): (EnvironmentId, ClusterId) = ("env-a".parse().unwrap(), "lkc-a".parse().unwrap());
        let pattern = read("/environment=env-a/cloud-cluster=lkc-a/connector=orders-*").unwrap();
        assert!(pattern.covers(&Resource::Connector(&env, &lkc, "orders-eu")));
        assert!(!pattern.covers(&Resource::Connector(&env, &lkc, "stock")));
        let pattern = read("/environment=env-a").unwrap();
        assert!(pattern.covers(&Resource::Integration(&env, "cspi-1")) && !pattern.covers(&Resource::Organization));
        assert!(read("/environment=env-a/cloud-cluster=lkc-a/kafka=lkc-a").unwrap().level() == Level::Cluster);
    }

    #[test]
    fn what_is_no_pattern_is_refused_with_the_reason() {
        for (tail, why) in [
            ("/environment=env-*", "no id of an environment"),
            ("/environment=ENV-a", "no id of an environment"),
            ("/environment=env-a/topic=x", "must name a cloud-cluster"),
            ("/environment=env-a/cloud-cluster=lkc-a/topic=x", "must name a connector"),
            ("/environment=env-a/cloud-cluster=lkc-a/connector=", "empty value"),
            ("/environment=env-a/cloud-cluster=lkc-a/connector=a*b", "not at the end"),
            ("/environment=env-a/cloud-cluster=lkc-a/connector=a%2", "hexadecimal"),
            ("/cloud-cluster=lkc-a", "must name an environment"),
        ] {
            let said = read(tail).unwrap_err();
            assert!(said.contains(why), "{tail}: {said}");
        }
        assert!(Pattern::read("crn://confluent.cloud/organization=other", ORGANIZATION).is_err());
        assert!(Pattern::read("crn://confluent.cloud/organization=*", ORGANIZATION).is_ok());
    }
}
