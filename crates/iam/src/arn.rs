use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use crate::{AccountId, ArnError};

/// The longest ARN: IAM's and STS's own limit on one.
const MAX_LENGTH: usize = 2048;

/// A separate AWS world with its own accounts, endpoints and ARN prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Partition {
    /// `aws`: the commercial regions.
    Aws,
    /// `aws-cn`: China.
    China,
    /// `aws-us-gov`: GovCloud.
    GovCloud,
    /// `aws-eusc`: the European Sovereign Cloud.
    EuropeanSovereign,
    /// `aws-iso`: US isolated, top secret.
    Iso,
    /// `aws-iso-b`: US isolated, secret.
    IsoB,
    /// `aws-iso-e`: Europe isolated.
    IsoE,
    /// `aws-iso-f`: US isolated, south.
    IsoF,
}

impl Partition {
    /// Every partition, as the endpoint rules of AWS's own SDKs list them.
    pub const ALL: [Self; 8] = [
        Self::Aws,
        Self::China,
        Self::GovCloud,
        Self::EuropeanSovereign,
        Self::Iso,
        Self::IsoB,
        Self::IsoE,
        Self::IsoF,
    ];

    /// The partition that a region is in, by the prefixes that AWS's own endpoint rules list.
    pub fn of_region(region: &str) -> Self {
        let prefixes = [
            ("cn-", Self::China),
            ("us-gov-", Self::GovCloud),
            ("eusc-", Self::EuropeanSovereign),
            ("us-iso-", Self::Iso),
            ("us-isob-", Self::IsoB),
            ("eu-isoe-", Self::IsoE),
            ("us-isof-", Self::IsoF),
        ];
        prefixes.iter().find(|(prefix, _)| region.starts_with(prefix)).map_or(Self::Aws, |(_, partition)| *partition)
    }

    /// Its name in ARNs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::China => "aws-cn",
            Self::GovCloud => "aws-us-gov",
            Self::EuropeanSovereign => "aws-eusc",
            Self::Iso => "aws-iso",
            Self::IsoB => "aws-iso-b",
            Self::IsoE => "aws-iso-e",
            Self::IsoF => "aws-iso-f",
        }
    }
}

/// The name of a thing in AWS: `arn:partition:service:region:account:resource`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Arn {
    text: Box<str>,
    /// Where the five colons are that end a component; the resource keeps its own colons.
    colons: [u16; 5],
}

impl Arn {
    /// `arn:PARTITION:iam::ACCOUNT:RESOURCE`.
    pub fn iam(partition: Partition, account: AccountId, resource: &str) -> Result<Self, ArnError> {
        format!("arn:{}:iam::{account}:{resource}", partition.name()).parse()
    }

    /// `arn:PARTITION:sts::ACCOUNT:assumed-role/ROLE/SESSION`.
    pub fn assumed_role(
        partition: Partition,
        account: AccountId,
        role_name: &str,
        session_name: &str,
    ) -> Result<Self, ArnError> {
        format!("arn:{}:sts::{account}:assumed-role/{role_name}/{session_name}", partition.name()).parse()
    }

    /// The whole ARN.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The partition.
    pub fn partition(&self) -> Partition {
        let name = &self.text[self.range(1)];
        Partition::ALL.into_iter().find(|p| p.name() == name).expect("parsing checked the partition")
    }

    /// The service, as in `iam`.
    pub fn service(&self) -> &str {
        &self.text[self.range(2)]
    }

    /// The region; empty for global things.
    pub fn region(&self) -> &str {
        &self.text[self.range(3)]
    }

    /// The account; `None` where the ARN has none (S3 buckets) or names AWS itself (managed policies).
    pub fn account(&self) -> Option<AccountId> {
        self.text[self.range(4)].parse().ok()
    }

    /// What comes after the fifth colon.
    pub fn resource(&self) -> &str {
        &self.text[self.range(5)]
    }

    /// Whether it is an account's root, `arn:aws:iam::ACCOUNT:root`.
    pub fn is_root(&self) -> bool {
        self.service() == "iam" && self.resource() == "root"
    }

    /// The name of the IAM role, without its path, if it is one.
    pub fn role_name(&self) -> Option<&str> {
        self.iam_name("role/")
    }

    /// The name of the IAM user, without its path, if it is one.
    pub fn user_name(&self) -> Option<&str> {
        self.iam_name("user/")
    }

    /// Role name and session name, if it is a role session.
    pub fn role_session(&self) -> Option<(&str, &str)> {
        if self.service() != "sts" {
            return None;
        }
        self.resource().strip_prefix("assumed-role/")?.split_once('/')
    }

    fn iam_name(&self, prefix: &str) -> Option<&str> {
        if self.service() != "iam" {
            return None;
        }
        self.resource().strip_prefix(prefix)?.rsplit('/').next()
    }

    fn range(&self, component: usize) -> Range<usize> {
        let start = if component == 0 { 0 } else { usize::from(self.colons[component - 1]) + 1 };
        let end = self.colons.get(component).map_or(self.text.len(), |&colon| usize::from(colon));
        start..end
    }
}

impl FromStr for Arn {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        let refuse = |reason| ArnError::Malformed { arn: text.chars().take(200).collect(), reason };
        if text.len() > MAX_LENGTH {
            return Err(refuse("is longer than 2048 characters"));
        }
        let mut colons = [0u16; 5];
        let mut found = text.bytes().enumerate().filter(|&(_, b)| b == b':').map(|(at, _)| at as u16);
        for colon in &mut colons {
            *colon = found.next().ok_or_else(|| refuse("has fewer than six parts"))?;
        }
        let arn = Self { text: text.into(), colons };
        let part = |n| &text[arn.range(n)];
        if part(0) != "arn" {
            return Err(refuse("does not begin with \"arn:\""));
        }
        if !Partition::ALL.iter().any(|p| p.name() == part(1)) {
            return Err(ArnError::Partition { arn: text.to_owned(), partition: part(1).to_owned() });
        }
        if part(2).is_empty() || !part(2).bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Err(refuse("names no service"));
        }
        if !part(3).bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
            return Err(refuse("has a region that is none"));
        }
        // `aws` stands for AWS itself: arn:aws:iam::aws:policy/AdministratorAccess.
        if !part(4).is_empty() && part(4) != "aws" && part(4).parse::<AccountId>().is_err() {
            return Err(refuse("has an account that is not twelve digits"));
        }
        if part(5).is_empty() {
            return Err(refuse("names no resource"));
        }
        if text.chars().any(char::is_control) {
            return Err(refuse("holds a control character"));
        }
        Ok(arn)
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::{Arn, Partition};

    #[test]
    fn every_partition_is_read_and_printed_alike() {
        for partition in Partition::ALL {
            let text = format!("arn:{}:iam::111122223333:role/path/orders", partition.name());
            let arn: Arn = text.parse().unwrap();
            assert_eq!((arn.partition(), arn.to_string()), (partition, text));
        }
    }

    #[test]
    fn a_resource_keeps_its_own_colons() {
        let arn: Arn = "arn:aws:logs:eu-west-1:111122223333:log-group:a:*".parse().unwrap();
        assert_eq!((arn.region(), arn.resource()), ("eu-west-1", "log-group:a:*"));
    }

    #[test]
    fn names_come_without_their_path() {
        let role: Arn = "arn:aws:iam::111122223333:role/a/b/orders".parse().unwrap();
        assert_eq!((role.role_name(), role.user_name()), (Some("orders"), None));
        let session: Arn = "arn:aws:sts::111122223333:assumed-role/orders/task-0".parse().unwrap();
        assert_eq!(session.role_session(), Some(("orders", "task-0")));
    }

    #[test]
    fn what_is_no_arn_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "fewer than six"),
            ("arn:aws:iam:role", "fewer than six"),
            ("arn:aws:iam::1:role/x", "twelve digits"),
            ("arn:amazon:iam::111122223333:role/x", "partition \"amazon\""),
            ("urn:aws:iam::111122223333:role/x", "does not begin"),
            ("arn:aws::: :x", "names no service"),
            ("arn:aws:s3:::", "names no resource"),
            ("arn:aws:s3:::a\nb", "control character"),
        ] {
            let error = text.parse::<Arn>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text:?}: {error}");
        }
    }
}
