//! The catalogue of connector classes: what a configuration may say, and what it then means.
//!
//! What lives here: reading connector and worker files ([`ConnectorFile`], [`WorkerConfig`]), a table of keys for each
//! class, and the way from a table and a file to a [`ConnectorPlan`] or to everything that is wrong ([`ConfigFaults`]);
//! what objects are called and which record goes to which ([`naming`]). What may not: a connection to anything. Files are
//! read once, when a configuration is loaded; after that all is pure.
//!
//! ```text
//! ConnectorFile      JSON or properties, as for Kafka Connect; nothing checked yet
//!  -> config providers  ${file:/path:key}, ${env:NAME}, ${directory:/dir:file} of the worker
//!  -> key tables        Connect's own keys, the class's, ours (tidegate.*): types, defaults, single-key checks
//!  -> cross checks      what upstream finds only in a dead task
//!  -> ConnectorPlan     plain data; ConnectorPlan::router sends each record to its object
//! ```
//!
//! Texts of faults are those of the connector that users come from, where it has one: people search for them.

mod access;
mod aiven;
mod catalogue;
mod clients;
mod config;
mod converter;
mod define;
mod faults;
mod framework;
mod load;
mod markdown;
pub mod naming;
mod own;
mod pattern;
mod plan;
mod report;
mod restrictions;
mod validation;
mod worker;

pub use catalogue::{ConnectorClass, check, check_all, classes, client_properties, is_secret_key, plan, plan_all};
pub use clients::{ClientProperties, Clients};
pub use config::Config;
pub use define::{Importance, KeyDef, Kind, Width};
pub use faults::{ConfigFault, ConfigFaults, ConfigWarning, has_url_password};
pub use load::{ConnectorFile, LoadError, load_connectors, worker_overrides};
pub use markdown::markdown;
pub use pattern::Pattern;
pub use plan::{
    ConnectorPlan, DeadLetterQueue, ErrorPolicy, ExistingObject, PayloadSignature, Rotation, S3Retry, S3Target,
    TopicSelection,
};
pub use report::CheckReport;
pub use restrictions::Restrictions;
pub use validation::{KeyReport, KeyText, Plugin, PluginKind, Validation, definitions, plugins, validate};
pub use worker::{WorkerConfig, WorkerRefusal};
