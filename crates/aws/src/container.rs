//! The credentials endpoint of a container: ECS, EKS Pod Identity.

use std::net::IpAddr;
use std::time::Duration;

use http::{Request, StatusCode, Uri};
use identity::{Base, Error, Signer};
use world::{Environment, Secret};

use crate::ambient::{Document, failed, passing};
use crate::plain::{Patience, Silence, ask};

/// What ECS's path is relative to.
const ECS: &str = "http://169.254.170.2";

/// The addresses at which AWS puts the endpoint: ECS, and EKS Pod Identity in both families.
const ADDRESSES: [&str; 3] = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"];

/// As AWS's own SDKs have them.
const PATIENCE: Patience = Patience { connect: Duration::from_secs(2), answer: Duration::from_secs(5) };

/// Pauses before the second and the third attempt.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(500)];

/// The variables that name the endpoint.
const VARIABLES: [&str; 2] = ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"];

/// Whether the environment names an endpoint.
pub(crate) fn is_named(environment: &Environment) -> bool {
    VARIABLES.iter().any(|name| environment.get(name).is_some())
}

/// Asks the container's endpoint for its session.
pub(crate) async fn session(environment: &Environment) -> Result<Signer, Error> {
    let (variable, url) = match VARIABLES.map(|name| environment.get(name)) {
        // The relative one counts more, as for AWS's SDKs.
        [Some(path), _] => (VARIABLES[0], format!("{ECS}{path}")),
        [None, Some(url)] => (VARIABLES[1], url),
        [None, None] => {
            return Err(failed(
                &Base::Container,
                format!("neither {} nor {} is set: ECS and EKS set one of them", VARIABLES[0], VARIABLES[1]),
                "give the task a task role (ECS) or the pod a Pod Identity association (EKS); or name another kind",
            ));
        }
    };
    let uri: Uri = url
        .parse()
        .map_err(|_| failed(&Base::Container, format!("{variable} is no URL"), "leave it as ECS or EKS has set it"))?;
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
    allow(&uri, &host, variable).await?;
    let authority = format!("{}:{}", uri.host().unwrap_or_default(), uri.port_u16().unwrap_or(80));
    let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let authorization = authorization(environment).await?;
    let request = || {
        let request = Request::get(&path).header("accept", "application/json");
        match &authorization {
            Some(token) => request.header("authorization", token.expose()),
            None => request,
        }
    };
    let mut pauses = PAUSES.iter();
    let answer = loop {
        let answer = ask(&authority, request(), PATIENCE).await;
        let again = answer.as_ref().map_or(true, |(status, _)| status.is_server_error());
        match pauses.next().filter(|_| again) {
            Some(pause) => tokio::time::sleep(*pause).await,
            None => break answer,
        }
    };
    read(answer, &authority)
}

fn read(answer: Result<(StatusCode, bytes::Bytes), Silence>, authority: &str) -> Result<Signer, Error> {
    let (status, body) = answer.map_err(|silence| {
        let hint = "look whether the container may reach it (network policy), and whether the Pod Identity agent runs on the node";
        passing(&Base::Container, format!("{authority} gave no answer: {silence}"), hint)
    })?;
    let document = Document::read(&body);
    if status != StatusCode::OK {
        let said = document.as_ref().ok().map_or_else(String::new, |document| {
            let said: Vec<_> =
                ["code", "Code", "message", "Message"].iter().filter_map(|key| document.text(key)).collect();
            format!(": {}", said.join(": "))
        });
        let hint = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                "look at AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: the token must be the one that was made for this container"
            }
            StatusCode::NOT_FOUND => "give the task a role, or the pod's service account a Pod Identity association",
            _ => "look at the role's trust: ecs-tasks.amazonaws.com, or pods.eks.amazonaws.com with sts:TagSession",
        };
        let make = if status.is_server_error() { passing } else { failed };
        return Err(make(
            &Base::Container.to_string(),
            format!("{authority} answered {status}{said}"),
            hint.to_owned(),
        ));
    }
    document.and_then(|document| document.signer("Token")).map_err(|why| {
        let hint = "look at what answers in the endpoint's place";
        passing(&Base::Container, format!("the answer of {authority} cannot be used: {why}"), hint)
    })
}

/// Without TLS, the token and the session go only to addresses that cannot be elsewhere: this machine, or the ones that
/// AWS keeps for this. A variable of the environment could otherwise send the container's token anywhere.
async fn allow(uri: &Uri, host: &str, variable: &str) -> Result<(), Error> {
    let refuse = |problem: String| {
        let hint = format!(
            "use http:// and a loopback address, {}; leave the variable as ECS or EKS has set it",
            ADDRESSES.join(", ")
        );
        failed(&Base::Container, format!("{variable} {problem}"), hint)
    };
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") => return Err(refuse("names an endpoint with TLS, which is not supported".to_owned())),
        _ => return Err(refuse("is no URL with http://".to_owned())),
    }
    let is_allowed =
        |address: IpAddr| address.is_loopback() || ADDRESSES.iter().any(|known| known.parse() == Ok(address));
    if let Ok(address) = host.parse::<IpAddr>() {
        return if is_allowed(address) {
            Ok(())
        } else {
            Err(refuse(format!("names the host {host}, which is not allowed")))
        };
    }
    // All of a name's addresses: one that is elsewhere would do.
    let port = uri.port_u16().unwrap_or(80);
    match tokio::net::lookup_host((host, port)).await {
        Ok(addresses) => {
            let addresses: Vec<IpAddr> = addresses.map(|address| address.ip()).collect();
            if !addresses.is_empty() && addresses.iter().all(|address| is_allowed(*address)) {
                return Ok(());
            }
            Err(refuse(format!("names the host {host}, which is not on this machine alone")))
        }
        Err(error) => Err(refuse(format!("names the host {host}, which is not found ({error})"))),
    }
}

/// The token that goes along; its file is read for each exchange, because it is rotated in place.
async fn authorization(environment: &Environment) -> Result<Option<Secret>, Error> {
    const FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
    const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
    let (variable, token) = match environment.get(FILE) {
        Some(path) => {
            let text = crate::file::read(&path).await.map_err(|error| {
                let hint = "mount the token where the variable says, and let this process read it";
                failed(&Base::Container, format!("{FILE} {path} could not be read ({error})"), hint)
            })?;
            (FILE, text)
        }
        None => match environment.get(TOKEN) {
            Some(token) => (TOKEN, token),
            None => return Ok(None),
        },
    };
    // A line break at the end is no part of a token, and editors add one. AWS's SDKs refuse it.
    let token = Secret::new(token.trim_end_matches(['\r', '\n']));
    if token.expose().chars().any(char::is_control) || http::HeaderValue::from_str(token.expose()).is_err() {
        let problem = format!("the token of {variable} holds characters that no header can");
        return Err(failed(&Base::Container, problem, "leave the token as ECS or EKS has made it"));
    }
    Ok(Some(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn refused(url: &str) -> String {
        let environment = Environment::of([(VARIABLES[1], url)]);
        match session(&environment).await {
            Err(error @ Error::Base { passing: false, .. }) => error.to_string(),
            other => panic!("{url}: {other:?}"),
        }
    }

    #[tokio::test]
    async fn the_token_goes_to_no_other_host() {
        for url in ["http://10.0.0.1/x", "http://169.254.169.254/x", "http://[fd00:ec2::254]/x"] {
            assert!(refused(url).await.contains("which is not allowed"), "{url}");
        }
        assert!(refused("http://127.0.0.1.evil.invalid/x").await.contains("is not found"));
        assert!(refused("https://example.com/x").await.contains("with TLS"));
    }

    #[tokio::test]
    async fn the_token_is_read_anew_for_each_exchange() {
        use std::io::Write as _;

        use crate::plain::{says, serve};
        let url = serve(|line, request| {
            let token = request.lines().find_map(|line| line.strip_prefix("authorization: ")).unwrap_or("none");
            match (line, token) {
                ("GET /v1/credentials", "none" | "spent") => {
                    says("401 Unauthorized", r#"{"code":"x","message":"no such token"}"#)
                }
                ("GET /v1/credentials", token) => says(
                    "200 OK",
                    &format!(
                        r#"{{"AccessKeyId":"{token}","SecretAccessKey":"s","Token":"t","Expiration":"2026-11-23T14:00:00Z"}}"#
                    ),
                ),
                _ => says("404 Not Found", ""),
            }
        });
        let url = format!("{}/v1/credentials", url.await);
        let file = tempfile::NamedTempFile::new().unwrap();
        let write = |text: &str| writeln!(std::fs::File::create(file.path()).unwrap(), "{text}").unwrap();
        let path = file.path().to_str().unwrap();
        let environment =
            Environment::of([(VARIABLES[1], url.as_str()), ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", path)]);
        for token in ["one", "two"] {
            write(token);
            assert_eq!(session(&environment).await.unwrap().access_key_id().as_str(), token);
        }
        write("spent");
        let refused = session(&environment).await.unwrap_err();
        assert!(refused.to_string().contains("answered 401 Unauthorized: x: no such token"), "{refused}");
        write("a\u{7}b");
        let odd = session(&environment).await.unwrap_err().to_string();
        assert!(odd.contains("characters that no header can") && !odd.contains('\u{7}'), "{odd}");
    }

    #[tokio::test]
    async fn a_place_that_names_no_endpoint_is_told_so() {
        let error = session(&Environment::of::<String, String>([])).await.unwrap_err();
        assert!(error.to_string().contains("ECS and EKS set one of them"), "{error}");
    }
}
