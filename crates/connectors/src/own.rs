//! Our own keys, which no connector of Connect has. They begin with `tidegate.`.

use std::time::Duration;

use iam::AccountId;
use transit::WriteMode;

use crate::define::{Check, Complaint, Importance, KeyDef, Kind, Value, Values};
use crate::plan::{ExistingObject, PayloadSignature, Rotation};

const GROUP: &str = "Tidegate";

/// The keys, for sinks that write objects to S3.
pub(crate) const OWN_KEYS: &[KeyDef] = &[
    KeyDef::new(
        "tidegate.connection",
        Kind::String,
        "The name of a connection of the file that --connections names: who Tidegate is to AWS, region, endpoints, and the fence. See connections.md. Not set: what the keys of the class say.",
    )
    .check(Check::NonEmpty)
    .group(GROUP, 0)
    .importance(Importance::High),
    KeyDef::new(
        "provider.integration.id",
        Kind::String,
        "The id of an integration: a customer's role, taken on with the external ID that was made for it.",
    )
    .check(Check::NonEmpty)
    .group(GROUP, 0),
    KeyDef::new(
        "tidegate.s3.bucket.owner",
        Kind::String,
        "The account (twelve digits) that the bucket must be in, sent with every request: a bucket that somebody else has made under the same name gets nothing. Not set: what the connection says, or whoever owns it.",
    )
    .check(Check::Rule(account))
    .group(GROUP, 10),
    KeyDef::new(
        "tidegate.rotate.interval.ms",
        Kind::Long,
        "How long records are gathered before their objects are published, in milliseconds. Not set: the worker's offset.flush.interval.ms (60000).",
    )
    .check(Check::Rule(at_least_one))
    .group(GROUP, 1),
    KeyDef::new(
        "tidegate.rotate.bytes",
        Kind::Long,
        "Publish earlier when the open objects of a partition (of the task, where objects are named by key) hold this many bytes together, counted as written and before compression. Looked at after each batch of records, so that objects become a little larger. Not set: no limit by size.",
    )
    .check(Check::Rule(at_least_one))
    .group(GROUP, 2),
    KeyDef::new(
        "tidegate.rotate.records",
        Kind::Long,
        "Publish earlier when the open objects of a partition (of the task, where objects are named by key) hold this many records together. Looked at after each batch of records. Not set: no limit by count. Unlike file.max.records it publishes and does not split.",
    )
    .check(Check::Rule(at_least_one))
    .group(GROUP, 3),
    KeyDef::new(
        "tidegate.compression.level",
        Kind::Int,
        "How hard the compression tries: gzip 1 to 9, zstd -7 to 19; none and snappy have no levels. Not set: 1.",
    )
    .group(GROUP, 4)
    .importance(Importance::Low),
    KeyDef::new(
        "tidegate.write.mode",
        Kind::String,
        "exactly-once writes down what is about to be published beside the committed offset, and needs multipart uploads as Amazon S3 has them. at-least-once does without: after a crash, records may be in two objects.",
    )
    .default("exactly-once")
    .check(Check::OneOf(&["exactly-once", "at-least-once"]))
    .recommended(&["exactly-once", "at-least-once"])
    .group(GROUP, 5),
    KeyDef::new(
        "tidegate.existing.object",
        Kind::String,
        "What to do about an object of the same name that is not ours: overwrite replaces it, as Aiven's connector does; fail refuses to (If-None-Match: *).",
    )
    .default("overwrite")
    .check(Check::OneOf(&["overwrite", "fail"]))
    .recommended(&["overwrite", "fail"])
    .group(GROUP, 6),
    KeyDef::new(
        "tidegate.manifest.prefix",
        Kind::String,
        "Where intents are written that are too large for the offset's metadata: names of small objects that come and go begin with this. Not set: .tidegate/ in the folder that file.name.template begins with.",
    )
    .check(Check::NonEmpty)
    .group(GROUP, 7)
    .importance(Importance::Low),
    KeyDef::new(
        "tidegate.s3.checksums",
        Kind::Boolean,
        "Whether parts carry their CRC32C, which S3 checks and keeps. false for stores that know no checksums.",
    )
    .default("true")
    .group(GROUP, 8)
    .importance(Importance::Low),
    KeyDef::new(
        "tidegate.s3.payload.signature",
        Kind::String,
        "Whether bodies of requests are signed: auto signs them only on unencrypted ways to other machines.",
    )
    .default("auto")
    .check(Check::OneOf(&["auto", "always", "never"]))
    .recommended(&["auto", "always", "never"])
    .group(GROUP, 9)
    .importance(Importance::Low),
];

/// `Range.atLeast(1)` of a key that may be left out.
fn at_least_one(value: Option<&Value>) -> Result<(), Complaint> {
    match value {
        None => Ok(()),
        some => Check::Range(Some(1), None).run(some),
    }
}

fn account(value: Option<&Value>) -> Result<(), Complaint> {
    match value {
        Some(Value::Text(text)) if text.parse::<AccountId>().is_err() => {
            Err(Complaint::why("must be an account: twelve digits"))
        }
        _ => Ok(()),
    }
}

/// When objects are published.
pub(crate) fn rotation(values: &Values, default_interval: Duration) -> Rotation {
    let number = |key: &str| values.number(key).and_then(|number| u64::try_from(number).ok());
    Rotation {
        interval: number("tidegate.rotate.interval.ms").map_or(default_interval, Duration::from_millis),
        bytes: number("tidegate.rotate.bytes"),
        records: number("tidegate.rotate.records"),
    }
}

/// How objects become visible.
pub(crate) fn write_mode(values: &Values) -> WriteMode {
    match values.text("tidegate.write.mode") {
        Some("at-least-once") => WriteMode::AtLeastOnce,
        _ => WriteMode::ExactlyOnce,
    }
}

/// What to do about objects that are there already.
pub(crate) fn existing_object(values: &Values) -> ExistingObject {
    match values.text("tidegate.existing.object") {
        Some("fail") => ExistingObject::Fail,
        _ => ExistingObject::Overwrite,
    }
}

/// Whether bodies are signed.
pub(crate) fn payload_signature(values: &Values) -> PayloadSignature {
    match values.text("tidegate.s3.payload.signature") {
        Some("always") => PayloadSignature::Always,
        Some("never") => PayloadSignature::Never,
        _ => PayloadSignature::Auto,
    }
}
