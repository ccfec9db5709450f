//! The Connect data model: records as they were fetched, schemas, values, converters, and later transforms. Pure.
//!
//! What lives here: where a record is ([`TopicPartition`], [`Offset`]), what it is made of ([`Arena`], [`RecordView`]),
//! and what is wrong with one that cannot be used ([`RecordFault`]); what its bytes stand for ([`Value`], [`Schema`]) and
//! how that is found out ([`Converter`]). What may not: I/O, files' formats, a vendor.

mod arena;
mod charset;
mod config_fault;
mod converter;
mod converter_class;
mod decimal;
pub mod java;
pub mod json;
mod json_converter;
mod json_schema;
mod key_text;
mod place;
mod record_fault;
mod schema;
mod simple_header;
mod string;
mod temporal;
mod value;

pub use arena::{Arena, Header, Headers, RecordView};
pub use charset::Charset;
pub use config_fault::ConfigFault;
pub use converter::{Converter, ConverterKind, ConverterScratch, Role};
pub use decimal::Decimal;
pub use place::{Offset, TopicPartition};
pub use record_fault::{RecordFault, Stage};
pub use schema::{DATE, DECIMAL, Field, Kind, Logical, Schema, TIME, TIMESTAMP};
pub use string::decode_utf8;
pub use value::{SchemaAndValue, Value};
