use crate::draft::{Draft, DraftStatement};
use crate::generate::GenerateError;
use crate::{AccountId, Arn, Document, Operator, PolicyKind, Principal};

/// Whom a role lets in, and what they may bring along.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trust {
    /// Who may come in; one statement each, so that nobody can use another's external ID.
    pub trusted: Vec<Trusted>,
    /// Whether sessions may be tagged (`sts:TagSession`).
    pub tag_session: bool,
    /// Whether sessions may carry a source identity (`sts:SetSourceIdentity`).
    pub set_source_identity: bool,
    /// What holds for all of them.
    pub only: Restrictions,
}

/// One who may come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trusted {
    /// Somebody else's role, user or account, with the external ID that ties it to us.
    Party {
        /// Its ARN, or its account's number.
        principal: String,
        /// The external ID.
        external_id: String,
        /// Whether IAM may look it up when the policy is saved. If not (it is not there yet), its account is named and a
        /// condition narrows that down to it.
        exists: bool,
    },
    /// A role, user or account of the same owner: no external ID is needed between people who trust one another.
    Own {
        /// Its ARN, or its account's number.
        principal: String,
    },
    /// IAM Roles Anywhere: whoever holds a certificate of this trust anchor.
    RolesAnywhere {
        /// The trust anchor.
        trust_anchor: Arn,
        /// The common name that the certificate must have.
        common_name: Option<String>,
    },
    /// An AWS service (`ec2.amazonaws.com`).
    Service {
        /// Its name.
        service: String,
        /// The account on whose behalf alone it may come, for services that say so.
        source_account: Option<AccountId>,
    },
    /// Whoever holds a token of an identity provider.
    WebIdentity {
        /// The provider: `arn:aws:iam::ACCOUNT:oidc-provider/HOST/PATH`.
        provider: Arn,
        /// The audience that tokens must be for.
        audience: String,
        /// The subject that tokens must be of.
        subject: String,
    },
}

/// What else must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Restrictions {
    /// Addresses or CIDR blocks that requests must come from.
    pub source_ips: Vec<String>,
    /// Not before this instant (ISO 8601).
    pub not_before: Option<String>,
    /// Not after this instant (ISO 8601).
    pub not_after: Option<String>,
    /// The organisation that the caller's account must be in (`o-..`).
    pub organisation: Option<String>,
}

impl Trust {
    /// The trust policy.
    pub fn policy(&self) -> Result<Document, GenerateError> {
        if self.trusted.is_empty() {
            return Err(GenerateError::Nothing { what: "nobody" });
        }
        let mut draft = Draft::new();
        for trusted in &self.trusted {
            let statement = self.restrict(self.statement(trusted)?, trusted)?;
            draft = draft.with(statement);
        }
        draft.build(PolicyKind::Trust).map_err(GenerateError::Policy)
    }

    fn statement(&self, trusted: &Trusted) -> Result<DraftStatement, GenerateError> {
        let mut actions = vec!["sts:AssumeRole"];
        actions.extend(self.set_source_identity.then_some("sts:SetSourceIdentity"));
        actions.extend(self.tag_session.then_some("sts:TagSession"));
        let equals = Operator::STRING_EQUALS;
        Ok(match trusted {
            Trusted::Party { principal, external_id, exists } => {
                check_external_id(external_id)?;
                let statement = DraftStatement::allow(actions);
                let named = named(principal)?;
                let statement = match (&named, exists) {
                    (Principal::Role(arn) | Principal::User(arn), false) => {
                        let account = arn.account().ok_or_else(|| refuse("principal", principal, "has no account"))?;
                        let root = format!("arn:{}:iam::{account}:root", arn.partition().name());
                        statement.by("AWS", root).only_if(Operator::ARN_EQUALS, "aws:PrincipalArn", [arn.as_str()])
                    }
                    (_, false) => {
                        return Err(refuse(
                            "principal",
                            principal,
                            "is neither role nor user, and these alone can be named before they exist",
                        ));
                    }
                    (_, true) => statement.by("AWS", principal),
                };
                statement.only_if(equals, "sts:ExternalId", [external_id])
            }
            Trusted::Own { principal } => {
                named(principal)?;
                DraftStatement::allow(actions).by("AWS", principal)
            }
            Trusted::RolesAnywhere { trust_anchor, common_name } => {
                if trust_anchor.service() != "rolesanywhere" || !trust_anchor.resource().starts_with("trust-anchor/") {
                    return Err(refuse("trust anchor", trust_anchor.as_str(), "is no trust anchor's ARN"));
                }
                // The service brings tags and a source identity along, always (Roles Anywhere user guide, "Trust model").
                let statement = DraftStatement::allow(["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"])
                    .by("Service", "rolesanywhere.amazonaws.com")
                    .only_if(Operator::ARN_EQUALS, "aws:SourceArn", [trust_anchor.as_str()]);
                match common_name {
                    Some(name) => statement.only_if(equals, "aws:PrincipalTag/x509Subject/CN", [literal(name)]),
                    None => statement,
                }
            }
            Trusted::Service { service, source_account } => {
                if !service.contains('.') || service.contains(['*', '?', '/', ' ']) {
                    return Err(refuse("service", service, "is no service, as ec2.amazonaws.com is"));
                }
                let statement = DraftStatement::allow(actions).by("Service", service);
                match source_account {
                    Some(account) => statement.only_if(equals, "aws:SourceAccount", [account.to_string()]),
                    None => statement,
                }
            }
            Trusted::WebIdentity { provider, audience, subject } => {
                let Some(issuer) = provider.resource().strip_prefix("oidc-provider/") else {
                    return Err(refuse("identity provider", provider.as_str(), "is no OIDC provider's ARN"));
                };
                let mut actions = actions;
                actions[0] = "sts:AssumeRoleWithWebIdentity";
                DraftStatement::allow(actions)
                    .by("Federated", provider.as_str())
                    .only_if(equals, &format!("{issuer}:aud"), [literal(audience)])
                    .only_if(equals, &format!("{issuer}:sub"), [literal(subject)])
            }
        })
    }

    fn restrict(&self, statement: DraftStatement, trusted: &Trusted) -> Result<DraftStatement, GenerateError> {
        let Restrictions { source_ips, not_before, not_after, organisation } = &self.only;
        let mut statement = statement;
        if let Some(organisation) = organisation {
            let digits = organisation.strip_prefix("o-").unwrap_or_default();
            if !(10..=32).contains(&digits.len())
                || !digits.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
            {
                return Err(refuse("organisation", organisation, "is not of the form o-a1b2c3d4e5"));
            }
            if matches!(trusted, Trusted::Party { .. } | Trusted::Own { .. }) {
                statement = statement.only_if(Operator::STRING_EQUALS, "aws:PrincipalOrgID", [organisation]);
            }
        }
        // A service comes from its own addresses.
        if !source_ips.is_empty() && !matches!(trusted, Trusted::Service { .. }) {
            for block in source_ips {
                if block.ends_with("/0") {
                    return Err(refuse("source address", block, "is every address"));
                }
            }
            statement = statement.only_if(Operator::IP_ADDRESS, "aws:SourceIp", source_ips);
        }
        let [before, after] = [not_before, not_after].map(|at| at.as_deref().map(instant).transpose());
        let (before, after) = (before?, after?);
        if let (Some(before), Some(after)) = (&before, &after)
            && before >= after
        {
            return Err(refuse("end", &after.to_string(), "is not after the beginning"));
        }
        if let Some(before) = before {
            statement = statement.only_if(Operator::DATE_FROM, "aws:CurrentTime", [before.to_string()]);
        }
        if let Some(after) = after {
            statement = statement.only_if(Operator::DATE_UNTIL, "aws:CurrentTime", [after.to_string()]);
        }
        Ok(statement)
    }
}

/// The trust policy of a role that shall let in nobody yet. It is to be replaced as a whole: a `Deny` that stays beside
/// an `Allow` wins.
pub fn placeholder_policy() -> Document {
    let statement = DraftStatement::deny(["sts:AssumeRole"]).called("NobodyYet").by("AWS", "*");
    Draft::new().with(statement).build(PolicyKind::Trust).expect("a constant policy")
}

fn named(principal: &str) -> Result<Principal, GenerateError> {
    match Principal::read("AWS", principal) {
        Ok(Principal::Anyone) => Err(refuse("principal", principal, "is everybody")),
        Ok(named) => Ok(named),
        Err(_) => Err(refuse("principal", principal, "is neither account, user, role nor session")),
    }
}

/// `[\w+=,.@:\/-]{2,1224}` (STS API reference, AssumeRole).
fn check_external_id(id: &str) -> Result<(), GenerateError> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&b);
    if (2..=1224).contains(&id.len()) && id.bytes().all(legal) {
        return Ok(());
    }
    Err(refuse("external ID", id, "is none that AWS takes"))
}

/// Without wildcards only `$` has a meaning of its own.
fn literal(text: &str) -> String {
    text.replace('$', "${$}")
}

fn instant(text: &str) -> Result<jiff::Timestamp, GenerateError> {
    crate::date::instant(text)
        .ok_or_else(|| refuse("instant", text, "is none, as 2027-01-31 and 2027-01-31T08:00:00Z are"))
}

fn refuse(what: &'static str, value: &str, rule: &'static str) -> GenerateError {
    GenerateError::Value { what, value: value.chars().take(200).collect(), rule }
}
