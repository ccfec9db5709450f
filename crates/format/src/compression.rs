use std::fmt;
use std::str::FromStr;

use data::ConfigFault;

/// How an object's bytes are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Not at all.
    None,
    /// One gzip member (RFC 1952).
    Gzip,
    /// The container of snappy-java's `SnappyOutputStream`, not the standard framing.
    Snappy,
    /// Zstandard (RFC 8878).
    Zstd,
}

impl Codec {
    /// What `file.compression.type` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Zstd => "zstd",
        }
    }

    /// What the default object name ends in.
    pub fn extension(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ".gz",
            Self::Snappy => ".snappy",
            Self::Zstd => ".zst",
        }
    }

    /// The levels that it has, and the one that is used if none is asked for; `None` if it has no levels.
    ///
    /// gzip: 1 to 9, as everywhere; 1 by default, because each level above costs more than it saves in requests and
    /// storage. zstd: -7 to 19; below -7 it is worse than snappy at the same speed, above 19 lie the levels that zstd
    /// calls ultra, whose large windows a tile does not fill. 1 by default: on web-log JSON it is as small as zstd's own
    /// default, 3, at two thirds of the time.
    pub fn levels(self) -> Option<(std::ops::RangeInclusive<i32>, i32)> {
        match self {
            Self::None | Self::Snappy => None,
            Self::Gzip => Some((1..=9, 1)),
            Self::Zstd => Some((-7..=19, 1)),
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No codec has this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no compression of this name; known are none, gzip, snappy, zstd")]
pub struct UnknownCodec;

impl FromStr for Codec {
    type Err = UnknownCodec;

    /// Upper and lower case are the same.
    fn from_str(name: &str) -> Result<Self, UnknownCodec> {
        [Self::None, Self::Gzip, Self::Snappy, Self::Zstd]
            .into_iter()
            .find(|codec| codec.name().eq_ignore_ascii_case(name))
            .ok_or(UnknownCodec)
    }
}

/// A codec and how hard it tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Compression {
    codec: Codec,
    level: i32,
}

impl Compression {
    /// `codec` at `level`, or at its default level. `key` is the configuration key to blame for a wrong level.
    pub fn new(codec: Codec, level: Option<i32>, key: &str) -> Result<Self, ConfigFault> {
        let fault = |message: String| ConfigFault {
            key: key.to_owned(),
            value: level.map(|level| level.to_string()),
            message,
            allowed: Vec::new(),
        };
        match (codec.levels(), level) {
            (None, None) => Ok(Self { codec, level: 0 }),
            (None, Some(_)) => Err(fault(format!("compression {codec} has no levels"))),
            (Some((_, default)), None) => Ok(Self { codec, level: default }),
            (Some((range, _)), Some(level)) if range.contains(&level) => Ok(Self { codec, level }),
            (Some((range, _)), Some(_)) => {
                Err(fault(format!("levels of {codec} are {} to {}", range.start(), range.end())))
            }
        }
    }

    /// No compression.
    pub const NONE: Self = Self { codec: Codec::None, level: 0 };

    /// The codec.
    pub fn codec(self) -> Codec {
        self.codec
    }

    /// The level; 0 where there is none.
    pub fn level(self) -> i32 {
        self.level
    }
}
