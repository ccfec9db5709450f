use crate::{AccountId, Arn, Partition};

/// Something that will be done with AWS, as far as permissions go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// Write objects exactly once, as the S3 sink does: multipart uploads that are published, found again after a crash,
    /// and aborted.
    WriteObjects {
        /// Where to.
        place: S3Place,
        /// What names of manifests begin with (intents too large for the offset's metadata); `None` without exactly once.
        manifests: Option<String>,
    },
    /// Read objects and list them.
    ReadObjects {
        /// Where from.
        place: S3Place,
    },
    /// List objects, and nothing else: what a test that moves nothing needs.
    ListObjects {
        /// Where.
        place: S3Place,
    },
    /// Delete objects.
    DeleteObjects {
        /// Where.
        place: S3Place,
    },
    /// Take on a role.
    AssumeRole {
        /// The role.
        role: Arn,
        /// Whether its session gets tags.
        tags: bool,
        /// Whether its session gets a source identity.
        source_identity: bool,
    },
    /// Read topics of an MSK cluster that knows its clients by IAM.
    ConsumeKafka {
        /// The cluster: `arn:aws:kafka:REGION:ACCOUNT:cluster/NAME/UUID`.
        cluster: Arn,
        /// The topics; `*` and `?` are wildcards.
        topics: Vec<String>,
        /// The consumer group.
        group: String,
    },
    /// Write to topics of such a cluster (dead letters).
    ProduceKafka {
        /// The cluster.
        cluster: Arn,
        /// The topics.
        topics: Vec<String>,
        /// Whether the topics may be created.
        create: bool,
    },
}

/// A part of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Place {
    /// The partition that the bucket is in.
    pub partition: Partition,
    /// The bucket.
    pub bucket: String,
    /// What all names begin with; empty for the whole bucket. `*` and `?` in it are characters.
    pub prefix: String,
    /// The account that must own the bucket. A bucket of the same name in another account is then refused.
    pub owner: Option<AccountId>,
    /// The KMS key that encrypts the objects, by its ARN; `None` where they are encrypted by S3's own keys.
    pub key: Option<Arn>,
}

impl S3Place {
    /// A bucket of the commercial regions, the whole of it, without a KMS key.
    pub fn new(bucket: impl Into<String>) -> Self {
        Self { partition: Partition::Aws, bucket: bucket.into(), prefix: String::new(), owner: None, key: None }
    }
}
