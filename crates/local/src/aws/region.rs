use std::collections::BTreeSet;

/// What an account has set of regions. Left alone, it has opted in to all and deactivated STS in none: a test that is not
/// about this need not say it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Regions {
    /// The regions that it has opted in to, of those that ask for it; `None`: all.
    pub(crate) opted_in: Option<BTreeSet<String>>,
    /// Where STS is switched off for its roles (IAM's account settings).
    pub(crate) sts_deactivated: BTreeSet<String>,
}

/// The regions that an account has to opt in to: all that were opened after 20 March 2019 (Account Management reference
/// guide, "Enable or disable AWS Regions in your account").
const OPT_IN: [&str; 17] = [
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-south-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-west-1",
    "eu-central-2",
    "eu-south-1",
    "eu-south-2",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
];

/// Whether an account has to opt in to a region.
pub(super) fn is_opt_in(region: &str) -> bool {
    OPT_IN.contains(&region)
}

impl Regions {
    /// Whether the account is known in a region.
    pub(super) fn has(&self, region: &str) -> bool {
        !is_opt_in(region) || self.opted_in.as_ref().is_none_or(|opted_in| opted_in.contains(region))
    }
}
