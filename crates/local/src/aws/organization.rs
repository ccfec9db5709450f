use std::sync::LazyLock;

use iam::{Document, PolicyKind};

/// The organisation that an account belongs to, and what it lays down for it.
#[derive(Debug, Clone)]
pub(crate) struct Organization {
    /// `o-..`.
    pub(crate) id: String,
    /// Service control policies, one list a level from the root on. Each level must allow.
    pub(crate) service_control: Vec<Vec<Document>>,
    /// Resource control policies, likewise. Each level allows by itself.
    pub(crate) resource_control: Vec<Vec<Document>>,
}

/// `FullAWSAccess`, which stands at each level of an organisation until somebody detaches it.
static FULL_ACCESS: LazyLock<Document> = LazyLock::new(|| {
    let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    Document::parse_as(PolicyKind::ServiceControl, text).expect("this policy is a constant")
});

impl Organization {
    /// An account right below its organisation's root, with these policies of its own; beside them `FullAWSAccess`, unless
    /// it is detached.
    pub(crate) fn with(id: &str, full_access: bool, scps: Vec<Document>, rcps: Vec<Document>) -> Self {
        let full = || FULL_ACCESS.clone();
        let own = full_access.then(full).into_iter().chain(scps).collect();
        Self { id: id.to_owned(), service_control: vec![vec![full()], own], resource_control: vec![rcps] }
    }
}
