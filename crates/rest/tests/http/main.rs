//! The surfaces over HTTP: a control plane with an embedded broker and AWS, and a listener on a port of its own.

mod confluent;
mod connect;
mod harness;
mod own;
