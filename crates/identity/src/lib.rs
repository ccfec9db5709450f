//! From a connection to a session: who Tidegate is to AWS, and until when.
//!
//! What lives here: connections as they are written down ([`Connections`], [`ConnectionSpec`]) and what each comes to for
//! one connector ([`Connection`]: a [`Base`] and a list of [`AssumeRole`] hops), the [`Fence`] that sessions are cut down
//! to, the two things that sign a request ([`Session`], which always expires, and [`StaticKeys`], which never do), the one
//! cache that every connector asks ([`Sessions`] makes the caches, [`SessionCache`] is one of them), and what can go wrong
//! on the way ([`Error`]). What may not: an AWS SDK client (those are built by `aws`, which implements [`Exchange`]), and
//! anything about records.
//!
//! ```text
//! ConnectionSpec          what the user declares, explicit: nothing is guessed from which box is empty
//!  -> ConnectionSpec::bind  for one connector: names filled in, the fence made a session policy
//!  -> Connection::flaws   everything that can be refused before a call is made: shapes, ranges, the 1 h chaining cap
//!  -> Sessions::open      one SessionCache per distinct request, shared by everyone who asks for the same
//!  -> SessionCache        single flight; refreshed ahead with jitter; hard stop 60 s before the end
//!  -> FetchSession        one exchange: the base, then AssumeRole per hop, each signed by the session before it
//!  -> Identity::signer    what signs the next request
//! ```
//!
//! [`roles_anywhere`] is the base that has no key of AWS's at all: a certificate is exchanged for a session, by our own signer.
//!
//! The hour that counts is AWS's ([`AwsClock`]): sessions end when AWS says so, whatever the machine's clock believes.

mod assume_role;
mod base;
mod cache;
mod clock;
mod connection;
mod error;
mod fence;
mod fetch;
mod hop;
mod identity;
mod integrations;
mod key_rule;
mod lifetime;
pub mod profile;
mod region;
mod registry;
mod session;
mod spec;
mod stats;
mod template;

pub mod roles_anywhere;

pub use assume_role::{AssumeRole, Flaw};
pub use base::{Base, Profile, WebIdentity};
pub use cache::SessionCache;
pub use clock::AwsClock;
pub use connection::{Connection, HandedOn, StsEndpoint};
pub use error::{Error, Refusal};
pub use fence::{Fence, FenceError, Keeping, Place, Purpose, Within};
pub use fetch::{Exchange, Exchanged, FetchSession, WatchExchanges};
pub use identity::Identity;
pub use integrations::{ExternalIds, Integrations};
pub use key_rule::KeyRule;
pub use lifetime::Lifetime;
pub use region::{domain_of, is_region};
pub use registry::Sessions;
pub use session::{AccessKeyId, Session, Signer, StaticKeys};
pub use spec::{
    ConnectionFaults, ConnectionSpec, Connections, Endpoints, ImportSource, Imported, SpecFault, SpecWarning, import,
};
pub use stats::SessionStats;
pub use template::{Template, Variables};
