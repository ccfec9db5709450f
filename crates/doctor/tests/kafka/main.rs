//! The doctor before Kafka: the embedded broker where it can be at fault, and a real one (`TIDEGATE_TEST_KAFKA=1`) for TLS,
//! logins and ACLs.

mod broker;
mod listeners;
mod login;
mod real;
mod support;
mod tls;
