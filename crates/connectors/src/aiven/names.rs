use format::Codec;

use crate::config::Config;
use crate::define::Values;
use crate::faults::{ConfigFault, Findings};
use crate::naming::{
    FirstRecordName, Grouping, NameTemplate, NamingSpec, ObjectNaming, Template, TimestampSource, Zone,
};

/// The variables of `aws.s3.prefix`.
const PREFIX_VARIABLES: &[&str] = &["topic", "partition", "start_offset", "timestamp", "utc_date", "local_date"];

/// The key, and its old name; the new one counts if both are set.
const PREFIX_KEYS: [&str; 2] = ["aws.s3.prefix", "aws_s3_prefix"];

/// How objects are named and what is gathered in one. Upstream finds these faults when a task starts or even when the
/// first record comes; here all are found before.
pub(super) fn naming(
    values: &Values,
    config: &Config,
    codec: Codec,
    local_zone: &Zone,
    found: &mut Findings,
) -> Option<ObjectNaming> {
    // The ending is that of file.compression.type alone: what is gzip by default, or by output_compression, is called
    // as if it were not compressed. Upstream's slip since 3.2, kept: names must not change when a connector moves here.
    let named = values.text("file.compression.type").and_then(|name| name.parse::<Codec>().ok());
    let prefix_key = PREFIX_KEYS.into_iter().find(|key| config.has(key));
    if !config.has("file.name.template") && prefix_key.is_none() && named.is_none() && codec != Codec::None {
        found.warn(
            "file.compression.type",
            format!("not set: objects are {codec}, but their default name does not end in {}", codec.extension()),
        );
    }
    let default =
        || format!("{{{{topic}}}}-{{{{partition}}}}-{{{{start_offset}}}}{}", named.unwrap_or(Codec::None).extension());
    let key = "file.name.template";
    let source = values.text(key).map_or_else(default, |text| with_small_years(key, text, found));
    let template = parse(key, &source, found)?;
    let grouping = match Grouping::of(&template) {
        Ok(grouping) => grouping,
        Err(error) => {
            found.fault(ConfigFault::new(key, Some(source), error.to_string()).allowed([
                "topic, partition, start_offset (and timestamp)",
                "topic, partition, key, start_offset (and timestamp)",
                "key",
                "key with topic, partition or both",
            ]));
            return None;
        }
    };
    let name = bind(key, &source, &template, grouping.variables(), found)?;
    let first_record_name = prefix(values, codec, local_zone, found);
    let max_records = values.number("file.max.records").and_then(|max| u32::try_from(max).ok()).filter(|max| *max > 0);
    if grouping.keeps_last_only() {
        if max_records.is_some_and(|max| max > 1) {
            let text = format!("When file.name.template is {source}, file.max.records must be either 1 or not set");
            found.fault(ConfigFault::new("file.max.records", config.get("file.max.records").map(str::to_owned), text));
        }
        if let Some(prefix) = prefix_key {
            let text = format!(
                "{prefix} names objects by the offset of their record, while file.name.template {source} keeps only the last record of each key: what is left would look like a whole log"
            );
            found.fault(
                ConfigFault::new(prefix, config.get(prefix).map(str::to_owned), text)
                    .hint(format!("remove {prefix}, or write the prefix into file.name.template")),
            );
        }
    }
    if name.is_ambiguous() && prefix_key.is_none() {
        found.warn(key, format!("{source}: a number touches another variable or a digit, so that two objects can get one name; put a separator between them, or padding=true"));
    }
    let spec = NamingSpec {
        grouping,
        name,
        source: source_of(values, "file.name.timestamp.source"),
        zone: zone_of(values, "file.name.timestamp.timezone"),
        max_records: max_records.filter(|_| !grouping.keeps_last_only()),
        first_record_name,
    };
    let naming = ObjectNaming::new(spec);
    if let Err(why) = naming.check() {
        let key = prefix_key.unwrap_or(key);
        let value = config.get(key).map(str::to_owned);
        let fault = ConfigFault::new(key, value, format!("every record would fail: {why}"));
        found.fault(fault.hint(format!("shorten {key}, and remove control characters")));
    }
    Some(naming)
}

/// What `aws.s3.prefix` asks for. `None` if it is not set, or faulty.
fn prefix(values: &Values, codec: Codec, local_zone: &Zone, found: &mut Findings) -> Option<FirstRecordName> {
    let key = PREFIX_KEYS.into_iter().find(|key| values.text(key).is_some())?;
    if key == "aws.s3.prefix" {
        found.warn(key, "is deprecated: write the prefix into file.name.template");
    }
    let source = with_small_years(key, values.text(key)?, found);
    let template = parse(key, &source, found)?;
    bind(key, &source, &template, PREFIX_VARIABLES, found)?;
    let name =
        format!("{source}{{{{topic}}}}-{{{{partition}}}}-{{{{start_offset:padding=true}}}}{}", codec.extension());
    // A prefix does not pad the partition, whatever it says.
    let template = parse(key, &name, found)?.without_parameter("partition");
    Some(FirstRecordName {
        name: bind(key, &name, &template, PREFIX_VARIABLES, &mut Findings::default())?,
        source: source_of(values, "timestamp.source"),
        zone: zone_of(values, "timestamp.timezone"),
        local_zone: local_zone.clone(),
    })
}

fn parse(key: &str, source: &str, found: &mut Findings) -> Option<Template> {
    match Template::parse(source) {
        Ok(template) => Some(template),
        Err(error) => {
            found.fault(ConfigFault::new(key, Some(source.to_owned()), error.to_string()));
            None
        }
    }
}

fn bind(key: &str, source: &str, template: &Template, bound: &[&str], found: &mut Findings) -> Option<NameTemplate> {
    for variable in template.variables().filter(|variable| bound.contains(&variable.name.as_str())) {
        let expected = match variable.name.as_str() {
            "partition" | "start_offset" => Some("padding"),
            "timestamp" => Some("unit"),
            _ => None,
        };
        match (&variable.parameter, expected) {
            (Some((name, _)), Some(expected)) if name != expected => {
                found
                    .warn(key, format!("{} is taken for {expected}: only the parameter's value counts", variable.text));
            }
            (Some(_), None) => found.warn(key, format!("{}: {} has no parameter", variable.text, variable.name)),
            _ => {}
        }
    }
    match NameTemplate::bind(template, bound) {
        Ok(name) => {
            for text in name.unbound() {
                found.warn(key, format!("{text} is no variable here and stays in the names as it is"));
            }
            Some(name)
        }
        Err(error) => {
            let text = format!("Invalid value {source} for configuration {key}: {error}");
            let allowed = ["yyyy", "MM", "dd", "HH"].map(|unit| format!("{{{{timestamp:unit={unit}}}}}"));
            found.fault(ConfigFault::new(key, Some(source.to_owned()), text).allowed(allowed));
            None
        }
    }
}

fn source_of(values: &Values, key: &str) -> TimestampSource {
    values.text(key).and_then(TimestampSource::of).unwrap_or_default()
}

fn zone_of(values: &Values, key: &str) -> Zone {
    values.text(key).and_then(|id| Zone::parse(id).ok()).unwrap_or_else(Zone::utc)
}

/// Upstream reads `{{timestamp:unit=YYYY}}` as `yyyy`, with blanks wherever one likes, though with some of them it is no
/// variable afterwards. It does not do so for `aws_s3_prefix`, which then fails for ever; here it is mended too.
fn with_small_years(key: &str, template: &str, found: &mut Findings) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find("{{") {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        match from.find("}}") {
            Some(end) if is_large_year(&from[2..end]) => {
                out.push_str(&from[..end].replace("YYYY", "yyyy"));
                out.push_str("}}");
                rest = &from[end + 2..];
                found.warn(key, "{{timestamp:unit=YYYY}} is taken for {{timestamp:unit=yyyy}}");
            }
            _ => {
                out.push('{');
                rest = &from[1..];
            }
        }
    }
    out + rest
}

fn is_large_year(inner: &str) -> bool {
    let Some((name, parameter)) = inner.split_once(':') else { return false };
    let Some((unit, value)) = parameter.split_once('=') else { return false };
    name.trim() == "timestamp" && unit.trim() == "unit" && value.trim() == "YYYY"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_years_become_small_ones_wherever_blanks_stand() {
        let mut found = Findings::default();
        let mut mend = |text: &str| with_small_years("k", text, &mut found);
        assert_eq!(
            mend("a{{timestamp:unit=YYYY}}/{{timestamp:unit=MM}}"),
            "a{{timestamp:unit=yyyy}}/{{timestamp:unit=MM}}"
        );
        assert_eq!(mend("{{ timestamp : unit = YYYY }}"), "{{ timestamp : unit = yyyy }}");
        assert_eq!(mend("{{{timestamp:unit=YYYY}}"), "{{{timestamp:unit=yyyy}}");
        assert_eq!(mend("YYYY {{topic}} {{timestamp:unit=YYY}} {{"), "YYYY {{topic}} {{timestamp:unit=YYY}} {{");
        assert_eq!(found.warnings.len(), 1);
    }
}
