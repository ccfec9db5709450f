//! What goes in and out, as data: one description from which requests are checked and the OpenAPI document is made.

use fault::suggest;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::trouble::{Flaw, MOST_FLAWS};

/// What a value is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// A text of so many characters.
    Text { least: usize, most: usize },
    /// The same, which is never shown again.
    Secret { least: usize, most: usize },
    /// One of these.
    Choice(&'static [&'static str]),
    /// A whole number.
    Whole { least: i64, most: i64 },
    /// Any number.
    Number,
    /// Yes or no.
    Flag,
    /// RFC 3339.
    Time,
    /// A configuration: texts by key; numbers, `true` and `false` are taken for their text, as Kafka Connect does.
    Config,
    /// The same; null takes the key out.
    Patch,
    /// An object that somebody else knows.
    Open,
    /// Anything, null too.
    Any,
    /// An object.
    Object(&'static Shape),
    /// A list.
    List(&'static Kind),
    /// A page of a list.
    Page(&'static Shape),
    /// A text that is not JSON.
    Plain(&'static str),
    /// No body.
    Nothing,
}

/// An object.
#[derive(Debug)]
pub(super) struct Shape {
    /// Its name among the document's schemas.
    pub(super) name: &'static str,
    /// What it is.
    pub(super) doc: &'static str,
    /// Its members.
    pub(super) members: &'static [Member],
}

/// Whether a member is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Always, and never null.
    Must,
    /// It may be null or be left out.
    May,
    /// Always, and it may be null (answers).
    Null,
}

/// A member of an object.
#[derive(Debug)]
pub(super) struct Member {
    /// Its name.
    pub(super) name: &'static str,
    /// What it is.
    pub(super) kind: Kind,
    /// Whether it is there.
    pub(super) need: Need,
    /// What it means.
    pub(super) doc: &'static str,
}

/// A parameter in the query.
#[derive(Debug, Clone, Copy)]
pub(super) struct Param {
    /// Its name.
    pub(super) name: &'static str,
    /// What it is.
    pub(super) kind: Kind,
    /// What it means.
    pub(super) doc: &'static str,
}

pub(super) const fn must(name: &'static str, kind: Kind, doc: &'static str) -> Member {
    Member { name, kind, need: Need::Must, doc }
}

pub(super) const fn may(name: &'static str, kind: Kind, doc: &'static str) -> Member {
    Member { name, kind, need: Need::May, doc }
}

pub(super) const fn null(name: &'static str, kind: Kind, doc: &'static str) -> Member {
    Member { name, kind, need: Need::Null, doc }
}

/// A text of any length.
pub(super) const TEXT: Kind = Kind::Text { least: 0, most: usize::MAX };
/// A whole number from 0 on.
pub(super) const COUNT: Kind = Kind::Whole { least: 0, most: i64::MAX };

impl Kind {
    /// What is wrong with `value`, which stands at `key`.
    pub(super) fn check(&self, key: &str, value: &Value, flaws: &mut Vec<Flaw>) {
        let mut wrong = |text: String| flaws.push(Flaw::new(key, shown(value), text));
        match self {
            Self::Text { least, most } | Self::Secret { least, most } => {
                let is_secret = matches!(self, Self::Secret { .. });
                let Some(text) = value.as_str() else {
                    let shown = if is_secret { None } else { shown(value) };
                    return flaws.push(Flaw::new(key, shown, format!("must be a text, not {}", name_of(value))));
                };
                let length = text.chars().count();
                if !(*least..=*most).contains(&length) {
                    let text = match *most {
                        usize::MAX => format!("must have at least {least} characters, not {length}"),
                        most => format!("must have {least} to {most} characters, not {length}"),
                    };
                    flaws.push(Flaw::new(key, if is_secret { None } else { shown(value) }, text));
                }
            }
            Self::Choice(choices) => {
                if !value.as_str().is_some_and(|text| choices.contains(&text)) {
                    let near = value.as_str().and_then(|text| suggest(text, choices.iter().copied()));
                    let mut flaw = Flaw::new(key, shown(value), format!("must be one of {}", choices.join(", ")));
                    flaw.allowed = choices.iter().map(|&choice| choice.to_owned()).collect();
                    flaw.hint = near.map(|near| format!("did you mean {near}?"));
                    flaws.push(flaw);
                }
            }
            Self::Whole { least, most } => {
                if !value.as_i64().is_some_and(|number| (*least..=*most).contains(&number)) {
                    wrong(match *most {
                        i64::MAX => format!("must be a whole number from {least} on"),
                        most => format!("must be a whole number from {least} to {most}"),
                    });
                }
            }
            Self::Number if !value.is_number() => wrong("must be a number".to_owned()),
            Self::Flag if !value.is_boolean() => wrong("must be true or false".to_owned()),
            Self::Time if value.as_str().is_none_or(|text| text.parse::<Timestamp>().is_err()) => {
                wrong("must be a time as in 2026-11-23T14:00:00Z".to_owned());
            }
            Self::Config | Self::Patch => match value.as_object() {
                None => flaws.push(Flaw::new(key, None, "must be an object of keys and values".to_owned())),
                Some(object) => {
                    for (name, value) in object {
                        let fits = value.is_string() || value.is_number() || value.is_boolean();
                        if !(fits || value.is_null() && matches!(self, Self::Patch)) {
                            // Not the value: it may be a secret.
                            let text = format!("must be a text, not {}", name_of(value));
                            flaws.push(Flaw::new(&under(key, name), None, text));
                        }
                    }
                }
            },
            Self::Open if !value.is_object() => wrong(format!("must be an object, not {}", name_of(value))),
            Self::Object(shape) => shape.check(key, value, flaws),
            Self::List(kind) => match value.as_array() {
                None => wrong(format!("must be a list, not {}", name_of(value))),
                Some(list) => {
                    for (at, value) in list.iter().enumerate() {
                        kind.check(&format!("{key}[{at}]"), value, flaws);
                    }
                }
            },
            Self::Number
            | Self::Flag
            | Self::Time
            | Self::Open
            | Self::Any
            | Self::Page(_)
            | Self::Plain(_)
            | Self::Nothing => {}
        }
    }

    /// The text of a parameter as a value of this kind.
    pub(super) fn read(&self, text: &str) -> Value {
        match self {
            Self::Whole { .. } | Self::Number | Self::Flag => {
                serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
            }
            _ => Value::String(text.to_owned()),
        }
    }

    /// As JSON Schema (2020-12, of OpenAPI 3.1).
    pub(super) fn schema(&self) -> Value {
        match self {
            Self::Text { least, most } => text_schema(*least, *most, None),
            Self::Secret { least, most } => text_schema(*least, *most, Some("password")),
            Self::Choice(choices) => json!({ "type": "string", "enum": choices }),
            Self::Whole { least, most: i64::MAX } => json!({ "type": "integer", "format": "int64", "minimum": least }),
            Self::Whole { least, most } => json!({ "type": "integer", "minimum": least, "maximum": most }),
            Self::Number => json!({ "type": "number" }),
            Self::Flag => json!({ "type": "boolean" }),
            Self::Time => json!({ "type": "string", "format": "date-time" }),
            Self::Config => {
                json!({ "type": "object", "additionalProperties": { "type": ["string", "number", "boolean"] } })
            }
            Self::Patch => {
                json!({ "type": "object", "additionalProperties": { "type": ["string", "number", "boolean", "null"] } })
            }
            Self::Open => json!({ "type": "object", "additionalProperties": true }),
            Self::Any | Self::Nothing => json!({}),
            Self::Plain(_) => json!({ "type": "string" }),
            Self::Object(shape) => json!({ "$ref": format!("#/components/schemas/{}", shape.name) }),
            Self::List(kind) => json!({ "type": "array", "items": kind.schema() }),
            Self::Page(shape) => json!({
                "type": "object",
                "required": ["items", "next"],
                "properties": {
                    "items": { "type": "array", "items": Self::Object(shape).schema() },
                    "next": {
                        "type": ["string", "null"],
                        "description": "The cursor of the next page; null on the last one."
                    }
                }
            }),
        }
    }

    /// All objects that are named in it.
    pub(super) fn shapes(&self, found: &mut Vec<&'static Shape>) {
        match self {
            Self::Object(shape) | Self::Page(shape) if !found.iter().any(|known| known.name == shape.name) => {
                found.push(shape);
                for member in shape.members {
                    member.kind.shapes(found);
                }
            }
            Self::List(kind) => kind.shapes(found),
            _ => {}
        }
    }
}

fn text_schema(least: usize, most: usize, format: Option<&str>) -> Value {
    let mut schema = json!({ "type": "string" });
    if least > 0 {
        schema["minLength"] = json!(least);
    }
    if most < usize::MAX {
        schema["maxLength"] = json!(most);
    }
    if let Some(format) = format {
        schema["format"] = json!(format);
    }
    schema
}

impl Shape {
    fn check(&self, key: &str, value: &Value, flaws: &mut Vec<Flaw>) {
        let Some(object) = value.as_object() else {
            let text = format!("must be an object, not {}", name_of(value));
            return flaws.push(Flaw::new(key, shown(value), text));
        };
        let known = || self.members.iter().map(|member| member.name);
        for name in object.keys().filter(|name| !known().any(|known| known == *name)).take(MOST_FLAWS) {
            // Not the value: it may be a secret under a mistyped name.
            let mut flaw = Flaw::new(&under(key, name), None, "is not known here".to_owned());
            flaw.allowed = known().map(ToOwned::to_owned).collect();
            flaw.hint = suggest(name, known()).map(|near| format!("did you mean {near}?"));
            flaws.push(flaw);
        }
        for Member { name, kind, need, .. } in self.members {
            let at = under(key, name);
            match (object.get(*name), need) {
                (None | Some(Value::Null), Need::Must) => flaws.push(Flaw::new(&at, None, "is missing".to_owned())),
                (None | Some(Value::Null), Need::May | Need::Null) => {}
                (Some(value), _) => kind.check(&at, value, flaws),
            }
        }
    }

    /// As JSON Schema. `closed`: members that are not described are refused.
    pub(super) fn schema(&self, closed: bool) -> Value {
        let mut properties = Map::new();
        for Member { name, kind, need, doc } in self.members {
            let mut schema = kind.schema();
            if *need != Need::Must {
                schema = nullable(schema);
            }
            if !doc.is_empty() {
                schema["description"] = json!(doc);
            }
            properties.insert((*name).to_owned(), schema);
        }
        let required: Vec<_> =
            self.members.iter().filter(|member| member.need != Need::May).map(|member| member.name).collect();
        let mut schema = json!({ "type": "object", "description": self.doc, "properties": properties });
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        if closed {
            schema["additionalProperties"] = json!(false);
        }
        schema
    }
}

fn nullable(mut schema: Value) -> Value {
    if let Some(kind) = schema.get("type").and_then(Value::as_str).map(ToOwned::to_owned) {
        schema["type"] = json!([kind, "null"]);
        if let Some(choices) = schema.get_mut("enum").and_then(Value::as_array_mut) {
            choices.push(Value::Null);
        }
        schema
    } else if schema.get("$ref").is_some() {
        json!({ "anyOf": [schema, { "type": "null" }] })
    } else {
        schema
    }
}

fn under(key: &str, name: &str) -> String {
    if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") }
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// A value as a person is shown it: cut off.
fn shown(value: &Value) -> Option<String> {
    let text = match value {
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    };
    Some(text.chars().take(120).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    static HOP: Shape = Shape { name: "Hop", doc: "", members: &[must("arn", TEXT, "")] };
    static THING: Shape = Shape {
        name: "Thing",
        doc: "",
        members: &[
            must("name", Kind::Text { least: 1, most: 3 }, ""),
            may("password", Kind::Secret { least: 4, most: 9 }, ""),
            may("state", Kind::Choice(&["RUNNING", "PAUSED"]), ""),
            may("config", Kind::Config, ""),
            may("hops", Kind::List(&Kind::Object(&HOP)), ""),
        ],
    };

    fn flaws(value: &Value) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        Kind::Object(&THING).check("", value, &mut flaws);
        flaws
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let found = flaws(&json!({ "nmae": "x", "state": "RUNING", "config": { "a": [] }, "hops": [{ "arn": 1 }, 2] }));
        let told: Vec<_> = found.iter().map(|flaw| (flaw.key.as_str(), flaw.text.as_str())).collect();
        assert_eq!(
            told,
            [
                ("nmae", "is not known here"),
                ("name", "is missing"),
                ("state", "must be one of RUNNING, PAUSED"),
                ("config.a", "must be a text, not a list"),
                ("hops[0].arn", "must be a text, not a number"),
                ("hops[1]", "must be an object, not a number"),
            ]
        );
        assert_eq!(found[0].hint.as_deref(), Some("did you mean name?"));
        assert_eq!(found[2].hint.as_deref(), Some("did you mean RUNNING?"));
        assert!(flaws(&json!({ "name": "a", "config": { "a": 1, "b": true }, "hops": null })).is_empty());
    }

    #[test]
    fn a_secret_that_is_wrong_is_not_shown() {
        for wrong in [json!({ "name": "a", "password": "abc" }), json!({ "name": "a", "password": 123 })] {
            assert_eq!(flaws(&wrong)[0].value, None);
        }
        assert_eq!(flaws(&json!({ "name": "a", "passwrod": "hunter22" }))[0].value, None);
    }

    #[test]
    fn lengths_count_characters_as_json_schema_does() {
        assert!(flaws(&json!({ "name": "\u{1f980}\u{1f980}\u{1f980}" })).is_empty());
        assert_eq!(flaws(&json!({ "name": "" }))[0].text, "must have 1 to 3 characters, not 0");
    }
}
