use std::fmt;

/// Where on its way a record turned out to be unusable. The names are Connect's
/// (org.apache.kafka.connect.runtime.errors.Stage): dead-letter headers and log lines carry them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The key does not convert.
    KeyConverter,
    /// The value does not convert.
    ValueConverter,
    /// A header does not convert.
    HeaderConverter,
    /// A transform refuses it.
    Transformation,
    /// It converts, but the output format cannot hold it.
    TaskPut,
    /// The record batch that holds it cannot be read.
    KafkaConsume,
}

impl Stage {
    /// Connect's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::KeyConverter => "KEY_CONVERTER",
            Self::ValueConverter => "VALUE_CONVERTER",
            Self::HeaderConverter => "HEADER_CONVERTER",
            Self::Transformation => "TRANSFORMATION",
            Self::TaskPut => "TASK_PUT",
            Self::KafkaConsume => "KAFKA_CONSUME",
        }
    }
}

/// Why one record cannot be used. Obeys `errors.tolerance`; becomes a dead letter or a failure of the connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordFault {
    /// Where it was found.
    pub stage: Stage,
    /// The class that Connect would name: the converter's, e.g. `org.apache.kafka.connect.json.JsonConverter`.
    pub class: &'static str,
    /// The exception that Connect would name, e.g. `org.apache.kafka.connect.errors.DataException`.
    pub exception: &'static str,
    /// What is wrong. Where Connect has a text for it, exactly that one: a dead letter's headers carry it.
    pub message: String,
    /// What is behind it, such as the place in a JSON text; Connect's exceptions have it in their cause.
    pub cause: Option<String>,
}

impl RecordFault {
    /// The same, with what is behind it.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }
}

impl fmt::Display for RecordFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            // Connect's texts for errors with a cause end in a colon.
            Some(cause) => write!(f, "{}: {cause}", self.message.trim_end().trim_end_matches(':'))?,
            None => f.write_str(&self.message)?,
        }
        write!(f, " ({})", self.stage.name())
    }
}

impl std::error::Error for RecordFault {}
