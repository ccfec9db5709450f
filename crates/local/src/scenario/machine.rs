use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use iam::{Document, PolicyKind};

use super::reader::Reader;
use super::variable;
use crate::aws::VpcEndpoint;

/// The services that there are VPC endpoints of here.
const VPC_SERVICES: [&str; 3] = ["s3", "sts", "kms"];

/// The machine that the connection is examined from.
#[derive(Debug, Default)]
pub(super) struct Machine {
    /// How far its clock is from AWS's: whether behind, and by how much.
    pub(super) clock: Option<(bool, Duration)>,
    pub(super) environment: BTreeMap<String, String>,
    /// Texts of files, by name.
    pub(super) files: BTreeMap<String, String>,
    /// The address that AWS sees requests come from.
    pub(super) address: Option<IpAddr>,
    /// VPC endpoints, by service.
    pub(super) endpoints: Vec<(String, Arc<VpcEndpoint>)>,
}

pub(super) fn read(scenario: &mut Reader<'_>) -> Machine {
    let Some(mut machine) = scenario.child("machine") else { return Machine::default() };
    machine.only(&["address", "clock", "environment", "files", "vpc_endpoints"]);
    let clock = machine.text("clock").filter(|text| !variable::stands_in(text)).and_then(|text| {
        let read = offset(text);
        if read.is_none() {
            machine.fault("clock", format!("must be an offset, as in \"-901s\" or \"+20m\", and is {text:?}"));
        }
        read
    });
    let owned = |pairs: Vec<(&str, &str)>| {
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<BTreeMap<_, _>>()
    };
    let environment = owned(machine.pairs("environment"));
    let files = owned(machine.pairs("files"));
    for name in files.keys().filter(|name| !is_file_name(name)) {
        machine.fault("files", format!("{name:?} is no name of a file: letters, digits, dots, dashes, underscores"));
    }
    let address = machine.parsed("address");
    let mut endpoints = Vec::new();
    machine.each("vpc_endpoints", |service, endpoint| {
        if !VPC_SERVICES.contains(&service) {
            endpoint.fault("", "is no service").among(service, VPC_SERVICES);
        }
        endpoint.only(&["id", "policy", "vpc"]);
        let id = endpoint.text("id").unwrap_or("vpce-0123456789abcdef0").to_owned();
        let vpc = endpoint.text("vpc").unwrap_or("vpc-0123456789abcdef0").to_owned();
        let policy = endpoint.policy("policy", PolicyKind::Endpoint);
        let policy = policy.and_then(|text| Document::parse_as(PolicyKind::Endpoint, &text).ok());
        endpoints.push((service.to_owned(), Arc::new(VpcEndpoint { id, vpc, policy })));
    });
    Machine { clock, environment, files, address, endpoints }
}

/// A plain name: nothing is written outside of the scenario's own directory.
fn is_file_name(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    !name.is_empty() && name.bytes().all(fits) && name.bytes().any(|b| b != b'.')
}

/// `-901s`, `+20m`, `2h`.
fn offset(text: &str) -> Option<(bool, Duration)> {
    /// A year: whatever is further off is off as much.
    const MOST: u64 = 366 * 24 * 3600;
    let behind = text.starts_with('-');
    let digits = text.trim_start_matches(['+', '-']);
    let (number, unit) = digits.split_at_checked(digits.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    let seconds = number.parse::<u64>().ok()?.checked_mul(seconds).filter(|seconds| *seconds <= MOST)?;
    Some((behind, Duration::from_secs(seconds)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::offset;

    #[test]
    fn an_offset_has_a_sign_and_a_unit() {
        assert_eq!(offset("-901s"), Some((true, Duration::from_secs(901))));
        assert_eq!(offset("+20m"), Some((false, Duration::from_mins(20))));
        assert_eq!(offset("2h"), Some((false, Duration::from_hours(2))));
        for text in ["", "s", "12", "-1d", "1.5s", "99999999999999999999h", "9999999h", "1é"] {
            assert_eq!(offset(text), None, "{text}");
        }
    }
}
