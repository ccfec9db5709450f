use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevocationReason, RevokedCertParams, SanType, SerialNumber,
};

/// How long what is good now stays so, and since when it has been.
const YEAR: Duration = Duration::from_hours(365 * 24);

/// Opens a sealed key.
pub(super) const PASSWORD: &str = "scenario";

/// From when until when something holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Validity {
    Now,
    Past,
    Future,
}

impl Validity {
    fn around(self, now: SystemTime) -> (SystemTime, SystemTime) {
        let week = Duration::from_hours(7 * 24);
        match self {
            Self::Now => (now - week, now + YEAR),
            Self::Past => (now - YEAR, now - week),
            Self::Future => (now + week, now + YEAR),
        }
    }
}

/// Who issues certificates.
pub(super) struct Authority {
    pub(super) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate that is to be issued.
#[derive(Debug, Clone)]
pub(super) struct Leaf<'a> {
    pub(super) common_name: &'a str,
    pub(super) validity: Validity,
    /// Whether it says of itself that it is an authority's.
    pub(super) is_authority: bool,
    pub(super) may_sign: bool,
    /// DNS name of a server; none is a client's.
    pub(super) server: Option<&'a str>,
}

/// A certificate with its key.
pub(super) struct Issued {
    pub(super) certificate: String,
    pub(super) key: String,
    pub(super) der: Vec<u8>,
    pub(super) key_der: Vec<u8>,
    serial: SerialNumber,
}

impl Authority {
    /// A root.
    pub(super) fn root(name: &str, validity: Validity, now: SystemTime) -> Result<Self, rcgen::Error> {
        let (params, key) = (authority_params(name, validity, now)?, KeyPair::generate()?);
        let pem = params.self_signed(&key)?.pem();
        Ok(Self { pem, issuer: Issuer::new(params, key) })
    }

    /// The same authority, by name and key, with a certificate of other dates.
    pub(super) fn dated(&self, name: &str, validity: Validity, now: SystemTime) -> Result<String, rcgen::Error> {
        Ok(authority_params(name, validity, now)?.self_signed(self.issuer.key())?.pem())
    }

    /// One that this one vouches for.
    pub(super) fn intermediate(&self, name: &str, now: SystemTime) -> Result<Self, rcgen::Error> {
        let (params, key) = (authority_params(name, Validity::Now, now)?, KeyPair::generate()?);
        let pem = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Self { pem, issuer: Issuer::new(params, key) })
    }

    pub(super) fn issue(&self, leaf: &Leaf<'_>, now: SystemTime) -> Result<Issued, rcgen::Error> {
        let (params, key, serial) = leaf_params(leaf, now)?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(issued(&certificate, &key, serial))
    }

    /// A list that takes a certificate back.
    pub(super) fn revoke(&self, issued: &Issued, now: SystemTime) -> Result<String, rcgen::Error> {
        let (since, until) = Validity::Now.around(now);
        let revoked = RevokedCertParams {
            serial_number: issued.serial.clone(),
            revocation_time: since.into(),
            reason_code: Some(RevocationReason::KeyCompromise),
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: since.into(),
            next_update: until.into(),
            crl_number: SerialNumber::from(1u64),
            issuing_distribution_point: None,
            revoked_certs: vec![revoked],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer)?.pem()
    }
}

/// A server's certificate that nobody vouches for.
pub(super) fn self_signed(leaf: &Leaf<'_>, now: SystemTime) -> Result<Issued, rcgen::Error> {
    let (params, key, serial) = leaf_params(leaf, now)?;
    let certificate = params.self_signed(&key)?;
    Ok(issued(&certificate, &key, serial))
}

/// The certificate's key under a password, as `openssl pkcs8 -topk8` writes it.
pub(super) fn sealed(issued: &Issued) -> Result<String, pkcs8::Error> {
    /// What it takes for a test: nobody is to be kept out.
    const ROUNDS: u32 = 2048;
    let (salt, start): ([u8; 16], [u8; 16]) = (rand::random(), rand::random());
    let parameters = pkcs8::pkcs5::pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(ROUNDS, &salt, start)?;
    let key = pkcs8::PrivateKeyInfoRef::try_from(&*issued.key_der)?;
    let sealed = key.encrypt_with_params(parameters, PASSWORD)?;
    Ok(sealed.to_pem("ENCRYPTED PRIVATE KEY", pkcs8::LineEnding::LF)?.to_string())
}

/// A key that belongs to no certificate.
pub(super) fn other_key() -> Result<String, rcgen::Error> {
    Ok(KeyPair::generate()?.serialize_pem())
}

fn issued(certificate: &rcgen::Certificate, key: &KeyPair, serial: SerialNumber) -> Issued {
    Issued {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
        der: certificate.der().to_vec(),
        key_der: key.serialize_der(),
        serial,
    }
}

fn authority_params(name: &str, validity: Validity, now: SystemTime) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    let (since, until) = validity.around(now);
    (params.not_before, params.not_after) = (since.into(), until.into());
    Ok(params)
}

fn leaf_params(leaf: &Leaf<'_>, now: SystemTime) -> Result<(CertificateParams, KeyPair, SerialNumber), rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, leaf.common_name);
    let serial = SerialNumber::from(rand::random::<u64>() >> 1);
    params.serial_number = Some(serial.clone());
    params.is_ca = if leaf.is_authority { IsCa::Ca(BasicConstraints::Unconstrained) } else { IsCa::ExplicitNoCa };
    params.key_usages =
        vec![if leaf.may_sign { KeyUsagePurpose::DigitalSignature } else { KeyUsagePurpose::KeyAgreement }];
    params.extended_key_usages = vec![match leaf.server {
        Some(_) => ExtendedKeyUsagePurpose::ServerAuth,
        None => ExtendedKeyUsagePurpose::ClientAuth,
    }];
    if let Some(name) = leaf.server {
        params.subject_alt_names = if name == "127.0.0.1" {
            vec![SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST))]
        } else {
            vec![SanType::DnsName(name.try_into()?)]
        };
    }
    let (since, until) = leaf.validity.around(now);
    (params.not_before, params.not_after) = (since.into(), until.into());
    Ok((params, KeyPair::generate()?, serial))
}
