use crate::examination::{Examination, Watch};
use crate::{Check, InputFault};
use identity::Base;
use world::Environment;

/// What is written down: by the readers of connections and connectors, which find every fault at once.
pub(crate) fn run(x: &mut Examination<'_>) {
    if !x.wants(Check::INPUT) {
        return;
    }
    let watch = Watch::start();
    let target = x.target;
    let told = |faults: &[InputFault]| faults.iter().map(InputFault::to_string).collect::<Vec<_>>().join("; ");
    let variables = x.target.connection.as_ref().map(|connection| variables(&connection.base, &x.around.environment));
    let variables = variables.unwrap_or_default();
    let failed = |faults: &[InputFault]| {
        let hints = faults.iter().filter_map(|fault| Some(format!("{}: {}", fault.key, fault.hint.as_deref()?)));
        watch.failed(Check::INPUT, told(faults)).hints(hints)
    };
    let result = if !variables.is_empty() {
        failed(&[target.faults.clone(), variables.clone()].concat())
    } else if target.faults.is_empty() {
        // What works, but probably not as meant: told here, and made a warning only by a cause that is known.
        let noted =
            if target.warnings.is_empty() { String::new() } else { format!("; noted: {}", told(&target.warnings)) };
        watch.passed(Check::INPUT, format!("{} {} can be read{noted}", target.kind.name(), target.name))
    } else {
        failed(&target.faults)
    };
    x.facts.environment_faults = variables;
    x.put(result);
}

/// What AWS would refuse of the variables that keys are taken from, with words that do not say why.
fn variables(base: &Base, environment: &Environment) -> Vec<InputFault> {
    if !matches!(base, Base::Environment | Base::DefaultChain) {
        return Vec::new();
    }
    let fault = |key: &str, text: &str, hint: &str| InputFault {
        key: key.to_owned(),
        value: None,
        text: text.to_owned(),
        hint: Some(hint.to_owned()),
    };
    let names = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
    let [id, secret, token] = names.map(|name| environment.get(name).filter(|value| !value.is_empty()));
    let (Some(id), Some(_)) = (&id, &secret) else { return Vec::new() };
    let mut faults = Vec::new();
    for (name, value) in names.iter().zip([Some(id), secret.as_ref(), token.as_ref()]) {
        if value.is_some_and(|value| value.contains(char::is_whitespace)) {
            faults.push(fault(name, "must not hold blanks or line breaks", "write it without"));
        }
    }
    if id.starts_with("ASIA") && token.is_none() {
        let text = "is missing: an access key that begins with ASIA is a session's";
        faults.push(fault("AWS_SESSION_TOKEN", text, "set the token that came with the key"));
    }
    faults
}

impl std::fmt::Display for InputFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.key.as_str() {
            "" => f.write_str(&self.text),
            key => write!(f, "{key}: {}", self.text),
        }
    }
}
