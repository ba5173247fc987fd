// Package store keeps the trail in the tables of a database, and reads it.
//
// [Migrate] makes the tables, on PostgreSQL and on SQLite: audit_logs with one
// row for each entry, audit_outcomes with how actions ended that were recorded
// ahead of their work, and execution_logs with the lines that were logged
// meanwhile. Their columns are public; query them as you like.
//
// What the package promises:
//
//   - What was written stays: UPDATE, DELETE and TRUNCATE on audit_logs and
//     audit_outcomes, and on each of their partitions, fail in the database
//     itself, whoever sends them. That stops mistakes. Against intent, use the
//     roles of docs/roles.md.
//   - An entry is written once: the first one with an id stands.
//   - Seq is drawn by the database as a row is written, so that the entries of
//     one entity are in the order in which its changes took effect.
//   - What goes in comes out: numbers of any size, times to the microsecond,
//     in UTC.
//   - A page costs the same at any depth and any size of the trail: reading is
//     by key, nothing is counted and nothing skipped over.
//
// On PostgreSQL the tables are partitioned by month. [Migrate] and
// [MakePartitions] make partitions ahead of time; rows of a month without one
// are kept in a default partition.
//
// On SQLite there is one thing that no trigger sees at a bearable cost: INSERT
// OR REPLACE of an entry that exists. It is refused on connections with PRAGMA
// recursive_triggers = 1, which the package therefore advises, and is not
// without it. Seq is the key of the row.
//
// A [Store] is a [github.com/infrakitchen/audit/trail.Recorder].
package store
