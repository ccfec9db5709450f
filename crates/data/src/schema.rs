use std::sync::Arc;

use crate::Value;

/// The name of Connect's logical type Decimal: on [`Kind::Bytes`], parameter `scale`; the bytes are the unscaled number,
/// big-endian two's complement.
pub const DECIMAL: &str = "org.apache.kafka.connect.data.Decimal";
/// The name of Connect's logical type Date: on [`Kind::Int32`], days since 1970.
pub const DATE: &str = "org.apache.kafka.connect.data.Date";
/// The name of Connect's logical type Time: on [`Kind::Int32`], milliseconds since midnight.
pub const TIME: &str = "org.apache.kafka.connect.data.Time";
/// The name of Connect's logical type Timestamp: on [`Kind::Int64`], milliseconds since 1970.
pub const TIMESTAMP: &str = "org.apache.kafka.connect.data.Timestamp";

/// What a value is, as Connect describes it. Two schemas are equal if all of their parts are.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    /// The shape of its values.
    pub kind: Kind,
    /// Whether null is a value too.
    pub optional: bool,
    /// What stands in for a missing or null value.
    pub default: Option<Value<'static>>,
    /// Its name; for a logical type the type's, such as [`DECIMAL`].
    pub name: Option<Arc<str>>,
    /// Its version.
    pub version: Option<i32>,
    /// What it means, for people.
    pub doc: Option<Arc<str>>,
    /// Further settings, such as the scale of a decimal, in the order given.
    pub parameters: Vec<(Arc<str>, Arc<str>)>,
}

/// The shape of a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// True or false.
    Boolean,
    /// A signed integer of 8 bits.
    Int8,
    /// A signed integer of 16 bits.
    Int16,
    /// A signed integer of 32 bits.
    Int32,
    /// A signed integer of 64 bits.
    Int64,
    /// A floating-point number of 32 bits.
    Float32,
    /// A floating-point number of 64 bits.
    Float64,
    /// A text.
    String,
    /// Bytes.
    Bytes,
    /// A list of values of one schema.
    Array(Arc<Schema>),
    /// Pairs of values: the keys' schema, the values' schema.
    Map(Arc<Schema>, Arc<Schema>),
    /// Named values, each with a schema, in this order.
    Struct(Arc<[Field]>),
}

/// A member of a struct.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its name, unique in the struct.
    pub name: Arc<str>,
    /// What its values are.
    pub schema: Arc<Schema>,
}

impl Schema {
    /// A required schema of `kind` with nothing else said.
    pub const fn of(kind: Kind) -> Self {
        Self { kind, optional: false, default: None, name: None, version: None, doc: None, parameters: Vec::new() }
    }

    /// The same, with null allowed.
    #[must_use]
    pub const fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// The same under `name`.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The value of parameter `name`.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| &**key == name).map(|(_, value)| &**value)
    }

    /// The logical type that it carries, if it is one of Connect's.
    pub fn logical(&self) -> Option<Logical> {
        match (self.name.as_deref()?, &self.kind) {
            (DECIMAL, Kind::Bytes) => Some(Logical::Decimal),
            (DATE, Kind::Int32) => Some(Logical::Date),
            (TIME, Kind::Int32) => Some(Logical::Time),
            (TIMESTAMP, Kind::Int64) => Some(Logical::Timestamp),
            _ => None,
        }
    }
}

/// Connect's logical types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Logical {
    /// [`DECIMAL`].
    Decimal,
    /// [`DATE`].
    Date,
    /// [`TIME`].
    Time,
    /// [`TIMESTAMP`].
    Timestamp,
}

impl Kind {
    /// Connect's name of it, upper case, as its error texts print it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::Int8 => "INT8",
            Self::Int16 => "INT16",
            Self::Int32 => "INT32",
            Self::Int64 => "INT64",
            Self::Float32 => "FLOAT32",
            Self::Float64 => "FLOAT64",
            Self::String => "STRING",
            Self::Bytes => "BYTES",
            Self::Array(_) => "ARRAY",
            Self::Map(..) => "MAP",
            Self::Struct(_) => "STRUCT",
        }
    }
}
