//! Proving ground
