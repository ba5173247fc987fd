-- +goose Up

-- One row for each action, and for each row of a table that changed during it.
-- Indexed text is compared byte by byte: that costs less than a language's
-- order, and the indexes stay valid if the system's idea of that order changes.
CREATE SEQUENCE audit_logs_seq AS bigint CACHE 1;

CREATE TABLE audit_logs (
    id           uuid        NOT NULL,
    trace_id     uuid        NOT NULL,
    created_at   timestamptz NOT NULL,
    seq          bigint      NOT NULL DEFAULT nextval('audit_logs_seq'),
    tenant_id    text,
    user_id      text        COLLATE "C" NOT NULL,
    user_name    text        NOT NULL,
    user_kind    text        NOT NULL,
    on_behalf_of text,
    event        text        COLLATE "C" NOT NULL,
    operation    text,
    model        text        COLLATE "C" NOT NULL,
    entity_id    text        COLLATE "C" NOT NULL,
    entity_name  text,
    "before"     jsonb,
    "after"      jsonb,
    outcome      text        COLLATE "C" NOT NULL,
    context      jsonb,
    PRIMARY KEY (id) WITH (fillfactor = 100)
) PARTITION BY RANGE (id);

ALTER SEQUENCE audit_logs_seq OWNED BY audit_logs.seq;

-- Rows are never changed and come in the order of their ids, so that indexes
-- which end in the id need no spare room.
CREATE INDEX audit_logs_entity ON audit_logs (model, entity_id, id);
CREATE INDEX audit_logs_user ON audit_logs (user_id, id) WITH (fillfactor = 100);
CREATE INDEX audit_logs_event ON audit_logs (event, id) WITH (fillfactor = 100);
-- The own entry of a trace is found by the primary key, so that an action of
-- one row pays for no entry here. The others are read in their order.
CREATE INDEX audit_logs_trace ON audit_logs (trace_id, seq) WHERE trace_id <> id;
-- Few actions do not succeed. Those that do pay for no entry here.
CREATE INDEX audit_logs_outcome ON audit_logs (outcome, id) WITH (fillfactor = 100) WHERE outcome <> 'success';

-- How an action ended that was recorded before its work, failed or was denied.
CREATE TABLE audit_outcomes (
    trace_id    uuid        NOT NULL,
    finished_at timestamptz NOT NULL,
    outcome     text        COLLATE "C" NOT NULL,
    status      integer,
    error       text,
    duration_ms bigint      NOT NULL,
    PRIMARY KEY (trace_id)
) PARTITION BY RANGE (trace_id);

CREATE INDEX audit_outcomes_outcome ON audit_outcomes (outcome, trace_id) WHERE outcome <> 'success';

-- What was logged during a trace. Not append-only: lines expire.
CREATE TABLE execution_logs (
    id         uuid        NOT NULL,
    trace_id   uuid        NOT NULL,
    created_at timestamptz NOT NULL,
    level      text        NOT NULL,
    logger     text,
    message    text        NOT NULL,
    fields     jsonb,
    caller     text,
    seq        bigint      NOT NULL,
    expire_at  timestamptz,
    PRIMARY KEY (id) WITH (fillfactor = 100)
) PARTITION BY RANGE (id);

CREATE INDEX execution_logs_trace ON execution_logs (trace_id, seq);
CREATE INDEX execution_logs_expiry ON execution_logs (expire_at) WHERE expire_at IS NOT NULL;

-- Rows of a month without a partition go here.
CREATE TABLE audit_logs_default PARTITION OF audit_logs DEFAULT;
CREATE TABLE audit_outcomes_default PARTITION OF audit_outcomes DEFAULT;
CREATE TABLE execution_logs_default PARTITION OF execution_logs DEFAULT;

-- +goose StatementBegin
CREATE FUNCTION audit_refuse_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation';
END
$$;
-- +goose StatementEnd

-- A row trigger of the parent is cloned to every partition, a statement
-- trigger is not: each partition is given its own, which alone stops TRUNCATE.
CREATE TRIGGER audit_append_only_row BEFORE UPDATE OR DELETE ON audit_logs
    FOR EACH ROW EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER audit_append_only_row BEFORE UPDATE OR DELETE ON audit_outcomes
    FOR EACH ROW EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_logs
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_outcomes
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_logs_default
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_outcomes_default
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();

-- Makes the partitions of this month and of months_ahead more, at most 24,
-- if they do not exist. A month that has rows in the default partition already
-- is skipped, and so is one whose lock cannot be had in time:
-- neither loses a row. It runs as the owner of the tables, so that a role that
-- may only INSERT and SELECT can call it.
-- +goose StatementBegin
CREATE FUNCTION audit_make_partitions(months_ahead integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET lock_timeout = '2s' AS $$
DECLARE
    home   name := current_schema();
    first  timestamp := date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC');
    month  timestamp;
    parent text;
    child  text;
    key    text;
    since  uuid;
    until  uuid;
    locked boolean := false;
    taken  boolean;
BEGIN
    FOR ahead IN 0 .. least(greatest(coalesce(months_ahead, 0), 0), 24) LOOP
        month := first + make_interval(months => ahead);
        -- A version 7 uuid begins with 48 bits of milliseconds.
        since := rpad(lpad(to_hex((extract(epoch FROM month) * 1000)::bigint), 12, '0'), 32, '0');
        until := rpad(lpad(to_hex((extract(epoch FROM month + interval '1 month') * 1000)::bigint), 12, '0'), 32, '0');
        FOREACH parent IN ARRAY ARRAY['audit_logs', 'audit_outcomes', 'execution_logs'] LOOP
            child := parent || to_char(month, '"_y"YYYY"m"MM');
            CONTINUE WHEN EXISTS (
                SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE n.nspname = home AND c.relname = child);
            IF NOT locked THEN
                BEGIN
                    PERFORM pg_advisory_xact_lock(hashtextextended('audit_make_partitions.' || home, 0));
                EXCEPTION
                    WHEN lock_not_available THEN RETURN; -- somebody else is at it
                END;
                locked := true;
            END IF;
            key := CASE parent WHEN 'audit_outcomes' THEN 'trace_id' ELSE 'id' END;
            BEGIN
                EXECUTE format('SELECT EXISTS (SELECT FROM %I.%I WHERE %I >= $1 AND %I < $2)',
                    home, parent || '_default', key, key) INTO taken USING since, until;
                CONTINUE WHEN taken;
                EXECUTE format('CREATE TABLE %I.%I (LIKE %I.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)',
                    home, child, home, parent);
                IF parent <> 'execution_logs' THEN
                    EXECUTE format('CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %I.%I '
                        'FOR EACH STATEMENT EXECUTE FUNCTION %I.audit_refuse_change()', home, child, home);
                END IF;
                -- Attaching, unlike creating in place, lets others write to the parent meanwhile.
                EXECUTE format('ALTER TABLE %I.%I ATTACH PARTITION %I.%I FOR VALUES FROM (%L) TO (%L)',
                    home, parent, home, child, since, until);
            EXCEPTION
                WHEN duplicate_table OR check_violation OR lock_not_available THEN
                    NULL; -- the default partition takes the month's rows
            END;
        END LOOP;
    END LOOP;
END
$$;
-- +goose StatementEnd

-- Pinned to the schema the tables are in, whatever the caller's path is.
-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION audit_make_partitions(integer) SET search_path = %I, pg_temp', current_schema());
END
$$;
-- +goose StatementEnd

GRANT EXECUTE ON FUNCTION audit_make_partitions(integer) TO PUBLIC;

-- +goose Down

-- A trail is not taken back, and its version is not forgotten.
-- +goose StatementBegin
DO $$
BEGIN
    RAISE EXCEPTION 'the trail is kept: whoever owns its tables can drop them';
END
$$;
-- +goose StatementEnd
