//! Rows that a scenario file cannot express.

mod anywhere;
mod surroundings;
mod trust;
