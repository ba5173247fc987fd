package main

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/infrakitchen/audit"
)

// Resource is a piece of infrastructure that somebody requested. Deleting it
// hides it, and is for resources that do not exist outside.
type Resource struct {
	Row
	ResourceSpec
	State       State       `gorm:"not null;index" json:"state"`
	RequestedBy string      `gorm:"not null" json:"requested_by"`
	DecidedBy   string      `gorm:"not null" json:"decided_by"`
	LastRun     audit.Event `gorm:"not null" json:"last_run"` // what a retry repeats
	Runs        int         `gorm:"not null" json:"runs"`
	Plan        string      `gorm:"not null" json:"plan"`    // what the last dryrun found
	Problem     string      `gorm:"not null" json:"problem"` // why the last run failed

	DeletedAt gorm.DeletedAt `gorm:"index" json:"-"`
	Template  *Template      `json:"-"`
}

// ResourceSpec is what requests may write of a [Resource].
type ResourceSpec struct {
	Name       string  `gorm:"not null" json:"name" audit:"name"`
	TemplateID *uint64 `json:"template_id"`
	// Variables are what the template is filled with, as they were written.
	// The variable fail makes runs fail: "once" the first, "always" every one.
	Variables map[string]json.RawMessage `gorm:"type:jsonb;serializer:json" json:"variables"`
}

// State is the stage of a [Resource] in its life.
type State string

// The states of a resource. Those in which a job is at work end by themselves.
const (
	Requested    State = "requested"
	Approved     State = "approved"
	Rejected     State = "rejected"
	Provisioning State = "provisioning" // a job is at work
	Provisioned  State = "provisioned"
	Failed       State = "failed"
	Destroying   State = "destroying" // a job is at work
	Destroyed    State = "destroyed"
)

func (*Resource) kind() string { return "resource" }
func (r *Resource) spec() any  { return &r.ResourceSpec }

func (r *Resource) begin(user string) {
	r.State, r.RequestedBy = Requested, user
	r.Variables = map[string]json.RawMessage{}
}

func (r *Resource) check(tx *gorm.DB) error {
	if err := checkName("name", r.Name); err != nil {
		return err
	}
	template, err := refers[Template](tx, r.TemplateID)
	if err == nil && template != nil && !template.Enabled && r.State == Requested {
		return conflict("template %d is disabled", template.ID)
	}
	return err
}

func (r *Resource) mayChange() error {
	return r.in("changed", Requested, Approved, Rejected, Provisioned, Failed)
}

func (r *Resource) mayDelete() error {
	return r.in("deleted", Requested, Approved, Rejected, Destroyed)
}

// in refuses a step unless the resource is in one of these states.
func (r *Resource) in(step string, from ...State) error {
	if !slices.Contains(from, r.State) {
		return conflict("resource %d is %s and cannot be %s", r.ID, r.State, step)
	}
	return nil
}

// fails reports whether the next run is to fail.
func (r *Resource) fails() bool {
	switch string(r.Variables["fail"]) {
	case `"always"`:
		return true
	case `"once"`:
		return r.Runs <= 1
	default:
		return false
	}
}

// decide serves approve and reject.
func (a *app) decide(decision State) func(*gin.Context) (int, any, error) {
	return func(c *gin.Context) (int, any, error) {
		if err := noBody(c); err != nil {
			return 0, nil, err
		}
		id, err := rowID(c)
		if err != nil {
			return 0, nil, err
		}
		resource, err := locked(c.Request.Context(), a.db, id, func(tx *gorm.DB, r *Resource) error {
			if err := r.in(string(decision), Requested); err != nil {
				return err
			}
			r.State, r.DecidedBy = decision, c.GetString(gin.AuthUserKey)
			return tx.Model(r).Select("state", "decided_by").Updates(r).Error
		})
		return http.StatusOK, resource, err
	}
}
