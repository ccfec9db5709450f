use std::fmt;

/// How far an examination goes. Each depth holds those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Depth {
    /// What can be said without any request.
    Offline,
    /// The network, and who we are at the end of the way; nothing of a bucket.
    Identity,
    /// Reading: buckets, lists and objects; topics and records.
    Read,
    /// Writing: objects of our own, under names that nobody has, which are deleted again.
    Write,
}

impl Depth {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Offline, Self::Identity, Self::Read, Self::Write];

    /// One word of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Identity => "identity",
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

impl fmt::Display for Depth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
