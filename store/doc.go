// Package store stores the trail in the tables of a database, and reads it.
//
// [Migrate] creates the tables, on PostgreSQL and on SQLite: audit_logs with one
// row for each entry, audit_outcomes with the outcomes of actions that were
// recorded before their work, and execution_logs with the lines logged
// meanwhile. Their columns are public; query them as you like.
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
package store
