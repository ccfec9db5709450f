use crate::{Base, Error, Signer};

/// Whether keys that never end may be used at all.
///
/// A build without the feature `static-keys` has no way to say yes: the variant is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyRule {
    /// They may, where a connection names them.
    #[cfg(feature = "static-keys")]
    Allowed,
    /// Whatever gives them is refused: a connection of kind `keys`, and a profile or an environment that holds them.
    Refused,
}

impl KeyRule {
    /// The most that this build allows.
    pub const fn of_build() -> Self {
        #[cfg(feature = "static-keys")]
        return Self::Allowed;
        #[cfg(not(feature = "static-keys"))]
        return Self::Refused;
    }

    /// Whether they may.
    pub fn allows(self) -> bool {
        match self {
            #[cfg(feature = "static-keys")]
            Self::Allowed => true,
            Self::Refused => false,
        }
    }
}

impl KeyRule {
    /// Refuses what `base` has given if it is keys that never end and none may be used.
    ///
    /// # Errors
    /// [`Error::StaticKeys`].
    pub fn check(self, signer: &Signer, base: &Base) -> Result<(), Error> {
        match signer {
            Signer::Keys(keys) if keys.token.is_none() && !self.allows() => {
                Err(Error::StaticKeys { base: base.to_string() })
            }
            Signer::Keys(_) | Signer::Session(_) | Signer::Anonymous => Ok(()),
        }
    }
}

impl Default for KeyRule {
    fn default() -> Self {
        Self::of_build()
    }
}
