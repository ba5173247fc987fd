package main

import (
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"
)

// maxRows is how many rows a list has at most.
const maxRows = 500

// crud serves the rows of one table: list and show, create, update, delete.
func crud[T any, P entity[T]](a *app, at *gin.RouterGroup) {
	t := table[T, P]{a.db}
	at.GET("", a.reply(t.list))
	at.GET("/:id", a.reply(t.show))
	at.POST("", a.reply(t.create))
	at.PUT("/:id", a.reply(t.update))
	at.PATCH("/:id", a.reply(t.update))
	at.DELETE("/:id", a.reply(t.remove))
}

type table[T any, P entity[T]] struct{ db *gorm.DB }

// list answers with the newest rows.
func (t table[T, P]) list(c *gin.Context) (int, any, error) {
	rows := []T{}
	err := t.db.WithContext(c.Request.Context()).Order("id DESC").Limit(maxRows).Find(&rows).Error
	return http.StatusOK, rows, err
}

func (t table[T, P]) show(c *gin.Context) (int, any, error) {
	id, err := rowID(c)
	if err != nil {
		return 0, nil, err
	}
	row := P(new(T))
	if err := t.db.WithContext(c.Request.Context()).First(row, id).Error; err != nil {
		return 0, nil, found(row.kind(), id, err)
	}
	return http.StatusOK, row, nil
}

func (t table[T, P]) create(c *gin.Context) (int, any, error) {
	body, err := readBody(c)
	if err != nil {
		return 0, nil, err
	}
	row := P(new(T))
	row.begin(c.GetString(gin.AuthUserKey))
	if err := decode(body, row.spec()); err != nil {
		return 0, nil, err
	}
	err = t.db.WithContext(c.Request.Context()).Transaction(func(tx *gorm.DB) error {
		if err := row.check(tx); err != nil {
			return err
		}
		return tx.Create(row).Error
	})
	return http.StatusCreated, row, err
}

// update writes the fields that the body names; PUT and PATCH alike.
func (t table[T, P]) update(c *gin.Context) (int, any, error) {
	id, err := rowID(c)
	if err != nil {
		return 0, nil, err
	}
	body, err := readBody(c) // before the lock, which a slow client would hold
	if err != nil {
		return 0, nil, err
	}
	row, err := locked(c.Request.Context(), t.db, id, func(tx *gorm.DB, row P) error {
		if err := decode(body, row.spec()); err != nil {
			return err
		}
		if err := row.mayChange(); err != nil {
			return err
		}
		if err := row.check(tx); err != nil {
			return err
		}
		return tx.Save(row).Error
	})
	return http.StatusOK, row, err
}

func (t table[T, P]) remove(c *gin.Context) (int, any, error) {
	id, err := rowID(c)
	if err != nil {
		return 0, nil, err
	}
	_, err = locked(c.Request.Context(), t.db, id, func(tx *gorm.DB, row P) error {
		if err := row.mayDelete(); err != nil {
			return err
		}
		return tx.Delete(row).Error
	})
	return http.StatusNoContent, nil, err
}

// rowID returns the id in the request's path. An id has only one spelling: 007
// is not 7, here as in the trail.
func rowID(c *gin.Context) (uint64, error) {
	text := c.Param("id")
	id, err := strconv.ParseUint(text, 10, 63)
	if err != nil || id == 0 || strconv.FormatUint(id, 10) != text {
		return 0, missing("%q is not a valid id", text)
	}
	return id, nil
}
