//! Rows that a scenario file cannot express.

mod trust;
