//! The role of an EC2 instance, by version 2 of the instance metadata service alone: version 1 gives a session to whoever
//! can make the machine fetch a URL.

use std::time::Duration;

use http::{Request, StatusCode};
use identity::{AwsClock, Base, Error, Signer};
use world::Environment;

use crate::ambient::{Document, failed, passing, prolonged};
use crate::plain::{Patience, Silence, ask};

const DEFAULT: &str = "http://169.254.169.254";
const DEFAULT_V6: &str = "http://[fd00:ec2::254]";

/// The service is on the same machine: it answers in a millisecond or not at all.
pub(crate) const PATIENCE: Patience = Patience { connect: Duration::from_secs(1), answer: Duration::from_secs(2) };

/// Pauses before the second and the third attempt; the session cache has its own after that.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(500)];

/// How long a session is taken to go on that comes with its end in the past. The service does so while it cannot renew
/// sessions, and EC2 goes on accepting them ("static stability": AWS's SDKs all do this, and for instances alone).
const PROLONGED: Duration = Duration::from_mins(10);

const HOP_LIMIT: &str = "in a container the answer dies on its way if the hop limit is 1: run \
     aws ec2 modify-instance-metadata-options --instance-id i-.. --http-put-response-hop-limit 2 --http-tokens required; or \
     give the container a role of its own (kind container or web-identity)";

/// What lists the role, and below which its session is.
pub(crate) const ROLES: &str = "/latest/meta-data/iam/security-credentials/";

/// Asks for the instance's session.
pub(crate) async fn session(environment: &Environment, clock: &AwsClock) -> Result<Signer, Error> {
    if is_disabled(environment) {
        return Err(failed(
            &Base::Instance,
            "AWS_EC2_METADATA_DISABLED is true",
            "unset it, or name another kind of connection",
        ));
    }
    let url = url(environment);
    let Some(authority) = authority(&url) else {
        return Err(failed(
            &Base::Instance,
            format!("AWS_EC2_METADATA_SERVICE_ENDPOINT {url:?} is not the URL of a metadata service"),
            "write http://host or http://host:port, or unset it",
        ));
    };
    let metadata = Metadata { authority };
    let token = metadata.token().await?;
    let listed = metadata.get(ROLES, &token).await?;
    let listed = String::from_utf8_lossy(&listed).into_owned();
    let Some(role) = listed.lines().map(str::trim).find(|line| !line.is_empty()) else {
        return Err(no_role());
    };
    let document = Document::read(&metadata.get(&format!("{ROLES}{role}"), &token).await?);
    let document = document.map_err(|why| odd(&format!("the session of role {role} cannot be read: {why}")))?;
    match document.text("Code") {
        None | Some("Success") => {}
        Some(code) => {
            let message = document.text("Message").unwrap_or("no reason given");
            let hint = match code {
                "AssumeRoleUnauthorizedAccess" => {
                    format!(
                        "let role {role} trust the principal {{\"Service\": \"ec2.amazonaws.com\"}} for sts:AssumeRole; it \
                             must be of the instance's own account"
                    )
                }
                _ => format!("look at role {role} and the instance profile that names it"),
            };
            return Err(failed(&Base::Instance, format!("EC2 has no session of role {role}: {code}: {message}"), hint));
        }
    }
    let signer = document.signer("Token").map_err(|why| odd(&format!("the session of role {role}: {why}")))?;
    let now = clock.now();
    Ok(match &signer {
        Signer::Session(session) if session.life_left(now) < Duration::from_mins(1) => {
            tracing::warn!(role, ended = ?session.expires_at(), "EC2 could not renew the instance's session; the old one is used on");
            prolonged(session, now, PROLONGED).into()
        }
        Signer::Session(_) | Signer::Keys(_) | Signer::Anonymous => signer,
    })
}

/// Where the metadata service is.
pub(crate) fn url(environment: &Environment) -> String {
    match (
        environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT"),
        environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"),
    ) {
        (Some(url), _) => url,
        (None, Some(mode)) if mode.eq_ignore_ascii_case("ipv6") => DEFAULT_V6.to_owned(),
        (None, _) => DEFAULT.to_owned(),
    }
}

/// Whether the environment says that there is no metadata service.
pub(crate) fn is_disabled(environment: &Environment) -> bool {
    environment.get("AWS_EC2_METADATA_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

fn no_role() -> Error {
    failed(
        &Base::Instance,
        "no role is attached to this instance",
        "attach one: aws ec2 associate-iam-instance-profile --instance-id i-.. --iam-instance-profile Name=..",
    )
}

fn odd(problem: &str) -> Error {
    passing(&Base::Instance, problem, "look at what answers in the metadata service's place")
}

struct Metadata {
    authority: String,
}

impl Metadata {
    async fn token(&self) -> Result<String, Error> {
        // Six hours, the longest; it is used for this one look.
        let request = || Request::put("/latest/api/token").header("x-aws-ec2-metadata-token-ttl-seconds", "21600");
        let (status, body) = self.persist(request, true).await?;
        match status {
            StatusCode::OK => {
                let token = String::from_utf8_lossy(&body).trim().to_owned();
                if token.is_empty() { Err(odd("the metadata service gave an empty token")) } else { Ok(token) }
            }
            StatusCode::FORBIDDEN => Err(failed(
                &Base::Instance,
                "the instance metadata service is switched off for this instance (403)",
                "switch it on: aws ec2 modify-instance-metadata-options --instance-id i-.. --http-endpoint enabled \
                 --http-tokens required",
            )),
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Err(failed(
                &Base::Instance,
                format!("what answers at {} gives no tokens ({status}), so that it is no IMDSv2", self.authority),
                "version 1 is not used; if this is EC2, look for a proxy in between (NO_PROXY=169.254.169.254)",
            )),
            StatusCode::BAD_REQUEST => Err(failed(
                &Base::Instance,
                "the metadata service refused to give a token (400), as it does to requests that came through a proxy",
                "let requests to 169.254.169.254 go past the proxy",
            )),
            status => Err(odd(&format!("the metadata service answered {status} to the request for a token"))),
        }
    }

    async fn get(&self, path: &str, token: &str) -> Result<bytes::Bytes, Error> {
        let (status, body) =
            self.persist(|| Request::get(path).header("x-aws-ec2-metadata-token", token), false).await?;
        match status {
            StatusCode::OK => Ok(body),
            StatusCode::NOT_FOUND => Err(no_role()),
            StatusCode::UNAUTHORIZED => Err(odd("the metadata service did not take its own token (401)")),
            status => Err(odd(&format!("the metadata service answered {status} to {path}"))),
        }
    }

    /// Tries thrice where trying again can help.
    async fn persist(
        &self,
        request: impl Fn() -> http::request::Builder,
        for_token: bool,
    ) -> Result<(StatusCode, bytes::Bytes), Error> {
        let mut pauses = PAUSES.iter();
        loop {
            let answer = ask(&self.authority, request(), PATIENCE).await;
            let again = match &answer {
                Ok((status, _)) => status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS,
                Err(Silence::Refused(_)) => false,
                Err(_) => true,
            };
            match pauses.next().filter(|_| again) {
                Some(pause) => tokio::time::sleep(*pause).await,
                None => return answer.map_err(|silence| self.explain(silence, for_token)),
            }
        }
    }

    fn explain(&self, silence: Silence, for_token: bool) -> Error {
        let here = &self.authority;
        match silence {
            Silence::Refused(why) => failed(
                &Base::Instance,
                format!("nothing answers at {here} ({why}): this is no EC2 instance, or a firewall is in between"),
                "name another kind of connection; on EC2 look at the firewall and the routes to 169.254.169.254",
            ),
            Silence::NoConnection => passing(
                &Base::Instance,
                format!(
                    "{here} does not answer: this is no EC2 instance, or a firewall or network policy is in between"
                ),
                "name another kind of connection; on EC2 look at the firewall and the routes to 169.254.169.254",
            ),
            Silence::NoAnswer if for_token => passing(
                &Base::Instance,
                format!("{here} is there, and its answer to the request for a token did not come back"),
                HOP_LIMIT,
            ),
            Silence::NoAnswer => {
                passing(&Base::Instance, format!("{here} is there and does not answer"), "wait; it is asked again")
            }
            Silence::Broken(why) => odd(&format!("the answer of {here} broke off ({why})")),
        }
    }
}

/// `host:port` of a plain URL.
pub(crate) fn authority(url: &str) -> Option<String> {
    let uri: http::Uri = url.parse().ok()?;
    let host = uri.host().filter(|host| !host.is_empty() && uri.scheme_str() == Some("http"))?;
    Some(format!("{host}:{}", uri.port_u16().unwrap_or(80)))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use fault::{Diagnose as _, Retry};
    use world::Clock;

    use super::*;
    use crate::plain::{says, serve};

    const SESSION: &str = r#"{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"ASIAEC2","SecretAccessKey":"s",
        "Token":"t","Expiration":"2026-11-23T14:00:00.5Z"}"#;

    async fn ask_at(url: &str) -> Result<Signer, Error> {
        // 2026-11-23T08:00:00Z.
        let clock = Clock::manual(UNIX_EPOCH + Duration::from_hours(498_728));
        let environment = Environment::of([("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)]);
        session(&environment, &AwsClock::new(clock)).await
    }

    /// A service that gives a token and the role `app`, and of whose session `document` is what it says.
    async fn with_session(document: &'static str) -> Result<Signer, Error> {
        let url = serve(move |line, request| match line {
            "PUT /latest/api/token" if request.contains("x-aws-ec2-metadata-token-ttl-seconds: 21600") => {
                says("200 OK", "tok")
            }
            _ if !request.contains("x-aws-ec2-metadata-token: tok\r\n") => says("401 Unauthorized", ""),
            "GET /latest/meta-data/iam/security-credentials/" => says("200 OK", "app"),
            "GET /latest/meta-data/iam/security-credentials/app" => says("200 OK", document),
            _ => says("404 Not Found", ""),
        });
        ask_at(&url.await).await
    }

    #[tokio::test]
    async fn a_session_is_had_by_version_two_alone() {
        let signer = with_session(SESSION).await.unwrap();
        assert_eq!(signer.access_key_id().as_str(), "ASIAEC2");
        assert_eq!(signer.expires_at().unwrap().duration_since(UNIX_EPOCH).unwrap().as_secs(), 1_795_442_400);
    }

    #[tokio::test]
    async fn a_session_that_ec2_could_not_renew_is_used_on_for_a_while() {
        let signer = with_session(
            r#"{"Code":"Success","AccessKeyId":"A","SecretAccessKey":"s","Token":"t","Expiration":"2026-11-23T07:59:00Z"}"#,
        );
        let left =
            signer.await.unwrap().expires_at().unwrap().duration_since(UNIX_EPOCH).unwrap().as_secs() - 1_795_420_800;
        assert_eq!(left, 600);
    }

    #[tokio::test]
    async fn each_way_of_not_having_a_session_is_explained() {
        let hint = |error: &Error| error.hint().unwrap().into_owned();
        let refused =
            with_session(r#"{"Code":"AssumeRoleUnauthorizedAccess","Message":"EC2 cannot assume the role app."}"#);
        let refused = refused.await.unwrap_err();
        assert!(refused.to_string().contains("AssumeRoleUnauthorizedAccess: EC2 cannot assume"), "{refused}");
        assert!(hint(&refused).contains("ec2.amazonaws.com"), "{}", hint(&refused));

        let off = ask_at(&serve(|_, _| says("403 Forbidden", "")).await).await.unwrap_err();
        assert!(hint(&off).contains("--http-endpoint enabled") && off.retry() == Retry::Never, "{off}");

        let roleless = serve(|line, _| match line {
            "PUT /latest/api/token" => says("200 OK", "tok"),
            _ => says("404 Not Found", ""),
        });
        let roleless = ask_at(&roleless.await).await.unwrap_err();
        assert!(roleless.to_string().ends_with("no role is attached to this instance"), "{roleless}");

        let old = ask_at(&serve(|_, _| says("404 Not Found", "")).await).await.unwrap_err();
        assert!(old.to_string().contains("so that it is no IMDSv2"), "{old}");

        // Bound and closed again: nobody listens there.
        let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let gone = ask_at(&format!("http://{gone}")).await.unwrap_err();
        assert!(gone.to_string().contains("this is no EC2 instance"), "{gone}");

        let disabled = Environment::of([("AWS_EC2_METADATA_DISABLED", "true")]);
        let disabled = session(&disabled, &AwsClock::new(Clock::system())).await.unwrap_err();
        assert!(disabled.to_string().contains("AWS_EC2_METADATA_DISABLED is true"), "{disabled}");
        for odd in ["https://x", "x", "http://"] {
            assert!(
                ask_at(odd).await.unwrap_err().to_string().contains("is not the URL of a metadata service"),
                "{odd}"
            );
        }
    }

    #[tokio::test]
    async fn an_answer_that_dies_on_its_way_is_told_from_a_machine_that_is_none() {
        let error = ask_at(&serve(|_, _| None).await).await.unwrap_err();
        assert!(error.hint().unwrap().contains("--http-put-response-hop-limit 2"), "{error}");
        assert_eq!(error.retry(), Retry::Backoff);
    }
}
