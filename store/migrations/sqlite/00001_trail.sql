-- +goose Up

-- One row for each action, and for each row of a table that changed during it.
-- Columns of times are declared datetime so that drivers return a time.
CREATE TABLE audit_logs (
    id           text     NOT NULL UNIQUE,
    trace_id     text     NOT NULL,
    created_at   datetime NOT NULL,
    seq          integer  PRIMARY KEY,
    tenant_id    text,
    user_id      text     NOT NULL,
    user_name    text     NOT NULL,
    user_kind    text     NOT NULL,
    on_behalf_of text,
    event        text     NOT NULL,
    operation    text,
    model        text     NOT NULL,
    entity_id    text     NOT NULL,
    entity_name  text,
    "before"     text,
    "after"      text,
    outcome      text     NOT NULL,
    context      text
);

-- Each further index would be one more page to write for each row.
CREATE INDEX audit_logs_entity ON audit_logs (model, entity_id, id);
-- The own entry of a trace is found by its id, so that an action of one row
-- pays for no entry here. The others are in the order of seq: it is the key of
-- the row, in which SQLite orders the equal entries of any index.
CREATE INDEX audit_logs_trace ON audit_logs (trace_id) WHERE trace_id <> id;
-- Few actions do not succeed. Those that do pay for no entry here.
CREATE INDEX audit_logs_outcome ON audit_logs (outcome, id) WHERE outcome <> 'success';

-- How an action ended that was recorded before its work, failed or was denied.
CREATE TABLE audit_outcomes (
    trace_id    text     NOT NULL PRIMARY KEY,
    finished_at datetime NOT NULL,
    outcome     text     NOT NULL,
    status      integer,
    error       text,
    duration_ms integer  NOT NULL
);

CREATE INDEX audit_outcomes_outcome ON audit_outcomes (outcome, trace_id) WHERE outcome <> 'success';

-- What was logged during a trace. Not append-only: lines expire.
CREATE TABLE execution_logs (
    id         text     NOT NULL PRIMARY KEY,
    trace_id   text     NOT NULL,
    created_at datetime NOT NULL,
    level      text     NOT NULL,
    logger     text,
    message    text     NOT NULL,
    fields     text,
    caller     text,
    seq        integer  NOT NULL,
    expire_at  datetime
);

CREATE INDEX execution_logs_trace ON execution_logs (trace_id, seq);
CREATE INDEX execution_logs_expiry ON execution_logs (expire_at) WHERE expire_at IS NOT NULL;

-- +goose StatementBegin
CREATE TRIGGER audit_logs_no_update BEFORE UPDATE ON audit_logs
BEGIN
    SELECT RAISE(ABORT, 'audit_logs is append-only: UPDATE is refused');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_logs_no_delete BEFORE DELETE ON audit_logs
BEGIN
    SELECT RAISE(ABORT, 'audit_logs is append-only: DELETE is refused');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_outcomes_no_update BEFORE UPDATE ON audit_outcomes
BEGIN
    SELECT RAISE(ABORT, 'audit_outcomes is append-only: UPDATE is refused');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_outcomes_no_delete BEFORE DELETE ON audit_outcomes
BEGIN
    SELECT RAISE(ABORT, 'audit_outcomes is append-only: DELETE is refused');
END;
-- +goose StatementEnd

-- +goose Down

-- A trail is not taken back, and its version is not forgotten. There is no such
-- column, and SQLite has no other error with a text outside a trigger.
SELECT [the trail is kept: its tables have to be dropped one by one];
