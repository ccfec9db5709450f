//! Schemas as `JsonConverter` writes them into documents.

use std::collections::HashMap;
use std::sync::Arc;

use crate::json::Node;
use crate::json_converter::{Refused, is_integral, lacks, refuse, typed, wrapping};
use crate::{Field, Kind, Schema};

fn refuse_schema(message: impl Into<String>) -> Refused {
    Refused { exception: "org.apache.kafka.connect.errors.SchemaBuilderException", message: message.into() }
}

/// Schemas that have been read, by their compact text. Full, it begins anew: topics have few schemas.
#[derive(Debug, Default)]
pub(crate) struct SchemaCache {
    known: HashMap<Box<[u8]>, Option<Arc<Schema>>>,
}

/// As many as `schemas.cache.size` says by default.
const CACHED_SCHEMAS: usize = 1000;

impl SchemaCache {
    /// The schema of `text`; `None` for null.
    pub(crate) fn schema(&mut self, text: &[u8], replace_null: bool) -> Result<Option<Arc<Schema>>, Refused> {
        if let Some(known) = self.known.get(text) {
            return Ok(known.clone());
        }
        let schema = match Node::read(text) {
            Node::Null => None,
            node => Some(Arc::new(read_schema(&node, replace_null)?)),
        };
        if self.known.len() == CACHED_SCHEMAS {
            self.known.clear();
        }
        self.known.insert(text.into(), schema.clone());
        Ok(schema)
    }
}

fn read_schema(node: &Node<'_>, replace_null: bool) -> Result<Schema, Refused> {
    let Some(Node::Text(kind)) = node.get("type") else {
        return Err(refuse("Schema must contain 'type' field"));
    };
    let part = |name: &str, missing: &str, null: &str| match node.get(name) {
        None => Err(refuse(missing)),
        Some(Node::Null) => Err(refuse_schema(null)),
        Some(part) => read_schema(part, replace_null).map(Arc::new),
    };
    let kind = match &**kind {
        "boolean" => Kind::Boolean,
        "int8" => Kind::Int8,
        "int16" => Kind::Int16,
        "int32" => Kind::Int32,
        "int64" => Kind::Int64,
        "float" => Kind::Float32,
        "double" => Kind::Float64,
        "bytes" => Kind::Bytes,
        "string" => Kind::String,
        "array" => match node.get("items") {
            None | Some(Node::Null) => return Err(refuse("Array schema did not specify the element type")),
            Some(items) => Kind::Array(Arc::new(read_schema(items, replace_null)?)),
        },
        "map" => Kind::Map(
            part("keys", "Map schema did not specify the key type", "keySchema cannot be null.")?,
            part("values", "Map schema did not specify the value type", "valueSchema cannot be null.")?,
        ),
        "struct" => {
            let Some(Node::Array(fields)) = node.get("fields") else {
                return Err(refuse("Struct schema's \"fields\" argument is not an array."));
            };
            let mut known: Vec<Field> = Vec::with_capacity(fields.len());
            for field in fields {
                let Some(Node::Text(name)) = field.get("field") else {
                    return Err(refuse("Struct schema's field name not specified properly"));
                };
                let schema = Arc::new(read_schema(field, replace_null)?);
                if name.is_empty() {
                    return Err(refuse_schema("fieldName cannot be null."));
                }
                if known.iter().any(|field| *field.name == **name) {
                    return Err(refuse_schema(format!("Cannot create field because of field name duplication {name}")));
                }
                known.push(Field { name: Arc::from(&**name), schema });
            }
            Kind::Struct(known.into())
        }
        other => return Err(refuse(format!("Unknown schema type: {other}"))),
    };
    let mut schema = Schema::of(kind);
    schema.optional = matches!(node.get("optional"), Some(Node::Boolean(true)));
    if let Some(Node::Text(name)) = node.get("name") {
        schema.name = Some(Arc::from(&**name));
    }
    if let Some(Node::Number(version)) = node.get("version")
        && is_integral(version)
    {
        schema.version = Some(wrapping(version) as i32);
    }
    if let Some(Node::Text(doc)) = node.get("doc") {
        schema.doc = Some(Arc::from(&**doc));
    }
    if let Some(Node::Object(parameters)) = node.get("parameters") {
        for (name, value) in parameters {
            let Node::Text(value) = value else {
                return Err(refuse("Schema parameters must have string values."));
            };
            schema.parameters.push((Arc::from(&**name), Arc::from(&**value)));
        }
    }
    if let Some(default) = node.get("default") {
        let default = typed(&schema, default, replace_null)?;
        if lacks(&schema, &default) {
            return Err(refuse_schema("Invalid default value"));
        }
        schema.default = Some(default).filter(|default| !default.is_null());
    }
    Ok(schema)
}
