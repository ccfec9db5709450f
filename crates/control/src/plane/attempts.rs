//! Wrong passwords are few, or they are told to wait.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Counts failed logins by account and by address. Whether an account exists makes no difference.
#[derive(Debug, Default)]
pub(crate) struct Attempts(Mutex<HashMap<Who, Failed>>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Who {
    /// An account from one address: its owner, who is elsewhere, is not shut out by whoever guesses.
    Account(String, Option<IpAddr>),
    /// An account, wherever from.
    Anywhere(String),
    Address(IpAddr),
}

impl Who {
    /// How many failures are free.
    fn free(&self) -> u32 {
        match self {
            Self::Account(..) => 5,
            // Behind one address may be a whole office.
            Self::Address(_) => 30,
            Self::Anywhere(_) => 50,
        }
    }
}

#[derive(Debug)]
struct Failed {
    times: u32,
    last: Instant,
}

/// What is longer ago is forgotten.
const FORGOTTEN: Duration = Duration::from_mins(15);
/// Doubling from a second, up to this.
const LONGEST: Duration = Duration::from_mins(1);
/// More are not counted: the oldest go.
const KNOWN: usize = 10_000;

impl Attempts {
    /// How long `account` from `address` must wait before the next attempt.
    pub(crate) fn wait(&self, account: &str, address: Option<IpAddr>) -> Option<Duration> {
        let known = self.lock();
        let wait = |who: Who| {
            let failed = known.get(&who)?;
            let over = failed.times.checked_sub(who.free())?;
            let pause = Duration::from_secs(1).saturating_mul(1 << over.min(10)).min(LONGEST);
            (failed.last + pause).checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
        };
        keys(account, address).into_iter().filter_map(wait).max()
    }

    /// Another one has failed.
    pub(crate) fn failed(&self, account: &str, address: Option<IpAddr>) {
        let (mut known, now) = (self.lock(), Instant::now());
        if known.len() + 3 > KNOWN {
            known.retain(|_, failed| now < failed.last + FORGOTTEN);
        }
        if known.len() + 3 > KNOWN
            && let Some(middle) = middle(&known)
        {
            known.retain(|_, failed| failed.last > middle);
        }
        for who in keys(account, address) {
            let failed = known.entry(who).or_insert(Failed { times: 0, last: now });
            if now >= failed.last + FORGOTTEN {
                failed.times = 0;
            }
            (failed.times, failed.last) = (failed.times.saturating_add(1), now);
        }
    }

    /// The right password: its account is free again from there.
    pub(crate) fn succeeded(&self, account: &str, address: Option<IpAddr>) {
        self.lock().remove(&Who::Account(account.to_owned(), address));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Who, Failed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn keys(account: &str, address: Option<IpAddr>) -> Vec<Who> {
    let account: String = account.chars().take(254).collect();
    let mut keys = vec![Who::Account(account.clone(), address), Who::Anywhere(account)];
    keys.extend(address.map(Who::Address));
    keys
}

fn middle(known: &HashMap<Who, Failed>) -> Option<Instant> {
    let mut times: Vec<Instant> = known.values().map(|failed| failed.last).collect();
    times.sort();
    times.get(times.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_fails_waits_longer_each_time_and_others_do_not() {
        let attempts = Attempts::default();
        let (here, there): (IpAddr, IpAddr) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        for _ in 0..4 {
            attempts.failed("ana@example.com", Some(here));
        }
        assert_eq!(attempts.wait("ana@example.com", Some(here)), None);
        attempts.failed("ana@example.com", Some(here));
        assert_eq!(attempts.wait("ana@example.com", Some(here)), Some(Duration::from_secs(1)));
        attempts.failed("ana@example.com", Some(here));
        assert_eq!(attempts.wait("ana@example.com", Some(here)), Some(Duration::from_secs(2)));
        assert_eq!(attempts.wait("ana@example.com", Some(there)), None, "its owner is elsewhere");
        assert_eq!(attempts.wait("bo@example.com", Some(here)), None);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(attempts.wait("ana@example.com", Some(here)), None);
        attempts.succeeded("ana@example.com", Some(here));
        attempts.failed("ana@example.com", Some(here));
        assert_eq!(attempts.wait("ana@example.com", Some(here)), None);
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_tries_many_accounts_waits_too_and_memory_is_bounded() {
        let attempts = Attempts::default();
        let here: IpAddr = "10.0.0.1".parse().unwrap();
        for n in 0..31 {
            attempts.failed(&format!("{n}"), Some(here));
        }
        assert!(attempts.wait("another", Some(here)).is_some());
        for n in 0..2 * KNOWN {
            attempts.failed(&format!("{n}"), None);
            if n % 100 == 0 {
                tokio::time::advance(Duration::from_millis(1)).await;
            }
        }
        assert!(attempts.lock().len() <= KNOWN);
    }
}
