//! Integrations: the trust between Tidegate and a customer's AWS account, kept and proven.
//!
//! What lives here: the [`Integration`] (our principal, the external IDs that we have issued, the customer's role), the
//! store that keeps them ([`Integrations`], a SQLite file), the [`Prover`] that tries whether a role lets in us and
//! nobody else, and the [`Guard`] that tries it again every day. What may not: a signature or an HTTP request (those are
//! made by `aws`), and anything about connectors (whoever runs one asks [`Integrations::connection`]).
//!
//! ```text
//! Integrations::create     an ID and an external ID of 128 random bits; never one that a caller brings along
//!  -> trust policy         what the customer pastes: one statement a principal and external ID
//!  -> Prover::prove        as the same caller, in one go: right, absent, wrong, near; only AccessDenied is a refusal
//!  -> Integration::learn   the verdict becomes a state: proven, refused, unsafe, unproven
//!  -> connection           a role to take on, of a proven integration only
//!  -> CurrentIds           the external ID of the next exchange: IDs are rotated under connections that stay open
//!  -> Guard                proves again daily: trust policies drift
//! ```
//!
//! The danger that all of this is about is the confused deputy: Tidegate can take on the roles of all of its customers,
//! so whoever gets it to use a role that is not theirs has that customer's data. A role that asks for an external ID
//! which only its owner's integration holds cannot be used so. Whether it really asks is not to be believed but tried.

mod caller;
mod current_ids;
mod error;
mod external_id;
mod guard;
mod ids;
mod integration;
mod integration_id;
mod integrations;
mod known;
mod logs;
mod plane;
mod probe;
mod proof;
mod prover;
mod shown_guard;
mod store;
mod sts;
mod supervisor;
mod trust;
mod words;

pub use caller::{Caller, Credentials, Origin, Principal};
pub use current_ids::CurrentIds;
pub use error::Error;
pub use external_id::ExternalId;
pub use guard::{Guard, GuardOptions, Watched};
pub use ids::{ClusterId, ConnectorId, EnvironmentId, InvalidId, RoleBindingId, ServiceAccountId, UserId};
pub use integration::{Integration, IssuedId, NewIntegration, State};
pub use integration_id::IntegrationId;
pub use integrations::Integrations;
pub use known::{ConnectionOf, Known};
pub use logs::{LogLayer, LogLine, Logs};
pub use plane::*;
pub use probe::{Outcome, Probe, ProbeKind};
pub use proof::{Proof, Verdict};
pub use prover::{Patience, Prover};
pub use shown_guard::show_guard;
pub use store::{Trouble, back_up};
pub use sts::{AwsCaller, AwsSts, LetIn, Sts, principal_of};
pub use supervisor::{Supervisor, Wanted};
pub use trust::trust_policy;
