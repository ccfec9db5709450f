use iam::generate::{Need, S3Place};
use iam::{AccountId, Arn, Partition};
use transit::WriteMode;

use crate::plan::ConnectorPlan;

impl ConnectorPlan {
    /// What it will ask of AWS, as far as permissions go: writing under the beginning that all of its objects' names
    /// have. `owner` is the account that must own the bucket; `key` is the KMS key that encrypts the objects, which a
    /// configuration does not name.
    pub fn needs(&self, owner: Option<AccountId>, key: Option<Arn>) -> Vec<Need> {
        let s3 = self.s3();
        let place = S3Place {
            partition: Partition::of_region(&s3.region),
            bucket: s3.bucket.clone(),
            prefix: self.names().prefix().to_owned(),
            owner,
            key,
        };
        let manifests = (self.write_mode() == WriteMode::ExactlyOnce).then(|| self.manifest_prefix());
        vec![Need::WriteObjects { place, manifests }]
    }
}

#[cfg(test)]
mod tests {
    use iam::generate::{Need, S3Place};
    use world::Environment;

    use crate::{Config, ConnectorFile, WorkerConfig, plan};

    fn needs(more: &str) -> Vec<Need> {
        let text = format!(
            r#"{{"name":"c","connector.class":"AivenKafkaConnectS3SinkConnector","topics":"orders","aws.s3.region":"cn-north-1",
                "key.converter":"org.apache.kafka.connect.storage.StringConverter",
                "value.converter":"org.apache.kafka.connect.converters.ByteArrayConverter",
                "aws.s3.bucket.name":"shop-data"{more}}}"#
        );
        let worker = WorkerConfig::from_config(Config::new(), &Environment::process()).unwrap();
        plan(&ConnectorFile::from_json("c.json", &text).unwrap(), &worker).unwrap().needs(None, None)
    }

    fn write(prefix: &str, manifests: Option<&str>) -> Vec<Need> {
        let place =
            S3Place { partition: iam::Partition::China, prefix: prefix.to_owned(), ..S3Place::new("shop-data") };
        vec![Need::WriteObjects { place, manifests: manifests.map(str::to_owned) }]
    }

    #[test]
    fn a_connector_needs_to_write_where_its_names_begin() {
        let named = r#","file.name.template":"sales/{{topic}}-{{partition}}-{{start_offset}}""#;
        assert_eq!(needs(named), write("sales/orders-", Some("sales/.tidegate/")));
        assert_eq!(needs(""), write("orders-", Some(".tidegate/")));
        let once = format!(r#"{named},"tidegate.write.mode":"at-least-once""#);
        assert_eq!(needs(&once), write("sales/orders-", None));
    }
}
