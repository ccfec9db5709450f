use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use iam::Arn;

use super::credentials::Issued;
use crate::aws::server::Shared;
use crate::aws::session::random_id;

/// Tokens at a time. AWS has no limit that anybody has met; a client that asks for one a request meets this one.
const MAX_TOKENS: usize = 65_536;

/// What an instance knows of itself.
#[derive(Debug)]
pub(in crate::aws) struct Metadata(Mutex<State>);

#[derive(Debug)]
pub(super) struct State {
    pub(super) enabled: bool,
    pub(super) id: String,
    pub(super) region: String,
    pub(super) role: Option<Arn>,
    /// What is answered instead of a session: code and message.
    pub(super) failing: Option<(String, String)>,
    /// Whether no new session is had: what is there is given out, past its end too.
    pub(super) stale: bool,
    /// Whether it knows no tokens, as what stood in for IMDS on Kubernetes nodes did not for long.
    pub(super) first_version: bool,
    pub(super) issued: Option<Issued>,
    /// Each with its end.
    tokens: BTreeMap<String, SystemTime>,
}

impl Default for Metadata {
    fn default() -> Self {
        Self(Mutex::new(State {
            enabled: true,
            id: format!("i-{}", hex::encode(rand::random::<[u8; 8]>())),
            region: "us-east-1".to_owned(),
            role: None,
            failing: None,
            stale: false,
            first_version: false,
            issued: None,
            tokens: BTreeMap::new(),
        }))
    }
}

impl Metadata {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no thread panics while it holds this lock")
    }
}

impl State {
    /// A token that is good for `ttl`; `None` if there are too many.
    pub(super) fn make_token(&mut self, now: SystemTime, ttl: Duration) -> Option<String> {
        self.tokens.retain(|_, end| *end > now);
        if self.tokens.len() >= MAX_TOKENS {
            return None;
        }
        let token = format!("{}==", random_id("AQAEA", 49));
        self.tokens.insert(token.clone(), now + ttl);
        Some(token)
    }

    pub(super) fn knows_token(&self, token: &str, now: SystemTime) -> bool {
        self.tokens.get(token).is_some_and(|end| *end > now)
    }
}

/// The instance that the embedded AWS's machine is, for setting it up. Its metadata is at the same address as everything
/// else: `AWS_EC2_METADATA_SERVICE_ENDPOINT` is the endpoint.
#[derive(Debug, Clone)]
pub struct Instance(Arc<Shared>);

impl Instance {
    pub(in crate::aws) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.ambient.instance.state());
    }

    /// Its id: `i-0123456789abcdef0`.
    pub fn id(&self) -> String {
        self.0.ambient.instance.state().id.clone()
    }

    /// Gives it a role, which must trust `ec2.amazonaws.com`: whether it does is seen when a session is asked for.
    pub fn attach(&self, role: &Arn) {
        self.change(|state| (state.role, state.issued) = (Some(role.clone()), None));
    }

    /// Takes its role away.
    pub fn detach(&self) {
        self.change(|state| (state.role, state.issued) = (None, None));
    }

    /// Puts it into a region.
    pub fn set_region(&self, region: &str) {
        self.change(|state| region.clone_into(&mut state.region));
    }

    /// Switches its metadata on or off, as `HttpEndpoint` does.
    pub fn set_enabled(&self, enabled: bool) {
        self.change(|state| state.enabled = enabled);
    }

    /// Makes it answer with this code and message, under status 200 as EC2 does; `None` ends that.
    pub fn set_failing(&self, failing: Option<(&str, &str)>) {
        self.change(|state| state.failing = failing.map(|(code, message)| (code.to_owned(), message.to_owned())));
    }

    /// Keeps it from having new sessions: it gives out the one it has, past its end too, as EC2 does in an outage of its
    /// own.
    pub fn set_stale(&self, stale: bool) {
        self.change(|state| state.stale = stale);
    }

    /// Makes it one that speaks version 1 alone: nobody gets a token, and nobody needs one.
    pub fn set_first_version(&self, first_version: bool) {
        self.change(|state| state.first_version = first_version);
    }

    /// Forgets the session that it gives out, so that the next one is new.
    pub fn renew(&self) {
        self.change(|state| state.issued = None);
    }
}
