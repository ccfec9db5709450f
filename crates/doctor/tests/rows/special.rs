//! Rows that a scenario file cannot express.
