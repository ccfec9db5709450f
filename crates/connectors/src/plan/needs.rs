use iam::generate::{Need, S3Place};
use iam::{AccountId, Arn, Partition};
use transit::WriteMode;

use crate::plan::{ConnectorPlan, TopicSelection};

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

    /// What it will ask of Kafka if that is the MSK `cluster`, which knows its clients by IAM: to read its topics in its
    /// group, and to write dead letters. Topics that are a pattern are all of the cluster's: IAM has no such patterns.
    pub fn kafka_needs(&self, cluster: &Arn) -> Vec<Need> {
        let topics = match self.topics() {
            TopicSelection::Named(names) => names.clone(),
            TopicSelection::Matching(_) => vec!["*".to_owned()],
        };
        let group = self.group().to_owned();
        let mut needs = vec![Need::ConsumeKafka { cluster: cluster.clone(), topics, group }];
        needs.extend(self.errors().dead_letters.as_ref().map(|queue| Need::ProduceKafka {
            cluster: cluster.clone(),
            topics: vec![queue.topic.clone()],
            // It is made if it is not there.
            create: true,
        }));
        needs
    }
}

#[cfg(test)]
mod tests {
    use iam::generate::{Need, S3Place};
    use world::Environment;

    use crate::{Config, ConnectorFile, ConnectorPlan, WorkerConfig, plan};

    fn planned(more: &str) -> ConnectorPlan {
        let text = format!(
            r#"{{"name":"c","connector.class":"AivenKafkaConnectS3SinkConnector","topics":"orders","aws.s3.region":"cn-north-1",
                "key.converter":"org.apache.kafka.connect.storage.StringConverter",
                "value.converter":"org.apache.kafka.connect.converters.ByteArrayConverter",
                "aws.s3.bucket.name":"shop-data"{more}}}"#
        );
        let worker = WorkerConfig::from_config(Config::new(), &Environment::process()).unwrap();
        plan(&ConnectorFile::from_json("c.json", &text).unwrap(), &worker).unwrap()
    }

    fn needs(more: &str) -> Vec<Need> {
        planned(more).needs(None, None)
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

    #[test]
    fn a_connector_needs_to_read_its_topics_in_its_group_and_to_write_its_dead_letters() {
        let cluster: iam::Arn = "arn:aws-cn:kafka:cn-north-1:111111111111:cluster/shop/6f1a-2".parse().unwrap();
        let read = |topics: &str| Need::ConsumeKafka {
            cluster: cluster.clone(),
            topics: vec![topics.to_owned()],
            group: "connect-c".to_owned(),
        };
        assert_eq!(planned("").kafka_needs(&cluster), [read("orders")]);
        let letters = r#","errors.tolerance":"all","errors.deadletterqueue.topic.name":"lost""#;
        let write = Need::ProduceKafka { cluster: cluster.clone(), topics: vec!["lost".to_owned()], create: true };
        assert_eq!(planned(letters).kafka_needs(&cluster), [read("orders"), write]);
    }
}
