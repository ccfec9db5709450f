use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use iam::Arn;
use serde_json::{Value, json};

use super::instance::State;
use crate::aws::ambient::{Taking, Untaken, take};
use crate::aws::server::Shared;
use crate::aws::session::Minted;
use crate::aws::time;

/// How long an instance's sessions live: as EC2's do, about.
const LIFE: Duration = Duration::from_hours(6);

/// How long before its end a session is replaced. EC2 promises five minutes at least.
const RENEW: Duration = Duration::from_mins(30);

/// A session that the instance gives out until it is replaced.
#[derive(Debug)]
pub(in crate::aws) struct Issued {
    minted: Minted,
    at: SystemTime,
}

impl State {
    /// The document at `security-credentials/ROLE`. Whatever is wrong is said in it, under status 200.
    pub(super) fn credentials(&mut self, shared: &Shared, role: &Arn, now: SystemTime) -> Value {
        let failed = |code: &str, message: &str| json!({"Code": code, "Message": message, "LastUpdated": time::iso_seconds(now)});
        if let Some((code, message)) = &self.failing {
            return failed(code, message);
        }
        let due = self.issued.as_ref().is_none_or(|issued| issued.minted.session.expires_at() <= now + RENEW);
        if due && !(self.stale && self.issued.is_some()) {
            match fetch(shared, role, &self.id, now) {
                Ok(minted) => self.issued = Some(Issued { minted, at: now }),
                Err(Untaken::NotTrusted { .. } | Untaken::NoRole | Untaken::TooLong) => {
                    return failed(
                        "AssumeRoleUnauthorizedAccess",
                        "EC2 cannot assume the role. Please see documentation at https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_iam-ec2.html.",
                    );
                }
            }
        }
        let Some(Issued { minted, at }) = &self.issued else { return failed("Failed", "There is no session.") };
        json!({
            "Code": "Success",
            "LastUpdated": time::iso_seconds(*at),
            "Type": "AWS-HMAC",
            "AccessKeyId": minted.session.key_id,
            "SecretAccessKey": minted.secret.expose(),
            "Token": minted.token.expose(),
            "Expiration": time::iso_seconds(minted.session.expires_at()),
        })
    }
}

/// EC2's own sessions are no chained ones and may live longer than the role's sessions otherwise may.
fn fetch(shared: &Shared, role: &Arn, instance: &str, now: SystemTime) -> Result<Minted, Untaken> {
    let taking = Taking {
        role,
        caller: "ec2.amazonaws.com",
        actions: &["sts:AssumeRole"],
        session_name: instance,
        duration: LIFE,
        limit: None,
        policy: None,
        tags: BTreeMap::new(),
        transitive: Vec::new(),
        source_identity: None,
    };
    take(shared, taking, now, |context| context.set("aws:PrincipalIsAWSService", "true"))
}
