//! Confluent's surface, asked as its CLI (v4.60) and Terraform's provider (2.83) ask: the requests are those that were seen
//! on the wire, byte for byte where the bytes matter.

mod accounts;
mod connectors;
mod errors;
mod integrations;
mod login;
mod logs;
mod scene;
