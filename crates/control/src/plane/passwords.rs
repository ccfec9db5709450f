//! Passwords: hashed slowly, by few at a time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use world::Secret;

use super::Refusal;
use crate::Error;

/// Argon2id with 19 MiB and 2 passes (OWASP, Password Storage Cheat Sheet). Two at once, so that a flood of logins leaves the
/// machine to those who are in; a few wait, and the rest is told to come again.
#[derive(Debug)]
pub(crate) struct Passwords {
    permits: Semaphore,
    waiting: AtomicUsize,
    /// Of no password that anybody has: users that are not there cost the same work.
    nobodys: String,
    /// Clients that send a password with each request are not made to wait for each. By a hash that means nothing outside
    /// this process, and for a minute.
    known: Mutex<HashMap<[u8; 32], Instant>>,
    pepper: [u8; 32],
}

const AT_ONCE: usize = 2;
const WAITING: usize = 32;
const KNOWN_FOR: Duration = Duration::from_mins(1);
const KNOWN: usize = 1024;
/// Argon2 takes any length; nobody types more.
const LONGEST: usize = 1024;
/// NIST SP 800-63B asks for 8, and for 15 where the password is all that there is.
const SHORTEST: usize = 12;

fn argon2() -> Argon2<'static> {
    let params = Params::new(19_456, 2, 1, None).expect("they are within Argon2's bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hashed(password: &str) -> Result<String, Refusal> {
    let mut salt = [0; 16];
    rand::fill(&mut salt);
    let hash: PasswordHash =
        argon2().hash_password_with_salt(password.as_bytes(), &salt).map_err(|_| Refusal::Store(Error::Abandoned))?;
    Ok(hash.to_string())
}

impl Passwords {
    pub(crate) fn new() -> Result<Self, Refusal> {
        let (mut pepper, mut unknown) = ([0; 32], [0; 32]);
        rand::fill(&mut pepper);
        rand::fill(&mut unknown);
        let nobodys = hashed(&unknown.iter().map(|byte| char::from(byte % 64 + 48)).collect::<String>())?;
        let (permits, waiting) = (Semaphore::new(AT_ONCE), AtomicUsize::new(0));
        Ok(Self { permits, waiting, nobodys, known: Mutex::default(), pepper })
    }

    /// The hash of a password that somebody shall have.
    pub(crate) async fn hash(&self, password: &Secret) -> Result<String, Refusal> {
        let length = password.expose().chars().count();
        if !(SHORTEST..=LONGEST).contains(&length) {
            return Err(Refusal::Flawed {
                field: "password".to_owned(),
                value: super::MASK.to_owned(),
                rule: format!("must have {SHORTEST} to {LONGEST} characters"),
            });
        }
        let password = password.clone();
        self.slowly(move || hashed(password.expose())).await?
    }

    /// Whether `password` is that of `hash`; without a hash it never is, and takes as long.
    pub(crate) async fn check(&self, hash: Option<&str>, password: &Secret) -> Result<bool, Refusal> {
        let mark = hash.map(|hash| self.mark(hash, password));
        if let Some(mark) = &mark
            && self.known().get(mark).is_some_and(|until| Instant::now() < *until)
        {
            return Ok(true);
        }
        let (stored, is_there) = (hash.unwrap_or(&self.nobodys).to_owned(), hash.is_some());
        let given = password.clone();
        let matches = self.slowly(move || {
            let Ok(stored) = PasswordHash::new(&stored) else { return false };
            given.expose().len() <= LONGEST * 4
                && argon2().verify_password(given.expose().as_bytes(), &stored).is_ok()
                && is_there
        });
        let matches = matches.await?;
        if let Some(mark) = mark.filter(|_| matches) {
            let mut known = self.known();
            if known.len() >= KNOWN {
                known.clear();
            }
            known.insert(mark, Instant::now() + KNOWN_FOR);
        }
        Ok(matches)
    }

    /// Holds for one password and one hash: a password that is changed has another.
    fn mark(&self, hash: &str, password: &Secret) -> [u8; 32] {
        let mut digest = Sha256::new().chain_update(self.pepper).chain_update((hash.len() as u64).to_be_bytes());
        digest.update(hash);
        digest.update(password.expose());
        digest.finalize().into()
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], Instant>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn slowly<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
        let busy = || Refusal::Busy {
            kind: "login",
            id: "of this server".to_owned(),
            doing: "too many passwords are being checked",
        };
        let _place = Place::take(&self.waiting).ok_or_else(busy)?;
        let _permit = self.permits.acquire().await.map_err(|_| busy())?;
        tokio::task::spawn_blocking(work).await.map_err(|_| Refusal::Store(Error::Abandoned))
    }
}

/// A place in the queue; given back even if the caller goes away.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize) -> Option<Self> {
        let taken = waiting
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| (count < WAITING + AT_ONCE).then_some(count + 1));
        taken.ok().map(|_| Self(waiting))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn passwords_match_their_own_hash_alone_and_nobody_has_none() {
        let passwords = Passwords::new().unwrap();
        let (right, wrong) = (Secret::new("correct horse battery"), Secret::new("correct horse batterz"));
        let hash = passwords.hash(&right).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(passwords.check(Some(&hash), &right).await.unwrap());
        assert!(passwords.check(Some(&hash), &right).await.unwrap(), "and once more, from what is known");
        assert!(!passwords.check(Some(&hash), &wrong).await.unwrap());
        assert!(!passwords.check(None, &right).await.unwrap());
        assert!(matches!(passwords.hash(&Secret::new("short")).await, Err(Refusal::Flawed { .. })));
    }

    #[tokio::test]
    async fn a_flood_is_told_to_come_again() {
        let passwords = Passwords::new().unwrap();
        let places: Vec<_> = std::iter::from_fn(|| Place::take(&passwords.waiting)).collect();
        assert_eq!(places.len(), WAITING + AT_ONCE);
        assert!(matches!(passwords.check(None, &Secret::new("x")).await, Err(Refusal::Busy { .. })));
        drop(places);
        assert!(!passwords.check(None, &Secret::new("x")).await.unwrap());
    }
}
