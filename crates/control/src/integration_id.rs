use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use rand::RngExt;
use serde::{Serialize, Serializer};

use crate::Error;

/// The name of an integration: `cspi-` and six letters or digits, the form of Confluent's provider integrations, so that
/// a connector's `provider.integration.id` needs no other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IntegrationId(Arc<str>);

const PREFIX: &str = "cspi-";
/// Two thousand million names; the store draws another one if a name is taken.
const DRAWN: usize = 6;
/// Longer ones are nobody's.
const LONGEST: usize = 32;

impl IntegrationId {
    pub(crate) fn random() -> Self {
        const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        let mut rng = rand::rng();
        let tail: String = (0..DRAWN).map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())])).collect();
        Self(format!("{PREFIX}{tail}").into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IntegrationId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let fits = |tail: &str| {
            (1..=LONGEST).contains(&tail.len()) && tail.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        match text.strip_prefix(PREFIX) {
            Some(tail) if fits(tail) => Ok(Self(text.into())),
            _ => Err(Error::InvalidId { id: text.chars().take(80).collect() }),
        }
    }
}

impl fmt::Display for IntegrationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for IntegrationId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_names_are_read_back_and_others_are_refused() {
        let id = IntegrationId::random();
        assert_eq!(id.as_str().parse::<IntegrationId>().unwrap(), id);
        assert!("cspi-4xg0q".parse::<IntegrationId>().is_ok(), "Confluent's own have five");
        for text in
            ["", "cspi-", "cspi-4XG0Q", "4xg0q", "cspi-4xg0q\n", "cspi-../../x", &format!("cspi-{}", "x".repeat(33))]
        {
            assert!(text.parse::<IntegrationId>().is_err(), "{text:?}");
        }
    }
}
