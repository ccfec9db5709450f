use std::net::IpAddr;
use std::sync::{Arc, RwLock};

use iam::Document;

/// How requests come to this AWS, as far as policies can ask: it listens on loopback, and plays what lies between.
#[derive(Debug, Default)]
pub(super) struct Surroundings(RwLock<Arc<Path>>);

/// The way that requests come.
#[derive(Debug, Clone, Default)]
pub(crate) struct Path {
    /// The address that they seem to come from; the peer's own if `None`.
    pub(crate) source_ip: Option<IpAddr>,
    /// Whether they count as encrypted: by something that ends TLS before this AWS.
    pub(crate) is_secure: bool,
    /// The VPC endpoints that they pass through, by service (`s3`, `sts`, `kms`).
    pub(crate) endpoints: Vec<(String, Arc<VpcEndpoint>)>,
}

/// A VPC endpoint.
#[derive(Debug)]
pub(crate) struct VpcEndpoint {
    /// `vpce-..`.
    pub(crate) id: String,
    /// `vpc-..`.
    pub(crate) vpc: String,
    /// What may pass; everything if `None`.
    pub(crate) policy: Option<Document>,
}

impl Surroundings {
    pub(super) fn path(&self) -> Arc<Path> {
        self.0.read().expect("no thread panics while it holds this lock").clone()
    }

    pub(super) fn set(&self, path: Path) {
        *self.0.write().expect("no thread panics while it holds this lock") = Arc::new(path);
    }
}

impl Path {
    pub(super) fn endpoint(&self, service: &str) -> Option<Arc<VpcEndpoint>> {
        self.endpoints.iter().find(|(of, _)| of == service).map(|(_, endpoint)| endpoint.clone())
    }
}
