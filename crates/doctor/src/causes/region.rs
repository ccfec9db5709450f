//! Regions and partitions.

use std::fmt::Write as _;

use ::identity::{Error, domain_of, is_region};
use iam::Partition;

use super::Case;
use super::shell::word;
use crate::{Cause, Check, Diagnosis, Paste, Place, Remedy, Trial};

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

static ARN_PARTITION: Cause = Cause {
    row: "F33",
    code: "region.partition-in-arn",
    title: "an ARN is written for another partition",
    symptom: "AccessDenied that names arn:aws:iam:: while the caller is arn:aws-us-gov:",
    why: "the ARN was built with arn:aws: whatever the partition",
    apart: "the partition in the ARN beside the region's",
    cure: "write the ARN with the region's partition",
    texts: &["arn:aws-us-gov:", "arn:aws-cn:"],
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

static OTHER_REGION: Cause = Cause {
    row: "F35",
    code: "bucket.other-region",
    title: "the bucket is in another region",
    symptom: "AuthorizationHeaderMalformed, PermanentRedirect, or a plain 301 or 400",
    why: "a request is signed for one region, and a bucket lives in exactly one",
    apart: "S3 names the bucket's region in x-amz-bucket-region, also when it refuses",
    cure: "set the region that S3 names",
    texts: &[
        "authorizationheadermalformed",
        "permanentredirect",
        "is wrong; expecting",
        "must be addressed using the specified endpoint",
    ],
};

static STRANGERS: Cause = Cause {
    row: "F36",
    code: "bucket.of-somebody-else",
    title: "the bucket of this name is somebody else's",
    symptom: "the region is said to be wrong, and it is the one of our own bucket",
    why: "names of buckets are unique in the world: somebody had it first, in another region",
    apart: "asked for with its owner's account (x-amz-expected-bucket-owner), it is refused",
    cure: "correct the bucket's name, or choose another one",
    texts: &["authorizationheadermalformed", "is wrong; expecting", "bucketalreadyexists"],
};

static NO_REGION: Cause = Cause {
    row: "F37",
    code: "input.no-such-region",
    title: "the region is not written as AWS writes it",
    symptom: "the region 'us_east_1' is wrong; or a host that there is not",
    why: "an underscore for a dash, a missing number, or a zone for a region",
    apart: "it shows in the region itself",
    cure: "write area, direction and number: us-east-1",
    texts: &[
        "the region 'us_",
        "the region 'us-east'",
        "not formed as a region is",
        "could not resolve endpoint for region",
    ],
};

static LOCATION: Cause = Cause {
    row: "F38",
    code: "region.get-bucket-location",
    title: "the question where a bucket is, is refused itself",
    symptom: "GetBucketLocation fails with AuthorizationHeaderMalformed",
    why: "it is signed for us-east-1 and sent elsewhere; it needs a permission of its own besides",
    apart: "HeadBucket names the region, also when it refuses",
    cure: "read x-amz-bucket-region of HeadBucket, as this examination does",
    texts: &["getbucketlocation"],
};

static ENDPOINT_REGION: Cause = Cause {
    row: "F39",
    code: "region.guessed-from-endpoint",
    title: "the region and the endpoint's host do not agree",
    symptom: "the region 'vpce' is wrong",
    why: "a region was guessed from the host of a private endpoint, or is written down for another endpoint",
    apart: "the region in the endpoint's host beside the one that is configured",
    cure: "set the region that the endpoint is in",
    texts: &["the region 'vpce' is wrong", "region 'vpce'"],
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

static NO_FIPS: Cause = Cause {
    row: "F41",
    code: "region.no-fips-endpoint",
    title: "FIPS endpoints are asked for where there are none",
    symptom: "could not connect to the endpoint url, at a host with -fips",
    why: "FIPS endpoints are there in regions of the United States and Canada, and not for every service",
    apart: "the host has -fips in it and is not found",
    cure: "switch FIPS off, or use a region that has it",
    texts: &["oidc-fips.", "sts-fips.", "s3-fips.", "use_fips_endpoint"],
};

pub(super) static CAUSES: &[&Cause] = &[
    &GLOBAL_STS,
    &NOT_OPTED_IN,
    &STS_OFF,
    &OTHER_PARTITION,
    &ARN_PARTITION,
    &REGION_DENIED,
    &OTHER_REGION,
    &STRANGERS,
    &NO_REGION,
    &LOCATION,
    &ENDPOINT_REGION,
    &NEW_REGION,
    &NO_FIPS,
];

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
    written_down(case);
    endpoints(case);
    identity(case);
    role(case);
    bucket(case);
}

/// What shows without any request: regions that there are not, and ARNs of other partitions.
fn written_down(case: &mut Case<'_>) {
    let faults = &case.target.faults;
    let other = faults.iter().find(|fault| fault.text.contains("is of partition "));
    if let Some(fault) = other {
        let wanted = fault.text.rsplit("is in partition ").next().unwrap_or("aws");
        let wanted: String = wanted.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        let because = match &fault.value {
            Some(value) => format!("{} is {value}, which {}", fault.key, fault.text),
            None => format!("{}: {}", fault.key, fault.text),
        };
        let remedy = Remedy::paste(
            format!("write the ARN with partition {wanted}, or name a region of the ARN's own"),
            Paste::Setting(format!("arn = \"arn:{wanted}:iam::ACCOUNT:role/NAME\"")),
        );
        case.explain(Check::INPUT, Diagnosis::decided(&ARN_PARTITION, because).cure(remedy));
    }
    let Some(fault) = faults.iter().find(|fault| fault.key.ends_with("region")) else { return };
    // The value stands in the text where it may be shown.
    let quoted = fault.value.clone().or_else(|| fault.text.split('"').nth(1).map(str::to_owned));
    let Some(region) = quoted else { return };
    if region.contains("vpce") {
        let because = format!("{} is {region:?}, which is a part of a private endpoint's host", fault.key);
        let remedy = Remedy::paste(
            "name the region that the endpoint is in",
            Paste::Setting("region = \"eu-central-1\"".to_owned()),
        );
        case.explain(Check::INPUT, Diagnosis::decided(&ENDPOINT_REGION, because).cure(remedy));
        return;
    }
    if is_region(&region) {
        return;
    }
    let remedy = match meant(&region) {
        Some(meant) => Remedy::paste(format!("write {meant}"), Paste::Setting(format!("region = \"{meant}\""))),
        None => Remedy::to("write the region as AWS does: eu-central-1"),
    };
    let because = format!("{} is {region:?}", fault.key);
    case.explain(Check::INPUT, Diagnosis::decided(&NO_REGION, because).cure(remedy));
}

/// The region that was probably meant.
fn meant(text: &str) -> Option<String> {
    let plain = text.trim().to_ascii_lowercase().replace(['_', ' '], "-");
    let zone = plain.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let first = format!("{plain}-1");
    [plain.as_str(), zone, first.as_str()].into_iter().find(|one| is_region(one)).map(str::to_owned)
}

/// Endpoints that are of another region, of no region, or that there are not.
fn endpoints(case: &mut Case<'_>) {
    let Some(connection) = &case.target.connection else { return };
    let place = case.target.place.as_ref();
    let sts = &connection.sts;
    let of_s3 = place.and_then(|place| Some((place.endpoint.as_deref()?, place.region.as_str())));
    let of_sts = sts.endpoint.as_deref().map(|url| (url, sts.region.as_str()));
    let regional = of_s3.into_iter().chain(of_sts).find_map(|(url, region)| {
        let there = region_of_host(url)?;
        (there != region).then(|| (host(url).to_owned(), there, region.to_owned()))
    });
    if let Some((host, there, region)) = regional {
        let because = format!("{host} is in {there}, and {region} is configured");
        let remedy = Remedy::paste("name the endpoint's region", Paste::Setting(format!("region = \"{there}\"")));
        case.explain(Check::INPUT, Diagnosis::decided(&ENDPOINT_REGION, because).cure(remedy));
    }
    let regions = [Some(sts.region.as_str()), place.map(|place| place.region.as_str())];
    let opt_in = regions.into_iter().flatten().find(|region| is_opt_in(region));
    if let (Some(region), true) = (opt_in, is_global(sts.endpoint.as_deref())) {
        let because = format!("STS is asked at sts.amazonaws.com, whose sessions {region} does not take");
        let diagnosis = Diagnosis::decided(&GLOBAL_STS, because).cure(regional_sts(region));
        case.explain(Check::INPUT, diagnosis);
    }
    let lacks = |region: &str| !["us-", "ca-"].iter().any(|area| region.starts_with(area));
    let with_fips = [
        sts.fips.then_some((sts.region.as_str(), sts.endpoint.as_deref())),
        place.filter(|place| place.fips).map(|place| (place.region.as_str(), place.endpoint.as_deref())),
    ];
    let because = with_fips.into_iter().flatten().find_map(|(region, endpoint)| match endpoint {
        _ if lacks(region) => Some(format!("fips is on, and {region} has no FIPS endpoints of STS and S3")),
        Some(url) => Some(format!("fips is on, and {} is named, which no FIPS endpoint can stand for", host(url))),
        None => None,
    });
    if let Some(because) = because {
        let remedy = Remedy::paste("switch FIPS off", Paste::Setting("fips = false".to_owned()));
        case.explain(Check::INPUT, Diagnosis::decided(&NO_FIPS, because).cure(remedy));
    }
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

/// The region in a host of AWS's: `x.s3.eu-central-1.vpce.amazonaws.com`.
fn region_of_host(url: &str) -> Option<String> {
    let host = host(url);
    let is_aws = [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"].iter().any(|domain| host.ends_with(domain));
    host.split('.').find(|label| is_aws && is_region(label)).map(str::to_owned)
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

/// The bucket's region, and what it takes.
fn bucket(case: &mut Case<'_>) {
    let (Some(connection), Some(place)) = (&case.target.connection, &case.target.place) else { return };
    elsewhere(case, place);
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

/// A bucket that S3 says is in another region: ours, or a stranger's of the same name.
fn elsewhere(case: &mut Case<'_>, place: &Place) {
    let other = case.facts.bucket_region.clone().filter(|region| *region != place.region);
    let Some(region) = other.filter(|_| case.is_unwell(Check::BUCKET)) else { return };
    let because = format!("S3 says that bucket {} is in {region}", place.bucket);
    // A connector's own key goes before its connection's.
    let setting = match &case.target.connector {
        Some(_) => format!("aws.s3.region={region}"),
        None => format!("region = \"{region}\""),
    };
    let set = Remedy::paste("set the bucket's region", Paste::Setting(setting));
    let rename = Remedy::to(format!("look whether {} is the bucket's name, to the letter", place.bucket));
    match &case.facts.list_there {
        Some((Trial::Done, Some(Trial::Refused { status: 403, .. }))) => {
            let owner = place.owner.map_or_else(String::new, |owner| owner.to_string());
            let strange =
                format!("{because}; it may be listed, but not as a bucket of {owner}, which is named as its owner");
            case.explain(Check::BUCKET, Diagnosis::decided(&STRANGERS, strange).cure(rename));
        }
        Some((Trial::Done, _)) => {
            let ours = format!("{because}, and it may be listed there");
            case.explain(Check::BUCKET, Diagnosis::decided(&OTHER_REGION, ours).cure(set));
        }
        // What is not allowed in a bucket of ours is refused as it is in a stranger's.
        Some((Trial::Refused { status: 403, .. }, _)) => {
            let apart =
                format!("{because}: whether it is ours, which may not be listed there, shows once the region is set");
            case.explain(Check::BUCKET, Diagnosis::possible(&OTHER_REGION, apart).cure(set));
            let apart = format!(
                "whether {} in {region} belongs to whom you think: its owner can see it in the console",
                place.bucket
            );
            case.explain(Check::BUCKET, Diagnosis::possible(&STRANGERS, apart).cure(rename));
        }
        _ => case.explain(Check::BUCKET, Diagnosis::decided(&OTHER_REGION, because).cure(set)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_in_a_region_is_mended() {
        for (text, expected) in [
            ("us_east_1", Some("us-east-1")),
            ("EU-CENTRAL-1", Some("eu-central-1")),
            ("us-east", Some("us-east-1")),
            ("eu-west-1a", Some("eu-west-1")),
            ("mars", None),
        ] {
            assert_eq!(meant(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn the_region_of_a_private_endpoint_stands_in_its_host() {
        let url = "https://bucket.vpce-0a1b-xyz.s3.eu-central-1.vpce.amazonaws.com";
        assert_eq!(region_of_host(url).as_deref(), Some("eu-central-1"));
        assert_eq!(region_of_host("https://sts.us-gov-west-1.amazonaws.com:443/x").as_deref(), Some("us-gov-west-1"));
        assert_eq!(region_of_host("https://minio.eu-west-1.example.com"), None);
        assert_eq!(region_of_host("https://sts.amazonaws.com"), None);
    }

    #[test]
    fn regions_that_came_later_are_to_be_opted_in_to() {
        assert!(is_opt_in("eu-south-1") && is_opt_in("mx-central-1") && !is_opt_in("eu-north-1"));
        assert!(!is_opt_in("us-gov-west-1") && !is_opt_in("cn-north-1"));
    }
}
