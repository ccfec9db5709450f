use crate::load::ConnectorFile;
use crate::worker::WorkerConfig;

/// What Kafka Connect's `PUT /connector-plugins/{class}/config/validate` tells of a configuration: every key's definition
/// with its value and what is wrong with it (`ConfigInfos`).
#[derive(Debug, Clone)]
pub struct Validation {
    /// The class as the configuration calls it.
    pub class: String,
    /// How many faults there are.
    pub error_count: usize,
    /// The groups, in the order in which a form shows them.
    pub groups: Vec<String>,
    /// The keys, in Connect's order.
    pub keys: Vec<KeyReport>,
}

/// One key of a [`Validation`].
#[derive(Debug, Clone)]
pub struct KeyReport {
    /// What is known of the key; `None` for one that is nobody's and is named because its value is null.
    pub definition: Option<KeyText>,
    /// Its name.
    pub name: String,
    /// Its value as text; `[hidden]` for passwords.
    pub value: Option<String>,
    /// Values to choose from.
    pub recommended: Vec<String>,
    /// What is wrong.
    pub errors: Vec<String>,
    /// Whether a form shows it.
    pub visible: bool,
}

/// A key's definition as Connect's REST API shows it: owned, because transforms and overrides make keys of their own.
#[derive(Debug, Clone)]
pub struct KeyText {
    /// Its name.
    pub name: String,
    /// `STRING`, `INT`, ..
    pub kind: &'static str,
    /// Whether it has no default.
    pub required: bool,
    /// The default as text.
    pub default: Option<String>,
    /// `HIGH`, ..
    pub importance: &'static str,
    /// What it does.
    pub documentation: String,
    /// Its group.
    pub group: Option<String>,
    /// Its place in the group.
    pub order: i32,
    /// `SHORT`, ..
    pub width: &'static str,
    /// The name that a form shows.
    pub display_name: String,
    /// Keys whose validity depends on it.
    pub dependents: Vec<String>,
}

/// Tells of every key of a configuration what a form needs to know, and what is wrong.
pub fn validate(file: &ConnectorFile, worker: &WorkerConfig) -> Validation {
    let _ = (file, worker);
    todo!("validation")
}

/// The definitions of a class's keys (`GET /connector-plugins/{class}/config`); `None` if there is no such class.
pub fn definitions(class: &str) -> Option<Vec<KeyText>> {
    let _ = class;
    todo!("validation")
}
