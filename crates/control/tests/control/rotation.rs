//! Two external IDs, one after the other, without a gap.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ::world::Clock;
use control::{CurrentIds, ProbeKind, State, Verdict};
use identity::Connection;
use serde_json::json;

use crate::world::{World, bounded, good};

#[tokio::test]
async fn a_rotation_has_no_moment_without_a_proven_id() {
    bounded(async {
        let world = World::new().await;
        let first = world.verify(&world.with_role("orders", good).await).await.0;
        let old = first.external_ids[0].value.clone();
        let used = async || {
            let role = world.integrations.connection(&first.id).await.unwrap();
            role.external_id.unwrap()
        };
        assert_eq!(used().await, old.as_str());

        let rotating = world.integrations.rotate(&first.id).await.unwrap();
        let new = rotating.external_ids[0].value.clone();
        assert_ne!(old, new);
        assert_eq!((rotating.state, used().await), (State::Proven, old.as_str().to_owned()), "nothing changes yet");
        let error = world.integrations.rotate(&first.id).await.unwrap_err();
        assert!(matches!(error, control::Error::Rotating { .. }), "{error}");
        let policy = rotating.trust_policy(world.integrations.now()).to_string();
        assert!(policy.contains(old.as_str()) && policy.contains(new.as_str()), "{policy}");

        // The customer has not pasted it yet: the old one is still proven.
        let (still, proof) = world.verify(&rotating).await;
        assert_eq!((still.state, proof.verdict), (State::Proven, Verdict::Proven));
        assert!(proof.refuses(ProbeKind::Right) && proof.lets_in(ProbeKind::Older), "{proof:#?}");
        assert_eq!(used().await, old.as_str());
        assert!(still.waits_for_new_id(world.integrations.now()));
        let early = world.integrations.finish_rotation(&first.id).await.unwrap_err();
        assert!(early.to_string().contains("the newer one has not been proven"), "{early}");

        // Now it has: the new one is used, the old one still accepted.
        world.trust_as_told(&still).await;
        let (both, proof) = world.verify(&still).await;
        assert!(proof.lets_in(ProbeKind::Right) && proof.lets_in(ProbeKind::Older), "{proof:#?}");
        assert_eq!(used().await, new.as_str());
        assert!(both.external_ids[1].retire_at.is_some() && both.external_ids[1].retired_at.is_none());
        assert_eq!(both.live_ids(world.integrations.now()).count(), 2);

        // The customer takes the old statement out: the old one is retired.
        let trust = json!({"Version": "2012-10-17", "Statement": good(world.user.arn.as_str(), new.as_str())});
        world.customer().update_trust("orders", &trust.to_string()).await.unwrap();
        let (done, _) = world.verify(&both).await;
        assert!(done.external_ids[1].retired_at.is_some());
        assert!(!done.trust_policy(world.integrations.now()).to_string().contains(old.as_str()));
        assert_eq!((done.state, used().await), (State::Proven, new.as_str().to_owned()));
    })
    .await;
}

#[tokio::test]
async fn an_old_id_is_retired_a_week_after_the_new_one_was_proven_or_when_it_is_told_to_be() {
    bounded(async {
        let clock = Clock::manual(SystemTime::UNIX_EPOCH + Duration::from_hours(24 * 365 * 50));
        let world = World::at(clock.clone()).await;
        for told in [false, true] {
            let name = if told { "told" } else { "aged" };
            let first = world.verify(&world.with_role(name, good).await).await.0;
            let rotating = world.integrations.rotate(&first.id).await.unwrap();
            world.trust_as_told(&rotating).await;
            let both = world.verify(&rotating).await.0;
            let old = both.external_ids[1].value.as_str().to_owned();
            clock.advance(Duration::from_hours(24 * 6));
            assert!(both.trust_policy(world.integrations.now()).to_string().contains(&old));
            if told {
                world.integrations.finish_rotation(&first.id).await.unwrap();
            } else {
                clock.advance(Duration::from_hours(25));
            }
            let now = world.integrations.get(&first.id).await.unwrap();
            assert!(!now.trust_policy(world.integrations.now()).to_string().contains(&old), "{name}");
            assert!(world.integrations.rotate(&first.id).await.is_ok(), "{name}: the next one may begin");
        }
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_stays_open_sends_the_new_id_at_its_next_exchange() {
    bounded(async {
        let world = World::at(Clock::manual(SystemTime::UNIX_EPOCH + Duration::from_hours(24 * 365 * 50))).await;
        let first = world.verify(&world.with_role("orders", good).await).await.0;
        let role = first.connection(world.integrations.now()).unwrap();
        let old = role.external_id.clone().unwrap();
        let clients = world.clients();
        let issued = CurrentIds::new(world.integrations.clone(), [(first.id.clone(), old.clone())]);
        clients.sessions().ask_for_external_ids(Arc::new(issued));
        let connection = Connection { hops: vec![role], ..world.ours(&world.user) };
        let open = clients.sessions().open(&connection).unwrap();
        let exchange = async || {
            open.signer().await.unwrap();
            // By the next one, this session has ended.
            world.clock.advance(Duration::from_hours(2));
        };
        exchange().await;

        // Begun, not pasted: the old one. Pasted, proven and the old one thrown out in the same minute: the new one.
        let rotating = world.integrations.rotate(&first.id).await.unwrap();
        exchange().await;
        world.trust_as_told(&rotating).await;
        exchange().await;
        world.verify(&rotating).await;
        let done = world.integrations.finish_rotation(&first.id).await.unwrap();
        world.trust_as_told(&done).await;
        exchange().await;
        assert!(!done.trust_policy(world.integrations.now()).to_string().contains(&old), "it was the new one");

        // Who cannot look any more goes on with what was sent last.
        world.integrations.delete(&first.id).await.unwrap();
        exchange().await;
    })
    .await;
}

#[tokio::test]
async fn an_open_role_is_found_in_a_rotation_too() {
    bounded(async {
        let world = World::new().await;
        let first = world.verify(&world.with_role("orders", good).await).await.0;
        let rotating = world.integrations.rotate(&first.id).await.unwrap();
        // Both IDs in one condition, and a third statement for testing that was forgotten.
        let ids: Vec<_> = rotating.external_ids.iter().map(|issued| issued.value.as_str()).collect();
        let who = world.user.arn.as_str();
        let trust = json!({"Version": "2012-10-17", "Statement": [
            crate::world::allow(who, json!({"StringEquals": {"sts:ExternalId": ids}})),
            crate::world::allow(who, json!({"StringLike": {"sts:ExternalId": "????????-*"}})),
        ]});
        world.customer().update_trust("orders", &trust.to_string()).await.unwrap();
        let (found, proof) = world.verify(&rotating).await;
        assert_eq!((found.state, proof.verdict), (State::Unsafe, Verdict::Open), "{proof:#?}");
    })
    .await;
}
