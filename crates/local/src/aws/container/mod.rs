//! The credentials endpoint of containers: ECS tasks by a path of their own, EKS pods by their token. Both must show an
//! authorization token, which ECS does not ask for everywhere.

mod endpoint;

pub use endpoint::{Container, PodIdentity};
pub(super) use endpoint::{Endpoint, handle, is_path};
