use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum};
use connectors::ConnectorPlan;
use fault::{Chain, Diagnose as _};
use iam::generate::{Form, GenerateError, Restrictions, Subject, Trust, Trusted, placeholder_policy, render};
use iam::{AccountId, Arn, Document, Partition};
use world::Environment;

use crate::args::{Exit, WorkerArguments};
use crate::integrated::Known;
use crate::integration::StoreArguments;
use crate::load::load;
use crate::policy::needs::{Side, permission, sides};
use crate::screen::Screen;
use crate::stdout::print;

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").required(true).multiple(true).args(["permission", "trust", "placeholder"])))]
pub(super) struct GenerateArguments {
    /// What it may do: the least that is needed.
    #[arg(long)]
    pub(super) permission: bool,
    /// Who may take the role on.
    #[arg(long)]
    trust: bool,
    /// The trust policy of a role that is made first: it lets in nobody.
    #[arg(long, conflicts_with = "trust")]
    placeholder: bool,
    /// How it is written.
    #[arg(long, value_enum, default_value_t = Format::Json)]
    format: Format,
    #[command(flatten)]
    names: NameArguments,
    #[command(flatten)]
    pub(super) needs: NeedArguments,
    #[command(flatten)]
    pub(super) trusted: TrustArguments,
}

#[derive(Debug, Args)]
struct NameArguments {
    /// The role's name, for the other formats than json. Not set: that of the role which the connector takes on.
    #[arg(long, value_name = "NAME")]
    role: Option<String>,
    /// The policy's name, for the other formats than json.
    #[arg(long, value_name = "NAME", default_value = "tidegate")]
    name: String,
    /// The role is there already: only its policies are written.
    #[arg(long)]
    existing_role: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Json,
    Terraform,
    #[value(name = "cloudformation")]
    CloudFormation,
    /// Commands of the AWS CLI.
    #[value(name = "cli", alias = "aws-cli")]
    AwsCli,
}

impl From<Format> for Form {
    fn from(format: Format) -> Self {
        match format {
            Format::Json => Self::Json,
            Format::Terraform => Self::Terraform,
            Format::CloudFormation => Self::CloudFormation,
            Format::AwsCli => Self::AwsCli,
        }
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "For --permission")]
pub(super) struct NeedArguments {
    /// A connector file, whose every call is to be allowed and nothing else. May be given several times.
    #[arg(long = "connector", value_name = "FILE")]
    connectors: Vec<PathBuf>,
    #[command(flatten)]
    worker: WorkerArguments,
    #[command(flatten)]
    store: StoreArguments,
    /// A bucket to write to, without a connector.
    #[arg(long, value_name = "NAME", conflicts_with = "connectors")]
    pub(super) bucket: Option<String>,
    /// What the names of all objects begin with.
    #[arg(long, value_name = "TEXT", default_value = "", requires = "bucket")]
    pub(super) prefix: String,
    /// What is done with the bucket's objects.
    #[arg(long, value_enum, default_value_t = Access::Write, requires = "bucket")]
    pub(super) access: Access,
    /// The partition of the bucket.
    #[arg(long, value_name = "NAME", default_value = "aws", requires = "bucket", value_parser = partition)]
    pub(super) partition: Partition,
    /// The KMS key that encrypts the objects.
    #[arg(long, value_name = "ARN", value_parser = arn)]
    pub(super) kms_key: Option<Arn>,
    /// The Amazon MSK cluster that the connector reads from, signed in by IAM. If another role signs for Kafka than for S3,
    /// the policies are that role's, for Kafka alone.
    #[arg(long, value_name = "ARN", requires = "connectors", value_parser = arn)]
    pub(super) msk_cluster: Option<Arn>,
    /// The account that must own the bucket.
    #[arg(long, value_name = "ACCOUNT", value_parser = account)]
    pub(super) bucket_owner: Option<AccountId>,
    /// A role to take on. May be given several times.
    #[arg(long = "assume-role", value_name = "ARN", value_parser = arn)]
    pub(super) roles: Vec<Arn>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Access {
    /// Written exactly once, as the S3 sink does.
    Write,
    /// Read and listed.
    Read,
    /// Listed only.
    List,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "For --trust")]
pub(super) struct TrustArguments {
    /// Somebody else's role, user or account that may come in; an --external-id for each. May be given several times.
    #[arg(long = "principal", value_name = "ARN")]
    principals: Vec<String>,
    /// The external ID of the principal of the same place. May be given several times.
    #[arg(long = "external-id", value_name = "ID")]
    external_ids: Vec<String>,
    /// The principals may not be there yet: their accounts are named, and a condition narrows that down to them.
    #[arg(long)]
    not_yet: bool,
    /// A role, user or account of yours that may come in, without an external ID. May be given several times.
    #[arg(long = "own-principal", value_name = "ARN")]
    own_principals: Vec<String>,
    /// A trust anchor of IAM Roles Anywhere whose certificates may come in.
    #[arg(long, value_name = "ARN", value_parser = arn)]
    trust_anchor: Option<Arn>,
    /// The common name that such a certificate must have.
    #[arg(long, value_name = "NAME", requires = "trust_anchor")]
    common_name: Option<String>,
    /// An AWS service that may come in (ec2.amazonaws.com).
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// The account for which alone the service may come, for services that say so.
    #[arg(long, value_name = "ACCOUNT", requires = "service", value_parser = account)]
    source_account: Option<AccountId>,
    /// An OIDC provider whose tokens may come in.
    #[arg(long, value_name = "ARN", requires = "subject", value_parser = arn)]
    oidc_provider: Option<Arn>,
    /// The subject that such a token must be of.
    #[arg(long, value_name = "TEXT", requires = "oidc_provider")]
    subject: Option<String>,
    /// The audience that such a token must be for.
    #[arg(long, value_name = "TEXT", default_value = "sts.amazonaws.com", requires = "oidc_provider")]
    audience: String,
    /// Sessions may be tagged, which transitive tags of EKS Pod Identity ask for too.
    #[arg(long)]
    pub(super) tag_session: bool,
    /// Sessions may carry a source identity.
    #[arg(long)]
    pub(super) source_identity: bool,
    /// An address or CIDR block that requests must come from. May be given several times.
    #[arg(long = "source-ip", value_name = "CIDR")]
    source_ips: Vec<String>,
    /// Not before this day or instant.
    #[arg(long, value_name = "DATE")]
    not_before: Option<String>,
    /// Not after this day or instant.
    #[arg(long, value_name = "DATE")]
    not_after: Option<String>,
    /// The organisation that callers must be in.
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
}

fn account(text: &str) -> Result<AccountId, String> {
    text.parse().map_err(|error: iam::ArnError| error.to_string())
}

fn arn(text: &str) -> Result<Arn, String> {
    text.parse().map_err(|error: iam::ArnError| error.to_string())
}

fn partition(text: &str) -> Result<Partition, String> {
    Partition::ALL.into_iter().find(|known| known.name() == text).ok_or_else(|| format!("{text} is no partition"))
}

/// Why nothing is generated.
pub(super) struct Failure(pub(super) Exit, pub(super) String);

impl From<GenerateError> for Failure {
    fn from(error: GenerateError) -> Self {
        let hint = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
        Self(Exit::Usage, format!("{}{hint}", Chain(&error)))
    }
}

/// `tidegate policy generate`: policies made to measure.
pub(super) async fn generate(arguments: &GenerateArguments, environment: &Environment, screen: &Screen) -> Exit {
    match written(arguments, environment, screen).await {
        Ok(out) => print(&out, Exit::Done, screen),
        Err(Failure(exit, text)) => {
            screen.print(format!("error: {text}\n").as_bytes());
            exit
        }
    }
}

async fn written(arguments: &GenerateArguments, environment: &Environment, screen: &Screen) -> Result<String, Failure> {
    let plans = plans(&arguments.needs, environment, screen).await?;
    let sides = sides(plans, arguments, screen)?;
    let trust = match (arguments.trust, arguments.placeholder) {
        (true, _) => Some(trust(&arguments.trusted, &sides)?),
        (false, true) => Some(placeholder_policy()),
        (false, false) => None,
    };
    let permission = if arguments.permission { Some(permission(arguments, &sides, screen)?) } else { None };
    if arguments.format == Format::Json && trust.is_some() && permission.is_some() {
        let text = "JSON holds one policy: ask for one of the two, or for another --format";
        return Err(Failure(Exit::Usage, text.to_owned()));
    }
    let role = arguments.names.role.clone().or_else(|| role_of(&sides));
    let name = arguments.names.name.as_str();
    let subject = match (&trust, &permission, &role) {
        (None, Some(permission), None) => Subject::Policy { name, permission },
        (None, Some(permission), Some(role)) => Subject::RolePolicy { role, name, permission },
        // A document has no name.
        (Some(trust), None, None) if arguments.format == Format::Json => Subject::RoleTrust { role: name, trust },
        (Some(_), _, None) => {
            return Err(Failure(Exit::Usage, "--role is needed: a trust policy is part of a role".to_owned()));
        }
        (Some(_), _, Some(_)) if arguments.names.existing_role && arguments.format == Format::CloudFormation => {
            let text =
                "CloudFormation cannot change the trust of a role that it has not made: leave out --existing-role";
            return Err(Failure(Exit::Usage, text.to_owned()));
        }
        (Some(trust), permission, Some(role)) if arguments.names.existing_role => {
            let mut out = render(Subject::RoleTrust { role, trust }, arguments.format.into())?;
            if let Some(permission) = permission {
                let subject = Subject::RolePolicy { role, name, permission };
                let more = render(subject, arguments.format.into())?;
                out.push_str(&more);
            }
            return Ok(out);
        }
        (Some(trust), permission, Some(role)) => {
            Subject::Role { role, trust, permission: permission.as_ref().map(|permission| (name, permission)) }
        }
        (None, None, _) => {
            return Err(Failure(Exit::Usage, "neither a permission nor a trust is asked for".to_owned()));
        }
    };
    Ok(render(subject, arguments.format.into())?)
}

async fn plans(
    arguments: &NeedArguments,
    environment: &Environment,
    screen: &Screen,
) -> Result<Vec<ConnectorPlan>, Failure> {
    if arguments.connectors.is_empty() {
        return Ok(Vec::new());
    }
    // A role gets its policies before it is proven.
    let integrations = Known::read_unproven(&arguments.store, &arguments.worker, environment).await;
    let integrations = integrations.map(|known| known as _);
    let loaded = load(&arguments.connectors, &arguments.worker, integrations, environment)
        .map_err(|text| Failure(Exit::Usage, text))?;
    let mut plans = Vec::new();
    for report in loaded.reports {
        match report.plan() {
            Some(plan) if report.is_ok() => plans.push(plan.clone()),
            _ => screen.print(report.to_string().as_bytes()),
        }
    }
    if plans.len() == arguments.connectors.len() {
        return Ok(plans);
    }
    Err(Failure(Exit::Refused, "a connector is refused, so that what it needs is not known".to_owned()))
}

fn trust(arguments: &TrustArguments, sides: &[Side]) -> Result<Document, Failure> {
    let mut external_ids = arguments.external_ids.clone();
    if external_ids.is_empty()
        && let Some(id) = sides.iter().find_map(|side| side.connection.hops.last()?.external_id.clone())
    {
        external_ids.push(id);
    }
    if external_ids.len() != arguments.principals.len() {
        let text = format!(
            "{} principals and {} external IDs: give each --principal its --external-id, in the same order",
            arguments.principals.len(),
            external_ids.len()
        );
        return Err(Failure(Exit::Usage, text));
    }
    let parties = arguments.principals.iter().zip(external_ids);
    let mut trusted: Vec<Trusted> = parties
        .map(|(principal, external_id)| Trusted::Party {
            principal: principal.clone(),
            external_id,
            exists: !arguments.not_yet,
        })
        .collect();
    trusted.extend(arguments.own_principals.iter().map(|principal| Trusted::Own { principal: principal.clone() }));
    if let Some(trust_anchor) = arguments.trust_anchor.clone() {
        trusted.push(Trusted::RolesAnywhere { trust_anchor, common_name: arguments.common_name.clone() });
    }
    let handed_on = sides.iter().map(|side| side.connection.hands_on());
    let (tag_session, set_source_identity) = handed_on
        .fold((arguments.tag_session, arguments.source_identity), |(tags, source_identity), handed_on| {
            (tags | handed_on.tags, source_identity | handed_on.source_identity)
        });
    if let Some(service) = arguments.service.clone() {
        trusted.push(Trusted::Service { service, source_account: arguments.source_account });
    }
    if let (Some(provider), Some(subject)) = (arguments.oidc_provider.clone(), arguments.subject.clone()) {
        trusted.push(Trusted::WebIdentity { provider, audience: arguments.audience.clone(), subject });
    }
    if trusted.is_empty() {
        trusted.extend(sides.iter().find_map(Side::trust_anchor));
    }
    if trusted.is_empty() {
        let text =
            "nobody is to come in: give --principal, --own-principal, --trust-anchor, --service or --oidc-provider";
        return Err(Failure(Exit::Usage, text.to_owned()));
    }
    let only = Restrictions {
        source_ips: arguments.source_ips.clone(),
        not_before: arguments.not_before.clone(),
        not_after: arguments.not_after.clone(),
        organisation: arguments.organization.clone(),
    };
    Ok(Trust { trusted, tag_session, set_source_identity, only }.policy()?)
}

/// The name of the role that the connectors take on.
fn role_of(sides: &[Side]) -> Option<String> {
    let arn: Arn = sides.first()?.connection.end_role()?.parse().ok()?;
    arn.role_name().map(str::to_owned)
}
