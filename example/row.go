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

// Row is what the rows of all tables have in common, with default methods.
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
	check(tx *gorm.DB) error // validates what was written
	mayChange() error
	mayDelete() error
}

// locked loads the row under lock, lets f decide and write, and returns the row
// as f leaves it. An error of f undoes what it wrote. Between what f reads and
// what it writes nobody else writes to the row, so that no two requests take the
// same step.
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

// found explains why a row could not be loaded.
func found(kind string, id uint64, err error) error {
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return missing("there is no %s %d", kind, id)
	}
	return err
}

// refers checks that a referenced row exists, and returns it. Without a
// reference it returns nil.
func refers[T any, P entity[T]](tx *gorm.DB, id *uint64) (P, error) {
	if id == nil {
		return nil, nil
	}
	row := P(new(T))
	err := gorm.ErrRecordNotFound
	if *id <= math.MaxInt64 { // larger ones do not fit into a key
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
		return invalid("%s: must be 1 to 63 letters, digits, spaces, dots, dashes and underscores", field)
	}
	return nil
}

// checkText refuses text that is too long or not printable.
func checkText(field, text string, limit int) error {
	if trail.Printable(text, limit) != text {
		return invalid("%s: must be at most %d printable characters", field, limit)
	}
	return nil
}

// Secret is text that is written, and never shown again: in JSON it is
// asterisks, which a client may send back to leave it unchanged.
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
		return fmt.Errorf("a secret must be text: %w", err)
	}
	if text != hidden {
		*s = Secret(text)
	}
	return nil
}
