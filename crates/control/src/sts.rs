use std::fmt;

use futures_util::future::BoxFuture;
use iam::Arn;
use identity::{AssumeRole, Connection, Error, Identity, Signer, StsEndpoint};

/// Who makes the calls of a proof.
#[derive(Debug, Clone)]
pub struct AwsCaller {
    /// What signs them. One for all calls of a proof: a refusal of somebody else proves nothing.
    pub signer: Signer,
    /// A user's ARN, or a role session's.
    pub arn: String,
}

/// STS gave a session, and it was thrown away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetIn {
    /// What AWS knows the call by.
    pub request_id: Option<String>,
}

/// The calls that a proof makes. A trait, so that a test can be an STS that changes its mind.
pub trait Sts: fmt::Debug + Send + Sync {
    /// Who we are now.
    fn caller(&self) -> BoxFuture<'_, Result<AwsCaller, Error>>;

    /// Asks for a session of `role`, signed by `caller`, and throws it away unread.
    fn try_role<'a>(&'a self, caller: &'a AwsCaller, role: &'a AssumeRole) -> BoxFuture<'a, Result<LetIn, Error>>;

    /// AWS did not accept `caller`'s session: the next [`Sts::caller`] has another one.
    fn forget(&self, caller: &AwsCaller);
}

/// The real STS, asked as who we are at the end of a connection.
#[derive(Debug)]
pub struct AwsSts {
    clients: aws::Clients,
    ours: Identity,
    endpoint: StsEndpoint,
}

impl AwsSts {
    /// Asks as who we are at the end of `ours`, which has no hop into a customer's account. Makes no call.
    pub fn new(clients: &aws::Clients, ours: &Connection) -> Result<Self, Error> {
        let identity = clients.sessions().open(ours)?;
        Ok(Self { clients: clients.clone(), ours: identity, endpoint: ours.sts.clone() })
    }
}

impl Sts for AwsSts {
    fn caller(&self) -> BoxFuture<'_, Result<AwsCaller, Error>> {
        Box::pin(async {
            let signer = self.ours.signer().await?;
            let arn = self.clients.caller_arn(&self.endpoint, &signer).await?;
            Ok(AwsCaller { signer, arn })
        })
    }

    fn try_role<'a>(&'a self, caller: &'a AwsCaller, role: &'a AssumeRole) -> BoxFuture<'a, Result<LetIn, Error>> {
        Box::pin(async {
            let won = self.clients.try_role(role, &self.endpoint, &caller.signer, &caller.arn).await?;
            Ok(LetIn { request_id: won.request_id })
        })
    }

    fn forget(&self, caller: &AwsCaller) {
        // Of keys there is no other, which the next call will say itself.
        let _ = self.ours.drop_session(&caller.signer);
    }
}

/// Whom a trust policy must name to let in `caller` (an ARN as `GetCallerIdentity` gives it): the user, or the role of the
/// session. A session's ARN does not tell the role's path; a role with one must be given by hand.
pub fn principal_of(caller: &str) -> Option<Arn> {
    let arn: Arn = caller.parse().ok()?;
    match arn.role_session() {
        Some((role, _)) => Arn::iam(arn.partition(), arn.account()?, &format!("role/{role}")).ok(),
        None => (arn.service() == "iam" && arn.resource().starts_with("user/")).then_some(arn),
    }
}

/// Whether `caller` acts as `principal`.
pub(crate) fn acts_as(caller: &str, principal: &Arn) -> bool {
    if caller == principal.as_str() {
        return true;
    }
    let Ok(caller) = caller.parse::<Arn>() else { return false };
    let Some((role, _)) = caller.role_session() else { return false };
    (caller.partition(), caller.account(), Some(role))
        == (principal.partition(), principal.account(), principal.role_name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_acts_as_its_role_whatever_the_path_and_a_user_as_itself() {
        let role: Arn = "arn:aws:iam::222222222222:role/vendor/tidegate".parse().unwrap();
        assert!(acts_as("arn:aws:sts::222222222222:assumed-role/tidegate/i-0abc", &role));
        for other in [
            "arn:aws:sts::222222222222:assumed-role/tidegate2/i-0abc",
            "arn:aws:sts::333333333333:assumed-role/tidegate/i-0abc",
            "arn:aws-cn:sts::222222222222:assumed-role/tidegate/i-0abc",
            "arn:aws:iam::222222222222:user/tidegate",
            "access key AKIA",
        ] {
            assert!(!acts_as(other, &role), "{other}");
        }
        let user: Arn = "arn:aws:iam::222222222222:user/tidegate".parse().unwrap();
        assert!(acts_as(user.as_str(), &user));
        assert!(!acts_as("arn:aws:iam::222222222222:user/apps/tidegate", &user));
    }

    #[test]
    fn the_principal_of_a_caller_is_what_a_trust_policy_names() {
        let of = |caller| principal_of(caller).map(|arn| arn.as_str().to_owned());
        let role = Some("arn:aws:iam::222222222222:role/tidegate".to_owned());
        assert_eq!(of("arn:aws:sts::222222222222:assumed-role/tidegate/i-0abc"), role);
        let user = "arn:aws:iam::222222222222:user/apps/tidegate";
        assert_eq!(of(user).as_deref(), Some(user));
        assert_eq!(of("arn:aws:iam::222222222222:root"), None, "nobody runs a service as root");
        assert_eq!(of("arn:aws:sts::222222222222:federated-user/x"), None);
    }
}
