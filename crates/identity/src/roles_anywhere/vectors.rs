//! Against what AWS's own client signs and what another verifier sees, in `testdata/roles_anywhere.json`: see
//! `dev/roles-anywhere-vectors`, which made it. Its keys are for tests only.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA256_ASN1, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
    VerificationAlgorithm,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fault::Diagnose;
use serde_json::Value;
use world::Secret;

use super::pair::Sources;
use super::{CertificateError, KeyKind, Pair, Pairs, RolesAnywhere, Unsigned, sign};

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../testdata/roles_anywhere.json")).unwrap()
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(vectors()["now"].as_u64().unwrap())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// A pair of the vectors, with intermediates behind the certificate.
fn pair(leaf: &str, chain: Option<&str>) -> Result<Pair, CertificateError> {
    let vectors = vectors();
    let leaf = &vectors["leaves"][leaf];
    let chain = chain.map_or("", |name| text(&vectors["authorities"][name]));
    Pair::read(&sources(
        format!("{}{chain}", text(&leaf["certificate"])).into_bytes(),
        Some(text(&leaf["private_key"]).as_bytes().to_vec()),
        None,
    ))
}

fn sources(certificate: Vec<u8>, key: Option<Vec<u8>>, password: Option<&str>) -> Sources {
    Sources {
        certificate: ("certificate".into(), certificate.into()),
        private_key: key.map(|key| ("private key".into(), key.into())),
        intermediates: None,
        password: password.map(Secret::new),
    }
}

#[test]
fn requests_are_signed_as_by_aws_own_client() {
    let vectors = vectors();
    for request in vectors["requests"].as_array().unwrap() {
        let leaf = text(&request["leaf"]);
        let pair = pair(leaf, request["chain"].as_str()).unwrap();
        let unsigned = Unsigned {
            host: text(&request["host"]),
            region: "eu-central-1",
            content_type: text(&request["content_type"]),
            body: text(&request["body"]).as_bytes(),
            time: now(),
        };
        let signed = sign(&unsigned, &pair).unwrap();
        assert_eq!(signed.canonical_request, text(&request["canonical_request"]));
        assert_eq!(signed.string_to_sign, text(&request["string_to_sign"]));
        let authorization = &signed.headers.last().unwrap().1;
        let expected = text(&request["authorization"]);
        if leaf == "rsa" {
            assert_eq!(authorization, expected);
            continue;
        }
        // ECDSA draws a number for each signature: all but the signature agrees, and each verifies.
        let ((ours, signature), (theirs, their_signature)) =
            (authorization.split_once("Signature=").unwrap(), expected.split_once("Signature=").unwrap());
        assert_eq!(ours, theirs);
        for signature in [signature, their_signature] {
            verify(&pair, &signed.string_to_sign, signature);
        }
    }
}

fn verify(pair: &Pair, message: &str, signature: &str) {
    let algorithm: &dyn VerificationAlgorithm = match pair.certificate().key() {
        KeyKind::Rsa(_) => &RSA_PKCS1_2048_8192_SHA256,
        KeyKind::P256 => &ECDSA_P256_SHA256_ASN1,
        KeyKind::P384 => &ECDSA_P384_SHA256_ASN1,
        KeyKind::Other(name) => panic!("{name}"),
    };
    let key = UnparsedPublicKey::new(algorithm, pair.certificate().public_key());
    key.verify(message.as_bytes(), &hex::decode(signature).unwrap()).unwrap();
}

#[test]
fn every_kind_of_key_signs_over_sha_256() {
    for leaf in ["rsa", "p256", "p384"] {
        let pair = pair(leaf, None).unwrap();
        verify(&pair, "a message", &hex::encode(pair.sign(b"a message").unwrap()));
    }
}

#[test]
fn a_certificate_holds_what_another_reader_sees_in_it() {
    for (name, leaf) in vectors()["leaves"].as_object().unwrap() {
        let (pem, facts) = (text(&leaf["certificate"]), &leaf["facts"]);
        let der = pem.lines().filter(|line| !line.starts_with("-----")).collect::<String>();
        let certificate = super::Certificate::read(&STANDARD.decode(der).unwrap()).unwrap();
        assert_eq!(certificate.serial(), text(&facts["serial"]), "{name}");
        assert_eq!(certificate.common_name(), facts["common_name"].as_str(), "{name}");
        let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap().as_secs();
        assert_eq!(Some(seconds(certificate.not_before())), facts["not_before"].as_u64(), "{name}");
        assert_eq!(Some(seconds(certificate.not_after())), facts["not_after"].as_u64(), "{name}");
        let key = match certificate.key() {
            KeyKind::Rsa(bits) => format!("RSA-{bits}"),
            KeyKind::P256 => "secp256r1".into(),
            KeyKind::P384 => "secp384r1".into(),
            KeyKind::Other(name) if name == "EC P-521" => "secp521r1".into(),
            KeyKind::Other(name) => format!("{name}PublicKey"),
        };
        assert_eq!(key, text(&facts["key"]), "{name}");
    }
}

#[test]
fn a_certificate_that_aws_would_refuse_is_refused_before_it_is_asked() {
    for (name, leaf) in vectors()["leaves"].as_object().unwrap() {
        let checked = pair(name, None).and_then(|pair| pair.check(now()));
        match (checked, leaf["refused"].as_str()) {
            (Ok(()), None) => {}
            (Err(error), Some(reason)) => {
                assert_eq!(error.code(), "certificate.unfit", "{name}");
                assert!(error.to_string().contains(reason), "{name}: {error}");
            }
            (checked, expected) => panic!("{name}: {checked:?}, and expected {expected:?}"),
        }
    }
}

#[test]
fn every_form_of_key_is_read_and_is_the_certificates_own() {
    let vectors = vectors();
    for (form, key) in vectors["keys"].as_object().unwrap() {
        let certificate = text(&vectors["leaves"][text(&key["leaf"])]["certificate"]).as_bytes().to_vec();
        let data = STANDARD.decode(text(&key["data"])).unwrap();
        let password = key["password"].as_str();
        let read = |password| Pair::read(&sources(certificate.clone(), Some(data.clone()), password));
        let pair = read(password).unwrap_or_else(|error| panic!("{form}: {error}"));
        verify(&pair, "x", &hex::encode(pair.sign(b"x").unwrap()));
        if password.is_some() {
            for (wrong, reason) in [(None, "no password is set"), (Some("wrong"), "does not open")] {
                let error = read(wrong).unwrap_err();
                assert_eq!(error.code(), "certificate.sealed", "{form}");
                assert!(error.to_string().contains(reason), "{form}: {error}");
            }
        }
    }
}

#[test]
fn a_pkcs12_file_holds_key_certificate_and_intermediates_old_or_new() {
    let vectors = vectors();
    for (form, store) in vectors["stores"].as_object().unwrap() {
        let data = STANDARD.decode(text(&store["data"])).unwrap();
        let pair = Pair::read(&sources(data.clone(), None, store["password"].as_str()))
            .unwrap_or_else(|error| panic!("{form}: {error}"));
        assert_eq!(pair.certificate().serial(), text(&vectors["leaves"]["rsa"]["facts"]["serial"]), "{form}");
        assert_eq!(pair.chain().len(), 1, "{form}");
        let error = Pair::read(&sources(data, None, Some("wrong"))).unwrap_err();
        assert_eq!(error.code(), "certificate.sealed", "{form}");
    }
}

#[test]
fn what_is_given_is_told_apart_from_what_is_needed() {
    let vectors = vectors();
    let (rsa, p256) = (&vectors["leaves"]["rsa"], &vectors["leaves"]["p256"]);
    let bytes = |value: &Value| text(value).as_bytes().to_vec();
    let read = |certificate: Vec<u8>, key: Vec<u8>| Pair::read(&sources(certificate, Some(key), None)).unwrap_err();
    let (certificate, key) = (bytes(&rsa["certificate"]), bytes(&rsa["private_key"]));

    let mismatch = read(certificate.clone(), bytes(&p256["private_key"]));
    assert_eq!(mismatch.to_string(), "the private key in private key is not the one of the certificate in certificate");
    for (error, code, reason) in [
        (read(key.clone(), key.clone()), "certificate.damaged", "holds no certificate"),
        (read(certificate.clone(), certificate.clone()), "certificate.damaged", "holds no private key"),
        (read(b"hello".to_vec(), key.clone()), "certificate.damaged", "neither a certificate nor a private key"),
        (read(vec![0xff; 9], key.clone()), "certificate.damaged", "neither PEM nor DER nor PKCS#12"),
        (read(vec![0x30, 3, 2, 1, 9], key.clone()), "certificate.damaged", "cannot be read"),
        (read(certificate[..certificate.len() - 30].to_vec(), key.clone()), "certificate.damaged", "does not end"),
        (read(certificate.clone(), bytes(&vectors["old_encryption"])), "certificate.sealed", "openssl pkcs8 -topk8"),
    ] {
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[test]
fn line_breaks_that_a_form_has_made_spaces_of_do_no_harm() {
    let vectors = vectors();
    let rsa = &vectors["leaves"]["rsa"];
    for breaks in [" ", "\\n", "\r\n"] {
        let flat = |value: &Value| text(value).replace('\n', breaks).into_bytes();
        let read = Pair::read(&sources(flat(&rsa["certificate"]), Some(flat(&rsa["private_key"])), None));
        assert!(read.is_ok(), "{breaks:?}: {read:?}");
    }
}

#[test]
fn no_text_of_a_damaged_key_is_repeated() {
    let certificate = text(&vectors()["leaves"]["rsa"]["certificate"]).as_bytes().to_vec();
    for text in
        ["-----BEGIN PRIVATE KEY-----c0ffee", "-----BEGIN PRIVATE KEY-----\n!c0ffee!\n-----END PRIVATE KEY-----"]
    {
        let error = Pair::read(&sources(certificate.clone(), Some(text.into()), None)).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("c0ffee"), "{error}");
    }
}

#[test]
fn intermediates_are_sent_and_roots_are_not() {
    let (vectors, leaf) = (vectors(), "chained");
    let authorities = &vectors["authorities"];
    let both = format!("{}{}", text(&authorities["root"]), text(&authorities["middle"]));
    let chained = &vectors["leaves"][leaf];
    let mut sources = sources(
        text(&chained["certificate"]).as_bytes().to_vec(),
        Some(text(&chained["private_key"]).as_bytes().to_vec()),
        None,
    );
    sources.intermediates = Some(("chain".into(), both.into_bytes().into()));
    let pair = Pair::read(&sources).unwrap();
    assert_eq!(pair.chain().len(), 1);
    assert!(pair.chain()[0].subject().contains("Middle A"));
}

fn declared(dir: &Path) -> RolesAnywhere {
    let arns = &vectors()["arns"];
    RolesAnywhere {
        certificate: dir.join("worker.pem"),
        private_key: Some(dir.join("worker.key")),
        intermediates: None,
        passphrase: Some(Secret::new("not needed")),
        trust_anchor_arn: text(&arns["trust_anchor"]).into(),
        profile_arn: text(&arns["profile"]).into(),
        role_arn: text(&arns["role"]).into(),
        region: "eu-central-1".into(),
        endpoint: None,
        session_name: None,
        duration: Some(Duration::from_mins(15)),
        fips: false,
        dual_stack: false,
    }
}

fn put(dir: &Path, certificate: Option<&str>, key: Option<&str>) {
    let vectors = vectors();
    let put = |file: &str, leaf: &str, what: &str| {
        std::fs::write(dir.join(file), text(&vectors["leaves"][leaf][what])).unwrap();
    };
    if let Some(leaf) = certificate {
        put("worker.pem", leaf, "certificate");
    }
    if let Some(leaf) = key {
        put("worker.key", leaf, "private_key");
    }
}

#[tokio::test]
async fn a_rotated_pair_is_taken_once_it_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (declared, pairs) = (declared(dir.path()), Pairs::default());
    let error = pairs.pair(&declared, now()).await.unwrap_err();
    assert_eq!(error.code(), "certificate.unreadable");

    put(dir.path(), Some("rsa"), Some("rsa"));
    let first = pairs.pair(&declared, now()).await.unwrap();
    let again = pairs.pair(&declared, now()).await.unwrap();
    assert!(std::sync::Arc::ptr_eq(&first, &again), "an unchanged pair is not opened again");

    // The certificate is there, its key is not yet.
    put(dir.path(), Some("p384"), None);
    let between = pairs.pair(&declared, now()).await.unwrap();
    assert!(std::sync::Arc::ptr_eq(&first, &between));
    std::fs::write(dir.path().join("worker.key"), "-----BEGIN PRIV").unwrap();
    assert!(std::sync::Arc::ptr_eq(&first, &pairs.pair(&declared, now()).await.unwrap()), "a half-written file");

    put(dir.path(), None, Some("p384"));
    let second = pairs.pair(&declared, now()).await.unwrap();
    assert_eq!(second.certificate().key(), &KeyKind::P384);

    // A new one that AWS would refuse does not take the place of one that it takes.
    put(dir.path(), Some("expired"), Some("expired"));
    assert!(std::sync::Arc::ptr_eq(&second, &pairs.pair(&declared, now()).await.unwrap()));
    assert_eq!(pairs.expiries()[0].serial, second.certificate().serial());

    // Nothing is left once the old one is over too.
    let later = second.certificate().not_after() + Duration::from_secs(1);
    assert_eq!(pairs.pair(&declared, later).await.unwrap_err().code(), "certificate.unfit");
}

#[tokio::test]
async fn the_end_of_a_certificate_is_told_30_7_and_1_days_ahead_once_each() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), Some("rsa"), Some("rsa"));
    let (declared, pairs) = (declared(dir.path()), Pairs::default());
    let pair = pairs.pair(&declared, now()).await.unwrap();
    let (end, day) = (pair.certificate().not_after(), Duration::from_hours(24));
    let told = |before: Duration| {
        let notices = pairs.notices(end - before);
        notices.into_iter().map(|notice| notice.within.as_secs() / 86_400).collect::<Vec<_>>()
    };
    assert_eq!(told(day * 31), [0u64; 0]);
    assert_eq!(told(day * 29), [30]);
    assert_eq!(told(day * 28), [0u64; 0]);
    assert_eq!(told(day * 6), [7]);
    assert_eq!(told(day / 2), [1]);
    assert_eq!(told(Duration::ZERO), [0]);
    assert_eq!(told(Duration::ZERO), [0u64; 0]);
    assert_eq!(pairs.expiries()[0].left(end - day), day);
}

#[tokio::test]
async fn an_answer_is_a_session_or_an_explained_refusal() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), Some("rsa"), Some("rsa"));
    let declared = declared(dir.path());
    let pair = Pairs::default().pair(&declared, now()).await.unwrap();

    let request = declared.request(&pair, now()).unwrap();
    assert_eq!(request.url, "https://rolesanywhere.eu-central-1.amazonaws.com/sessions");
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body["durationSeconds"], 900);
    assert!(body.get("roleSessionName").is_none(), "AWS refuses a name unless the profile takes one");

    let answer = br#"{"credentialSet":[{"assumedRoleUser":{"arn":"arn:aws:sts::111111111111:assumed-role/orders/5d","assumedRoleId":"AROA:5d"},
        "credentials":{"accessKeyId":"ASIA1","secretAccessKey":"s","sessionToken":"t","expiration":"2027-03-01T12:15:00Z"},
        "packedPolicySize":3,"roleArn":"r","sourceIdentity":"CN=tidegate-worker"}],"subjectArn":"s"}"#;
    let session = declared.read(&pair, 201, None, None, answer).unwrap();
    assert_eq!(session.expires_at(), now() + Duration::from_mins(15));
    assert_eq!(session.principal(), Some("arn:aws:sts::111111111111:assumed-role/orders/5d"));
    assert_eq!(declared.read(&pair, 201, None, None, b"{}").unwrap_err().code(), "identity.malformed-answer");

    for (status, code, message, expected, hint) in [
        (403, "AccessDeniedException", "Untrusted signing certificate", "identity.access-denied", "in `intermediates`"),
        (
            403,
            "AccessDeniedException",
            "Not authorized to set roleSessionName.",
            "identity.access-denied",
            "leave the session name out",
        ),
        (403, "AccessDeniedException", "Unable to assume role", "identity.access-denied", "sts:SetSourceIdentity"),
        (
            403,
            "AccessDeniedException",
            "Some attributes failed to be mapped into session tags.",
            "identity.access-denied",
            "without",
        ),
        (404, "ResourceNotFoundException", "no", "identity.request-refused", "ARN"),
        (503, "ServiceUnavailableException", "", "identity.service-unavailable", ""),
    ] {
        let body = format!("{{\"message\":\"{message}\"}}");
        let name = format!("{code}:http://internal.amazon.com/");
        let error = declared.read(&pair, status, Some(&name), Some("r-1"), body.as_bytes()).unwrap_err();
        assert_eq!(error.code(), expected);
        assert!(error.hint().unwrap_or_default().contains(hint), "{error}: {:?}", error.hint());
        assert!(error.to_string().contains(code) && error.to_string().contains(message), "{error}");
    }
    let page = declared.read(&pair, 502, None, None, b"<html>").unwrap_err();
    assert_eq!(page.code(), "identity.service-unavailable");
}

#[tokio::test]
async fn a_pair_that_nobody_signs_with_any_more_is_forgotten() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    put(old.path(), Some("rsa"), Some("rsa"));
    put(new.path(), Some("p256"), Some("p256"));
    let pairs = Pairs::default();
    pairs.pair(&declared(old.path()), now()).await.unwrap();
    pairs.pair(&declared(new.path()), now() + Duration::from_hours(12)).await.unwrap();
    assert_eq!(pairs.expiries().len(), 2);
    pairs.pair(&declared(new.path()), now() + Duration::from_hours(24)).await.unwrap();
    assert_eq!(pairs.expiries().len(), 1);
}

#[test]
fn damage_is_refused_and_never_a_panic() {
    let vectors = vectors();
    let decode = |value: &Value| STANDARD.decode(text(value)).unwrap();
    let pem = text(&vectors["leaves"]["rsa"]["certificate"]);
    let der = STANDARD.decode(pem.lines().filter(|line| !line.starts_with("-----")).collect::<String>()).unwrap();
    let key = decode(&vectors["keys"]["p256 SEC1 DER"]["data"]);
    let store = decode(&vectors["stores"]["OpenSSL 3"]["data"]);
    for (data, step) in [(&der, 1), (&key, 1), (&store, 97)] {
        for at in (0..data.len()).step_by(step) {
            let mut damaged = data.clone();
            damaged[at] ^= 0x55;
            let cut = &data[..at];
            drop(super::Certificate::read(&damaged).map(|certificate| certificate.faults(now())));
            assert!(super::Certificate::read(cut).is_none());
            drop(Pair::read(&sources(damaged.clone(), None, Some("correct horse"))));
            drop(Pair::read(&sources(der.clone(), Some(damaged), None)));
            assert!(Pair::read(&sources(der.clone(), Some(cut.to_vec()), None)).is_err());
        }
    }
}
