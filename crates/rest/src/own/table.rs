//! All that there is at `/v1`.

use super::ask::Handler;
use super::shape::{Kind, Param};
use super::shapes as s;
use super::{
    accounts, audit, connections, connectors, events, integrations, keys, openapi, pages, paging, places, sessions,
};

/// One method of one path.
#[expect(clippy::struct_excessive_bools, reason = "columns of a table")]
pub(super) struct Route {
    pub(super) method: &'static str,
    /// With names in braces.
    pub(super) path: &'static str,
    /// What the document calls it.
    pub(super) name: &'static str,
    /// What it does.
    pub(super) summary: &'static str,
    pub(super) query: &'static [Param],
    pub(super) body: Kind,
    /// Whether the body may be left out, with its type: then it says nothing, as `{}` does.
    pub(super) or_nothing: bool,
    pub(super) status: u16,
    pub(super) answer: Kind,
    /// Whether it takes `If-Match`.
    pub(super) conditional: bool,
    /// Whether it takes `Idempotency-Key`.
    pub(super) creates: bool,
    /// Whether its answer holds a secret, which is shown this once and kept nowhere.
    pub(super) shows_secret: bool,
    pub(super) run: Handler,
}

impl Route {
    const fn new(
        method: &'static str,
        path: &'static str,
        name: &'static str,
        summary: &'static str,
        run: Handler,
    ) -> Self {
        Self {
            method,
            path,
            name,
            summary,
            query: &[],
            body: Kind::Nothing,
            or_nothing: false,
            status: 200,
            answer: Kind::Nothing,
            conditional: false,
            creates: false,
            shows_secret: false,
            run,
        }
    }

    const fn query(self, query: &'static [Param]) -> Self {
        Self { query, ..self }
    }

    const fn takes(self, body: Kind) -> Self {
        Self { body, ..self }
    }

    const fn or_nothing(self) -> Self {
        Self { or_nothing: true, ..self }
    }

    const fn answers(self, answer: Kind) -> Self {
        Self { answer, ..self }
    }

    /// Makes something: 201.
    const fn makes(self, answer: Kind) -> Self {
        Self { answer, status: 201, creates: true, ..self }
    }

    const fn shows_secret(self) -> Self {
        Self { shows_secret: true, ..self }
    }

    /// 204.
    const fn ends(self) -> Self {
        Self { status: 204, ..self }
    }

    const fn conditional(self) -> Self {
        Self { conditional: true, ..self }
    }
}

const ID: Kind = Kind::Text { least: 1, most: 64 };
const CLUSTER: Param =
    Param { name: "cluster", kind: ID, doc: "Which cluster; not set: that of the API key, or the operator's own." };
const ENVIRONMENT: Param = Param { name: "environment", kind: ID, doc: "Which environment; not set: the caller's." };
const PAGE_SIZE: Param = Param {
    name: "page_size",
    kind: Kind::Whole { least: 1, most: paging::MOST as i64 },
    doc: "How many at most; 100 if not set.",
};
const CURSOR: Param =
    Param { name: "cursor", kind: Kind::Text { least: 0, most: 4096 }, doc: "next of the page before." };
const INCLUDE_TASKS: Param = Param { name: "include_tasks", kind: Kind::Flag, doc: "The tasks, too; true if not set." };
const ONLY_FAILED: Param = Param { name: "only_failed", kind: Kind::Flag, doc: "Only what has failed." };
const FORMAT: Param = Param { name: "format", kind: s::FORMS, doc: "What it is written as; json if not set." };
const ROLE_NAME: Param = Param {
    name: "role_name",
    kind: Kind::Text { least: 1, most: 64 },
    doc: "How the role is to be called, where there is none yet.",
};
const SINCE: Param = Param { name: "since", kind: Kind::Time, doc: "From then on." };
const UNTIL: Param = Param { name: "until", kind: Kind::Time, doc: "Until then." };
const WORD: Kind = Kind::Text { least: 1, most: 300 };
const PRINCIPAL: Param = Param { name: "principal", kind: WORD, doc: "Of one principal." };
const ACTION: Param = Param { name: "action", kind: WORD, doc: "Actions that begin like this: connector." };
const RESOURCE: Param = Param { name: "resource", kind: WORD, doc: "About this." };
const CRN: Param =
    Param { name: "crn_pattern", kind: Kind::Text { least: 1, most: 2048 }, doc: "On this and below it." };

/// A handler as the table has it: `async fn` of a module.
macro_rules! run {
    ($module:ident :: $name:ident) => {
        |ask| Box::pin($module::$name(ask))
    };
}

/// The same for one that waits for nothing.
macro_rules! at_once {
    ($module:ident :: $name:ident) => {
        |ask| Box::pin(std::future::ready($module::$name(&ask)))
    };
}

const fn get(path: &'static str, name: &'static str, summary: &'static str, run: Handler) -> Route {
    Route::new("GET", path, name, summary, run)
}

const fn post(path: &'static str, name: &'static str, summary: &'static str, run: Handler) -> Route {
    Route::new("POST", path, name, summary, run)
}

const fn put(path: &'static str, name: &'static str, summary: &'static str, run: Handler) -> Route {
    Route::new("PUT", path, name, summary, run)
}

const fn patch(path: &'static str, name: &'static str, summary: &'static str, run: Handler) -> Route {
    Route::new("PATCH", path, name, summary, run)
}

const fn delete(path: &'static str, name: &'static str, summary: &'static str, run: Handler) -> Route {
    Route::new("DELETE", path, name, summary, run).ends()
}

const fn object(shape: &'static super::shape::Shape) -> Kind {
    Kind::Object(shape)
}

/// All of them.
pub(super) static ROUTES: &[Route] = &[
    get("/v1/openapi.json", "getOpenApi", "This surface, described", at_once!(openapi::show)).answers(Kind::Open),
    get("/v1/errors/{code}", "getErrorPage", "What a code means, and what to do", at_once!(pages::show))
        .answers(Kind::Plain("text/markdown; charset=utf-8")),
    get("/v1/caller", "getCaller", "Who the credentials are", at_once!(places::caller)).answers(object(&s::CALLER)),
    get("/v1/organization", "getOrganization", "The organization", run!(places::organization))
        .answers(object(&s::ORGANIZATION)),
    // environments and clusters
    get(
        "/v1/environments",
        "listEnvironments",
        "Environments that the caller may see, oldest first",
        run!(places::environments),
    )
    .query(&[PAGE_SIZE, CURSOR])
    .answers(Kind::Page(&s::ENVIRONMENT)),
    post("/v1/environments", "createEnvironment", "Makes an environment", run!(places::create_environment))
        .takes(object(&s::NEW_ENVIRONMENT))
        .makes(object(&s::ENVIRONMENT)),
    get("/v1/environments/{id}", "getEnvironment", "One environment", run!(places::environment))
        .answers(object(&s::ENVIRONMENT)),
    delete(
        "/v1/environments/{id}",
        "deleteEnvironment",
        "Takes an empty environment away",
        run!(places::delete_environment),
    ),
    get("/v1/clusters", "listClusters", "Clusters of an environment, oldest first", run!(places::clusters))
        .query(&[ENVIRONMENT, PAGE_SIZE, CURSOR])
        .answers(Kind::Page(&s::CLUSTER)),
    post("/v1/clusters", "createCluster", "Makes a cluster", run!(places::create_cluster))
        .takes(object(&s::NEW_CLUSTER))
        .makes(object(&s::CLUSTER)),
    get("/v1/clusters/{id}", "getCluster", "One cluster", run!(places::cluster)).answers(object(&s::CLUSTER)),
    delete(
        "/v1/clusters/{id}",
        "deleteCluster",
        "Takes a cluster away that no connector reads from",
        run!(places::delete_cluster),
    ),
    // connectors
    get("/v1/connectors", "listConnectors", "Connectors of a cluster, by name", run!(connectors::list))
        .query(&[CLUSTER, PAGE_SIZE, CURSOR])
        .answers(Kind::Page(&s::CONNECTOR)),
    post("/v1/connectors", "createConnector", "Makes a connector and starts it", run!(connectors::create))
        .takes(object(&s::NEW_CONNECTOR))
        .makes(object(&s::CONNECTOR)),
    post(
        "/v1/connectors:validate",
        "validateConnector",
        "Finds everything that is wrong with a configuration; keeps nothing",
        run!(connectors::validate),
    )
    .query(&[CLUSTER])
    .takes(Kind::Config)
    .answers(object(&s::VALIDATION)),
    get("/v1/connectors/{name}", "getConnector", "One connector", run!(connectors::show))
        .query(&[CLUSTER])
        .answers(object(&s::CONNECTOR)),
    delete(
        "/v1/connectors/{name}",
        "deleteConnector",
        "Takes a connector away; its group keeps its offsets",
        run!(connectors::delete),
    )
    .query(&[CLUSTER])
    .conditional(),
    put(
        "/v1/connectors/{name}/config",
        "putConnectorConfig",
        "Replaces a configuration, or makes the connector",
        run!(connectors::put_config),
    )
    .query(&[CLUSTER])
    .takes(Kind::Config)
    .answers(object(&s::CONNECTOR))
    .conditional(),
    patch(
        "/v1/connectors/{name}/config",
        "patchConnectorConfig",
        "Changes some keys of a configuration; null takes one out",
        run!(connectors::patch_config),
    )
    .query(&[CLUSTER])
    .takes(Kind::Patch)
    .answers(object(&s::CONNECTOR))
    .conditional(),
    get(
        "/v1/connectors/{name}/status",
        "getConnectorStatus",
        "What it does, why it failed, rates and lag",
        run!(connectors::status),
    )
    .query(&[CLUSTER])
    .answers(object(&s::CONNECTOR_STATUS)),
    post("/v1/connectors/{name}:pause", "pauseConnector", "Has it hold still", run!(connectors::pause))
        .query(&[CLUSTER])
        .answers(object(&s::CONNECTOR)),
    post("/v1/connectors/{name}:resume", "resumeConnector", "Has it go on", run!(connectors::resume))
        .query(&[CLUSTER])
        .answers(object(&s::CONNECTOR)),
    post(
        "/v1/connectors/{name}:stop",
        "stopConnector",
        "Stops it; its offsets may be changed then",
        run!(connectors::stop),
    )
    .query(&[CLUSTER])
    .answers(object(&s::CONNECTOR)),
    post("/v1/connectors/{name}:restart", "restartConnector", "Starts it anew", run!(connectors::restart))
        .query(&[CLUSTER, INCLUDE_TASKS, ONLY_FAILED])
        .answers(object(&s::CONNECTOR)),
    get("/v1/connectors/{name}/offsets", "getConnectorOffsets", "Where its group is", run!(connectors::offsets))
        .query(&[CLUSTER])
        .answers(object(&s::OFFSETS)),
    patch(
        "/v1/connectors/{name}/offsets",
        "alterConnectorOffsets",
        "Sets offsets of a stopped connector",
        run!(connectors::alter_offsets),
    )
    .query(&[CLUSTER])
    .takes(object(&s::OFFSETS))
    .answers(object(&s::OFFSETS)),
    delete(
        "/v1/connectors/{name}/offsets",
        "resetConnectorOffsets",
        "Takes all offsets of a stopped connector away",
        run!(connectors::reset_offsets),
    )
    .query(&[CLUSTER]),
    get("/v1/connectors/{name}/logs", "getConnectorLogs", "The last lines of its log", run!(connectors::logs))
        .query(&[CLUSTER, SINCE])
        .answers(object(&s::LOGS)),
    get(
        "/v1/connectors/{name}/topics",
        "getConnectorTopics",
        "The topics that it has read from",
        run!(connectors::topics),
    )
    .query(&[CLUSTER])
    .answers(object(&s::TOPICS)),
    delete("/v1/connectors/{name}/topics", "resetConnectorTopics", "Forgets them", run!(connectors::reset_topics))
        .query(&[CLUSTER]),
    // connections
    get("/v1/connections", "listConnections", "Connections of an environment, by name", run!(connections::list))
        .query(&[ENVIRONMENT, PAGE_SIZE, CURSOR])
        .answers(Kind::Page(&s::CONNECTION)),
    post("/v1/connections", "createConnection", "Makes a connection", run!(connections::create))
        .takes(object(&s::NEW_CONNECTION))
        .makes(object(&s::CONNECTION)),
    post(
        "/v1/connections:test",
        "testUnsavedConnection",
        "Examines a connection that is not saved",
        run!(connections::test_unsaved),
    )
    .takes(object(&s::UNSAVED_TEST))
    .answers(object(&s::REPORT)),
    get("/v1/connections/{name}", "getConnection", "One connection", run!(connections::show))
        .query(&[ENVIRONMENT])
        .answers(object(&s::CONNECTION)),
    put(
        "/v1/connections/{name}",
        "putConnection",
        "Replaces a connection, or makes it; the body is its spec",
        run!(connections::put),
    )
    .query(&[ENVIRONMENT])
    .takes(Kind::Open)
    .answers(object(&s::CONNECTION))
    .conditional(),
    delete(
        "/v1/connections/{name}",
        "deleteConnection",
        "Takes a connection away that no connector uses",
        run!(connections::delete),
    )
    .query(&[ENVIRONMENT])
    .conditional(),
    post("/v1/connections/{name}:test", "testConnection", "Examines a connection", run!(connections::test))
        .query(&[ENVIRONMENT])
        .takes(object(&s::TEST))
        .or_nothing()
        .answers(object(&s::REPORT)),
    // integrations
    get(
        "/v1/integrations",
        "listIntegrations",
        "Integrations of an environment, oldest first",
        run!(integrations::list),
    )
    .query(&[ENVIRONMENT, PAGE_SIZE, CURSOR])
    .answers(Kind::Page(&s::INTEGRATION)),
    post(
        "/v1/integrations",
        "createIntegration",
        "Makes an integration: an id and an external ID",
        run!(integrations::create),
    )
    .takes(object(&s::NEW_INTEGRATION))
    .makes(object(&s::INTEGRATION)),
    get("/v1/integrations/{id}", "getIntegration", "One integration", run!(integrations::show))
        .query(&[ENVIRONMENT])
        .answers(object(&s::INTEGRATION)),
    delete(
        "/v1/integrations/{id}",
        "deleteIntegration",
        "Takes an integration away that no connector uses",
        run!(integrations::delete),
    )
    .query(&[ENVIRONMENT]),
    put("/v1/integrations/{id}/role", "setIntegrationRole", "Gives it its role", run!(integrations::set_role))
        .query(&[ENVIRONMENT])
        .takes(object(&s::ROLE))
        .answers(object(&s::INTEGRATION)),
    get(
        "/v1/integrations/{id}/policy",
        "getIntegrationPolicy",
        "The trust policy that the customer's role must have",
        run!(integrations::policy),
    )
    .query(&[ENVIRONMENT, FORMAT, ROLE_NAME])
    .answers(Kind::Plain("text/plain; charset=utf-8")),
    post(
        "/v1/integrations/{id}:verify",
        "verifyIntegration",
        "Tries whether the role lets in Tidegate, and nobody else",
        run!(integrations::verify),
    )
    .query(&[ENVIRONMENT])
    .answers(object(&s::VERIFIED)),
    post(
        "/v1/integrations/{id}:rotate",
        "rotateIntegration",
        "Issues another external ID beside the one in use",
        run!(integrations::rotate),
    )
    .query(&[ENVIRONMENT])
    .answers(object(&s::INTEGRATION)),
    post(
        "/v1/integrations/{id}:finish-rotation",
        "finishIntegrationRotation",
        "Retires the older external ID",
        run!(integrations::finish),
    )
    .query(&[ENVIRONMENT])
    .answers(object(&s::INTEGRATION)),
    // who may do what
    get("/v1/users", "listUsers", "Users, oldest first", run!(accounts::users))
        .query(&[PAGE_SIZE, CURSOR])
        .answers(Kind::Page(&s::USER)),
    post("/v1/users", "createUser", "Lets a person in, who may do nothing yet", run!(accounts::create_user))
        .takes(object(&s::NEW_USER))
        .makes(object(&s::USER)),
    get("/v1/users/{id}", "getUser", "One user", run!(accounts::user)).answers(object(&s::USER)),
    delete("/v1/users/{id}", "deleteUser", "Shuts a person out", run!(accounts::delete_user)),
    put(
        "/v1/users/{id}/password",
        "setPassword",
        "Sets a password; logins of that user end",
        run!(accounts::set_password),
    )
    .takes(object(&s::NEW_PASSWORD))
    .ends(),
    get(
        "/v1/service-accounts",
        "listServiceAccounts",
        "Service accounts, oldest first",
        run!(accounts::service_accounts),
    )
    .query(&[PAGE_SIZE, CURSOR])
    .answers(Kind::Page(&s::SERVICE_ACCOUNT)),
    post(
        "/v1/service-accounts",
        "createServiceAccount",
        "Makes a program's account, which may do nothing yet",
        run!(accounts::create_service_account),
    )
    .takes(object(&s::NEW_SERVICE_ACCOUNT))
    .makes(object(&s::SERVICE_ACCOUNT)),
    get("/v1/service-accounts/{id}", "getServiceAccount", "One service account", run!(accounts::service_account))
        .answers(object(&s::SERVICE_ACCOUNT)),
    delete(
        "/v1/service-accounts/{id}",
        "deleteServiceAccount",
        "Takes one away with its keys and roles",
        run!(accounts::delete_service_account),
    ),
    get("/v1/keys", "listKeys", "API keys that the caller may see, oldest first", run!(keys::list))
        .query(&[PAGE_SIZE, CURSOR])
        .answers(Kind::Page(&s::KEY)),
    post("/v1/keys", "createKey", "Makes an API key; its secret is shown this once", run!(keys::create))
        .takes(object(&s::NEW_KEY))
        .makes(object(&s::ISSUED_KEY))
        .shows_secret(),
    get("/v1/keys/{id}", "getKey", "One API key", run!(keys::show)).answers(object(&s::KEY)),
    delete("/v1/keys/{id}", "deleteKey", "Takes an API key away", run!(keys::delete)),
    get("/v1/role-bindings", "listRoleBindings", "Roles that were given", run!(keys::role_bindings))
        .query(&[CRN, PAGE_SIZE, CURSOR])
        .answers(Kind::Page(&s::ROLE_BINDING)),
    post("/v1/role-bindings", "createRoleBinding", "Gives a role", run!(keys::create_role_binding))
        .takes(object(&s::NEW_ROLE_BINDING))
        .makes(object(&s::ROLE_BINDING)),
    get("/v1/role-bindings/{id}", "getRoleBinding", "One role that was given", run!(keys::role_binding))
        .answers(object(&s::ROLE_BINDING)),
    delete("/v1/role-bindings/{id}", "deleteRoleBinding", "Takes a role away", run!(keys::delete_role_binding)),
    // what happens
    get("/v1/sessions", "listSessions", "Sessions in the cache, never what they consist of", run!(sessions::list))
        .query(&[PAGE_SIZE, CURSOR])
        .answers(Kind::Page(&s::SESSION)),
    get("/v1/audit", "listAudit", "The audit log, newest first", run!(audit::list))
        .query(&[SINCE, UNTIL, PRINCIPAL, ACTION, RESOURCE, PAGE_SIZE, CURSOR])
        .answers(Kind::Page(&s::AUDIT_ENTRY)),
    get("/v1/events", "streamEvents", "Changes of connectors' status as server-sent events", run!(events::stream))
        .query(&[CLUSTER])
        .answers(Kind::Plain("text/event-stream")),
];
