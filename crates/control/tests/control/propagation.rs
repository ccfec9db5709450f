//! A trust policy that was just saved.

use std::sync::Arc;
use std::time::Duration;

use control::{ProbeKind, State, Verdict};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::world::{World, allow, bounded, eventually, good};

// Paused: pauses between attempts pass at once, and count.
#[tokio::test(start_paused = true)]
async fn a_role_that_is_mended_within_the_minute_is_proven() {
    bounded(async {
        let world = Arc::new(World::new().await);
        let nobody =
            |_: &str, _: &str| json!({"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"});
        let integration = world.with_role("orders", nobody).await;
        let prover = world.prover_as(&world.user);
        let (integrations, id) = (world.integrations.clone(), integration.id.clone());
        let proving = tokio::spawn(async move { integrations.verify(&id, &prover).await.unwrap() });
        let refusal = ("AssumeRole".to_owned(), "AccessDenied".to_owned());
        eventually(async || world.aws.requests().counts().get(&refusal).is_some_and(|count| *count >= 3)).await;
        world.trust_as_told(&integration).await;
        let (integration, proof) = proving.await.unwrap();
        assert_eq!(integration.state, State::Proven, "{}", proof.reason);
        let right = proof.probe(ProbeKind::Right).unwrap();
        // Once more after the wait, because some of STS may still have had the placeholder.
        assert_eq!(world.aws.requests().of("AssumeRole"), 3 + 1 + 3 + 1 + 3, "{right:?}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_open_policy_that_is_still_on_its_way_is_found_at_the_second_look() {
    bounded(async {
        let world = Arc::new(World::new().await);
        let nobody =
            |_: &str, _: &str| json!({"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"});
        let integration = world.with_role("orders", nobody).await;
        let prover = world.prover_as(&world.user);
        let (integrations, id) = (world.integrations.clone(), integration.id.clone());
        let proving = tokio::spawn(async move { integrations.verify(&id, &prover).await.unwrap() });
        let counts = |code: &str| {
            let key = ("AssumeRole".to_owned(), code.to_owned());
            world.aws.requests().counts().get(&key).copied().unwrap_or_default()
        };
        // The good policy arrives, then, behind the first round of refusals, the one that was really saved.
        eventually(async || counts("AccessDenied") >= 1).await;
        world.trust_as_told(&integration).await;
        eventually(async || counts("200") >= 1 && counts("AccessDenied") >= 4).await;
        let trust = json!({"Version": "2012-10-17", "Statement": allow(world.user.arn.as_str(), Value::Null)});
        world.customer().update_trust("orders", &trust.to_string()).await.unwrap();
        let (integration, proof) = proving.await.unwrap();
        assert_eq!((integration.state, proof.verdict), (State::Refused, Verdict::Open), "{proof:#?}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn after_a_minute_a_refusal_is_one() {
    bounded(async {
        let world = World::new().await;
        let integration = world.with_role("orders", |who, _| good(who, "another-customer")).await;
        let began = Instant::now();
        let (integration, proof) =
            world.integrations.verify(&integration.id, &world.prover_as(&world.user)).await.unwrap();
        assert_eq!((integration.state, proof.verdict), (State::Unproven, Verdict::Denied));
        assert!((45..=60).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
        let right = proof.probe(ProbeKind::Right).unwrap();
        assert!((8..=20).contains(&right.attempts), "{right:?}");
        assert_eq!(right.request_ids.len(), right.attempts as usize);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_throttle_in_passing_spoils_no_proof() {
    use local::aws::{Effect, FaultRule};
    bounded(async {
        let world = World::new().await;
        let integration = world.with_role("orders", good).await;
        let effect = Effect::Error { code: "Throttling".to_owned(), applied: false };
        world.aws.faults().add(FaultRule::new(effect).operation("AssumeRole").skip(2).count(2)).unwrap();
        let (integration, proof) =
            world.integrations.verify(&integration.id, &world.prover_as(&world.user)).await.unwrap();
        assert_eq!(integration.state, State::Proven, "{}", proof.reason);
        assert_eq!(proof.probe(ProbeKind::Wrong).unwrap().attempts, 3);
        assert!(Duration::from_mins(1) > proof.ended_at.duration_since(proof.began_at).unsigned_abs());
    })
    .await;
}
