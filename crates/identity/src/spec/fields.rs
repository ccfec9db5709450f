//! The fields of an export, whatever it wraps them in.

use std::collections::BTreeMap;

use quick_xml::Reader as Xml;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};
use serde_json::{Map, Value};

/// Fields by their letters and digits: the name as it was written, and the value.
pub(super) type Fields = BTreeMap<String, (String, String)>;

/// An export's fields while they are being used up, and what there is to say of them.
pub(super) struct Form {
    pub(super) fields: Fields,
    pub(super) warnings: Vec<String>,
}

impl Form {
    /// The first of these fields that is filled in.
    pub(super) fn take(&mut self, keys: &[&str]) -> Option<String> {
        let mut found = None;
        for key in keys {
            if let Some((_, value)) = self.fields.remove(*key) {
                let value = value.trim().to_owned();
                found = found.or(Some(value).filter(|value| !value.is_empty()));
            }
        }
        found
    }

    /// The DNS name of a service's VPC endpoint: forms and exports differ in the words around the two.
    pub(super) fn take_dns_name(&mut self, service: &str) -> Option<String> {
        let is_it = |key: &&String| key.contains("dnsname") && (key.starts_with(service) || key.ends_with(service));
        let key = self.fields.keys().find(is_it)?.clone();
        self.take(&[&key])
    }

    /// Whether one of these boxes is ticked.
    pub(super) fn is_on(&mut self, keys: &[&str]) -> bool {
        self.take(keys).is_some_and(|value| ["true", "yes", "1", "on"].contains(&value.to_ascii_lowercase().as_str()))
    }

    /// Takes out what has no meaning here, and says so.
    pub(super) fn drop(&mut self, keys: &[&str], why: &str) {
        for key in keys {
            if let Some((written, value)) = self.fields.remove(*key)
                && !value.trim().is_empty()
            {
                self.warnings.push(format!("{written}: {why}"));
            }
        }
    }

    pub(super) fn warn(&mut self, text: impl Into<String>) {
        self.warnings.push(text.into());
    }
}

/// Reads an export's fields.
pub(super) fn read(text: &str) -> Result<Fields, String> {
    if text.trim_start().starts_with('<') { from_xml(text) } else { from_json(text) }
}

fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

fn from_json(text: &str) -> Result<Fields, String> {
    // The parser's words quote no value.
    let value: Value = serde_json::from_str(text).map_err(|error| format!("is no JSON: {error}"))?;
    let Some(object) = value.as_object().or_else(|| value.as_array()?.first()?.as_object()) else {
        return Err("is no object of fields".to_owned());
    };
    let mut fields = Fields::new();
    gather(object, &mut fields);
    Ok(fields)
}

/// Fields of all depths: exports wrap them (`connParams`, `fields`), each product and release in its own way.
fn gather(object: &Map<String, Value>, fields: &mut Fields) {
    // A list of { "name": .., "value": .. } is a list of fields too.
    let label = ["label", "name", "id"].iter().find_map(|key| object.get(*key)?.as_str());
    if let (Some(label), Some(value)) = (label, object.get("value"))
        && let Some(text) = scalar(value)
    {
        fields.insert(plain(label), (label.to_owned(), text));
        return;
    }
    for (key, value) in object {
        match value {
            Value::Object(inner) => gather(inner, fields),
            Value::Array(items) => items.iter().filter_map(Value::as_object).for_each(|inner| gather(inner, fields)),
            value => {
                if let Some(text) = scalar(value).filter(|_| !key.starts_with('@')) {
                    fields.insert(plain(key), (key.clone(), text));
                }
            }
        }
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A component's XML: `<field id=".." value=".."/>`, in whatever it is wrapped; or `<Field>value</Field>`.
fn from_xml(text: &str) -> Result<Fields, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("is no XML: {error}");
    let mut reader = Xml::from_str(text);
    let mut fields = Fields::new();
    let mut open: Option<String> = None;
    loop {
        match reader.read_event().map_err(|error| wrong(&error))? {
            Event::Start(start) => {
                put_attributes(&start, &mut fields).map_err(|error| wrong(&error))?;
                open = Some(start.local_name().as_ref().to_owned());
            }
            Event::Empty(start) => put_attributes(&start, &mut fields).map_err(|error| wrong(&error))?,
            Event::Text(content) => {
                let content = content.xml10_content().into_owned();
                if let Some(name) = open.as_ref().filter(|_| !content.trim().is_empty()) {
                    fields.entry(plain(name)).or_insert_with(|| (name.clone(), content));
                }
            }
            Event::End(_) => open = None,
            Event::Eof => return Ok(fields),
            _ => {}
        }
    }
}

fn put_attributes(start: &BytesStart<'_>, fields: &mut Fields) -> Result<(), quick_xml::Error> {
    let (mut label, mut value, mut component) = (None, None, None);
    for attribute in start.attributes() {
        let attribute = attribute?;
        let text = unescape(&attribute.value)?.into_owned();
        match attribute.key.local_name().as_ref() {
            "id" => label = label.or(Some(text)),
            "label" => label = Some(text),
            "value" => value = Some(text),
            "name" => component = Some(text),
            _ => {}
        }
    }
    if let (Some(label), Some(value)) = (label.or(component.clone()), value) {
        fields.insert(plain(&label), (label, value));
    } else if let Some(name) = component.filter(|_| start.local_name().as_ref() == "Component") {
        fields.insert("componentname".to_owned(), ("name".to_owned(), name));
    }
    Ok(())
}
