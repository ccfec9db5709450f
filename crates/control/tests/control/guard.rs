//! Proving again, day by day.

use std::time::{Duration, SystemTime};

use ::world::Clock;
use control::{Guard, GuardOptions, State};
use local::aws::{Effect, FaultRule};
use serde_json::{Value, json};

use crate::world::{World, allow, bounded, eventually, good};

const LOOK_OFTEN: Duration = Duration::from_millis(10);

fn options() -> GuardOptions {
    GuardOptions { look: LOOK_OFTEN, ..GuardOptions::default() }
}

fn some_day() -> Clock {
    Clock::manual(SystemTime::UNIX_EPOCH + Duration::from_hours(24 * 365 * 50))
}

#[tokio::test]
async fn a_role_that_has_become_open_makes_its_integration_unsafe_within_a_day() {
    bounded(async {
        let clock = some_day();
        let world = World::at(clock.clone()).await;
        let proven = world.verify(&world.with_role("orders", good).await).await.0;
        let calls = world.aws.requests().of("AssumeRole");
        let guard = Guard::start(world.integrations.clone(), world.prover(), vec![proven.id.clone()], options());
        let seen = || guard.watched().get(&proven.id).copied();
        eventually(async || seen().is_some()).await;
        assert_eq!(seen().unwrap().state, State::Proven);

        let open = json!({"Version": "2012-10-17", "Statement": allow(world.user.arn.as_str(), Value::Null)});
        world.customer().update_trust("orders", &open.to_string()).await.unwrap();
        // Jitter: not before 90 % of a day, and not after 110 %.
        clock.advance(Duration::from_hours(21));
        let due = seen().unwrap().due_at;
        let hours = due.duration_since(proven.proven_at.unwrap()).as_secs_f64() / 3600.0;
        assert!((21.6..=26.4).contains(&hours), "{hours}");
        assert_eq!(world.aws.requests().of("AssumeRole"), calls, "nothing is tried before it is due");
        clock.advance(Duration::from_hours(6));
        eventually(async || seen().is_some_and(|seen| seen.state == State::Unsafe)).await;
        let error = world.integrations.connection(&proven.id).await.unwrap_err();
        assert!(
            error.to_string().starts_with(&format!("integration {} is unsafe and not proven", proven.id)),
            "{error}"
        );

        // Mended, it is found good at the next proof.
        world.trust_as_told(&proven).await;
        clock.advance(Duration::from_hours(27));
        eventually(async || seen().is_some_and(|seen| seen.state == State::Proven)).await;
    })
    .await;
}

#[tokio::test]
async fn an_inconclusive_proof_is_made_again_within_hours_and_a_week_of_them_is_too_much() {
    bounded(async {
        let clock = some_day();
        let world = World::at(clock.clone()).await;
        let proven = world.verify(&world.with_role("orders", good).await).await.0;
        let guard = Guard::start(world.integrations.clone(), world.prover(), vec![proven.id.clone()], options());
        let seen = || guard.watched().get(&proven.id).copied();
        eventually(async || seen().is_some()).await;
        let effect = Effect::Error { code: "ServiceUnavailable".to_owned(), applied: false };
        world.aws.faults().add(FaultRule::new(effect)).unwrap();
        clock.advance(Duration::from_hours(27));
        let tried = async |after| {
            let at = world.integrations.get(&proven.id).await.unwrap().last_proof.unwrap().ended_at;
            at > after
        };
        let first = proven.last_proof.as_ref().unwrap().ended_at;
        eventually(async || tried(first).await).await;
        assert_eq!(seen().unwrap().state, State::Proven, "the proof of yesterday stands");
        let wait = seen().unwrap().due_at.duration_since(world.integrations.now()).as_secs_f64() / 60.0;
        assert!((53.0..=67.0).contains(&wait), "{wait}");

        clock.advance(Duration::from_hours(24 * 7));
        eventually(async || seen().is_some_and(|seen| seen.state == State::Unproven)).await;
        world.aws.faults().clear();
        clock.advance(Duration::from_hours(2));
        eventually(async || seen().is_some_and(|seen| seen.state == State::Proven)).await;
    })
    .await;
}

#[tokio::test]
async fn a_proof_by_another_process_counts() {
    bounded(async {
        let clock = some_day();
        let world = World::at(clock.clone()).await;
        let proven = world.verify(&world.with_role("orders", good).await).await.0;
        let guard = Guard::start(world.integrations.clone(), world.prover(), vec![proven.id.clone()], options());
        let seen = || guard.watched().get(&proven.id).copied();
        eventually(async || seen().is_some()).await;
        clock.advance(Duration::from_hours(21));
        let again = world.verify(&proven).await.0;
        eventually(async || seen().is_some_and(|seen| seen.proven_at == again.proven_at)).await;
        let hours = seen().unwrap().due_at.duration_since(again.proven_at.unwrap()).as_secs_f64() / 3600.0;
        assert!(hours > 21.5, "{hours}");
    })
    .await;
}

#[tokio::test]
async fn a_proof_from_the_future_is_no_reason_to_wait_and_does_not_stand_for_years() {
    bounded(async {
        let clock = some_day();
        let world = World::at(clock.clone()).await;
        // Proven while the machine's clock was a year ahead, which is put right afterwards.
        clock.advance(Duration::from_hours(24 * 365));
        let proven = world.verify(&world.with_role("orders", good).await).await.0;
        clock.set(clock.now() - Duration::from_hours(24 * 365));
        let calls = world.aws.requests().of("AssumeRole");
        let guard = Guard::start(world.integrations.clone(), world.prover(), vec![proven.id.clone()], options());
        let seen = || guard.watched().get(&proven.id).copied();
        eventually(async || world.aws.requests().of("AssumeRole") > calls).await;
        eventually(async || seen().is_some_and(|seen| seen.proven_at != proven.proven_at)).await;
        let hours = seen().unwrap().due_at.duration_since(world.integrations.now()).as_secs_f64() / 3600.0;
        assert!((21.5..=26.5).contains(&hours), "{hours}");

        // While it watches, too.
        let calls = world.aws.requests().of("AssumeRole");
        clock.set(clock.now() - Duration::from_hours(24 * 30));
        eventually(async || world.aws.requests().of("AssumeRole") > calls).await;
    })
    .await;
}

#[tokio::test]
async fn a_proof_from_the_future_falls_with_the_first_inconclusive_one() {
    bounded(async {
        let clock = some_day();
        let world = World::at(clock.clone()).await;
        clock.advance(Duration::from_hours(24 * 365));
        let proven = world.verify(&world.with_role("orders", good).await).await.0;
        clock.set(clock.now() - Duration::from_hours(24 * 365));
        let effect = Effect::Error { code: "ServiceUnavailable".to_owned(), applied: false };
        world.aws.faults().add(FaultRule::new(effect)).unwrap();
        assert_eq!(world.verify(&proven).await.0.state, State::Unproven, "nobody knows how old it is");
    })
    .await;
}

#[tokio::test]
async fn an_integration_that_is_taken_away_is_not_shown_as_proven_any_more() {
    bounded(async {
        let world = World::at(some_day()).await;
        let proven = world.verify(&world.with_role("orders", good).await).await.0;
        let guard = Guard::start(world.integrations.clone(), world.prover(), vec![proven.id.clone()], options());
        eventually(async || guard.watched().contains_key(&proven.id)).await;
        world.integrations.delete(&proven.id).await.unwrap();
        eventually(async || guard.watched().is_empty()).await;
    })
    .await;
}
