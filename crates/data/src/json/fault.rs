use std::fmt;

/// Why a text is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonFault {
    /// What is wrong.
    pub kind: JsonFaultKind,
    /// At which byte of the text, from 0.
    pub at: usize,
}

/// What can be wrong with a JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonFaultKind {
    /// The text ends in the middle of a value.
    End,
    /// A byte that cannot be here.
    Byte(u8),
    /// A number that is not one: a full stop or an exponent without digits, a minus alone.
    Number,
    /// An exponent larger than Java's numbers have.
    Exponent,
    /// A backslash before something that it does not escape.
    Escape,
    /// A control character inside a string.
    Control(u8),
    /// Bytes that are not UTF-8.
    Utf8,
    /// Arrays and objects nested too deep.
    Depth,
    /// A string, name or number longer than allowed.
    Long,
}

impl fmt::Display for JsonFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            JsonFaultKind::End => write!(f, "the text ends at byte {} inside a value", self.at),
            JsonFaultKind::Byte(byte) => {
                write!(f, "unexpected '{}' (code {byte}) at byte {}", byte.escape_ascii(), self.at)
            }
            JsonFaultKind::Number => write!(f, "not a number at byte {}", self.at),
            JsonFaultKind::Exponent => write!(f, "exponent out of range at byte {}", self.at),
            JsonFaultKind::Escape => write!(f, "unknown escape at byte {}", self.at),
            JsonFaultKind::Control(byte) => {
                write!(f, "control character (code {byte}) inside a string at byte {}", self.at)
            }
            JsonFaultKind::Utf8 => write!(f, "invalid UTF-8 at byte {}", self.at),
            JsonFaultKind::Depth => write!(f, "nested deeper than 1000 at byte {}", self.at),
            JsonFaultKind::Long => write!(f, "string, name or number too long at byte {}", self.at),
        }
    }
}

impl std::error::Error for JsonFault {}
