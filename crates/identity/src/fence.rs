//! What a connection may touch, and the session policy that holds it there.

use std::fmt;

use iam::Partition;
use serde_json::{Value, json};

use crate::assume_role::POLICY_CHARS;
use crate::region::{domain_of, partition_of};

/// What a connection may touch. Empty: whatever its role may.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fence {
    /// The buckets and prefixes.
    pub places: Vec<Place>,
    /// KMS keys that objects are encrypted with; empty for any key that S3 itself uses for us.
    pub kms_keys: Vec<String>,
    /// How it is kept.
    pub keeping: Keeping,
}

/// A bucket, or the part of it whose object names begin alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The bucket.
    pub bucket: String,
    /// What names of objects begin with; empty for all of them.
    pub prefix: String,
}

/// How a fence is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keeping {
    /// A session policy on the last role, so that AWS keeps it whatever becomes of the session; and the plan's check.
    #[default]
    SessionPolicy,
    /// The plan's check alone.
    Check,
    /// Not at all.
    Off,
}

/// What a session is for: each gets no more than that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Reading and writing objects.
    S3,
    /// Tokens for a Kafka cluster of MSK.
    Kafka,
}

/// How names that begin with a text lie to a fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within {
    /// All of them inside.
    Yes,
    /// None of them.
    No,
    /// It depends on what follows.
    Unknown,
}

impl Fence {
    /// Whether there is one, and it is kept.
    pub fn is_up(&self) -> bool {
        !self.places.is_empty() && self.keeping != Keeping::Off
    }

    /// Whether a bucket is inside, at least in part.
    pub fn has_bucket(&self, bucket: &str) -> bool {
        !self.is_up() || self.places.iter().any(|place| place.bucket == bucket)
    }

    /// How names in `bucket` that begin with `start` lie to it.
    pub fn holds(&self, bucket: &str, start: &str) -> Within {
        if !self.is_up() {
            return Within::Yes;
        }
        let places = || self.places.iter().filter(|place| place.bucket == bucket);
        if places().any(|place| start.starts_with(&place.prefix)) {
            Within::Yes
        } else if places().any(|place| place.prefix.starts_with(start)) {
            Within::Unknown
        } else {
            Within::No
        }
    }

    /// The policy that cuts a session down to it; `None` if none is wanted.
    ///
    /// A session policy gives nothing: what the role may not do, its session may not either. So the actions are those of
    /// every operation that Tidegate has, once for all connectors that share the session, and the resources are the fence.
    ///
    /// # Errors
    /// It would be longer than STS takes; the length.
    pub fn policy(&self, region: &str, purpose: Purpose) -> Result<Option<String>, TooLong> {
        if !self.is_up() || self.keeping != Keeping::SessionPolicy {
            return Ok(None);
        }
        let partition = partition_of(region);
        let statements = match purpose {
            Purpose::S3 => self.s3_statements(partition),
            Purpose::Kafka => vec![json!({
                "Effect": "Allow", "Action": "kafka-cluster:*", "Resource": format!("arn:{}:kafka:*:*:*", partition.name()),
            })],
        };
        let policy = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
        let length = policy.chars().count();
        if length > POLICY_CHARS { Err(TooLong { length }) } else { Ok(Some(policy)) }
    }

    fn s3_statements(&self, partition: Partition) -> Vec<Value> {
        let name = partition.name();
        let objects: Vec<String> = self
            .places
            .iter()
            .map(|Place { bucket, prefix }| format!("arn:{name}:s3:::{bucket}/{}*", literal(prefix)))
            .collect();
        let mut statements = vec![json!({
            "Effect": "Allow",
            "Action": [
                "s3:PutObject", "s3:GetObject", "s3:DeleteObject", "s3:AbortMultipartUpload",
                "s3:ListMultipartUploadParts",
            ],
            "Resource": one_or_many(objects),
        })];
        let mut buckets: Vec<&str> = self.places.iter().map(|place| place.bucket.as_str()).collect();
        buckets.sort_unstable();
        buckets.dedup();
        for bucket in buckets {
            let resource = format!("arn:{name}:s3:::{bucket}");
            let prefixes: Vec<&str> =
                self.places.iter().filter(|place| place.bucket == bucket).map(|place| place.prefix.as_str()).collect();
            if prefixes.contains(&"") {
                statements.push(json!({
                    "Effect": "Allow",
                    "Action": ["s3:ListBucket", "s3:ListBucketMultipartUploads"],
                    "Resource": resource,
                }));
                continue;
            }
            // What is listed is named in the request; without a condition, names outside the prefix would show.
            let patterns = prefixes.iter().map(|prefix| format!("{}*", literal(prefix))).collect();
            statements.push(json!({
                "Effect": "Allow",
                "Action": "s3:ListBucket",
                "Resource": resource,
                "Condition": { "StringLike": { "s3:prefix": one_or_many(patterns) } },
            }));
            // This one has no s3:prefix ("Actions defined by Amazon S3", service authorization reference): with the
            // condition it would be denied always. It shows names of uploads under way, and no object.
            statements.push(json!({
                "Effect": "Allow", "Action": "s3:ListBucketMultipartUploads", "Resource": resource,
            }));
        }
        // A bucket may encrypt by itself with a key that nobody here has heard of. Through S3 alone: the session cannot ask
        // KMS to decrypt anything else.
        let via = format!("s3.*.{}", domain_of(partition));
        statements.push(json!({
            "Effect": "Allow",
            "Action": ["kms:GenerateDataKey", "kms:Decrypt"],
            "Resource": if self.kms_keys.is_empty() { json!("*") } else { one_or_many(self.kms_keys.clone()) },
            "Condition": { "StringLike": { "kms:ViaService": via } },
        }));
        statements
    }
}

/// A session policy that STS would not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong {
    /// Its length in characters.
    pub length: usize,
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "makes a session policy of {} characters, and STS takes {POLICY_CHARS}", self.length)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix)
    }
}

/// A text in which nothing is a wildcard or a variable of the policy language.
fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '*' | '?' | '$' => out.extend(["${", c.encode_utf8(&mut [0; 4]), "}"]),
            other => out.push(other),
        }
    }
    out
}

fn one_or_many(mut texts: Vec<String>) -> Value {
    if texts.len() == 1 { texts.remove(0).into() } else { texts.into() }
}

#[cfg(test)]
mod tests {
    use iam::{Document, PolicyKind};

    use super::*;

    fn fence(places: &[(&str, &str)]) -> Fence {
        let place = |(bucket, prefix): &(&str, &str)| Place { bucket: (*bucket).into(), prefix: (*prefix).into() };
        Fence { places: places.iter().map(place).collect(), ..Fence::default() }
    }

    #[test]
    fn the_session_policy_is_one_that_iam_takes() {
        let policy = fence(&[("lake", "topics/")]).policy("eu-central-1", Purpose::S3).unwrap().unwrap();
        let document = Document::parse_as(PolicyKind::Session, &policy).unwrap();
        assert_eq!(document.statements().len(), 4);
        assert!(policy.contains(r#""arn:aws:s3:::lake/topics/*""#), "{policy}");
        assert!(policy.contains(r#"{"StringLike":{"s3:prefix":"topics/*"}}"#), "{policy}");
        assert!(policy.contains("s3.*.amazonaws.com"), "{policy}");
        let china = fence(&[("lake", "")]).policy("cn-north-1", Purpose::S3).unwrap().unwrap();
        assert!(china.contains("arn:aws-cn:s3:::lake/*") && china.contains("s3.*.amazonaws.com.cn"), "{china}");
        assert!(!china.contains("s3:prefix"), "{china}");
    }

    #[test]
    fn wildcards_in_a_prefix_are_characters() {
        let policy = fence(&[("lake", "a*b?${x}/")]).policy("eu-central-1", Purpose::S3).unwrap().unwrap();
        assert!(policy.contains("lake/a${*}b${?}${$}{x}/*"), "{policy}");
    }

    #[test]
    fn a_session_for_kafka_may_touch_no_object() {
        let policy = fence(&[("lake", "")]).policy("eu-central-1", Purpose::Kafka).unwrap().unwrap();
        assert!(policy.contains("kafka-cluster:*") && !policy.contains("s3:"), "{policy}");
        Document::parse_as(PolicyKind::Session, &policy).unwrap();
    }

    #[test]
    fn a_fence_that_is_too_long_for_sts_is_refused() {
        let places: Vec<(String, String)> =
            (0..60).map(|n| (format!("bucket-{n}"), "a/long/prefix/".repeat(2))).collect();
        let places: Vec<(&str, &str)> = places.iter().map(|(b, p)| (b.as_str(), p.as_str())).collect();
        assert!(fence(&places).policy("eu-central-1", Purpose::S3).unwrap_err().length > POLICY_CHARS);
    }

    #[test]
    fn names_are_inside_outside_or_undecided() {
        let fence = fence(&[("lake", "topics/orders/"), ("audit", "")]);
        assert_eq!(fence.holds("lake", "topics/orders/2026"), Within::Yes);
        assert_eq!(fence.holds("lake", "topics/"), Within::Unknown);
        assert_eq!(fence.holds("lake", ""), Within::Unknown);
        assert_eq!(fence.holds("lake", "topics/stock/"), Within::No);
        assert_eq!(fence.holds("audit", "anything"), Within::Yes);
        assert_eq!(fence.holds("other", ""), Within::No);
        let off = Fence { keeping: Keeping::Off, ..fence };
        assert_eq!(off.holds("other", ""), Within::Yes);
        assert_eq!(off.policy("eu-central-1", Purpose::S3), Ok(None));
    }
}
