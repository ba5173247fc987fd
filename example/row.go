package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/infrakitchen/audit/trail"
)

// Row is what the rows of all tables have in common, and what they do unless
// they do better.
type Row struct {
	ID        uint64    `gorm:"primaryKey" json:"id"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

func (Row) mayChange() error { return nil }
func (Row) mayDelete() error { return nil }

// entity is a row of one of the tables, as a pointer.
type entity[T any] interface {
	*T
	kind() string            // what it is called in messages
	begin(user string)       // sets what a new row begins with
	spec() any               // points to what requests may write
	check(tx *gorm.DB) error // whether what was written makes sense
	mayChange() error
	mayDelete() error
}

// locked loads the row under its lock, lets f decide and write, and returns
// the row as f leaves it. An error of f undoes what it wrote. Between what f
// sees and what it writes nobody else writes to the row, so that no two
// requests take the same step.
func locked[T any, P entity[T]](ctx context.Context, db *gorm.DB, id uint64, f func(tx *gorm.DB, row P) error) (P, error) {
	row := P(new(T))
	err := db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		err := tx.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate}).First(row, id).Error
		if err != nil {
			return found(row.kind(), id, err)
		}
		return f(tx, row)
	})
	return row, err
}

// found says what it means that a row could not be loaded.
func found(kind string, id uint64, err error) error {
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return missing("there is no %s %d", kind, id)
	}
	return err
}

// refers checks that the row that another one is to refer to exists, and
// returns it. Without a reference it returns nil.
func refers[T any, P entity[T]](tx *gorm.DB, id *uint64) (P, error) {
	if id == nil {
		return nil, nil
	}
	row := P(new(T))
	err := gorm.ErrRecordNotFound
	if *id <= math.MaxInt64 { // more does not fit into a key
		err = tx.First(row, *id).Error
	}
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, invalid("there is no %s %d to refer to", row.kind(), *id)
	}
	return row, err
}

var nameForm = regexp.MustCompile(`^[\pL\pN][\pL\pN ._-]{0,62}$`)

func checkName(field, name string) error {
	if !nameForm.MatchString(name) {
		return invalid("%s: 1 to 63 letters, digits, spaces, dots, dashes and underscores are expected", field)
	}
	return nil
}

// checkText refuses what is too long, or not fit to be shown.
func checkText(field, text string, limit int) error {
	if trail.Printable(text, limit) != text {
		return invalid("%s: at most %d characters that can be shown are expected", field, limit)
	}
	return nil
}

// Secret is text that is written, and never shown again: in JSON it is
// asterisks, which a client may send back to leave it as it is.
type Secret string

const hidden = "***"

var (
	_ json.Marshaler   = Secret("")
	_ json.Unmarshaler = (*Secret)(nil)
)

// MarshalJSON implements [json.Marshaler].
func (s Secret) MarshalJSON() ([]byte, error) {
	if s == "" {
		return []byte(`""`), nil
	}
	return []byte(`"` + hidden + `"`), nil
}

// UnmarshalJSON implements [json.Unmarshaler].
func (s *Secret) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return fmt.Errorf("a secret is text: %w", err)
	}
	if text != hidden {
		*s = Secret(text)
	}
	return nil
}
