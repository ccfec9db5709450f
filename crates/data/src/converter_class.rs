use std::collections::BTreeMap;

use crate::{Charset, ConfigFault, ConverterKind, Role};

/// The Java classes, what they are, and whether they read keys and values too.
pub(crate) const CLASSES: [(&str, ConverterKind); 10] = [
    ("org.apache.kafka.connect.converters.ByteArrayConverter", ConverterKind::ByteArray),
    ("org.apache.kafka.connect.storage.StringConverter", ConverterKind::String(Charset::Utf8)),
    ("org.apache.kafka.connect.json.JsonConverter", ConverterKind::Json { replace_null: true }),
    ("org.apache.kafka.connect.converters.BooleanConverter", ConverterKind::Boolean),
    ("org.apache.kafka.connect.converters.ShortConverter", ConverterKind::Int16),
    ("org.apache.kafka.connect.converters.IntegerConverter", ConverterKind::Int32),
    ("org.apache.kafka.connect.converters.LongConverter", ConverterKind::Int64),
    ("org.apache.kafka.connect.converters.FloatConverter", ConverterKind::Float32),
    ("org.apache.kafka.connect.converters.DoubleConverter", ConverterKind::Float64),
    ("org.apache.kafka.connect.storage.SimpleHeaderConverter", ConverterKind::SimpleHeader),
];

/// Classes that configurations in the wild name and that a later version will read.
const LATER: [&str; 3] = [
    "io.confluent.connect.avro.AvroConverter",
    "io.confluent.connect.protobuf.ProtobufConverter",
    "io.confluent.connect.json.JsonSchemaConverter",
];

/// The converter that `name` stands for in `role`.
pub(crate) fn find(role: Role, name: &str) -> Option<ConverterKind> {
    let known = CLASSES.iter().find(|(class, _)| {
        let simple = class.rsplit('.').next().unwrap_or(class);
        let pruned = if role == Role::Header { simple.strip_suffix("HeaderConverter") } else { None };
        name == *class
            || name == simple
            || simple.strip_suffix("Converter") == Some(name)
            || pruned.is_some_and(|pruned| pruned == name)
    });
    known.map(|(_, kind)| *kind).filter(|kind| *kind != ConverterKind::SimpleHeader || role == Role::Header)
}

/// The properties of one converter, and what is wrong with them.
pub(crate) struct Properties<'a> {
    role: Role,
    config: &'a BTreeMap<String, String>,
    pub(crate) faults: Vec<ConfigFault>,
}

impl<'a> Properties<'a> {
    pub(crate) fn new(role: Role, config: &'a BTreeMap<String, String>) -> Self {
        Self { role, config, faults: Vec::new() }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.config.get(&format!("{}.{name}", self.role.config_key())).map(|value| value.trim())
    }

    fn fault(&mut self, name: &str, message: &str, allowed: &[&str]) {
        let fault = ConfigFault {
            key: format!("{}.{name}", self.role.config_key()),
            value: self.get(name).map(str::to_owned),
            message: message.to_owned(),
            allowed: allowed.iter().map(ToString::to_string).collect(),
        };
        self.faults.push(fault);
    }

    pub(crate) fn boolean(&mut self, name: &str, default: bool) -> bool {
        match self.get(name) {
            None => default,
            Some(value) if value.eq_ignore_ascii_case("true") => true,
            Some(value) if value.eq_ignore_ascii_case("false") => false,
            Some(_) => {
                self.fault(name, "Expected value to be either true or false", &["true", "false"]);
                default
            }
        }
    }

    pub(crate) fn charset(&mut self) -> Charset {
        const NAME: &str = "converter.encoding";
        match self.get(NAME).map(Charset::named) {
            None => Charset::Utf8,
            Some(Some(charset)) => charset,
            Some(None) => {
                self.fault(NAME, "Unsupported encoding", &Charset::NAMES);
                Charset::Utf8
            }
        }
    }

    /// A size of Java's cache means nothing here, but a wrong one is refused as it is there.
    pub(crate) fn check_cache_size(&mut self) {
        const NAME: &str = "schemas.cache.size";
        if self.get(NAME).is_some_and(|size| size.parse::<i32>().is_err()) {
            self.fault(NAME, "Not a number of type INT", &[]);
        }
    }

    /// How decimals would be written: of no concern to reading, which takes both forms.
    pub(crate) fn check_decimal_format(&mut self) {
        const NAME: &str = "decimal.format";
        let known = |format: &str| ["NUMERIC", "BASE64"].iter().any(|known| format.eq_ignore_ascii_case(known));
        if self.get(NAME).is_some_and(|format| !known(format)) {
            self.fault(NAME, "String must be one of (case insensitive): NUMERIC, BASE64", &["NUMERIC", "BASE64"]);
        }
    }

    pub(crate) fn unknown_class(&mut self, class: &str) {
        let message = if LATER.contains(&class) {
            format!("Class {class} is not supported yet")
        } else {
            format!("Class {class} could not be found.")
        };
        let allowed =
            CLASSES.iter().filter(|(_, kind)| *kind != ConverterKind::SimpleHeader || self.role == Role::Header);
        self.faults.push(ConfigFault {
            key: self.role.config_key().to_owned(),
            value: Some(class.to_owned()),
            message,
            allowed: allowed.map(|(class, _)| (*class).to_owned()).collect(),
        });
    }
}
