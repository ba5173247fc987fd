// Package testdb gives every test its own database.
//
// A database is empty when a test gets it, is not shared with other tests, and is
// gone when the test ends. [Each] runs a test once on SQLite and once on
// PostgreSQL; the other functions are for tests of one engine.
//
// SQLite databases are files in the test's temporary folder. PostgreSQL
// databases are created on the server whose URL is in the environment variable
// AUDIT_TEST_POSTGRES, by a role that may create databases. Without that
// variable a test that asks for PostgreSQL fails: an untested engine must not
// look tested. internal/withpostgres starts a server and sets it.
//
// The package is for tests alone; it imports testing, which must not reach a
// user's binary.
package testdb
