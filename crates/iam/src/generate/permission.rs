use crate::draft::{Draft, DraftCondition, DraftStatement};
use crate::generate::{GenerateError, Need, S3Place};
use crate::{Arn, Document, Operator, Partition, PolicyKind};

/// What writing exactly once asks of objects. `CreateMultipartUpload`, `UploadPart` and `CompleteMultipartUpload` are all
/// `s3:PutObject`; `HeadObject`, by which an object is known to be ours after a crash, is `s3:GetObject`.
pub(crate) const WRITE_ACTIONS: [&str; 4] =
    ["s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"];

/// The policy that allows `needs` and nothing else.
pub fn permission_policy(needs: &[Need]) -> Result<Document, GenerateError> {
    let mut grants: Vec<Grant> = Vec::new();
    for need in needs {
        for grant in of(need)? {
            add(&mut grants, grant);
        }
    }
    if grants.is_empty() {
        return Err(GenerateError::Nothing { what: "no need" });
    }
    let mut draft = Draft::new();
    for (index, grant) in grants.iter().enumerate() {
        let twin = grants[..index].iter().filter(|other| other.sid == grant.sid).count();
        let mut statement = grant.statement();
        if twin > 0 {
            statement.sid = Some(format!("{}{}", grant.sid, twin + 1));
        }
        draft = draft.with(statement);
    }
    draft.build(PolicyKind::Identity).map_err(GenerateError::Policy)
}

/// A statement to be.
#[derive(Debug, Clone, PartialEq)]
struct Grant {
    sid: &'static str,
    actions: Vec<&'static str>,
    resources: Vec<String>,
    conditions: Vec<DraftCondition>,
}

impl Grant {
    fn new(sid: &'static str, actions: &[&'static str], resources: Vec<String>) -> Self {
        Self { sid, actions: actions.to_vec(), resources, conditions: Vec::new() }
    }

    fn only_if(mut self, operator: Operator, key: &str, values: Vec<String>) -> Self {
        self.conditions.push(DraftCondition { operator, key: key.to_owned(), values });
        self
    }

    fn statement(&self) -> DraftStatement {
        let mut statement = DraftStatement::allow(self.actions.iter().copied()).called(self.sid).on(&self.resources);
        statement.conditions.clone_from(&self.conditions);
        statement
    }
}

/// Joins a grant with one that differs in the actions or in the resources alone: the same is said in fewer words, and no
/// action meets a resource that was not meant for it.
fn add(grants: &mut Vec<Grant>, grant: Grant) {
    for known in grants.iter_mut().filter(|known| known.conditions == grant.conditions) {
        if known.resources == grant.resources {
            union(&mut known.actions, &grant.actions);
            return;
        }
        if known.actions == grant.actions {
            union(&mut known.resources, &grant.resources);
            return;
        }
    }
    // Names below the same bucket and prefixes of one question: two needs that list make one statement.
    let alike = |known: &&mut Grant| {
        known.actions == grant.actions
            && known.resources == grant.resources
            && known.conditions.len() == grant.conditions.len()
            && known.conditions.iter().zip(&grant.conditions).all(|(a, b)| a.operator == b.operator && a.key == b.key)
            && known.conditions.iter().zip(&grant.conditions).filter(|(a, b)| a.values != b.values).count() == 1
    };
    match grants.iter_mut().find(alike) {
        Some(known) => {
            for (a, b) in known.conditions.iter_mut().zip(&grant.conditions) {
                union(&mut a.values, &b.values);
            }
        }
        None => grants.push(grant),
    }
}

fn union<T: Clone + Ord>(list: &mut Vec<T>, more: &[T]) {
    list.extend_from_slice(more);
    list.sort_unstable();
    list.dedup();
}

fn of(need: &Need) -> Result<Vec<Grant>, GenerateError> {
    Ok(match need {
        Need::WriteObjects { place, manifests } => write_objects(place, manifests.as_deref())?,
        Need::ReadObjects { place } => {
            check(place)?;
            let mut grants = vec![objects(place, "ReadObjects", &["s3:GetObject"], &[&place.prefix])];
            grants.push(list(place, &[&place.prefix]));
            grants.extend(use_key(place, &["kms:Decrypt"])?);
            grants
        }
        Need::ListObjects { place } => {
            check(place)?;
            vec![list(place, &[&place.prefix])]
        }
        Need::DeleteObjects { place } => {
            check(place)?;
            vec![objects(place, "DeleteObjects", &["s3:DeleteObject"], &[&place.prefix])]
        }
        Need::AssumeRole { role, tags, source_identity } => {
            if role.role_name().is_none() {
                return Err(refuse("role", role.as_str(), "is no IAM role"));
            }
            let mut actions = vec!["sts:AssumeRole"];
            actions.extend(source_identity.then_some("sts:SetSourceIdentity"));
            actions.extend(tags.then_some("sts:TagSession"));
            vec![Grant::new("TakeOnRole", &actions, vec![escape(role.as_str())])]
        }
        Need::ConsumeKafka { cluster, topics, group } => {
            let of_topics = topics.iter().map(|topic| kafka(cluster, "topic", Some(topic)));
            vec![
                Grant::new("ReachCluster", &["kafka-cluster:Connect"], vec![kafka(cluster, "cluster", None)?]),
                Grant::new(
                    "ReadTopics",
                    &["kafka-cluster:DescribeTopic", "kafka-cluster:ReadData"],
                    of_topics.collect::<Result<_, _>>()?,
                ),
                Grant::new(
                    "JoinGroup",
                    &["kafka-cluster:AlterGroup", "kafka-cluster:DescribeGroup"],
                    vec![kafka(cluster, "group", Some(group))?],
                ),
            ]
        }
        Need::ProduceKafka { cluster, topics, create } => {
            // The cluster's right to idempotent writing comes with Connect and WriteData (MSK developer guide).
            let mut actions = vec!["kafka-cluster:DescribeTopic", "kafka-cluster:WriteData"];
            if *create {
                actions.insert(0, "kafka-cluster:CreateTopic");
            }
            let of_topics = topics.iter().map(|topic| kafka(cluster, "topic", Some(topic)));
            vec![
                Grant::new(
                    "ReachCluster",
                    &["kafka-cluster:Connect", "kafka-cluster:WriteDataIdempotently"],
                    vec![kafka(cluster, "cluster", None)?],
                ),
                Grant::new("WriteTopics", &actions, of_topics.collect::<Result<_, _>>()?),
            ]
        }
    })
}

fn write_objects(place: &S3Place, manifests: Option<&str>) -> Result<Vec<Grant>, GenerateError> {
    check(place)?;
    let mut prefixes = vec![place.prefix.as_str()];
    let mut grants = vec![objects(place, "WriteObjects", &WRITE_ACTIONS, &[&place.prefix])];
    if let Some(manifests) = manifests {
        check_prefix(manifests)?;
        let within = manifests.starts_with(&place.prefix);
        // They are the only objects that the sink takes away again.
        let actions: &[&str] =
            if within { &["s3:DeleteObject"] } else { &["s3:DeleteObject", "s3:GetObject", "s3:PutObject"] };
        grants.push(objects(place, "Manifests", actions, &[manifests]));
        if !within {
            prefixes.push(manifests);
        }
    }
    grants.push(list(place, &prefixes));
    // AWS has no condition key by which this could be narrowed to a prefix; it shows names and never contents.
    grants.push(owned(place, Grant::new("FindUploads", &["s3:ListBucketMultipartUploads"], vec![bucket(place)])));
    grants.extend(use_key(place, &["kms:Decrypt", "kms:GenerateDataKey"])?);
    Ok(grants)
}

fn objects(place: &S3Place, sid: &'static str, actions: &[&'static str], prefixes: &[&str]) -> Grant {
    let of = |prefix: &&str| format!("{}/{}*", bucket(place), escape(prefix));
    owned(place, Grant::new(sid, actions, prefixes.iter().map(of).collect()))
}

/// Without `s3:ListBucket` what is missing and what is forbidden look alike.
fn list(place: &S3Place, prefixes: &[&str]) -> Grant {
    let grant = owned(place, Grant::new("FindObjects", &["s3:ListBucket"], vec![bucket(place)]));
    if prefixes.contains(&"") {
        return grant;
    }
    let values = prefixes.iter().map(|prefix| format!("{}*", escape(prefix))).collect();
    grant.only_if(Operator::STRING_LIKE, "s3:prefix", values)
}

fn owned(place: &S3Place, grant: Grant) -> Grant {
    match place.owner {
        Some(owner) => grant.only_if(Operator::STRING_EQUALS, "s3:ResourceAccount", vec![owner.to_string()]),
        None => grant,
    }
}

/// The key, and only on S3's behalf: a session that is stolen decrypts nothing by itself.
fn use_key(place: &S3Place, actions: &[&'static str]) -> Result<Option<Grant>, GenerateError> {
    let Some(key) = &place.key else { return Ok(None) };
    if key.service() != "kms" || !key.resource().starts_with("key/") || key.region().is_empty() {
        return Err(refuse("KMS key", key.as_str(), "is no key's ARN, as arn:aws:kms:REGION:ACCOUNT:key/ID is"));
    }
    let grant = Grant::new("UseKey", actions, vec![escape(key.as_str())]);
    let suffix = if place.partition == Partition::China { "amazonaws.com.cn" } else { "amazonaws.com" };
    let via = format!("s3.{}.{suffix}", key.region());
    Ok(Some(grant.only_if(Operator::STRING_EQUALS, "kms:ViaService", vec![via])))
}

fn bucket(place: &S3Place) -> String {
    format!("arn:{}:s3:::{}", place.partition.name(), place.bucket)
}

fn kafka(cluster: &Arn, kind: &str, name: Option<&str>) -> Result<String, GenerateError> {
    let path = cluster.resource().strip_prefix("cluster/").filter(|path| path.split('/').count() == 2);
    let (Some(path), "kafka") = (path, cluster.service()) else {
        return Err(refuse(
            "MSK cluster",
            cluster.as_str(),
            "is no cluster's ARN, as arn:aws:kafka:REGION:ACCOUNT:cluster/NAME/UUID is",
        ));
    };
    let head = cluster.as_str().strip_suffix(cluster.resource()).unwrap_or_default();
    let legal = |name: &&str| {
        (1..=249).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'*' | b'?'))
    };
    match name {
        None => Ok(format!("{head}{kind}/{path}")),
        Some(name) if kind != "topic" || legal(&name) => {
            let name = if kind == "topic" { name.to_owned() } else { escape(name) };
            Ok(format!("{head}{kind}/{path}/{name}"))
        }
        Some(name) => Err(refuse("topic", name, "is no topic's name")),
    }
}

fn check(place: &S3Place) -> Result<(), GenerateError> {
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-');
    let name = &place.bucket;
    if !(3..=63).contains(&name.len()) || !name.bytes().all(legal) {
        return Err(refuse("bucket", name, "is not 3 to 63 lower-case letters, digits, dots and dashes"));
    }
    check_prefix(&place.prefix)
}

fn check_prefix(prefix: &str) -> Result<(), GenerateError> {
    // S3's longest key; what is longer could name nothing.
    if prefix.len() > 1024 {
        return Err(refuse("prefix", prefix, "is longer than 1024 bytes, and S3 has no such key"));
    }
    if prefix.chars().any(char::is_control) {
        return Err(refuse("prefix", prefix, "holds a control character"));
    }
    Ok(())
}

fn refuse(what: &'static str, value: &str, rule: &'static str) -> GenerateError {
    GenerateError::Value { what, value: value.chars().take(200).collect(), rule }
}

/// The text as a policy says it literally: `*`, `?` and `$` have a meaning of their own.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '*' | '?' | '$' => {
                out.push_str("${");
                out.push(c);
                out.push('}');
            }
            _ => out.push(c),
        }
    }
    out
}
