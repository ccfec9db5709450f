use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use iam::{AccountId, Partition};

use crate::aws::kept::Kept;
use crate::aws::sigv4::sha256_hex;

/// A name of its own for a bucket, with a policy of its own.
#[derive(Debug)]
pub(in crate::aws) struct AccessPoint {
    pub(in crate::aws) name: String,
    pub(in crate::aws) account: AccountId,
    pub(in crate::aws) bucket: String,
    pub(in crate::aws) region: String,
    /// The VPC that alone may use it; `None`: its network origin is the Internet.
    pub(in crate::aws) vpc: Option<String>,
    pub(in crate::aws) policy: Option<Kept>,
}

/// Access points by alias.
#[derive(Debug, Default)]
pub(in crate::aws) struct AccessPoints(RwLock<BTreeMap<String, Arc<AccessPoint>>>);

impl AccessPoints {
    pub(in crate::aws) fn put(&self, point: AccessPoint) {
        let alias = alias(&point.name);
        self.0.write().expect("no thread panics while it holds this lock").insert(alias, Arc::new(point));
    }

    pub(in crate::aws) fn find(&self, alias: &str) -> Option<Arc<AccessPoint>> {
        self.0.read().expect("no thread panics while it holds this lock").get(alias).cloned()
    }
}

/// What stands in place of a bucket's name: the access point's own name, letters and digits that S3 chooses, and `-s3alias`.
/// Here it follows from the name.
pub(crate) fn alias(name: &str) -> String {
    /// As many as S3 chooses.
    const CHOSEN: usize = 34;
    let digest = sha256_hex(name.as_bytes());
    format!("{name}-{}-s3alias", &digest[..CHOSEN])
}

impl AccessPoint {
    pub(in crate::aws) fn arn(&self) -> String {
        let partition = Partition::of_region(&self.region).name();
        format!("arn:{partition}:s3:{}:{}:accesspoint/{}", self.region, self.account, self.name)
    }

    /// The ARN by which policies know what is reached through it; `object` is what stands behind the bucket's ARN.
    pub(in crate::aws) fn resource(&self, object: &str) -> String {
        match object.strip_prefix('/') {
            None => self.arn(),
            Some(key) => format!("{}/object/{key}", self.arn()),
        }
    }

    pub(in crate::aws) fn network_origin(&self) -> &'static str {
        if self.vpc.is_some() { "VPC" } else { "Internet" }
    }
}
