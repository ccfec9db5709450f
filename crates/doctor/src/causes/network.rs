//! The way to AWS's services.

use aws::reach::{Distrust, Obstacle, Reached, Service};

use super::Case;
use super::shell::word;
use crate::{Cause, Check, Diagnosis, Paste, Remedy};

static DOTS: Cause = Cause {
    row: "F82",
    code: "network.dots-in-bucket-name",
    title: "the bucket's name has dots, and its host's certificate is not for such a name",
    symptom: "hostname 'a.b.s3.amazonaws.com' doesn't match '*.s3.amazonaws.com'",
    why: "a certificate's wildcard stands for one part of a name, and a bucket with dots makes several of it",
    apart: "by path (https://s3.REGION.amazonaws.com/BUCKET) the same bucket is reached",
    cure: "let the bucket stand in the path, as Tidegate does with such names by itself",
    texts: &[
        "doesn't match '*.s3",
        "doesn't match either of '*.s3",
        "not match certificate subject name '*.s3",
        "is not valid for name",
    ],
};

static INTERCEPTED: Cause = Cause {
    row: "F83",
    code: "network.tls-not-trusted",
    title: "somebody else's certificate stands where AWS's should be",
    symptom: "CERTIFICATE_VERIFY_FAILED, self signed certificate in certificate chain, unknown issuer",
    why: "a proxy opens TLS and shows a certificate of its own, or the endpoint is not the one that was meant",
    apart: "the certificate's issuer: Amazon issues AWS's",
    cure: "let the hosts of AWS go past the proxy, or have its authority among those that this machine trusts",
    texts: &[
        "certificate_verify_failed",
        "self signed certificate",
        "self-signed certificate",
        "unknownissuer",
        "unable to get local issuer certificate",
        "pkix path building failed",
        "certificate signed by unknown authority",
    ],
};

static ONE_WAY: Cause = Cause {
    row: "F84",
    code: "network.no-route-to-service",
    title: "there is no way from here to this service of AWS's",
    symptom: "STS hangs while S3 works, or the other way round; or nothing of AWS's is reached",
    why: "a private network has an endpoint for one service and no way to the others, or a proxy is the only way out",
    apart: "another service answers from the same machine",
    cure: "make an endpoint for the other service too, or a way out (NAT)",
    texts: &[
        "connect timeout on endpoint url",
        "could not connect to the endpoint url",
        "connection timed out",
        "dial tcp",
        "connect timed out",
    ],
};

static OWN_STORAGE: Cause = Cause {
    row: "F86",
    code: "network.own-storage",
    title: "what fails is storage of the platform itself, and not of the connector",
    symptom: "a connector fails, and the bucket in its error is none of its own",
    why: "manifests lie beside the data, and the role may write the data alone",
    apart: "the name in the error: it begins with the manifests' prefix",
    cure: "let the role write, read and delete under the manifests' prefix too",
    texts: &["failed to write logs to", "state bucket", "log storage", "storage_bucket_log"],
};

static ONE_ENDPOINT: Cause = Cause {
    row: "F87",
    code: "network.endpoint-of-another-service",
    title: "the endpoint is another service's",
    symptom: "STS is asked at an object store: odd XML, 404, or a method that is not allowed",
    why: "one endpoint was set for all services, and the one that answers there knows one of them",
    apart: "who answers (Server header), and whether it numbers its requests as AWS does",
    cure: "set an endpoint a service: endpoints = { s3 = \"..\" } alone leaves STS at AWS",
    texts: &[
        "upgraderequired",
        "unsupported action getcalleridentity",
        "xml syntax error",
        "unexpected element <html>",
    ],
};

pub(super) static CAUSES: &[&Cause] = &[&DOTS, &INTERCEPTED, &ONE_WAY, &OWN_STORAGE, &ONE_ENDPOINT];

pub(super) fn explain(case: &mut Case<'_>) {
    let facts = case.facts;
    let all = [(Check::STS_REACHED, &facts.sts), (Check::S3_REACHED, &facts.s3), (Check::KMS_REACHED, &facts.kms)];
    let all: Vec<_> = all.into_iter().filter_map(|(check, reached)| Some((check, reached.as_ref()?))).collect();
    for (check, reached) in &all {
        match &reached.outcome {
            Err(stopped) => match &stopped.obstacle {
                Obstacle::Untrusted(distrust) => certificate(case, check, reached, distrust),
                Obstacle::NoHost | Obstacle::OtherProtocol => {}
                Obstacle::Silent
                | Obstacle::Broken
                | Obstacle::NoRoute
                | Obstacle::Refused
                | Obstacle::UnknownName
                | Obstacle::NoNameService => one_way(case, check, reached, &all),
            },
            Ok(answer) if !answer.is_service() && case.is_unwell(check) => stranger(case, check, reached, &all),
            Ok(_) => {}
        }
    }
    own_storage(case);
}

fn certificate(case: &mut Case<'_>, check: &'static Check, reached: &Reached, distrust: &Distrust) {
    let own = reached.certificates.first();
    let names = own.map(|own| own.names.join(", ")).unwrap_or_default();
    let bucket = case.target.place.as_ref().map(|place| place.bucket.clone()).unwrap_or_default();
    if *distrust == Distrust::OtherName
        && reached.service == Service::S3
        && bucket.contains('.')
        && reached.host.starts_with(&bucket)
    {
        let because = format!("{bucket} has dots, and the certificate is for {names}");
        let remedy =
            Remedy::paste("let the bucket stand in the path", Paste::Setting("s3.path.style = true".to_owned()));
        case.explain(check, Diagnosis::decided(&DOTS, because).cure(remedy));
        return;
    }
    let issuer = own.map_or_else(|| "nobody".to_owned(), |own| own.issuer.clone());
    let self_signed = own.is_some_and(aws::reach::CertificateSeen::is_self_signed);
    let because = match distrust {
        Distrust::OtherName => format!("the certificate is for {names}, and {} was asked", reached.host),
        Distrust::Expired | Distrust::NotYetValid => {
            format!("the certificate, which {issuer} issued, is out of its time")
        }
        Distrust::NoAuthorities => "this machine trusts no authority at all".to_owned(),
        Distrust::UnknownIssuer | Distrust::Other(_) if self_signed => {
            format!("{issuer} has issued the certificate to itself")
        }
        Distrust::UnknownIssuer | Distrust::Other(_) => {
            format!("{issuer} has issued the certificate, and this machine does not trust it")
        }
    };
    let trust = match distrust {
        Distrust::NoAuthorities => Remedy::paste(
            "give this machine the authorities that everybody trusts",
            Paste::Command("apt-get install ca-certificates   # or: dnf install ca-certificates".to_owned()),
        ),
        Distrust::OtherName => Remedy::to(format!("name the endpoint by a name that its certificate has ({names})")),
        Distrust::Expired | Distrust::NotYetValid => {
            Remedy::to("have the certificate renewed by whoever runs that endpoint; compare this machine's date too")
        }
        Distrust::UnknownIssuer | Distrust::Other(_) => Remedy::paste(
            format!("if {issuer} is the authority of your own proxy or store, let this machine trust it"),
            Paste::Command(
                "cp authority.pem /usr/local/share/ca-certificates/authority.crt && update-ca-certificates   # or: \
                 SSL_CERT_FILE=authority.pem tidegate .."
                    .to_owned(),
            ),
        ),
    };
    let past = Remedy::to(format!("if not, let {} go past the proxy that opens TLS", reached.host));
    case.explain(check, Diagnosis::decided(&INTERCEPTED, because).cure(trust).cure(past));
}

/// One that is not reached, where another one is.
fn one_way(case: &mut Case<'_>, check: &'static Check, reached: &Reached, all: &[(&'static Check, &Reached)]) {
    let Some((_, other)) = all.iter().find(|(_, other)| other.answer().is_some_and(aws::reach::Answered::is_service))
    else {
        return none_at_all(case, check, reached);
    };
    let (this, that) = (reached.service.name(), other.service.name());
    let because = format!("{that} answers at {} and {this} does not at {}", other.host, reached.host);
    let region = case.target.connection.as_ref().map_or("REGION", |connection| connection.sts.region.as_str());
    let command = format!(
        "aws ec2 create-vpc-endpoint --vpc-id vpc-.. --vpc-endpoint-type Interface --service-name {} \
         --subnet-ids subnet-.. --security-group-ids sg-..   # port 443 open to this machine",
        word(&format!("com.amazonaws.{region}.{}", this.to_lowercase()))
    );
    let remedy = Remedy::paste(format!("give the network a way to {this}"), Paste::Command(command));
    let named = Remedy::to(format!("if there is one already, set its URL as endpoints.{}", this.to_lowercase()));
    let make = match reached.stopped().map(|stopped| &stopped.obstacle) {
        Some(Obstacle::Silent | Obstacle::NoRoute) => Diagnosis::likely,
        _ => Diagnosis::possible,
    };
    case.explain(check, make(&ONE_WAY, because).cure(remedy).cure(named));
}

/// Nothing of AWS's is reached.
fn none_at_all(case: &mut Case<'_>, check: &'static Check, reached: &Reached) {
    if reached.stopped().is_some_and(|stopped| stopped.obstacle == Obstacle::Refused) {
        // Somebody is there, and says that nobody listens.
        return;
    }
    let proxies = &case.facts.proxies;
    let named = proxies.proxies.first().filter(|_| !proxies.is_excepted(&reached.host));
    let diagnosis = if let Some((variable, proxy)) = named {
        let because = format!(
            "nothing of AWS's is reached straight from here, and {variable} names {proxy} as a way out; Tidegate goes to no \
             proxy"
        );
        let remedy = Remedy::to(format!(
            "open a way past the proxy to {} port 443 (firewall, NAT), or make private endpoints of S3 and STS",
            reached.host
        ));
        Diagnosis::likely(&ONE_WAY, because).cure(remedy)
    } else {
        let apart = "whether anything outside is reached from this machine: nothing of AWS's is";
        let remedy = Remedy::paste(
            "look how far it goes",
            Paste::Command(format!("getent hosts {0}; curl -sv --max-time 5 https://{0}/", word(&reached.host))),
        );
        Diagnosis::possible(&ONE_WAY, apart).cure(remedy)
    };
    case.explain(check, diagnosis);
}

/// Somebody else answers.
fn stranger(case: &mut Case<'_>, check: &'static Check, reached: &Reached, all: &[(&'static Check, &Reached)]) {
    let Some(answer) = reached.answer() else { return };
    let who = answer.server.as_deref().unwrap_or("somebody who gives no name");
    if answer.is_page() {
        let because =
            format!("{who} answers {} with a page for people in place of {}", answer.status, reached.service.name());
        let remedy = Remedy::to(format!("let {} go past whoever writes that page (a proxy, a portal)", reached.host));
        case.explain(check, Diagnosis::likely(&INTERCEPTED, because).cure(remedy));
    }
    if reached.service == Service::S3 {
        return;
    }
    let service = reached.service.name().to_lowercase();
    let shared = all.iter().any(|(_, other)| other.service == Service::S3 && other.url == reached.url);
    let because = if shared {
        format!(
            "{who} answers at {}, which is the endpoint of S3 too, and knows no {}",
            reached.url,
            reached.service.name()
        )
    } else {
        format!("{who} answers {} at {}, not in the words of {}", answer.status, reached.url, reached.service.name())
    };
    let region = case.target.connection.as_ref().map_or("REGION", |connection| connection.sts.region.as_str());
    let setting = format!(
        "endpoints = {{ s3 = \"https://..\" }}   # and no {service}: then https://{service}.{region}.amazonaws.com"
    );
    let remedy = Remedy::paste(format!("take {service} out of the endpoints, or set its own"), Paste::Setting(setting));
    let make = if answer.is_page() && !shared { Diagnosis::possible } else { Diagnosis::decided };
    case.explain(check, make(&ONE_ENDPOINT, because).cure(remedy));
}

/// Manifests that are kept outside of what the role may write.
fn own_storage(case: &mut Case<'_>) {
    let Some((place, trial)) = &case.facts.manifests else { return };
    let data = [&case.facts.put, &case.facts.multipart].into_iter().flatten().any(crate::Trial::is_done);
    if !data || !trial.is_denied() {
        return;
    }
    let because =
        format!("the data may be written, and under {place}, where Tidegate keeps its manifests, nothing may");
    let bucket = case.target.place.as_ref().map(|place| place.bucket.clone()).unwrap_or_default();
    let statement = format!(
        "{{\n  \"Effect\": \"Allow\",\n  \"Action\": [\"s3:PutObject\", \"s3:GetObject\", \"s3:DeleteObject\", \
         \"s3:AbortMultipartUpload\"],\n  \"Resource\": \"arn:aws:s3:::{bucket}/{place}*\"\n}}"
    );
    let remedy = Remedy::paste("let the role write manifests", Paste::PermissionPolicy(statement));
    let setting = Remedy::to("or put them beside the data with tidegate.manifest.prefix");
    case.explain(Check::PUT, Diagnosis::decided(&OWN_STORAGE, because).cure(remedy).cure(setting));
}
