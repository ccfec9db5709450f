use std::fmt::Write as _;

use fault::printable;
use serde_json::Value;

use crate::args::Exit;

/// Why a command did not do what it was asked, and how it ends.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) text: String,
    /// The server's code, if it was the server that refused.
    pub(crate) code: Option<String>,
    /// What is wrong with which key, if the server has said so.
    pub(crate) faults: Vec<Value>,
}

impl Failure {
    fn new(exit: Exit, text: String) -> Self {
        Self { exit, text, code: None, faults: Vec::new() }
    }

    /// The command line makes no sense.
    pub(crate) fn usage(text: String) -> Self {
        Self::new(Exit::Usage, text)
    }

    /// A configuration is refused.
    pub(crate) fn refused(text: String) -> Self {
        Self::new(Exit::Refused, text)
    }

    /// It was tried, and did not work.
    pub(crate) fn failed(text: String) -> Self {
        Self::new(Exit::Failed, text)
    }

    /// It did not come about in the time given.
    pub(crate) fn no_progress(text: String) -> Self {
        Self::new(Exit::NoProgress, text)
    }

    /// What a server said. `url` is its own.
    pub(crate) fn of_answer(status: u16, body: &Value, url: &str) -> Self {
        let code = body["code"].as_str().map(ToOwned::to_owned);
        let exit = match status {
            // Who asks may not, or is not known: nothing is wrong with what was asked.
            401 | 403 => Exit::Failed,
            429 | 503 | 504 => Exit::NoProgress,
            400..=499 => Exit::Refused,
            _ => Exit::Failed,
        };
        let faults = body["faults"].as_array().cloned().unwrap_or_default();
        Self { exit, text: text(status, body, url), code, faults }
    }

    /// Whether the server knows of no such thing.
    pub(crate) fn is_not_found(&self) -> bool {
        self.code.as_deref() == Some("control.not-found")
    }
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self::failed(text)
    }
}

/// A problem (RFC 9457) as people read it: what happened, each fault, what to do, where to read more. Other servers'
/// errors (`message` of Kafka Connect, `detail` of Confluent) are understood, too.
fn text(status: u16, body: &Value, url: &str) -> String {
    let detail = ["detail", "message"].into_iter().find_map(|key| body[key].as_str());
    let faults = body["faults"].as_array().map_or(&[][..], Vec::as_slice);
    let mut out = match (detail, body["title"].as_str()) {
        // All of them are told below, a line each.
        (_, Some(title)) if !faults.is_empty() => printable(title).into_owned(),
        (Some(detail), _) => printable(detail).into_owned(),
        (None, _) => format!("{url} answered {status}"),
    };
    let mut line = |what: &str, text: &str| {
        write!(out, "\n  {what}: {}", printable(text)).expect("writing to a String does not fail");
    };
    let mut told = Vec::new();
    for fault in faults {
        let text = |key: &str| fault[key].as_str();
        let mut said = text("text").unwrap_or_default().to_owned();
        let allowed: Vec<_> = fault["allowed"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if !allowed.is_empty() && allowed.len() <= 12 && !allowed.iter().all(|one| said.contains(one)) {
            write!(said, " (allowed: {})", allowed.join(", ")).expect("writing to a String does not fail");
        }
        let key = text("key").filter(|key| !key.is_empty()).unwrap_or("request");
        line(key, &said);
        if let Some(hint) = text("hint") {
            told.push(hint);
            line("hint", hint);
        }
    }
    if let Some(hint) = body["hint"].as_str().filter(|hint| !told.contains(hint)) {
        line("hint", hint);
    }
    if status >= 500
        && let Some(id) = body["request_id"].as_str()
    {
        line("request", id);
    }
    out
}

/// The words of an explanation of a connector, as `run` shows it.
pub(crate) fn told(explanation: &Value) -> String {
    let text = |key: &str| explanation[key].as_str().map(printable);
    let mut out = format!("[{}] {}", text("code").unwrap_or_default(), text("text").unwrap_or_default());
    if let Some(hint) = text("hint") {
        write!(out, "\n  hint: {hint}").expect("writing to a String does not fail");
    }
    for cause in explanation["causes"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        write!(out, "\n  cause: {}", printable(cause)).expect("writing to a String does not fail");
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_problem_is_told_with_every_fault_and_what_to_do() {
        let body = json!({
            "title": "The configuration is refused", "detail": "long", "code": "config.refused", "hint": "see hint",
            "faults": [
                { "key": "tasks.max", "text": "must be at least 1", "allowed": [], "hint": null },
                { "key": "file.compression.type", "text": "is unknown", "allowed": ["gzip", "none"], "hint": "see hint" },
            ],
        });
        let failure = Failure::of_answer(422, &body, "http://x");
        assert_eq!(failure.exit, Exit::Refused);
        assert_eq!(
            failure.text,
            "The configuration is refused\n  tasks.max: must be at least 1\n  \
             file.compression.type: is unknown (allowed: gzip, none)\n  hint: see hint"
        );
    }

    #[test]
    fn what_a_server_says_steers_no_terminal() {
        let failure = Failure::of_answer(500, &json!({ "message": "a\u{1b}[2J" }), "http://x");
        assert_eq!((failure.exit, failure.text.as_str()), (Exit::Failed, "a\\u{1b}[2J"));
        assert_eq!(Failure::of_answer(502, &Value::Null, "http://x").text, "http://x answered 502");
    }
}
