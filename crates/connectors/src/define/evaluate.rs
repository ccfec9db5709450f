use crate::config::Config;
use crate::define::{Complaint, KeyDef, Kind, Value, Values};
use crate::faults::{ConfigFault, Findings, HIDDEN};
use fault::suggest;

/// Reads and checks every key of the tables, as Kafka's `ConfigDef.validate`: all faults, not the first one. A value
/// that cannot be read is checked too, as null, so that a bad number may yield two faults, as it does there.
pub(crate) fn evaluate<'a>(
    tables: impl IntoIterator<Item = &'a KeyDef>,
    config: &Config,
    found: &mut Findings,
) -> Values {
    let mut values = Values::default();
    for def in tables {
        let text = config.get(def.name);
        let shown = text.map(|text| if def.kind == Kind::Password { HIDDEN.to_owned() } else { text.to_owned() });
        let mut complain = |text: String| {
            // What is recommended is upstream's list, which may hold what is not supported here yet.
            let mut allowed = def.check.allowed();
            if allowed.is_empty() {
                allowed.extend(def.recommended.iter().map(|&value| value.to_owned()));
            }
            let mut fault = ConfigFault::new(def.name, shown.clone(), text).allowed(allowed);
            let close = shown.as_deref().and_then(|value| suggest(value, def.recommended.iter().copied()));
            fault.hint = match close {
                Some(close) => Some(format!("did you mean {close}?")),
                None => (def.required && shown.is_none()).then(|| format!("set {}", def.name)),
            };
            found.fault(fault);
        };
        let value = match text.or(def.default).map(|text| Value::read(def.kind, text)) {
            Some(Ok(value)) => Some(value),
            Some(Err(why)) => {
                let shown = shown.as_deref().unwrap_or("null").to_owned();
                complain(Complaint::WhyShowing(shown, why).text(def.name, None));
                None
            }
            None if def.required => {
                complain(format!("Missing required configuration \"{}\" which has no default value.", def.name));
                None
            }
            None => None,
        };
        let refused = match def.check.run(value.as_ref()) {
            Ok(()) => false,
            Err(complaint) => {
                complain(complaint.text(def.name, value.as_ref()));
                true
            }
        };
        if let (Some(instead), Some(_)) = (def.replaced_by, text) {
            found.warn(def.name, format!("is deprecated; use {instead} instead"));
        }
        values.put(def.name, value.filter(|_| !refused), text.is_some());
    }
    values
}

/// Names the keys that nothing reads, with the key that was probably meant. They never fail a configuration: people
/// carry keys of other tools along. Whoever sends more of them than [`GUESSES`] mistyped nothing: the rest is named alone.
pub(crate) fn warn_unknown(config: &Config, is_known: impl Fn(&str) -> bool, known: &[&str], found: &mut Findings) {
    for (number, (key, _)) in config.iter().filter(|(key, _)| !is_known(key)).enumerate() {
        let close = (number < GUESSES).then(|| suggest(key, known.iter().copied())).flatten();
        let meant = close.map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
        found.warn(key, format!("nothing reads this key{meant}"));
    }
}

/// To guess takes a comparison with every key there is, and a request may bring tens of thousands of keys.
const GUESSES: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::define::Check;

    const TABLE: &[KeyDef] = &[
        KeyDef::new("n", Kind::Int, "").default("0").check(Check::Range(Some(0), None)),
        KeyDef::new("must", Kind::String, "").required(),
        KeyDef::new("one", Kind::String, "")
            .default("none")
            .check(Check::OneOf(&["none", "all"]))
            .recommended(&["none", "all"]),
        KeyDef::new("password", Kind::Password, "")
            .check(Check::Rule(|_| Err(Complaint::why("Password must be non-empty")))),
    ];

    #[test]
    fn every_fault_is_found_in_kafkas_words() {
        let config: Config = [("n", "many"), ("one", "al"), ("password", " ")].into_iter().collect();
        let mut found = Findings::default();
        let values = evaluate(TABLE, &config, &mut found);
        let texts: Vec<_> = found.faults.iter().map(|fault| fault.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "Invalid value many for configuration n: Not a number of type INT",
                "Invalid value null for configuration n: Value must be non-null",
                "Missing required configuration \"must\" which has no default value.",
                "Invalid value al for configuration one: String must be one of: none, all",
                "Invalid value [hidden] for configuration password: Password must be non-empty",
            ]
        );
        assert_eq!(found.faults[3].hint.as_deref(), Some("did you mean all?"));
        assert_eq!(found.faults[4].value.as_deref(), Some("[hidden]"));
        assert_eq!(values.number("n"), None);
        assert_eq!(values.text("one"), None, "what is refused has no value");
        assert!(values.is_set("n") && !values.is_set("must"));
    }

    #[test]
    fn tens_of_thousands_of_unknown_keys_are_named_and_the_first_ones_alone_guessed_at() {
        let config: Config = (10..60_010).map(|n| (format!("mus{n}"), "v".to_owned())).collect();
        let mut found = Findings::default();
        warn_unknown(&config, |_| false, &["must"], &mut found);
        assert_eq!(found.warnings.len(), 60_000);
        let guessed = found.warnings.iter().filter(|warning| warning.text.contains("did you mean")).count();
        assert!(guessed <= GUESSES, "{guessed} were guessed at");
    }

    #[test]
    fn unknown_keys_are_named_with_the_likely_one() {
        let config: Config = [("mustt", "1"), ("other", "1"), ("n", "1")].into_iter().collect();
        let mut found = Findings::default();
        warn_unknown(&config, |key| key == "n", &["n", "must"], &mut found);
        let texts: Vec<_> = found.warnings.iter().map(|warning| warning.text.as_str()).collect();
        assert_eq!(texts, ["nothing reads this key; did you mean must?", "nothing reads this key"]);
    }
}
