//! What connectors need, and which role needs it.

use connectors::{ConnectorPlan, TopicSelection};
use iam::generate::{Need, S3Place, Trusted, permission_policy};
use iam::{Arn, Document};
use identity::{AssumeRole, Base, Connection, Profile, Purpose, StsEndpoint};
use kafka::config::IamLogin;

use crate::args::Exit;
use crate::policy::generate::{Access, Failure, GenerateArguments, NeedArguments, TrustArguments};
use crate::screen::Screen;

/// A connector, and the way to the role whose policies are asked for: that which writes to S3, or that which signs for
/// Kafka. As a rule they are one.
pub(super) struct Side {
    pub(super) plan: ConnectorPlan,
    pub(super) connection: Connection,
    /// The MSK cluster that the role is to be let into.
    pub(super) kafka: Option<Arn>,
    /// Whether it is the role that writes to S3.
    pub(super) writes: bool,
}

impl Side {
    /// The trust anchor by whose certificates the role is taken on, if it is taken on so at once.
    pub(super) fn trust_anchor(&self) -> Option<Trusted> {
        let Base::RolesAnywhere(anywhere) = &self.connection.base else { return None };
        let trust_anchor = anywhere.trust_anchor_arn.parse().ok().filter(|_| self.connection.hops.is_empty())?;
        Some(Trusted::RolesAnywhere { trust_anchor, common_name: None })
    }
}

/// Which role of each connector the policies are for.
pub(super) fn sides(
    plans: Vec<ConnectorPlan>,
    arguments: &GenerateArguments,
    screen: &Screen,
) -> Result<Vec<Side>, Failure> {
    let cluster = arguments.needs.msk_cluster.as_ref();
    let side = |plan: ConnectorPlan| {
        let writer = plan.connection().clone();
        let (name, Some(signer)) = (plan.name().to_owned(), signer(&plan)) else {
            return Side { plan, connection: writer, kafka: None, writes: true };
        };
        let who = |connection: &Connection| {
            connection.end_role().map_or_else(|| connection.base.to_string(), |role| format!("role {role}"))
        };
        let Some(cluster) = cluster.cloned() else {
            if arguments.permission {
                let text = format!(
                    "warning: {name} signs in to Kafka by IAM as {}; the cluster's ARN is not in the configuration, so that the \
                 policy does not let it in: give --msk-cluster\n",
                    who(&signer)
                );
                screen.print(text.as_bytes());
            }
            return Side { plan, connection: writer, kafka: None, writes: true };
        };
        if matches!(plan.topics(), TopicSelection::Matching(_)) {
            let text = format!(
                "warning: {name} names its topics by a pattern, which IAM has not: the policy lets it read all of the cluster\n"
            );
            screen.print(text.as_bytes());
        }
        let is_one = is_same(&writer, &signer);
        if !is_one {
            let text = format!(
                "{name}: this is for {}, which signs for Kafka; without --msk-cluster it is for {}, which writes to S3\n",
                who(&signer),
                who(&writer)
            );
            screen.print(text.as_bytes());
        }
        Side { plan, connection: signer, kafka: Some(cluster), writes: is_one }
    };
    let sides: Vec<Side> = plans.into_iter().map(side).collect();
    if cluster.is_some() && sides.iter().all(|side| side.kafka.is_none()) {
        let text = "--msk-cluster is given, and no connector signs in to Kafka by IAM (sasl.mechanism AWS_MSK_IAM)";
        return Err(Failure(Exit::Usage, text.to_owned()));
    }
    Ok(sides)
}

/// The way to who signs for Kafka; `None` if nobody does.
fn signer(plan: &ConnectorPlan) -> Option<Connection> {
    let login = IamLogin::of(plan.consumer().as_map())?;
    if let Some(spec) = plan.kafka_connection() {
        return Some(spec.bind(plan.name(), Purpose::Kafka));
    }
    let base = login.profile.map_or(Base::DefaultChain, |name| Base::Profile(Profile::named(name)));
    let role = |arn: String| AssumeRole { external_id: login.external_id.clone(), ..AssumeRole::new(arn, "tidegate") };
    let sts = StsEndpoint::new(login.sts_region.unwrap_or_default());
    Some(Connection { base, hops: login.role_arn.map(role).into_iter().collect(), sts })
}

/// Whether two ways come to the same role or user.
fn is_same(one: &Connection, other: &Connection) -> bool {
    match (one.end_role(), other.end_role()) {
        (None, None) => one.base == other.base,
        (one, other) => one == other,
    }
}

/// The least policy for what is asked for.
pub(super) fn permission(arguments: &GenerateArguments, sides: &[Side], screen: &Screen) -> Result<Document, Failure> {
    let NeedArguments { bucket, prefix, access, partition, kms_key, bucket_owner, roles, .. } = &arguments.needs;
    let mut needs = Vec::new();
    for Side { plan, kafka, writes, .. } in sides {
        needs.extend(kafka.iter().flat_map(|cluster| plan.kafka_needs(cluster)));
        if !writes {
            continue;
        }
        let by_key = plan.s3().server_side_encryption.as_deref().is_some_and(|sse| sse.starts_with("aws:kms"));
        if by_key && kms_key.is_none() {
            screen.print(
                format!(
                    "warning: {} encrypts by KMS; its key is not in the configuration, so that the policy allows none: give --kms-key\n",
                    plan.name()
                )
                .as_bytes(),
            );
        }
        needs.extend(plan.needs(*bucket_owner, kms_key.clone()));
    }
    if let Some(bucket) = bucket {
        let place = S3Place {
            partition: *partition,
            bucket: bucket.clone(),
            prefix: prefix.clone(),
            owner: *bucket_owner,
            key: kms_key.clone(),
        };
        needs.push(match access {
            Access::Write => Need::WriteObjects { place, manifests: Some(manifests(prefix)) },
            Access::Read => Need::ReadObjects { place },
            Access::List => Need::ListObjects { place },
        });
    }
    let TrustArguments { tag_session, source_identity, .. } = arguments.trusted;
    let role = |role: &Arn| Need::AssumeRole { role: role.clone(), tags: tag_session, source_identity };
    needs.extend(roles.iter().map(role));
    if needs.is_empty() {
        let text = "nothing is to be allowed: give --connector, --bucket or --assume-role";
        return Err(Failure(Exit::Usage, text.to_owned()));
    }
    Ok(permission_policy(&needs)?)
}

/// Where a connector puts its manifests: in the folder of the objects.
fn manifests(prefix: &str) -> String {
    let folder = prefix.rfind('/').map_or("", |slash| &prefix[..=slash]);
    format!("{folder}.tidegate/")
}
