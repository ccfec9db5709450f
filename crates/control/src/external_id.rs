use std::fmt;

use rand::RngExt;
use serde::{Serialize, Serializer};

/// What a customer's role asks for, and only this customer's integration sends: 128 random bits, in the form of a UUID
/// because Confluent's API calls it one (all bits are drawn, those of version and variant too).
///
/// Made here and nowhere else. There is no way to bring one along: a tenant who could choose it would choose another
/// tenant's. It is no secret (whoever may read the role may read it), so it is shown where it is asked for.
///
/// Its letters are lower case, so that two IDs differ in more than case: a role that compares with
/// `StringEqualsIgnoreCase` lets in nobody else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExternalId(String);

impl ExternalId {
    /// Draws one.
    pub(crate) fn random() -> Self {
        Self::of(rand::rng().random())
    }

    /// As the store has it.
    pub(crate) fn stored(text: String) -> Self {
        Self(text)
    }

    fn of(bits: u128) -> Self {
        let hex = format!("{bits:032x}");
        Self([&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-"))
    }

    /// Another one with the same beginning and the same end: what a wildcard in place of the middle, the head or the tail
    /// would let in. 32 bits in the middle are drawn.
    pub(crate) fn near(&self) -> Self {
        let (head, rest) = self.0.split_at(14);
        let (middle, tail) = rest.split_at(9);
        loop {
            let bits: u32 = rand::rng().random();
            let drawn = format!("{:04x}-{:04x}", bits >> 16, bits & 0xffff);
            if drawn != middle {
                return Self(format!("{head}{drawn}{tail}"));
            }
        }
    }

    /// The ID as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ExternalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for ExternalId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::ExternalId;

    #[test]
    fn every_bit_of_an_id_is_drawn() {
        assert_eq!(ExternalId::of(u128::MAX).as_str(), "ffffffff-ffff-ffff-ffff-ffffffffffff");
        assert_eq!(ExternalId::of(1).as_str(), "00000000-0000-0000-0000-000000000001");
        // Of 200 drawn IDs each hexadecimal place must show several digits: a fixed one would be a fixed bit.
        let drawn: Vec<_> = (0..200).map(|_| ExternalId::random()).collect();
        for place in (0..36).filter(|place| ![8, 13, 18, 23].contains(place)) {
            let digits: BTreeSet<u8> = drawn.iter().map(|id| id.as_str().as_bytes()[place]).collect();
            assert!(digits.len() > 8, "place {place}: {digits:?}");
        }
    }

    #[test]
    fn a_near_id_differs_in_the_middle_alone() {
        let right = ExternalId::random();
        let near = right.near();
        assert_ne!(right, near);
        assert_eq!(right.as_str().len(), near.as_str().len());
        assert_eq!(right.as_str()[..14], near.as_str()[..14]);
        assert_eq!(right.as_str()[23..], near.as_str()[23..]);
    }
}
