use std::time::Duration;

use data::{Offset, TopicPartition};
use format::Codec;
use format::text::{Field, Kind, ValueEncoding};
use identity::Base;
use serde_json::json;
use transit::WriteMode;
use world::Environment;

use crate::naming::{Grouping, Zone};
use crate::{CheckReport, Config, ConnectorFile, ConnectorPlan, ExistingObject, WorkerConfig, check, plan};

const BASIC: &[(&str, &str)] = &[
    ("name", "orders"),
    ("connector.class", "io.aiven.kafka.connect.s3.AivenKafkaConnectS3SinkConnector"),
    ("topics", "t"),
    ("aws.s3.bucket.name", "bucket"),
    ("key.converter", "StringConverter"),
    ("value.converter", "ByteArrayConverter"),
    ("header.converter", "ByteArrayConverter"),
];

/// The basic configuration with some keys changed; an empty text is the key left out.
fn with(changes: &[(&str, &str)]) -> Config {
    let mut config: Config = BASIC.iter().copied().collect();
    for (key, value) in changes {
        config.set(*key, *value);
    }
    config
}

fn without(key: &str) -> Config {
    BASIC.iter().copied().filter(|(name, _)| *name != key).collect()
}

fn worker() -> WorkerConfig {
    WorkerConfig::from_config(Config::new(), &Environment::of([("KEY", "AKIA"), ("SECRET", "s3cr3t")]))
        .unwrap()
        .with_local_zone(Zone::parse("+14:00").unwrap())
}

fn planned(changes: &[(&str, &str)]) -> ConnectorPlan {
    plan(&ConnectorFile::from_config("c.json", with(changes)), &worker()).unwrap_or_else(|faults| panic!("{faults}"))
}

fn report(config: Config) -> CheckReport {
    check(&ConnectorFile::from_config("c.json", config), &worker())
}

/// Key and text of each fault.
fn faults(changes: &[(&str, &str)]) -> Vec<(String, String)> {
    report(with(changes)).faults().iter().map(|fault| (fault.key.clone(), fault.text.clone())).collect()
}

fn warnings(changes: &[(&str, &str)]) -> Vec<String> {
    let report = report(with(changes));
    assert_eq!(report.faults(), []);
    report.warnings().iter().map(ToString::to_string).collect()
}

fn one_fault(key: &str, value: &str, text: &str) {
    assert_eq!(faults(&[(key, value)]), [(key.to_owned(), text.to_owned())]);
}

#[test]
fn a_small_configuration_has_upstreams_defaults() {
    let plan = planned(&[]);
    assert_eq!(plan.name(), "orders");
    assert_eq!(plan.group(), "connect-orders");
    assert_eq!(plan.layout().kind, Kind::Csv);
    assert_eq!(plan.layout().fields, [Field::Value]);
    assert_eq!(plan.layout().value_encoding, ValueEncoding::Base64);
    assert_eq!(plan.compression().codec(), Codec::Gzip);
    assert_eq!(plan.naming().grouping(), Grouping::TopicPartition);
    assert_eq!(plan.s3().region, "us-east-1");
    assert_eq!(plan.s3().part_size, 5 << 20);
    assert_eq!(plan.s3().existing, ExistingObject::Overwrite);
    assert_eq!(plan.connection().base, Base::DefaultChain);
    assert_eq!(plan.write_mode(), WriteMode::ExactlyOnce);
    assert_eq!(plan.rotation().interval, Duration::from_mins(1));
    assert_eq!(plan.example_object(), "t-0-1000");
    assert_eq!(
        warnings(&[]),
        ["file.compression.type: not set: objects are gzip, but their default name does not end in .gz"]
    );
}

#[test]
fn a_recipe_is_all_that_decides_which_record_goes_where_and_no_secret() {
    let recipe = |changes: &[(&str, &str)]| planned(changes).recipe();
    let plain = recipe(&[]).unwrap();
    let secret = [("aws.access.key.id", "AKIAFORTUNE"), ("aws.secret.access.key", "fortune")];
    assert_eq!(recipe(&secret).unwrap(), plain);
    assert_eq!(recipe(&[("aws.s3.bucket.name", "another-bucket")]).unwrap(), plain);
    for change in [
        ("file.max.records", "7"),
        ("errors.tolerance", "all"),
        ("key.converter", "ByteArrayConverter"),
        ("consumer.override.isolation.level", "read_committed"),
        ("file.name.template", "{{topic}}+{{partition}}+{{start_offset}}"),
    ] {
        assert_ne!(recipe(&[change]).unwrap(), plain, "{change:?}");
    }
    let hourly = ("file.name.template", "{{topic}}-{{partition}}-{{start_offset}}-{{timestamp:unit=HH}}");
    assert_eq!(recipe(&[hourly]), None, "the time of day decides");
    assert!(recipe(&[hourly, ("file.name.timestamp.source", "EVENT")]).is_some());
    assert_eq!(recipe(&[("file.name.template", "{{key}}")]), None, "other partitions decide");
}

#[test]
fn only_file_compression_type_gives_the_default_name_its_ending() {
    assert_eq!(planned(&[("file.compression.type", "ZSTD")]).example_object(), "t-0-1000.zst");
    assert_eq!(planned(&[("output_compression", "zstd")]).example_object(), "t-0-1000");
    assert_eq!(planned(&[("output_compression", "zstd")]).compression().codec(), Codec::Zstd);
    let both = planned(&[("output_compression", "zstd"), ("file.compression.type", "snappy")]);
    assert_eq!(both.example_object(), "t-0-1000.snappy");
    assert_eq!(both.compression().codec(), Codec::Snappy);
}

#[test]
fn values_are_refused_in_upstreams_words() {
    let hidden = "Invalid value [hidden] for configuration aws.access.key.id: Password must be non-empty";
    one_fault("aws.access.key.id", "  ", hidden);
    let url = "Invalid value ffff://asdsadas for configuration aws.s3.endpoint: should be valid URL";
    one_fault("aws.s3.endpoint", "ffff://asdsadas", url);
    one_fault("aws.s3.endpoint", "", "Invalid value  for configuration aws.s3.endpoint: String must be non-empty");
    one_fault("aws.sts.role.arn", "", "Invalid value  for configuration aws.sts.role.arn: String must be non-empty");
    let short = "Invalid value 899 for configuration aws.sts.role.session.duration: Value must be at least 900";
    one_fault("aws.sts.role.session.duration", "899", short);
    let large = "Invalid value 2000000001 for configuration aws.s3.part.size.bytes: \
                 Part size must be no more: 2000000000 bytes (2GB)";
    one_fault("aws.s3.part.size.bytes", "2000000001", large);
    let retries = "Invalid value 31 for configuration aws.s3.backoff.max.retries: Value must be no more than 30";
    one_fault("aws.s3.backoff.max.retries", "31", retries);
    let compression = "Invalid value unsupported for configuration file.compression.type: \
                       'none', 'gzip', 'snappy', 'zstd'";
    one_fault("file.compression.type", "UNSUPPORTED", compression);
    let zone = "Invalid value PST for configuration file.name.timestamp.timezone: Unknown time-zone ID: PST";
    one_fault("file.name.timestamp.timezone", "PST", zone);
    let source = "Invalid value x for configuration file.name.timestamp.source: Unknown timestamp source: x";
    one_fault("file.name.timestamp.source", "x", source);
    let fields = "Invalid value [] for configuration format.output.fields: cannot be empty";
    one_fault("format.output.fields", "", fields);
    let kind = "Invalid value must not be empty or not set for configuration format.output.type";
    one_fault("format.output.type", " ", kind);
    let envelope =
        "Invalid value no for configuration format.output.envelope: Expected value to be either true or false";
    one_fault("format.output.envelope", "no", envelope);
    let day = "Invalid value 86400001 for configuration kafka.retry.backoff.ms: \
               Value must be no more than 86400000 (24 hours)";
    one_fault("kafka.retry.backoff.ms", "86400001", day);
}

#[test]
fn a_number_that_is_none_has_two_faults_as_in_kafka() {
    let key = "file.max.records";
    let texts: Vec<_> = faults(&[(key, "many")]).into_iter().map(|(_, text)| text).collect();
    assert_eq!(
        texts,
        [
            "Invalid value many for configuration file.max.records: Not a number of type INT",
            "Invalid value null for configuration file.max.records: Value must be non-null",
        ]
    );
    let texts: Vec<_> = faults(&[("aws.s3.part.size.bytes", "5m")]).into_iter().map(|(_, text)| text).collect();
    assert_eq!(
        texts,
        [
            "Invalid value 5m for configuration aws.s3.part.size.bytes: Not a number of type INT",
            "Invalid value null for configuration aws.s3.part.size.bytes: Part size must be non-null",
        ]
    );
}

#[test]
fn what_a_later_release_brings_is_refused_by_name() {
    let avro = "Invalid value Avro for configuration format.output.type: \
                output type avro is not supported by this release; supported are: 'csv', 'json', 'jsonl'";
    one_fault("format.output.type", "Avro", avro);
    let transforms = "Invalid value [a, b] for configuration transforms: \
                      transforms are not supported by this release; records would pass unchanged";
    assert_eq!(
        faults(&[("transforms", "a,b"), ("transforms.a.type", "org.apache.kafka.connect.transforms.Filter")]),
        [("transforms".to_owned(), transforms.to_owned())]
    );
    assert_eq!(faults(&[("predicates", "p")]).len(), 1);
    assert_eq!(faults(&[("transforms", ""), ("predicates", " ")]), []);
}

#[test]
fn the_topics_are_named_or_matched_and_not_both() {
    let without_topics = report(without("topics"));
    let texts: Vec<_> = without_topics.faults().iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "topics: Must configure one of topics or topics.regex",
            "topics.regex: Must configure one of topics or topics.regex"
        ]
    );
    let both = faults(&[("topics.regex", "a.*")]);
    assert_eq!(both.len(), 2);
    assert_eq!(both[0].1, "topics and topics.regex are mutually exclusive options, but both are set.");
    let mut config = without("topics");
    config.set("topics.regex", "(a");
    let texts: Vec<_> = report(config).faults().iter().map(|fault| fault.text.clone()).collect();
    assert_eq!(texts.len(), 1);
    assert!(texts[0].starts_with("Invalid value (a for configuration topics.regex: Invalid regex: "), "{texts:?}");
    let illegal = "Topic name is invalid: 'b c' contains one or more characters other than ASCII alphanumerics, \
                   '.', '_' and '-'";
    one_fault("topics", "a, b c", illegal);
    assert_eq!(planned(&[("topics", " a, ,b,a ")]).topics().to_string(), "a, b");
}

#[test]
fn dead_letters_may_not_come_back_in() {
    let dlq = "errors.deadletterqueue.topic.name";
    assert_eq!(
        faults(&[("topics", "a,d"), (dlq, "d")]),
        [(
            "topics".to_owned(),
            "The DLQ topic 'd' may not be included in the list of topics ('topics=[a, d]') consumed by the connector"
                .to_owned()
        )]
    );
    let mut config = without("topics");
    config.set("topics.regex", "x.*");
    config.set(dlq, "xx");
    let report = report(config);
    assert_eq!(report.faults()[0].key, "topics.regex");
    assert_eq!(
        report.faults()[0].text,
        "The DLQ topic 'xx' may not be matched by the regex for the topics ('topics.regex=x.*') consumed by the connector"
    );
    let plan = planned(&[
        (dlq, "dead"),
        ("errors.tolerance", "all"),
        ("errors.deadletterqueue.topic.replication.factor", "-1"),
        ("errors.deadletterqueue.context.headers.enable", "true"),
        ("errors.retry.timeout", "-1"),
    ]);
    let letters = plan.errors().dead_letters.as_ref().unwrap();
    assert_eq!((letters.topic.as_str(), letters.replication_factor, letters.context_headers), ("dead", -1, true));
    assert!(plan.errors().tolerate);
    assert_eq!(plan.errors().retry_timeout, None);
}

#[test]
fn templates_that_would_kill_a_task_are_refused() {
    let refused = |template: &str| {
        let found = faults(&[("file.name.template", template)]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].0, "file.name.template");
        found[0].1.clone()
    };
    let no_unit = refused("{{topic}}-{{partition}}-{{start_offset}}-{{timestamp}}");
    assert_eq!(
        no_unit,
        "Invalid value {{topic}}-{{partition}}-{{start_offset}}-{{timestamp}} for configuration file.name.template: \
         parameter unit is required for the the variable timestamp, supported values are: yyyy|MM|dd|HH"
    );
    assert!(
        refused("{{topic}}-{{partition}}-{{start_offset}}-{{timestamp:unit=hh}}").contains("timestamp:unit=yyyy|MM")
    );
    assert!(refused("").starts_with("RecordGrouper requires that the template [] has variables defined."));
    assert_eq!(refused("{{topic:}}"), "Wrong variable with parameter definition");
}

#[test]
fn odd_templates_that_upstream_takes_are_taken_and_named() {
    let template = "{{topic}}-{{partition:foo=TRUE}}-{{start_offset}}-{{timestamp:x=HH}}-{{foo}}";
    let plan = planned(&[("file.name.template", template)]);
    assert_eq!(plan.example_object(), "t-0000000000-1000-22-{{foo}}");
    let known = plan.warnings().iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        known,
        [
            "file.name.template: {{partition:foo=TRUE}} is taken for padding: only the parameter's value counts",
            "file.name.template: {{timestamp:x=HH}} is taken for unit: only the parameter's value counts",
            "file.name.template: {{foo}} is no variable here and stays in the names as it is",
        ]
    );
    let ambiguous = warnings(&[("file.name.template", "{{topic}}{{partition}}-{{start_offset}}")]);
    assert!(ambiguous[0].contains("two objects can get one name"), "{ambiguous:?}");
}

#[test]
fn large_years_in_templates_are_mended() {
    let template = "{{topic}}-{{partition}}-{{start_offset}}-{{timestamp:unit=YYYY}}";
    assert_eq!(planned(&[("file.name.template", template)]).example_object(), "t-0-1000-2026");
    let old = planned(&[("aws_s3_prefix", "{{timestamp:unit=YYYY}}/"), ("timestamp.source", "EVENT")]);
    assert_eq!(old.example_object(), "2026/t-0-00000000000000001000.gz");
}

#[test]
fn templates_with_keys_keep_one_record_an_object() {
    let template = [("file.name.template", "{{key}}"), ("file.max.records", "2")];
    assert_eq!(
        faults(&template),
        [(
            "file.max.records".to_owned(),
            "When file.name.template is {{key}}, file.max.records must be either 1 or not set".to_owned()
        )]
    );
    assert_eq!(planned(&[("file.name.template", "{{key}}"), ("file.max.records", "1")]).naming().max_records(), None);
    let dropped = faults(&[("file.name.template", "{{key}}"), ("aws.s3.prefix", "p/")]);
    assert_eq!(dropped[0].0, "aws.s3.prefix");
}

#[test]
fn a_prefix_names_objects_by_their_first_record() {
    let prefix = "{{topic}}/{{partition:padding=true}}/{{start_offset}}/{{timestamp:unit=HH}}/{{key}}/";
    let plan =
        planned(&[("aws.s3.prefix", prefix), ("timestamp.timezone", "+01:00"), ("file.compression.type", "none")]);
    assert_eq!(plan.example_object(), "t/0/1000/23/{{key}}/t-0-00000000000000001000");
    let dates = planned(&[("aws.s3.prefix", "{{utc_date}}/{{local_date}}/")]);
    // The worker's zone is fourteen hours ahead.
    assert_eq!(dates.example_object(), "2026-01-31/2026-02-01/t-0-00000000000000001000.gz");
    let both = planned(&[("aws.s3.prefix", "new/"), ("aws_s3_prefix", "old/")]);
    assert_eq!(both.example_object(), "new/t-0-00000000000000001000.gz");
    let grouped = planned(&[
        ("aws.s3.prefix", "p/"),
        ("file.name.template", "{{topic}}-{{partition}}-{{start_offset}}-{{timestamp:unit=HH}}"),
    ]);
    assert!(grouped.naming().has_time());
}

#[test]
fn an_example_name_shows_the_key_too() {
    let plan = planned(&[("file.name.template", "{{key}}/{{topic}}")]);
    assert_eq!(plan.naming().example(&TopicPartition::new("t", 1), Offset(5), "k", 0), "k/t");
}

#[test]
fn without_an_envelope_there_is_exactly_one_field() {
    let text = "When format.output.envelope is false, format.output.fields must contain only one field";
    for fields in [&[][..], &[("output_fields", "value")], &[("format.output.fields", "key,value")]] {
        let mut changes = vec![("format.output.envelope", "false"), ("format.output.type", "jsonl")];
        changes.extend_from_slice(fields);
        let found = faults(&changes);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.iter().all(|(_, found)| found == text));
    }
    let one = planned(&[("format.output.envelope", "false"), ("format.output.fields", "Value")]);
    assert!(!one.layout().envelope);
}

#[test]
fn converters_that_csv_or_a_name_cannot_use_are_found_before_any_record() {
    let found = faults(&[("value.converter", "StringConverter")]);
    assert_eq!(found[0].0, "value.converter");
    assert!(found[0].1.starts_with("Record value schema type must be BYTES, STRING given"), "{found:?}");
    let json = [("value.converter", "JsonConverter"), ("value.converter.schemas.enable", "false")];
    assert_eq!(faults(&json).len(), 1);
    let number = faults(&[("key.converter", "LongConverter"), ("format.output.fields", "key")]);
    assert!(number[0].1.starts_with("Record key schema type must be BYTES or STRING, INT64 given"), "{number:?}");
    assert_eq!(faults(&[json[0], json[1], ("format.output.type", "jsonl")]), []);
    assert_eq!(faults(&[json[0], json[1], ("format.output.fields", "key,offset")]), []);
    let headers = warnings(&[("header.converter", "StringConverter"), ("format.output.fields", "headers")]);
    assert!(
        headers.iter().any(|text| text.starts_with("header.converter: csv writes headers as bytes")),
        "{headers:?}"
    );
    let bytes = faults(&[("key.converter", "ByteArrayConverter"), ("file.name.template", "{{key}}")]);
    assert_eq!(bytes[0].0, "key.converter");
}

#[test]
fn a_role_counts_with_its_session_name_alone() {
    let arn = "arn:aws:iam::111111111111:role/orders";
    let role = [
        ("aws.sts.role.arn", arn),
        ("aws.sts.role.session.name", "tidegate"),
        ("aws.sts.role.external.id", "c-7f3"),
        ("aws.sts.role.session.duration", "900"),
        ("aws.s3.region", "eu-west-1"),
        ("aws.access.key.id", "AKIA"),
        ("aws.secret.access.key", "s3cr3t"),
    ];
    let plan = planned(&role);
    let connection = plan.connection();
    assert_eq!(connection.base, Base::DefaultChain);
    assert_eq!(connection.hops[0].role_arn, arn);
    assert_eq!(connection.hops[0].external_id.as_deref(), Some("c-7f3"));
    assert_eq!(connection.hops[0].duration.asked(), Some(Duration::from_mins(15)));
    assert_eq!((connection.sts.region.as_str(), connection.sts.endpoint.as_deref()), ("eu-west-1", None));
    assert!(plan.warnings().iter().any(|warning| warning.key == "aws.access.key.id"));
    let alone = planned(&[("aws.sts.role.arn", arn)]);
    assert_eq!(alone.connection().hops, []);
    assert!(alone.warnings().iter().any(|warning| warning.text.contains("the role is NOT taken on")));
    let bad = faults(&[("aws.sts.role.arn", "orders"), ("aws.sts.role.session.name", "a b")]);
    let keys: Vec<_> = bad.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["aws.sts.role.arn", "aws.sts.role.session.name"]);
}

#[test]
fn an_sts_endpoint_needs_the_region_beside_it() {
    let role = [
        ("aws.sts.role.arn", "arn:aws:iam::111111111111:role/orders"),
        ("aws.sts.role.session.name", "tidegate"),
        ("aws.sts.config.endpoint", "http://127.0.0.1:9"),
    ];
    let text = "aws.s3.region should be specified together with aws.sts.config.endpoint";
    assert!(faults(&role).iter().all(|(_, found)| found == text));
    assert_eq!(faults(&role).len(), 2);
    let old = [&role[..], &[("aws_s3_region", "eu-west-1")]].concat();
    assert_eq!(faults(&old).len(), 2, "the old key does not count, as in upstream");
    let new = planned(&[&role[..], &[("aws.s3.region", "eu-west-1")]].concat());
    assert_eq!(new.connection().sts.endpoint.as_deref(), Some("http://127.0.0.1:9"));
    assert_eq!(faults(&role[2..]), [], "without a role the endpoint is not used");
}

#[test]
fn pairs_of_keys_are_never_mixed() {
    let id_of = |changes: &[(&str, &str)]| match &planned(changes).connection().base {
        Base::Keys(keys) => Some(keys.access_key_id.as_str().to_owned()),
        _ => None,
    };
    let new = [("aws.access.key.id", "NEW"), ("aws.secret.access.key", "x")];
    let old = [("aws_access_key_id", "OLD"), ("aws_secret_access_key", "x")];
    assert_eq!(id_of(&new).as_deref(), Some("NEW"));
    assert_eq!(id_of(&old).as_deref(), Some("OLD"));
    assert_eq!(id_of(&[new, old].concat()).as_deref(), Some("NEW"));
    assert_eq!(id_of(&[new[0], old[1]]), None);
    assert_eq!(id_of(&[new[0], old[0], old[1]]).as_deref(), Some("OLD"));
}

#[test]
fn provider_classes_stand_for_kinds_of_connections() {
    let base = |class: &str| planned(&[("aws.credentials.provider", class)]).connection().base.clone();
    assert_eq!(base("com.amazonaws.auth.InstanceProfileCredentialsProvider"), Base::Instance);
    assert_eq!(base("com.amazonaws.auth.EC2ContainerCredentialsProviderWrapper"), Base::Container);
    assert_eq!(
        base("com.amazonaws.auth.profile.ProfileCredentialsProvider"),
        Base::Profile(identity::Profile::default())
    );
    assert_eq!(base("com.amazonaws.auth.DefaultAWSCredentialsProviderChain"), Base::DefaultChain);
}

#[test]
fn parts_are_never_smaller_than_s3_takes() {
    let plan = planned(&[("aws.s3.part.size.bytes", "1048576")]);
    assert_eq!(plan.s3().part_size, 5 << 20);
    assert!(plan.warnings().iter().any(|warning| warning.key == "aws.s3.part.size.bytes"));
    assert_eq!(planned(&[("aws.s3.part.size.bytes", "8388608")]).s3().part_size, 8 << 20);
}

#[test]
fn an_endpoint_brings_path_style_and_https() {
    let plan = planned(&[("aws.s3.endpoint", "minio:9000")]);
    assert_eq!(plan.s3().endpoint.as_deref(), Some("https://minio:9000"));
    assert!(plan.s3().path_style);
    assert!(!planned(&[]).s3().path_style);
}

#[test]
fn our_own_keys_are_checked_like_the_others() {
    let plan = planned(&[
        ("tidegate.rotate.interval.ms", "1000"),
        ("tidegate.rotate.bytes", "1048576"),
        ("tidegate.rotate.records", "10"),
        ("tidegate.compression.level", "9"),
        ("tidegate.write.mode", "at-least-once"),
        ("tidegate.existing.object", "fail"),
        ("tidegate.s3.checksums", "false"),
    ]);
    assert_eq!(plan.rotation().interval, Duration::from_secs(1));
    assert_eq!((plan.rotation().bytes, plan.rotation().records), (Some(1 << 20), Some(10)));
    assert_eq!(plan.compression().level(), 9);
    assert_eq!(plan.write_mode(), WriteMode::AtLeastOnce);
    assert_eq!(plan.s3().existing, ExistingObject::Fail);
    assert_eq!(plan.manifest_prefix(), ".tidegate/");
    let folder = planned(&[("file.name.template", "a/b/c{{topic}}-{{partition}}-{{start_offset}}")]);
    assert_eq!((folder.manifest_prefix().as_str(), folder.names().prefix()), ("a/b/.tidegate/", "a/b/ct-"));
    let prefixed = planned(&[("aws.s3.prefix", "p/{{utc_date}}/"), ("tidegate.manifest.prefix", "m/")]);
    assert_eq!((prefixed.manifest_prefix().as_str(), prefixed.names().prefix()), ("m/", "p/"));
    assert!(prefixed.names().matches(&prefixed.example_object()));
    assert!(!plan.s3().checksums);
    let zero = "Invalid value 0 for configuration tidegate.rotate.records: Value must be at least 1";
    one_fault("tidegate.rotate.records", "0", zero);
    let word = "Invalid value soon for configuration tidegate.rotate.interval.ms: Not a number of type LONG";
    one_fault("tidegate.rotate.interval.ms", "soon", word);
    let level = "Invalid value 10 for configuration tidegate.compression.level: levels of gzip are 1 to 9";
    one_fault("tidegate.compression.level", "10", level);
    let mode = "Invalid value exactly for configuration tidegate.write.mode: \
                String must be one of: exactly-once, at-least-once";
    one_fault("tidegate.write.mode", "exactly", mode);
}

#[test]
fn classes_are_found_by_full_simple_and_short_name() {
    for name in [
        "io.aiven.kafka.connect.s3.AivenKafkaConnectS3SinkConnector",
        "AivenKafkaConnectS3SinkConnector",
        "AivenKafkaConnectS3Sink",
    ] {
        assert_eq!(planned(&[("connector.class", name)]).class(), BASIC[1].1);
    }
    let unknown = report(with(&[("connector.class", "AivenKafkaConnectS3SinkConector")]));
    assert_eq!(unknown.faults()[0].key, "connector.class");
    assert_eq!(unknown.faults()[0].hint.as_deref(), Some("did you mean AivenKafkaConnectS3SinkConnector?"));
    let none = report(without("connector.class"));
    let texts: Vec<_> = none.faults().iter().map(|fault| fault.text.as_str()).collect();
    assert_eq!(texts, ["Missing required configuration \"connector.class\" which has no default value."]);
}

#[test]
fn connectors_of_one_process_share_neither_name_nor_group() {
    let file = |changes: &[(&str, &str)]| ConnectorFile::from_config("c", with(changes));
    let files = [
        file(&[]),
        file(&[("name", "other")]),
        file(&[("topics", "u")]),
        file(&[("name", "third"), ("consumer.override.group.id", "connect-orders")]),
    ];
    let reports = crate::check_all(&files, &worker());
    assert!(reports[0].is_ok() && reports[1].is_ok());
    assert_eq!(reports[2].faults()[0].text, "Connector orders already exists");
    assert_eq!(reports[3].faults()[0].text, "Consumer group connect-orders is that of connector orders already");
}

#[test]
fn keys_that_nothing_reads_are_named_and_do_not_fail() {
    let found = warnings(&[
        ("file.compression.type", "none"),
        ("aws.s3.bukcet.name", "x"),
        ("aws.credential.provider", "x"),
        ("file.name.prefix", "x"),
        ("connect.parquet.block.size", "1"),
        ("consumer.override.fetch.min.bytes", "1"),
    ]);
    assert_eq!(
        found,
        [
            "aws.credential.provider: nothing reads this key; did you mean aws.credentials.provider?",
            "aws.s3.bukcet.name: nothing reads this key; did you mean aws.s3.bucket.name?",
            "file.name.prefix: nothing reads this key",
        ]
    );
}

#[test]
fn secrets_are_in_no_output() {
    let mut config = with(&[
        ("aws.access.key.id", "AKIAEXAMPLE"),
        ("aws.secret.access.key", "s3cr3t-one"),
        ("consumer.override.sasl.jaas.config", "s3cr3t-two"),
        ("producer.override.ssl.keystore.password", "s3cr3t-three"),
    ]);
    let file = ConnectorFile::from_config("c.json", config.clone());
    let plan = plan(&file, &worker()).unwrap();
    let report = check(&file, &worker());
    config.set("file.max.records", "x");
    let refused = self::report(config);
    for text in [
        format!("{plan:?}"),
        plan.to_string(),
        plan.to_json().to_string(),
        format!("{file:?}"),
        report.to_string(),
        report.to_json().to_string(),
        refused.to_string(),
        refused.to_json().to_string(),
    ] {
        assert!(!text.contains("s3cr3t"), "{text}");
    }
    assert_eq!(plan.consumer().get("sasl.jaas.config"), Some("s3cr3t-two"));
}

#[test]
fn references_are_resolved_before_anything_is_checked() {
    let config = [("config.providers", "env"), ("config.providers.env.class", "EnvVarConfigProvider")];
    let environment = Environment::of([("KEY", "AKIA"), ("SECRET", "s3cr3t"), ("RECORDS", "x")]);
    let worker = WorkerConfig::from_config(config.into_iter().collect(), &environment).unwrap();
    let changes = [("aws.access.key.id", "${env:KEY}"), ("aws.secret.access.key", "${env:SECRET}")];
    let plan = plan(&ConnectorFile::from_config("c", with(&changes)), &worker).unwrap();
    assert!(matches!(&plan.connection().base, Base::Keys(keys) if keys.secret.expose() == "s3cr3t"));
    let bad = check(&ConnectorFile::from_config("c", with(&[("file.max.records", "${env:RECORDS}")])), &worker);
    assert_eq!(bad.faults()[0].text, "Invalid value x for configuration file.max.records: Not a number of type INT");
}

#[test]
fn a_report_is_the_json_that_programs_read() {
    let bad = report(with(&[("file.max.records", "-1"), ("topics", "")]));
    let json = bad.to_json();
    assert_eq!(json["name"], "orders");
    assert_eq!(
        json["errors"],
        json!({
            "file.max.records": ["Invalid value -1 for configuration file.max.records: Value must be at least 0"],
            "topics": ["Must configure one of topics or topics.regex"],
            "topics.regex": ["Must configure one of topics or topics.regex"],
        })
    );
    assert_eq!(json["plan"], json!(null));
    let good = report(with(&[("file.compression.type", "gzip")])).to_json();
    assert_eq!(good["errors"], json!({}));
    assert_eq!(good["plan"]["naming"]["example"], "t-0-1000.gz");
    assert_eq!(good["plan"]["session"]["hops"], json!([{ "kind": "default-chain" }]));
    assert_eq!(good["plan"]["clients"]["consumer"]["group.id"], "connect-orders");
}

#[test]
fn faults_of_the_kafka_clients_join_the_others() {
    let config = with(&[("file.max.records", "-1"), ("consumer.override.fetch.min.bytes", "many")]);
    let file = ConnectorFile::from_config("c.json", config);
    let clients = crate::client_properties(&file, &worker());
    assert_eq!(clients.consumer.get("fetch.min.bytes"), Some("many"));
    assert_eq!(clients.consumer.get("group.id"), Some("connect-orders"));
    let mut good = report(with(&[]));
    good.add_fault(crate::ConfigFault {
        key: "consumer.override.fetch.min.bytes".to_owned(),
        value: Some("many".to_owned()),
        text: "not a whole number".to_owned(),
        allowed: Vec::new(),
        hint: None,
    });
    assert!(!good.is_ok() && good.plan().is_none());
    assert_eq!(good.into_result().unwrap_err().faults().len(), 1);
    assert_eq!(report(with(&[])).into_result().unwrap().name(), "orders");
}

#[test]
fn a_report_for_people_names_values_and_what_to_do() {
    let bad = report(with(&[("errors.tolerance", "al")])).to_string();
    assert_eq!(
        bad.lines().collect::<Vec<_>>()[..2],
        [
            "orders: refused",
            "  error    errors.tolerance: Invalid value al for configuration errors.tolerance: String must be one of: none, all",
        ]
    );
    let good = report(with(&[("file.compression.type", "gzip")])).to_string();
    assert!(
        good.starts_with(
            "orders: ok\n  topics      t\n  kafka       localhost:9092\n  group       connect-orders (1 task)\n"
        ),
        "{good}"
    );
    assert!(good.contains("s3://bucket/t-0-1000.gz (us-east-1)"), "{good}");
}

#[test]
fn a_template_whose_every_name_s3_refuses_is_refused_before_the_first_record() {
    let long = format!("{}{{{{topic}}}}-{{{{partition}}}}-{{{{start_offset}}}}", "x".repeat(1024));
    let found = faults(&[("file.name.template", &long)]);
    assert_eq!(found.len(), 1);
    assert!(
        found[0].1.starts_with("every record would fail: the object's name would have 1029 bytes"),
        "{}",
        found[0].1
    );
    let found = faults(&[("file.name.template", "a\0{{topic}}-{{partition}}-{{start_offset}}")]);
    assert!(found[0].1.contains("NUL"), "{}", found[0].1);
}

#[test]
fn a_worker_setting_in_a_connector_is_told_where_it_belongs() {
    let found = warnings(&[("file.compression.type", "gzip"), ("offset.flush.interval.ms", "1000")]);
    assert_eq!(
        found,
        [
            "offset.flush.interval.ms: has no effect in a connector: set it for the worker (--worker, --set), or tidegate.rotate.interval.ms here"
        ]
    );
}

#[test]
fn a_number_that_cannot_be_read_is_told_to_people_once() {
    let bad = report(with(&[("tasks.max", "many"), ("file.compression.type", "gzip")]));
    assert_eq!(bad.faults().len(), 2, "upstream's two are kept for programs");
    assert_eq!(
        bad.to_string().lines().collect::<Vec<_>>(),
        [
            "orders: refused",
            "  error    tasks.max: Invalid value many for configuration tasks.max: Not a number of type INT",
            "           allowed: 1 or more",
        ]
    );
}
