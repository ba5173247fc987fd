package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/infrakitchen/audit/trail"
)

var _ trail.LineWriter = (*Store)(nil)

// lineColumns are the columns of execution_logs.
const lineColumns = `id, trace_id, created_at, level, logger, message, fields, caller, seq, expire_at`

// lineWidth is their number.
const lineWidth = 10

// sqliteLines is how many lines one statement of SQLite takes.
const sqliteLines = 64

// WriteLines implements [trail.LineWriter], outside any transaction of the
// caller: by COPY on PostgreSQL through pgx, by multi-row inserts elsewhere. A
// line without an ExpireAt gets one by the rules of [WithRetention]. Callers of
// [Store.Follow] are notified.
//
// A line needs an ID, a TraceID, a CreatedAt and a level; text must be valid
// UTF-8 without NUL, Fields a JSON object of such text. Otherwise the error wraps
// [trail.ErrLine] and [ErrInvalid], and nothing is written.
//
// A CreatedAt outside the years 1 to 9999 is replaced by the time of writing, an
// ExpireAt by the nearest time within them: a line of a clock gone wrong is
// kept.
func (s *Store) WriteLines(ctx context.Context, lines []trail.Line) error {
	if len(lines) == 0 {
		return nil
	}
	if err := checkLines(lines, s.db.Name() != postgres); err != nil {
		return err
	}
	lines, err := s.expire(ctx, dated(lines, time.Now()))
	if err != nil {
		return explain("finding out when lines expire", err)
	}
	if s.db.Name() == postgres {
		err = s.copyLines(ctx, lines)
		if errors.Is(err, errNoCopy) || state(err) == uniqueViolation { // another driver, or written before
			err = s.insertLines(ctx, lines)
		}
	} else {
		err = s.insertLines(ctx, lines)
	}
	if unkeepable(err) {
		if invalid := checkLines(lines, true); invalid != nil {
			return invalid
		}
		err = fmt.Errorf("%w: %w", trail.ErrLine, err)
	}
	if err != nil {
		return explain("writing lines", err)
	}
	s.followers.tell(traces(lines)...)
	return nil
}

// dated returns lines with times that can be stored.
func dated(lines []Line, now time.Time) []Line {
	own := lines // the caller's, until there is something to change
	for i := range lines {
		l := &lines[i]
		if inRange(l.CreatedAt) && (l.ExpireAt == nil || inRange(*l.ExpireAt)) {
			continue
		}
		if &own[0] == &lines[0] {
			own = slices.Clone(lines)
		}
		if !inRange(l.CreatedAt) {
			own[i].CreatedAt = now
		}
		if l.ExpireAt != nil {
			at := nearest(*l.ExpireAt)
			own[i].ExpireAt = &at
		}
	}
	return own
}

// checkLines refuses lines that cannot be stored. Parsing all JSON is expensive,
// and PostgreSQL does it anyway: there it is only done to explain a refusal.
func checkLines(lines []Line, parse bool) error {
	for i := range lines {
		l := &lines[i]
		err := checkLine(l)
		if err == nil && parse {
			err = checkObject("Fields", l.Fields)
		}
		if err != nil {
			return fmt.Errorf("%w: %w line %s: %w", trail.ErrLine, ErrInvalid, l.ID, err)
		}
	}
	return nil
}

func checkLine(l *Line) error {
	switch {
	case l.ID == uuid.Nil:
		return errors.New("the ID is missing")
	case l.TraceID == uuid.Nil:
		return errors.New("the TraceID is missing")
	case l.CreatedAt.IsZero():
		return errors.New("the CreatedAt is missing")
	case l.Level == "":
		return errors.New("the Level is missing")
	}
	for _, f := range [...]struct{ name, text string }{
		{"Level", l.Level}, {"Logger", l.Logger}, {"Message", l.Message}, {"Caller", l.Caller},
	} {
		if err := checkText(f.name, f.text); err != nil {
			return err
		}
	}
	switch {
	case l.Fields == nil:
		return nil
	case !looksLikeObject(l.Fields):
		return errors.New("the Fields are not a JSON object")
	case bytes.IndexByte(l.Fields, 0) >= 0 || !utf8.Valid(l.Fields):
		return errors.New("the Fields are not valid UTF-8 without NUL")
	default:
		return nil
	}
}

// insertPostgres takes any number of lines as one array per column.
const insertPostgres = `INSERT INTO execution_logs (` + lineColumns + `)
SELECT id::uuid, trace_id::uuid, created_at::timestamptz, level, nullif(logger, ''), message,
  nullif(fields, '')::jsonb, nullif(caller, ''), seq::bigint, nullif(expire_at, '')::timestamptz
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
  $9::text[], $10::text[]) AS line (` + lineColumns + `)
ON CONFLICT (id) DO NOTHING`

// insertLines writes lines in one transaction, except those that exist.
func (s *Store) insertLines(ctx context.Context, lines []Line) error {
	return s.write(ctx).Transaction(func(tx *gorm.DB) error {
		if tx.Name() == postgres {
			if err := tx.Exec(insertPostgres, lineArrays(lines)...).Error; err != nil {
				return err
			}
			return tx.Exec(announcing, traces(lines)).Error
		}
		for len(lines) > 0 {
			n := min(len(lines), sqliteLines)
			if err := tx.Exec(insertSQLite(n), lineArguments(lines[:n])...).Error; err != nil {
				return err
			}
			lines = lines[n:]
		}
		return nil
	})
}

func insertSQLite(n int) string {
	const row = `(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	return `INSERT INTO execution_logs (` + lineColumns + `) VALUES ` + row + strings.Repeat(`, `+row, n-1) +
		` ON CONFLICT (id) DO NOTHING`
}

func lineArguments(lines []Line) []any {
	args := make([]any, 0, len(lines)*lineWidth)
	for i := range lines {
		l := &lines[i]
		args = append(args, l.ID.String(), l.TraceID.String(), stamp(l.CreatedAt), l.Level, null(l.Logger), l.Message,
			null(string(l.Fields)), null(l.Caller), l.Seq, null(expiry(l)))
	}
	return args
}

func lineArrays(lines []Line) []any {
	columns := make([][]string, lineWidth)
	for i := range lines {
		l := &lines[i]
		for c, cell := range [...]string{
			l.ID.String(), l.TraceID.String(), stamp(l.CreatedAt), l.Level, l.Logger, l.Message,
			string(l.Fields), l.Caller, fmt.Sprint(l.Seq), expiry(l),
		} {
			columns[c] = append(columns[c], cell)
		}
	}
	args := make([]any, len(columns))
	for c := range columns {
		args[c] = columns[c]
	}
	return args
}

func expiry(l *Line) string {
	if l.ExpireAt == nil {
		return ""
	}
	return stamp(*l.ExpireAt)
}

// unkeepable reports whether the database refused a value, and will again: data
// exceptions, constraints added by the user, limits of the server.
func unkeepable(err error) bool {
	if err == nil {
		return false
	}
	for _, translated := range []error{gorm.ErrCheckConstraintViolated, gorm.ErrDuplicatedKey, gorm.ErrForeignKeyViolated} {
		if errors.Is(err, translated) {
			return true
		}
	}
	switch code := state(err); {
	case strings.HasPrefix(code, "22"), strings.HasPrefix(code, "23"), strings.HasPrefix(code, "54"):
		return true
	case code != "":
		return false
	}
	switch sqliteCode(err) {
	case sqliteTooBig, sqliteConstraint, sqliteMismatch:
		return true
	default:
		return false
	}
}

// scanLine reads the columns of lineColumns.
func scanLine(rows *sql.Rows) (Line, error) {
	var l Line
	var logger, fields, caller sql.NullString
	var created, expire instant
	err := rows.Scan(&l.ID, &l.TraceID, &created, &l.Level, &logger, &l.Message, &fields, &caller, &l.Seq, &expire)
	if err != nil {
		return l, err
	}
	l.CreatedAt, l.Logger, l.Fields, l.Caller = created.orOf(l.ID), logger.String, raw(fields), caller.String
	if !expire.IsZero() {
		l.ExpireAt = &expire.Time
	}
	return l, nil
}
