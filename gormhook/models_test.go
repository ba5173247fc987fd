package gormhook_test

import (
	"strconv"
	"time"

	"gorm.io/gorm"
)

// Product is a model as most are.
type Product struct {
	ID        int64
	Code      string `gorm:"uniqueIndex"`
	Name      string
	Stock     int
	Price     float64
	Active    bool
	Note      *string
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Item is deleted softly.
type Item struct {
	gorm.Model
	Name string
	Qty  int
}

// Company, and what follows, are associated in every way that GORM knows.
type Company struct {
	ID   int64
	Name string
}

type Author struct {
	ID        int64
	Name      string
	CompanyID *int64
	Company   *Company
	Profile   *Profile
	Books     []Book
	Remarks   []Remark `gorm:"polymorphic:Owner"`
}

type Profile struct {
	ID       int64
	AuthorID *int64
	Bio      string
}

type Book struct {
	ID       int64
	AuthorID *int64
	Title    string
	Tags     []Tag   `gorm:"many2many:book_tags"`
	Drafts   []Draft `gorm:"constraint:-"`
}

type Tag struct {
	ID   int64
	Name string
}

type Remark struct {
	ID        int64
	OwnerID   int64
	OwnerType string
	Text      string
}

// Draft is deleted softly.
type Draft struct {
	ID        int64
	BookID    *int64
	Text      string
	DeletedAt gorm.DeletedAt
}

// Place has a key of two columns.
type Place struct {
	Country    string `gorm:"primaryKey"`
	City       string `gorm:"primaryKey"`
	Population int
}

// Address is embedded in Person.
type Address struct {
	Street string
	Zip    string `gorm:"column:postcode"`
}

type Person struct {
	ID   int64
	Name string
	Home Address  `gorm:"embedded;embeddedPrefix:home_"`
	Work *Address `gorm:"embedded;embeddedPrefix:work_"`
}

// Renamed has other names in the database than in Go.
type Renamed struct {
	Key   string `gorm:"column:identifier;primaryKey"`
	Title string `gorm:"column:caption"`
}

func (Renamed) TableName() string { return "relabelled" }

// Setting has defaults, of GORM's and of the database's own.
type Setting struct {
	ID    int64
	Level int    `gorm:"default:3"`
	Mode  string `gorm:"default:'auto'"`
	Sum   int    `gorm:"default:(1 + 2)"`
	Label string
}

// Reading has no key at all.
type Reading struct {
	Sensor string
	Value  int
}

// Loose believes in a key that the database does not know.
type Loose struct {
	ID   int64
	Name string
}

// Order has reserved words for names.
type Order struct {
	ID     int64
	Select string
	From   string `gorm:"column:from"`
	Where  int
	Group  bool
}

func (Order) TableName() string { return "order" }

// Odd has names that must be quoted well.
type Odd struct {
	ID       int64  `gorm:"column:The Id;primaryKey"`
	Space    string `gorm:"column:a b"`
	Upper    string `gorm:"column:Upper"`
	Dollar   string `gorm:"column:dol$lar$1"`
	Question string `gorm:"column:what?"`
	Single   string `gorm:"column:it's"`
	Umlaut   string `gorm:"column:größe"`
	Percent  string `gorm:"column:100%"`
}

func (Odd) TableName() string { return "odd Table?" }

// Hooked writes further rows as it is written.
type Hooked struct {
	ID   int64
	Name string
	Fail string `gorm:"-"`
}

// Echo is what Hooked leaves behind.
type Echo struct {
	ID   int64
	Text string
}

func (h *Hooked) echo(tx *gorm.DB, moment string) error {
	if err := tx.Session(&gorm.Session{NewDB: true}).Create(&Echo{Text: moment + " " + h.Name}).Error; err != nil {
		return err
	}
	if h.Fail == moment {
		return errRefused
	}
	return nil
}

func (h *Hooked) BeforeSave(tx *gorm.DB) error   { return h.echo(tx, "before save") }
func (h *Hooked) AfterCreate(tx *gorm.DB) error  { return h.echo(tx, "after create") }
func (h *Hooked) AfterUpdate(tx *gorm.DB) error  { return h.echo(tx, "after update") }
func (h *Hooked) BeforeDelete(tx *gorm.DB) error { return h.echo(tx, "before delete") }
func (h *Hooked) AfterDelete(tx *gorm.DB) error  { return h.echo(tx, "after delete") }

// Tuned sets a column as it is written.
type Tuned struct {
	ID   int64
	Name string
	Note string
}

func (t *Tuned) BeforeCreate(tx *gorm.DB) error {
	tx.Statement.SetColumn("Note", "made")
	return nil
}

func (t *Tuned) BeforeUpdate(tx *gorm.DB) error {
	if tx.Statement.Changed("Name") {
		tx.Statement.SetColumn("Note", "was "+t.Name)
	}
	return nil
}

// Login has columns whose names are sensitive.
type Login struct {
	ID           int64
	Email        string
	Password     string
	APIKey       *string
	TokenCount   int
	PasswordHash []byte
	Pin          string `audit:"mask"`
	RefreshToken string `audit:"show"`
	Scratch      string `audit:"-"`
}

// Vault has a key that is a secret.
type Vault struct {
	Token string `gorm:"primaryKey"`
	Name  string
}

// Slot has a unique key that holds for some rows only.
type Slot struct {
	ID   int64
	Name string `gorm:"uniqueIndex:slot_open,where:open"`
	Open bool
	Note string
}

// products makes the rows with the given keys.
func products(ids ...int) func(*gorm.DB) error {
	return func(db *gorm.DB) error {
		list := make([]Product, len(ids))
		for i, id := range ids {
			list[i] = product(id)
		}
		return db.Create(&list).Error
	}
}

func product(id int) Product {
	return Product{
		ID: int64(id), Code: "p" + strconv.Itoa(id), Name: "lamp", Stock: 10 * id, Price: 1.5, Active: true,
		CreatedAt: now, UpdatedAt: now,
	}
}

// items makes the rows with the given keys, of which those below zero are
// deleted.
func items(ids ...int) func(*gorm.DB) error {
	return func(db *gorm.DB) error {
		for _, id := range ids {
			i := item(id)
			if id < 0 {
				i = item(-id)
				i.DeletedAt = gorm.DeletedAt{Time: now.Add(-time.Hour), Valid: true}
			}
			if err := db.Create(&i).Error; err != nil {
				return err
			}
		}
		return nil
	}
}

func item(id int) Item {
	return Item{
		Model: gorm.Model{ID: uint(id), CreatedAt: now, UpdatedAt: now}, //nolint:gosec // small and positive
		Name:  "bolt", Qty: id,
	}
}

// rows makes rows of any models, and what functions make.
func rows(models ...any) func(*gorm.DB) error {
	return func(db *gorm.DB) error {
		for _, m := range models {
			var err error
			if f, ok := m.(func(*gorm.DB) error); ok {
				err = f(db)
			} else {
				err = db.Create(m).Error
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
}

// ptr returns a pointer to v.
func ptr[T any](v T) *T { return &v }
