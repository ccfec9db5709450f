use std::fmt;

use iam::Arn;

use crate::base::Base;
use crate::region::partition_rule;
use crate::{AssumeRole, Flaw};

/// How to reach one AWS account: who we are at first, and which roles we take on from there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Connection {
    /// Who we are before any role.
    pub base: Base,
    /// The roles taken on, in order; each is asked for with the session of the one before.
    pub hops: Vec<AssumeRole>,
    /// Where STS is asked.
    pub sts: StsEndpoint,
}

/// Where STS is asked. A region's own endpoint unless `endpoint` says otherwise: sessions of the global one are not
/// accepted in regions that an account has to opt in to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct StsEndpoint {
    /// The region that signs, and whose endpoint is asked.
    pub region: String,
    /// An URL in place of AWS's own.
    pub endpoint: Option<String>,
    /// Whether AWS's own endpoint is the one with FIPS 140 cryptography.
    pub fips: bool,
    /// Whether AWS's own endpoint is the one that has IPv6 too.
    pub dual_stack: bool,
}

impl StsEndpoint {
    /// The endpoint of `region`.
    pub fn new(region: impl Into<String>) -> Self {
        Self { region: region.into(), ..Self::default() }
    }

    /// The same, asked at `url`.
    #[must_use]
    pub fn at(self, url: impl Into<String>) -> Self {
        Self { endpoint: Some(url.into()), ..self }
    }
}

/// What a role gets handed beside the request to take it on ([`Connection::hands_on`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HandedOn {
    /// Session tags.
    pub tags: bool,
    /// A source identity.
    pub source_identity: bool,
}

impl Connection {
    /// What the last role gets handed beside the request to take it on: session tags, a source identity. Its trust policy
    /// and the policies of whoever takes it on must allow `sts:TagSession` and `sts:SetSourceIdentity` for these too, also
    /// where they were set further up: source identities and transitive tags go from role to role (IAM user guide).
    /// What a profile, a token or EKS Pod Identity sets does not show here.
    pub fn hands_on(&self) -> HandedOn {
        let Some((last, before)) = self.hops.split_last() else { return HandedOn::default() };
        HandedOn {
            tags: !last.tags.is_empty() || before.iter().any(|hop| !hop.transitive_tag_keys.is_empty()),
            // A certificate's session has its subject as source identity, always (Roles Anywhere user guide).
            source_identity: matches!(self.base, Base::RolesAnywhere(_))
                || self.hops.iter().any(|hop| hop.source_identity.is_some()),
        }
    }

    /// The role at the end of the way, if one is named: the last that is taken on, or the one that a base begins as.
    pub fn end_role(&self) -> Option<&str> {
        match (&self.base, self.hops.last()) {
            (_, Some(hop)) => Some(&hop.role_arn),
            (Base::RolesAnywhere(anywhere), None) => Some(&anywhere.role_arn),
            (Base::WebIdentity(web), None) => Some(&web.role_arn),
            _ => None,
        }
    }

    /// Everything about it that can be refused before a call is made; empty if there is nothing.
    pub fn flaws(&self) -> Vec<Flaw> {
        let mut flaws = self.base.flaws(&self.sts.region);
        for index in 0..self.hops.len() {
            flaws.extend(self.hop_flaws(index));
        }
        flaws
    }

    /// The same for one of its roles.
    pub(crate) fn hop_flaws(&self, index: usize) -> Vec<Flaw> {
        let hop = &self.hops[index];
        let mut flaws = hop.flaws(index > 0 || self.base.is_role());
        if let Some(rule) = partition_rule(&hop.role_arn, &self.sts.region) {
            flaws.push(Flaw { field: "role ARN", value: hop.role_arn.clone(), rule });
        }
        if index == 0 && self.base == Base::Anonymous {
            let rule = "cannot be taken on by nobody: STS wants a signature, so name another kind of connection";
            flaws.push(Flaw { field: "role ARN", value: hop.role_arn.clone(), rule: rule.into() });
        }
        flaws
    }

    /// The role that it ends as; `None` where only AWS knows, or it is none.
    pub fn last_role(&self) -> Option<Arn> {
        let arn = match (self.hops.last(), &self.base) {
            (Some(hop), _) => &hop.role_arn,
            (None, Base::WebIdentity(web)) => &web.role_arn,
            (None, Base::RolesAnywhere(anywhere)) => &anywhere.role_arn,
            (None, _) => return None,
        };
        arn.parse().ok()
    }

    /// The policy that its last session is cut down to, where the last exchange takes one.
    pub fn cut_down(&mut self) -> Option<&mut Option<String>> {
        match (self.hops.last_mut(), &mut self.base) {
            (Some(hop), _) => Some(&mut hop.policy),
            (None, Base::WebIdentity(web)) => Some(&mut web.policy),
            (None, _) => None,
        }
    }
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.base)?;
        for hop in &self.hops {
            write!(f, " -> role {}", hop.role_arn)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(base: Base, region: &str) -> Connection {
        let role = AssumeRole::new("arn:aws:iam::111111111111:role/orders", "tidegate");
        Connection { base, hops: vec![role], sts: StsEndpoint::new(region) }
    }

    #[test]
    fn a_role_of_another_partition_is_refused_before_any_call() {
        assert_eq!(connection(Base::Instance, "eu-central-1").flaws(), []);
        let flaws = connection(Base::Instance, "us-gov-west-1").flaws();
        assert_eq!(flaws.len(), 1);
        assert!(flaws[0].to_string().contains("is of partition aws, and region us-gov-west-1 is in"), "{}", flaws[0]);
    }

    #[test]
    fn nobody_cannot_take_on_a_role() {
        assert!(connection(Base::Anonymous, "eu-central-1").flaws()[0].rule.contains("STS wants a signature"));
    }
}
