// Package gormhook turns every row that GORM changes into an entry of the
// audit trail, in the transaction of the change.
//
// [Plugin] wraps the callbacks that write (gorm:create, gorm:update,
// gorm:delete, and those of raw SQL) and stands between them and the
// connection. GORM builds its statement as ever; what reaches the database is
// that statement with the capture in it. So whatever GORM adds on the way (the
// key, the condition of a soft delete, a clause of another plugin) is in, a dry
// run captures nothing, and logs show the caller's own SQL.
//
// # One statement on PostgreSQL
//
// The change becomes part of a statement with data-modifying CTEs that locks
// the rows, changes them and inserts the entries: no round trip is added and
// no row comes to the client. Where the statement is all that GORM's implicit
// transaction would hold, BEGIN and COMMIT are left out, because one statement
// is a transaction of its own; see [Plugin].KeepTransaction.
//
// # Elsewhere
//
// The portable path reads the rows under their lock, changes them with
// RETURNING, and inserts the entries, all in one transaction. It is what
// SQLite uses, and PostgreSQL for tables without a usable key, views,
// statements that cannot be read, and those from which foreign keys go on to
// other rows (ON DELETE CASCADE and its like), which are read as well.
//
// Both paths write the same entries, in the spelling that package store
// documents.
package gormhook
