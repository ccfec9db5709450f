//! One request and all policies that apply to it as one line of JSON, and the verdict on it as another: the form in
//! which `tidegate policy eval` can be driven and compared with any other evaluator.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::raw::{MAX_KEYS, Object};
use crate::{
    AccountId, Arn, Caller, Context, Decision, Document, Place, Policies, PolicyKind, Request, ResourcePolicy, evaluate,
};

/// What is said of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Verdict {
    /// It is allowed.
    Allow,
    /// A statement denies it.
    ExplicitDeny,
    /// No statement allows it that would have to.
    ImplicitDeny,
    /// A document is one that AWS refuses to save as what it is meant to be, or the line is no request at all.
    Invalid,
}

/// The answer to one line.
#[derive(Debug, Serialize)]
pub struct Answer {
    /// As in the line; `null` where the line has none that can be read.
    id: Option<Box<RawValue>>,
    decision: Verdict,
    reason: String,
}

impl Answer {
    /// The verdict.
    pub fn decision(&self) -> Verdict {
        self.decision
    }

    /// Which kind of policy and which statement it comes from, or what is wrong.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The answer to a line that is too long to be read, of which `start` is known.
    pub fn too_long(start: &[u8], most: usize) -> Self {
        let mut line = Line::default();
        // It breaks off, so it cannot be read to the end; its id may come before that.
        line.read(start).ok();
        line.refused(format!("the line is longer than {most} bytes"))
    }
}

/// Answers one line: a JSON object with `id`, the policies and the `request`. It never fails: what is wrong with the line
/// is said in the answer. Fields that it does not know are ignored; documents that have some are not valid.
pub fn answer(line: &[u8]) -> Answer {
    // A byte order mark, with which some writers begin their files, is no part of the first line (RFC 8259, 8.1).
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    let mut read = Line::default();
    let verdict = read.read(line).map_err(|error| error.to_string()).and_then(|()| read.decide());
    match verdict {
        Ok((decision, reason)) => Answer { id: read.id(), decision, reason },
        Err(reason) => read.refused(reason),
    }
}

/// The fields of a line, not yet looked into.
#[derive(Debug, Default)]
struct Line<'a> {
    id: Option<&'a RawValue>,
    identity: Option<&'a RawValue>,
    resource: Option<&'a RawValue>,
    trust: Option<&'a RawValue>,
    boundary: Option<&'a RawValue>,
    session: Option<&'a RawValue>,
    service_control: Option<&'a RawValue>,
    resource_control: Option<&'a RawValue>,
    endpoint: Option<&'a RawValue>,
    request: Option<&'a RawValue>,
}

impl<'a> Line<'a> {
    /// Fills in the fields. Those in front of a fault are there all the same.
    fn read(&mut self, line: &'a [u8]) -> Result<(), serde_json::Error> {
        let mut json = serde_json::Deserializer::from_slice(line);
        Fields(self).deserialize(&mut json)?;
        json.end()
    }

    fn id(&self) -> Option<Box<RawValue>> {
        self.id.map(ToOwned::to_owned)
    }

    fn refused(&self, reason: String) -> Answer {
        Answer { id: self.id(), decision: Verdict::Invalid, reason }
    }

    /// Every document is read, also those that do not matter for the decision: one that is not valid spoils the line.
    fn decide(&self) -> Result<(Verdict, String), String> {
        let one = |kind, raw: Option<&RawValue>| raw.map(|raw| document(kind, raw.get())).transpose();
        let identity = list(PolicyKind::Identity, self.identity)?;
        let boundary = one(PolicyKind::Boundary, self.boundary)?;
        let session = one(PolicyKind::Session, self.session)?;
        let resource = one(PolicyKind::Resource, self.resource)?;
        let trust = one(PolicyKind::Trust, self.trust)?;
        let service_control = levels(PolicyKind::ServiceControl, self.service_control)?;
        let resource_control = levels(PolicyKind::ResourceControl, self.resource_control)?;
        let endpoint = one(PolicyKind::Endpoint, self.endpoint)?;
        let resource = match (&resource, &trust) {
            (Some(_), Some(_)) => return Err("both resourcePolicy and trustPolicy are given".to_owned()),
            (Some(document), None) => Some(ResourcePolicy::Other(document)),
            (None, Some(document)) => Some(ResourcePolicy::Trust(document)),
            (None, None) => None,
        };
        let request = self.request.ok_or("the line has no request")?;
        let Object(asked): Object<Asked> =
            serde_json::from_str(request.get()).map_err(|error| format!("request: {error}"))?;
        let caller = asked.caller()?;
        let request = Request {
            caller: &caller,
            action: asked.action()?,
            resource: asked.resource(),
            resource_account: asked.account()?,
            context: &asked.context.0,
        };
        let identity: Vec<&Document> = identity.iter().collect();
        let policies = Policies {
            identity: &identity,
            boundary: boundary.as_ref(),
            session: session.as_ref(),
            resource,
            service_control: &service_control,
            resource_control: &resource_control,
            endpoint: endpoint.as_ref(),
        };
        Ok(match evaluate(&request, &policies) {
            Decision::Allowed(None) => (Verdict::Allow, format!("{} needs no policy here", request.action)),
            Decision::Allowed(Some(place)) => (Verdict::Allow, said(&place)),
            Decision::ExplicitlyDenied(place) => (Verdict::ExplicitDeny, said(&place)),
            Decision::ImplicitlyDenied(kind) => {
                (Verdict::ImplicitDeny, format!("no {} policy allows {}", kind.name(), request.action))
            }
        })
    }
}

fn said(place: &Place<'_>) -> String {
    let Place { kind, policy, statement, sid } = *place;
    let sid = sid.map_or(String::new(), |sid| format!(" ({sid})"));
    format!("{} policy {}, statement {}{sid}", kind.name(), policy + 1, statement + 1)
}

fn document(kind: PolicyKind, text: &str) -> Result<Document, String> {
    Document::parse_as(kind, text).map_err(|error| format!("{} policy: {error}", kind.name()))
}

fn list(kind: PolicyKind, raw: Option<&RawValue>) -> Result<Vec<Document>, String> {
    let Some(raw) = raw else { return Ok(Vec::new()) };
    let list: Vec<&RawValue> =
        serde_json::from_str(raw.get()).map_err(|error| format!("{} policies: {error}", kind.name()))?;
    list.into_iter().map(|raw| document(kind, raw.get())).collect()
}

fn levels(kind: PolicyKind, raw: Option<&RawValue>) -> Result<Vec<Vec<Document>>, String> {
    let Some(raw) = raw else { return Ok(Vec::new()) };
    let levels: Vec<&RawValue> =
        serde_json::from_str(raw.get()).map_err(|error| format!("{} policies: {error}", kind.name()))?;
    levels.into_iter().map(|level| list(kind, Some(level))).collect()
}

/// Reads the fields into a [`Line`] as they come, so that a fault further on does not lose them.
struct Fields<'l, 'a>(&'l mut Line<'a>);

impl<'a> DeserializeSeed<'a> for Fields<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for Fields<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a request and its policies")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            let line = &mut *self.0;
            let field = match &*name {
                "id" => &mut line.id,
                "identityPolicies" => &mut line.identity,
                "resourcePolicy" => &mut line.resource,
                "trustPolicy" => &mut line.trust,
                "permissionBoundary" => &mut line.boundary,
                "sessionPolicy" => &mut line.session,
                "scps" => &mut line.service_control,
                "rcps" => &mut line.resource_control,
                "endpointPolicy" => &mut line.endpoint,
                "request" => &mut line.request,
                _ => {
                    map.next_value::<serde::de::IgnoredAny>()?;
                    continue;
                }
            };
            if field.is_some() {
                return Err(A::Error::custom(format_args!("duplicate field `{name}`")));
            }
            // `null` is how many writers say "absent".
            *field = Some(map.next_value::<&RawValue>()?).filter(|raw| raw.get() != "null");
        }
        Ok(())
    }
}

/// `request`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    action: String,
    resource: String,
    resource_account: Option<String>,
    principal: String,
    #[serde(default)]
    context: Keys,
    #[serde(default)]
    wildcard_only_action: bool,
}

impl Asked {
    fn action(&self) -> Result<&str, String> {
        match self.action.split_once(':') {
            Some((service, name)) if !service.is_empty() && !name.is_empty() && !name.contains(':') => Ok(&self.action),
            _ => Err(format!("request: action {:?} is not of the form service:Name", self.action)),
        }
    }

    /// An action without resources is asked for on `*`, whatever is given.
    fn resource(&self) -> &str {
        if self.wildcard_only_action { "*" } else { &self.resource }
    }

    fn account(&self) -> Result<AccountId, String> {
        let said = match &self.resource_account {
            Some(account) => Some(account.parse().map_err(|error| format!("request: {error}"))?),
            None => self.resource.parse::<Arn>().ok().and_then(|arn| arn.account()),
        };
        said.ok_or_else(|| "request: neither resourceAccount nor resource says whose the resource is".to_owned())
    }

    fn caller(&self) -> Result<Caller, String> {
        let with_token = ["sts:AssumeRoleWithWebIdentity", "sts:AssumeRoleWithSAML"];
        let name = &*self.principal;
        // Amazon, Facebook, Google and Cognito are known by their domains, which look like those of services.
        if !name.contains(':') && name.contains('.') && with_token.iter().any(|a| a.eq_ignore_ascii_case(&self.action))
        {
            return Ok(Caller::provider(name));
        }
        let caller = Caller::parse(name).map_err(|error| format!("request: {error}"))?;
        // The line does not say who made a federated session: it is taken to bear its user's name.
        Ok(match caller.federated_name().map(ToOwned::to_owned) {
            Some(user_name) => caller.with_federating_user(&user_name),
            None => caller,
        })
    }
}

/// `context`. Numbers and booleans are taken as their text, as they are in policies.
#[derive(Debug, Default)]
struct Keys(Context);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Keys;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of condition keys")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                let mut context = Context::new();
                while let Some(key) = map.next_key::<String>()? {
                    if context.len() == MAX_KEYS {
                        return Err(A::Error::custom(format_args!("more than {MAX_KEYS} condition keys")));
                    }
                    if context.has(&key) {
                        return Err(A::Error::custom(format_args!("duplicate key `{key}`")));
                    }
                    match map.next_value()? {
                        Given::One(value) => context.set(&key, value),
                        Given::Many(values) => context.set_many(&key, values),
                    }
                }
                Ok(Keys(context))
            }
        }
        deserializer.deserialize_map(Read)
    }
}

/// The value of a condition key: a text, or a list of texts, also if it has one item.
enum Given {
    One(String),
    Many(Vec<String>),
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Given;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a list of strings")
            }

            fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Given, E> {
                Ok(Given::One(value.to_owned()))
            }

            fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Given, E> {
                Ok(Given::One(value.to_string()))
            }

            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Given, E> {
                Ok(Given::One(value.to_string()))
            }

            fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Given, E> {
                Ok(Given::One(value.to_string()))
            }

            fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Given, E> {
                Ok(Given::One(value.to_string()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Given, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = seq.next_element()? {
                    match value {
                        Given::One(value) => values.push(value),
                        Given::Many(_) => return Err(A::Error::custom("a list in a list is no value of a key")),
                    }
                }
                Ok(Given::Many(values))
            }
        }
        deserializer.deserialize_any(Read)
    }
}
