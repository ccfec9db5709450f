use iam::{Arn, Partition};

/// The domain of a partition's endpoints.
pub fn domain_of(partition: Partition) -> &'static str {
    match partition {
        Partition::Aws | Partition::GovCloud => "amazonaws.com",
        Partition::China => "amazonaws.com.cn",
        Partition::EuropeanSovereign => "amazonaws.eu",
        Partition::Iso => "c2s.ic.gov",
        Partition::IsoB => "sc2s.sgov.gov",
        Partition::IsoE => "cloud.adc-e.uk",
        Partition::IsoF => "csp.hci.ic.gov",
    }
}

/// Whether a name is formed as AWS forms regions: area, direction, number. Regions open faster than programs are released,
/// so that there is no list.
pub fn is_region(name: &str) -> bool {
    const DIRECTIONS: [&str; 9] =
        ["central", "north", "south", "east", "west", "northeast", "northwest", "southeast", "southwest"];
    let parts: Vec<_> = name.split('-').collect();
    let [area @ .., direction, number] = parts.as_slice() else { return false };
    let is_number = (1..=2).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    let is_area = |part: &&str| (2..=5).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_lowercase());
    is_number && DIRECTIONS.contains(direction) && (1..=2).contains(&area.len()) && area.iter().all(is_area)
}

/// What is wrong with using the thing called `arn` from `region`: accounts of one partition do not know those of another.
pub(crate) fn partition_rule(arn: &str, region: &str) -> Option<String> {
    let found = arn.parse::<Arn>().ok()?.partition();
    let wanted = Partition::of_region(region);
    (found != wanted)
        .then(|| format!("is of partition {}, and region {region} is in partition {}", found.name(), wanted.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_partition_follows_from_the_region() {
        for (region, partition) in [
            ("eu-central-1", "aws"),
            ("cn-northwest-1", "aws-cn"),
            ("us-gov-east-1", "aws-us-gov"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eusc-de-east-1", "aws-eusc"),
        ] {
            assert_eq!(Partition::of_region(region).name(), partition);
            assert!(is_region(region), "{region}");
        }
        assert!(!is_region("us-east-1a") && !is_region("europe") && !is_region(""));
    }

    #[test]
    fn an_arn_of_another_partition_is_named_as_such() {
        let rule = partition_rule("arn:aws:iam::111111111111:role/x", "cn-north-1").unwrap();
        assert_eq!(rule, "is of partition aws, and region cn-north-1 is in partition aws-cn");
        assert_eq!(partition_rule("arn:aws-cn:iam::111111111111:role/x", "cn-north-1"), None);
    }
}
