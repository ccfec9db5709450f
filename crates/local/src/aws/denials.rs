use std::collections::VecDeque;
use std::sync::Mutex;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::RngExt;

/// How many refusals can still be explained: more than anybody looks into at a time.
const KEPT: usize = 1024;

/// The last refusals by policy, each under a name that nobody can guess.
///
/// AWS encodes the reason into the message itself, so that only those who may `sts:DecodeAuthorizationMessage` read it.
/// A name for something that stays here does the same without a cipher.
#[derive(Debug, Default)]
pub(super) struct Denials(Mutex<VecDeque<(String, String)>>);

impl Denials {
    /// Keeps what is to be said of a refusal, and gives its name.
    pub(super) fn encode(&self, details: &str) -> String {
        let name = URL_SAFE_NO_PAD.encode(rand::rng().random::<[u8; 48]>());
        let mut kept = self.0.lock().expect("no thread panics while it holds this lock");
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back((name.clone(), details.to_owned()));
        name
    }

    /// What is to be said of a refusal.
    pub(super) fn decode(&self, name: &str) -> Option<String> {
        let kept = self.0.lock().expect("no thread panics while it holds this lock");
        kept.iter().find(|(known, _)| known == name).map(|(_, details)| details.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::{Denials, KEPT};

    #[test]
    fn the_last_refusals_are_kept_and_no_more() {
        let denials = Denials::default();
        let first = denials.encode("first");
        assert_eq!(denials.decode(&first).as_deref(), Some("first"));
        for _ in 0..KEPT {
            denials.encode("another");
        }
        assert_eq!(denials.decode(&first), None);
        assert_eq!(denials.decode(""), None);
    }
}
