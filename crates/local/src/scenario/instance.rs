use std::time::Duration;

use iam::AccountId;

use super::base::Base;
use super::caller::entity;
use super::fault::ScenarioFault;
use super::reader::Reader;
use crate::aws::{Aws, AwsError, Effect, FaultRule};

/// How long an answer takes that gets lost on its way: longer than anybody waits for one.
const LOST: Duration = Duration::from_mins(10);

/// The EC2 instance that the machine is.
#[derive(Debug)]
pub(super) struct InstanceScript {
    role: Option<(AccountId, String)>,
    region: Option<String>,
    metadata: Metadata,
    /// Whether it gives out the session that it has, past its end too.
    stale: bool,
    failing: Option<(String, String)>,
}

/// How its metadata is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Metadata {
    /// With a token.
    Second,
    /// Without: what answers has never heard of tokens.
    First,
    Disabled,
    /// The answer that brings a token dies one hop too early; every other one comes.
    TooFar,
}

pub(super) fn read(scenario: &mut Reader<'_>) -> Option<InstanceScript> {
    const METADATA: [(&str, Metadata); 4] = [
        ("v2", Metadata::Second),
        ("v1", Metadata::First),
        ("disabled", Metadata::Disabled),
        ("hop-limit-exceeded", Metadata::TooFar),
    ];
    let mut instance = scenario.child("instance")?;
    instance.only(&["failing", "metadata", "region", "role", "stale"]);
    let role = entity(&mut instance, "role");
    let region = instance.text("region").map(str::to_owned);
    let metadata = instance.word("metadata", &METADATA).unwrap_or(Metadata::Second);
    let stale = instance.flag("stale").unwrap_or(false);
    let failing = instance.child("failing").and_then(|mut failing| {
        failing.only(&["code", "message"]);
        let code = failing.required("code")?.to_owned();
        Some((code, failing.text("message").unwrap_or_default().to_owned()))
    });
    Some(InstanceScript { role, region, metadata, stale, failing })
}

impl InstanceScript {
    pub(super) fn play(&self, aws: &Aws, faults: &mut Vec<ScenarioFault>) -> Result<Base, AwsError> {
        let instance = aws.instance();
        if let Some((account, name)) = &self.role {
            match aws.role_arn(*account, name) {
                Some(arn) => instance.attach(&arn),
                None => faults.push(ScenarioFault::new("instance.role", format!("is no role: {account}/{name}"))),
            }
        }
        if let Some(region) = &self.region {
            instance.set_region(region);
        }
        instance.set_enabled(self.metadata != Metadata::Disabled);
        instance.set_first_version(self.metadata == Metadata::First);
        instance.set_failing(self.failing.as_ref().map(|(code, message)| (&**code, &**message)));
        instance.set_stale(self.stale);
        if self.metadata == Metadata::TooFar {
            let millis = u64::try_from(LOST.as_millis()).unwrap_or(u64::MAX);
            aws.faults().add(FaultRule::new(Effect::Delay { millis }).operation("InstanceMetadataToken"))?;
        }
        Ok(Base::of("instance-role"))
    }
}
