use std::net::SocketAddr;
use std::path::Path;

use fault::{Chain, Diagnose};
use iam::{AccountId, Arn};
use local::aws::{Aws, AwsOptions, NewUser};
use local::broker::{Broker, BrokerOptions};
use serde_json::{Value, json};

/// The embedded broker and the embedded AWS, with what a connector needs to write from one to the other.
pub(crate) struct Place {
    pub(crate) broker: Broker,
    pub(crate) aws: Aws,
    /// Who Tidegate is: a user in an account of its own, who may do nothing but take on the customer's role.
    pub(crate) user: NewUser,
    /// Who Tidegate is without a key: as an instance, a container, a cluster's service account, or by certificate. It may
    /// do what the user may.
    pub(crate) host_role: Arn,
    /// The customer's role.
    pub(crate) role: String,
    /// What the role demands of whoever takes it on.
    pub(crate) external_id: String,
    /// Who may do everything in the customer's account.
    pub(crate) admin: NewUser,
}

/// The customer's bucket.
pub(crate) const BUCKET: &str = "orders-archive";
/// Where the customer's bucket is.
pub(crate) const REGION: &str = "eu-central-1";
/// The topic that orders arrive in.
pub(crate) const TOPIC: &str = "orders";
/// How many partitions it has.
pub(crate) const PARTITIONS: usize = 4;

/// Who issues the token of the service account that Tidegate may be.
pub(crate) const ISSUER: &str = "https://oidc.tidegate.test/local";
/// That service account.
pub(crate) const SUBJECT: &str = "system:serviceaccount:tidegate:tidegate";

/// Account numbers of AWS's documentation, which belong to nobody.
pub(crate) const OURS: &str = "111122223333";
const CUSTOMER: &str = "444455556666";

impl Place {
    /// Starts both. With a directory, what is there already is kept.
    pub(crate) async fn start(
        kafka: SocketAddr,
        aws: SocketAddr,
        dir: Option<&Path>,
        external_id: String,
    ) -> Result<Self, String> {
        let told = |error: &(dyn std::error::Error + 'static)| Chain(error).to_string();
        let options = BrokerOptions {
            listen: kafka,
            dir: dir.map(|dir| dir.join("kafka")),
            // Each connector has some: enough for hundreds of them.
            max_connections: 10_000,
            ..BrokerOptions::default()
        };
        let broker = Broker::start(options).await.map_err(|error| told(&error))?;
        let options = AwsOptions { listen: aws, dir: dir.map(|dir| dir.join("aws")), ..AwsOptions::default() };
        let aws = Aws::start(options).await.map_err(|error| told(&error))?;

        let ours = aws.account(OURS.parse().map_err(|_| "a constant account number is wrong".to_owned())?);
        let customer = aws.account(CUSTOMER.parse().map_err(|_| "a constant account number is wrong".to_owned())?);
        let role = format!("arn:aws:iam::{CUSTOMER}:role/orders-writer");
        // Any role of the customer's that is for orders: what a role lets in is for its trust policy to say.
        let takeable = format!("arn:aws:iam::{CUSTOMER}:role/orders-*");
        let user = ours
            .user("tidegate")
            .policy(&allow(&["sts:AssumeRole"], &[&takeable]).to_string())
            .ensure()
            .await
            .map_err(|error| told(&error))?;
        let host_role = ours
            .role("tidegate-host", &host_trust(ours.id()).to_string())
            .policy(&allow(&["sts:AssumeRole", "sts:SetSourceIdentity"], &[&role]).to_string())
            .ensure()
            .await
            .map_err(|error| told(&error))?;
        customer.bucket(BUCKET).region(REGION).ensure().await.map_err(|error| told(&error))?;
        customer
            .role("orders-writer", &trust(&[user.arn.as_str(), host_role.as_str()], &external_id).to_string())
            .policy(&permissions().to_string())
            .ensure()
            .await
            .map_err(|error| told(&error))?;
        let admin = customer.user("admin").policy(&allow(&["*"], &["*"]).to_string());
        let admin = admin.ensure().await.map_err(|error| told(&error))?;
        Ok(Self { broker, aws, user, host_role, role, external_id, admin })
    }

    /// Who Tidegate is here, before anything is started.
    pub(crate) fn principal() -> String {
        format!("arn:aws:iam::{OURS}:user/tidegate")
    }

    /// Another role of the customer's, whose owner forgot to ask for the external ID.
    pub(crate) async fn open_role(&self) -> Result<String, String> {
        let customer = self.aws.account(CUSTOMER.parse().map_err(|_| "a constant account number is wrong".to_owned())?);
        let mut trust = trust(&[&Self::principal()], &self.external_id);
        if let Some(statement) = trust["Statement"][0].as_object_mut() {
            statement.remove("Condition");
        }
        let made = customer.role("orders-reader", &trust.to_string()).ensure().await;
        made.map(|arn| arn.as_str().to_owned()).map_err(|error| Chain(&error).to_string())
    }

    /// The connector that writes the orders to the bucket.
    pub(crate) fn connector(&self, name: &str) -> Value {
        json!({
            "name": name,
            "config": {
                "connector.class": "io.aiven.kafka.connect.s3.AivenKafkaConnectS3SinkConnector",
                "topics": TOPIC,
                "key.converter": "org.apache.kafka.connect.storage.StringConverter",
                "value.converter": "org.apache.kafka.connect.json.JsonConverter",
                "value.converter.schemas.enable": "false",
                "format.output.type": "jsonl",
                "format.output.fields": "key,value,offset,timestamp",
                "file.compression.type": "gzip",
                "file.name.template": "{{topic}}/{{partition}}-{{start_offset:padding=true}}.jsonl.gz",
                "aws.s3.bucket.name": BUCKET,
                "aws.s3.region": REGION,
                "aws.s3.endpoint": self.aws.endpoint(),
                "aws.sts.role.arn": self.role,
                "aws.sts.role.session.name": "tidegate",
                "aws.sts.role.external.id": self.external_id,
                "aws.sts.config.endpoint": self.aws.endpoint(),
            }
        })
    }

    /// The environment in which Tidegate finds its own keys.
    pub(crate) fn variables(&self) -> [(&'static str, String); 4] {
        [
            ("AWS_ACCESS_KEY_ID", self.user.access_key_id.clone()),
            ("AWS_SECRET_ACCESS_KEY", self.user.secret_access_key.expose().to_owned()),
            ("AWS_REGION", REGION.to_owned()),
            // The one that version 1 of the aws CLI and boto3 go by.
            ("AWS_DEFAULT_REGION", REGION.to_owned()),
        ]
    }

    /// Ends both; with a directory, everything is safe on disk afterwards.
    pub(crate) async fn stop(self) -> Result<(), String> {
        self.aws.stop().await;
        self.broker.shutdown().await.map_err(|error| Chain(&error).to_string())
    }
}

fn allow(actions: &[&str], resources: &[&str]) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": actions, "Resource": resources }]
    })
}

/// The vendor's principals, and only with the external ID: whoever else learns the role's name cannot take it on.
fn trust(principals: &[&str], external_id: &str) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "AWS": principals },
            // A certificate's session carries its subject as source identity, which goes on to the next one.
            "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"],
            "Condition": { "StringEquals": { "sts:ExternalId": external_id } }
        }]
    })
}

/// The services that hand the role to a machine, and the issuer that does so by token.
fn host_trust(account: AccountId) -> Value {
    let services = ["ec2.amazonaws.com", "ecs-tasks.amazonaws.com", "rolesanywhere.amazonaws.com"];
    let provider = format!("arn:aws:iam::{account}:oidc-provider/{}", ISSUER.trim_start_matches("https://"));
    let subject = format!("{}:sub", ISSUER.trim_start_matches("https://"));
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": { "Service": services },
                "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]
            },
            {
                "Effect": "Allow",
                "Principal": { "Federated": provider },
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": { "StringEquals": { subject: SUBJECT } }
            }
        ]
    })
}

/// What the sink calls, and reading for whoever looks at the result.
fn permissions() -> Value {
    let objects = format!("arn:aws:s3:::{BUCKET}/*");
    let bucket = format!("arn:aws:s3:::{BUCKET}");
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
                "Resource": objects
            },
            // Manifests are removed once their cut is committed; objects never are.
            { "Effect": "Allow", "Action": "s3:DeleteObject", "Resource": format!("arn:aws:s3:::{BUCKET}/*.tidegate/*") },
            { "Effect": "Allow", "Action": ["s3:ListBucket", "s3:ListBucketMultipartUploads"], "Resource": bucket }
        ]
    })
}

/// The error and what to do about it, as people read it.
pub(crate) fn explain<E: Diagnose>(error: &E) -> String {
    match error.hint() {
        Some(hint) => format!("{}\n  hint: {hint}", Chain(error)),
        None => Chain(error).to_string(),
    }
}
