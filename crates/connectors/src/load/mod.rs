//! Reading configurations from files: connectors in JSON or properties, and what they refer to.

mod connector_file;
mod environment;
mod json;
mod properties;
mod provider;

pub(crate) use connector_file::read_text;
pub use connector_file::{ConnectorFile, LoadError, load_connectors};
pub use environment::worker_overrides;
pub(crate) use properties::read_properties;
pub(crate) use provider::Providers;
