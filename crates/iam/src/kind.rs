use crate::document::statement_name;
use crate::{Document, Effect, PolicyError, Principal, Statement, Version};

/// Where a document stands, which decides what it must and must not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PolicyKind {
    /// Attached to a user or role: names resources, no principals.
    Identity,
    /// A role's trust policy: names principals, no resources, only `sts` actions.
    Trust,
    /// Attached to a resource (a bucket): names both.
    Resource,
    /// Passed when a session is made: as identity.
    Session,
    /// Attached to a user or role as its permissions boundary: as identity.
    Boundary,
    /// A service control policy of an organisation: as identity.
    ServiceControl,
    /// A resource control policy of an organisation: it may only deny, and names everybody.
    ResourceControl,
    /// Attached to a VPC endpoint: as a resource's.
    Endpoint,
}

impl PolicyKind {
    /// Its name as AWS writes it in "no .. policy allows".
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity-based",
            Self::Trust => "role trust",
            Self::Resource => "resource-based",
            Self::Session => "session",
            Self::Boundary => "permissions boundary",
            Self::ServiceControl => "service control",
            Self::ResourceControl => "resource control",
            Self::Endpoint => "VPC endpoint",
        }
    }

    /// Whether its statements say whom they speak of; the others speak of whoever they are attached to.
    fn names_principals(self) -> bool {
        match self {
            Self::Trust | Self::Resource | Self::ResourceControl | Self::Endpoint => true,
            Self::Identity | Self::Session | Self::Boundary | Self::ServiceControl => false,
        }
    }

    /// Whether IAM itself saves it, which is stricter with names than other services are.
    fn is_iams(self) -> bool {
        match self {
            Self::Identity | Self::Trust | Self::Session | Self::Boundary => true,
            Self::Resource | Self::ServiceControl | Self::ResourceControl | Self::Endpoint => false,
        }
    }
}

/// The services whose resources a resource control policy can speak of. Source: "List of AWS services that support RCPs" of
/// the Organizations User Guide; it grows, last read in 2026.
const RESOURCE_CONTROLLED: [&str; 62] = [
    "aoss",
    "appconfig",
    "appstream",
    "autoscaling",
    "autoscaling-plans",
    "budgets",
    "clouddirectory",
    "cloudfront",
    "cloudsearch",
    "cloudtrail-data",
    "codeartifact",
    "codebuild",
    "codecommit",
    "codepipeline",
    "cognito-identity",
    "cognito-idp",
    "comprehend",
    "comprehendmedical",
    "compute-optimizer",
    "cost-optimization-hub",
    "dax",
    "dsql",
    "dynamodb",
    "ecr",
    "ecr-public",
    "events",
    "firehose",
    "fis",
    "fms",
    "gamelift",
    "health",
    "inspector-scan",
    "kendra",
    "kinesisvideo",
    "kms",
    "logs",
    "memorydb",
    "networkmonitor",
    "notifications",
    "opensearch",
    "pca-connector-ad",
    "personalize",
    "polly",
    "pricing",
    "resource-groups",
    "rolesanywhere",
    "s3",
    "secretsmanager",
    "servicediscovery",
    "signin",
    "sqs",
    "sts",
    "support",
    "swf",
    "textract",
    "timestream-influxdb",
    "transcribe",
    "transfer",
    "translate",
    "wafv2",
    "workspaces",
    "xray",
];

impl Document {
    /// Whether it is fit to be a policy of `kind`, by the rules by which AWS saves one.
    pub fn check(&self, kind: PolicyKind) -> Result<(), PolicyError> {
        let whole = |reason: String| PolicyError::Document { reason };
        // AWS's grammar: only policies with a principal may have an Id.
        if kind.is_iams() && !kind.names_principals() && self.id.is_some() {
            return Err(whole(format!("it has an Id, which a policy that is {} may not", kind.name())));
        }
        // Organizations' pages on SCP and RCP syntax: every one must include a version, and this one.
        let of_organisation = matches!(kind, PolicyKind::ServiceControl | PolicyKind::ResourceControl);
        if of_organisation && self.version != Some(Version::V2012) {
            return Err(whole(format!("it is not of version 2012-10-17, as a {} policy must be", kind.name())));
        }
        for (index, statement) in self.statements.iter().enumerate() {
            statement.check(kind).map_err(|reason| PolicyError::Statement {
                statement: statement_name(index, statement.sid()),
                reason: reason.to_owned(),
            })?;
            let Some(sid) = statement.sid().filter(|sid| kind.is_iams() && !sid.is_empty()) else { continue };
            if self.statements[..index].iter().any(|other| other.sid() == Some(sid)) {
                return Err(whole(format!("two statements have the Sid {sid:?}")));
            }
        }
        Ok(())
    }
}

impl Statement {
    fn check(&self, kind: PolicyKind) -> Result<(), &'static str> {
        match &self.principals {
            Some(_) if !kind.names_principals() => {
                return Err("it names a principal, which only the policy of a resource may");
            }
            // The VPC User Guide asks it of endpoint policies too: "Your policy must contain a Principal element".
            None if kind.names_principals() => return Err("it names no principal"),
            // IAM: `AssumeRolepolicy contained an invalid principal: "STAR":"*"`.
            Some(p) if p.is_bare && !p.except && kind == PolicyKind::Trust => {
                return Err("it names \"*\" as principal, which a trust policy must write {\"AWS\": \"*\"}");
            }
            // AWS supports it with Deny alone: it lets in everybody else, the anonymous too.
            Some(p) if p.except && self.effect == Effect::Allow => {
                return Err("NotPrincipal stands beside Allow, which would let in everybody else");
            }
            Some(p) if p.except && matches!(kind, PolicyKind::Trust | PolicyKind::ResourceControl) => {
                return Err("it has NotPrincipal, which only policies of other resources may");
            }
            Some(_) | None => {}
        }
        match (kind, &self.resources) {
            (PolicyKind::Trust, Some(_)) => return Err("it names a resource, which a trust policy may not"),
            (_, Some(resources)) if !kind.is_iams() && resources.has_short() => {
                return Err("it names a resource by less than six parts, which only policies of identities may");
            }
            (PolicyKind::Trust, None) | (_, Some(_)) => {}
            (_, None) => return Err("it names no resource"),
        }
        let foreign = |action: &str| !action.to_ascii_lowercase().starts_with("sts:");
        if kind == PolicyKind::Trust && self.actions.patterns().any(foreign) {
            return Err("a trust policy may only speak of sts actions");
        }
        if kind == PolicyKind::ResourceControl {
            self.check_resource_control()?;
        }
        let odd = |sid: &str| !sid.bytes().all(|b| b.is_ascii_alphanumeric());
        if kind.is_iams() && self.sid().is_some_and(odd) {
            return Err("its Sid holds more than letters and digits");
        }
        Ok(())
    }

    /// What Organizations' page on RCP syntax asks for, beyond what all policies need.
    fn check_resource_control(&self) -> Result<(), &'static str> {
        if self.principals.as_ref().is_none_or(|p| p.list != [Principal::Anyone]) {
            return Err("a resource control policy names \"*\" as principal and nobody else");
        }
        if self.actions.is_except() {
            return Err("a resource control policy may not have NotAction");
        }
        let all_actions = self.actions.patterns().any(|action| action == "*");
        let all_resources =
            self.resources.as_ref().is_some_and(|r| !r.is_except() && r.patterns().any(|resource| resource == "*"));
        match self.effect {
            // RCPFullAWSAccess, which AWS itself attaches everywhere, is the only one that allows.
            Effect::Allow if all_actions && all_resources && self.conditions.is_empty() => Ok(()),
            Effect::Allow => Err("a resource control policy may only deny"),
            Effect::Deny if all_actions => Err("a resource control policy must name the service of each action"),
            // IAM Access Analyzer: "RCPs only support specifying select service prefixes in the Action element".
            Effect::Deny if self.actions.patterns().any(is_beyond_resource_control) => {
                Err("a resource control policy cannot speak of this service")
            }
            Effect::Deny => Ok(()),
        }
    }
}

fn is_beyond_resource_control(action: &str) -> bool {
    let service = action.trim().split(':').next().unwrap_or_default();
    !RESOURCE_CONTROLLED.iter().any(|known| known.eq_ignore_ascii_case(service))
}
