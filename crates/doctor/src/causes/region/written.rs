//! Regions, partitions and endpoints as they are written down: found without any request.

use ::identity::is_region;

use super::super::Case;
use super::{GLOBAL_STS, host, is_global, is_opt_in, regional_sts};
use crate::{Cause, Check, Diagnosis, Paste, Remedy};

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

pub(super) static CAUSES: &[&Cause] = &[&ARN_PARTITION, &NO_REGION, &ENDPOINT_REGION, &NO_FIPS];

pub(super) fn explain(case: &mut Case<'_>) {
    written_down(case);
    endpoints(case);
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

/// The region in a host of AWS's: `x.s3.eu-central-1.vpce.amazonaws.com`.
fn region_of_host(url: &str) -> Option<String> {
    let host = host(url);
    let is_aws = [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"].iter().any(|domain| host.ends_with(domain));
    host.split('.').find(|label| is_aws && is_region(label)).map(str::to_owned)
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
}
