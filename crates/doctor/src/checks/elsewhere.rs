//! The same once more, asked for elsewhere: what tells a region's or a partition's refusal from any other.

use ::identity::{Base, Connection, Error, StsEndpoint};
use iam::Partition;

use super::bucket::options;
use super::identity::try_role;
use crate::examination::Examination;
use crate::{Depth, Place, Trial};

/// A region of each partition that every account has from the beginning.
const HOMES: [&str; 3] = ["us-east-1", "us-gov-west-1", "cn-north-1"];

/// Two regions that every account of the partition has from the beginning; the second for whoever is in the first.
fn others(region: &str) -> &'static [&'static str] {
    match Partition::of_region(region).name() {
        "aws" => &["us-east-1", "eu-west-1"],
        "aws-us-gov" => &["us-gov-west-1", "us-gov-east-1"],
        "aws-cn" => &["cn-north-1", "cn-northwest-1"],
        _ => &[],
    }
}

/// After keys that STS does not know: whether another partition or region knows them. After a role that is refused: whether
/// it lets us in elsewhere.
pub(crate) async fn of_identity(x: &mut Examination<'_>) {
    let Some(connection) = x.target.connection.clone() else { return };
    if x.depth < Depth::Identity {
        return;
    }
    if let Some(Error::Refused(refusal)) = &x.facts.base_error
        && is_unknown(&refusal.code)
        && matches!(connection.base, Base::Keys(_) | Base::Environment | Base::Profile(_) | Base::DefaultChain)
    {
        let region = &connection.sts.region;
        for home in HOMES.into_iter().chain(others(region).iter().copied()).filter(|home| home != region) {
            if let Some(Ok(stop)) = x.around.clients.walk(&in_region(&connection, home, 0)).await.pop() {
                x.facts.base_elsewhere = stop.arn.map(|arn| (home.to_owned(), arn));
                return;
            }
        }
    }
    if let Some((index, Error::Refused(refusal))) = &x.facts.hop_error
        && (["AccessDenied", "RegionDisabledException"].contains(&refusal.code.as_str()) || is_unknown(&refusal.code))
    {
        let index = *index;
        let region = connection.sts.region.clone();
        let Some(other) = others(&region).iter().find(|other| **other != region) else { return };
        let elsewhere = in_region(&connection, other, index + 1);
        let answer = try_role(x, &elsewhere, index, &connection.hops[index]).await;
        x.facts.hop_elsewhere = Some(((*other).to_owned(), answer));
    }
}

fn is_unknown(code: &str) -> bool {
    ["InvalidClientTokenId", "UnrecognizedClientException", "InvalidToken"].contains(&code)
}

/// The connection up to that many of its roles, asked for in another region. An endpoint that is written down is asked
/// there too: it may be one for all, and if it is not it will say no.
fn in_region(connection: &Connection, region: &str, hops: usize) -> Connection {
    let sts = StsEndpoint { region: region.to_owned(), ..connection.sts.clone() };
    Connection { hops: connection.hops[..hops].to_vec(), sts, ..connection.clone() }
}

/// After a bucket that is elsewhere: whether it is the right one. After a session that S3 does not take: whether the
/// bucket's region takes who we are.
pub(crate) async fn of_bucket(x: &mut Examination<'_>) {
    let (Some(connection), Some(place)) = (x.target.connection.clone(), x.target.place.clone()) else { return };
    if let Some(region) = x.facts.bucket_region.clone().filter(|region| *region != place.region) {
        let there = Place { region, owner: None, ..place.clone() };
        let list = async |place: &Place| {
            let probe = x.around.clients.s3_probe(&connection, options(place)).ok()?;
            Some(Trial::of_s3(&probe.list(&place.prefix, 1, false).await.answer))
        };
        if let Some(anyone) = list(&there).await {
            let ours = match place.owner {
                Some(_) if anyone.is_done() => list(&Place { owner: place.owner, ..there.clone() }).await,
                _ => None,
            };
            x.facts.list_there = Some((anyone, ours));
        }
    } else if x.facts.bucket.as_ref().and_then(Trial::code) == Some("400") {
        // A HEAD has no body to say why in.
        if let Ok(probe) = x.around.clients.s3_probe(&connection, options(&place)) {
            x.facts.list = Some(Trial::of_s3(&probe.list(&place.prefix, 1, false).await.answer));
        }
    }
    let not_taken = x.facts.s3_refusals().any(|(_, trial)| trial.code().is_some_and(is_unknown));
    if not_taken {
        let there = in_region(&connection, &place.region, 0);
        x.facts.sts_there = x.around.clients.walk(&there).await.pop().map(|answer| Trial::of_sts(&answer));
    }
}
