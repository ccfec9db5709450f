//! `io.aiven.kafka.connect.s3.AivenKafkaConnectS3SinkConnector`, by the contract of its version 3.4.2.

mod access;
mod bucket;
mod checks;
mod class;
mod keys;
mod names;
mod region;

pub(crate) use class::{CLASS, PREFIXES, TASK_CLASS, VERSION, plan};
pub(crate) use keys::AIVEN_KEYS;

#[cfg(test)]
mod tests;
