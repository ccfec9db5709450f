//! Any text: no ARN, or one that prints as it was written.
#![no_main]

use iam::{Arn, Caller};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(arn) = text.parse::<Arn>() {
        assert_eq!(arn.to_string(), text);
        assert!(!arn.resource().is_empty() && arn.is_root() == (arn.service() == "iam" && arn.resource() == "root"));
        let _ = (arn.partition(), arn.region(), arn.account(), arn.role_name(), arn.user_name(), arn.role_session());
    }
    let _ = Caller::parse(text).map(|caller| caller.account());
});
