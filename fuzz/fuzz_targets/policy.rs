//! Any text: no policy, or one that reads back from its own print as the same.
#![no_main]

use iam::{Document, PolicyKind};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(document) = text.parse::<Document>() else { return };
    let again: Document = document.to_string().parse().expect("what is printed can be read");
    assert_eq!(again, document);
    for kind in [
        PolicyKind::Identity,
        PolicyKind::Trust,
        PolicyKind::Resource,
        PolicyKind::Session,
        PolicyKind::Boundary,
        PolicyKind::ServiceControl,
        PolicyKind::ResourceControl,
        PolicyKind::Endpoint,
    ] {
        assert_eq!(document.check(kind), again.check(kind));
    }
});
