//! Integrations and the control plane over their store and the embedded AWS.

mod guard;
mod inconclusive;
mod plane;
mod propagation;
mod rotation;
mod shapes;
mod store;
mod world;
