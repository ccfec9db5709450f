use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use crate::converter_class::{CLASSES, Properties, find};
use crate::json::Compactor;
use crate::json_converter::{self, Refused};
use crate::json_schema::SchemaCache;
use crate::key_text::push_text;
use crate::{Charset, ConfigFault, Kind, RecordFault, Schema, SchemaAndValue, Stage, Value, simple_header};

const DATA_EXCEPTION: &str = "org.apache.kafka.connect.errors.DataException";

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConverterKind {
    /// `ByteArrayConverter`: bytes as they are.
    ByteArray,
    /// `StringConverter`: a text.
    String(Charset),
    /// `JsonConverter` with `schemas.enable=false`: any JSON.
    JsonSchemaless,
    /// `JsonConverter` with `schemas.enable=true`: a schema and a payload.
    Json {
        /// `replace.null.with.default`: whether a null stands for its schema's default.
        replace_null: bool,
    },
    /// `BooleanConverter`: one byte, 0 or 1.
    Boolean,
    /// `ShortConverter`: two bytes, big-endian.
    Int16,
    /// `IntegerConverter`: four bytes, big-endian.
    Int32,
    /// `LongConverter`: eight bytes, big-endian.
    Int64,
    /// `FloatConverter`: four bytes, IEEE 754, big-endian.
    Float32,
    /// `DoubleConverter`: eight bytes, IEEE 754, big-endian.
    Float64,
    /// `SimpleHeaderConverter`: a text, or what it looks like. For headers only.
    SimpleHeader,
}

impl Converter {
    /// The converter of class `class` for `role`. Its properties are those of `config` that begin with the role's key and
    /// a full stop; keys that it does not know are ignored, as Connect does. A class may be named as Connect names its
    /// plugins too: without its package, and without the word Converter. All faults at once.
    pub fn new(role: Role, class: &str, config: &BTreeMap<String, String>) -> Result<Self, Vec<ConfigFault>> {
        let mut properties = Properties::new(role, config);
        let kind = match find(role, class.trim()) {
            Some(ConverterKind::String(_)) => ConverterKind::String(properties.charset()),
            Some(ConverterKind::Json { .. }) => {
                let schemas = properties.boolean("schemas.enable", true);
                let replace_null = properties.boolean("replace.null.with.default", true);
                properties.check_cache_size();
                properties.check_decimal_format();
                if schemas { ConverterKind::Json { replace_null } } else { ConverterKind::JsonSchemaless }
            }
            Some(kind) => kind,
            None => {
                properties.unknown_class(class);
                ConverterKind::ByteArray
            }
        };
        if properties.faults.is_empty() { Ok(Self { role, kind }) } else { Err(properties.faults) }
    }

    /// What it is for.
    pub fn role(&self) -> Role {
        self.role
    }

    /// What it does.
    pub fn kind(&self) -> ConverterKind {
        self.kind
    }

    /// The Java class that it stands for.
    pub fn class(&self) -> &'static str {
        let kind = match self.kind {
            ConverterKind::JsonSchemaless | ConverterKind::Json { .. } => ConverterKind::Json { replace_null: true },
            ConverterKind::String(_) => ConverterKind::String(Charset::Utf8),
            kind => kind,
        };
        CLASSES.iter().find(|(_, known)| *known == kind).map_or("", |(class, _)| class)
    }

    /// Whether `bytes` convert, as cheaply as can be told.
    pub fn check(&self, bytes: Option<&[u8]>, scratch: &mut ConverterScratch) -> Result<(), RecordFault> {
        match (self.kind, bytes) {
            (ConverterKind::ByteArray | ConverterKind::String(_) | ConverterKind::SimpleHeader, _) | (_, None) => {
                Ok(())
            }
            (ConverterKind::JsonSchemaless, Some(bytes)) => {
                let ConverterScratch { compactor, text, .. } = scratch;
                text.clear();
                self.compact_json(bytes, text, compactor)
            }
            _ => self.convert(bytes, scratch).map(|_| ()),
        }
    }

    /// Appends the JSON document in `bytes` to `out` without its insignificant whitespace, `null` if there is none: what
    /// [`ConverterKind::JsonSchemaless`] converts and a JSON format prints again, without making values of it.
    pub fn compact_json(&self, bytes: &[u8], out: &mut Vec<u8>, compactor: &mut Compactor) -> Result<(), RecordFault> {
        match compactor.compact(bytes, out) {
            Ok(true) => Ok(()),
            Ok(false) => {
                out.extend_from_slice(b"null");
                Ok(())
            }
            Err(fault) => Err(self
                .fault("Converting byte[] to Kafka Connect data failed due to serialization error: ")
                .because(fault.to_string())),
        }
    }

    /// The value that `bytes` stand for.
    pub fn convert<'a>(
        &self,
        bytes: Option<&'a [u8]>,
        scratch: &mut ConverterScratch,
    ) -> Result<SchemaAndValue<'a>, RecordFault> {
        let schema = OPTIONAL.of(self.kind);
        let Some(bytes) = bytes else {
            return Ok(SchemaAndValue { schema, value: Value::Null });
        };
        let value = match self.kind {
            ConverterKind::ByteArray => Value::Bytes(Cow::Borrowed(bytes)),
            ConverterKind::String(charset) => Value::String(charset.decode(bytes)),
            ConverterKind::JsonSchemaless => {
                let ConverterScratch { compactor, text, .. } = scratch;
                text.clear();
                self.compact_json(bytes, text, compactor)?;
                json_converter::schemaless(text)
            }
            ConverterKind::Json { replace_null } => {
                let ConverterScratch { compactor, text, schemas } = scratch;
                text.clear();
                self.compact_json(bytes, text, compactor)?;
                return json_converter::with_schema(text, replace_null, schemas)
                    .map_err(|Refused { exception, message }| RecordFault { exception, ..self.fault(message) });
            }
            ConverterKind::SimpleHeader => {
                if bytes.is_empty() {
                    return Ok(SchemaAndValue {
                        schema: Some(STRING.clone()),
                        value: Value::String(Cow::Borrowed("")),
                    });
                }
                return Ok(simple_header::guess(&Charset::Utf8.decode(bytes)));
            }
            ConverterKind::Boolean => match self.fixed::<1>(bytes)? {
                [0] => Value::Boolean(false),
                [1] => Value::Boolean(true),
                [other] => {
                    return Err(self
                        .fault("Failed to deserialize boolean: ")
                        .because(format!("unexpected byte {other}: only 0 and 1 are booleans")));
                }
            },
            ConverterKind::Int16 => Value::Int16(i16::from_be_bytes(self.fixed(bytes)?)),
            ConverterKind::Int32 => Value::Int32(i32::from_be_bytes(self.fixed(bytes)?)),
            ConverterKind::Int64 => Value::Int64(i64::from_be_bytes(self.fixed(bytes)?)),
            ConverterKind::Float32 => Value::Float32(f32::from_be_bytes(self.fixed(bytes)?)),
            ConverterKind::Float64 => Value::Float64(f64::from_be_bytes(self.fixed(bytes)?)),
        };
        Ok(SchemaAndValue { schema, value })
    }

    /// Appends to `out` how Java prints the converted key, for object names made from keys: a text as it is, `null` for
    /// null, a struct as `Struct{id=1}`, a map in the order of a Java `HashMap`.
    ///
    /// Refused are bytes, of which Java prints the identity (another name for every record), and maps whose order cannot
    /// be known. Dates print in UTC.
    pub fn key_text_with(
        &self,
        bytes: Option<&[u8]>,
        out: &mut String,
        scratch: &mut ConverterScratch,
    ) -> Result<(), RecordFault> {
        if let (ConverterKind::String(Charset::Utf8), Some(bytes)) = (self.kind, bytes) {
            out.push_str(&Charset::Utf8.decode(bytes));
            return Ok(());
        }
        let converted = self.convert(bytes, scratch)?;
        let before = out.len();
        push_text(converted.schema.as_deref(), &converted.value, out).map_err(|no_text| {
            out.truncate(before);
            self.fault(no_text.reason())
        })
    }

    /// [`Converter::key_text_with`], where no scratch is at hand: texts and numbers cost the same, a JSON key with its
    /// schema is read anew each time.
    pub fn key_text(&self, bytes: Option<&[u8]>, out: &mut String) -> Result<(), RecordFault> {
        self.key_text_with(bytes, out, &mut ConverterScratch::default())
    }

    fn fault(&self, message: impl Into<String>) -> RecordFault {
        RecordFault {
            stage: self.role.stage(),
            class: self.class(),
            exception: DATA_EXCEPTION,
            message: message.into(),
            cause: None,
        }
    }

    /// Exactly `N` bytes.
    fn fixed<const N: usize>(&self, bytes: &[u8]) -> Result<[u8; N], RecordFault> {
        bytes.try_into().map_err(|_| {
            let name = match self.kind {
                ConverterKind::Boolean => "boolean",
                ConverterKind::Int16 => "short",
                ConverterKind::Int32 => "integer",
                ConverterKind::Int64 => "long",
                ConverterKind::Float32 => "float",
                _ => "double",
            };
            self.fault(format!("Failed to deserialize {name}: "))
                .because(format!("{} bytes where {N} are needed", bytes.len()))
        })
    }
}

/// What a thread that converts keeps between records.
#[derive(Debug, Default)]
pub struct ConverterScratch {
    /// Compacts JSON.
    pub compactor: Compactor,
    /// JSON compacted.
    text: Vec<u8>,
    schemas: SchemaCache,
}

static STRING: LazyLock<Arc<Schema>> = LazyLock::new(|| Arc::new(Schema::of(Kind::String)));
static OPTIONAL: LazyLock<Optional> = LazyLock::new(Optional::default);

/// The schemas of converters that have only one.
struct Optional([(ConverterKind, Arc<Schema>); 8]);

impl Default for Optional {
    fn default() -> Self {
        let schema = |kind: Kind| Arc::new(Schema::of(kind).optional());
        Self([
            (ConverterKind::ByteArray, schema(Kind::Bytes)),
            (ConverterKind::String(Charset::Utf8), schema(Kind::String)),
            (ConverterKind::Boolean, schema(Kind::Boolean)),
            (ConverterKind::Int16, schema(Kind::Int16)),
            (ConverterKind::Int32, schema(Kind::Int32)),
            (ConverterKind::Int64, schema(Kind::Int64)),
            (ConverterKind::Float32, schema(Kind::Float32)),
            (ConverterKind::Float64, schema(Kind::Float64)),
        ])
    }
}

impl Optional {
    fn of(&self, kind: ConverterKind) -> Option<Arc<Schema>> {
        let kind = if matches!(kind, ConverterKind::String(_)) { ConverterKind::String(Charset::Utf8) } else { kind };
        self.0.iter().find(|(known, _)| *known == kind).map(|(_, schema)| schema.clone())
    }
}
