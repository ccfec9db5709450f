//! Scenarios: one file sets a whole stage. Accounts with users, roles and keys, buckets, who we are, what the machine and
//! the network are like, what goes wrong, and the connection that is examined. Played in the process by the embedded AWS.
//!
//! ```text
//! text  -> Scenario::parse   TOML or JSON; every slip at once, with its key and what was probably meant
//!       -> Scenario::play    `${name}` filled in, an AWS started and populated
//!       -> Stage             environment, clock, connections: what a program sees of its machine; ends when dropped
//! ```
//!
//! A scenario says what *is*, never what is to be answered: the refusal comes from the embedded AWS, which weighs the
//! policies of the file as AWS would. So a scenario of a fault is mended by mending what it says, and an examination that
//! finds the fault here finds it at AWS. The one exception is `[[faults]]`, the fault plane, for what AWS does by itself
//! (`SlowDown`, an internal error, a connection that breaks).
//!
//! Nothing of the real machine is on the stage: the environment holds what the file says and where instance metadata is
//! found, files are written to a directory of the scenario's own, and every address is on loopback.

mod accounts;
mod base;
mod buckets;
mod caller;
mod certificates;
mod connections;
mod container;
mod edits;
mod fault;
mod instance;
mod machine;
mod network;
mod obstacle;
mod parsed;
mod reader;
mod roles_anywhere;
mod rules;
mod script;
mod stage;
#[cfg(test)]
mod tests;
mod variable;
mod web_identity;

pub use self::fault::{PlayError, ScenarioFault, ScenarioFaults};
pub use self::parsed::Scenario;
pub use self::stage::Stage;
pub use crate::aws::BucketContents;
