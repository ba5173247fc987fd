// Package store stores the trail in the tables of a database, and reads it.
//
// [Migrate] creates the tables, on PostgreSQL and on SQLite: audit_logs with one
// row for each entry, audit_outcomes with how an action ended, if it was
// recorded before its work or did not succeed, and execution_logs with the lines
// logged meanwhile. Their columns are public; query them as you like.
//
// The package promises:
//
//   - What was written stays: UPDATE, DELETE and TRUNCATE on audit_logs and
//     audit_outcomes, and on each of their partitions, fail in the database
//     itself, for every role. That stops mistakes. Against deliberate tampering,
//     use the roles of docs/roles.md.
//   - An entry is written once: the first one with an id wins.
//   - Seq is assigned by the database as a row is written, so that the entries
//     of one entity are in the order in which its changes took effect.
//   - Values are returned as they were written: numbers of any size, times to
//     the microsecond, in UTC.
//   - A page costs the same at any depth and any size of the trail: reading is
//     by key, nothing is counted and nothing skipped over.
//
// On PostgreSQL the tables are partitioned by month. [Migrate] and
// [MakePartitions] create partitions in advance; rows of a month without one
// go to a default partition.
//
// On SQLite no trigger can catch INSERT OR REPLACE of an existing entry at an
// acceptable cost. It is refused on connections with PRAGMA recursive_triggers
// = 1, which the package therefore recommends, and accepted without it. Seq is
// the key of the row.
//
// A [Store] is a [github.com/infrakitchen/audit/trail.Recorder].
//
// # Columns
//
// The types are PostgreSQL's. SQLite has text for uuid, text and jsonb, and
// datetime, which is text too, for timestamptz. A column may be null where it
// says so.
//
// audit_logs, one row for each entry:
//
//	id            uuid         version 7; of the action's own entry it is the trace_id
//	trace_id      uuid         the action that the entry belongs to
//	created_at    timestamptz  the instant in the id, to the microsecond
//	seq           bigint       the order in which changes took effect
//	tenant_id     text, null   whose data it is, in services with tenants
//	user_id       text         who did it
//	user_name     text         what they were called at that moment
//	user_kind     text         user, service, system or anonymous
//	on_behalf_of  text, null   the id of the person impersonated
//	event         text         the verb: create, approve, ...
//	operation     text, null   what the database did to the row: insert, update or delete; null if no row changed
//	model         text         of the entity, singular in snake case; empty if the action names none
//	entity_id     text         the key of the row; empty if it is not known, as of a create that failed
//	entity_name   text, null   what people call the entity
//	before        jsonb, null  the row before the change, by column
//	after         jsonb, null  the row after it
//	outcome       text         success, failure, denied or pending, as known when the entry was written
//	context       jsonb, null  of an action's own entry its circumstances; of a summary the statement
//
// An insert has the whole row in after, a delete the whole row in before, an
// update the columns that changed in both. A soft delete has the event delete
// and the operation update.
//
// The context of an action's own entry has those of request_id, method, route,
// ip, user_agent, status, w3c_trace_id, w3c_span_id, parent_trace_id and reason
// that are known. A summary stands for the rows of raw SQL, or of a statement
// above gormhook.Plugin.MaxRows: its context has sql, table and rows.
//
// audit_outcomes, at most one row for each action. An action ended as its row
// says, and without one as its own entry says:
//
//	trace_id     uuid           the action
//	finished_at  timestamptz    when it ended
//	outcome      text           success, failure or denied
//	status       integer, null  of the HTTP response
//	error        text, null     what went wrong
//	duration_ms  bigint         from the start of the action
//
// execution_logs, one row for each stamped line:
//
//	id          uuid               version 7
//	trace_id    uuid               the action that the line was logged in
//	created_at  timestamptz        when it was logged
//	level       text               in lower case: debug, info, warn, error, ...
//	logger      text, null         the name of the logger
//	message     text
//	fields      jsonb, null
//	caller      text, null         file:line
//	seq         bigint             its position among the lines of its trace
//	expire_at   timestamptz, null  when it may be deleted; null: never
//
// Sort the entries of a trace or of an entity by seq, not by created_at. The
// created_at of an action's own entry is when the action started, which may be
// long before its change; rows changed by one statement share an instant, those
// of its cascades included; and several machines have several clocks.
//
// # Values
//
// A value in before and after has one spelling, on either engine and however it
// was written:
//
//	numbers         JSON numbers, with all digits that the database has: no float is in between
//	no numbers      "NaN", "Infinity", "-Infinity", as text
//	booleans        true and false
//	times           "2026-11-26T08:51:21.149898Z": RFC 3339 in UTC, always six decimals
//	bytes           "\\x00ff": hexadecimal after \x, as JSON text
//	JSON columns    JSON, not text that contains it
//	arrays          JSON arrays
//	uuids           lower-case text
//	masked values   "***", or null if the value is null
//	all else        the database's own text
//
// A key of several columns is one entity_id: the parts in key order, joined by a
// comma, with \ and comma escaped by \ (see trail.JoinKey). A part that is
// masked is replaced by its SHA-256.
package store
