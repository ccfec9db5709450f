//! What IAM says of a role or user that is ours to read: whom it lets in, and what it may do. For diagnosis alone: nothing
//! else here needs a right to IAM, and a refusal is as good an answer as any.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::timeout::TimeoutConfig;
use iam::{Arn, Partition};
use identity::{Error, Refusal, Signer, domain_of};
use percent_encoding::percent_decode_str;

use crate::Clients;
use crate::bridge::{ClockBridge, credentials};
use crate::sts::CALL_LIMIT;
use crate::xml::Leaves;

/// The one version of IAM's API.
const VERSION: &str = "2010-05-08";

/// More policies or groups than this are not asked for: IAM's own quotas are lower.
const MAX_PAGES: usize = 10;

/// Where IAM is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IamEndpoint {
    url: String,
    region: &'static str,
}

impl IamEndpoint {
    /// A partition's own: it has one, in one of its regions, for all of them (`aws-sdk`'s endpoint rules of `iam`).
    pub fn of(partition: Partition) -> Self {
        let region = match partition {
            Partition::Aws => "us-east-1",
            Partition::China => "cn-north-1",
            Partition::GovCloud => "us-gov-west-1",
            Partition::EuropeanSovereign => "eusc-de-east-1",
            Partition::Iso => "us-iso-east-1",
            Partition::IsoB => "us-isob-east-1",
            Partition::IsoE => "eu-isoe-west-1",
            Partition::IsoF => "us-isof-south-1",
        };
        let host = match partition {
            Partition::Aws => "iam".to_owned(),
            Partition::GovCloud => "iam.us-gov".to_owned(),
            _ => format!("iam.{region}"),
        };
        Self { url: format!("https://{host}.{}", domain_of(partition)), region }
    }

    /// The same, asked at `url`.
    #[must_use]
    pub fn at(self, url: &str) -> Self {
        Self { url: url.trim_end_matches('/').to_owned(), ..self }
    }
}

/// A role as IAM shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadRole {
    /// Its ARN, with its path.
    pub arn: String,
    /// `AROA..`: as what trust policies are stored that name it.
    pub unique_id: String,
    /// Whom it lets in, as JSON.
    pub trust_policy: String,
    /// The longest session that it gives.
    pub max_session: Duration,
}

/// What a role or user may do, as IAM shows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadGrants {
    /// Whose they are: `role orders`.
    pub whose: String,
    /// Its ARN, with its path, which a session's ARN has lost; empty where it could not be read.
    pub arn: String,
    /// `AROA..` or `AIDA..`; empty where it could not be read.
    pub unique_id: String,
    /// Its policies, also those of its groups.
    pub policies: Vec<ReadPolicy>,
    /// The permissions boundary.
    pub boundary: Option<ReadPolicy>,
    /// What could not be read, each with why. Where there is something, a policy that allows may be missing here.
    pub unread: Vec<String>,
}

/// A policy of a role or user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadPolicy {
    /// An inline policy's name, or a managed one's ARN.
    pub name: String,
    /// As JSON.
    pub text: String,
}

/// Whose policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Role,
    User,
    Group,
}

impl Kind {
    /// As in `GetRolePolicy` and `RoleName`.
    fn word(self) -> &'static str {
        match self {
            Self::Role => "Role",
            Self::User => "User",
            Self::Group => "Group",
        }
    }
}

impl Clients {
    /// Reads the role of this name in the account of `signer`, who acts as `as_whom` (`iam:GetRole`).
    pub async fn read_role(
        &self,
        iam: &IamEndpoint,
        name: &str,
        signer: &Signer,
        as_whom: &str,
    ) -> Result<ReadRole, Error> {
        let ask = Ask { clients: self, iam, signer, as_whom };
        let leaves = ask.call("iam:GetRole", &[("RoleName", name)]).await?;
        let missing = |missing| Error::Malformed { operation: "iam:GetRole", target: format!("role {name}"), missing };
        let text = |path: &[&str], what| leaves.one(path).map(str::to_owned).ok_or_else(|| missing(what));
        let seconds = leaves.one(&["Role", "MaxSessionDuration"]).and_then(|text| text.parse().ok()).unwrap_or(3600);
        Ok(ReadRole {
            arn: text(&["Role", "Arn"], "the ARN")?,
            unique_id: text(&["Role", "RoleId"], "the role's id")?,
            trust_policy: plain(&text(&["Role", "AssumeRolePolicyDocument"], "the trust policy")?),
            max_session: Duration::from_secs(seconds),
        })
    }

    /// Reads what `whom` may do: the ARN of a role, of a session of one, or of a user, in the account of `signer`, who acts
    /// as `as_whom`. What cannot be read is named; nothing at all of somebody whose policies nobody may see, or who has
    /// none (a root, a service).
    pub async fn read_grants(
        &self,
        iam: &IamEndpoint,
        whom: &str,
        signer: &Signer,
        as_whom: &str,
    ) -> Result<ReadGrants, Error> {
        let whom: Option<Arn> = whom.parse().ok();
        let session = whom.as_ref().and_then(|arn| arn.role_session().map(|(role, _)| (Kind::Role, role)));
        let role = || whom.as_ref().and_then(|arn| arn.role_name().map(|name| (Kind::Role, name)));
        let user = || whom.as_ref().and_then(|arn| arn.user_name().map(|name| (Kind::User, name)));
        let Some((kind, name)) = session.or_else(role).or_else(user) else { return Ok(ReadGrants::default()) };
        let ask = Ask { clients: self, iam, signer, as_whom };
        let mut grants =
            ReadGrants { whose: format!("{} {name}", kind.word().to_lowercase()), ..ReadGrants::default() };
        ask.policies_of(kind, name, &mut grants).await?;
        let operation = if kind == Kind::Role { "iam:GetRole" } else { "iam:GetUser" };
        match ask.call(operation, &[(&format!("{}Name", kind.word()), name)]).await {
            Ok(leaves) => {
                let arn = leaves.one(&["Role", "Arn"]).or(leaves.one(&["User", "Arn"]));
                grants.arn = arn.unwrap_or_default().to_owned();
                grants.unique_id = leaves.one(&["RoleId"]).or(leaves.one(&["UserId"])).unwrap_or_default().to_owned();
                if let Some(arn) = leaves.one(&["PermissionsBoundary", "PermissionsBoundaryArn"]) {
                    match ask.managed(arn).await {
                        Ok(text) => grants.boundary = Some(ReadPolicy { name: arn.to_owned(), text }),
                        Err(error) => grants.unread.push(format!("boundary {arn} ({})", brief(&error))),
                    }
                }
            }
            Err(error) => grants.unread.push(format!("the permissions boundary ({})", brief(&error))),
        }
        if kind == Kind::User {
            match ask.pages("iam:ListGroupsForUser", &[("UserName", name)], &["Groups", "member", "GroupName"]).await {
                Ok(groups) => {
                    for group in groups {
                        if let Err(error) = ask.policies_of(Kind::Group, &group, &mut grants).await {
                            grants.unread.push(format!("the policies of group {group} ({})", brief(&error)));
                        }
                    }
                }
                Err(error) => grants.unread.push(format!("the groups of {} ({})", grants.whose, brief(&error))),
            }
        }
        Ok(grants)
    }
}

/// Asks IAM as somebody.
struct Ask<'a> {
    clients: &'a Clients,
    iam: &'a IamEndpoint,
    signer: &'a Signer,
    as_whom: &'a str,
}

impl Ask<'_> {
    /// Inline and managed policies. An error only if neither may be listed.
    async fn policies_of(&self, kind: Kind, name: &str, grants: &mut ReadGrants) -> Result<(), Error> {
        let [list, list_attached, get]: [&'static str; 3] = match kind {
            Kind::Role => ["iam:ListRolePolicies", "iam:ListAttachedRolePolicies", "iam:GetRolePolicy"],
            Kind::User => ["iam:ListUserPolicies", "iam:ListAttachedUserPolicies", "iam:GetUserPolicy"],
            Kind::Group => ["iam:ListGroupPolicies", "iam:ListAttachedGroupPolicies", "iam:GetGroupPolicy"],
        };
        let parameter = format!("{}Name", kind.word());
        let of = (parameter.as_str(), name);
        let inline = self.pages(list, &[of], &["PolicyNames", "member"]).await;
        let attached = self.pages(list_attached, &[of], &["AttachedPolicies", "member", "PolicyArn"]).await;
        if let (Err(error), Err(_)) = (&inline, &attached) {
            return Err(error.clone());
        }
        match inline {
            Ok(names) => {
                for policy in names {
                    match self.call(get, &[of, ("PolicyName", &policy)]).await {
                        Ok(leaves) => {
                            let text = plain(leaves.one(&["PolicyDocument"]).unwrap_or_default());
                            grants.policies.push(ReadPolicy { name: policy, text });
                        }
                        Err(error) => grants.unread.push(format!("policy {policy} ({})", brief(&error))),
                    }
                }
            }
            Err(error) => grants.unread.push(format!("the inline policies ({})", brief(&error))),
        }
        match attached {
            Ok(arns) => {
                for arn in arns {
                    match self.managed(&arn).await {
                        Ok(text) => grants.policies.push(ReadPolicy { name: arn, text }),
                        Err(error) => grants.unread.push(format!("policy {arn} ({})", brief(&error))),
                    }
                }
            }
            Err(error) => grants.unread.push(format!("the managed policies ({})", brief(&error))),
        }
        Ok(())
    }

    /// The version of a managed policy that is in force.
    async fn managed(&self, arn: &str) -> Result<String, Error> {
        let leaves = self.call("iam:GetPolicy", &[("PolicyArn", arn)]).await?;
        let version = leaves.one(&["Policy", "DefaultVersionId"]).unwrap_or("v1");
        let leaves = self.call("iam:GetPolicyVersion", &[("PolicyArn", arn), ("VersionId", version)]).await?;
        Ok(plain(leaves.one(&["PolicyVersion", "Document"]).unwrap_or_default()))
    }

    /// All that a list has at `path`.
    async fn pages(
        &self,
        operation: &'static str,
        parameters: &[(&str, &str)],
        path: &[&str],
    ) -> Result<Vec<String>, Error> {
        let (mut all, mut marker) = (Vec::new(), None::<String>);
        for _ in 0..MAX_PAGES {
            let mut parameters = parameters.to_vec();
            parameters.extend(marker.as_deref().map(|marker| ("Marker", marker)));
            let leaves = self.call(operation, &parameters).await?;
            all.extend(leaves.all(path).map(str::to_owned));
            marker = leaves.one(&["Marker"]).map(str::to_owned);
            if marker.is_none() || leaves.one(&["IsTruncated"]) != Some("true") {
                break;
            }
        }
        Ok(all)
    }

    async fn call(&self, operation: &'static str, parameters: &[(&str, &str)]) -> Result<Leaves, Error> {
        let name = operation.trim_start_matches("iam:");
        let mut form = format!("Action={name}&Version={VERSION}");
        for (name, value) in parameters {
            write!(form, "&{name}={}", crate::msk::encoded(value)).expect("writing to a String does not fail");
        }
        let target = parameters.last().map_or_else(String::new, |(_, value)| (*value).to_owned());
        let unreachable = |source: Arc<dyn std::error::Error + Send + Sync>| Error::Unreachable {
            operation,
            target: target.clone(),
            endpoint: self.iam.url.clone(),
            source,
        };
        let headers = self.signature(&form).map_err(|why| unreachable(Arc::new(std::io::Error::other(why))))?;
        let answer = self.send(name, headers, form).await.map_err(|error| unreachable(Arc::new(error)))?;
        let leaves = Leaves::read(&answer.body);
        if (200..300).contains(&answer.status) {
            return leaves.ok_or_else(|| Error::Malformed { operation, target, missing: "XML" });
        }
        let text = |path: &[&str]| leaves.as_ref().and_then(|leaves| leaves.one(path)).map(str::to_owned);
        Err(Error::Refused(Arc::new(Refusal {
            operation,
            target,
            as_whom: self.as_whom.to_owned(),
            endpoint: self.iam.url.clone(),
            status: answer.status,
            code: text(&["Error", "Code"]).unwrap_or_else(|| answer.status.to_string()),
            message: text(&["Error", "Message"]).unwrap_or_default(),
            request_id: answer.request_id.or_else(|| text(&["RequestId"])),
            with_external_id: false,
        })))
    }

    /// The headers that sign the form.
    fn signature(&self, form: &str) -> Result<Vec<(String, String)>, String> {
        if matches!(self.signer, Signer::Anonymous) {
            return Err("nobody cannot sign".to_owned());
        }
        let now: SystemTime = self.clients.clock().now();
        let identity = credentials(self.signer).into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.iam.region)
            .name("iam")
            .time(now)
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| error.to_string())?
            .into();
        let url = format!("{}/", self.iam.url);
        let headers = [("content-type", FORM)].into_iter();
        let body = SignableBody::Bytes(form.as_bytes());
        let request = SignableRequest::new("POST", &url, headers, body).map_err(|error| error.to_string())?;
        let (instructions, _) = sign(request, &parameters).map_err(|error| error.to_string())?.into_parts();
        Ok(instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    async fn send(
        &self,
        name: &str,
        headers: Vec<(String, String)>,
        form: String,
    ) -> Result<Answer, aws_smithy_runtime_api::client::result::SdkError<Infallible, HttpResponse>> {
        Operation::builder()
            .service_name("iam")
            .operation_name(name.to_owned())
            .behavior_version(BehaviorVersion::latest())
            .http_client(self.clients.http().clone())
            .endpoint_url(&self.iam.url)
            .no_auth()
            .no_retry()
            .timeout_config(TimeoutConfig::builder().operation_timeout(CALL_LIMIT).build())
            .sleep_impl(TokioSleep::new())
            .time_source(ClockBridge(self.clients.clock().clone()))
            .serializer(|(headers, form): (Vec<(String, String)>, String)| {
                let mut built = http::Request::post("/").header("content-type", FORM);
                for (name, value) in &headers {
                    built = built.header(name, value);
                }
                Ok(HttpRequest::try_from(built.body(SdkBody::from(form))?)?)
            })
            .deserializer(|response: &HttpResponse| {
                Ok::<_, aws_smithy_runtime_api::client::orchestrator::OrchestratorError<Infallible>>(Answer {
                    status: response.status().as_u16(),
                    request_id: response.headers().get("x-amzn-requestid").map(str::to_owned),
                    body: response.body().bytes().unwrap_or_default().to_vec(),
                })
            })
            .build()
            .invoke((headers, form))
            .await
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

#[derive(Debug)]
struct Answer {
    status: u16,
    request_id: Option<String>,
    body: Vec<u8>,
}

/// IAM sends policies percent-encoded (RFC 3986).
fn plain(encoded: &str) -> String {
    percent_decode_str(encoded).decode_utf8_lossy().into_owned()
}

/// An error in a word or two.
fn brief(error: &Error) -> String {
    match error {
        Error::Refused(refusal) => refusal.code.clone(),
        error => fault::Diagnose::code(error).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_partition_has_an_iam_of_its_own() {
        let of = |partition| {
            let IamEndpoint { url, region } = IamEndpoint::of(partition);
            format!("{url} {region}")
        };
        assert_eq!(of(Partition::Aws), "https://iam.amazonaws.com us-east-1");
        assert_eq!(of(Partition::China), "https://iam.cn-north-1.amazonaws.com.cn cn-north-1");
        assert_eq!(of(Partition::GovCloud), "https://iam.us-gov.amazonaws.com us-gov-west-1");
        assert_eq!(of(Partition::EuropeanSovereign), "https://iam.eusc-de-east-1.amazonaws.eu eusc-de-east-1");
    }
}
