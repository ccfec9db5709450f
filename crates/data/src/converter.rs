use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use crate::json::Compactor;
use crate::{ConfigFault, Kind, RecordFault, Schema, SchemaAndValue, Stage, Value, string};

const DATA_EXCEPTION: &str = "org.apache.kafka.connect.errors.DataException";
const BYTE_ARRAY: &str = "org.apache.kafka.connect.converters.ByteArrayConverter";
const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";
const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";

static OPTIONAL_BYTES: LazyLock<Arc<Schema>> = LazyLock::new(|| Arc::new(Schema::of(Kind::Bytes).optional()));
static OPTIONAL_STRING: LazyLock<Arc<Schema>> = LazyLock::new(|| Arc::new(Schema::of(Kind::String).optional()));

/// Which part of a record a converter is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The key: `key.converter`.
    Key,
    /// The value: `value.converter`.
    Value,
    /// Each header's value: `header.converter`.
    Header,
}

impl Role {
    /// The configuration key that names the class; its properties have it and a full stop before them.
    pub fn config_key(self) -> &'static str {
        match self {
            Self::Key => "key.converter",
            Self::Value => "value.converter",
            Self::Header => "header.converter",
        }
    }

    /// Where a fault of it is found.
    pub fn stage(self) -> Stage {
        match self {
            Self::Key => Stage::KeyConverter,
            Self::Value => Stage::ValueConverter,
            Self::Header => Stage::HeaderConverter,
        }
    }
}

/// What turns the bytes of a key, value or header into a value, as the Connect class of the same name does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Converter {
    role: Role,
    kind: ConverterKind,
}

/// The converters there are.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConverterKind {
    /// `ByteArrayConverter`: bytes as they are.
    ByteArray,
    /// `StringConverter`: a text.
    String,
    /// `JsonConverter` with `schemas.enable=false`: any JSON.
    JsonSchemaless,
}

impl Converter {
    /// The converter of class `class` for `role`. Its properties are those of `config` that begin with the role's key and
    /// a full stop; keys that it does not know are ignored, as Connect does. All faults at once.
    pub fn new(role: Role, class: &str, config: &BTreeMap<String, String>) -> Result<Self, Vec<ConfigFault>> {
        let property = |name: &str| config.get(&format!("{}.{name}", role.config_key())).map(|value| value.trim());
        let mut faults = Vec::new();
        let kind = match class {
            BYTE_ARRAY => ConverterKind::ByteArray,
            STRING => ConverterKind::String,
            JSON => match property("schemas.enable") {
                Some("false") => ConverterKind::JsonSchemaless,
                other => {
                    faults.push(ConfigFault {
                        key: format!("{}.schemas.enable", role.config_key()),
                        value: other.map(str::to_owned),
                        message: "JsonConverter with schemas is not supported yet".to_owned(),
                        allowed: vec!["false".to_owned()],
                    });
                    ConverterKind::JsonSchemaless
                }
            },
            _ => {
                faults.push(ConfigFault {
                    key: role.config_key().to_owned(),
                    value: Some(class.to_owned()),
                    message: "not a converter that is known here".to_owned(),
                    allowed: vec![BYTE_ARRAY.to_owned(), STRING.to_owned(), JSON.to_owned()],
                });
                ConverterKind::ByteArray
            }
        };
        if faults.is_empty() { Ok(Self { role, kind }) } else { Err(faults) }
    }

    /// What it is for.
    pub fn role(&self) -> Role {
        self.role
    }

    /// What it does.
    pub fn kind(&self) -> &ConverterKind {
        &self.kind
    }

    /// The Java class that it stands for.
    pub fn class(&self) -> &'static str {
        match self.kind {
            ConverterKind::ByteArray => BYTE_ARRAY,
            ConverterKind::String => STRING,
            ConverterKind::JsonSchemaless => JSON,
        }
    }

    /// A fault of this converter.
    fn fault(&self, exception: &'static str, message: impl Into<String>) -> RecordFault {
        RecordFault { stage: self.role.stage(), class: self.class(), exception, message: message.into(), cause: None }
    }

    /// Whether `bytes` convert, as cheaply as can be told.
    pub fn check(&self, bytes: Option<&[u8]>, scratch: &mut ConverterScratch) -> Result<(), RecordFault> {
        match (&self.kind, bytes) {
            (ConverterKind::ByteArray | ConverterKind::String, _) | (ConverterKind::JsonSchemaless, None) => Ok(()),
            (ConverterKind::JsonSchemaless, Some(bytes)) => {
                let ConverterScratch { compactor, discard } = scratch;
                discard.clear();
                self.compact_json(bytes, discard, compactor)
            }
        }
    }

    /// Appends the JSON document in `bytes` to `out` without its insignificant whitespace, `null` if there is none; what
    /// [`ConverterKind::JsonSchemaless`] converts and prints again, without making values of it.
    pub fn compact_json(&self, bytes: &[u8], out: &mut Vec<u8>, compactor: &mut Compactor) -> Result<(), RecordFault> {
        match compactor.compact(bytes, out) {
            Ok(true) => Ok(()),
            Ok(false) => {
                out.extend_from_slice(b"null");
                Ok(())
            }
            Err(fault) => Err(self
                .fault(DATA_EXCEPTION, "Converting byte[] to Kafka Connect data failed due to serialization error: ")
                .because(fault.to_string())),
        }
    }

    /// The value that `bytes` stand for.
    pub fn convert<'a>(&self, bytes: Option<&'a [u8]>) -> Result<SchemaAndValue<'a>, RecordFault> {
        Ok(match &self.kind {
            ConverterKind::ByteArray => SchemaAndValue {
                schema: Some(OPTIONAL_BYTES.clone()),
                value: bytes.map_or(Value::Null, |bytes| Value::Bytes(Cow::Borrowed(bytes))),
            },
            ConverterKind::String => SchemaAndValue {
                schema: Some(OPTIONAL_STRING.clone()),
                value: bytes.map_or(Value::Null, |bytes| Value::String(string::decode_utf8(bytes))),
            },
            ConverterKind::JsonSchemaless => {
                return Err(self.fault(DATA_EXCEPTION, "JSON to values is not supported yet"));
            }
        })
    }

    /// Appends to `out` how Java prints the converted key, for object names made from keys: a text as it is, `null` for
    /// null.
    ///
    /// A byte-array key is refused: Java prints the identity of the array, a different name for every record.
    pub fn key_text(&self, bytes: Option<&[u8]>, out: &mut String) -> Result<(), RecordFault> {
        let Some(bytes) = bytes else {
            out.push_str("null");
            return Ok(());
        };
        match &self.kind {
            ConverterKind::String => out.push_str(&string::decode_utf8(bytes)),
            ConverterKind::ByteArray => {
                return Err(self.fault(DATA_EXCEPTION, "a byte array as key has no text for an object's name"));
            }
            ConverterKind::JsonSchemaless => {
                return Err(self.fault(DATA_EXCEPTION, "a JSON key in an object's name is not supported yet"));
            }
        }
        Ok(())
    }
}

/// What a thread that converts keeps between records.
#[derive(Debug, Default)]
pub struct ConverterScratch {
    /// Compacts JSON.
    pub compactor: Compactor,
    discard: Vec<u8>,
}
