-- 2: the control plane. Times are milliseconds since 1970 in UTC.
CREATE TABLE settings (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Every id that was ever given out: none comes back as another thing's.
CREATE TABLE given_ids (
    id TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TABLE users (
    id         TEXT    NOT NULL PRIMARY KEY,
    number     INTEGER NOT NULL UNIQUE,
    login      TEXT    NOT NULL UNIQUE, -- the address in lower case
    email      TEXT    NOT NULL,
    full_name  TEXT    NOT NULL,
    password   TEXT    NOT NULL,        -- Argon2id, as a PHC string
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE service_accounts (
    id           TEXT    NOT NULL PRIMARY KEY,
    display_name TEXT    NOT NULL,
    description  TEXT    NOT NULL,
    created_by   TEXT    NOT NULL,      -- a principal: whoever makes one may manage it
    created_at   INTEGER NOT NULL
) STRICT;

CREATE TABLE logins (
    number     INTEGER PRIMARY KEY,
    user       TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    token      BLOB    NOT NULL UNIQUE, -- SHA-256
    refresh    BLOB    NOT NULL UNIQUE, -- SHA-256
    used       BLOB,                    -- SHA-256 of the refresh token before: whoever shows it has stolen it
    expires_at INTEGER NOT NULL,
    ends_at    INTEGER NOT NULL
) STRICT;
CREATE INDEX logins_by_user ON logins (user);
CREATE INDEX logins_by_used ON logins (used);

CREATE TABLE environments (
    id           TEXT    NOT NULL PRIMARY KEY,
    display_name TEXT    NOT NULL,
    is_own       INTEGER NOT NULL,
    revision     INTEGER NOT NULL,
    created_at   INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX one_own ON environments (is_own) WHERE is_own = 1;

CREATE TABLE clusters (
    id           TEXT    NOT NULL PRIMARY KEY,
    environment  TEXT    NOT NULL REFERENCES environments (id),
    display_name TEXT    NOT NULL,
    is_default   INTEGER NOT NULL,
    config       TEXT    NOT NULL,      -- JSON, secrets sealed
    revision     INTEGER NOT NULL,
    created_at   INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX one_default ON clusters (is_default) WHERE is_default = 1;
CREATE INDEX clusters_by_environment ON clusters (environment);

CREATE TABLE api_keys (
    id          TEXT    NOT NULL PRIMARY KEY,
    owner       TEXT    NOT NULL,       -- a principal
    cluster     TEXT    REFERENCES clusters (id) ON DELETE CASCADE,
    description TEXT    NOT NULL,
    secret      BLOB    NOT NULL,       -- SHA-256 of 384 drawn bits
    created_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX api_keys_by_owner ON api_keys (owner);

CREATE TABLE role_bindings (
    id          TEXT    NOT NULL PRIMARY KEY,
    principal   TEXT    NOT NULL,
    role        TEXT    NOT NULL,
    crn_pattern TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    UNIQUE (principal, role, crn_pattern)
) STRICT;

CREATE TABLE connections (
    environment TEXT    NOT NULL REFERENCES environments (id),
    name        TEXT    NOT NULL,
    spec        TEXT    NOT NULL,       -- JSON, secrets sealed
    revision    INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (environment, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE connectors (
    id              TEXT    NOT NULL PRIMARY KEY,
    cluster         TEXT    NOT NULL REFERENCES clusters (id),
    name            TEXT    NOT NULL,
    kind            TEXT    NOT NULL,
    config          TEXT    NOT NULL,   -- JSON, secrets sealed
    config_revision INTEGER NOT NULL,   -- of this, and of what it names
    consumer_group  TEXT    NOT NULL,
    tasks           INTEGER NOT NULL,   -- tasks.max
    has_tasks       INTEGER NOT NULL,   -- whether it shows them
    target          TEXT    NOT NULL,
    revision        INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    UNIQUE (cluster, name),
    UNIQUE (cluster, consumer_group)
) STRICT;

CREATE TABLE connector_configs (
    connector TEXT    NOT NULL REFERENCES connectors (id) ON DELETE CASCADE,
    revision  INTEGER NOT NULL,
    config    TEXT    NOT NULL,
    principal TEXT    NOT NULL,
    at        INTEGER NOT NULL,
    PRIMARY KEY (connector, revision)
) STRICT, WITHOUT ROWID;

-- What of its environment a connector names.
CREATE TABLE connector_uses (
    connector TEXT NOT NULL REFERENCES connectors (id) ON DELETE CASCADE,
    kind      TEXT NOT NULL,            -- integration, connection
    name      TEXT NOT NULL,
    PRIMARY KEY (connector, kind, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX uses_by_name ON connector_uses (kind, name);

CREATE TABLE active_topics (
    connector TEXT NOT NULL REFERENCES connectors (id) ON DELETE CASCADE,
    topic     TEXT NOT NULL,
    PRIMARY KEY (connector, topic)
) STRICT, WITHOUT ROWID;

CREATE TABLE offset_requests (
    connector    TEXT    NOT NULL PRIMARY KEY REFERENCES connectors (id) ON DELETE CASCADE,
    offsets      TEXT,                  -- JSON; null takes all away
    requested_at INTEGER NOT NULL,
    state        TEXT    NOT NULL,      -- pending, applied, failed
    reason       TEXT,
    previous     TEXT    NOT NULL,      -- JSON
    applied_at   INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency (
    principal TEXT    NOT NULL,
    key       TEXT    NOT NULL,
    request   BLOB    NOT NULL,         -- its SHA-256, sealed
    answer    TEXT,                     -- sealed
    at        INTEGER NOT NULL,
    PRIMARY KEY (principal, key)
) STRICT, WITHOUT ROWID;

-- AUTOINCREMENT: a number is never given twice, and none is left out, for a transaction that fails gives its own back.
CREATE TABLE audit (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    at          INTEGER NOT NULL,
    principal   TEXT    NOT NULL,
    action      TEXT    NOT NULL,
    resource    TEXT    NOT NULL,
    environment TEXT,
    before      TEXT,                   -- JSON, secrets masked
    after       TEXT,
    address     TEXT,
    surface     TEXT    NOT NULL,
    request_id  TEXT    NOT NULL,
    result      TEXT    NOT NULL
) STRICT;
CREATE INDEX audit_by_environment ON audit (environment, number);
CREATE INDEX audit_by_time ON audit (at);
CREATE TRIGGER audit_is_not_rewritten BEFORE UPDATE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit log is never rewritten');
END;
