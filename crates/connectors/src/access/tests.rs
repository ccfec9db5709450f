use identity::{Base, Connections, KeyRule};
use world::Environment;

use super::*;
use crate::{Config, ConfigFaults, ConnectorFile};

const CONNECTIONS: &str = r#"
[connections.lake]
kind = "instance-role"
region = "eu-central-1"
bucket = "lake"
prefix = "topics/"
bucket_owner = "role"
endpoints = { s3 = "https://s3.example.com", sts = "https://sts.example.com" }
[[connections.lake.roles]]
arn = "arn:aws:iam::111111111111:role/orders"
session_name = "tidegate-{{connector}}"

[connections.keys]
kind = "keys"
region = "eu-central-1"
access_key_id = "AKIA1"
secret_access_key = "hunter2hunter2"
"#;

fn worker() -> WorkerConfig {
    let converter = "org.apache.kafka.connect.converters.ByteArrayConverter";
    let config: Config = [("key.converter", converter), ("value.converter", converter)].into_iter().collect();
    WorkerConfig::from_config(config, &Environment::of([("", "")])).unwrap()
}

fn with_connections() -> WorkerConfig {
    let nothing = Environment::of::<String, String>([]);
    worker().with_connections(Connections::read("c.toml", CONNECTIONS, &nothing, KeyRule::default()).unwrap())
}

fn planned(worker: &WorkerConfig, changes: &[(&str, &str)]) -> Result<ConnectorPlan, ConfigFaults> {
    let mut config: Config = [
        ("name", "orders"),
        ("connector.class", "AivenKafkaConnectS3Sink"),
        ("topics", "orders"),
        ("aws.s3.bucket.name", "lake"),
        ("file.name.template", "topics/{{topic}}-{{partition}}-{{start_offset}}"),
        ("tidegate.connection", "lake"),
    ]
    .into_iter()
    .collect();
    for (key, value) in changes {
        config.set(*key, *value);
    }
    // An empty text stands for a key that is not there.
    let config: Config = config.iter().filter(|(_, value)| !value.is_empty()).collect();
    crate::plan(&ConnectorFile::from_config("test", config), worker)
}

fn faults(changes: &[(&str, &str)]) -> Vec<String> {
    planned(&with_connections(), changes).unwrap_err().faults().iter().map(ToString::to_string).collect()
}

#[test]
fn a_connector_reaches_aws_by_the_connection_that_it_names() {
    let plan = planned(&with_connections(), &[]).unwrap();
    let connection = plan.connection();
    assert_eq!(connection.base, Base::Instance);
    assert_eq!(connection.hops[0].session_name, "tidegate-orders");
    assert!(connection.hops[0].policy.as_ref().unwrap().contains("arn:aws:s3:::lake/topics/*"));
    assert_eq!(connection.sts.endpoint.as_deref(), Some("https://sts.example.com"));
    let s3 = plan.s3();
    assert_eq!((s3.region.as_str(), s3.endpoint.as_deref()), ("eu-central-1", Some("https://s3.example.com")));
    assert_eq!(s3.owner.unwrap().to_string(), "111111111111");
    let told = planned(&with_connections(), &[("tidegate.s3.bucket.owner", "222222222222")]).unwrap();
    assert_eq!(told.s3().owner.unwrap().to_string(), "222222222222", "what the connector says counts more");
}

#[test]
fn there_is_one_way_to_say_who_we_are() {
    let beside = faults(&[("aws.sts.role.arn", "arn:aws:iam::111111111111:role/x"), ("aws.access.key.id", "AKIA")]);
    assert_eq!(beside.len(), 2, "{beside:?}");
    assert!(beside.iter().all(|fault| fault.contains("stands beside tidegate.connection")), "{beside:?}");
    let two = faults(&[("provider.integration.id", "cspi-1")]);
    assert!(two[0].contains("each says by itself who Tidegate is"), "{two:?}");
}

#[test]
fn a_connection_that_is_not_there_is_named_with_the_likely_one() {
    let refused = planned(&with_connections(), &[("tidegate.connection", "lakes")]).unwrap_err();
    assert_eq!(refused.faults()[0].hint.as_deref(), Some("did you mean lake?"));
    assert_eq!(refused.faults()[0].allowed, ["keys", "lake"]);
    let without = planned(&worker(), &[]).unwrap_err();
    assert_eq!(without.faults()[0].hint.as_deref(), Some("give it with --connections FILE"));
}

#[test]
fn what_lies_outside_the_fence_is_refused_in_the_plan() {
    let outside = |changes: &[(&str, &str)]| {
        let found = faults(changes);
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].clone()
    };
    assert!(
        outside(&[("aws.s3.bucket.name", "other")]).contains("bucket other is outside the fence of connection lake")
    );
    let elsewhere = outside(&[("file.name.template", "logs/{{topic}}-{{partition}}-{{start_offset}}")]);
    assert!(elsewhere.contains("names of objects begin with logs/orders-, which is outside"), "{elsewhere}");
    let open = outside(&[("file.name.template", "{{partition}}/{{topic}}/{{start_offset}}")]);
    assert!(open.contains("begin with a variable, so that some may lie outside"), "{open}");
    let half = outside(&[("file.name.template", "{{topic}}/{{partition}}-{{start_offset}}"), ("topics", "topic")]);
    assert!(half.contains("names of objects begin with topic/"), "{half}");
    let manifests = outside(&[("tidegate.manifest.prefix", "elsewhere/")]);
    assert!(manifests.contains("names of manifests begin with elsewhere/"), "{manifests}");
    // The topic itself is the folder of the fence.
    let by_topic = [
        ("file.name.template", "{{topic}}/{{partition}}-{{start_offset}}"),
        ("topics", "topics"),
        ("tidegate.manifest.prefix", "topics/.tidegate/"),
    ];
    planned(&with_connections(), &by_topic).unwrap();
}

#[test]
fn keys_that_never_end_can_be_switched_off() {
    let own =
        [("tidegate.connection", ""), ("aws.access.key.id", "AKIA1"), ("aws.secret.access.key", "hunter2hunter2")];
    planned(&with_connections(), &own).unwrap();
    let refused = planned(&with_connections().with_keys(KeyRule::Refused), &own).unwrap_err();
    assert!(refused.faults()[0].text.contains("are switched off here"), "{refused}");
    let warned = planned(&with_connections(), &[("tidegate.connection", "keys")]).unwrap();
    assert!(warned.warnings().iter().any(|warning| warning.text.contains("use a role if you can")));
}

#[test]
fn a_check_shows_who_signs_for_kafka() {
    let converter = "org.apache.kafka.connect.converters.ByteArrayConverter";
    let config: Config =
        [("key.converter", converter), ("value.converter", converter), ("tidegate.kafka.connection", "lake")]
            .into_iter()
            .collect();
    let nothing = Environment::of::<String, String>([]);
    let connections = Connections::read("c.toml", CONNECTIONS, &nothing, KeyRule::default()).unwrap();
    let worker = WorkerConfig::from_config(config, &nothing).unwrap().with_connections(connections);
    let plan = planned(&worker, &[]).unwrap();
    assert!(plan.to_string().contains(", signed for by connection lake: "), "{plan}");
    let shown = plan.to_json()["kafka_session"].clone();
    assert_eq!((&shown["connection"], shown["hops"].as_array().map(Vec::len)), (&"lake".into(), Some(2)), "{shown}");
    assert!(planned(&with_connections(), &[]).unwrap().to_json()["kafka_session"].is_null());
}

#[test]
fn an_integration_is_looked_up_and_becomes_a_connection() {
    #[derive(Debug)]
    struct Store(Connections);
    impl identity::Integrations for Store {
        fn connection(&self, id: &str) -> Result<Option<Arc<ConnectionSpec>>, String> {
            match id {
                "cspi-1" => {
                    let ours = self.0.get("lake").unwrap();
                    Ok(Some(Arc::new(ours.then_role(id, "arn:aws:iam::333333333333:role/theirs", "cspi-secret"))))
                }
                "cspi-open" => Err(format!("integration {id} lets in anybody")),
                _ => Ok(None),
            }
        }
    }
    let by_id = |id: &'static str| [("tidegate.connection", ""), ("provider.integration.id", id)];
    let missing = planned(&with_connections(), &by_id("cspi-1")).unwrap_err();
    assert!(missing.faults()[0].text.contains("no store of integrations is open"), "{missing}");
    let nothing = Environment::of::<String, String>([]);
    let store = Store(Connections::read("c.toml", CONNECTIONS, &nothing, KeyRule::default()).unwrap());
    let worker = worker().with_integrations(Arc::new(store));
    let plan = planned(&worker, &by_id("cspi-1")).unwrap();
    let last = plan.connection().hops.last().unwrap();
    assert_eq!((last.external_id.as_deref(), last.session_name.as_str()), (Some("cspi-secret"), "tidegate-orders"));
    assert!(last.policy.is_some(), "the fence goes to the last role");
    assert!(planned(&worker, &by_id("cspi-2")).unwrap_err().faults()[0].text.contains("is not in the store"));
    assert!(planned(&worker, &by_id("cspi-open")).unwrap_err().faults()[0].text.contains("lets in anybody"));
}
