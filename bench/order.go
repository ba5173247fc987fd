package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Order is the row that is written: a uuid key, fourteen columns, three
// indexes besides the key.
type Order struct {
	ID        uuid.UUID `gorm:"type:uuid;primaryKey"`
	Number    int64     `gorm:"index"`
	Customer  string    `gorm:"index"`
	Batch     int       `gorm:"index"`
	Status    string
	Note      string
	Street    string
	City      string
	Country   string
	Total     float64
	Tax       float64
	Paid      bool
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Article and Tag are joined by a table, which is what a replaced association
// writes.
type Article struct {
	ID    int64
	Title string
	Tags  []Tag `gorm:"many2many:article_tags"`
}

// Tag is the other side of Article.Tags.
type Tag struct {
	ID   int64
	Name string
}

func newOrder(n int) Order {
	return Order{
		ID: uuid.New(), Number: int64(n), Customer: fmt.Sprint("customer-", n%1000), Batch: created,
		Status: "new", Note: strings.Repeat("n", 60), Street: "Main street 1", City: "Stockholm", Country: "SE",
		Total: 12.5, Tax: 2.5,
	}
}

// The batches that rows are found by. Initial rows are in batches of sizes.Bulk
// rows, from 0 on.
const (
	updated  = 0  // its rows are updated one by one
	deleted  = 1  // its rows are deleted one by one
	bulk     = 2  // the first that is changed as a whole
	batches  = 10 // their number
	created  = 999
	articles = 500
	tags     = 20
)

// sizes are the numbers of rows.
type sizes struct {
	Bulk  int // in each batch; batches times as many in the table
	Batch int // of CreateInBatches
}

var standard = sizes{Bulk: 10_000, Batch: 1000}

const seedOrders = `INSERT INTO orders
SELECT gen_random_uuid(), i, 'customer-' || (i % 1000), i / ?, 'new', repeat('n', 60), 'Main street 1',
	'Stockholm', 'SE', 12.5, 2.5, false, now(), now()
FROM generate_series(0, ? - 1) AS i`
