//! The language of trust: ARNs, policy documents, and what they decide. Pure: no I/O, no clock, no environment.
//!
//! What lives here: [`Arn`], the policy [`Document`] with its parser and printer, and [`evaluate`], which answers whether
//! one request is allowed and by which statement. What may not: anything that talks to AWS or holds a secret.
//!
//! ```text
//! text -> Document::parse      grammar; every fault with a line and column or a statement
//!      -> Document::check      is it fit for its kind: identity, trust, resource, session policy and so on
//!      -> evaluate             one request against all policies that apply to it
//! line -> answer               all of that for one JSON line that holds a request and its policies
//!
//! needs -> generate            the least policy, the trust policy; as JSON, Terraform, CloudFormation, AWS CLI
//! Document -> lint             what a reviewer would say, with the mended text
//!          -> explain, diff    what it says, in English; what another one says otherwise
//! ```
//!
//! [`Draft`] is a policy as plain data, to write or change one; it becomes a [`Document`] through the parser only.
//!
//! It fails closed. What it does not know (an operator, a key, a version, a kind of principal) is refused when the
//! document is read, never skipped when it is evaluated: an unknown condition that is ignored turns a role that lets in
//! one tenant into a role that lets in all of them.

mod account;
mod arn;
mod arn_pattern;
mod caller;
mod condition;
mod context;
mod contract;
mod date;
pub mod diff;
mod document;
mod draft;
mod error;
mod evaluate;
mod explain;
pub mod generate;
mod kind;
pub mod lint;
mod matching;
mod network;
mod operator;
mod pattern;
mod principal;
mod print;
mod raw;
mod reference;
mod scope;
mod standing;

pub use account::AccountId;
pub use arn::{Arn, Partition};
pub use caller::Caller;
pub use condition::Condition;
pub use context::Context;
pub use contract::{Answer, Verdict, answer};
pub use document::{Document, Effect, Statement, Version};
pub use draft::{Draft, DraftCondition, DraftList, DraftPrincipals, DraftStatement};
pub use error::{ArnError, PolicyError};
pub use evaluate::{Decision, Place, Policies, Request, ResourcePolicy, evaluate};
pub use explain::explain;
pub use kind::PolicyKind;
pub use operator::Operator;
pub use principal::{Principal, Principals};
pub use scope::{Actions, Resources};
pub use standing::{Standing, standings};
