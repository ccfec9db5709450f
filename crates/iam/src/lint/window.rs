//! Statements whose time is over, or never comes.

use crate::lint::Severity;
use crate::lint::rule::{Rule, spot};
use crate::lint::scene::{Scene, Spot};
use crate::operator::{Order, Set, Test};
use crate::{DraftStatement, Effect};

pub(super) const RULES: &[Rule] = &[
    Rule { name: "expired", why: "its time is over: it says nothing any more", find: expired },
    Rule { name: "empty-window", why: "it begins after its end, so that it never matches", find: empty_window },
];

/// The instants between which a statement's conditions on the time hold, as far as they say so.
fn window(statement: &DraftStatement) -> (Option<jiff::Timestamp>, Option<jiff::Timestamp>) {
    let (mut from, mut until) = (None, None);
    for condition in &statement.conditions {
        let about_time = condition.is_about("aws:CurrentTime") || condition.is_about("aws:EpochTime");
        let operator = condition.operator;
        let instants: Option<Vec<_>> = condition.values.iter().map(|value| crate::date::instant(value)).collect();
        let (true, false, Set::Single, Some(instants)) = (about_time, operator.negated, operator.set, instants) else {
            continue;
        };
        let (Test::Date(order) | Test::Numeric(order)) = operator.test else { continue };
        // Any of the values will do: the earliest beginning, the latest end.
        match order {
            Order::GreaterThan | Order::GreaterThanEquals => from = from.max(instants.iter().min().copied()),
            Order::LessThan | Order::LessThanEquals => {
                let end = instants.iter().max().copied();
                until = if until.is_none() { end } else { until.min(end) };
            }
            Order::Equals => {}
        }
    }
    (from, until)
}

fn expired(scene: &Scene<'_>) -> Vec<Spot> {
    let Some(now) = scene.options.now else { return Vec::new() };
    let mut spots = Vec::new();
    for (index, statement) in scene.all() {
        let (_, Some(until)) = window(statement) else { continue };
        if until > now {
            continue;
        }
        let (severity, verb) = match statement.effect {
            Effect::Allow => (Severity::Warning, "allowed"),
            Effect::Deny => (Severity::Note, "denied"),
        };
        let what = format!("nothing is {verb} by it since {until}");
        spots.push(spot(index, severity, what, move |slots| slots.remove(index)));
    }
    spots
}

fn empty_window(scene: &Scene<'_>) -> Vec<Spot> {
    let mut spots = Vec::new();
    for (index, statement) in scene.all() {
        let (Some(from), Some(until)) = window(statement) else { continue };
        if from < until {
            continue;
        }
        let what = format!("it holds from {from} to {until}");
        spots.push(spot(index, Severity::Error, what, move |slots| slots.remove(index)));
    }
    spots
}
