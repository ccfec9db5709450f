//! What is known of AWS's services: their actions, what these act on, and their condition keys. Pure tables; a linter
//! asks them, the evaluator never does.

mod services;
mod tables;

/// What an action acts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    /// A bucket: `arn:aws:s3:::bucket`.
    Bucket,
    /// An object: `arn:aws:s3:::bucket/key`.
    Object,
    /// A role.
    Role,
    /// A KMS key.
    Key,
    /// Something else that has an ARN: an access point, a job.
    Other,
    /// Nothing that has an ARN: only `*` will do.
    Nothing,
}

/// An action that the tables know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Action {
    /// `s3`, `sts` or `kms`.
    pub(crate) service: &'static str,
    /// Its name.
    pub(crate) name: &'static str,
    /// What it acts on.
    pub(crate) target: Target,
}

/// The services of which every action is known.
pub(crate) const KNOWN_SERVICES: [&str; 3] = ["s3", "sts", "kms"];

/// Every known action.
pub(crate) fn actions() -> impl Iterator<Item = Action> {
    [
        ("s3", tables::S3_BUCKET, Target::Bucket),
        ("s3", tables::S3_OBJECT, Target::Object),
        ("s3", tables::S3_OTHER, Target::Other),
        ("s3", tables::S3_ACCOUNT, Target::Nothing),
        ("sts", tables::STS_ROLE, Target::Role),
        ("sts", tables::STS_OTHER, Target::Nothing),
        ("kms", tables::KMS_KEY, Target::Key),
        ("kms", tables::KMS_OTHER, Target::Nothing),
    ]
    .into_iter()
    .flat_map(|(service, names, target)| names.split(' ').map(move |name| Action { service, name, target }))
}

/// Whether `prefix` is what stands before the colon of some service's actions.
pub(crate) fn is_service(prefix: &str) -> bool {
    services::SERVICES.split(' ').any(|known| known.eq_ignore_ascii_case(prefix))
}

/// Whether a condition key exists; `None` if its service's keys are not known here.
pub(crate) fn is_key(key: &str) -> Option<bool> {
    let lower = key.to_ascii_lowercase();
    let keys = match lower.split_once(':')?.0 {
        "aws" => tables::GLOBAL_KEYS,
        service if KNOWN_SERVICES.contains(&service) => tables::KEYS,
        _ => return None,
    };
    let same = |known: &str| if known.ends_with(['/', ':']) { lower.starts_with(known) } else { lower == known };
    Some(keys.split(' ').any(same))
}

/// The actions of its own service that have the condition key, where only some have it.
pub(crate) fn actions_with(key: &str) -> Option<impl Iterator<Item = &'static str> + Clone> {
    let (_, names) = tables::NARROW_KEYS.iter().find(|(known, _)| known.eq_ignore_ascii_case(key))?;
    Some(names.split(' '))
}

/// The action that a wrong name probably means: operations of the API whose permission is called otherwise.
pub(crate) fn meant_by(service: &str, name: &str) -> Option<&'static str> {
    const S3: &[(&str, &str)] = &[
        ("HeadObject", "GetObject"),
        ("HeadBucket", "ListBucket"),
        ("ListObjects", "ListBucket"),
        ("ListObjectsV2", "ListBucket"),
        ("ListObject", "ListBucket"),
        ("ListObjectVersions", "ListBucketVersions"),
        ("ListBuckets", "ListAllMyBuckets"),
        ("CreateMultipartUpload", "PutObject"),
        ("InitiateMultipartUpload", "PutObject"),
        ("UploadPart", "PutObject"),
        ("UploadPartCopy", "PutObject"),
        ("CompleteMultipartUpload", "PutObject"),
        ("CopyObject", "PutObject"),
        ("PostObject", "PutObject"),
        ("ListMultipartUploads", "ListBucketMultipartUploads"),
        ("ListParts", "ListMultipartUploadParts"),
        ("DeleteObjects", "DeleteObject"),
        ("GetBucketEncryption", "GetEncryptionConfiguration"),
        ("PutBucketEncryption", "PutEncryptionConfiguration"),
        ("DeleteBucketEncryption", "PutEncryptionConfiguration"),
        ("GetBucketLifecycle", "GetLifecycleConfiguration"),
        ("GetBucketLifecycleConfiguration", "GetLifecycleConfiguration"),
        ("PutBucketLifecycle", "PutLifecycleConfiguration"),
        ("PutBucketLifecycleConfiguration", "PutLifecycleConfiguration"),
        ("GetBucketReplication", "GetReplicationConfiguration"),
        ("PutBucketReplication", "PutReplicationConfiguration"),
        ("GetPublicAccessBlock", "GetBucketPublicAccessBlock"),
        ("PutPublicAccessBlock", "PutBucketPublicAccessBlock"),
        ("GetObjectLockConfiguration", "GetBucketObjectLockConfiguration"),
    ];
    const STS: &[(&str, &str)] = &[("AssumeRoles", "AssumeRole"), ("TagSessions", "TagSession")];
    /// The most letters that a slip is away.
    const NEAR: usize = 2;
    const KMS: &[(&str, &str)] = &[("ReEncrypt", "ReEncrypt*"), ("GenerateDataKeys", "GenerateDataKey")];
    let renamed = match service {
        "s3" => S3,
        "sts" => STS,
        "kms" => KMS,
        _ => &[],
    };
    if let Some((_, meant)) = renamed.iter().find(|(wrong, _)| wrong.eq_ignore_ascii_case(name)) {
        return Some(meant);
    }
    // Names that are longer or shorter by more than that are further away, which is seen at once.
    let may_be = |action: &Action| action.service == service && action.name.len().abs_diff(name.len()) <= NEAR;
    let near = |action: Action| (distance(action.name, name), action.name);
    actions().filter(may_be).map(near).min().filter(|(distance, _)| *distance <= NEAR).map(|(_, name)| name)
}

/// How many letters must be put in, taken out or changed to make one name the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.to_ascii_lowercase(), b.to_ascii_lowercase());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.bytes().enumerate() {
            let cost = if x == y { diagonal } else { 1 + diagonal.min(row[j]).min(row[j + 1]) };
            diagonal = std::mem::replace(&mut row[j + 1], cost);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_is_whole() {
        let names: Vec<Action> = actions().collect();
        assert!(names.iter().all(|action| !action.name.is_empty()));
        let of = |service| names.iter().filter(|action| action.service == service).count();
        assert_eq!((of("s3"), of("sts"), of("kms")), (168, 16, 55));
        for service in ["s3", "kafka-cluster", "IAM"] {
            assert!(is_service(service), "{service}");
        }
        assert!(!is_service("s3a"));
    }

    #[test]
    fn keys_with_a_name_of_their_own_are_known_by_their_beginning() {
        assert_eq!(is_key("s3:ExistingObjectTag/team"), Some(true));
        assert_eq!(is_key("AWS:principaltag/x509Subject/CN"), Some(true));
        assert_eq!(is_key("sts:External-Id"), Some(false));
        assert_eq!(is_key("aws:ExternalId"), Some(false));
        assert_eq!(is_key("dynamodb:LeadingKeys"), None);
    }

    #[test]
    fn a_wrong_name_is_told_the_right_one() {
        assert_eq!(meant_by("s3", "ListObjectsV2"), Some("ListBucket"));
        assert_eq!(meant_by("s3", "GetObjects"), Some("GetObject"));
        assert_eq!(meant_by("sts", "AsumeRole"), Some("AssumeRole"));
        assert_eq!(meant_by("s3", "FlyToTheMoon"), None);
    }
}
