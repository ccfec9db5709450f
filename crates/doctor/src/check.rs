use std::fmt;

use crate::Depth;

/// What a check is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Area {
    /// The input, the clock and the network.
    Surroundings,
    /// Who we are, and whom roles let in.
    Identity,
    /// Buckets and objects.
    S3,
    /// Brokers, topics and groups.
    Kafka,
}

/// One claim that is tested. Its name is on the wire and is never changed; more may come, so whoever reads it must take
/// names that it does not know.
#[derive(Debug, PartialEq, Eq)]
pub struct Check {
    /// Its name, which is true when it passes: `external-id-required`.
    pub name: &'static str,
    /// The same as a sentence.
    pub claim: &'static str,
    /// From which depth on it is made.
    pub depth: Depth,
    /// What it is about.
    pub area: Area,
    /// The checks without which it cannot be made.
    pub needs: &'static [&'static str],
}

/// What a check came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The claim is true.
    Passed,
    /// The claim is false, and something will not work.
    Failed,
    /// It works, and is not as it should be.
    Warning,
    /// It was not made: it does not apply, or another one stands before it.
    Skipped,
    /// It could not be decided: a timeout, a throttle, an outage. Never taken for passed.
    Unproven,
}

impl Status {
    /// One word of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Warning => "warning",
            Self::Skipped => "skipped",
            Self::Unproven => "unproven",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

macro_rules! checks {
    ($($const:ident = $name:literal, $claim:literal, $depth:ident, $area:ident, [$($need:literal),*];)*) => {
        impl Check {
            $(#[doc = $claim] pub const $const: &'static Self = &Self {
                name: $name, claim: $claim, depth: Depth::$depth, area: Area::$area, needs: &[$($need),*],
            };)*
            /// All checks, in the order in which they are made.
            pub const ALL: &'static [&'static Self] = &[$(Self::$const),*];
        }
    };
}

checks! {
    INPUT = "input-well-formed", "what is written down can be read, and AWS would take it", Offline, Surroundings, [];
    POLICIES = "policies-without-fault", "the policies that were given have no known fault", Offline, Identity, [];
    BUCKET_NAME = "bucket-name-well-formed", "what is written down as the bucket's name is one", Offline, S3, ["input-well-formed"];
    KEY_REGION = "key-in-bucket-region", "the KMS key that is named is of the bucket's region", Offline, S3, ["input-well-formed"];
    NAMES_REPEAT = "names-repeat", "what is written again is written under the same names", Offline, S3, ["input-well-formed"];
    CLOCK = "clock-agrees", "this machine's clock agrees with AWS's", Identity, Surroundings, ["input-well-formed"];
    STS_REACHED = "sts-reachable", "STS answers at its endpoint", Identity, Surroundings, ["input-well-formed"];
    S3_REACHED = "s3-reachable", "S3 answers at its endpoint", Identity, Surroundings, ["input-well-formed"];
    KMS_REACHED = "kms-reachable", "KMS answers at its endpoint", Identity, Surroundings, ["input-well-formed"];
    CERTIFICATE = "certificate-usable", "the certificate is good for IAM Roles Anywhere", Offline, Identity, ["input-well-formed"];
    BASE = "base-identity-found", "there is somebody to begin with", Identity, Identity, ["input-well-formed"];
    ROLES = "roles-assumed", "each role on the way lets us in", Identity, Identity, ["base-identity-found"];
    ID_REQUIRED = "external-id-required", "the role refuses us without an external ID", Identity, Identity, ["roles-assumed"];
    WRONG_ID = "wrong-external-id-refused", "the role refuses us with a wrong external ID", Identity, Identity, ["roles-assumed"];
    TAGS = "tags-accepted", "the role takes the session's tags and source identity", Identity, Identity, ["base-identity-found"];
    CALLER = "identity-as-configured", "who we are in the end is whom the configuration names", Identity, Identity, ["roles-assumed"];
    LIFE = "session-lives-long-enough", "the session lives as long as was asked for", Identity, Identity, ["roles-assumed"];
    BUCKET = "bucket-found", "the bucket is there, in the region that is configured", Read, S3, ["bucket-name-well-formed", "roles-assumed"];
    OWNER = "bucket-owner-as-expected", "the bucket belongs to the account that is expected", Read, S3, ["bucket-found"];
    LIST = "prefix-listable", "objects under the prefix can be listed", Read, S3, ["bucket-found"];
    READ = "objects-readable", "objects under the prefix can be read", Read, S3, ["bucket-found"];
    DELETE = "object-deletable", "objects can be deleted", Write, S3, ["bucket-found"];
    PUT = "object-writable", "an object can be written", Write, S3, ["bucket-found"];
    MULTIPART = "parts-writable", "an object can be written in parts", Write, S3, ["bucket-found"];
    READ_BACK = "object-read-back", "what was written can be read back", Write, S3, ["object-writable"];
    TAGGED = "object-taggable", "an object can be tagged", Write, S3, ["object-writable"];
    SCOPE = "writes-stay-in-scope", "writing beside the prefix is refused", Write, S3, ["bucket-found"];
    LIST_SCOPE = "lists-stay-in-scope", "listing beside the prefix is refused", Write, S3, ["prefix-listable"];
    CLEAN = "nothing-left-behind", "what was written for the examination is gone", Write, S3, ["bucket-found"];
    EXPIRY = "ends-known", "nothing that this rests on ends soon", Identity, Identity, ["base-identity-found"];
    KAFKA = "brokers-reachable", "a broker answers", Identity, Kafka, ["input-well-formed"];
    KAFKA_TLS = "broker-tls-trusted", "the brokers' certificates are trusted, in date and of their names", Identity, Kafka, ["brokers-reachable"];
    KAFKA_AUTH = "broker-login-accepted", "the brokers accept the login", Identity, Kafka, ["brokers-reachable"];
    ADVERTISED = "advertised-listeners-reachable", "every broker answers at the address that it advertises", Identity, Kafka, ["broker-login-accepted"];
    TOPICS = "topics-exist", "the topics are there", Read, Kafka, ["broker-login-accepted"];
    TOPICS_READ = "topics-readable", "the topics may be read", Read, Kafka, ["topics-exist"];
    GROUP = "group-usable", "the consumer group may be used", Read, Kafka, ["broker-login-accepted"];
    GROUP_FREE = "group-not-in-use", "nobody else is in the consumer group", Read, Kafka, ["group-usable"];
    OFFSETS = "offsets-in-range", "what is committed is still there to be read", Read, Kafka, ["group-usable"];
    DLQ = "dead-letter-topic-writable", "dead letters can be written", Write, Kafka, ["broker-login-accepted"];
    CONVERT = "records-convert", "a sample of real records can be converted", Read, Kafka, ["topics-readable"];
    REGISTRY = "schema-registry-usable", "the schema registry answers and lets us read", Identity, Kafka, ["input-well-formed"];
}

impl Check {
    /// The check of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|check| check.name == name).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_check_needs_is_made_before_it_and_no_deeper() {
        for (index, check) in Check::ALL.iter().enumerate() {
            for need in check.needs {
                let before = Check::ALL[..index].iter().find(|other| other.name == *need);
                let before = before.unwrap_or_else(|| panic!("{} needs {need}, which is not before it", check.name));
                assert!(before.depth <= check.depth, "{} needs {need}", check.name);
            }
        }
    }

    #[test]
    fn names_are_unique() {
        for check in Check::ALL {
            assert_eq!(Check::ALL.iter().filter(|other| other.name == check.name).count(), 1, "{}", check.name);
            assert_eq!(Check::named(check.name), Some(*check));
        }
    }
}
