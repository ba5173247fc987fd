package gormhook_test

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"
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

// replayKey is a uuid on PostgreSQL and a text on SQLite, made by the database.
type replayKey string

// replayDecimal is a decimal of many digits.
type replayDecimal string

// replayDocument is JSON.
type replayDocument string

// replayDay is a day without a time.
type replayDay string

// replayArray is an array in the text of PostgreSQL, and only that on SQLite.
type replayArray string

// replayText is of a type that only PostgreSQL has, in its text.
type replayText string

// Empty ones are null, so that a model is valid as it is made.

func (d replayDecimal) Value() (driver.Value, error)  { return textOrNull(string(d)), nil }
func (d replayDocument) Value() (driver.Value, error) { return textOrNull(string(d)), nil }
func (d replayDay) Value() (driver.Value, error)      { return textOrNull(string(d)), nil }
func (a replayArray) Value() (driver.Value, error)    { return textOrNull(string(a)), nil }

func (v replayText) Value() (driver.Value, error) { return textOrNull(string(v)), nil }

func textOrNull(s string) driver.Value {
	if s == "" {
		return nil
	}
	return s
}

// Drivers have values of their own for them: SQLite keeps as a number what
// looks like one.

func (d *replayDecimal) Scan(v any) error  { return scanText(d, v) }
func (d *replayDocument) Scan(v any) error { return scanText(d, v) }
func (d *replayDay) Scan(v any) error      { return scanText(d, v) }
func (v *replayText) Scan(from any) error  { return scanText(v, from) }

func scanText[S ~string](s *S, v any) error {
	switch v := v.(type) {
	case nil:
		*s = ""
	case []byte:
		*s = S(v)
	case float64:
		*s = S(strconv.FormatFloat(v, 'f', -1, 64))
	case time.Time:
		*s = S(v.Format("2006-01-02 15:04:05.999999"))
	default:
		*s = S(fmt.Sprint(v))
	}
	return nil
}

func (replayKey) GormDBDataType(db *gorm.DB, _ *schema.Field) string {
	return engineType(db, "uuid DEFAULT gen_random_uuid()", "text NOT NULL DEFAULT (lower(hex(randomblob(16))))")
}

func (replayDecimal) GormDBDataType(db *gorm.DB, _ *schema.Field) string {
	return engineType(db, "numeric", "decimal(40,12)")
}

func (replayDocument) GormDBDataType(db *gorm.DB, _ *schema.Field) string {
	return engineType(db, "jsonb", "json")
}

func (replayDay) GormDBDataType(db *gorm.DB, _ *schema.Field) string {
	return engineType(db, "date", "text")
}

func (replayArray) GormDBDataType(db *gorm.DB, f *schema.Field) string {
	return engineType(db, f.TagSettings["ELEMENTS"]+"[]", "text")
}

func (replayText) GormDBDataType(db *gorm.DB, f *schema.Field) string {
	return engineType(db, f.TagSettings["OF"], "text")
}

func engineType(db *gorm.DB, postgres, sqlite string) string {
	if db.Name() == "postgres" {
		return postgres
	}
	return sqlite
}

// replayModels are the tables, by what the trail calls their rows. Where a
// statement names no model, the table's name is all there is.
var replayModels = map[string]string{
	"replay_note": "replay_notes", "replay_draft": "replay_drafts", "replay_place": "replay_places",
	"replay_contact": "replay_contacts", "replay_parcel": "replay_parcels", "replay_treasure": "replay_treasures",
	"replay_order": "order", "order": "order", "replay_line": "replay_lines", "replay_stamp": "replay_stamps",
	"replay_echo":   "replay_echoes",
	"replay_author": "replay_authors", "replay_post": "replay_posts", "replay_comment": "replay_comments",
	"replay_cover": "replay_covers", "replay_tag": "replay_tags", "replay_post_tag": "replay_post_tags",
	"replay_attachment": "replay_attachments",
}

func (replayEcho) TableName() string { return "replay_echoes" }

// migrateReplay makes the tables.
func migrateReplay(db *gorm.DB) error {
	if err := db.AutoMigrate(
		&replayNote{}, &replayDraft{}, &replayPlace{}, &replayContact{}, &replayParcel{}, &replayTreasure{},
		&replayOrder{}, &replayStamp{}, &replayEcho{},
		&replayAuthor{}, &replayPost{}, &replayComment{}, &replayCover{}, &replayTag{}, &replayAttachment{},
	); err != nil {
		return err
	}
	statements := replaySQLite
	if db.Name() == "postgres" {
		statements = replayPostgres
	}
	for _, text := range statements {
		if err := db.Exec(text).Error; err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
	}
	return nil
}

// unwelcome is an actor of whom the database takes no entry.
const unwelcome = "the unwelcome one"

var replayPostgres = []string{
	`CREATE FUNCTION refuse_entry() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		RAISE EXCEPTION 'no entry of %', NEW.user_id;
	END $$`,
	`CREATE TRIGGER refuse_entry BEFORE INSERT ON audit_logs FOR EACH ROW
		WHEN (NEW.user_id = '` + unwelcome + `') EXECUTE FUNCTION refuse_entry()`,
	`CREATE INDEX audit_logs_seq_of_tests ON audit_logs (seq)`,
	`CREATE TABLE replay_lines (
		id bigserial PRIMARY KEY, title text, count bigint,
		twice bigint GENERATED ALWAYS AS (count / 2 + 1) STORED)`,
	`CREATE FUNCTION replay_stamp() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		IF TG_OP = 'UPDATE' AND upper(NEW.title) = 'LEAVE OUT' THEN
			RETURN NULL;
		END IF;
		NEW.title := upper(NEW.title);
		NEW.revision := coalesce(NEW.revision, 0) % 1000 + 1;
		RETURN NEW;
	END $$`,
	`CREATE TRIGGER replay_stamp BEFORE INSERT OR UPDATE ON replay_stamps FOR EACH ROW EXECUTE FUNCTION replay_stamp()`,
	`CREATE FUNCTION replay_echo() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		UPDATE replay_echoes SET echo = NEW.title || ' ' || coalesce(NEW.count, 0) WHERE id = NEW.id;
		RETURN NULL;
	END $$`,
	`CREATE TRIGGER replay_echo AFTER INSERT OR UPDATE ON replay_echoes FOR EACH ROW
		WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION replay_echo()`,
}

var replaySQLite = []string{
	`CREATE TRIGGER refuse_entry BEFORE INSERT ON audit_logs WHEN NEW.user_id = '` + unwelcome + `' BEGIN
		SELECT RAISE(ABORT, 'no entry of ` + unwelcome + `'); END`,
	`CREATE TABLE replay_lines (
		id integer PRIMARY KEY AUTOINCREMENT, title text, count bigint,
		twice bigint GENERATED ALWAYS AS (count / 2 + 1) STORED)`,
	`CREATE TRIGGER replay_stamp_insert AFTER INSERT ON replay_stamps BEGIN
		UPDATE replay_stamps SET title = upper(title), revision = coalesce(revision, 0) % 1000 + 1 WHERE id = NEW.id; END`,
	`CREATE TRIGGER replay_stamp_update AFTER UPDATE ON replay_stamps BEGIN
		UPDATE replay_stamps SET title = upper(title), revision = coalesce(revision, 0) % 1000 + 1 WHERE id = NEW.id; END`,
	`CREATE TRIGGER replay_stamp_ignore BEFORE UPDATE ON replay_stamps WHEN upper(NEW.title) = 'LEAVE OUT' BEGIN
		SELECT RAISE(IGNORE); END`,
	`CREATE TRIGGER replay_echo_insert AFTER INSERT ON replay_echoes BEGIN
		UPDATE replay_echoes SET echo = title || ' ' || coalesce(count, 0) WHERE id = NEW.id; END`,
	`CREATE TRIGGER replay_echo_update AFTER UPDATE ON replay_echoes BEGIN
		UPDATE replay_echoes SET echo = title || ' ' || coalesce(count, 0) WHERE id = NEW.id; END`,
}
