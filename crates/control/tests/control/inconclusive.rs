//! What is no answer proves nothing.

use control::{ProbeKind, State, Verdict};
use local::aws::{Effect, FaultRule};
use serde_json::Value;

use crate::world::{World, allow, bounded, good};

fn error(code: &str) -> Effect {
    Effect::Error { code: code.to_owned(), applied: false }
}

#[tokio::test]
async fn whatever_is_not_an_answer_leaves_a_good_role_unproven() {
    bounded(async {
        let world = World::new().await;
        let effects = [
            error("ServiceUnavailable"),
            error("InternalFailure"),
            error("Throttling"),
            error("ExpiredToken"),
            error("InvalidClientTokenId"),
            error("ValidationError"),
            error("SignatureDoesNotMatch"),
            Effect::Reset { applied: false },
            Effect::Reset { applied: true },
            // A refusal without its words, and a yes without its end.
            Effect::TruncateBody,
            Effect::ClockSkew { seconds: 3600 },
        ];
        for (number, effect) in effects.into_iter().enumerate() {
            // It strikes the right one (0), or one that must be refused (1 to 3).
            for skip in 0..4 {
                let integration = world.with_role(&format!("role-{number}-{skip}"), good).await;
                let rule = FaultRule::new(effect.clone()).operation("AssumeRole").skip(skip).count(1);
                let rule = world.aws.faults().add(rule).unwrap();
                let (integration, proof) = world.verify(&integration).await;
                assert_eq!(proof.verdict, Verdict::Inconclusive, "{effect:?} {skip}: {proof:#?}");
                assert_eq!(integration.state, State::Unproven, "{effect:?} {skip}");
                assert!(proof.reason.contains("neither yes nor AccessDenied"), "{}", proof.reason);
                world.aws.faults().remove(rule);
                assert_eq!(world.verify(&integration).await.0.state, State::Proven, "once it answers");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_hole_is_one_whatever_else_is_unclear() {
    bounded(async {
        let world = World::new().await;
        let integration = world.with_role("open", |who, _| allow(who, Value::Null)).await;
        let rule = FaultRule::new(error("Throttling")).operation("AssumeRole").skip(1).count(1);
        world.aws.faults().add(rule).unwrap();
        let (integration, proof) = world.verify(&integration).await;
        assert_eq!((proof.verdict, integration.state), (Verdict::Open, State::Refused));
        assert_eq!(integration.holes().collect::<Vec<_>>(), [ProbeKind::Wrong, ProbeKind::Near]);
    })
    .await;
}

#[tokio::test]
async fn no_answer_takes_away_neither_a_proof_nor_a_finding() {
    bounded(async {
        let world = World::new().await;
        let proven = world.verify(&world.with_role("proven", good).await).await.0;
        let refused = world.verify(&world.with_role("refused", |who, _| allow(who, Value::Null)).await).await.0;
        world.aws.faults().add(FaultRule::new(error("ServiceUnavailable"))).unwrap();
        let (later, proof) = world.verify(&proven).await;
        assert_eq!((proof.verdict, later.state), (Verdict::Inconclusive, State::Proven));
        assert_eq!(later.proven_at, proven.proven_at, "and it is as old as it was");
        assert!(world.integrations.connection(&later.id).await.is_ok());
        assert_eq!(world.verify(&refused).await.0.state, State::Refused);
    })
    .await;
}
