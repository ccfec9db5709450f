//! Regions and partitions: which STS knows us, and where its sessions are taken.

mod bucket;
mod written;

use std::fmt::Write as _;

use ::identity::{Error, domain_of};
use iam::Partition;

use super::Case;
use super::shell::word;
use crate::{Cause, Check, Diagnosis, Paste, Remedy, Trial};

static GLOBAL_STS: Cause = Cause {
    row: "F29",
    code: "region.global-sts-endpoint",
    title: "sessions come from STS's global endpoint, and the region takes none of these",
    symptom: "InvalidClientTokenId or InvalidToken, in regions that an account has to opt in to",
    why: "sessions of sts.amazonaws.com are good in those regions alone that every account has from the beginning",
    apart: "the STS host that was asked",
    cure: "ask STS of a region: sts.REGION.amazonaws.com, as Tidegate does unless it is told otherwise",
    texts: &[
        "invalidclienttokenid",
        "security token included in the request is invalid",
        "provided token is malformed or otherwise invalid",
    ],
};

static NOT_OPTED_IN: Cause = Cause {
    row: "F30",
    code: "region.not-enabled-for-us",
    title: "the region is not enabled in the account that we come from",
    symptom: "the provided token is malformed or otherwise invalid, also with STS of a region",
    why: "the bucket's account has opted in to the region, and the account of the base identity has not",
    apart: "STS of that region does not know the base's keys, and STS of another region does",
    cure: "enable the region in the account of the base identity too",
    texts: &[
        "invalidtoken",
        "provided token is malformed or otherwise invalid",
        "security token included in the request is invalid",
    ],
};

static STS_OFF: Cause = Cause {
    row: "F31",
    code: "region.sts-deactivated",
    title: "STS is deactivated in this region for the role's account",
    symptom: "RegionDisabledException on AssumeRole, and through this region alone",
    why: "an account can switch STS off in regions; GetCallerIdentity does not show it",
    apart: "the code, and that the role is given in another region",
    cure: "activate STS in the region (IAM console, account settings), or ask STS of another one",
    texts: &["regiondisabledexception", "sts is not activated in this region"],
};

static OTHER_PARTITION: Cause = Cause {
    row: "F32",
    code: "region.other-partition",
    title: "the keys are of another partition of AWS than the region",
    symptom: "InvalidClientTokenId or InvalidToken with keys that are right",
    why: "aws, aws-us-gov and aws-cn know nothing of each other's accounts",
    apart: "STS of the other partition knows the keys",
    cure: "name a region of the partition that the keys are of",
    texts: &[
        "invalidclienttokenid",
        "security token included in the request is invalid",
        "unrecognizedclientexception",
    ],
};

static REGION_DENIED: Cause = Cause {
    row: "F34",
    code: "region.denied-by-organisation",
    title: "a policy of the organisation allows some regions alone",
    symptom: "AccessDenied in some regions, and not in others",
    why: "a service control policy denies what is asked for in a region that is not on its list (aws:RequestedRegion)",
    apart: "the same is allowed in another region",
    cure: "use an allowed region, or have this one put on the list",
    texts: &["explicit deny in a service control policy", "aws:requestedregion"],
};

static NEW_REGION: Cause = Cause {
    row: "F40",
    code: "region.opened-after-2019",
    title: "the bucket's region does not take sessions that were had for another one",
    symptom: "InvalidToken for buckets in regions that opened after March 2019",
    why: "there is no redirect to the regions that opened since, and their S3 takes sessions of regional STS endpoints alone",
    apart: "STS of the bucket's region knows who we are",
    cure: "let the connection's region be the bucket's, so that the session comes from there",
    texts: &["invalidtoken", "provided token is malformed or otherwise invalid"],
};

pub(super) static CAUSES: &[&[&Cause]] = &[SESSIONS, bucket::CAUSES, written::CAUSES];

static SESSIONS: &[&Cause] = &[&GLOBAL_STS, &NOT_OPTED_IN, &STS_OFF, &OTHER_PARTITION, &REGION_DENIED, &NEW_REGION];

/// The regions that every account has from the beginning. The list is closed: each region that opened after March 2019 is
/// one to opt in to (AWS account management guide).
const FROM_THE_BEGINNING: [&str; 17] = [
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

/// Whether an account has to opt in to `region`.
fn is_opt_in(region: &str) -> bool {
    Partition::of_region(region).name() == "aws" && !FROM_THE_BEGINNING.contains(&region)
}

pub(super) fn explain(case: &mut Case<'_>) {
    written::explain(case);
    identity(case);
    role(case);
    taken(case);
}

fn is_global(url: Option<&str>) -> bool {
    url.is_some_and(|url| host(url) == "sts.amazonaws.com")
}

fn regional_sts(region: &str) -> Remedy {
    let domain = domain_of(Partition::of_region(region));
    let setting = format!(
        "endpoints = {{ sts = \"https://sts.{region}.{domain}\" }}   # or none at all, and region = \"{region}\""
    );
    Remedy::paste("ask STS of a region", Paste::Setting(setting))
}

fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', ':']).next().unwrap_or_default()
}

fn is_unknown(code: &str) -> bool {
    ["InvalidClientTokenId", "UnrecognizedClientException", "InvalidToken"].contains(&code)
}

/// Keys that STS does not know.
fn identity(case: &mut Case<'_>) {
    let (Some(connection), Some(Error::Refused(refusal))) = (&case.target.connection, &case.facts.base_error) else {
        return;
    };
    if !is_unknown(&refusal.code) {
        return;
    }
    let region = &connection.sts.region;
    let ours = Partition::of_region(region);
    match &case.facts.base_elsewhere {
        Some((there, arn)) if Partition::of_region(there) != ours => {
            let because =
                format!("STS in {there} knows the keys, as {arn}, and {region} is in partition {}", ours.name());
            let remedy =
                Remedy::paste("name a region of the keys' partition", Paste::Setting(format!("region = \"{there}\"")));
            case.explain(Check::BASE, Diagnosis::decided(&OTHER_PARTITION, because).cure(remedy));
        }
        Some((there, arn)) => {
            let because = format!("STS in {there} knows the keys, as {arn}, and STS in {region} does not");
            case.explain(Check::BASE, Diagnosis::decided(&NOT_OPTED_IN, because).cure(enable(region, Some(arn))));
        }
        None => {
            let apart = format!(
                "whether STS of another partition than {} knows the keys; those that were asked do not",
                ours.name()
            );
            let command = "aws sts get-caller-identity --region us-east-1   # and us-gov-west-1, cn-north-1".to_owned();
            let remedy = Remedy::paste("ask the other partitions", Paste::Command(command));
            case.explain(Check::BASE, Diagnosis::possible(&OTHER_PARTITION, apart).cure(remedy));
        }
    }
}

fn enable(region: &str, arn: Option<&str>) -> Remedy {
    let account = arn.and_then(|arn| arn.parse::<iam::Arn>().ok()).and_then(|arn| arn.account());
    let whose =
        account.map_or_else(|| "the base identity's account".to_owned(), |account| format!("account {account}"));
    let command = format!("aws account enable-region --region-name {}   # in {whose}", word(region));
    Remedy::paste(format!("enable {region} in {whose}"), Paste::Command(command))
}

/// A role that is refused here, and perhaps not elsewhere.
fn role(case: &mut Case<'_>) {
    let (Some(connection), Some((index, Error::Refused(refusal)))) = (&case.target.connection, &case.facts.hop_error)
    else {
        return;
    };
    let region = &connection.sts.region;
    let role = &connection.hops[*index].role_arn;
    let elsewhere = case.facts.hop_elsewhere.as_ref().filter(|(_, trial)| trial.is_done()).map(|(there, _)| there);
    let named_scp = refusal.message.contains("service control policy");
    let other = |there: &str| {
        Remedy::paste("or ask STS of a region where it is allowed", Paste::Setting(format!("region = \"{there}\"")))
    };
    let diagnosis = match (refusal.code.as_str(), elsewhere) {
        ("RegionDisabledException", there) => {
            let mut because = format!("STS answers RegionDisabledException for {role} in {region}");
            if let Some(there) = there {
                write!(because, ", and gives the session in {there}").expect("writing to a String does not fail");
            }
            let activate = Remedy::to(format!(
                "activate STS in {region} for the account of {role} (IAM console, account settings, endpoints)"
            ));
            let diagnosis = Diagnosis::decided(&STS_OFF, because).cure(activate);
            there.map_or(diagnosis.clone(), |there| diagnosis.cure(other(there)))
        }
        (code, Some(there)) if is_unknown(code) => {
            let because = format!("STS in {there} takes who we are, and STS in {region} does not");
            Diagnosis::decided(&NOT_OPTED_IN, because).cure(enable(region, case.facts.base_arn.as_deref()))
        }
        ("AccessDenied", Some(there)) => {
            let because = format!("{role} is given in {there}, and refused in {region}");
            Diagnosis::decided(&REGION_DENIED, because).cure(list(region)).cure(other(there))
        }
        ("AccessDenied", None) if named_scp => {
            let apart =
                format!("whether the service control policy that AWS names looks at aws:RequestedRegion ({region})");
            Diagnosis::possible(&REGION_DENIED, apart).cure(list(region))
        }
        _ => return,
    };
    case.explain(Check::ROLES, diagnosis);
}

fn list(region: &str) -> Remedy {
    let condition = format!("\"Condition\": {{ \"StringNotEquals\": {{ \"aws:RequestedRegion\": [\"{region}\"] }} }}");
    Remedy::paste(
        format!("have {region} put on the list of the organisation's policy"),
        Paste::ResourceStatement(condition),
    )
}

/// The bucket's region, and which sessions are taken there.
fn taken(case: &mut Case<'_>) {
    let (Some(connection), Some(place)) = (&case.target.connection, &case.target.place) else { return };
    bucket::elsewhere(case, place);
    let facts = case.facts;
    let refusal = facts.s3_refusals().find(|(_, trial)| trial.code().is_some_and(is_unknown));
    let denied = facts.s3_refusals().find(|(_, trial)| trial.message().contains("service control policy"));
    if let Some((what, _)) = denied {
        let apart = format!("whether the service control policy that S3 names for {what} looks at aws:RequestedRegion");
        for check in unwell(case) {
            case.explain(check, Diagnosis::possible(&REGION_DENIED, apart.clone()).cure(list(&place.region)));
        }
    }
    let Some((what, trial)) = refusal else { return };
    let code = trial.code().unwrap_or_default();
    let (there, here) = (&place.region, &connection.sts.region);
    let diagnosis = if is_global(connection.sts.endpoint.as_deref()) {
        let because = format!("S3 in {there} refuses {what} with {code}, and the session is of sts.amazonaws.com");
        Diagnosis::decided(&GLOBAL_STS, because).cure(regional_sts(there))
    } else if facts.sts_there.as_ref().is_some_and(|trial| trial.message().starts_with("Credential should be scoped"))
        && is_opt_in(there)
    {
        let because = format!(
            "S3 in {there} refuses {what} with {code}, and the STS that gave the session knows one region alone, as the \
             global endpoint does"
        );
        Diagnosis::likely(&GLOBAL_STS, because).cure(regional_sts(there))
    } else if !is_opt_in(there) {
        return;
    } else if facts.sts_there.as_ref().and_then(Trial::code).is_some_and(is_unknown) {
        let because =
            format!("S3 in {there} refuses {what} with {code}, and STS in {there} does not know the base either");
        Diagnosis::decided(&NOT_OPTED_IN, because).cure(enable(there, facts.base_arn.as_deref()))
    } else if there == here {
        let because = format!("S3 in {there} refuses {what} with {code}, and one has to opt in to {there}");
        Diagnosis::likely(&NOT_OPTED_IN, because).cure(enable(there, facts.base_arn.as_deref()))
    } else {
        let because =
            format!("S3 in {there} refuses {what} with {code}, STS in {there} knows us, and the session is of {here}");
        let setting = Paste::Setting(format!("region = \"{there}\""));
        Diagnosis::likely(&NEW_REGION, because)
            .cure(Remedy::paste("let the connection be in the bucket's region", setting))
    };
    for check in unwell(case) {
        case.explain(check, diagnosis.clone());
    }
}

/// The checks of S3's that are not well for a refusal.
fn unwell(case: &Case<'_>) -> Vec<&'static Check> {
    let all = [
        (Check::BUCKET, &case.facts.bucket),
        (Check::LIST, &case.facts.list),
        (Check::PUT, &case.facts.put),
        (Check::MULTIPART, &case.facts.multipart),
        (Check::DELETE, &case.facts.delete),
    ];
    let refused = all.into_iter().filter(|(_, trial)| trial.as_ref().is_some_and(|trial| trial.code().is_some()));
    refused.map(|(check, _)| check).filter(|check| case.is_unwell(check)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_that_came_later_are_to_be_opted_in_to() {
        assert!(is_opt_in("eu-south-1") && is_opt_in("mx-central-1") && !is_opt_in("eu-north-1"));
        assert!(!is_opt_in("us-gov-west-1") && !is_opt_in("cn-north-1"));
    }
}
