//! From a request to its caller.
