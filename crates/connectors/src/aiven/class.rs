use std::time::Duration;

use data::{Converter, ConverterKind};
use format::text::{Converters, Field, Kind, Layout, ValueEncoding};
use format::{Codec, Compression};
use identity::ConnectionSpec;

use crate::aiven::{access, checks, names, region};
use crate::config::Config;
use crate::define::Values;
use crate::faults::{ConfigFault, Findings};
use crate::naming::ObjectNaming;
use crate::own;
use crate::plan::{S3Retry, S3Target, SinkPlan};
use crate::worker::WorkerConfig;

/// The class's full name.
pub(crate) const CLASS: &str = "io.aiven.kafka.connect.s3.AivenKafkaConnectS3SinkConnector";
/// The version whose contract is kept.
pub(crate) const VERSION: &str = "3.4.2";
/// The class of its tasks there.
pub(crate) const TASK_CLASS: &str = "io.aiven.kafka.connect.s3.S3SinkTask";
/// Prefixes of keys that it reads without listing them; they are for avro and parquet.
pub(crate) const PREFIXES: &[&str] = &["connect.parquet.", "avro."];

/// S3's smallest part that is not the last (S3 user guide, multipart upload limits).
const MIN_PART: u64 = 5 << 20;

/// What the class's own keys say, all faults at once.
pub(crate) fn plan(
    values: &Values,
    config: &Config,
    worker: &WorkerConfig,
    converters: Option<&Converters>,
    found: &mut Findings,
) -> Option<SinkPlan> {
    let codec = codec(values);
    let compression = compression(codec, values, found);
    let layout = layout(values, config, found);
    let naming = names::naming(values, config, codec, worker.local_zone(), found);
    let connector = values.text("name").unwrap_or_default();
    let spec = crate::access::named(values, connector, worker.reach(), found);
    let region = values.text("aws.s3.region").or(values.text("aws_s3_region"));
    let region = region.or(spec.as_ref().map(|spec| spec.region.as_str())).unwrap_or("us-east-1").to_owned();
    let s3 = s3(values, config, &region, spec.as_deref(), found);
    let connection = match &spec {
        Some(spec) => {
            access::refuse_beside(values, config, found);
            crate::access::bind(spec, connector, &region, found)
        }
        None => access::connection(values, config, &region, worker.reach().keys, found),
    };
    without_effect(values, naming.as_ref(), found);
    if let Some(converters) = converters {
        if let Some(layout) = &layout {
            hold(layout, converters, found);
        }
        if let Some(naming) = &naming {
            name(naming, converters, found);
        }
    }
    Some(SinkPlan { layout: layout?, compression: compression?, naming: naming?, s3: s3?, connection, spec })
}

/// `file.compression.type`, else `output_compression`, else gzip.
fn codec(values: &Values) -> Codec {
    let name = values.text("file.compression.type").or_else(|| values.text("output_compression"));
    name.and_then(|name| name.parse().ok()).unwrap_or(Codec::Gzip)
}

fn compression(codec: Codec, values: &Values, found: &mut Findings) -> Option<Compression> {
    const KEY: &str = "tidegate.compression.level";
    let level = values.number(KEY).and_then(|level| i32::try_from(level).ok());
    match Compression::new(codec, level, KEY) {
        Ok(compression) => Some(compression),
        Err(fault) => {
            let shown = fault.value.clone().unwrap_or_default();
            let text = format!("Invalid value {shown} for configuration {KEY}: {}", fault.message);
            found.fault(ConfigFault::new(KEY, fault.value, text));
            None
        }
    }
}

fn layout(values: &Values, config: &Config, found: &mut Findings) -> Option<Layout> {
    let kind = match values.text("format.output.type").map(str::to_ascii_lowercase).as_deref() {
        Some("csv") => Some(Kind::Csv),
        Some("json") => Some(Kind::Json),
        Some("jsonl") => Some(Kind::Jsonl),
        _ => None,
    };
    let new_fields = values.list("format.output.fields");
    let fields = new_fields.or_else(|| values.list("output_fields"));
    let fields: Vec<Field> = match fields {
        Some(names) => names.iter().filter_map(|name| field(name)).collect(),
        None => vec![Field::Value],
    };
    let envelope = values.flag("format.output.envelope").unwrap_or(true);
    // Upstream counts format.output.fields alone: not the default, not the old key. The key's own fault says enough.
    let is_faulty = config.has("format.output.fields") && new_fields.is_none();
    if !envelope && !is_faulty && new_fields.map_or(0, <[String]>::len) != 1 {
        let text = "When format.output.envelope is false, format.output.fields must contain only one field";
        for key in ["format.output.envelope", "format.output.fields"] {
            found.fault(ConfigFault::new(key, config.get(key).map(str::to_owned), text));
        }
    }
    let value_encoding = match values.text("format.output.fields.value.encoding") {
        Some("none") => ValueEncoding::None,
        _ => ValueEncoding::Base64,
    };
    Some(Layout { kind: kind?, fields, value_encoding, envelope })
}

fn field(name: &str) -> Option<Field> {
    [Field::Key, Field::Value, Field::Offset, Field::Timestamp, Field::Headers]
        .into_iter()
        .find(|field| field.name().eq_ignore_ascii_case(name))
}

fn s3(
    values: &Values,
    config: &Config,
    region: &str,
    spec: Option<&ConnectionSpec>,
    found: &mut Findings,
) -> Option<S3Target> {
    let new_or_old = |new: &str, old: &str| values.text(new).or_else(|| values.text(old)).map(str::to_owned);
    let bucket = new_or_old("aws.s3.bucket.name", "aws_s3_bucket");
    if !config.has("aws.s3.bucket.name") && !config.has("aws_s3_bucket") {
        let text = "Neither aws.s3.bucket.name nor aws_s3_bucket properties have been set";
        found.fault(ConfigFault::new("aws.s3.bucket.name", None, text).hint("set aws.s3.bucket.name"));
    }
    let written = new_or_old("aws.s3.region", "aws_s3_region");
    if let Some(young) = written.as_deref().filter(|name| region::is_young(name)) {
        found
            .warn("aws.s3.region", format!("{young} is a region that Aiven's connector does not know; taken as it is"));
    }
    let endpoint = new_or_old("aws.s3.endpoint", "aws_s3_endpoint").map(|endpoint| checks::with_scheme(&endpoint));
    let endpoint = endpoint.or_else(|| spec.and_then(|spec| spec.endpoints.s3.clone()));
    let owner = values.text("tidegate.s3.bucket.owner").and_then(|account| account.parse().ok());
    let sse = values.text("aws.s3.sse.algorithm");
    if let Some(other) = sse.filter(|sse| !["AES256", "aws:kms", "aws:kms:dsse"].contains(sse)) {
        found.warn("aws.s3.sse.algorithm", format!("{other} is none that S3 knows: AES256, aws:kms, aws:kms:dsse"));
    }
    let part_size = values.number("aws.s3.part.size.bytes").and_then(|size| u64::try_from(size).ok())?;
    if part_size < MIN_PART {
        found.warn(
            "aws.s3.part.size.bytes",
            format!("{part_size} is less than S3 takes for a part that is not the last; {MIN_PART} is used"),
        );
    }
    let delay = |key: &str| values.number(key).and_then(|millis| u64::try_from(millis).ok()).map(Duration::from_millis);
    let (base, max) = (delay("aws.s3.backoff.delay.ms")?, delay("aws.s3.backoff.max.delay.ms")?);
    if max < base {
        found.warn(
            "aws.s3.backoff.max.delay.ms",
            "is less than aws.s3.backoff.delay.ms; all pauses are as short as this one",
        );
    }
    Some(S3Target {
        bucket: bucket?,
        region: region.to_owned(),
        fips: spec.is_some_and(|spec| spec.fips),
        dual_stack: spec.is_some_and(|spec| spec.dual_stack),
        owner: owner.or_else(|| spec.and_then(|spec| spec.bucket_owner)),
        path_style: endpoint.is_some(),
        endpoint,
        server_side_encryption: sse.map(str::to_owned),
        part_size: part_size.max(MIN_PART),
        retry: S3Retry { delay: base, max_delay: max },
        existing: own::existing_object(values),
        checksums: values.flag("tidegate.s3.checksums").unwrap_or(true),
        payload_signature: own::payload_signature(values),
    })
}

/// Whether csv can hold what the converters give. Upstream fails at every record, in every flush, for ever.
fn hold(layout: &Layout, converters: &Converters, found: &mut Findings) {
    if layout.kind != Kind::Csv {
        return;
    }
    let mut refuse = |converter: &Converter, why: &str| {
        let (key, class) = (converter.role().config_key(), converter.class());
        let text = format!("{why}: csv writes bytes, and {class} gives none, so that every record would fail");
        let hint = format!("set {key} to ByteArrayConverter, or format.output.type to jsonl");
        found.fault(ConfigFault::new(key, Some(class.to_owned()), text).hint(hint));
    };
    let has = |field| layout.fields.contains(&field);
    // JsonConverter with schemas may give bytes: that depends on the record.
    let schema = |kind| match kind {
        ConverterKind::String(_) => Some("STRING"),
        ConverterKind::Boolean => Some("BOOLEAN"),
        ConverterKind::Int16 => Some("INT16"),
        ConverterKind::Int32 => Some("INT32"),
        ConverterKind::Int64 => Some("INT64"),
        ConverterKind::Float32 => Some("FLOAT32"),
        ConverterKind::Float64 => Some("FLOAT64"),
        _ => None,
    };
    if has(Field::Value) {
        if converters.value.kind() == ConverterKind::JsonSchemaless {
            refuse(&converters.value, "value schema cannot be null");
        } else if let Some(schema) = schema(converters.value.kind()) {
            refuse(&converters.value, &format!("Record value schema type must be BYTES, {schema} given"));
        }
    }
    if has(Field::Key) {
        if converters.key.kind() == ConverterKind::JsonSchemaless {
            refuse(&converters.key, "key schema cannot be null");
        } else if let Some(schema) = schema(converters.key.kind()).filter(|schema| *schema != "STRING") {
            refuse(&converters.key, &format!("Record key schema type must be BYTES or STRING, {schema} given"));
        }
    }
    if has(Field::Headers) && converters.header.kind() != ConverterKind::ByteArray {
        let class = converters.header.class();
        let why = "csv writes headers as bytes";
        found.warn(
            "header.converter",
            format!("{why}, and {class} gives none: each record with a header will fail; set ByteArrayConverter"),
        );
    }
}

/// Whether keys have a text to be put into names. Upstream takes Java's identity text of the array, `[B@1b28cdfa`:
/// another name for every record, and another one when the record is read again.
fn name(naming: &ObjectNaming, converters: &Converters, found: &mut Findings) {
    if naming.grouping().uses_key() && converters.key.kind() == ConverterKind::ByteArray {
        let class = converters.key.class();
        let text = format!("{class} gives a key no text that could stand for {{{{key}}}} in file.name.template");
        found.fault(
            ConfigFault::new("key.converter", Some(class.to_owned()), text)
                .hint("set key.converter to StringConverter"),
        );
    }
}

/// Names the keys that are set and do nothing.
fn without_effect(values: &Values, naming: Option<&ObjectNaming>, found: &mut Findings) {
    for (key, why) in [
        ("aws.s3.fetch.page.size", "has no effect: it belongs to the source connector"),
        ("aws.s3.fetch.buffer.size", "has no effect: it belongs to the source connector"),
        ("aws.s3.backoff.max.retries", "has no effect: what can be retried is retried until it works"),
        ("kafka.retry.backoff.ms", "has no effect"),
        ("file.prefix.template", "has no effect; write the prefix into file.name.template"),
        ("connector.plugin.version", "has no effect: there is one version of the class"),
    ] {
        if values.is_set(key) {
            found.warn(key, why);
        }
    }
    let Some(naming) = naming else { return };
    if !naming.has_time() {
        for key in ["file.name.timestamp.source", "file.name.timestamp.timezone"] {
            if values.is_set(key) {
                found.warn(key, "has no effect: file.name.template has no {{timestamp}}");
            }
        }
    }
}
