use std::time::Duration;

use iam::{AccountId, PolicyKind};

use super::caller::entity;
use super::fault::ScenarioFault;
use super::reader::Reader;
use crate::aws::Aws;

/// A trust policy that has been saved and has not taken effect yet.
#[derive(Debug)]
pub(super) struct Edit {
    /// Its key in the scenario.
    at: String,
    role: (AccountId, String),
    trust: String,
    after: Duration,
}

pub(super) fn read(scenario: &mut Reader<'_>) -> Vec<Edit> {
    let mut edits = Vec::new();
    scenario.list("edits", |edit| {
        edit.only(&["role", "seconds", "trust"]);
        for key in ["role", "seconds", "trust"] {
            if !edit.has(key) {
                edit.fault(key, "is missing");
            }
        }
        let (role, seconds) = (entity(edit, "role"), edit.number("seconds"));
        let trust = edit.policy("trust", PolicyKind::Trust);
        if let (Some(role), Some(seconds), Some(trust)) = (role, seconds, trust) {
            edits.push(Edit { at: edit.at(""), role, trust, after: Duration::from_secs(seconds) });
        }
    });
    edits
}

impl Edit {
    /// Saves it; what is wrong with it, if it cannot be.
    pub(super) async fn play(&self, aws: &Aws) -> Option<ScenarioFault> {
        aws.set_propagation(self.after);
        let saved = aws.account(self.role.0).update_trust(&self.role.1, &self.trust).await;
        aws.set_propagation(Duration::ZERO);
        saved.err().map(|error| ScenarioFault::new(&self.at, fault::Chain(&error).to_string()))
    }
}
