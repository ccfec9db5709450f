use std::borrow::Cow;
use std::sync::Arc;

use crate::Schema;

/// A value of Connect's data model; borrows from the record where it can.
///
/// A value of a logical type is held as its schema's kind says: a date as [`Value::Int32`] days, a decimal as
/// [`Value::Bytes`]. Without a schema the variant itself is the type.
///
/// Texts are Rust's, hence Unicode without lone surrogates, which Java's can have: one becomes a question mark here, as it
/// does when Java encodes it. (Only a JSON escape can make one; the text formats copy JSON text without making a value of
/// it, and keep it.)
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value<'a> {
    /// No value.
    #[default]
    Null,
    /// True or false.
    Boolean(bool),
    /// A signed integer of 8 bits.
    Int8(i8),
    /// A signed integer of 16 bits.
    Int16(i16),
    /// A signed integer of 32 bits.
    Int32(i32),
    /// A signed integer of 64 bits.
    Int64(i64),
    /// A floating-point number of 32 bits.
    Float32(f32),
    /// A floating-point number of 64 bits.
    Float64(f64),
    /// A text.
    String(Cow<'a, str>),
    /// Bytes.
    Bytes(Cow<'a, [u8]>),
    /// A list.
    Array(Vec<Value<'a>>),
    /// Pairs, in the order in which they were given; no two keys are equal.
    Map(Vec<(Value<'a>, Value<'a>)>),
    /// The values of a struct, in the order of its schema's fields.
    Struct(Vec<Value<'a>>),
}

impl Value<'_> {
    /// The same value, owning all of its parts.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Boolean(value) => Value::Boolean(value),
            Self::Int8(value) => Value::Int8(value),
            Self::Int16(value) => Value::Int16(value),
            Self::Int32(value) => Value::Int32(value),
            Self::Int64(value) => Value::Int64(value),
            Self::Float32(value) => Value::Float32(value),
            Self::Float64(value) => Value::Float64(value),
            Self::String(value) => Value::String(Cow::Owned(value.into_owned())),
            Self::Bytes(value) => Value::Bytes(Cow::Owned(value.into_owned())),
            Self::Array(items) => Value::Array(items.into_iter().map(Value::into_owned).collect()),
            Self::Map(pairs) => {
                Value::Map(pairs.into_iter().map(|(key, value)| (key.into_owned(), value.into_owned())).collect())
            }
            Self::Struct(fields) => Value::Struct(fields.into_iter().map(Value::into_owned).collect()),
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

/// A value and what it is. Without a schema the value's own variant says what it is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SchemaAndValue<'a> {
    /// What it is.
    pub schema: Option<Arc<Schema>>,
    /// The value.
    pub value: Value<'a>,
}
