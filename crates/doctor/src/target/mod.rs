//! What is examined, and what is known of it before anything is tried.

mod made;

use std::sync::Arc;

use connectors::ConnectorPlan;
use iam::AccountId;
use identity::{Base, Connection, ConnectionSpec};

/// What is examined.
#[derive(Debug, Clone)]
pub struct Target {
    /// What it is.
    pub kind: TargetKind,
    /// What it is called: `lake`, `cspi-..`, `orders`.
    pub name: String,
    /// What names it on a command line, behind `tidegate doctor`, quoted for a shell: `orders.json --worker worker.properties`.
    /// Empty: its name.
    pub command: String,
    /// What is wrong with how it is written down. Then there may be nothing else.
    pub faults: Vec<InputFault>,
    /// What was noticed about how it is written down.
    pub warnings: Vec<InputFault>,
    /// Who Tidegate is to AWS.
    pub connection: Option<Connection>,
    /// What the connection was made from, if it has a name.
    pub spec: Option<Arc<ConnectionSpec>>,
    /// The bucket and the prefix; `None` if no bucket is named.
    pub place: Option<Place>,
    /// The integration, if it is one or names one.
    pub integration: Option<IntegrationFacts>,
    /// The connector, if it is one.
    pub connector: Option<Arc<ConnectorPlan>>,
    /// Policies that were given to be looked at, each with a name: (`trust`, text), (`permissions`, text).
    pub trust_policy: Option<String>,
    /// The permission policy that was given to be looked at.
    pub permission_policy: Option<String>,
    /// How long a refusal of a role is waited out: changes in IAM take up to a minute to arrive.
    pub wait: std::time::Duration,
}

/// What kind of thing is examined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    /// A connection of a file.
    Connection,
    /// An integration of the store.
    Integration,
    /// A connector file.
    Connector,
    /// A text from standard input that is not saved anywhere.
    Unsaved,
}

impl TargetKind {
    /// One word of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Integration => "integration",
            Self::Connector => "connector",
            Self::Unsaved => "unsaved",
        }
    }
}

/// Something wrong with how a target is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputFault {
    /// Where: `connections.lake.roles[0].arn`, `aws.s3.region`.
    pub key: String,
    /// What is there now, if it may be shown.
    pub value: Option<String>,
    /// What is wrong.
    pub text: String,
    /// What to do.
    pub hint: Option<String>,
}

/// A part of a bucket, and how it is used.
#[expect(clippy::struct_excessive_bools, reason = "each is one switch of S3's, and no two belong together")]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// The bucket as it was written down.
    pub bucket: String,
    /// What keys begin with; may be empty.
    pub prefix: String,
    /// The region that is configured for the bucket.
    pub region: String,
    /// A URL in place of AWS's own.
    pub endpoint: Option<String>,
    /// Whether the bucket stands in the path.
    pub path_style: bool,
    /// FIPS endpoints.
    pub fips: bool,
    /// Dual-stack endpoints.
    pub dual_stack: bool,
    /// The account that the bucket must belong to, where that is said.
    pub owner: Option<AccountId>,
    /// The encryption that is asked for.
    pub server_side_encryption: Option<String>,
    /// The KMS key that is named.
    pub kms_key: Option<String>,
    /// The canned ACL that is asked for.
    pub acl: Option<String>,
    /// Whether parts go without their checksums.
    pub no_checksums: bool,
    /// Whether objects are tagged.
    pub tags: bool,
    /// Whether the target deletes there.
    pub deletes: bool,
    /// Whether the target writes there.
    pub writes: bool,
    /// Whether the target reads there.
    pub reads: bool,
}

/// What is known of an integration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntegrationFacts {
    /// `cspi-..`.
    pub id: String,
    /// Who we are to the customer.
    pub principal: String,
    /// Its live external IDs, newest first.
    pub external_ids: Vec<String>,
    /// When the newest was issued, as RFC 3339.
    pub issued_at: String,
    /// When the role was last proven, as RFC 3339.
    pub proven_at: Option<String>,
    /// The state that the store has.
    pub state: &'static str,
    /// What the trust policy should be.
    pub trust_policy: String,
}

impl Target {
    /// A target of which nothing is known yet but what it is called.
    pub fn new(kind: TargetKind, name: impl Into<String>) -> Self {
        Self {
            kind,
            name: name.into(),
            command: String::new(),
            faults: Vec::new(),
            warnings: Vec::new(),
            connection: None,
            spec: None,
            place: None,
            integration: None,
            connector: None,
            trust_policy: None,
            permission_policy: None,
            wait: std::time::Duration::ZERO,
        }
    }

    /// Whether STS is asked at all: not by nobody, and not about keys that an object store of another maker has given.
    pub(crate) fn asks_sts(&self) -> bool {
        let Some(connection) = &self.connection else { return false };
        let own_store = || self.place.as_ref().and_then(|place| place.endpoint.as_deref()).is_some_and(is_of_another);
        match connection.base {
            _ if !connection.hops.is_empty() => true,
            Base::Anonymous => false,
            Base::Keys(_) => connection.sts.endpoint.is_some() || !own_store(),
            _ => true,
        }
    }

    /// How deep it is examined if nothing else is said: as deep as what it will do.
    pub fn depth(&self) -> crate::Depth {
        match &self.place {
            Some(place) if place.writes => crate::Depth::Write,
            Some(_) => crate::Depth::Read,
            None if self.connector.is_some() => crate::Depth::Write,
            None => crate::Depth::Identity,
        }
    }
}

/// Whether a URL is no host of AWS's.
fn is_of_another(url: &str) -> bool {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = authority.split(['/', ':']).next().unwrap_or_default();
    ![".amazonaws.com", ".amazonaws.com.cn", ".api.aws"].iter().any(|domain| host.ends_with(domain))
}
