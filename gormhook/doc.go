// Package gormhook turns every row that GORM changes into an entry of the
// audit trail, in the transaction of the change.
//
// [Plugin] wraps the callbacks that write (gorm:create, gorm:update,
// gorm:delete, and those of raw SQL) and sits between them and the connection.
// GORM builds its statement as usual; what reaches the database is that
// statement with the capture in it. So whatever GORM adds on the way (the key,
// the condition of a soft delete, a clause of another plugin) is included, a dry
// run captures nothing, and logs show the caller's own SQL.
//
// # One statement on PostgreSQL
//
// The change becomes part of a statement with data-modifying CTEs that locks
// the rows, changes them and inserts the entries: no round trip is added and
// no rows travel to the client. If GORM's implicit transaction would hold
// nothing else, BEGIN and COMMIT are skipped, because one statement is its own
// transaction; see [Plugin].KeepTransaction.
//
// # Elsewhere
//
// The portable path reads the rows under lock, changes them with RETURNING, and
// inserts the entries, all in one transaction. SQLite uses it, and so does
// PostgreSQL for tables without a usable key, views, statements that cannot be
// parsed, and those whose foreign keys change other rows (ON DELETE CASCADE and
// similar), which are read as well.
//
// Both paths write the same entries, with values in the spelling that package
// store documents under "Values".
package gormhook
