use std::num::NonZeroU32;
use std::time::Duration;

use aws_lc_rs::digest::{self, digest};
use aws_lc_rs::{constant_time, hmac, pbkdf2};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rand::RngExt;
use world::Secret;
use zeroize::Zeroizing;

use super::super::Error;
use super::Exchange;

/// RFC 7677 asks for 4,096 at least, and Kafka's own client insists on it.
const LEAST_ITERATIONS: u32 = 4096;

/// Kafka stores 16,384 at most (`ScramMechanism`). Eight times that is still below a second of one core; a server that
/// asks for more wants our time.
const MOST_ITERATIONS: u32 = 131_072;

/// The hash of a SCRAM mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScramHash {
    /// SCRAM-SHA-256.
    Sha256,
    /// SCRAM-SHA-512.
    Sha512,
}

impl ScramHash {
    /// The mechanism's name.
    pub fn mechanism(self) -> &'static str {
        match self {
            Self::Sha256 => "SCRAM-SHA-256",
            Self::Sha512 => "SCRAM-SHA-512",
        }
    }

    fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
        }
    }

    fn digest(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha512 => &digest::SHA512,
        }
    }

    fn pbkdf2(self) -> pbkdf2::Algorithm {
        match self {
            Self::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Self::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        }
    }
}

pub(super) async fn run(
    exchange: &Exchange<'_>,
    hash: ScramHash,
    user: &str,
    password: &Secret,
    delegation_token: bool,
) -> Result<Option<Duration>, Error> {
    let nonce = BASE64_STANDARD.encode(rand::rng().random::<[u8; 24]>());
    let first = ClientFirst::new(user, &nonce, delegation_token);
    let answer = exchange.send(format!("n,,{}", first.bare)).await?;
    let server_first = text(&answer.bytes).ok_or_else(|| exchange.failed("the server's first message is not text"))?;
    let challenge = Challenge::read(server_first, &nonce).map_err(|reason| exchange.failed(reason))?;
    let (password, bare, server_first) = (password.clone(), first.bare, server_first.to_owned());
    // Thousands of hashes: too long for a thread that drives the network.
    let proof = tokio::task::spawn_blocking(move || Proof::new(hash, &password, &bare, &server_first, &challenge))
        .await
        .map_err(|_| exchange.failed("the proof could not be computed"))?;
    let answer = exchange.send(proof.client_final).await?;
    let server_final = text(&answer.bytes).unwrap_or_default();
    if let Some(error) = attribute(server_final, 'e') {
        return Err(exchange.failed(format!("the server says {error}")));
    }
    let signature = attribute(server_final, 'v').and_then(|value| BASE64_STANDARD.decode(value).ok());
    let signature = signature.ok_or_else(|| exchange.failed("the server's last message has no signature"))?;
    // Without this anybody could pose as the broker.
    constant_time::verify_slices_are_equal(&signature, &proof.server_signature)
        .map_err(|_| exchange.failed("the server's signature is wrong: it does not know the password"))?;
    Ok(answer.lifetime)
}

struct ClientFirst {
    bare: String,
}

impl ClientFirst {
    fn new(user: &str, nonce: &str, delegation_token: bool) -> Self {
        let user = user.replace('=', "=3D").replace(',', "=2C");
        let extension = if delegation_token { ",tokenauth=true" } else { "" };
        Self { bare: format!("n={user},r={nonce}{extension}") }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Challenge {
    nonce: String,
    salt: Vec<u8>,
    iterations: NonZeroU32,
}

impl Challenge {
    fn read(message: &str, our_nonce: &str) -> Result<Self, String> {
        let nonce = attribute(message, 'r').unwrap_or_default();
        if nonce.len() <= our_nonce.len() || !nonce.starts_with(our_nonce) {
            return Err("the server's nonce does not continue ours".to_owned());
        }
        let salt = attribute(message, 's').and_then(|salt| BASE64_STANDARD.decode(salt).ok());
        let salt = salt.ok_or("the server's first message has no salt")?;
        let iterations: u32 = attribute(message, 'i').and_then(|count| count.parse().ok()).unwrap_or(0);
        if !(LEAST_ITERATIONS..=MOST_ITERATIONS).contains(&iterations) {
            let range = format!("{LEAST_ITERATIONS} to {MOST_ITERATIONS}");
            return Err(format!("the server asks for {iterations} iterations, {range} are accepted"));
        }
        let iterations = NonZeroU32::new(iterations).expect("above the least");
        Ok(Self { nonce: nonce.to_owned(), salt, iterations })
    }
}

struct Proof {
    client_final: String,
    server_signature: Vec<u8>,
}

impl Proof {
    /// RFC 5802, section 3. The password is taken as its UTF-8 bytes, as Kafka does (`ScramFormatter.normalize`).
    fn new(hash: ScramHash, password: &Secret, bare: &str, server_first: &str, challenge: &Challenge) -> Self {
        let sign = |key: &[u8], message: &[u8]| hmac::sign(&hmac::Key::new(hash.hmac(), key), message);
        let mut salted = Zeroizing::new(vec![0; hash.digest().output_len()]);
        let password = password.expose().as_bytes();
        pbkdf2::derive(hash.pbkdf2(), challenge.iterations, &challenge.salt, password, &mut salted);
        let client_key = sign(&salted, b"Client Key");
        let stored_key = digest(hash.digest(), client_key.as_ref());
        // "biws" is base64 of "n,,": no channel binding.
        let without_proof = format!("c=biws,r={}", challenge.nonce);
        let message = format!("{bare},{server_first},{without_proof}");
        let signature = sign(stored_key.as_ref(), message.as_bytes());
        let proof: Vec<u8> = client_key.as_ref().iter().zip(signature.as_ref()).map(|(a, b)| a ^ b).collect();
        let server_key = sign(&salted, b"Server Key");
        Self {
            client_final: format!("{without_proof},p={}", BASE64_STANDARD.encode(proof)),
            server_signature: sign(server_key.as_ref(), message.as_bytes()).as_ref().to_vec(),
        }
    }
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// The value of an attribute `x=...` of a SCRAM message.
fn attribute(message: &str, name: char) -> Option<&str> {
    message.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_7677_comes_out() {
        let nonce = "rOprNGfwEbeRWgbNEkqO";
        let first = ClientFirst::new("user", nonce, false);
        let server_first = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let challenge = Challenge::read(server_first, nonce).unwrap();
        let proof = Proof::new(ScramHash::Sha256, &Secret::new("pencil"), &first.bare, server_first, &challenge);
        assert_eq!(
            proof.client_final,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        let expected = BASE64_STANDARD.decode("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").unwrap();
        assert_eq!(proof.server_signature, expected);
    }

    #[test]
    fn a_server_that_does_not_play_fair_is_refused() {
        for (message, word) in [
            ("r=other,s=AAAA,i=4096", "nonce"),
            ("r=mine,s=AAAA,i=4096", "nonce"),
            ("r=mine1,s=!,i=4096", "salt"),
            ("r=mine1,s=AAAA,i=1", "iterations"),
            ("r=mine1,s=AAAA,i=4000000000", "iterations"),
        ] {
            let error = Challenge::read(message, "mine").unwrap_err();
            assert!(error.contains(word), "{message}: {error}");
        }
    }

    #[test]
    fn commas_and_equals_signs_of_a_user_are_escaped() {
        assert_eq!(ClientFirst::new("a=b,c", "n", true).bare, "n=a=3Db=2Cc,r=n,tokenauth=true");
    }
}
