//! False alarms are as bad as misses: set-ups of all kinds on which there is nothing to say. Each is put together from a way
//! to be somebody, a bucket and what a connection says of it, examined as deep as the work would go, and passes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use connectors::{Config, ConnectorFile, WorkerConfig};
use doctor::{Area, Check, Depth, IntegrationFacts, Place, Status, Target, TargetKind, examine};
use identity::{Connections, KeyRule};
use local::scenario::{Scenario, Stage};
use tokio::task::JoinSet;

use super::{AT_ONCE, BOUND, around, told};

/// How somebody begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Base {
    /// A user's keys.
    Keys,
    /// A user's keys in the environment.
    Environment,
    /// A user's keys in a profile.
    Profile,
    /// A role of ours, taken on by a user.
    Chain,
    Instance,
    Task,
    Pod,
    WebIdentity,
    Certificate,
}

/// What the target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The connection, for reading and writing.
    Both,
    /// The same, by a role that may delete objects and no versions, as a generated policy lets it.
    NoVersions,
    /// The connection, for reading alone, by a role that may do no more.
    ReadOnly,
    /// The connection, for writing alone, by a role that may do no more.
    WriteOnly,
    /// A connector that writes exactly once.
    ExactlyOnce,
    /// A connector that writes at least once.
    AtLeastOnce,
    /// An integration.
    Integration,
}

#[derive(Debug, Clone, Copy)]
struct Healthy {
    name: &'static str,
    base: Base,
    kind: Kind,
    /// More keys of the connection.
    connection: &'static str,
    /// More keys of its last role.
    hop: &'static str,
    /// More tables: the bucket's policy, keys.
    stage: &'static str,
    /// More keys of the bucket.
    bucket: &'static str,
    /// Whose the bucket is.
    owner: &'static str,
    /// Statements of the role's policy beside its own.
    role: &'static str,
    /// What the target asks of each write.
    sse: Option<&'static str>,
    empty: bool,
}

const USUAL: Healthy = Healthy {
    name: "",
    base: Base::Keys,
    kind: Kind::Both,
    connection: FENCE,
    hop: "",
    stage: "",
    bucket: "",
    owner: "111111111111",
    role: "",
    sse: None,
    empty: false,
};

const FENCE: &str = "bucket = 'lake'\nprefix = 'topics/'\n";
const WHOLE_BUCKET: &str = "bucket = 'lake'\n";
const FENCE_CHECK: &str = "bucket = 'lake'\nprefix = 'topics/'\nfence = 'check'\n";
const NO_FENCE: &str = "";
const TWO_PLACES: &str = "buckets = ['lake/topics/', 'lake/more/']\n";
const OWNER: &str = "bucket = 'lake'\nprefix = 'topics/'\nbucket_owner = '111111111111'\n";
const OWNER_OF_ROLE: &str = "bucket = 'lake'\nprefix = 'topics/'\nbucket_owner = 'role'\n";
const ANOTHER_OWNER: &str = "bucket = 'lake'\nprefix = 'topics/'\nbucket_owner = '333333333333'\n";
const TAGS: &str = "tags = { team = 'data' }\n";
const NAMED: &str = "source_identity = 'tidegate'\n";
const LETS_US_IN: &str = "[buckets.lake.policy]\nVersion = '2012-10-17'\n[[buckets.lake.policy.Statement]]\nEffect = 'Allow'\nPrincipal = { AWS = 'arn:aws:iam::111111111111:role/orders' }\nAction = ['s3:GetObject', 's3:PutObject', 's3:AbortMultipartUpload', 's3:DeleteObject', 's3:DeleteObjectVersion', 's3:ListBucket']\nResource = ['arn:aws:s3:::lake', 'arn:aws:s3:::lake/*']\n";
const TLS_ONLY: &str = "[buckets.lake.policy]\nVersion = '2012-10-17'\nStatement = { Effect = 'Deny', Principal = '*', Action = 's3:*', Resource = ['arn:aws:s3:::lake', 'arn:aws:s3:::lake/*'], Condition = { Bool = { 'aws:SecureTransport' = 'false' } } }\n";
const NO_KMS: &str = "[buckets.lake.policy]\nVersion = '2012-10-17'\nStatement = { Effect = 'Deny', Principal = '*', Action = 's3:PutObject', Resource = 'arn:aws:s3:::lake/*', Condition = { StringEquals = { 's3:x-amz-server-side-encryption' = 'aws:kms' } } }\n";
const OWN_KEY: &str = "[accounts.111111111111.kms_keys.k1]\nregion = 'us-east-1'\n";
const THEIR_KEY: &str = "[accounts.333333333333.kms_keys.k1]\nregion = 'us-east-1'\npolicy = { Version = '2012-10-17', Statement = { Effect = 'Allow', Principal = { AWS = 'arn:aws:iam::111111111111:role/orders' }, Action = ['kms:GenerateDataKey', 'kms:Decrypt'], Resource = '*' } }\n";
const BY_OWN_KEY: &str = "encryption = { kind = 'aws:kms', key = 'arn:aws:kms:us-east-1:111111111111:key/k1' }\n";
const BY_THEIR_KEY: &str = "encryption = { kind = 'aws:kms', key = 'arn:aws:kms:us-east-1:333333333333:key/k1' }\n";
const MAY_OWN_KEY: &str = "{ Effect = 'Allow', Action = ['kms:GenerateDataKey', 'kms:Decrypt'], Resource = 'arn:aws:kms:us-east-1:111111111111:key/k1' }";
const MAY_THEIR_KEY: &str = "{ Effect = 'Allow', Action = ['kms:GenerateDataKey', 'kms:Decrypt'], Resource = 'arn:aws:kms:us-east-1:333333333333:key/k1' }";
const MAY_SEE_LOCK: &str =
    "{ Effect = 'Allow', Action = 's3:GetBucketObjectLockConfiguration', Resource = 'arn:aws:s3:::lake' }";
const VERSIONED: &str = "versioning = 'enabled'\n";
const SUSPENDED: &str = "versioning = 'suspended'\n";
const LOCKED: &str = "versioning = 'enabled'\nobject_lock = { mode = 'COMPLIANCE', days = 1 }\n";
const SSE_S3: &str = "encryption = { kind = 'AES256' }\n";
const ORGANIZATION: &str = "[accounts.111111111111.organization]\nid = 'o-1'\n[accounts.111111111111.organization.scps.no-billing]\nVersion = '2012-10-17'\nStatement = { Effect = 'Deny', Action = 'aws-portal:*', Resource = '*' }\n";
const ENDPOINT: &str = "[machine.vpc_endpoints.s3]\nid = 'vpce-1'\n";
const THROUGH_ENDPOINT: &str = "[machine.vpc_endpoints.s3]\nid = 'vpce-1'\n[buckets.lake.policy]\nVersion = '2012-10-17'\nStatement = { Effect = 'Deny', Principal = '*', Action = 's3:*', Resource = ['arn:aws:s3:::lake', 'arn:aws:s3:::lake/*'], Condition = { StringNotEquals = { 'aws:SourceVpce' = 'vpce-1' } } }\n";

#[rustfmt::skip]
const SET_UPS: &[Healthy] = &[
    // Ways to be somebody.
    Healthy { name: "keys", ..USUAL },
    Healthy { name: "keys of the environment", base: Base::Environment, ..USUAL },
    Healthy { name: "keys of a profile", base: Base::Profile, ..USUAL },
    Healthy { name: "a role of ours", base: Base::Chain, ..USUAL },
    Healthy { name: "an instance", base: Base::Instance, ..USUAL },
    Healthy { name: "a task", base: Base::Task, ..USUAL },
    Healthy { name: "a pod", base: Base::Pod, ..USUAL },
    Healthy { name: "a token", base: Base::WebIdentity, ..USUAL },
    Healthy { name: "a certificate", base: Base::Certificate, ..USUAL },
    // Fences.
    Healthy { name: "a fence around the bucket", connection: WHOLE_BUCKET, ..USUAL },
    Healthy { name: "a fence that is checked alone", connection: FENCE_CHECK, ..USUAL },
    Healthy { name: "no fence", connection: NO_FENCE, ..USUAL },
    Healthy { name: "a fence of two places", connection: TWO_PLACES, ..USUAL },
    Healthy { name: "an instance and no fence", base: Base::Instance, connection: NO_FENCE, ..USUAL },
    // Owners.
    Healthy { name: "an owner", connection: OWNER, ..USUAL },
    Healthy { name: "the role's account as owner", connection: OWNER_OF_ROLE, ..USUAL },
    Healthy { name: "another account as owner", connection: ANOTHER_OWNER, owner: "333333333333", stage: LETS_US_IN, ..USUAL },
    Healthy { name: "another account, unnamed", owner: "333333333333", stage: LETS_US_IN, ..USUAL },
    Healthy { name: "another account without a fence", connection: NO_FENCE, owner: "333333333333", stage: LETS_US_IN, ..USUAL },
    // What is sent along.
    Healthy { name: "tags", hop: TAGS, ..USUAL },
    Healthy { name: "a source identity", hop: NAMED, ..USUAL },
    Healthy { name: "tags of a pod", base: Base::Pod, hop: TAGS, ..USUAL },
    Healthy { name: "a duration", hop: "duration = 3600\n", ..USUAL },
    Healthy { name: "the longest duration", hop: "duration = 'auto'\n", ..USUAL },
    Healthy { name: "the longest duration of a chain", base: Base::Chain, hop: "duration = 'auto'\n", ..USUAL },
    Healthy { name: "a session's name", hop: "session_name = 'orders-{{connection}}'\n", ..USUAL },
    // Buckets.
    Healthy { name: "an empty bucket", empty: true, ..USUAL },
    // Whether it locks them too is to be seen before anything is written; a role that can delete no version writes nothing whole.
    Healthy { name: "a bucket that keeps versions", bucket: VERSIONED, role: MAY_SEE_LOCK, ..USUAL },
    Healthy { name: "a bucket that keeps versions, and a role that deletes none", kind: Kind::NoVersions, bucket: VERSIONED, ..USUAL },
    Healthy { name: "a bucket that kept versions", bucket: SUSPENDED, ..USUAL },
    Healthy { name: "a bucket that locks", bucket: LOCKED, role: MAY_SEE_LOCK, ..USUAL },
    Healthy { name: "a bucket whose owner pays anyway", bucket: "requester_pays = true\n", ..USUAL },
    Healthy { name: "a bucket with ACLs", bucket: "object_ownership = 'BucketOwnerPreferred'\n", ..USUAL },
    Healthy { name: "TLS alone", stage: TLS_ONLY, ..USUAL },
    Healthy { name: "an organisation", stage: ORGANIZATION, ..USUAL },
    Healthy { name: "an endpoint", stage: ENDPOINT, ..USUAL },
    Healthy { name: "an endpoint alone", stage: THROUGH_ENDPOINT, ..USUAL },
    // Encryption.
    Healthy { name: "SSE-S3 by default", bucket: SSE_S3, ..USUAL },
    Healthy { name: "SSE-S3 by demand", stage: NO_KMS, sse: Some("AES256"), ..USUAL },
    Healthy { name: "SSE-KMS by default", bucket: BY_OWN_KEY, stage: OWN_KEY, role: MAY_OWN_KEY, ..USUAL },
    Healthy { name: "SSE-KMS of another account", bucket: BY_THEIR_KEY, stage: THEIR_KEY, role: MAY_THEIR_KEY, ..USUAL },
    Healthy { name: "SSE-KMS by AWS's own key", sse: Some("aws:kms"), ..USUAL },
    Healthy { name: "SSE-KMS for whoever only writes", kind: Kind::WriteOnly, bucket: BY_OWN_KEY, stage: OWN_KEY, role: MAY_OWN_KEY, ..USUAL },
    // Roles that may do less.
    Healthy { name: "reading alone", kind: Kind::ReadOnly, ..USUAL },
    Healthy { name: "reading alone without a fence", kind: Kind::ReadOnly, connection: NO_FENCE, ..USUAL },
    Healthy { name: "reading nothing", kind: Kind::ReadOnly, empty: true, ..USUAL },
    Healthy { name: "writing alone", kind: Kind::WriteOnly, ..USUAL },
    Healthy { name: "writing alone without a fence", kind: Kind::WriteOnly, connection: NO_FENCE, ..USUAL },
    Healthy { name: "writing alone to an owner", kind: Kind::WriteOnly, connection: OWNER, ..USUAL },
    Healthy { name: "writing alone to another account", kind: Kind::WriteOnly, connection: ANOTHER_OWNER, owner: "333333333333", stage: LETS_US_IN, ..USUAL },
    // Connectors and integrations.
    Healthy { name: "a connector, exactly once", kind: Kind::ExactlyOnce, ..USUAL },
    Healthy { name: "a connector, at least once", kind: Kind::AtLeastOnce, ..USUAL },
    Healthy { name: "a connector of an instance", kind: Kind::ExactlyOnce, base: Base::Instance, ..USUAL },
    Healthy { name: "a connector to an empty bucket of an owner", kind: Kind::ExactlyOnce, connection: OWNER, empty: true, ..USUAL },
    Healthy { name: "a connector and a key", kind: Kind::ExactlyOnce, bucket: BY_OWN_KEY, stage: OWN_KEY, role: MAY_OWN_KEY, ..USUAL },
    Healthy { name: "an integration", kind: Kind::Integration, connection: NO_FENCE, ..USUAL },
    Healthy { name: "an integration of a role of ours", kind: Kind::Integration, base: Base::Chain, connection: NO_FENCE, ..USUAL },
];

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_said_of_what_is_well() {
    assert!(SET_UPS.len() >= 50, "{}", SET_UPS.len());
    let mut playing = JoinSet::new();
    let mut wrong = Vec::new();
    for healthy in SET_UPS {
        while playing.len() >= AT_ONCE {
            wrong.extend(playing.join_next().await.expect("one is playing").expect("no set-up panics"));
        }
        playing.spawn(async move {
            match tokio::time::timeout(BOUND, said(healthy)).await {
                Ok(said) => said.map(|said| format!("{}: {said}", healthy.name)),
                Err(_) => Some(format!("{}: not done in {BOUND:?}", healthy.name)),
            }
        });
    }
    while let Some(said) = playing.join_next().await {
        wrong.extend(said.expect("no set-up panics"));
    }
    assert!(wrong.is_empty(), "{} false alarms\n{}", wrong.len(), wrong.join("\n"));
}

/// What is said though nothing is wrong; `None` if nothing.
async fn said(healthy: &Healthy) -> Option<String> {
    let text = healthy.scenario();
    let scenario = match Scenario::parse(healthy.name, &text) {
        Ok(scenario) => scenario,
        Err(faults) => return Some(format!("{faults}\n{text}")),
    };
    let stage = match scenario.play(&BTreeMap::new()).await {
        Ok(stage) => stage,
        Err(error) => return Some(fault::Chain(&error).to_string()),
    };
    let target = healthy.target(&stage);
    let depth = if healthy.kind == Kind::ReadOnly { Depth::Read } else { Depth::Write };
    let before = stage.aws().holdings();
    let report = examine(&target, depth, &around(&stage), &|_| ()).await;
    if let Some(left) = super::left(&before, &stage).next() {
        return Some(format!("left behind: {left}\n{}", told(&report)));
    }
    // There is no Kafka on this stage.
    let unwell = report
        .checks
        .iter()
        .filter(|result| result.check.area != Area::Kafka)
        .any(|result| !matches!(result.status, Status::Passed | Status::Skipped) || !result.diagnoses.is_empty());
    // To say nothing because nothing was tried would be no merit.
    let proof = if healthy.kind == Kind::ReadOnly { Check::READ } else { Check::MULTIPART };
    let tried = report.check(proof).is_some_and(|result| result.status == Status::Passed);
    (unwell || !tried).then(|| format!("\n{}", told(&report)))
}

impl Healthy {
    fn scenario(&self) -> String {
        let Self { name, hop, stage, bucket, owner, .. } = self;
        let objects = if self.empty { "" } else { "objects = { 'topics/a' = 'one', 'topics/empty' = '' }\n" };
        let mut text = format!("title = \"{name}\"\n");
        let principal = self.base(&mut text);
        write!(
            text,
            "[accounts.111111111111.roles.orders]\nmax_session_seconds = 14400\n[accounts.111111111111.roles.orders.trust]\nVersion = '2012-10-17'\nStatement = {{ Effect = 'Allow', Principal = {{ AWS = '{principal}' }}, Action = ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'], Condition = {{ StringEquals = {{ 'sts:ExternalId' = 'c-7f3' }} }} }}\n[accounts.111111111111.roles.orders.policies.lake]\nVersion = '2012-10-17'\nStatement = [{}]\n[buckets.lake]\naccount = '{owner}'\nregion = 'us-east-1'\n{bucket}{objects}{stage}[connections.lake]\nregion = 'us-east-1'\n{}{}[[connections.lake.roles]]\narn = 'arn:aws:iam::111111111111:role/orders'\nexternal_id = 'c-7f3'\n{hop}",
            self.statements(),
            self.connection,
            self.way(),
        ).expect("writing to a String does not fail");
        text
    }

    /// The connection's kind, where it is not told by who is there; and the roles before the last.
    fn way(&self) -> &'static str {
        match self.base {
            Base::Environment => "kind = 'default-chain'\n",
            Base::Profile => {
                "kind = 'profile'\nprofile = 'orders'\ncredentials_file = '${dir}/credentials'\nconfig_file = '${dir}/config'\n"
            }
            Base::Chain => "[[connections.lake.roles]]\narn = 'arn:aws:iam::222222222222:role/base'\n",
            _ => "",
        }
    }

    /// What the role may do: what the work needs, and nothing else.
    fn statements(&self) -> String {
        let objects = match self.kind {
            Kind::ReadOnly => "'s3:GetObject'",
            Kind::WriteOnly => "'s3:PutObject', 's3:AbortMultipartUpload'",
            Kind::NoVersions => "'s3:GetObject', 's3:PutObject', 's3:AbortMultipartUpload', 's3:DeleteObject'",
            _ => {
                "'s3:GetObject', 's3:PutObject', 's3:AbortMultipartUpload', 's3:DeleteObject', 's3:DeleteObjectVersion'"
            }
        };
        // The fence keeps the prefix, where there is one for it; without it the role does.
        let within = if self.connection == WHOLE_BUCKET { "*" } else { "topics/*" };
        let mut all =
            vec![format!("{{ Effect = 'Allow', Action = [{objects}], Resource = 'arn:aws:s3:::lake/{within}' }}")];
        if self.kind != Kind::WriteOnly {
            let condition =
                if within == "*" { "" } else { ", Condition = { StringLike = { 's3:prefix' = 'topics/*' } }" };
            all.push(format!(
                "{{ Effect = 'Allow', Action = 's3:ListBucket', Resource = 'arn:aws:s3:::lake'{condition} }}"
            ));
        }
        all.extend((!self.role.is_empty()).then(|| self.role.to_owned()));
        all.join(", ")
    }

    /// Writes down how somebody begins, and says who that is to the role.
    fn base(&self, text: &mut String) -> &'static str {
        const USER: &str = "arn:aws:iam::222222222222:user/vendor";
        const ROLE: &str = "arn:aws:iam::222222222222:role/base";
        let assume = "{ Version = '2012-10-17', Statement = { Effect = 'Allow', Action = ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'], Resource = 'arn:aws:iam::111111111111:role/orders' } }";
        let user = format!("[accounts.222222222222.users.vendor.policies]\nassume = {assume}\n");
        let role = |principal: &str, action: &str, more: &str| {
            format!(
                "[accounts.222222222222.roles.base]\npolicies.assume = {assume}\ntrust = {{ Version = '2012-10-17', Statement = {{ Effect = 'Allow', Principal = {{ {principal} }}, Action = {action}{more} }} }}\n"
            )
        };
        let service = |name: &str| {
            role(&format!("Service = '{name}'"), "['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity']", "")
        };
        let (part, who) = match self.base {
            Base::Keys => (format!("{user}[caller]\nuser = '222222222222/vendor'\n"), USER),
            Base::Environment => (
                format!(
                    "{user}[caller]\nuser = '222222222222/vendor'\n[machine.environment]\nAWS_ACCESS_KEY_ID = '${{caller.access_key_id}}'\nAWS_SECRET_ACCESS_KEY = '${{caller.secret_access_key}}'\n"
                ),
                USER,
            ),
            Base::Profile => (
                format!(
                    "{user}[caller]\nuser = '222222222222/vendor'\n[machine.files]\ncredentials = \"[orders]\\naws_access_key_id = ${{caller.access_key_id}}\\naws_secret_access_key = ${{caller.secret_access_key}}\\n\"\nconfig = \"\"\n"
                ),
                USER,
            ),
            Base::Chain => {
                let of_vendor = role(&format!("AWS = '{USER}'"), "'sts:AssumeRole'", "");
                let user = user.replace("role/orders", "role/base").replace("111111111111", "222222222222");
                (format!("{user}{of_vendor}[caller]\nuser = '222222222222/vendor'\n"), ROLE)
            }
            Base::Instance => {
                (format!("{}[instance]\nrole = '222222222222/base'\n", service("ec2.amazonaws.com")), ROLE)
            }
            Base::Task => (
                format!(
                    "{}[container]\nservice = 'ecs'\nrole = '222222222222/base'\n",
                    service("ecs-tasks.amazonaws.com")
                ),
                ROLE,
            ),
            Base::Pod => (
                format!(
                    "{}[container]\nservice = 'eks'\nrole = '222222222222/base'\n",
                    service("pods.eks.amazonaws.com")
                ),
                ROLE,
            ),
            Base::WebIdentity => {
                let more = ", Condition = { StringEquals = { 'oidc.example/id/1:aud' = 'sts.amazonaws.com', 'oidc.example/id/1:sub' = 'system:serviceaccount:data:tidegate' } }";
                let federated = "Federated = 'arn:aws:iam::222222222222:oidc-provider/oidc.example/id/1'";
                let base = role(federated, "'sts:AssumeRoleWithWebIdentity'", more);
                (
                    format!(
                        "[accounts.222222222222.oidc_providers.'oidc.example/id/1']\nclient_ids = ['sts.amazonaws.com']\n{base}[web_identity]\nissuer = 'https://oidc.example/id/1'\nsubject = 'system:serviceaccount:data:tidegate'\nrole = '222222222222/base'\n"
                    ),
                    ROLE,
                )
            }
            Base::Certificate => (
                format!(
                    "{}[roles_anywhere]\naccount = '222222222222'\nrole = 'base'\n",
                    service("rolesanywhere.amazonaws.com")
                ),
                ROLE,
            ),
        };
        text.push_str(&part);
        who
    }

    fn target(&self, stage: &Stage) -> Target {
        let environment = stage.environment();
        let connections = Connections::read("healthy", stage.connections(), &environment, KeyRule::default());
        let connections = connections.unwrap_or_else(|faults| panic!("{}: {faults}", self.name));
        let spec = Arc::clone(connections.get("lake").expect("the connection is there"));
        let place = Place {
            server_side_encryption: self.sse.map(str::to_owned),
            reads: self.kind != Kind::WriteOnly,
            writes: self.kind != Kind::ReadOnly,
            ..Place::of(&spec, "lake", if self.connection == WHOLE_BUCKET { "" } else { "topics/" })
        };
        match self.kind {
            Kind::Both | Kind::NoVersions | Kind::ReadOnly | Kind::WriteOnly => Target::connection(&spec, Some(place)),
            Kind::Integration => {
                let mut target = Target::connection(&spec, Some(place));
                target.kind = TargetKind::Integration;
                target.integration = Some(IntegrationFacts {
                    id: "cspi-7f3".to_owned(),
                    principal: "arn:aws:iam::222222222222:user/vendor".to_owned(),
                    external_ids: vec!["c-7f3".to_owned()],
                    issued_at: "2026-01-01T00:00:00Z".to_owned(),
                    proven_at: Some("2026-01-01T00:00:00Z".to_owned()),
                    state: "proven",
                    trust_policy: "{}".to_owned(),
                });
                target
            }
            Kind::ExactlyOnce | Kind::AtLeastOnce => {
                let worker: Config =
                    [("bootstrap.servers", "127.0.0.1:1"), ("socket.connection.setup.timeout.ms", "1000")]
                        .into_iter()
                        .collect();
                let worker = WorkerConfig::from_config(worker, &environment).expect("a good worker");
                let mode = if self.kind == Kind::ExactlyOnce { "exactly-once" } else { "at-least-once" };
                let string = "org.apache.kafka.connect.storage.StringConverter";
                let config = serde_json::json!({
                    "name": "orders",
                    "connector.class": "AivenKafkaConnectS3SinkConnector",
                    "topics": "orders",
                    "tidegate.connection": "lake",
                    "aws.s3.bucket.name": "lake",
                    "file.name.template": "topics/{{topic}}-{{partition}}-{{start_offset}}",
                    "format.output.type": "jsonl",
                    "key.converter": string,
                    "value.converter": string,
                    "tidegate.write.mode": mode,
                });
                let file = ConnectorFile::from_json("orders.json", &config.to_string()).expect("a connector");
                let plan = connectors::plan(&file, &worker.with_connections(connections));
                Target::connector(&Arc::new(plan.unwrap_or_else(|faults| panic!("{}: {faults}", self.name))))
            }
        }
    }
}
