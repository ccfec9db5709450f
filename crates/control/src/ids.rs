use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use rand::RngExt;
use serde::{Serialize, Serializer};

/// A text that is no id of the kind that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no id of {kind}: those begin with {prefix:?} and go on with 1 to 32 lower case letters or digits")]
pub struct InvalidId {
    /// What was given, cut to 80 characters.
    pub text: String,
    /// What it should have named.
    pub kind: &'static str,
    /// How such ids begin.
    pub prefix: &'static str,
}

/// Longer ones are nobody's.
const LONGEST: usize = 32;

/// Letters and digits, drawn.
pub(crate) fn draw(count: usize) -> String {
    const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut rng = rand::rng();
    (0..count).map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())])).collect()
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal, $kind:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Draws one: two thousand million names. Whoever puts it into the store draws another one if it is taken.
            pub(crate) fn random() -> Self {
                Self(format!(concat!($prefix, "{}"), draw(6)).into())
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let fits = |tail: &str| {
                    (1..=LONGEST).contains(&tail.len())
                        && tail.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
                };
                match text.strip_prefix($prefix) {
                    Some(tail) if fits(tail) => Ok(Self(text.into())),
                    _ => Err(InvalidId { text: text.chars().take(80).collect(), kind: $kind, prefix: $prefix }),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
    )*};
}

ids! {
    /// Names an environment: what one tenant has. The forms of all ids are those that Confluent's clients know.
    EnvironmentId = "env-", "an environment";
    /// Names a Kafka cluster that connectors read from.
    ClusterId = "lkc-", "a cluster";
    /// Names a connector for all time; its name may be given to another one once it is deleted.
    ConnectorId = "lcc-", "a connector";
    /// Names a person who logs in.
    UserId = "u-", "a user";
    /// Names a program's account.
    ServiceAccountId = "sa-", "a service account";
    /// Names a role that was given to a principal.
    RoleBindingId = "rb-", "a role binding";
}
