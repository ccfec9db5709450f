use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use world::Secret;

use crate::{ClusterId, ServiceAccountId, UserId};

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Principal {
    /// Whoever reaches a listener that asks for no credentials: only ever one on a loopback address.
    Operator,
    /// A person.
    User(UserId),
    /// A program.
    ServiceAccount(ServiceAccountId),
}

/// As role bindings name principals: `User:u-..`, `User:sa-..` (Confluent's form for both), and `Operator`.
impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator => f.write_str("Operator"),
            Self::User(id) => write!(f, "User:{id}"),
            Self::ServiceAccount(id) => write!(f, "User:{id}"),
        }
    }
}

/// As it is printed.
impl std::str::FromStr for Principal {
    type Err = crate::InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "Operator" {
            return Ok(Self::Operator);
        }
        let id = text.strip_prefix("User:").unwrap_or(text);
        if id.starts_with("sa-") { id.parse().map(Self::ServiceAccount) } else { id.parse().map(Self::User) }
    }
}

impl Serialize for Principal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What came with a request to show who asks.
#[derive(Debug)]
pub enum Credentials {
    /// Nothing.
    None,
    /// HTTP Basic: an API key and its secret, or a user's address and password (Kafka Connect's extension).
    Basic {
        /// The part before the colon.
        user: String,
        /// The part after it.
        password: Secret,
    },
    /// The token of a login.
    Bearer(Secret),
}

/// Where a request came from: for the audit log and the log, never for deciding.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The other end of the connection.
    pub address: Option<IpAddr>,
    /// Made by us for each request; it is in the answer, too.
    pub request_id: Arc<str>,
    /// Which surface: `connect`, `confluent`, `v1`, `cli`.
    pub surface: &'static str,
}

/// Somebody whose credentials were right, and the request that they make. Every method of [`crate::ControlPlane`] that
/// shows or changes something takes one: rights and audit cannot be gone around.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who.
    pub principal: Principal,
    /// An API key of one cluster reaches nothing else.
    pub only_cluster: Option<ClusterId>,
    /// Where from.
    pub origin: Origin,
}
