use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use crate::decimal::Decimal;
use crate::temporal::temporal;
use crate::{DECIMAL, Kind, Schema, SchemaAndValue, Value};

/// How deep guesses nest before the text is taken as a text. Java's recursion ends in a stack overflow, which Connect
/// catches the same way, some thousand levels deep.
const MAX_DEPTH: usize = 500;

/// What Connect's `SimpleHeaderConverter` takes `text` for: null, a boolean, the smallest number type that fits, a date,
/// time or timestamp, a list, a map, else the text itself. `None` stands for null.
///
/// The guesses are kept as they are, with their surprises: a text that begins like a number and goes on behind a
/// delimiter is that number (`1,2` is 1, `22:13` is 22).
pub(crate) fn guess(text: &str) -> SchemaAndValue<'static> {
    let mut parser = Parser { text, at: 0, next: None, depth: 0 };
    match parser.value(false) {
        Ok(Some(guessed)) => guessed,
        Ok(None) => SchemaAndValue::default(),
        // Outside of lists and maps there is always the text itself.
        Err(Unparsable) => of_text(text),
    }
}

/// Not what it looked like: the text is taken as something simpler.
#[derive(Debug)]
struct Unparsable;

type Guess = Result<Option<SchemaAndValue<'static>>, Unparsable>;

/// Reads tokens: the delimiters `: , { } [ ] "`, one at a time, and what stands between them. A backslash keeps a
/// delimiter from being one.
struct Parser<'a> {
    text: &'a str,
    at: usize,
    /// A token that was looked at and not taken yet.
    next: Option<&'a str>,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn has_next(&self) -> bool {
        self.next.is_some() || self.at < self.text.len()
    }

    fn mark(&self) -> usize {
        self.at - self.next.map_or(0, str::len)
    }

    fn rewind(&mut self, at: usize) {
        (self.at, self.next) = (at, None);
    }

    fn read(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let mut escaped = false;
        for (index, byte) in rest.bytes().enumerate() {
            match byte {
                b'\\' => escaped = !escaped,
                b':' | b',' | b'{' | b'}' | b'[' | b']' | b'"' if !escaped => {
                    let len = index.max(1);
                    self.at += len;
                    return &rest[..len];
                }
                _ => escaped = false,
            }
        }
        self.at = self.text.len();
        rest
    }

    fn token(&mut self) -> &'a str {
        self.next.take().unwrap_or_else(|| self.read())
    }

    /// Takes the next token if it is `expected`, blanks around it aside.
    fn takes(&mut self, expected: &str) -> bool {
        if !self.has_next() {
            return false;
        }
        let mut token = self.token();
        while trim(token).is_empty() && self.at < self.text.len() {
            token = self.read();
        }
        let found = trim(token) == expected;
        if !found {
            self.next = Some(token);
        }
        found
    }

    /// Takes a word that means something; outside of lists and maps only if nothing follows.
    fn takes_word(&mut self, word: &str, embedded: bool) -> bool {
        let start = self.mark();
        if self.takes(word) && (embedded || !self.has_next()) {
            return true;
        }
        self.rewind(start);
        false
    }

    fn value(&mut self, embedded: bool) -> Guess {
        if !self.has_next() {
            return Ok(None);
        }
        if embedded && self.takes("\"") {
            return Ok(Some(self.quoted()));
        }
        if self.takes_word("null", embedded) {
            return Ok(None);
        }
        for (word, value) in [("true", true), ("false", false)] {
            if self.takes_word(word, embedded) {
                return Ok(Some(of(Kind::Boolean, Value::Boolean(value))));
            }
        }
        let start = self.mark();
        self.depth += 1;
        let container = if self.depth > MAX_DEPTH {
            Err(Unparsable)
        } else if self.takes("[") {
            self.list().map(Some)
        } else if self.takes("{") {
            self.map().map(Some)
        } else {
            Ok(None)
        };
        self.depth -= 1;
        match container {
            Ok(Some(container)) => return Ok(Some(container)),
            Ok(None) => {}
            Err(Unparsable) => self.rewind(start),
        }
        let token = self.token();
        let word = trim(token);
        if word.is_empty() {
            return Ok(Some(of_text(token)));
        }
        let first = word.as_bytes()[0];
        if first.is_ascii_digit()
            && let Some(temporal) = self.temporal(word)
        {
            return Ok(Some(temporal));
        }
        if (first.is_ascii_digit() || matches!(first, b'+' | b'-'))
            && let Some(number) = number(word)
        {
            return Ok(Some(number));
        }
        if embedded { Err(Unparsable) } else { Ok(Some(of_text(self.text))) }
    }

    /// What stands between two quotes inside a list or map.
    fn quoted(&mut self) -> SchemaAndValue<'static> {
        let mut content = String::new();
        while self.has_next() && !self.takes("\"") {
            content.push_str(self.token());
        }
        temporal(&content).unwrap_or_else(|| of_text(&content))
    }

    /// A time has colons, which are delimiters: first with the four tokens that follow, then alone.
    fn temporal(&mut self, word: &str) -> Option<SchemaAndValue<'static>> {
        let start = self.mark();
        for _ in 0..4 {
            if !self.has_next() {
                self.rewind(start);
                return temporal(word);
            }
            self.token();
        }
        let found = temporal(&format!("{word}{}", &self.text[start..self.at]));
        if found.is_some() {
            return found;
        }
        self.rewind(start);
        temporal(word)
    }

    fn list(&mut self) -> Result<SchemaAndValue<'static>, Unparsable> {
        let mut items = Vec::new();
        let mut common = Common::default();
        while self.has_next() {
            if self.takes("]") {
                let schema = common.schema();
                if let Some(schema) = &schema {
                    align(&mut items, schema)?;
                }
                let element = schema.unwrap_or_else(|| OPTIONAL_STRING.clone());
                return Ok(of(Kind::Array(element), Value::Array(items)));
            }
            if self.takes(",") {
                return Err(Unparsable);
            }
            let item = self.value(true)?;
            common.merge(item.as_ref());
            items.push(item.unwrap_or_default().value);
            let start = self.mark();
            if self.takes("]") {
                self.rewind(start);
            } else if !self.takes(",") {
                return Err(Unparsable);
            }
        }
        Err(Unparsable)
    }

    fn map(&mut self) -> Result<SchemaAndValue<'static>, Unparsable> {
        let (mut keys, mut values): (Vec<Value<'static>>, Vec<Value<'static>>) = Default::default();
        let (mut key_common, mut value_common) = (Common::default(), Common::default());
        while self.has_next() {
            if self.takes("}") {
                let (key, value) = (key_common.schema(), value_common.schema());
                if let Some(key) = &key {
                    align(&mut keys, key)?;
                    if let Some(value) = &value {
                        align(&mut values, value)?;
                    }
                }
                let kind = Kind::Map(
                    key.unwrap_or_else(|| OPTIONAL_STRING.clone()),
                    value.unwrap_or_else(|| OPTIONAL_STRING.clone()),
                );
                return Ok(of(kind, Value::Map(keys.into_iter().zip(values).collect())));
            }
            if self.takes(",") {
                return Err(Unparsable);
            }
            let Some(key) = self.value(true)? else { return Err(Unparsable) };
            if !self.takes(":") {
                return Err(Unparsable);
            }
            let value = self.value(true)?;
            key_common.merge(Some(&key));
            value_common.merge(value.as_ref());
            let value = value.unwrap_or_default().value;
            if let Some(place) = keys.iter().position(|known| *known == key.value) {
                values[place] = value;
            } else {
                keys.push(key.value);
                values.push(value);
            }
            self.takes(",");
        }
        Err(Unparsable)
    }
}

static OPTIONAL_STRING: LazyLock<Arc<Schema>> = LazyLock::new(|| Arc::new(Schema::of(Kind::String).optional()));

/// The schema that all items of a list fit, if there is one.
#[derive(Debug, Default)]
struct Common {
    schema: Option<Arc<Schema>>,
    none: bool,
}

impl Common {
    fn merge(&mut self, item: Option<&SchemaAndValue<'static>>) {
        let Some(schema) = item.and_then(|item| item.schema.as_ref()) else { return };
        let wider = match &self.schema {
            None => Some(schema.clone()),
            Some(known) => match (rank(&known.kind), rank(&schema.kind)) {
                (Some(known_rank), Some(rank)) if known_rank > rank => Some(known.clone()),
                (Some(_), Some(_)) => Some(schema.clone()),
                _ if known.kind.name() == schema.kind.name() => Some(schema.clone()),
                _ => None,
            },
        };
        self.none |= wider.is_none();
        self.schema = wider.or(self.schema.take());
    }

    fn schema(self) -> Option<Arc<Schema>> {
        self.schema.filter(|_| !self.none)
    }
}

/// The order in which number types hold one another.
fn rank(kind: &Kind) -> Option<u8> {
    match kind {
        Kind::Int8 => Some(0),
        Kind::Int16 => Some(1),
        Kind::Int32 => Some(2),
        Kind::Int64 => Some(3),
        Kind::Float32 => Some(4),
        Kind::Float64 => Some(5),
        _ => None,
    }
}

/// Makes numbers of one type of all; a null among values that have a type makes the whole unparsable.
fn align(items: &mut [Value<'static>], schema: &Schema) -> Result<(), Unparsable> {
    for item in items {
        if item.is_null() {
            return Err(Unparsable);
        }
        let integer = match item {
            Value::Int8(value) => Some(i64::from(*value)),
            Value::Int16(value) => Some(i64::from(*value)),
            Value::Int32(value) => Some(i64::from(*value)),
            Value::Int64(value) => Some(*value),
            _ => None,
        };
        *item = match (&schema.kind, integer, &*item) {
            (Kind::Int16, Some(value), _) => Value::Int16(value as i16),
            (Kind::Int32, Some(value), _) => Value::Int32(value as i32),
            (Kind::Int64, Some(value), _) => Value::Int64(value),
            (Kind::Float32, Some(value), _) => Value::Float32(value as f32),
            (Kind::Float64, Some(value), _) => Value::Float64(value as f64),
            (Kind::Float64, None, Value::Float32(value)) => Value::Float64(f64::from(*value)),
            _ => continue,
        };
    }
    Ok(())
}

fn of(kind: Kind, value: Value<'static>) -> SchemaAndValue<'static> {
    SchemaAndValue { schema: Some(Arc::new(Schema::of(kind))), value }
}

fn of_text(text: &str) -> SchemaAndValue<'static> {
    of(Kind::String, Value::String(Cow::Owned(text.to_owned())))
}

/// Java's `trim`: what it cuts off is everything up to the space, not whitespace.
fn trim(text: &str) -> &str {
    text.trim_matches(|character| character <= ' ')
}

fn number(word: &str) -> Option<SchemaAndValue<'static>> {
    let decimal = Decimal::parse(word)?;
    if let Some(value) = decimal.to_i64_exact() {
        return Some(if let Ok(value) = i8::try_from(value) {
            of(Kind::Int8, Value::Int8(value))
        } else if let Ok(value) = i16::try_from(value) {
            of(Kind::Int16, Value::Int16(value))
        } else if let Ok(value) = i32::try_from(value) {
            of(Kind::Int32, Value::Int32(value))
        } else {
            of(Kind::Int64, Value::Int64(value))
        });
    }
    if decimal.scale() != 0 {
        // A full stop at the end is Java's but not Rust's.
        if let Ok(value) = word.parse::<f32>()
            && value.is_finite()
        {
            return Some(of(Kind::Float32, Value::Float32(value)));
        }
        if let Ok(value) = word.parse::<f64>()
            && value.is_finite()
        {
            return Some(of(Kind::Float64, Value::Float64(value)));
        }
    }
    let mut schema = Schema::of(Kind::Bytes).named(DECIMAL);
    schema.version = Some(1);
    schema.parameters.push(("scale".into(), decimal.scale().to_string().into()));
    Some(SchemaAndValue { schema: Some(Arc::new(schema)), value: Value::Bytes(Cow::Owned(decimal.unscaled())) })
}
