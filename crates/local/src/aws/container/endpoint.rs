use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use http::{Method, StatusCode};
use iam::Arn;
use serde_json::{Value, json};
use world::Secret;

use crate::aws::ambient::{Asked, Taking, take};
use crate::aws::reply::Reply;
use crate::aws::server::Shared;
use crate::aws::session::random_id;
use crate::aws::time;

/// The path of pods; that of tasks has an id behind it.
const POD_PATH: &str = "/v1/credentials";
const TASK_PATH: &str = "/v2/credentials/";

/// How long a container's sessions live.
const LIFE: Duration = Duration::from_hours(6);

/// Who may have which role, by authorization token.
#[derive(Debug, Default)]
pub(in crate::aws) struct Endpoint(Mutex<BTreeMap<String, Given>>);

#[derive(Debug, Clone)]
struct Given {
    path: String,
    role: Arn,
    /// Which of AWS's services asks for the session.
    service: &'static str,
    name: String,
    tags: BTreeMap<String, String>,
}

/// Where a container finds its credentials.
#[derive(Debug, Clone)]
pub struct Container {
    /// `AWS_CONTAINER_CREDENTIALS_FULL_URI`.
    pub full_uri: String,
    /// What `AWS_CONTAINER_AUTHORIZATION_TOKEN`, or the file that `.._TOKEN_FILE` names, must hold.
    pub token: Secret,
}

/// A pod of EKS, as its session's tags tell it.
#[derive(Debug, Clone)]
pub struct PodIdentity {
    /// The cluster's name.
    pub cluster: String,
    /// The pod's namespace.
    pub namespace: String,
    /// Its service account.
    pub service_account: String,
    /// Its name.
    pub pod: String,
}

impl Endpoint {
    /// Gives an ECS task its role, which must trust `ecs-tasks.amazonaws.com`.
    pub(in crate::aws) fn task(&self, endpoint: &str, role: &Arn) -> Container {
        let path = format!("{TASK_PATH}{}", uuid::Uuid::from_bytes(rand::random()));
        let name = hex::encode(rand::random::<[u8; 16]>());
        let service = "ecs-tasks.amazonaws.com";
        self.give(endpoint, Given { path, role: role.clone(), service, name, tags: BTreeMap::new() })
    }

    /// Gives a pod its role, which must trust `pods.eks.amazonaws.com` with `sts:TagSession` too.
    pub(in crate::aws) fn pod(&self, endpoint: &str, role: &Arn, pod: &PodIdentity) -> Container {
        let account = role.account().map(|account| account.to_string()).unwrap_or_default();
        // The six that EKS sets, all of them transitive.
        let tags = [
            ("eks-cluster-arn", format!("arn:aws:eks:us-east-1:{account}:cluster/{}", pod.cluster)),
            ("eks-cluster-name", pod.cluster.clone()),
            ("kubernetes-namespace", pod.namespace.clone()),
            ("kubernetes-service-account", pod.service_account.clone()),
            ("kubernetes-pod-name", pod.pod.clone()),
            ("kubernetes-pod-uid", uuid::Uuid::from_bytes(rand::random()).to_string()),
        ];
        let tags = tags.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let name = format!("eks-{}-{}", pod.cluster, hex::encode(rand::random::<[u8; 4]>()));
        let service = "pods.eks.amazonaws.com";
        self.give(endpoint, Given { path: POD_PATH.to_owned(), role: role.clone(), service, name, tags })
    }

    fn give(&self, endpoint: &str, given: Given) -> Container {
        let (full_uri, token) = (format!("{endpoint}{}", given.path), random_id("", 40));
        self.0.lock().expect("no thread panics while it holds this lock").insert(token.clone(), given);
        Container { full_uri, token: Secret::new(token) }
    }

    fn find(&self, token: &str) -> Option<Given> {
        self.0.lock().expect("no thread panics while it holds this lock").get(token).cloned()
    }
}

/// Whether a path is one of this endpoint's.
pub(in crate::aws) fn is_path(path: &str) -> bool {
    path == POD_PATH || path.starts_with(TASK_PATH)
}

/// Answers a request.
pub(in crate::aws) fn handle(shared: &Shared, asked: &Asked<'_>) -> Reply {
    let refuse = |status, code: &str, message: &str| say(status, &json!({"code": code, "message": message}));
    if asked.parts.method != Method::GET {
        return refuse(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "credentials are asked for with GET");
    }
    let Some(token) = asked.header("authorization") else {
        return refuse(StatusCode::UNAUTHORIZED, "MissingAuthorization", "the Authorization header is missing");
    };
    // A token is for its own path: another task's is not taken.
    let Some(given) = shared.ambient.container.find(token).filter(|given| given.path == asked.path()) else {
        return refuse(StatusCode::UNAUTHORIZED, "InvalidAuthorization", "the authorization token is not valid here");
    };
    let Given { role, service, name, tags, .. } = given;
    let actions: &[&str] = if tags.is_empty() { &["sts:AssumeRole"] } else { &["sts:AssumeRole", "sts:TagSession"] };
    let transitive = tags.keys().cloned().collect();
    let taking = Taking {
        role: &role,
        caller: service,
        actions,
        session_name: &name,
        duration: LIFE,
        limit: None,
        policy: None,
        tags,
        transitive,
        source_identity: None,
    };
    match take(shared, taking, asked.now, |context| context.set("aws:PrincipalIsAWSService", "true")) {
        Ok(minted) => {
            let document = json!({
                "RoleArn": role.as_str(),
                "AccountId": minted.session.account,
                "AccessKeyId": minted.session.key_id,
                "SecretAccessKey": minted.secret.expose(),
                "Token": minted.token.expose(),
                "Expiration": time::iso_seconds(minted.session.expires_at()),
            });
            say(StatusCode::OK, &document)
        }
        Err(_) => refuse(
            StatusCode::BAD_REQUEST,
            "AccessDeniedException",
            &format!("{service} is not authorized to assume the role {role}"),
        ),
    }
}

fn say(status: StatusCode, document: &Value) -> Reply {
    Reply::new(status, document.to_string()).with("content-type", "application/json")
}
