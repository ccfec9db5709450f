//! Reading what is ours: roles and policies in the accounts of those that we are on the way. For a diagnosis alone: whoever
//! may not read them is told less, and nothing fails for it.

use ::identity::{Connection, Error, Signer};
use aws::{IamEndpoint, ReadGrants};
use iam::{AccountId, Arn, Partition};

use super::identity::caller_before;
use crate::examination::Examination;

/// Where IAM is asked. Nowhere, where STS is not AWS's own and nothing is said of IAM: the keys are not AWS's then.
pub(crate) fn endpoint(x: &Examination<'_>, connection: &Connection) -> Option<IamEndpoint> {
    let own = IamEndpoint::of(Partition::of_region(&connection.sts.region));
    match x.target.spec.as_ref().and_then(|spec| spec.endpoints.iam.as_deref()) {
        Some(url) => Some(own.at(url)),
        None => connection.sts.endpoint.is_none().then_some(own),
    }
}

/// Whoever of those that we are before hop `index` is of `account`, the last one first.
async fn of_account(
    x: &Examination<'_>,
    connection: &Connection,
    index: usize,
    account: AccountId,
) -> Vec<(Signer, String)> {
    let mut all = Vec::new();
    for length in (0..=index.min(connection.hops.len())).rev() {
        let Ok((signer, arn)) = caller_before(x, connection, length).await else { continue };
        if arn.parse::<Arn>().ok().and_then(|arn| arn.account()) == Some(account) {
            all.push((signer, arn));
        }
    }
    all
}

/// Reads the role of hop `index`, if it is of an account of ours.
pub(crate) async fn role(x: &mut Examination<'_>, connection: &Connection, index: usize) {
    let arn = connection.hops[index].role_arn.parse::<Arn>().ok();
    let (Some(iam), Some(arn)) = (endpoint(x, connection), arn) else { return };
    let (Some(account), Some(name)) = (arn.account(), arn.role_name()) else { return };
    for (signer, whom) in of_account(x, connection, index, account).await {
        match x.around.clients.read_role(&iam, name, &signer, &whom).await {
            // A path that differs makes another ARN, which there is not.
            Ok(role) if role.arn == arn.as_str() => return x.facts.ours.role = Some(role),
            Ok(_) => return x.facts.ours.role_is_absent = true,
            Err(Error::Refused(refusal)) if refusal.code == "NoSuchEntity" => {
                return x.facts.ours.role_is_absent = true;
            }
            Err(Error::Refused(refusal)) => x.facts.ours.refused_with = Some(refusal.code.clone()),
            Err(_) => {}
        }
    }
}

/// Reads what `whom` may do, who is one of those that we are up to hop `index`.
pub(crate) async fn grants(
    x: &mut Examination<'_>,
    connection: &Connection,
    index: usize,
    whom: &str,
) -> Option<ReadGrants> {
    let iam = endpoint(x, connection)?;
    let account = whom.parse::<Arn>().ok()?.account()?;
    for (signer, as_whom) in of_account(x, connection, index, account).await {
        match x.around.clients.read_grants(&iam, whom, &signer, &as_whom).await {
            Ok(grants) if !grants.whose.is_empty() => return Some(grants),
            Err(Error::Refused(refusal)) => x.facts.ours.refused_with = Some(refusal.code.clone()),
            Ok(_) | Err(_) => {}
        }
    }
    None
}
