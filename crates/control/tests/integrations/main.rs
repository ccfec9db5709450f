//! Integrations over their store and the embedded AWS.

mod guard;
mod inconclusive;
mod propagation;
mod rotation;
mod shapes;
mod store;
mod world;
