package gormhook_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"gorm.io/gorm/schema"
)

// Specimen has values of the types that both engines keep.
type Specimen struct {
	ID       int64
	Big      int64
	Unsigned uint64
	Small    int8
	Single   float32
	Double   float64
	Flag     bool
	Text     string
	Bytes    []byte
	Moment   time.Time
	Maybe    *time.Time
	Void     sql.NullString
	Number   sql.NullInt64
	Half     sql.NullFloat64
	Decimal  string    `gorm:"type:decimal(40,12);default:0"`
	Doc      *string   `gorm:"type:json"`
	UUID     *string   `gorm:"type:uuid"`
	Day      time.Time `gorm:"type:date"`
}

// Parchment has fields that are not what their columns are.
type Parchment struct {
	ID     int64
	Tree   map[string]any `gorm:"serializer:json"`
	Unix   int64          `gorm:"serializer:unixtime;type:timestamp with time zone"`
	Gob    []string       `gorm:"serializer:gob;type:bytes"`
	Shout  string         `gorm:"serializer:shout"`
	Amount Money
	Labels Labels `gorm:"type:text"`
	Stamp  int64  `gorm:"autoUpdateTime:milli"`
}

// Money is kept as a number of its own spelling.
type Money struct{ Cents int64 }

func (Money) GormDataType() string { return "decimal(20,2)" }

func (m Money) Value() (driver.Value, error) {
	return fmt.Sprintf("%d.%02d", m.Cents/100, m.Cents%100), nil
}

func (m *Money) Scan(v any) error {
	switch v := v.(type) {
	case string:
		_, err := fmt.Sscanf(strings.Replace(v, ".", "", 1), "%d", &m.Cents)
		return err
	case float64:
		m.Cents = int64(v*100 + 0.5)
	case int64:
		m.Cents = v * 100
	default:
		return fmt.Errorf("%T is no money", v)
	}
	return nil
}

// Labels are kept joined.
type Labels []string

func (l Labels) Value() (driver.Value, error) { return strings.Join(l, "|"), nil }

func (l *Labels) Scan(v any) error {
	s, ok := v.(string)
	if !ok {
		return errors.New("text expected")
	}
	*l = strings.Split(s, "|")
	return nil
}

// shout keeps text in upper case.
type shout struct{}

func (shout) Scan(ctx context.Context, field *schema.Field, dst reflect.Value, value any) error {
	return field.Set(ctx, dst, strings.ToLower(fmt.Sprint(value)))
}

func (shout) Value(_ context.Context, _ *schema.Field, _ reflect.Value, value any) (any, error) {
	return strings.ToUpper(fmt.Sprint(value)), nil
}

// Exhibit has values of types that PostgreSQL alone has. They are written as
// text, which it reads itself.
type Exhibit struct {
	ID       int64
	Texts    *string `gorm:"type:text[]"`
	Ints     *string `gorm:"type:bigint[]"`
	Times    *string `gorm:"type:timestamptz[]"`
	Stamps   *string `gorm:"type:timestamp[]"`
	Blobs    *string `gorm:"type:bytea[]"`
	Grid     *string `gorm:"type:integer[][]"`
	Docs     *string `gorm:"type:jsonb[]"`
	Binary   *string `gorm:"type:jsonb"`
	Plain    *string `gorm:"type:json"`
	Numeric  *string `gorm:"type:numeric"`
	Real     *string `gorm:"type:real"`
	Double   *string `gorm:"type:double precision"`
	Day      *string `gorm:"type:date"`
	Clock    *string `gorm:"type:time(6)"`
	Zoned    *string `gorm:"type:timetz"`
	Stamp    *string `gorm:"type:timestamp"`
	Moment   *string `gorm:"type:timestamptz"`
	Second   *string `gorm:"type:timestamptz(0)"`
	Span     *string `gorm:"type:interval"`
	Net      *string `gorm:"type:inet"`
	Range    *string `gorm:"type:int4range"`
	Bits     *string `gorm:"type:bit varying"`
	Spot     *string `gorm:"type:point"`
	Letters  *string `gorm:"type:char(4)"`
	Mood     *string `gorm:"type:mood"`
	Positive *string `gorm:"type:positive"`
	Instant  *string `gorm:"type:instant"`
	Period   *string `gorm:"type:tstzrange"`
	Pair     *string `gorm:"type:pair"`
	Vector   *string `gorm:"type:tsvector"`
	Markup   *string `gorm:"type:xml"`
}

// exhibitTypes are created before the table.
var exhibitTypes = []string{
	`CREATE TYPE mood AS ENUM ('glad', 'so "so"')`,
	`CREATE DOMAIN positive AS numeric CHECK (VALUE > 0)`,
	`CREATE DOMAIN instant AS timestamptz`,
	`CREATE TYPE pair AS (a integer, b text)`,
}
