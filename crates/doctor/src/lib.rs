//! What is wrong between Tidegate and AWS or Kafka: named checks, the causes that their outcomes point to, and what to paste.
//!
//! What lives here: the checks ([`Check`] lists them), the order they are made in ([`examine`]), the catalogue of causes
//! ([`causes::all`]), and the [`Report`]. What may not: a request of its own making (those are `identity`'s, `aws`'s and
//! `kafka`'s), a permission to mend anything, and any word of printing (the CLI's).
//!
//! ```text
//! Target          a connection, an integration, a connector, or a text that is none of them yet
//!  -> checks      each one claim: passed, failed, warning, skipped (because of which), unproven. Independent ones go on
//!  -> Facts       what was learnt on the way, typed: who we were, what STS and S3 answered, where the bucket is
//!  -> causes      all facts together decide the cause of a failure, or rank the causes that they leave open
//!  -> Report      checks with their diagnoses; a verdict; what was not tested
//! ```
//!
//! A check is a claim that is true when it passes, and is never called after the failure. A cause is never guessed: if one
//! text of AWS's stands for eight causes, all eight that the facts leave open are told, with what would tell them apart.
//! Nothing is left behind: what a check writes it takes away again, and says so if it cannot.

pub mod causes;
mod certificate_facts;
mod changes;
mod check;
mod checks;
mod depth;
mod diagnosis;
mod examination;
mod expectation;
mod facts;
mod kafka_facts;
#[cfg(test)]
mod pages;
mod report;
pub mod scenarios;
mod target;

pub use certificate_facts::CertificateFacts;
pub use changes::{Change, baseline, changes, facts as changed_facts};
pub use check::{Area, Check, Status};
pub use depth::Depth;
pub use diagnosis::{Cause, Certainty, Diagnosis, Paste, Remedy};
pub use examination::{Surroundings, examine, examine_until};
pub use expectation::Expectation;
pub use facts::{Facts, Ours, Trial};
pub use kafka_facts::{BadRecord, Door, KafkaFacts, KafkaWay, LettersFacts, Misplaced, RecordsFacts, TopicFact};
pub use report::{CheckResult, Report, Verdict};
pub use target::{InputFault, IntegrationFacts, Place, Target, TargetKind};
