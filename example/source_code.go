package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"
)

// SourceCode is a repository of infrastructure code. Deleting it removes the
// row, as long as no template refers to it.
type SourceCode struct {
	Row
	SourceCodeSpec
	State    SyncState `gorm:"not null" json:"state"`
	Revision string    `gorm:"not null" json:"revision"` // the commit that was synced last
	Syncs    int       `gorm:"not null" json:"syncs"`
	Problem  string    `gorm:"not null" json:"problem"` // why the last sync failed

	Integration *Integration `json:"-"`
}

// SourceCodeSpec is what requests may write of a [SourceCode].
type SourceCodeSpec struct {
	Name          string  `gorm:"not null" json:"name" audit:"name"`
	URL           string  `gorm:"not null" json:"url"`
	Branch        string  `gorm:"not null" json:"branch"`
	IntegrationID *uint64 `json:"integration_id"`
}

// SyncState is the state of a [SourceCode].
type SyncState string

// The states of a source code.
const (
	Unsynced   SyncState = "unsynced"
	Syncing    SyncState = "syncing"
	Synced     SyncState = "synced"
	SyncFailed SyncState = "failed"
)

func (*SourceCode) kind() string { return "source code" }
func (s *SourceCode) spec() any  { return &s.SourceCodeSpec }

func (s *SourceCode) begin(string) { s.State, s.Branch = Unsynced, "main" }

func (s *SourceCode) check(tx *gorm.DB) error {
	if err := checkName("name", s.Name); err != nil {
		return err
	}
	u, err := url.Parse(s.URL)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return invalid("url: must be an https URL")
	}
	if u.User != nil {
		return invalid("url: credentials belong in an integration")
	}
	if err := errors.Join(checkText("url", s.URL, 500), checkText("branch", s.Branch, 200)); err != nil {
		return err
	}
	if s.Branch == "" || strings.ContainsAny(s.Branch, ` ~^:?*[\`) {
		return invalid("branch: must be the name of a branch")
	}
	_, err = refers[Integration](tx, s.IntegrationID)
	return err
}

func (s *SourceCode) mayChange() error {
	if s.State == Syncing {
		return conflict("source code %d is being synced", s.ID)
	}
	return nil
}

func (s *SourceCode) mayDelete() error { return s.mayChange() }

// sync begins to fetch the code and answers at once; the rest is a job.
func (a *app) sync(c *gin.Context) (int, any, error) {
	if err := noBody(c); err != nil {
		return 0, nil, err
	}
	id, err := rowID(c)
	if err != nil {
		return 0, nil, err
	}
	code, err := locked(c.Request.Context(), a.db, id, func(tx *gorm.DB, s *SourceCode) error {
		if err := s.mayChange(); err != nil {
			return err
		}
		s.State, s.Syncs = Syncing, s.Syncs+1
		return tx.Model(s).Select("state", "syncs").Updates(s).Error
	})
	if err != nil {
		return 0, nil, err
	}
	work := *code // a copy: the response is being written meanwhile
	a.jobs.start(c.Request.Context(), job{
		name: "git",
		work: func(ctx context.Context, con *terminal) error { return con.play(ctx, fetch(&work)) },
		done: func(ctx context.Context, err error) error { return a.synced(ctx, &work, err) },
	})
	return accepted(c), code, nil
}

// synced stores how a sync ended.
func (a *app) synced(ctx context.Context, s *SourceCode, failure error) error {
	change := map[string]any{"state": Synced, "revision": s.commit(), "problem": ""}
	if failure != nil {
		change = map[string]any{"state": SyncFailed, "problem": failure.Error()}
	}
	return leave(a.db.WithContext(ctx).Model(&SourceCode{}).
		Where("id = ? AND state = ?", s.ID, Syncing).Updates(change))
}

// leave checks that a job found its row in the state in which it had left it.
func leave(done *gorm.DB) error {
	if done.Error == nil && done.RowsAffected == 0 {
		return errors.New("the row was deleted or changed meanwhile")
	}
	return done.Error
}

// commit makes up the commit that a sync finds: each sync finds a new one.
func (s *SourceCode) commit() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %d", s.URL, s.Branch, s.Syncs))
	return hex.EncodeToString(sum[:])[:10]
}

// accepted says that the work continues, and where to see its trail.
func accepted(c *gin.Context) int {
	c.Header("Location", "/audit/traces/"+c.Writer.Header().Get("X-Trace-Id"))
	return http.StatusAccepted
}
