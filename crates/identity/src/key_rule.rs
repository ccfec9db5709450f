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

impl Default for KeyRule {
    fn default() -> Self {
        Self::of_build()
    }
}
