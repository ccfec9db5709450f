//! Which class reads keys, values and headers, and whose settings it has.

use data::{Converter, Role};
use format::text::Converters;

use crate::config::Config;
use crate::faults::{ConfigFault, Findings};
use fault::suggest;

/// The converters for keys and values.
pub(crate) const CONVERTERS: &[&str] = &[
    "org.apache.kafka.connect.converters.BooleanConverter",
    "org.apache.kafka.connect.converters.ByteArrayConverter",
    "org.apache.kafka.connect.converters.DoubleConverter",
    "org.apache.kafka.connect.converters.FloatConverter",
    "org.apache.kafka.connect.converters.IntegerConverter",
    "org.apache.kafka.connect.converters.LongConverter",
    "org.apache.kafka.connect.converters.ShortConverter",
    "org.apache.kafka.connect.json.JsonConverter",
    "org.apache.kafka.connect.storage.StringConverter",
];

/// The converters for headers.
pub(crate) const HEADER_CONVERTERS: &[&str] = &[
    "org.apache.kafka.connect.converters.BooleanConverter",
    "org.apache.kafka.connect.converters.ByteArrayConverter",
    "org.apache.kafka.connect.converters.DoubleConverter",
    "org.apache.kafka.connect.converters.FloatConverter",
    "org.apache.kafka.connect.converters.IntegerConverter",
    "org.apache.kafka.connect.converters.LongConverter",
    "org.apache.kafka.connect.converters.ShortConverter",
    "org.apache.kafka.connect.json.JsonConverter",
    "org.apache.kafka.connect.storage.SimpleHeaderConverter",
    "org.apache.kafka.connect.storage.StringConverter",
];

/// The converters of a connector. Connect's rule: one that names a class has only its own settings; one that names none
/// has the worker's class with the worker's settings.
pub(crate) fn converters(config: &Config, worker: &Config, found: &mut Findings) -> Option<Converters> {
    let mut converter = |role| converter(role, config, worker, found);
    let (key, value, header) = (converter(Role::Key), converter(Role::Value), converter(Role::Header));
    Some(Converters { key: key?, value: value?, header: header? })
}

fn converter(role: Role, config: &Config, worker: &Config, found: &mut Findings) -> Option<Converter> {
    let key = role.config_key();
    let default = (role == Role::Header).then_some("org.apache.kafka.connect.storage.SimpleHeaderConverter");
    let (text, settings) = match (config.get(key), worker.get(key).or(default)) {
        (Some(text), _) => (text, config),
        (None, Some(text)) => {
            for (name, _) in config.with_prefix(&format!("{key}.")).filter(|(name, _)| *name != "plugin.version") {
                found.warn(format!("{key}.{name}"), format!("has no effect: without {key} beside it, the worker's converter is used with the worker's settings"));
            }
            (text, worker)
        }
        (None, None) => {
            let text = format!("Missing required configuration \"{key}\" which has no default value.");
            let hint = format!("set {key} in the connector or in the worker's properties");
            found.fault(ConfigFault::new(key, None, text).allowed(CONVERTERS.iter().copied()).hint(hint));
            return None;
        }
    };
    let faults = match Converter::new(role, text, settings.as_map()) {
        Ok(converter) => return Some(converter),
        Err(faults) => faults,
    };
    for fault in faults {
        let shown = fault.value.clone().unwrap_or_else(|| "null".to_owned());
        // Connect checks a converter's settings without their prefix, and so prints their names.
        let name = fault.key.strip_prefix(&format!("{key}.")).unwrap_or(&fault.key);
        let why = format!("Invalid value {shown} for configuration {name}: {}", fault.message);
        let close = suggest(&shown, fault.allowed.iter().map(String::as_str));
        let hint = close.map(|close| format!("did you mean {close}?"));
        let mut fault = ConfigFault::new(fault.key, fault.value, why).allowed(fault.allowed);
        fault.hint = hint;
        found.fault(fault);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";

    fn with(config: &[(&str, &str)], worker: &[(&str, &str)]) -> (Option<Converters>, Findings) {
        let mut found = Findings::default();
        let headers = [("header.converter", "ByteArrayConverter")];
        let worker: Config = worker.iter().copied().chain(headers).collect();
        let converters = converters(&config.iter().copied().collect(), &worker, &mut found);
        (converters, found)
    }

    #[test]
    fn classes_are_found_by_full_simple_and_short_name() {
        for name in [STRING, "StringConverter", "String", " StringConverter "] {
            let (converters, _) = with(&[("key.converter", name), ("value.converter", "ByteArray")], &[]);
            let converters = converters.unwrap();
            assert_eq!(converters.key.class(), STRING);
            assert_eq!(converters.value.class(), "org.apache.kafka.connect.converters.ByteArrayConverter");
        }
    }

    #[test]
    fn a_connector_that_names_no_class_has_the_workers_with_the_workers_settings() {
        let worker = [
            ("key.converter", STRING),
            ("value.converter", "JsonConverter"),
            ("value.converter.schemas.enable", "false"),
        ];
        let (converters, found) = with(&[("value.converter.schemas.enable", "true")], &worker);
        assert_eq!(converters.unwrap().value.class(), "org.apache.kafka.connect.json.JsonConverter");
        assert_eq!(found.warnings[0].key, "value.converter.schemas.enable");
        assert!(found.warnings[0].text.starts_with("has no effect"));
    }

    #[test]
    fn a_missing_converter_is_refused_and_not_guessed() {
        let (_, found) = with(&[("key.converter", STRING)], &[]);
        let texts: Vec<_> = found.faults.iter().map(|fault| fault.text.as_str()).collect();
        assert_eq!(texts, ["Missing required configuration \"value.converter\" which has no default value."]);
    }

    #[test]
    fn unknown_and_unsupported_classes_are_told_apart() {
        let avro = "io.confluent.connect.avro.AvroConverter";
        let (_, found) = with(&[("key.converter", "StringConvertor"), ("value.converter", avro)], &[]);
        assert_eq!(
            found.faults[0].text,
            "Invalid value StringConvertor for configuration key.converter: Class StringConvertor could not be found."
        );
        assert!(found.faults[1].text.contains("is not supported"), "{}", found.faults[1].text);
    }

    #[test]
    fn settings_of_converters_are_refused_by_their_full_key() {
        let json = [("key.converter", STRING), ("value.converter", "Json"), ("value.converter.schemas.enable", "no")];
        let (_, found) = with(&json, &[]);
        assert_eq!(found.faults[0].key, "value.converter.schemas.enable");
        assert_eq!(
            found.faults[0].text,
            "Invalid value no for configuration schemas.enable: Expected value to be either true or false"
        );
    }

    #[test]
    fn the_classes_to_choose_from_are_those_there_are() {
        let make = |role, class: &str| Converter::new(role, class, &std::collections::BTreeMap::new());
        for class in CONVERTERS {
            assert_eq!(make(Role::Value, class).unwrap().class(), *class);
        }
        for class in HEADER_CONVERTERS {
            assert_eq!(make(Role::Header, class).unwrap().class(), *class);
        }
        assert_eq!(make(Role::Header, "").unwrap_err()[0].allowed.len(), HEADER_CONVERTERS.len());
        assert_eq!(make(Role::Key, "").unwrap_err()[0].allowed.len(), CONVERTERS.len());
    }
}
