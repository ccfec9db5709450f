//! Kafka Connect's surface.
