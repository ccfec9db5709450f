use identity::is_region;

use crate::define::{Complaint, Value};

/// The regions that upstream 3.4.2 names in its error, in its order.
const NAMED: &str = "us-gov-west-1, us-gov-east-1, us-east-1, us-east-2, us-west-1, us-west-2, eu-west-1, eu-west-2, \
    eu-west-3, eu-central-1, eu-central-2, eu-north-1, eu-south-1, eu-south-2, ap-east-1, ap-south-1, ap-south-2, \
    ap-southeast-1, ap-southeast-2, ap-southeast-3, ap-southeast-4, ap-northeast-1, ap-northeast-2, ap-northeast-3, \
    sa-east-1, cn-north-1, cn-northwest-1, ca-central-1, ca-west-1, me-central-1, me-south-1, af-south-1, \
    us-iso-east-1, us-isob-east-1, us-iso-west-1, il-central-1";

/// Upstream knows the regions of its SDK's release and refuses younger ones. Here a name that is formed as AWS forms
/// them is enough: area, direction, number.
pub(super) fn region(value: Option<&Value>) -> Result<(), Complaint> {
    match value {
        Some(Value::Text(name)) if !is_region(name) => Err(Complaint::why(format!("Supported values are: {NAMED}"))),
        _ => Ok(()),
    }
}

/// Whether the name is none of those that upstream knows, and so perhaps a slip.
pub(super) fn is_young(name: &str) -> bool {
    !NAMED.split(", ").any(|known| known == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_known_by_their_form() {
        for name in NAMED.split(", ").chain(["mx-central-1", "ap-southeast-7", "eusc-de-east-1", "us-isof-south-1"]) {
            assert!(is_region(name), "{name}");
        }
        for name in ["", "mars-1", "us-east", "us_east_1", "US-EAST-1", "us-east-1a", "auto", "eu-central-one"] {
            assert!(!is_region(name), "{name}");
        }
        assert!(is_young("mx-central-1") && !is_young("eu-west-1"));
    }
}
