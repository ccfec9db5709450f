use std::time::Duration;

use ::world::Secret;
use control::{Credentials, KeyScope, Principal, Refusal};

use super::{PASSWORD, Plane, basic, operator, origin};

#[tokio::test]
async fn without_users_and_keys_everybody_is_the_operator_and_then_nobody_is() {
    let world = Plane::new().await;
    let nobody = world.plane.authenticate(Credentials::None, origin()).await.unwrap();
    assert_eq!(nobody.principal, Principal::Operator);
    assert!(matches!(
        world.plane.authenticate(basic("ana@example.com", PASSWORD), origin()).await,
        Err(Refusal::Unauthenticated)
    ));
    let admin = world.admin().await;
    assert!(matches!(world.plane.authenticate(Credentials::None, origin()).await, Err(Refusal::Unauthenticated)));
    let shown = world.plane.authenticate(basic(" ana@EXAMPLE.com", PASSWORD), origin()).await.unwrap();
    assert_eq!(shown.principal, admin.principal);
    assert!(world.plane.environments(&shown).await.unwrap()[0].is_own);
}

#[tokio::test]
async fn a_login_lasts_an_hour_is_refreshed_once_and_ends() {
    let world = Plane::new().await;
    let admin = world.admin().await;
    let bearer = |token: &Secret| Credentials::Bearer(token.clone());
    let first = world.plane.login("ana@example.com", &Secret::new(PASSWORD), origin()).await.unwrap();
    let caller = world.plane.authenticate(bearer(&first.token), origin()).await.unwrap();
    assert_eq!(caller.principal, admin.principal);
    world.clock.advance(Duration::from_mins(61));
    assert!(world.plane.authenticate(bearer(&first.token), origin()).await.is_err());
    let second = world.plane.refresh(&first.refresh_token, origin()).await.unwrap();
    world.plane.authenticate(bearer(&second.token), origin()).await.unwrap();
    // Whoever shows a used one has stolen it, or the other has: nobody goes on.
    assert!(world.plane.refresh(&first.refresh_token, origin()).await.is_err());
    assert!(world.plane.authenticate(bearer(&second.token), origin()).await.is_err());
    let third = world.plane.login("ana@example.com", &Secret::new(PASSWORD), origin()).await.unwrap();
    world.plane.logout(&third.token, origin()).await.unwrap();
    assert!(world.plane.authenticate(bearer(&third.token), origin()).await.is_err());
    assert!(world.plane.refresh(&third.refresh_token, origin()).await.is_err());
    let fourth = world.plane.login("ana@example.com", &Secret::new(PASSWORD), origin()).await.unwrap();
    world.clock.advance(Duration::from_hours(9));
    assert!(world.plane.refresh(&fourth.refresh_token, origin()).await.is_err(), "a working day is over");
}

#[tokio::test]
async fn a_key_speaks_for_its_owner_until_it_is_taken_away() {
    let world = Plane::new().await;
    let admin = world.admin().await;
    let issued = world.plane.create_api_key(&admin, admin.principal.clone(), KeyScope::Cloud, "ci").await.unwrap();
    let secret = issued.secret.expose().to_owned();
    assert_eq!((issued.key.id.len(), secret.len()), (16, 64));
    let caller = world.plane.authenticate(basic(&issued.key.id, &secret), origin()).await.unwrap();
    assert_eq!(caller.principal, admin.principal);
    for (id, secret) in [(issued.key.id.as_str(), "x"), ("ABCDEFGHIJKLMNOP", secret.as_str())] {
        assert!(matches!(world.plane.authenticate(basic(id, secret), origin()).await, Err(Refusal::Unauthenticated)));
    }
    world.plane.delete_api_key(&admin, &issued.key.id).await.unwrap();
    assert!(world.plane.authenticate(basic(&issued.key.id, &secret), origin()).await.is_err());
    let files: String = ["tidegate.db", "tidegate.db-wal"]
        .iter()
        .filter_map(|name| std::fs::read(world.dir().join(name)).ok())
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .collect();
    assert!(!files.contains(&secret) && !files.contains(PASSWORD));
}

#[tokio::test]
async fn the_first_key_locks_nobody_out() {
    let world = Plane::new().await;
    let account = world.plane.create_service_account(&operator(), "ci", "").await.unwrap();
    let owner = Principal::ServiceAccount(account.id);
    let refused = world.plane.create_api_key(&operator(), owner, KeyScope::Cloud, "").await;
    assert!(matches!(refused, Err(Refusal::Flawed { .. })), "{refused:?}");
    let own = world.plane.create_api_key(&operator(), Principal::Operator, KeyScope::Cloud, "").await.unwrap();
    assert!(world.plane.authenticate(Credentials::None, origin()).await.is_err());
    let caller = world.plane.authenticate(basic(&own.key.id, own.secret.expose()), origin()).await.unwrap();
    assert_eq!(caller.principal, Principal::Operator);
}

#[tokio::test]
async fn guessing_is_told_to_wait() {
    let world = Plane::new().await;
    world.admin().await;
    for email in ["ana@example.com", "nobody@example.com"] {
        for _ in 0..5 {
            let refused = world.plane.login(email, &Secret::new("a wrong password"), origin()).await;
            assert!(matches!(refused, Err(Refusal::Unauthenticated)), "{refused:?}");
        }
        let refused = world.plane.login(email, &Secret::new(PASSWORD), origin()).await;
        assert!(matches!(refused, Err(Refusal::Busy { .. })), "whether there is such a user or not: {refused:?}");
    }
}
