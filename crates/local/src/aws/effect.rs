use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::api_error::ApiError;

/// What a fault does to a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It takes that much longer.
    Delay {
        /// Milliseconds.
        millis: u64,
    },
    /// It is done at once, and the answer comes that much later: a client that does not wait so long does not learn of
    /// it.
    LateAnswer {
        /// Milliseconds.
        millis: u64,
    },
    /// It is answered with an error of AWS's (`SlowDown`, `InternalError`, `ConditionalRequestConflict`, ..).
    Error {
        /// AWS's code.
        code: String,
        /// Whether what was asked is done nevertheless: the client is told that it failed, and it did not.
        #[serde(default)]
        applied: bool,
    },
    /// The connection is reset instead of an answer.
    Reset {
        /// Whether what was asked is done before: the answer is lost, the deed is not.
        #[serde(default)]
        applied: bool,
    },
    /// The answer's body breaks off in the middle.
    TruncateBody,
    /// The answer is 200, as it is once S3 has begun to answer, but its body is an error. Nothing is done. Only for
    /// `CompleteMultipartUpload` and `CopyObject`; other operations are left alone.
    ErrorInBody {
        /// AWS's code.
        code: String,
    },
    /// The session that signed the request ends now, for this and all later requests.
    ExpireSession,
    /// The server's clock is off by that much for this request.
    ClockSkew {
        /// Seconds; positive: the server is ahead.
        seconds: i64,
    },
}

impl FromStr for Effect {
    type Err = String;

    /// Reads an effect as one types it: `error=SlowDown`, `delay=250ms`, `reset`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
        let needs = |what: &str| {
            format!(
                "{name} needs {what}, as in {name}={}",
                if name == "delay" || name == "late-answer" { "250ms" } else { "SlowDown" }
            )
        };
        let millis = || value.and_then(read_millis).ok_or_else(|| needs("a time in ms or s"));
        let code = || {
            let code = value.ok_or_else(|| needs("a code of AWS's"))?;
            ApiError::known(code).map(|_| code.to_owned()).ok_or_else(|| format!("aws has no error {code}"))
        };
        let effect = match name {
            "delay" => Self::Delay { millis: millis()? },
            "late-answer" => Self::LateAnswer { millis: millis()? },
            "error" => Self::Error { code: code()?, applied: false },
            "error-after" => Self::Error { code: code()?, applied: true },
            "error-in-200" => Self::ErrorInBody { code: code()? },
            "clock" => {
                let seconds = value.and_then(|value| value.trim_end_matches('s').parse().ok());
                Self::ClockSkew { seconds: seconds.ok_or("clock needs seconds, as in clock=-901s")? }
            }
            "reset" | "reset-after" | "truncate" | "expire" if value.is_some() => {
                return Err(format!("{name} takes no value"));
            }
            "reset" => Self::Reset { applied: false },
            "reset-after" => Self::Reset { applied: true },
            "truncate" => Self::TruncateBody,
            "expire" => Self::ExpireSession,
            _ => {
                return Err(format!(
                    "{name} is no effect; known are delay, late-answer, error, error-after, error-in-200, reset, reset-after, truncate, expire, clock"
                ));
            }
        };
        Ok(effect)
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delay { millis } => write!(f, "delay={millis}ms"),
            Self::LateAnswer { millis } => write!(f, "late-answer={millis}ms"),
            Self::Error { code, applied: false } => write!(f, "error={code}"),
            Self::Error { code, applied: true } => write!(f, "error-after={code}"),
            Self::Reset { applied: false } => f.write_str("reset"),
            Self::Reset { applied: true } => f.write_str("reset-after"),
            Self::TruncateBody => f.write_str("truncate"),
            Self::ErrorInBody { code } => write!(f, "error-in-200={code}"),
            Self::ExpireSession => f.write_str("expire"),
            Self::ClockSkew { seconds } => write!(f, "clock={seconds}s"),
        }
    }
}

/// `250ms` or `2s`.
fn read_millis(text: &str) -> Option<u64> {
    match text.strip_suffix("ms") {
        Some(millis) => millis.parse().ok(),
        None => text.strip_suffix('s')?.parse::<u64>().ok()?.checked_mul(1000),
    }
}

#[cfg(test)]
mod tests {
    use super::Effect;

    #[test]
    fn an_effect_is_typed_and_printed_alike() {
        for text in [
            "delay=250ms",
            "late-answer=2000ms",
            "error=SlowDown",
            "error-after=InternalError",
            "error-in-200=InternalError",
            "reset",
            "reset-after",
            "truncate",
            "expire",
            "clock=-901s",
        ] {
            assert_eq!(text.parse::<Effect>().unwrap().to_string(), text);
        }
        assert_eq!("delay=2s".parse(), Ok(Effect::Delay { millis: 2000 }));
        for text in ["", "delay", "delay=2", "error", "error=Tired", "reset=1", "clock=soon", "sing"] {
            assert!(text.parse::<Effect>().is_err(), "{text}");
        }
    }
}
