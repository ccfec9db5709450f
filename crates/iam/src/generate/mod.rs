//! Policies made to measure: the least that something needs, and whom a role should let in.
//!
//! What lives here: [`permission_policy`], from what will be called ([`Need`]) to the statements that allow just that;
//! [`Trust`], from who shall come in to a trust policy in which each principal is tied to its own external ID;
//! [`placeholder_policy`] for a role that is made before anybody's names are known; and [`render`], which writes any of
//! them as JSON, Terraform, CloudFormation or AWS CLI commands. Pure; what comes out is linted clean.

mod error;
mod form;
mod hcl;
mod need;
mod permission;
mod shell;
#[cfg(test)]
mod tests;
mod trust;
mod yaml;

pub use error::GenerateError;
pub use form::{Form, Subject, render};
pub use need::{Need, S3Place};
pub(crate) use permission::WRITE_ACTIONS;
pub use permission::permission_policy;
pub use trust::{Restrictions, Trust, Trusted, placeholder_policy};
