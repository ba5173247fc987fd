package main

import "gorm.io/gorm"

// Template is what resources are made from. Deleting it hides it: resources
// may have been made from it.
type Template struct {
	Row
	TemplateSpec
	Enabled   bool           `gorm:"not null" json:"enabled"`
	DeletedAt gorm.DeletedAt `gorm:"index" json:"-"`

	SourceCode *SourceCode `json:"-"`
}

// TemplateSpec is what requests may write of a [Template].
type TemplateSpec struct {
	Name         string  `gorm:"not null" json:"name" audit:"name"`
	Path         string  `gorm:"not null" json:"path"` // of the module within the source code
	SourceCodeID *uint64 `json:"source_code_id"`
}

func (*Template) kind() string   { return "template" }
func (t *Template) begin(string) { t.Enabled = true }
func (t *Template) spec() any    { return &t.TemplateSpec }
func (t *Template) on() *bool    { return &t.Enabled }

func (t *Template) check(tx *gorm.DB) error {
	if err := checkName("name", t.Name); err != nil {
		return err
	}
	if err := checkText("path", t.Path, 200); err != nil {
		return err
	}
	_, err := refers[SourceCode](tx, t.SourceCodeID)
	return err
}
