use crate::aiven::{bucket, checks, region};
use crate::define::{Check, Importance, KeyDef, Kind, Width};

const AWS: &str = "AWS";
const STS: &str = "AWS STS";
const BACKOFF: &str = "S3 retry backoff policy";
const FILE: &str = "File";
const FORMAT: &str = "Format";

/// The keys of Aiven's S3 sink 3.4.2, in the order in which it lists them, and at the end the one that it knows without
/// listing it.
pub(crate) const AIVEN_KEYS: &[KeyDef] = &[
    KeyDef::new("aws.access.key.id", Kind::Password, "Access key of a user, with aws.secret.access.key. Not asked if a role is given.")
        .check(Check::Rule(checks::password))
        .group(AWS, 1),
    KeyDef::new("aws.secret.access.key", Kind::Password, "Secret of aws.access.key.id.")
        .check(Check::Rule(checks::password))
        .group(AWS, 2),
    KeyDef::new("aws.credentials.provider", Kind::Class, "Who Tidegate is to AWS if neither keys nor a role are given: a provider class of the AWS SDK for Java, taken for what it does. Not set: the default chain.")
        .check(Check::RuleOf(checks::provider, checks::PROVIDERS))
        .group(AWS, 3),
    KeyDef::new("aws.s3.bucket.name", Kind::String, "The bucket that objects go to.")
        .check(Check::Rule(bucket::bucket_name))
        .group(AWS, 4),
    KeyDef::new("aws.s3.sse.algorithm", Kind::String, "Server-side encryption of objects: AES256, aws:kms or aws:kms:dsse. Not set: what the bucket does by default.")
        .check(Check::NonEmpty)
        .group(AWS, 5),
    KeyDef::new("aws.s3.endpoint", Kind::String, "URL of a store in place of AWS's own; buckets are then addressed in path style.")
        .check(Check::Rule(checks::endpoint))
        .group(AWS, 6)
        .importance(Importance::Low),
    KeyDef::new("aws.s3.region", Kind::String, "Region of the bucket. Not set: us-east-1.")
        .check(Check::Rule(region::region))
        .group(AWS, 7),
    KeyDef::new("aws.s3.prefix", Kind::String, "Deprecated naming: objects are called by this prefix, topic, partition and offset, and file.name.template only groups. May hold {{topic}}, {{partition}}, {{start_offset}}, {{timestamp:unit=..}}, {{utc_date}}, {{local_date}}.")
        .check(Check::NonEmpty)
        .group(AWS, 8),
    KeyDef::new("aws.s3.fetch.page.size", Kind::Int, "Of the source connector; has no effect here.")
        .default("10")
        .check(Check::Range(Some(1), None))
        .group(AWS, 9),
    KeyDef::new("aws.s3.fetch.buffer.size", Kind::Int, "Of the source connector; has no effect here.")
        .default("1000")
        .check(Check::Range(Some(1), None))
        .group(AWS, 10),
    KeyDef::new("aws.sts.role.arn", Kind::String, "ARN of a role to take on. Has an effect only together with aws.sts.role.session.name.")
        .check(Check::NonEmpty)
        .group(STS, 1),
    KeyDef::new("aws.sts.role.session.name", Kind::String, "Name of the role's sessions, as the account's logs show it.")
        .check(Check::NonEmpty)
        .group(STS, 2),
    KeyDef::new("aws.sts.role.session.duration", Kind::Int, "How long a session lives, in seconds.")
        .default("3600")
        .check(Check::Range(Some(900), Some(43200)))
        .group(STS, 3),
    KeyDef::new("aws.sts.role.external.id", Kind::String, "The external ID that the role's trust policy asks for.")
        .check(Check::NonEmpty)
        .group(STS, 4),
    KeyDef::new("aws.sts.config.endpoint", Kind::String, "URL of STS. The default stands for the endpoint of aws.s3.region; any other needs aws.s3.region beside it.")
        .default("https://sts.amazonaws.com")
        .check(Check::NonEmpty)
        .group(STS, 5),
    KeyDef::new("aws_access_key_id", Kind::Password, "Old name of aws.access.key.id. The new pair counts if it is whole.")
        .check(Check::Rule(checks::password))
        .replaced_by("aws.access.key.id"),
    KeyDef::new("aws_secret_access_key", Kind::Password, "Old name of aws.secret.access.key.")
        .check(Check::Rule(checks::password))
        .replaced_by("aws.secret.access.key"),
    KeyDef::new("aws_s3_bucket", Kind::String, "Old name of aws.s3.bucket.name.")
        .check(Check::Rule(bucket::bucket_name))
        .replaced_by("aws.s3.bucket.name"),
    KeyDef::new("aws_s3_endpoint", Kind::String, "Old name of aws.s3.endpoint.")
        .check(Check::Rule(checks::endpoint))
        .importance(Importance::Low)
        .replaced_by("aws.s3.endpoint"),
    KeyDef::new("aws_s3_region", Kind::String, "Old name of aws.s3.region. aws.sts.config.endpoint does not count it.")
        .check(Check::Rule(region::region))
        .replaced_by("aws.s3.region"),
    KeyDef::new("aws_s3_prefix", Kind::String, "Old name of aws.s3.prefix.")
        .check(Check::NonEmpty)
        .replaced_by("aws.s3.prefix"),
    KeyDef::new("output_fields", Kind::List, "Old name of format.output.fields. format.output.envelope does not count it.")
        .check(Check::Rule(checks::output_fields))
        .replaced_by("format.output.fields"),
    KeyDef::new("output_compression", Kind::String, "Old name of file.compression.type. Adds nothing to the default name.")
        .check(Check::Rule(checks::compression))
        .replaced_by("file.compression.type"),
    KeyDef::new("aws.s3.backoff.delay.ms", Kind::Long, "The first pause before a failed request is sent again, in milliseconds; it doubles with each further failure.")
        .default("100")
        .check(Check::Rule(checks::delay))
        .group(BACKOFF, 1),
    KeyDef::new("aws.s3.backoff.max.delay.ms", Kind::Long, "The longest such pause, in milliseconds.")
        .default("20000")
        .check(Check::Rule(checks::delay))
        .group(BACKOFF, 2),
    KeyDef::new("aws.s3.backoff.max.retries", Kind::Int, "Accepted; what can be retried is retried until it works.")
        .default("3")
        .check(Check::Range(Some(1), Some(30)))
        .group(BACKOFF, 3),
    KeyDef::new("aws.s3.part.size.bytes", Kind::Int, "Size of the parts in which objects are uploaded. Less than 5 MiB, S3's minimum, is taken for 5 MiB.")
        .default("5242880")
        .check(Check::Rule(checks::part_size))
        .group(AWS, 0),
    KeyDef::new("file.name.template", Kind::String, "Name of the objects, and what is gathered in one: {{topic}}, {{partition}}, {{start_offset}} together, with {{key}} or {{timestamp:unit=yyyy|MM|dd|HH}} if wanted; or {{key}} alone, or with {{topic}} or {{partition}}, for the last record of each key. padding=true fills numbers with zeros. Not set: {{topic}}-{{partition}}-{{start_offset}} and the ending of file.compression.type.")
        .group(FILE, 1)
        .width(Width::Long),
    KeyDef::new("file.prefix.template", Kind::String, "Accepted; has no effect, as in Aiven's connector.")
        .group(FILE, 2)
        .width(Width::Long),
    KeyDef::new("file.compression.type", Kind::String, "Compression of objects: none, gzip, snappy (snappy-java's framing) or zstd. Not set: gzip, without an ending in the default name.")
        .check(Check::Rule(checks::compression))
        .group(FILE, 2)
        .recommended(checks::CODECS),
    KeyDef::new("file.max.records", Kind::Int, "An object holds at most so many records; what comes then goes to the next one. 0 for no limit.")
        .default("0")
        .check(Check::Range(Some(0), Some(i32::MAX as i64)))
        .group(FILE, 4)
        .width(Width::Short),
    KeyDef::new("file.name.timestamp.timezone", Kind::String, "Time zone of {{timestamp}} in file.name.template: Z, an offset (+02:00), or a region (Europe/Berlin).")
        .default("Z")
        .check(Check::Rule(checks::zone))
        .group(FILE, 5)
        .importance(Importance::Low)
        .width(Width::Short),
    KeyDef::new("file.name.timestamp.source", Kind::String, "Whose time {{timestamp}} in file.name.template is: WALLCLOCK (when the record is taken up) or EVENT (the record's own).")
        .default("WALLCLOCK")
        .check(Check::Rule(checks::timestamp_source))
        .group(FILE, 6)
        .importance(Importance::Low)
        .width(Width::Short),
    KeyDef::new("format.output.type", Kind::String, "What objects hold: csv, json (one array) or jsonl (one document a line).")
        .default("csv")
        .check(Check::RuleOf(checks::output_type, checks::SUPPORTED_TYPES))
        .group(FORMAT, 0)
        .recommended(checks::TYPES),
    KeyDef::new("format.output.fields", Kind::List, "What of a record is written: key, value, offset, timestamp, headers. The order counts for csv. Not set: value.")
        .check(Check::Rule(checks::output_fields))
        .group(FORMAT, 0)
        .recommended(checks::FIELDS),
    KeyDef::new("format.output.fields.value.encoding", Kind::String, "How csv writes values: base64, or none for the bytes as they are.")
        .default("base64")
        .check(Check::Rule(checks::value_encoding))
        .group(FORMAT, 1)
        .recommended(checks::ENCODINGS),
    KeyDef::new("format.output.envelope", Kind::Boolean, "false writes the only field of a JSON record without an object around it.")
        .default("true")
        .group(FORMAT, 2)
        .width(Width::Short),
    KeyDef::new("timestamp.timezone", Kind::String, "Time zone of {{timestamp}} in aws.s3.prefix.")
        .default("Z")
        .check(Check::Rule(checks::zone))
        .group(FILE, 0)
        .importance(Importance::Low)
        .width(Width::Short),
    KeyDef::new("timestamp.source", Kind::String, "Whose time {{timestamp}} in aws.s3.prefix is: WALLCLOCK or EVENT.")
        .default("WALLCLOCK")
        .check(Check::Rule(checks::timestamp_source))
        .group(FILE, 1)
        .importance(Importance::Low)
        .width(Width::Short),
    KeyDef::new("kafka.retry.backoff.ms", Kind::Long, "Accepted; has no effect, as in Aiven's connector.")
        .check(Check::Rule(checks::retry_backoff))
        .unlisted(),
];
