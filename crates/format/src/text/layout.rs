/// What a text object looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Its form.
    pub kind: Kind,
    /// What of a record is written; the order matters for csv only.
    pub fields: Vec<Field>,
    /// How a csv value is written. Does not concern keys, nor the JSON forms.
    pub value_encoding: ValueEncoding,
    /// Whether a JSON record is an object of its fields; if not, it is its only field. Does not concern csv.
    pub envelope: bool,
}

/// The form of a text object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Fields joined by commas, records by newlines; no header, no quoting.
    Csv,
    /// One JSON array of all records.
    Json,
    /// One JSON document a line.
    Jsonl,
}

/// A part of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// Its key.
    Key,
    /// Its value.
    Value,
    /// Its offset.
    Offset,
    /// Its timestamp.
    Timestamp,
    /// Its headers.
    Headers,
}

/// How a csv value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueEncoding {
    /// As it is, even if it holds commas and newlines.
    None,
    /// In base64.
    Base64,
}

impl Field {
    /// The order of a JSON record's members: that in which a Java `HashMap` of these five names gives them, whatever
    /// order was configured.
    pub(crate) const JSON_ORDER: [Self; 5] = [Self::Headers, Self::Offset, Self::Value, Self::Key, Self::Timestamp];

    /// Its name in the configuration and in a JSON record.
    pub fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Value => "value",
            Self::Offset => "offset",
            Self::Timestamp => "timestamp",
            Self::Headers => "headers",
        }
    }
}
