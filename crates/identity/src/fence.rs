//! What a connection may touch, and the session policy that holds it there.

use std::fmt::{self, Write as _};

use iam::{AccountId, Draft, DraftStatement, Operator, Partition, PolicyKind};

use crate::assume_role::POLICY_CHARS;
use crate::region::domain_of;

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
    /// Where `owner` is known, buckets of that account alone.
    ///
    /// A connector's own policy would be narrower still; but then each connector would have a session of its own.
    ///
    /// # Errors
    /// It would be longer than STS takes, or names what no policy can.
    pub fn policy(
        &self,
        region: &str,
        owner: Option<AccountId>,
        purpose: Purpose,
    ) -> Result<Option<String>, FenceError> {
        if !self.is_up() || self.keeping != Keeping::SessionPolicy {
            return Ok(None);
        }
        let partition = Partition::of_region(region);
        let statements = match purpose {
            Purpose::S3 => self.s3_statements(partition, owner),
            Purpose::Kafka => {
                let all = format!("arn:{}:kafka:*:*:*", partition.name());
                vec![DraftStatement::allow(["kafka-cluster:*"]).on([all])]
            }
        };
        let draft = statements.into_iter().fold(Draft::new(), Draft::with);
        let policy = draft.build(PolicyKind::Session).map_err(|error| FenceError::Unfit { why: error.to_string() })?;
        let policy = escaped(&policy.to_string());
        let length = policy.chars().count();
        if length > POLICY_CHARS { Err(FenceError::TooLong { length }) } else { Ok(Some(policy)) }
    }

    fn s3_statements(&self, partition: Partition, owner: Option<AccountId>) -> Vec<DraftStatement> {
        // Not s3:*Object*: that would let ACLs, retention and legal holds be changed.
        const OBJECTS: [&str; 11] = [
            "s3:AbortMultipartUpload",
            "s3:DeleteObject",
            "s3:DeleteObjectTagging",
            "s3:DeleteObjectVersion",
            "s3:GetObject",
            "s3:GetObjectTagging",
            "s3:GetObjectVersion",
            "s3:GetObjectVersionTagging",
            "s3:ListMultipartUploadParts",
            "s3:PutObject",
            "s3:PutObjectTagging",
        ];
        let in_account = |statement: DraftStatement| match owner {
            Some(owner) => statement.only_if(Operator::STRING_EQUALS, "s3:ResourceAccount", [owner.to_string()]),
            None => statement,
        };
        let name = partition.name();
        let objects =
            self.places.iter().map(|place| format!("arn:{name}:s3:::{}/{}*", place.bucket, literal(&place.prefix)));
        let mut statements = vec![in_account(DraftStatement::allow(OBJECTS).on(objects.collect::<Vec<_>>()))];
        let mut buckets: Vec<&str> = self.places.iter().map(|place| place.bucket.as_str()).collect();
        buckets.sort_unstable();
        buckets.dedup();
        for bucket in buckets {
            let on = |actions: &[&'static str]| {
                in_account(DraftStatement::allow(actions.iter().copied()).on([format!("arn:{name}:s3:::{bucket}")]))
            };
            let prefixes: Vec<&str> =
                self.places.iter().filter(|place| place.bucket == bucket).map(|place| place.prefix.as_str()).collect();
            if prefixes.contains(&"") {
                statements.push(on(&["s3:ListBucket", "s3:ListBucketMultipartUploads"]));
                continue;
            }
            // What is listed is named in the request; without a condition, names outside the prefix would show.
            let patterns: Vec<_> = prefixes.iter().map(|prefix| format!("{}*", literal(prefix))).collect();
            statements.push(on(&["s3:ListBucket"]).only_if(Operator::STRING_LIKE, "s3:prefix", patterns));
            // This one has no s3:prefix ("Actions defined by Amazon S3", service authorization reference): with the
            // condition it would be denied always. It shows names of uploads under way, and no object.
            statements.push(on(&["s3:ListBucketMultipartUploads"]));
        }
        // A bucket may encrypt by itself with a key that nobody here has heard of. Through S3 alone: the session cannot ask
        // KMS to decrypt anything else.
        let keys = if self.kms_keys.is_empty() { vec!["*".to_owned()] } else { self.kms_keys.clone() };
        let via = format!("s3.*.{}", domain_of(partition));
        let kms = DraftStatement::allow(["kms:Decrypt", "kms:GenerateDataKey"]).on(keys);
        statements.push(kms.only_if(Operator::STRING_LIKE, "kms:ViaService", [via]));
        statements
    }
}

/// Why a fence makes no session policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FenceError {
    /// STS takes no policy of this length.
    #[error("makes a session policy of {length} characters, and STS takes {POLICY_CHARS}")]
    TooLong {
        /// In characters.
        length: usize,
    },
    /// It names what no policy can.
    #[error("makes no session policy: {why}")]
    Unfit {
        /// What the policy language has against it.
        why: String,
    },
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

/// JSON with what STS's `Policy` does not take (beyond U+00FF: STS API reference) written as escapes, which mean the same.
fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            // Beyond the first 65536 as two surrogates, as JSON has it.
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}").expect("writing to a String does not fail");
            }
        }
    }
    out
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
        let policy = fence(&[("lake", "topics/")]).policy("eu-central-1", None, Purpose::S3).unwrap().unwrap();
        let document = Document::parse_as(PolicyKind::Session, &policy).unwrap();
        assert_eq!(document.statements().len(), 4);
        assert!(policy.contains(r#""arn:aws:s3:::lake/topics/*""#), "{policy}");
        assert!(policy.contains(r#"{"StringLike":{"s3:prefix":"topics/*"}}"#), "{policy}");
        assert!(policy.contains("s3.*.amazonaws.com"), "{policy}");
        let china = fence(&[("lake", "")]).policy("cn-north-1", None, Purpose::S3).unwrap().unwrap();
        assert!(china.contains("arn:aws-cn:s3:::lake/*") && china.contains("s3.*.amazonaws.com.cn"), "{china}");
        assert!(!china.contains("s3:prefix"), "{china}");
    }

    #[test]
    fn a_known_owner_is_part_of_the_policy() {
        let owner = Some("111111111111".parse().unwrap());
        let policy = fence(&[("lake", "topics/")]).policy("eu-central-1", owner, Purpose::S3).unwrap().unwrap();
        assert_eq!(policy.matches(r#""s3:ResourceAccount":"111111111111""#).count(), 3, "{policy}");
        assert!(policy.len() < POLICY_CHARS / 2, "{} characters", policy.len());
    }

    #[test]
    fn wildcards_in_a_prefix_are_characters() {
        let policy = fence(&[("lake", "a*b?${x}/")]).policy("eu-central-1", None, Purpose::S3).unwrap().unwrap();
        assert!(policy.contains("lake/a${*}b${?}${$}{x}/*"), "{policy}");
    }

    #[test]
    fn a_prefix_in_any_script_makes_a_policy_that_sts_takes() {
        let policy =
            fence(&[("lake", "заказы/\u{1f40b}/")]).policy("eu-central-1", None, Purpose::S3).unwrap().unwrap();
        assert!(policy.is_ascii(), "{policy}");
        let read = Document::parse_as(PolicyKind::Session, &policy).unwrap().to_string();
        assert!(read.contains("arn:aws:s3:::lake/заказы/\u{1f40b}/*"), "{read}");
    }

    #[test]
    fn a_session_for_kafka_may_touch_no_object() {
        let policy = fence(&[("lake", "")]).policy("eu-central-1", None, Purpose::Kafka).unwrap().unwrap();
        assert!(policy.contains("kafka-cluster:*") && !policy.contains("s3:"), "{policy}");
        Document::parse_as(PolicyKind::Session, &policy).unwrap();
    }

    #[test]
    fn a_fence_that_is_too_long_for_sts_is_refused() {
        let places: Vec<(String, String)> =
            (0..60).map(|n| (format!("bucket-{n}"), "a/long/prefix/".repeat(2))).collect();
        let places: Vec<(&str, &str)> = places.iter().map(|(b, p)| (b.as_str(), p.as_str())).collect();
        let refused = fence(&places).policy("eu-central-1", None, Purpose::S3).unwrap_err();
        assert!(matches!(refused, FenceError::TooLong { length } if length > POLICY_CHARS), "{refused}");
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
        assert_eq!(off.policy("eu-central-1", None, Purpose::S3), Ok(None));
    }
}
