use runtime::Metrics;

use crate::{Guard, Integrations, State};

/// Shows in `metrics` what a guard knows.
pub fn show_guard(guard: &Guard, integrations: &Integrations, metrics: &Metrics) {
    let read = guard.reader();
    metrics.add_gauge("tidegate_integration_state", "1 for the state that the integration is in", move || {
        let states = read().into_iter().flat_map(|(id, watched)| {
            State::ALL.map(|state| {
                let labels = vec![("integration", id.to_string()), ("state", state.name().to_owned())];
                (labels, f64::from(u8::from(state == watched.state)))
            })
        });
        states.collect()
    });
    let (read, integrations) = (guard.reader(), integrations.clone());
    let help = "Since the integration's role was last proven to let in nobody else";
    metrics.add_gauge("tidegate_integration_proof_age_seconds", help, move || {
        let ages = read().into_iter().filter_map(|(id, watched)| {
            let age = integrations.now().duration_since(watched.proven_at?).as_secs_f64();
            Some((vec![("integration", id.to_string())], age))
        });
        ages.collect()
    });
}
