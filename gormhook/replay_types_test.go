package gormhook_test

import (
	"database/sql/driver"
	"fmt"
	"strconv"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// Types of columns whose values Go has no type for that both engines know.

// replayKey is a uuid on PostgreSQL and a text on SQLite, made by the database.
type replayKey string

// replayDecimal is a decimal of many digits.
type replayDecimal string

// replayDocument is JSON.
type replayDocument string

// replayDay is a day without a time.
type replayDay string

// replayArray is an array in the text of PostgreSQL, and only that on SQLite.
type replayArray string

// replayText is of a type that only PostgreSQL has, in its text.
type replayText string

// Empty ones are null, so that a model is valid as it is made.

func (d replayDecimal) Value() (driver.Value, error)  { return textOrNull(string(d)), nil }
func (d replayDocument) Value() (driver.Value, error) { return textOrNull(string(d)), nil }
func (d replayDay) Value() (driver.Value, error)      { return textOrNull(string(d)), nil }
func (a replayArray) Value() (driver.Value, error)    { return textOrNull(string(a)), nil }
func (v replayText) Value() (driver.Value, error)     { return textOrNull(string(v)), nil }

func textOrNull(s string) driver.Value {
	if s == "" {
		return nil
	}
	return s
}

// Drivers have values of their own for them: SQLite keeps as a number what
// looks like one.

func (d *replayDecimal) Scan(v any) error  { return scanText(d, v) }
func (d *replayDocument) Scan(v any) error { return scanText(d, v) }
func (d *replayDay) Scan(v any) error      { return scanText(d, v) }
func (v *replayText) Scan(from any) error  { return scanText(v, from) }

func scanText[S ~string](s *S, v any) error {
	switch v := v.(type) {
	case nil:
		*s = ""
	case []byte:
		*s = S(v)
	case float64:
		*s = S(strconv.FormatFloat(v, 'f', -1, 64))
	case time.Time:
		*s = S(v.Format("2006-01-02 15:04:05.999999"))
	default:
		*s = S(fmt.Sprint(v))
	}
	return nil
}

func (replayKey) GormDBDataType(db *gorm.DB, _ *schema.Field) string {
	return engineType(db, "uuid DEFAULT gen_random_uuid()", "text NOT NULL DEFAULT (lower(hex(randomblob(16))))")
}

func (replayDecimal) GormDBDataType(db *gorm.DB, _ *schema.Field) string {
	return engineType(db, "numeric", "decimal(40,12)")
}

func (replayDocument) GormDBDataType(db *gorm.DB, _ *schema.Field) string {
	return engineType(db, "jsonb", "json")
}

func (replayDay) GormDBDataType(db *gorm.DB, _ *schema.Field) string {
	return engineType(db, "date", "text")
}

func (replayArray) GormDBDataType(db *gorm.DB, f *schema.Field) string {
	return engineType(db, f.TagSettings["ELEMENTS"]+"[]", "text")
}

func (replayText) GormDBDataType(db *gorm.DB, f *schema.Field) string {
	return engineType(db, f.TagSettings["OF"], "text")
}

func engineType(db *gorm.DB, postgres, sqlite string) string {
	if db.Name() == "postgres" {
		return postgres
	}
	return sqlite
}
