package main

import (
	"net/http"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"
)

// Integration is the access to something outside: a cloud, a code host.
// Deleting it hides it.
type Integration struct {
	Row
	IntegrationSpec
	Enabled   bool           `gorm:"not null" json:"enabled"`
	DeletedAt gorm.DeletedAt `gorm:"index" json:"-"`
}

// IntegrationSpec is what requests may write of an [Integration].
type IntegrationSpec struct {
	Name     string `gorm:"not null" json:"name" audit:"name"`
	Provider string `gorm:"not null" json:"provider"`
	// Token stays out of the trail, which masks it because of its name.
	Token Secret `gorm:"not null" json:"token"`
}

func (*Integration) kind() string   { return "integration" }
func (i *Integration) begin(string) { i.Enabled = true }
func (i *Integration) spec() any    { return &i.IntegrationSpec }
func (i *Integration) on() *bool    { return &i.Enabled }

func (i *Integration) check(*gorm.DB) error {
	if err := checkName("name", i.Name); err != nil {
		return err
	}
	return checkName("provider", i.Provider)
}

// switched is an entity that can be enabled and disabled.
type switched[T any] interface {
	entity[T]
	on() *bool
}

// toggle serves enable and disable.
func toggle[T any, P switched[T]](a *app, on bool) func(*gin.Context) (int, any, error) {
	return func(c *gin.Context) (int, any, error) {
		if err := noBody(c); err != nil {
			return 0, nil, err
		}
		id, err := rowID(c)
		if err != nil {
			return 0, nil, err
		}
		row, err := locked(c.Request.Context(), a.db, id, func(tx *gorm.DB, row P) error {
			if *row.on() == on {
				return conflict("%s %d is %s already", row.kind(), id, map[bool]string{true: "enabled", false: "disabled"}[on])
			}
			*row.on() = on
			return tx.Model(row).Select("enabled").Updates(row).Error
		})
		return http.StatusOK, row, err
	}
}
