package gormhook_test

import (
	"errors"
	"time"

	"gorm.io/gorm"
)

// The family of models that sequences of operations are drawn over. Each is
// there for what its columns or its table can do to an image.

// replayNote is plain: a key from the database, and times from GORM.
type replayNote struct {
	ID        int64
	Title     string
	Count     int64
	Flag      bool
	Maybe     *string
	CreatedAt time.Time
	UpdatedAt time.Time
}

// replayDraft stays in the table when it is deleted.
type replayDraft struct {
	ID        int64
	Title     string
	Count     int64
	UpdatedAt time.Time
	DeletedAt gorm.DeletedAt `gorm:"index"`
}

// replayPlace has a key of two columns, one of them text of any kind.
type replayPlace struct {
	Region string `gorm:"primaryKey"`
	Number int64  `gorm:"primaryKey;autoIncrement:false"`
	Title  *string
	Count  int64 `gorm:"not null"`
}

// replayContact has a struct in it, a column of another name, and fields that
// are not in the table as they are in Go.
type replayContact struct {
	ID     int64
	Title  string        `gorm:"column:called"`
	Home   replayAddress `gorm:"embedded;embeddedPrefix:home_"`
	Labels []string      `gorm:"serializer:json"`
	Since  int64         `gorm:"serializer:unixtime;type:timestamp"`
	Count  int64
}

type replayAddress struct {
	Street string
	Number *int64
}

const vetoed = "veto"

var errVetoed = errors.New("a hook says no")

// AfterSave refuses what has been written already.
func (c *replayContact) AfterSave(*gorm.DB) error {
	if c.Home.Street == vetoed {
		return errVetoed
	}
	return nil
}

// replayParcel is filled in by the database, its key included.
type replayParcel struct {
	ID    replayKey `gorm:"primaryKey;default:(-)"`
	Title string    `gorm:"default:it's new"`
	Count int64     `gorm:"default:7;check:count_is_small,count < 1000000000000"`
	Flag  bool      `gorm:"default:true"`
	Maybe *string   `gorm:"default:perhaps"`
}

// AfterDelete leaves a note, of which the statement knows nothing.
func (p *replayParcel) AfterDelete(tx *gorm.DB) error {
	return tx.Create(&replayNote{Title: "a parcel has gone: " + p.Title}).Error
}

// BeforeCreate leaves a note as well.
func (p *replayParcel) BeforeCreate(tx *gorm.DB) error {
	return tx.Model(&replayNote{}).Where("id = ?", 1).Update("count", gorm.Expr("count % 100 + 1")).Error
}

// replayTreasure has a value of each kind that engines and languages differ
// about.
type replayTreasure struct {
	ID      int64
	Title   string
	Count   int64
	Amount  replayDecimal
	Ratio   float64 `gorm:"type:double precision"`
	Rough   float64
	Single  float32 `gorm:"type:real"`
	Data    []byte
	Doc     replayDocument
	At      time.Time
	Seen    *time.Time
	Day     replayDay
	Words   replayArray `gorm:"elements:text"`
	Numbers replayArray `gorm:"elements:bigint"`
	Moments replayArray `gorm:"elements:timestamptz"`
	Chunks  replayArray `gorm:"elements:bytea"`
	Span    replayText  `gorm:"of:interval"`
	Net     replayText  `gorm:"of:inet"`
	Window  replayText  `gorm:"of:int4range"`
	Exact   replayText  `gorm:"of:json"`
	Local   replayText  `gorm:"of:timestamp"`
	Price   replayText  `gorm:"of:numeric(12,2)"`
}

// replayOrder is named by words of SQL, and worse.
type replayOrder struct {
	ID    int64   `gorm:"column:primary"`
	Title string  `gorm:"column:select"`
	Count int64   `gorm:"column:Group By"`
	Maybe *string `gorm:"column:it's \"quoted\" $1 ?"`
}

func (replayOrder) TableName() string { return "order" }

// replayLine has a column that the database computes from others.
type replayLine struct {
	ID    int64
	Title string
	Count int64
	Twice int64 `gorm:"->"`
}

// replayStamp is changed by a trigger as it is written: before the write on
// PostgreSQL, behind it on SQLite, which has no other. A trigger also leaves
// rows as they are that would get a certain title.
type replayStamp struct {
	ID       int64
	Title    string
	Count    int64
	Revision int64
}

// replayEcho is changed by a trigger behind the write, by a statement of its
// own.
type replayEcho struct {
	ID    int64
	Title string
	Count int64
	Echo  string
}

func (replayEcho) TableName() string { return "replay_echoes" }
